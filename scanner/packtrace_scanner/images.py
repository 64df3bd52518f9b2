"""Pictures: an image's bytes, a stream of images, a camera's colours, each made grey."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray

from packtrace.errors import PacktraceError
from packtrace_scanner import MAX_IMAGE_PIXELS

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

MAX_IMAGE_BYTES = 256 << 20
"""Largest image file that is read."""

MAX_IMAGE_SIDE = (1 << 15) - 2
"""Pixels; OpenCV samples no longer image."""

PIPE = "-"
PIECE_BYTES = 1 << 16

Gray = NDArray[np.uint8]


class SourceError(PacktraceError):
    """A source of pictures that cannot be opened or read. The message says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One grey picture: `name` says which, `time` is in seconds since the source began, `gray` is height x width."""

    name: str
    time: float
    gray: Gray


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
            alpha = _alpha(buffer) if data.startswith(b"\x89PNG") else None
            # What is transparent comes as it lies in the file, so the rest is not turned as its Exif data say either.
            as_it_lies = 0 if alpha is None else cv2.IMREAD_IGNORE_ORIENTATION
            gray = cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE | as_it_lies)
    except (cv2.error, MemoryError) as error:
        raise SourceError(
            "this image is too large or damaged; save it again, smaller",
            field=name,
            rule=f"at most {MAX_IMAGE_PIXELS} pixels",
        ) from error
    if gray is None:
        raise SourceError("this file is not an image, or it is damaged; take the picture again", field=name)
    if max(gray.shape) > MAX_IMAGE_SIDE:
        raise SourceError(
            "this image is too long; cut it into parts, or scale it down",
            field=name,
            value=max(gray.shape),
            rule=f"at most {MAX_IMAGE_SIDE} pixels a side",
        )
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


def pictures_in(stream: IO[bytes]) -> Iterator[bytes]:
    """The bytes of each JPEG or PNG picture of a stream, without what lies between them (a network camera's headers).

    Raises SourceError for a picture that does not end.
    """
    pending, searched, head = b"", 0, 0
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
                pending, searched, head = pending[at:], len(kind[0]), len(_SOI)
            if kind[0].startswith(_SOI):
                head = _head(pending, head)
                searched = max(searched, head)
            end = pending.find(kind[1], searched)
            if end < 0:
                searched = max(len(pending) - 7, searched)
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


def _head(jpeg: bytes, at: int) -> int:
    """Where the segments before the first scan end, as far as they have come, the next known one being at `at`.

    They say how long they are (ITU-T T.81, annex B), and may hold whole pictures: a phone's small copy, say.
    """
    while jpeg[at : at + 1] == b"\xff" and len(jpeg) >= at + 4 and jpeg[at + 1] in _SEGMENTS:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return at


_SOI = b"\xff\xd8"
_SEGMENTS = frozenset(range(0xC0, 0xFF)) - frozenset(range(0xD0, 0xDB))  # not restarts, SOI, EOI and SOS

# How a picture begins and ends, and how many bytes come behind that end (a PNG's last check sum).
_PICTURES = ((_SOI + b"\xff", b"\xff\xd9", 0), (b"\x89PNG\r\n\x1a\n", b"IEND", 4))


def gray_of(picture: NDArray[np.integer | np.floating]) -> Gray:
    """A picture of a camera or a video, in grey."""
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
    return gray.astype(np.uint8, copy=False)
