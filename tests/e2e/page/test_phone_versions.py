"""A gateway takes another's place while phones fetch its page: they have a version whole, or say that they have not."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvicorn
from chromium import PATIENCE, Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from packtrace_gateway.phone import page as serving
from packtrace_gateway.phone.files import PageFile, page_of, page_sources
from packtrace_gateway.phone.page import PhonePage

pytestmark = pytest.mark.e2e
VERSION = "[...document.querySelectorAll('script')].map((one) => one.getAttribute('src').split('/')[0]).join()"
KEPT = "caches.keys().then((all) => all.map((one) => one.replace('packtrace-', '')).join())"
TOAST = "(document.querySelector('.toast')?.innerText ?? '')"
CONFIG = {
    "key": "pt_none", "node": "http://127.0.0.1:1", "place": 7, "name": "Counter", "roles": [], "decoder": False,
    "deployment": {"chainId": 1, "block": 0, "contracts": {"PartyRegistry": "0x"}},
}  # fmt: skip


class Host:
    """Serves a version of the page as a gateway does, and another one the next moment."""

    def __init__(self) -> None:
        self.files: Mapping[str, PageFile] = {}
        self.after: Callable[[str], None] = lambda _name: None
        self._server = uvicorn.Server(uvicorn.Config(self._app(), port=0, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run)

    def _app(self) -> ASGIApp:
        page = PhonePage(Path("none"))

        async def seen(scope: Scope, receive: Receive, send: Send) -> None:
            await page(scope, receive, send)
            self.after(Request(scope).url.path.removeprefix("/phone/"))

        return Starlette(routes=[Mount("/phone", seen)], exception_handlers={404: self._none})

    @staticmethod
    async def _none(_request: Request, _error: Exception) -> Response:
        return Response(status_code=404)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}/phone/"

    def __enter__(self) -> "Host":
        self._thread.start()
        deadline = time.monotonic() + PATIENCE
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    with Host() as host:
        monkeypatch.setattr(serving, "page_files", lambda: host.files)
        yield host


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    browser = Browser(tmp_path / "browser", film=None, trusted_key="")
    yield browser.page
    browser.close()


def old_and_new() -> tuple[dict[str, PageFile], dict[str, PageFile]]:
    """Two versions of the page; they differ in one file of the program."""
    sources = page_sources()
    return page_of(sources), page_of(sources | {"lib/dates.js": sources["lib/dates.js"] + b"\n"})


def version_of(files: Mapping[str, PageFile]) -> str:
    return next(name for name in files if name.endswith("/app/main.js")).split("/")[0]


def set_up(page: Page, host: Host) -> None:
    """The page at its first view, kept whole; what it says to its gateway and node is of no account here."""
    page.open(host.url)
    page.until("document.body?.dataset.view === 'setup'")
    store = f"import('./{version_of(host.files)}/app/store.js')"
    page.evaluate(f"{store}.then(({{ settings }}) => settings.put('config', {json.dumps(CONFIG)}))")
    page.until("navigator.serviceWorker.controller !== null")
    page.open("about:blank")
    page.open(host.url)
    page.until("document.body?.dataset.view === 'scan'")


def mixed(old: Mapping[str, PageFile], new: Mapping[str, PageFile], name: str) -> dict[str, PageFile]:
    """The new version, but for one file that is the old one's still (a proxy kept it, say)."""
    return {**new, f"{version_of(new)}/{name}": old[f"{version_of(old)}/{name}"]}


@pytest.mark.parametrize("name", ["lib/dates.js", None])
def test_a_new_version_of_which_one_file_is_another_ones_is_not_taken(host: Host, page: Page, name: str | None) -> None:
    old, new = old_and_new()
    host.files = old
    set_up(page, host)
    assert page.evaluate(KEPT) == version_of(old)

    if name:
        host.files = mixed(old, new, name)
    else:  # the gateway goes back in the middle: the rest of the new version is not there any more
        host.files = new
        host.after = lambda asked: setattr(host, "files", {**old, "sw.js": new["sw.js"]}) if asked == "sw.js" else None
    page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update())")
    page.until(f"{TOAST}.startsWith('This version of the page did not come whole')")
    page.until("document.getElementById('status').textContent.startsWith('This version')")
    assert page.evaluate(KEPT) == version_of(old)
    assert page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.waiting)") is None
    page.open("about:blank")
    page.open(host.url)
    page.until("document.body?.dataset.view === 'scan'")
    assert page.evaluate(VERSION) == version_of(old), "the version before goes on"

    page.until(f"{TOAST}.startsWith('This version of the page did not come whole')")  # a page that starts asks anew
    host.after = lambda _name: None
    host.files = new
    page.evaluate("window.dispatchEvent(new Event('online'))")  # or a minute later
    page.until(f"{TOAST}.startsWith('A new version is ready')")
    assert page.evaluate(KEPT).split(",") == [version_of(old), version_of(new)]
    page.tap("Reload")
    page.until(f"{KEPT}.then((kept) => kept === '{version_of(new)}')")
    page.until("document.body?.dataset.view === 'scan'")
    page.until(f"{VERSION} === '{version_of(new)}'")
    assert page.errors == []


def test_a_tab_whose_other_tab_went_over_goes_over_as_well(host: Host, page: Page) -> None:
    host.files, new = old_and_new()
    set_up(page, host)
    host.files = new
    page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update())")
    page.until(f"{TOAST}.startsWith('A new version is ready')")
    page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.waiting.postMessage('go over'))")
    page.until(f"{KEPT}.then((kept) => kept === '{version_of(new)}')")
    page.tap("Reload")
    page.until(f"{VERSION} === '{version_of(new)}' && document.body?.dataset.view === 'scan'")


def test_a_page_that_is_not_kept_yet_never_runs_with_another_ones_files(host: Host, page: Page) -> None:
    old, new = old_and_new()
    host.files = old

    def replaced(asked: str) -> None:
        host.files = new if asked == "" else host.files

    host.after = replaced
    page.open(host.url)
    page.until("document.querySelector('.begun')?.checkVisibility({ visibilityProperty: true })")
    assert "Please load the page again" in page.text()
    assert page.evaluate("document.body.dataset.view") is None
    host.after = lambda _name: None
    page.call("Page.reload")
    page.until("document.body?.dataset.view === 'setup'")
    assert page.evaluate(VERSION) == version_of(new)


def test_a_first_version_that_does_not_come_whole_is_asked_for_again(host: Host, page: Page) -> None:
    """The page works meanwhile; only what needs no gateway is not kept yet."""
    old, _new = old_and_new()
    host.files = {**old, "icons/icon-512.png": old["icons/icon-192.png"]}
    page.open(host.url)
    page.until("document.body?.dataset.view === 'setup'")
    page.until(f"{TOAST} !== '' || document.querySelector('.toast')?.textContent")
    assert page.evaluate(KEPT) == ""
    host.files = old
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.until("navigator.serviceWorker.controller !== null")
    assert page.evaluate(KEPT) == version_of(old)
    assert page.evaluate("document.querySelector('.toast')") is None
