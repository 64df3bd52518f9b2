"""Whether what a decoder read of a bar code, or of a damaged QR Code, is really there.

Code 128 has one check character: a wrong word in 103 passes it, and decoders take a character for the pattern that it
resembles most. So the bar code's place is straightened and decoded again by ourselves, strictly (code128.py): the
reading is certain if that says the same. If it says nothing, the other decoder (libzbar for zxing-cpp, and the other
way round) is shown the place. Whoever says something else there makes it no reading at all.
"""

import warnings
from collections.abc import Callable, Iterable

import cv2
import numpy as np

from packtrace_scanner import code128, zxing
from packtrace_scanner.images import Gray
from packtrace_scanner.symbols import Reading, covers
from packtrace_scanner.zbar import LINE_DISTANCE, ZBar, ZBarMissingError

ZBAR = "libzbar"

_QUIET = 0.08
"""Of a bar code's length, or a QR Code's side, that is shown beside it: its quiet zone, not its neighbour."""

_ROWS, _MOST_ROWS = 12, 48
"""Rows of a straightened bar code; each is the mean of a few lines through its bars, which are long."""

_PARTS = 4
"""Of a bar code's height that are decoded by themselves."""

_LEAST_HEIGHT = 4.0
"""Pixels of a bar code's height that are shown at least."""

_LENGTHS = (400, 1600)
"""Pixels; shorter bar codes are enlarged for the other decoder, longer ones reduced."""

_ENLARGED = 3.0


class SecondOpinion:
    """Checks what decoders read of bar codes and QR Codes. `tell` is told, once, if libzbar is missing here."""

    def __init__(self, tell: Callable[[str], None] = warnings.warn) -> None:
        self._tell = tell
        self._zbar: ZBar | None = None
        self._zbar_tried = False

    def read(self, gray: Gray) -> list[Reading]:
        """What libzbar reads in a whole picture; none of it is certain."""
        return self._asked(gray, LINE_DISTANCE)

    def checked(self, gray: Gray, reading: Reading) -> Reading | None:
        """The reading of a bar code or QR Code, certain if its place says the same by itself, seconded if the other
        decoder says so; None if either says something else."""
        if reading.certain or reading.is_matrix:
            return reading
        if reading.is_linear:
            place = _straightened(gray, reading)
            own = _own(place) if place is not None else None
            if own:
                # What a symbol is belongs to what it says: data of a plain Code 128 is no GS1 data.
                return reading.confirmed() if own == {(reading.symbology, reading.text)} else None
        else:
            place = _cropped(gray, reading)
        if place is None:
            return reading
        if reading.decoder == ZBAR:
            others = zxing.read(place, zxing.LINEAR if reading.is_linear else zxing.QR)
        else:
            others = self._asked(place, 1)
        said = {(other.symbology, other.text) for other in others if other.is_linear == reading.is_linear}
        if not said:
            return reading
        return reading.seconded(others[0].decoder) if said == {(reading.symbology, reading.text)} else None

    def _asked(self, gray: Gray, line_distance: int) -> list[Reading]:
        zbar = self._loaded()
        symbols = zbar.read(gray, line_distance) if zbar is not None else []
        return [
            Reading(symbol.identifier, symbol.data.decode("utf-8", "replace"), symbol.corners, ZBAR, certain=False)
            for symbol in symbols
        ]

    def _loaded(self) -> ZBar | None:
        if not self._zbar_tried:
            self._zbar_tried = True
            try:
                self._zbar = ZBar()
            except ZBarMissingError as missing:
                self._tell(str(missing))
        return self._zbar


def without_disputed(readings: Iterable[Reading]) -> list[Reading]:
    """The readings without those of bar codes at whose place another one was read, unless they are certain."""
    readings = list(readings)
    return [
        reading
        for reading in readings
        if reading.certain
        or not reading.is_linear
        or not any(
            other.is_linear
            and (other.symbology, other.text) != (reading.symbology, reading.text)
            and (covers(reading, *other.middle) or covers(other, *reading.middle))
            for other in readings
        )
    ]


def _own(place: Gray) -> set[tuple[str, str]]:
    """What the bars say by themselves: all along their height, or else parts of it, as damage may be in one of them."""
    whole = code128.decode(place)
    if whole is not None:
        return {whole}
    parts = (code128.decode(part) for part in np.array_split(place, _PARTS))
    return {said for said in parts if said is not None}


def _straightened(gray: Gray, reading: Reading) -> Gray | None:
    """A bar code alone, upright, from the first corner to the second, with its quiet zones."""
    corners = np.array(reading.corners, np.float64)
    upper, lower = corners[1] - corners[0], corners[2] - corners[3]
    length = float(np.linalg.norm(upper + lower)) / 2
    if length < 1:
        return None
    along = (upper + lower) / (2 * length)
    down = (corners[3] + corners[2] - corners[0] - corners[1]) / 2
    across = np.array([-along[1], along[0]])
    height = abs(float(down @ across))
    if height < _LEAST_HEIGHT:
        half = across * (_LEAST_HEIGHT - height) / 2
        corners += np.array([-half, -half, half, half]) * (1 if down @ across >= 0 else -1)
    # The sides are lines along bars, so that what is added beside them is straightened too.
    corners += _QUIET * np.array([-upper, upper, lower, -lower])
    whole = length * (1 + 2 * _QUIET)
    wide = round(min(max(whole, min(_LENGTHS[0], _ENLARGED * whole)), _LENGTHS[1]))
    high = min(max(_ROWS, round(height)), _MOST_ROWS)
    ends = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    into = cv2.getPerspectiveTransform(corners.astype(np.float32), ends)
    upright = cv2.warpPerspective(
        gray, into, (wide, high), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=255
    )
    return cv2.resize(upright, (wide, _ROWS), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _cropped(gray: Gray, reading: Reading) -> Gray | None:
    """A QR Code with its quiet zone, as it lies."""
    corners = np.array(reading.corners, np.float64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = _QUIET * float(max(high - low))
    left, top = (max(0, round(float(value - margin))) for value in low)
    right, bottom = (max(0, round(float(value + margin))) for value in high)
    place = np.ascontiguousarray(gray[top:bottom, left:right])
    return place if place.size else None
