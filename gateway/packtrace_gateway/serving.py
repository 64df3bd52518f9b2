"""The web server as a gateway runs it: uvicorn, with no endless patience for strangers.

uvicorn waits for ever for a request's head, of whatever length, and each connection that waits costs a file descriptor:
a few hundred of them, from anybody, and the gateway could not even open its database. `bodies` bounds what comes after
the head.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from packtrace_gateway import certificates
from packtrace_gateway.certificates import CertificateError

log = logging.getLogger(__name__)

MAX_HEAD = 64 * 1024  # bytes; as other servers have it
HEAD_SECONDS = 10  # after twice that at most, a connection without a whole head is cut
GRACE = 20  # seconds for requests that are being served when the gateway is asked to stop
CERTIFICATE_SECONDS = 60  # between two looks whether the certificate was renewed
_TICKS = 10  # calls of `on_tick` in a second


@dataclass(slots=True)
class Tls:
    """A socket that is served with TLS, and the certificate for it; a renewed one is taken while the server runs."""

    listener: socket.socket
    certificate: Path
    key: Path
    context: ssl.SSLContext
    seen: tuple[int, int]

    @staticmethod
    def load(listener: socket.socket, certificate: Path, key: Path) -> "Tls":
        """Raises CertificateError where the files are not a certificate and its key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        made = Tls(listener, certificate, key, context, (0, 0))
        made.read()
        return made

    def read(self) -> None:
        """Take what is in the files, for every connection from now on."""
        try:
            self.seen = self._times()
            self.context.load_cert_chain(self.certificate, self.key)
        except OSError as error:  # ssl.SSLError is one too
            raise CertificateError(
                f"TLS cannot be served: {error.strerror or error}. `packtrace gateway certificate` makes all",
                field="tls_certificate",
                value=str(self.certificate),
            ) from None
        left = certificates.ends(self.certificate) - datetime.now(UTC)
        if left < timedelta(days=certificates.RENEW_DAYS):
            log.warning("the TLS certificate ends in %d days: renew it with `packtrace gateway certificate`", left.days)

    def look(self) -> None:
        """Take a certificate that was renewed."""
        try:
            if self._times() != self.seen:
                self.read()
                log.info("the TLS certificate was renewed")
        except (CertificateError, OSError) as error:
            log.error("the renewed TLS certificate is not used: %s", error)

    def _times(self) -> tuple[int, int]:
        return self.certificate.stat().st_mtime_ns, self.key.stat().st_mtime_ns


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

    def __init__(self, app: Any, tls: Sequence[Tls] = ()) -> None:
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
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        for entry in self._tls:
            server = await loop.create_server(
                lambda: Bounded(self.config, self.server_state, self.lifespan.state),
                sock=entry.listener,
                ssl=entry.context,
                ssl_handshake_timeout=HEAD_SECONDS,
                backlog=self.config.backlog,
            )
            self.servers.append(server)

    async def on_tick(self, counter: int) -> bool:
        if counter % (HEAD_SECONDS * _TICKS) == 0:
            self._cut_who_ask_nothing()
        if counter % (CERTIFICATE_SECONDS * _TICKS) == 0:
            for entry in self._tls:
                entry.look()
        return await super().on_tick(counter)

    def _cut_who_ask_nothing(self) -> None:
        """Cut the connections that waited for a head the last time too; a request between makes another cycle."""
        found = [entry for entry in self.server_state.connections if isinstance(entry, Bounded)]
        waiting = {entry: entry.cycle for entry in found if entry.cycle is None or entry.cycle.response_complete}
        for connection, cycle in waiting.items():
            if connection in self._waiting and self._waiting[connection] is cycle:
                connection.transport.abort()
        self._waiting = dict(waiting)
