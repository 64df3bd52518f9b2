"""What a decoder says about one symbol in a picture, and which of several opinions are about the same symbol."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int]
Corners = tuple[Point, Point, Point, Point]

MAX_READINGS = 256
"""Most symbols reported for one picture."""

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
    identifier, `corners` its outline in pixels, `decoder` who read it, `seconded_by` who else says the same of a bar
    code. Where it is not `certain`, it counts only if a second frame says the same.
    """

    symbology: str
    text: str
    corners: Corners
    decoder: str
    certain: bool = True
    seconded_by: str | None = None

    @property
    def kind(self) -> str:
        """The symbology's name for people."""
        return KINDS.get(self.symbology, f"symbol {self.symbology}")

    @property
    def is_matrix(self) -> bool:
        """Whether it is a Data Matrix, GS1 or not."""
        return self.symbology.startswith("]d")

    @property
    def is_linear(self) -> bool:
        """Whether it is a bar code, GS1 or not."""
        return self.symbology.startswith("]C")

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of its outline."""
        return sum(x for x, _ in self.corners) / 4, sum(y for _, y in self.corners) / 4

    @property
    def decoders(self) -> frozenset[str]:
        """Who says so."""
        return frozenset((self.decoder, self.seconded_by or self.decoder))

    def confirmed(self) -> "Reading":
        """The same, certain."""
        return replace(self, certain=True)

    def seconded(self, decoder: str) -> "Reading":
        """The same, said by another decoder too: proof enough of a matrix symbol, which has error correction, but not
        of a bar code, which has one check character."""
        return replace(self, seconded_by=decoder) if self.is_linear else self.confirmed()

    def moved(self, back: NDArray[np.float64]) -> "Reading":
        """The reading with its outline where it is in the frame, `back` (2 x 3) leading there from a copy."""
        a, b, c, d = (tuple(map(round, back @ (x, y, 1))) for x, y in self.corners)
        return replace(self, corners=(a, b, c, d))


def merge(readings: Iterable[Reading]) -> list[Reading]:
    """Each symbol once. The same text at the same place is one symbol; at two places it is two labels.

    Of two opinions that agree the first is kept, and it is certain if two decoders, or one in two ways, said it; a bar
    code only if either is.
    """
    merged: list[Reading] = []
    for reading in readings:
        place = next((at for at, other in enumerate(merged) if _same_symbol(reading, other)), None)
        if place is not None:
            first = merged[place]
            if first.certain:
                continue
            if reading.certain:
                merged[place] = first.confirmed()
            elif reading.decoder != first.decoder:
                merged[place] = first.seconded(reading.decoder)
        elif len(merged) < MAX_READINGS:
            merged.append(reading)
    return merged


def covers(reading: Reading, x: float, y: float) -> bool:
    """Whether a point lies within the symbol's outline."""
    return cv2.pointPolygonTest(np.array(reading.corners, np.float32), (x, y), False) >= 0


def outline(points: Iterable[Point]) -> Corners:
    """The smallest turned rectangle around the points; all zero where there are none."""
    array = np.array(list(points) or [(0, 0)], dtype=np.float32)
    first, second, third, fourth = (
        (round(float(x)), round(float(y))) for x, y in cv2.boxPoints(cv2.minAreaRect(array))
    )
    return first, second, third, fourth


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
