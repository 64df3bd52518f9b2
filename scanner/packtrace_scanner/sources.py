"""Where the pictures come from: an image file, a folder of images, a video file, a pipe, a camera."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2

from packtrace_scanner.cameras import NETWORK_PREFIX, camera, network_camera, shown
from packtrace_scanner.images import PIPE, Frame, SourceError, decode_image, gray_of, pictures_in, read_image

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"})
CAMERA_PREFIX = "camera:"


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
    with a part of the name the system gives it; a network camera's address, ``rtsp://user:password@host/path``; or
    ``-``: JPEG or PNG pictures one behind the other on standard input (``ffmpeg -f image2pipe`` writes them). `problem`
    is told of each unreadable image of a folder or pipe (the default stops there). Raises SourceError.
    """
    if spec.startswith(CAMERA_PREFIX) or (spec.isdecimal() and not Path(spec).exists()):
        wanted = spec.removeprefix(CAMERA_PREFIX)
        return Source(f"camera {wanted}", True, camera(wanted))
    if spec.lower().startswith(NETWORK_PREFIX):
        url = NETWORK_PREFIX + spec[len(NETWORK_PREFIX) :]
        return Source(f"camera {shown(url)}", True, network_camera(url))
    if "://" in spec and not Path(spec).exists():  # it may hold a password
        raise SourceError(
            "of the network only cameras with RTSP are read; give the camera's rtsp:// address, or a file",
            field="source",
            value=spec.partition("://")[0] + "://…",
        )
    if spec == PIPE:
        return Source("pictures from standard input", True, _piped(sys.stdin.buffer, problem))
    path = Path(spec)
    if spec and path.is_dir():
        return Source(str(path), False, _folder(path, problem))
    if not path.is_file():
        raise SourceError(
            "there is no such file; give an image, a video, a folder, or a camera as camera:0 or rtsp://...",
            field="source",
            value=spec,
        )
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Source(str(path), False, iter([Frame(path.name, 0.0, read_image(path))]))
    return Source(str(path), True, _video(path))


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
            yield Frame(f"{path.name} at {seconds:.2f} s", seconds, gray_of(picture))
            number += 1
        if number == 0:
            raise SourceError(
                "this file is neither an image nor a video that can be read; give a PNG, a JPEG or an MP4",
                field=str(path),
            )
    finally:
        capture.release()
