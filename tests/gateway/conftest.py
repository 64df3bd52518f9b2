"""A gateway made and served as in real life: its own folder, database and keys, over real HTTP."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from packtrace.chain.deployment import CONTRACTS
from packtrace_gateway import keys, settings
from packtrace_gateway.access.models import Role
from packtrace_gateway.app import create_app
from packtrace_gateway.db import Database
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.settings import Settings

NO_NODE = "http://127.0.0.1:9"  # port 9 (discard): nothing answers
GLN = "4012345000009"

Serve = Callable[[FastAPI], AbstractContextManager[httpx.Client]]
KeyOf = Callable[..., dict[str, str]]


@pytest.fixture
def deployment_file(tmp_path: Path) -> Path:
    """A deployment file of a network whose node does not answer."""
    file = tmp_path / "network.json"
    contracts = {name: f"0x{number:040x}" for number, name in enumerate(CONTRACTS, 1)}
    file.write_text(json.dumps({"chainId": 31337, "block": 1, "contracts": contracts}))
    return file


@pytest.fixture
def gateway_settings(tmp_path: Path, deployment_file: Path) -> Settings:
    """Settings of a complete gateway in a folder of its own: database migrated, keys made."""
    made = settings.from_values(
        {
            "party": 12,
            "company": 10,
            "name": "Apotheke am Markt",
            "gln": GLN,
            "gln_salt": "00" * 16,
            "node": NO_NODE,
            "node_timeout": 1,
            "deployment": str(deployment_file),
            "port": 0,
        },
        folder=tmp_path / "gateway",
    )
    keys.make_passphrase(made)
    keys.add_key(made, keys.Purpose.OPERATE)
    keys.add_key(made, keys.Purpose.RELAYER)
    database = Database(made.database_url)
    database.migrate()
    database.close()
    return made


@pytest.fixture
def app(gateway_settings: Settings) -> Iterator[FastAPI]:
    made = create_app(gateway_settings)
    yield made
    made.state.gateway.database.close()


@pytest.fixture
def gateway(app: FastAPI) -> Gateway:
    found: Gateway = app.state.gateway
    return found


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Serve an application on a free port with uvicorn; gives a client for it."""

    @contextmanager
    def serving(app: FastAPI) -> Iterator[httpx.Client]:
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                time.sleep(0.005)
            port = server.servers[0].sockets[0].getsockname()[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=90) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()

    return serving


@pytest.fixture
def client(app: FastAPI, serve: Serve) -> Iterator[httpx.Client]:
    """A client of the served gateway, without an API key."""
    with serve(app) as client:
        yield client


@pytest.fixture
def key(gateway: Gateway) -> KeyOf:
    """Headers with a new API key of the given roles: ``key("line")``."""

    def made(*roles: str) -> dict[str, str]:
        _row, text = gateway.access.create("test " + " ".join(roles), [Role(role) for role in roles])
        return {"Authorization": f"Bearer {text}"}

    return made
