"""A node that misbehaves: an HTTP proxy in front of a real one, which can be told how to fail."""

import http.client
import json
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

PAGE = b"<html>Sign in to the hotel's network</html>"
WRONG = (None, 5, "hello", "0x", "0xzz", {}, [], {"number": "0x1"})
"""What a node that answers wrong may give as the result of anything."""

Rewrite = Callable[[dict[str, Any], dict[str, Any]], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, killed say, is no news here."""


class Proxy:
    """Forwards to the node at `url`. `mode` is one of:

    good · refuse (closes the connection) · hang (until the mode changes) · late (`delay` seconds) · page (a web page) ·
    wrong (JSON-RPC with senseless results) · drop (every second request is lost, or its answer).
    `rewrite` may change each response, given the request; methods in `held` are answered (with null, for `rewrite`) and
    not forwarded.
    """

    def __init__(self, url: str, *, mode: str = "good", delay: float = 0.5, seed: int = 1) -> None:
        self.upstream = urlsplit(url).netloc
        self.mode = mode
        self.delay = delay
        self.rewrite: Rewrite | None = None
        self.held: tuple[str, ...] = ()
        self.requests = 0
        self._random = random.Random(seed)
        self._changed = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = None
                with suppress(OSError, http.client.HTTPException):
                    answer = proxy.answer(body)
                self.close_connection = answer is None
                if answer is not None:
                    with suppress(OSError):
                        self.send_response(200)
                        self.send_header("Content-Type", "application/json")
                        self.send_header("Content-Length", str(len(answer)))
                        self.end_headers()
                        self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.become("refuse")
        self._server.shutdown()
        self._server.server_close()

    def become(self, mode: str) -> None:
        self.mode = mode
        self._changed.set()
        self._changed = threading.Event()

    def answer(self, body: bytes) -> bytes | None:
        """The answer to one request; None cuts the connection."""
        self.requests += 1
        mode = self.mode
        if mode == "refuse":
            return None
        if mode == "hang":
            self._changed.wait()
            return None
        if mode == "late":
            self._changed.wait(self.delay)
        if mode == "page":
            return PAGE
        fate = self._random.random() if mode == "drop" else 1.0
        if fate < 0.25:
            return None
        asked = json.loads(body)
        held = isinstance(asked, dict) and asked["method"] in self.held
        nothing = {"jsonrpc": "2.0", "id": asked["id"], "result": None} if held else None
        found = json.dumps(nothing).encode() if held else self._forward(body)
        if fate < 0.5:
            return None
        if mode == "wrong" or self.rewrite:
            return self._rewritten(asked, json.loads(found))
        return found

    def _forward(self, body: bytes) -> bytes:
        connection = http.client.HTTPConnection(self.upstream, timeout=30)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def _rewritten(self, asked: Any, found: Any) -> bytes:
        requests = {one["id"]: one for one in (asked if isinstance(asked, list) else [asked])}
        for one in found if isinstance(found, list) else [found]:
            if self.mode == "wrong":
                one.pop("error", None)
                one["result"] = self._random.choice(WRONG)
            elif self.rewrite:
                self.rewrite(requests[one["id"]], one)
        return json.dumps(found).encode()
