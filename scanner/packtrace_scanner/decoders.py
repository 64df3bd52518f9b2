"""From a picture to readings: what each symbol in it says, where it is and which decoder read it.

The stages go from cheap to dear. The first costs about what the fastest decoder costs; the others run only while no
reading is one that the caller wants. For a still picture all of them run; for a live source the first runs on every
frame and the others take turns, so that the decoder keeps up with the camera.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import zxingcpp

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
        self._harder = (_zxing_thorough, _zxing_turned, self._zbar_read)

    def read(self, gray: Gray) -> list[Reading]:
        """Everything found in a still picture, with every means there is while nothing wanted has been found."""
        found: list[Reading] = []
        for stage in (_zxing_fast, *self._harder):
            found = merge(found + stage(gray))
            if any(map(self._wanted, found)):
                break
        return found

    def read_live(self, gray: Gray) -> list[Reading]:
        """As `read`, for one frame of many: the fast stage and, where it finds nothing wanted, the next one in turn."""
        found = merge(_zxing_fast(gray))
        if any(map(self._wanted, found)):
            return found
        stage = self._harder[self._turn % len(self._harder)]
        self._turn += 1
        return merge(found + stage(gray))

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


def _zxing_fast(gray: Gray) -> list[Reading]:
    return _zxing(gray, _FORMATS, thorough=False)


def _zxing_thorough(gray: Gray) -> list[Reading]:
    return _zxing(gray, _FORMATS, thorough=True)


def _zxing_turned(gray: Gray) -> list[Reading]:
    """Bar codes that lie obliquely, which a decoder that looks along rows and columns does not see."""
    found = []
    height, width = gray.shape
    for degrees in _TURNS:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        new_width = int(height * abs(turn[0, 1]) + width * abs(turn[0, 0]))
        new_height = int(height * abs(turn[0, 0]) + width * abs(turn[0, 1]))
        turn[:, 2] += (new_width - width) / 2, (new_height - height) / 2
        turned = cv2.warpAffine(gray, turn, (new_width, new_height), flags=cv2.INTER_LINEAR, borderValue=255)
        back = cv2.invertAffineTransform(turn)
        for reading in _zxing(turned.astype(np.uint8, copy=False), _LINEAR, thorough=False, rotate=True):
            corners = [back @ (x, y, 1) for x, y in reading.corners]
            a, b, c, d = ((round(float(x)), round(float(y))) for x, y in corners)
            found.append(Reading(reading.symbology, reading.text, (a, b, c, d), reading.decoder))
    return found


def _zxing(gray: Gray, formats: zxingcpp.BarcodeFormats, *, thorough: bool, rotate: bool = False) -> list[Reading]:
    symbols = zxingcpp.read_barcodes(
        np.ascontiguousarray(gray),
        formats=formats,
        try_rotate=thorough or rotate,
        try_downscale=thorough,
        try_invert=thorough,
        text_mode=zxingcpp.TextMode.Plain,
    )
    return [
        Reading(symbol.symbology_identifier, symbol.text, _zxing_corners(symbol.position), "zxing-cpp")
        for symbol in symbols
    ]


def _zxing_corners(position: zxingcpp.Position) -> Corners:
    a, b, c, d = (
        (point.x, point.y)
        for point in (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    )
    return a, b, c, d
