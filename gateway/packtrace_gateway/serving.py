"""The web server as a gateway runs it: uvicorn, with no endless patience for strangers.

uvicorn waits for ever for a request's head, of whatever length, and each connection that waits costs a file descriptor:
a few hundred of them, from anybody, and the gateway could not even open its database. `bodies` bounds what comes after
the head.
"""

from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024  # bytes; as other servers have it
HEAD_SECONDS = 10  # after twice that at most, a connection without a whole head is cut
GRACE = 20  # seconds for requests that are being served when the gateway is asked to stop
_TICKS = 10  # calls of `on_tick` in a second


class Bounded(HttpToolsProtocol):
    """HTTP, cut off where more than `MAX_HEAD` comes that is no body: of a head, or of fields behind a body."""

    _outside = 0  # bytes since the last head or piece of a body

    def data_received(self, data: bytes) -> None:
        self._outside += len(data)
        super().data_received(data)
        if self._outside > MAX_HEAD:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        self._outside = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._outside = 0
        super().on_body(body)


class Server(uvicorn.Server):
    """Serves an application, and cuts connections that ask for nothing."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Bounded,
                ws="none",
                log_config=None,
                access_log=False,  # paths hold serial numbers
                server_header=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._waiting: dict[Bounded, object] = {}

    async def on_tick(self, counter: int) -> bool:
        if counter % (HEAD_SECONDS * _TICKS) == 0:
            self._cut_who_ask_nothing()
        return await super().on_tick(counter)

    def _cut_who_ask_nothing(self) -> None:
        """Cut the connections that waited for a head the last time too; a request between makes another cycle."""
        found = [entry for entry in self.server_state.connections if isinstance(entry, Bounded)]
        waiting = {entry: entry.cycle for entry in found if entry.cycle is None or entry.cycle.response_complete}
        for connection, cycle in waiting.items():
            if connection in self._waiting and self._waiting[connection] is cycle:
                connection.transport.abort()
        self._waiting = dict(waiting)
