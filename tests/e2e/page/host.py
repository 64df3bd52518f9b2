"""The page's files served to a Chromium without a gateway behind them: what a page keeps and asks for by itself."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import uvicorn
from chromium import PATIENCE, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from packtrace_gateway.phone.files import PageFile
from packtrace_gateway.phone.page import PhonePage

CONFIG = {
    "key": "pt_none", "node": "http://127.0.0.1:1", "place": 7, "name": "Counter", "roles": [], "decoder": False,
    "deployment": {"chainId": 1, "block": 0, "contracts": {"PartyRegistry": "0x"}},
}  # fmt: skip


class Host:
    """Serves a version of the page as a gateway does, and another the next moment; all else it cannot answer now."""

    def __init__(self, files: Mapping[str, PageFile]) -> None:
        self.files = files
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
        return Response(status_code=503)

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
