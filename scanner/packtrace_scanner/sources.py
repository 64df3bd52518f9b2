"""Where the pictures come from: an image file, a folder of images, a video file, a pipe, a camera."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from packtrace.errors import PacktraceError

# OpenCV reads these once, when it is loaded. A small file can claim a gigapixel; the largest phone sensors have 200
# million. A "video" that is a playlist in disguise must not fetch anything from the network.
MAX_IMAGE_PIXELS = 1 << 28
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_IMAGE_PIXELS))
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its messages are ours to give

import cv2  # noqa: E402

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

MAX_IMAGE_BYTES = 256 << 20
"""Largest image file that is read."""

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"})
PIPE = "-"
PIECE_BYTES = 1 << 16
CAMERA_PREFIX = "camera:"
CAMERA_WIDTH, CAMERA_HEIGHT = 1280, 720
CAMERA_NAMES = Path("/sys/class/video4linux")

Gray = NDArray[np.uint8]


class SourceError(PacktraceError):
    """A source of pictures that cannot be opened or read. The message says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One grey picture: `name` says which, `time` is in seconds since the source began, `gray` is height x width."""

    name: str
    time: float
    gray: Gray


@dataclass(frozen=True, slots=True)
class Typed:
    """One code as a hand scanner sends it: `text` without its line end, `time` as a frame's."""

    name: str
    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """Frames, or what a hand scanner sends, one after the other.

    `live` says that frames show the same scene, so that no single one has to be read.
    """

    name: str
    live: bool
    frames: Iterator[Frame | Typed]


def _refuse(error: SourceError) -> None:
    raise error


def open_source(spec: str, *, problem: Callable[[SourceError], None] = _refuse) -> Source:
    """The source that `spec` names.

    `spec` is the path of an image, a video or a folder of images, or a camera: ``0``, ``camera:0`` or ``camera:NAME``
    with a part of the name the system gives it, or ``-``: JPEG or PNG pictures one behind the other on standard input
    (what ``ffmpeg -f image2pipe`` and network cameras write). `problem` is told of each unreadable image of a folder or
    pipe (the default stops there). Raises SourceError.
    """
    if spec.startswith(CAMERA_PREFIX) or (spec.isdecimal() and not Path(spec).exists()):
        wanted = spec.removeprefix(CAMERA_PREFIX)
        return Source(f"camera {wanted}", True, _camera(wanted))
    if spec == PIPE:
        return Source("pictures from standard input", True, _piped(sys.stdin.buffer, problem))
    path = Path(spec)
    if path.is_dir():
        return Source(str(path), False, _folder(path, problem))
    if not path.is_file():
        raise SourceError(
            "there is no such file; give an image, a video, a folder, or a camera as camera:0",
            field="source",
            value=spec,
        )
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Source(str(path), False, iter([Frame(path.name, 0.0, read_image(path))]))
    return Source(str(path), True, _video(path))


def read_image(path: Path) -> Gray:
    """The picture in a file, in grey; what is transparent becomes white. Raises SourceError."""
    size = path.stat().st_size
    if size > MAX_IMAGE_BYTES:
        raise SourceError(
            "this image file is too large; scale it down", field=str(path), value=size, rule=f"{MAX_IMAGE_BYTES} bytes"
        )
    return decode_image(path.read_bytes(), str(path))


def decode_image(data: bytes, name: str) -> Gray:
    """The picture in the bytes of an image file, in grey; what is transparent becomes white. Raises SourceError."""
    buffer = np.frombuffer(data, np.uint8)
    gray = alpha = None
    try:
        if buffer.size:
            gray = cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE)
            alpha = _alpha(buffer) if data.startswith(b"\x89PNG") else None
    except (cv2.error, MemoryError) as error:
        raise SourceError(
            "this image is too large or damaged; save it again, smaller",
            field=name,
            rule=f"at most {MAX_IMAGE_PIXELS} pixels",
        ) from error
    if gray is None:
        raise SourceError("this file is not an image, or it is damaged; take the picture again", field=name)
    pixels: Gray = gray.astype(np.uint8, copy=False)
    if alpha is None:
        return pixels
    return (255 - (alpha.astype(np.uint16) * (255 - pixels) // 255)).astype(np.uint8)


def _alpha(buffer: NDArray[np.uint8]) -> Gray | None:
    full = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    if full is None or full.ndim != 3 or full.shape[2] != 4:
        return None
    alpha = full[:, :, 3]
    return (alpha // 257).astype(np.uint8) if full.dtype == np.uint16 else alpha.astype(np.uint8)


def _folder(path: Path, problem: Callable[[SourceError], None]) -> Iterator[Frame]:
    images = sorted(p for p in path.iterdir() if p.is_file() and p.suffix.lower() in IMAGE_SUFFIXES)
    if not images:
        raise SourceError(
            "there is no image in this folder", field=str(path), rule=f"one of {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    start = time.monotonic()
    for image in images:
        try:
            gray = read_image(image)
        except SourceError as error:
            problem(error)
            continue
        yield Frame(image.name, time.monotonic() - start, gray)


def _piped(stream: IO[bytes], problem: Callable[[SourceError], None]) -> Iterator[Frame]:
    start, number = time.monotonic(), 0
    for data in pictures_in(stream):
        number += 1
        name = f"picture {number}"
        try:
            gray = decode_image(data, name)
        except SourceError as error:
            problem(error)
            continue
        yield Frame(name, time.monotonic() - start, gray)
    if number == 0:
        raise SourceError(
            "no picture came; write JPEG or PNG pictures to it, one behind the other", field="source", value=PIPE
        )


def pictures_in(stream: IO[bytes]) -> Iterator[bytes]:
    """The bytes of each JPEG or PNG picture of a stream, without what lies between them (a network camera's headers).

    Raises SourceError for a picture that does not end.
    """
    pending, searched = b"", 0
    kind: tuple[bytes, bytes, int] | None = None
    while piece := _some(stream):
        pending += piece
        while True:
            if kind is None:
                found = [(at, one) for one in _PICTURES if (at := pending.find(one[0])) >= 0]
                if not found:
                    pending = pending[-7:]  # a beginning may be cut in two
                    break
                at, kind = min(found)
                pending, searched = pending[at:], len(kind[0])
            end = pending.find(kind[1], searched)
            if end < 0:
                searched = max(len(pending) - 7, len(kind[0]))
                if len(pending) > MAX_IMAGE_BYTES:
                    raise SourceError(
                        "a picture does not end", field="source", value=PIPE, rule=f"{MAX_IMAGE_BYTES} bytes"
                    )
                break
            end += len(kind[1]) + kind[2]
            yield pending[:end]
            pending, kind = pending[end:], None


def _some(stream: IO[bytes]) -> bytes:
    """What has come, as soon as anything has."""
    read = getattr(stream, "read1", stream.read)
    piece: bytes = read(PIECE_BYTES)
    return piece


# How a picture begins and ends, and how many bytes come behind that end (a PNG's last check sum).
_PICTURES = ((b"\xff\xd8\xff", b"\xff\xd9", 0), (b"\x89PNG\r\n\x1a\n", b"IEND", 4))


def _video(path: Path) -> Iterator[Frame]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        number = 0
        rate = capture.get(cv2.CAP_PROP_FPS) if capture.isOpened() else 0.0
        while capture.isOpened():
            ok, picture = capture.read()
            if not ok:
                break
            seconds = number / rate if rate > 0 else 0.0
            yield Frame(f"{path.name} at {seconds:.2f} s", seconds, _gray(picture))
            number += 1
        if number == 0:
            raise SourceError(
                "this file is neither an image nor a video that can be read; give a PNG, a JPEG or an MP4",
                field=str(path),
            )
    finally:
        capture.release()


def _camera(wanted: str) -> Iterator[Frame]:
    index = int(wanted) if wanted.isdecimal() else _camera_index(wanted)
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        raise SourceError(
            "this camera cannot be opened: is it plugged in, is another program using it, and may this user read it?"
            f" {_cameras_here()}",
            field="camera",
            value=wanted,
        )
    try:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, CAMERA_WIDTH)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, CAMERA_HEIGHT)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # an old frame shows the pack before this one
        start = time.monotonic()
        while True:
            ok, picture = capture.read()
            if not ok:
                raise SourceError(
                    "the camera gives no more pictures; plug it in again and start anew", field="camera", value=wanted
                )
            yield Frame(f"camera {wanted}", time.monotonic() - start, _gray(picture))
    finally:
        capture.release()


def _camera_index(name: str) -> int:
    found = [index for index, called in cameras() if name and name.lower() in called.lower()]
    if not found:
        raise SourceError(f"no camera has this in its name. {_cameras_here()}", field="camera", value=name)
    return found[0]


def cameras() -> list[tuple[int, str]]:
    """Index and name of each camera that Video4Linux lists; empty on other systems."""
    listed = []
    for entry in CAMERA_NAMES.glob("video*"):
        number = entry.name.removeprefix("video")
        if number.isdecimal():
            listed.append((int(number), (entry / "name").read_text("utf-8", "replace").strip()))
    return sorted(listed)


def _cameras_here() -> str:
    listed = ", ".join(f"{index} ({name})" for index, name in cameras())
    return f"Cameras here: {listed}." if listed else "The system lists no camera."


def _gray(picture: NDArray[np.integer | np.floating]) -> Gray:
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
    return gray.astype(np.uint8, copy=False)
