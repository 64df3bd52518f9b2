"""The cable between a phone and its gateway, which somebody can pull: connections through it really break."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closed at once, and what was not sent is lost
CHUNK = 1 << 16


class Cable:
    """Carries what is sent to a port of its own on to another; `port` is where it begins."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._whole, self._deaf = True, False
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_answers(self) -> None:
        """From now on what is sent arrives, and nothing comes back."""
        self._deaf = True

    def cut(self) -> None:
        """Every connection breaks, and no new one is made."""
        self._whole = False
        with self._lock:
            for one in self._open:
                self._break(one)

    def mend(self) -> None:
        self._whole, self._deaf = True, False

    def close(self) -> None:
        self._listening.close()
        self.cut()

    @staticmethod
    def _break(one: socket.socket) -> None:
        with suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if not self._whole:
                    self._break(near)
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                with self._lock:
                    self._open |= {near, far}
                for source, target, back in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._carry, args=(source, target, back), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        with suppress(OSError):
            while content := source.recv(CHUNK):
                if not (back and self._deaf):
                    target.sendall(content)
        for one in (source, target):
            self._break(one)
            with self._lock:
                self._open.discard(one)


@contextmanager
def cable(to: int) -> Iterator[Cable]:
    made = Cable(to)
    try:
        yield made
    finally:
        made.close()
