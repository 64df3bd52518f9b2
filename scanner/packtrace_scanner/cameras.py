"""Cameras: those of this machine, by number or by name, and those of the network."""

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from packtrace_scanner import FFMPEG_OPTIONS, NO_NETWORK
from packtrace_scanner.images import Frame, Gray, SourceError, gray_of

WIDTH, HEIGHT = 1280, 720
_MOST_INDEX = (1 << 31) - 1  # OpenCV takes a C int
NAMES = Path("/sys/class/video4linux")
NETWORK_PREFIX = "rtsp://"
HIDDEN = "rtsp://…"

SILENCE = 5.0
"""Seconds without a picture after which a network camera counts as lost."""

SOUGHT = 30.0
"""Seconds for which a lost network camera is sought again."""

PAUSE = 1.0
"""Seconds between two attempts."""

# Over TCP: a datagram that is lost smears the picture until the next whole one. Nothing else is fetched.
_STREAMED = "rtsp_transport;tcp|protocol_whitelist;rtsp,rtp,tcp|fflags;nobuffer"


def camera(wanted: str) -> Iterator[Frame]:
    """The pictures of a camera of this machine, by its number or a part of its name. Raises SourceError."""
    index = int(wanted) if wanted.isdecimal() else _index(wanted)
    capture = cv2.VideoCapture(index) if index <= _MOST_INDEX else None
    if capture is None or not capture.isOpened():
        raise SourceError(
            "this camera cannot be opened: is it plugged in, is another program using it, and may this user read it?"
            f" {_cameras_here()}",
            field="camera",
            value=wanted,
        )
    try:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, WIDTH)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, HEIGHT)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # an old frame shows the pack before this one
        start = time.monotonic()
        while True:
            ok, picture = capture.read()
            if not ok:
                raise SourceError(
                    "the camera gives no more pictures; plug it in again and start anew", field="camera", value=wanted
                )
            yield Frame(f"camera {wanted}", time.monotonic() - start, gray_of(picture))
    finally:
        capture.release()


def _index(name: str) -> int:
    found = [index for index, called in cameras() if name and name.lower() in called.lower()]
    if not found:
        raise SourceError(f"no camera has this in its name. {_cameras_here()}", field="camera", value=name)
    return found[0]


def cameras() -> list[tuple[int, str]]:
    """Index and name of each camera that Video4Linux lists; empty on other systems."""
    listed = []
    for entry in NAMES.glob("video*"):
        number = entry.name.removeprefix("video")
        if number.isdecimal():
            listed.append((int(number), (entry / "name").read_text("utf-8", "replace").strip()))
    return sorted(listed)


def _cameras_here() -> str:
    listed = ", ".join(f"{index} ({name})" for index, name in cameras())
    return f"Cameras here: {listed}." if listed else "The system lists no camera."


def network_camera(url: str) -> Iterator[Frame]:
    """The newest picture of a network camera, each time anew: RTSP (RFC 2326) over TCP, with any codec that OpenCV's
    FFmpeg decodes.

    A camera that falls silent is sought again for SOUGHT seconds. Raises SourceError.
    """
    with _Stream(url) as stream:
        start, number = time.monotonic(), 0
        while True:
            number, gray = stream.after(number)
            yield Frame(stream.name, time.monotonic() - start, gray)


class _Stream:
    """A thread that takes every picture of a network camera and keeps the newest.

    The camera sends at its own pace: a reader that left pictures in the buffers would fall behind the hand.
    """

    def __init__(self, url: str) -> None:
        self.name = f"camera {shown(url)}"
        self._url = url
        self._changed = threading.Condition()
        self._number = 0
        self._newest: Gray | None = None
        self._lost: SourceError | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="packtrace-camera", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._thread.join(2 * SILENCE)

    def after(self, number: int) -> tuple[int, Gray]:
        """The newest picture and its number, once that is higher than `number`. Raises SourceError."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number or self._lost)
            if self._lost:
                raise self._lost
            assert self._newest is not None
            return self._number, self._newest

    def _run(self) -> None:
        try:
            self._watch()
        finally:  # whatever happens, nobody waits for a picture that will not come
            with self._changed:
                self._lost = self._problem()
                self._changed.notify_all()

    def _watch(self) -> None:
        """Take pictures until the reader has enough, or the camera stays away."""
        seen = time.monotonic()
        while not self._ended:
            before = self._number
            self._take_all()
            if self._number > before:
                seen = time.monotonic()
            if self._number == 0 or time.monotonic() - seen > SOUGHT:
                return
            time.sleep(PAUSE)

    def _take_all(self) -> None:
        """Every picture until the camera gives no more."""
        silence = round(SILENCE * 1000)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, silence, cv2.CAP_PROP_READ_TIMEOUT_MSEC, silence]
        with _streamed():
            capture = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, limits)
        try:
            while not self._ended and capture.isOpened():
                ok, picture = capture.read()
                if not ok:
                    break
                gray = gray_of(picture)
                with self._changed:
                    self._number, self._newest = self._number + 1, gray
                    self._changed.notify_all()
        finally:
            capture.release()

    def _problem(self) -> SourceError:
        address = shown(self._url)
        if self._number == 0:
            return SourceError(
                "this network camera gives no picture: is it on, are the path, the user and the password right, and is"
                " its port open to this machine? Cameras name their RTSP address in their manual",
                field="camera",
                value=address,
            )
        return SourceError(
            "the network camera is lost; see to it that it is on and reachable, and start anew",
            field="camera",
            value=address,
            rule=f"a picture within {SOUGHT:.0f} seconds",
        )


@contextmanager
def _streamed() -> Iterator[None]:
    """A capture that is opened meanwhile may use the network."""
    os.environ[FFMPEG_OPTIONS] = _STREAMED
    try:
        yield
    finally:
        os.environ[FFMPEG_OPTIONS] = NO_NETWORK


def shown(url: str) -> str:
    """The host and port of a network camera: what else its address holds may be a secret.

    HIDDEN where it is not clear which part is the host: there is an @ in a path, or a slash in a password.
    """
    authority, *rest = re.split("[/?#]", url[len(NETWORK_PREFIX) :], maxsplit=1)
    return HIDDEN if any("@" in part for part in rest) else authority.rpartition("@")[2]
