"""A network camera for tests: RTSP (RFC 2326) over one TCP connection, an MPEG-2 stream over RTP (RFC 2250)."""

import base64
import re
import socket
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

PACKETS = 7  # of a transport stream, 188 bytes each, in one RTP packet
RATE = 25.0


def filmed(path: Path, frames: list[np.ndarray]) -> bytes:
    """The frames as the transport stream that a camera sends."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"MPG2"), RATE, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path.read_bytes()


class NetworkCamera:
    """Sends its film, at the pace of a camera, to one reader after the other, until it is closed.

    `credentials` is "user:password" where it asks for them. `cut` says after what part of the film it hangs up on its
    first reader, between 0 and 1.
    """

    def __init__(self, film: bytes, seconds: float, credentials: str = "", cut: float = 1.0) -> None:
        self._film, self._seconds, self._cut = film, seconds, cut
        self._wanted = "Basic " + base64.b64encode(credentials.encode()).decode() if credentials else ""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.readers = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                reader, _ = self._listening.accept()
            except OSError:
                return
            with reader, suppress(OSError):  # the reader has gone
                self._serve(reader)

    def _serve(self, reader: socket.socket) -> None:
        buffer = b""
        while not self._ended.is_set():
            while b"\r\n\r\n" not in buffer:
                piece = reader.recv(4096)
                if not piece:
                    return
                buffer += piece
            asked, buffer = buffer.split(b"\r\n\r\n", 1)
            method = asked.split(b" ", 1)[0].decode()
            reader.sendall(self._answer(method, asked.decode()))
            if method == "PLAY":
                self.readers += 1
                self._play(reader, self._cut if self.readers == 1 else 1.0)
                return

    def _answer(self, method: str, asked: str) -> bytes:
        number = re.search(r"CSeq: *(\d+)", asked, re.I)
        assert number
        head, body = [f"CSeq: {number[1]}"], ""
        given = re.search(r"Authorization: *(.*)", asked, re.I)
        if self._wanted and method != "OPTIONS" and (not given or given[1].strip() != self._wanted):
            return "\r\n".join(
                ["RTSP/1.0 401 Unauthorized", *head, 'WWW-Authenticate: Basic realm="camera"', "", ""]
            ).encode()
        if method == "OPTIONS":
            head.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            body = "\r\n".join(
                ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "t=0 0", "m=video 0 RTP/AVP 33",
                 "a=rtpmap:33 MP2T/90000", "a=control:track", ""]
            )  # fmt: skip
            head += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP":
            head += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1;timeout=60"]
        else:
            head.append("Session: 1")
        return "\r\n".join(["RTSP/1.0 200 OK", *head, "", body]).encode()

    def _play(self, reader: socket.socket, part: float) -> None:
        size = 188 * PACKETS
        pieces = [self._film[at : at + size] for at in range(0, len(self._film), size)]
        begun = time.monotonic()
        for number, piece in enumerate(pieces[: round(len(pieces) * part)]):
            due = begun + self._seconds * number / len(pieces)
            if self._ended.wait(max(0.0, due - time.monotonic())):
                return
            clock = round(90_000 * (due - begun)) & 0xFFFFFFFF
            packet = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, clock, 0x5EED) + piece
            reader.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
