"""From a picture to readings: what each symbol in it says, where it is and which decoder read it.

The stages go from cheap to dear, and a dearer one runs only while no reading is one that the caller wants. For a still
picture, which may show many packs, the quickest is left out: the next one sees more. For a live source the first two
run on every frame and the others take turns, so that the decoder keeps up with the camera.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from packtrace_scanner.sources import Gray
from packtrace_scanner.zbar import ZBar, ZBarMissingError

Point = tuple[int, int]
Corners = tuple[Point, Point, Point, Point]

MAX_READINGS = 256
"""Most symbols reported for one picture."""

_FORMATS = zxingcpp.BarcodeFormats(
    [zxingcpp.BarcodeFormat.DataMatrix, zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Code128]
)
_LINEAR = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.Code128])
_TURNS = (30.0, 60.0)
"""Degrees. With the decoder's own quarter turns a bar code is at most 15 degrees off in one of the copies."""

_SMALLEST = 200
"""Pixels; the shorter side of the smallest copy that is looked at."""

KINDS = {
    "]d1": "Data Matrix",
    "]d2": "GS1 DataMatrix",
    "]C0": "Code 128",
    "]C1": "GS1-128",
    "]Q1": "QR Code",
    "]Q3": "GS1 QR Code",
}
"""The usual name of each symbology identifier (ISO/IEC 15424; GS1 General Specifications, figure 5.1.2-2)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one symbol says.

    `symbology` is its identifier (ISO/IEC 15424), `text` its data with the separator as 0x1D and without the
    identifier, `corners` its outline in pixels, `decoder` who read it.
    """

    symbology: str
    text: str
    corners: Corners
    decoder: str

    @property
    def kind(self) -> str:
        """The symbology's name for people."""
        return KINDS.get(self.symbology, f"symbol {self.symbology}")


Stage = Callable[[Gray], list[Reading]]


class Decoder:
    """Reads frames.

    `wanted` says whether a reading ends the search; the default takes the first of any kind. `tell` is told, once, if
    a decoder is missing here.
    """

    def __init__(
        self, wanted: Callable[[Reading], bool] = lambda _: True, tell: Callable[[str], None] = warnings.warn
    ) -> None:
        self._wanted = wanted
        self._tell = tell
        self._zbar: ZBar | None = None
        self._zbar_tried = False
        self._turn = 0
        turned: list[Stage] = [partial(_turned, degrees) for degrees in _TURNS]
        self._harder: tuple[Stage, ...] = (_smaller, _inverted, *turned, self._zbar_read)

    def read(self, gray: Gray) -> list[Reading]:
        """Everything found in a still picture, with every means there is while nothing wanted has been found."""
        return self._through((_rotated, *self._harder), gray)

    def read_live(self, gray: Gray) -> list[Reading]:
        """As `read`, for one frame of many: the quickest look first, and of the dearer stages only one in its turn."""
        self._turn += 1
        return self._through((_upright, _rotated, self._harder[self._turn % len(self._harder)]), gray)

    def _through(self, stages: Iterable[Stage], gray: Gray) -> list[Reading]:
        found: list[Reading] = []
        for stage in stages:
            found = merge(found + stage(gray))
            if any(map(self._wanted, found)):
                break
        return found

    def _zbar_read(self, gray: Gray) -> list[Reading]:
        if not self._zbar_tried:
            self._zbar_tried = True
            try:
                self._zbar = ZBar()
            except ZBarMissingError as missing:
                self._tell(str(missing))
        if self._zbar is None:
            return []
        return [
            Reading(symbol.identifier, symbol.data.decode("utf-8", "replace"), outline(symbol.points), "libzbar")
            for symbol in self._zbar.read(gray)
        ]


def merge(readings: Iterable[Reading]) -> list[Reading]:
    """Each symbol once. The same text at the same place is one symbol; at two places it is two labels."""
    merged: list[Reading] = []
    for reading in readings:
        if not any(_same_symbol(reading, other) for other in merged) and len(merged) < MAX_READINGS:
            merged.append(reading)
    return merged


def _same_symbol(one: Reading, other: Reading) -> bool:
    return one.text == other.text and one.symbology == other.symbology and _overlap(one.corners, other.corners)


def _overlap(one: Corners, other: Corners) -> bool:
    """Whether the middle of either outline lies within the other's box."""
    return _within(_middle(one), other) or _within(_middle(other), one)


def _middle(corners: Corners) -> tuple[float, float]:
    return sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4


def _within(point: tuple[float, float], corners: Corners) -> bool:
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs) <= point[0] <= max(xs) and min(ys) <= point[1] <= max(ys)


def outline(points: Iterable[Point]) -> Corners:
    """The smallest turned rectangle around the points; all zero where there are none."""
    array = np.array(list(points) or [(0, 0)], dtype=np.float32)
    first, second, third, fourth = (
        (round(float(x)), round(float(y))) for x, y in cv2.boxPoints(cv2.minAreaRect(array))
    )
    return first, second, third, fourth


def _upright(gray: Gray) -> list[Reading]:
    return _zxing(gray, _FORMATS)


def _rotated(gray: Gray) -> list[Reading]:
    """Rows and columns looked at: a symbol may lie at any angle on a busy ground, a bar code at any quarter turn."""
    return _zxing(gray, _FORMATS, rotate=True)


def _inverted(gray: Gray) -> list[Reading]:
    """Light codes on dark ground."""
    return _zxing(255 - gray, _FORMATS, rotate=True)


def _smaller(gray: Gray) -> list[Reading]:
    """Smaller copies, in which blur and grain are less than a module."""
    found: list[Reading] = []
    scale = 1
    while min(gray.shape) >= 2 * _SMALLEST:
        gray = cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        scale *= 2
        back = np.array([[scale, 0, 0], [0, scale, 0]], dtype=np.float64)
        found += [_moved(reading, back) for reading in _zxing(gray, _FORMATS, rotate=True)]
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
    return [_moved(reading, back) for reading in _zxing(turned.astype(np.uint8, copy=False), _LINEAR, rotate=True)]


def _moved(reading: Reading, back: NDArray[np.float64]) -> Reading:
    """The reading with its outline where it is in the frame, `back` leading there from the copy it was read in."""
    a, b, c, d = (tuple(map(round, back @ (x, y, 1))) for x, y in reading.corners)
    return replace(reading, corners=(a, b, c, d))


def _zxing(gray: Gray, formats: zxingcpp.BarcodeFormats, *, rotate: bool = False) -> list[Reading]:
    symbols = zxingcpp.read_barcodes(
        np.ascontiguousarray(gray),
        formats=formats,
        try_rotate=rotate,
        try_downscale=False,
        try_invert=False,
        text_mode=zxingcpp.TextMode.Plain,
    )
    return [
        Reading(symbol.symbology_identifier, symbol.text, _corners(symbol.position), "zxing-cpp") for symbol in symbols
    ]


def _corners(position: zxingcpp.Position) -> Corners:
    a, b, c, d = (
        (point.x, point.y)
        for point in (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    )
    return a, b, c, d
