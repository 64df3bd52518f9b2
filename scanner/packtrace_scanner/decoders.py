"""From a picture to readings: what each symbol in it says, where it is and which decoder read it.

The stages go from cheap to dear, and a dearer one runs only while no reading is one that the caller wants: first
zxing-cpp on the whole frame, which reads an easy code at once; then the search for Data Matrix that it could not locate
(search.py); then smaller, inverted and turned copies, and libzbar. For a still picture, which may show many packs, all
of them are tried. For a live source the first two run on every frame and the others take turns, so that the decoder
keeps up with the camera.
"""

import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial

import cv2
import numpy as np

from packtrace_scanner import zxing
from packtrace_scanner.confirmation import confirmed
from packtrace_scanner.images import Gray
from packtrace_scanner.search import Clock, Search
from packtrace_scanner.second_opinion import SecondOpinion, without_disputed
from packtrace_scanner.symbols import Reading, merge, outline

__all__ = ["FRAME_LIMIT", "STILL_LIMIT", "Decoder", "Reading", "merge", "outline"]

FRAME_LIMIT = 0.25
"""Seconds that one frame of a live source may take."""

STILL_LIMIT = 2.0
"""Seconds that the search in a still picture may take."""

_TURNS = (30.0, 60.0)
"""Degrees. With the decoder's own quarter turns a bar code is at most 15 degrees off in one of the copies."""

_SMALLEST = 200
"""Pixels; the shorter side of the smallest copy that is looked at."""

Stage = Callable[[Gray], list[Reading]]


class Decoder:
    """Reads frames.

    `wanted` says whether a reading ends the search; the default takes the first of any kind. `tell` is told, once, if
    a decoder is missing here. `clock` gives seconds: of the process, where a busy machine must not cut the time short.
    """

    def __init__(
        self,
        wanted: Callable[[Reading], bool] = lambda _: True,
        tell: Callable[[str], None] = warnings.warn,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._wanted = wanted
        self._clock = clock
        self._search = Search(clock, tell)
        self._second = SecondOpinion(tell)
        self._turn = 0
        turned: list[Stage] = [partial(_turned, degrees) for degrees in _TURNS]
        self._harder: tuple[Stage, ...] = (_smaller, _inverted, *turned, self._second.read)
        # A hand holds a label obliquely more often than light on dark.
        oblique: tuple[Stage, ...] = (*turned, self._second.read, _smaller, _inverted)
        self._turns = tuple(stage for one in oblique for stage in (one, zxing.read))

    def read(self, gray: Gray, limit: float = STILL_LIMIT) -> list[Reading]:
        """Everything found in a still picture, with every means there is while nothing wanted has been found.

        The search takes at most about `limit` seconds. A reading that is not certain has no second opinion.
        """
        return self._read(gray, limit, zxing.read, self._harder, thorough=True)

    def read_live(self, gray: Gray, limit: float = FRAME_LIMIT) -> list[Reading]:
        """As `read`, for one frame of many: the quickest look first, and the dearer ones take turns. Places that
        hardly hold a symbol are left to the background."""
        self._turn = (self._turn + 1) % len(self._turns)
        return self._read(gray, limit, _upright, (self._turns[self._turn],))

    def _read(
        self, gray: Gray, limit: float, first: Stage, harder: Iterable[Stage], *, thorough: bool = False
    ) -> list[Reading]:
        begun = self._clock()
        found = self._checked(gray, first(gray))
        left = limit - (self._clock() - begun)
        found = merge(found + self._search.find(gray, found, left, thorough=thorough))
        for stage in harder:
            if any(reading.certain and self._wanted(reading) for reading in found):
                break
            if self._clock() - begun > limit:
                break
            found = merge(found + self._checked(gray, stage(gray)))
        return without_disputed(found)

    def _checked(self, gray: Gray, readings: Iterable[Reading]) -> list[Reading]:
        """The readings, each certain if a second decoding of its place says the same."""
        opinions = (self._second.checked(gray, confirmed(gray, reading)) for reading in readings)
        return [opinion for opinion in opinions if opinion is not None]


def _upright(gray: Gray) -> list[Reading]:
    """Along rows alone, which is half of the work; columns have their turn."""
    return zxing.read(gray, rotate=False)


def _inverted(gray: Gray) -> list[Reading]:
    """Light codes on dark ground."""
    return zxing.read((255 - gray).astype(np.uint8, copy=False))


def _smaller(gray: Gray) -> list[Reading]:
    """Smaller copies, in which blur and grain are less than a module."""
    found: list[Reading] = []
    scale = 1
    while min(gray.shape) >= 2 * _SMALLEST:
        gray = cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        scale *= 2
        back = np.array([[scale, 0, 0], [0, scale, 0]], dtype=np.float64)
        found += [reading.moved(back) for reading in zxing.read(gray)]
    return found


def _turned(degrees: float, gray: Gray) -> list[Reading]:
    """A turned copy, for bar codes that lie obliquely: a decoder that looks along rows and columns misses them."""
    height, width = gray.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    new_width = int(height * abs(turn[0, 1]) + width * abs(turn[0, 0]))
    new_height = int(height * abs(turn[0, 0]) + width * abs(turn[0, 1]))
    turn[:, 2] += (new_width - width) / 2, (new_height - height) / 2
    turned = cv2.warpAffine(gray, turn, (new_width, new_height), flags=cv2.INTER_LINEAR, borderValue=255)
    back = cv2.invertAffineTransform(turn).astype(np.float64)
    return [reading.moved(back) for reading in zxing.read(turned.astype(np.uint8, copy=False), zxing.LINEAR)]
