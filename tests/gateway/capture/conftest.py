"""The tests of capture share one gateway with goods in it: `shop.py` beside this file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

sys.path.insert(0, str(Path(__file__).parent))

from shop import Shop, make_app, open_shop

Serve = Callable[[FastAPI], AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> Iterator[Shop]:
    """A served gateway for all tests of a module."""
    app = make_app(tmp_path_factory.mktemp("shop"))
    with serve(app) as client:
        yield open_shop(app, client)


@pytest.fixture
def new_shop(tmp_path: Path, serve: Serve) -> Iterator[Shop]:
    """A served gateway of the test's own."""
    app = make_app(tmp_path)
    with serve(app) as client:
        yield open_shop(app, client)
