"""One counter for all tests of the phone page; without Chromium none of them."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from chromium import Browser, Page, find
from counter import Counter, opened
from host import Host

from packtrace_gateway.phone import page as serving
from packtrace_gateway.phone.files import page_files

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without Chromium a user's run leaves these tests out, and says so; with CI=true they fail."""
    mine = [item for item in items if HERE in item.path.parents]
    if find() is not None or os.environ.get("CI") == "true" or not mine:
        return
    config.hook.pytest_deselected(items=mine)
    items[:] = [item for item in items if item not in mine]
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        reporter.write_line(f"{len(mine)} tests of the phone page left out: install Chromium")


_OPEN = ExitStack()


@pytest.fixture(scope="session")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    """The one counter, for the tests of all files here."""
    folder = tmp_path_factory.mktemp("page")
    _OPEN.callback(shutil.rmtree, folder, ignore_errors=True)  # films are large
    return _OPEN.enter_context(opened(folder))


@pytest.hookimpl(trylast=True)  # when the fixtures of the last test have had it
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The counter ends with the last test here, not with the session: the tests after it want the machine."""
    if nextitem is None or HERE not in nextitem.path.parents:
        _OPEN.close()


@pytest.fixture
def phone(counter: Counter) -> Iterator[Callable[..., Page]]:
    """Makes phones that are set up, and looks in the end whether anything went wrong in them."""
    pages: list[Page] = []

    def made(shown: Path | None = None, through: int | None = None) -> Page:
        pages.append(counter.phone(shown, through))
        return pages[-1]

    yield made
    for page in pages:
        page.pump(0.05)
        assert page.errors == []
    counter.close_phones()
    counter.browsers.clear()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Serves the page alone, in whatever version a test wants."""
    with Host(page_files()) as host:
        monkeypatch.setattr(serving, "page_files", lambda: host.files)
        yield host


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A browser that knows nothing yet."""
    browser = Browser(tmp_path / "browser", film=None, trusted_key="")
    yield browser.page
    browser.close()
