"""Where in a picture a matrix symbol may lie: a square full of edges, whatever their strength.

Each pixel's gradient counts hardly with its strength, so that a faint symbol counts like a crisp one. A place is
likely where a window is full of edges and its surroundings have fewer.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packtrace_scanner.images import Gray

Real = NDArray[np.float32]

_COARSE = 4
"""Pixels that are averaged in both directions before windows are compared."""

_WINDOWS = (40, 64, 96, 140, 200)
"""Pixels; the sides of the windows, from the smallest symbol to the largest."""

_WIDE = 90
"""Pixels; windows from this side on are compared at half the resolution."""

_LEAST = 0.08
"""How much fuller of edges than its surroundings a window is at least."""

_ONE_WAY, _SURROUNDINGS = 0.4, 0.4
"""Among print: how much edges of one direction, and edges around a window, count against it."""

_SHORT, _RATIO = (32, 48, 72), 3
"""Pixels; the short sides of the windows for long symbols, and how many times as long they are."""

_TURNS = (0, 45)
"""Degrees; long windows lie along rows and columns of the picture turned so."""


@dataclass(frozen=True, slots=True)
class Region:
    """A place that may hold a symbol: its middle and about its side, in pixels, and how likely it is beside others."""

    x: float
    y: float
    side: float
    score: float


def regions(gray: Gray, most: int = 12) -> list[Region]:
    """The likeliest places first, at most so many."""
    if min(gray.shape) < 8 * _COARSE:
        return []
    edges = _edges(gray)
    found: list[Region] = []
    coarser = cv2.resize(edges, (edges.shape[1] // 2, edges.shape[0] // 2), interpolation=cv2.INTER_AREA).astype(
        np.float32, copy=False
    )
    for window in _WINDOWS:
        found += _peaks(edges, window, _COARSE) if window < _WIDE else _peaks(coarser, window, 2 * _COARSE)
    return _likeliest(found, most)


def hidden_regions(gray: Gray, most: int = 12) -> list[Region]:
    """Places that `regions` may not name: symbols among print, and those that are much longer than wide.

    What counts here is how full of edges of all directions a place is, and its surroundings less. It takes longer.
    """
    if min(gray.shape) < 16 * _COARSE:
        return []
    tensor = _tensor(gray)
    coarser = tensor.coarser()
    squares: list[Region] = []
    for window in _WINDOWS:
        fine = window < _WIDE
        coarse = _COARSE if fine else 2 * _COARSE
        squares += _places(tensor if fine else coarser, (window // coarse, window // coarse), coarse)
    long: list[Region] = []
    for degrees in _TURNS:
        turned, back = coarser.turned(degrees)
        for short in _SHORT:
            sides = (_RATIO * short // (2 * _COARSE), short // (2 * _COARSE))
            for shape in (sides, sides[::-1]):
                long += [
                    replace(place, x=float(x), y=float(y))
                    for place in _places(turned, shape, 2 * _COARSE)
                    for x, y in [back @ (place.x, place.y, 1)]
                ]
    return [*_likeliest(squares, most - most // 2), *_likeliest(long, most // 2)]


def _likeliest(found: list[Region], most: int) -> list[Region]:
    kept: list[Region] = []
    for region in sorted(found, key=lambda region: -region.score):
        if not any(_same(region, other) for other in kept):
            kept.append(region)
            if len(kept) == most:
                break
    return kept


def _same(region: Region, other: Region) -> bool:
    apart = math.hypot(region.x - other.x, region.y - other.y)
    return apart < 0.25 * min(region.side, other.side) and 0.7 < region.side / other.side < 1.5


def _edges(gray: Gray) -> Real:
    """How full of edges the picture is, 0 to 1, coarse."""
    half = cv2.resize(gray, (gray.shape[1] // 2, gray.shape[0] // 2), interpolation=cv2.INTER_AREA)
    across = cv2.convertScaleAbs(cv2.Sobel(half, cv2.CV_16S, 1, 0, ksize=3))
    down = cv2.convertScaleAbs(cv2.Sobel(half, cv2.CV_16S, 0, 1, ksize=3))
    size = (gray.shape[1] // _COARSE, gray.shape[0] // _COARSE)
    strength = cv2.resize(cv2.max(across, down), size, interpolation=cv2.INTER_AREA).astype(np.float32)
    strength *= strength
    level = 3.0 * float(np.median(strength)) + 9.0
    return (strength / (strength + level)).astype(np.float32)


def _peaks(edges: Real, window: int, coarse: int) -> list[Region]:
    side = window // coarse
    inside = cv2.blur(edges, (side, side))
    around = cv2.blur(edges, (side * 7 // 4, side * 7 // 4), borderType=cv2.BORDER_REFLECT)
    # The ring around the window has 33/16 of the window's area.
    score = cv2.blur(inside - (49 * around - 16 * inside) / 33, (3, 3))
    highest = cv2.dilate(score, np.ones((side // 2 * 2 + 1, side // 2 * 2 + 1), np.uint8))
    rows, columns = np.nonzero((score >= highest) & (score > _LEAST))
    return [
        Region(coarse * (column + 0.5), coarse * (row + 0.5), float(window), float(score[row, column]))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Tensor:
    """How full of edges each place is, 0 to 1, and which way they go: the structure tensor, coarse and normalised."""

    full: Real
    upright: Real  # edges across, less those down
    slanted: Real  # edges towards the lower right, less those towards the lower left

    def coarser(self) -> "_Tensor":
        return _Tensor(_half(self.full), _half(self.upright), _half(self.slanted))

    def turned(self, degrees: float) -> tuple["_Tensor", NDArray[np.float64]]:
        """The same turned, and the way back, in pixels of the picture."""
        rows, columns = self.full.shape
        turn = math.radians(degrees)
        wide, high = (
            math.ceil(abs(one * math.cos(turn)) + abs(other * math.sin(turn)))
            for one, other in ((columns, rows), (rows, columns))
        )
        into = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1.0)
        into[:, 2] += (wide - columns) / 2, (high - rows) / 2
        back = cv2.invertAffineTransform(into).astype(np.float64)
        back[:, 2] *= 2 * _COARSE

        def put(part: Real) -> Real:
            return cv2.warpAffine(part, into, (wide, high)).astype(np.float32, copy=False)

        return _Tensor(put(self.full), put(self.upright), put(self.slanted)), back


def _tensor(gray: Gray) -> _Tensor:
    half = cv2.resize(gray, (gray.shape[1] // 2, gray.shape[0] // 2), interpolation=cv2.INTER_AREA)
    across = cv2.Sobel(half, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(half, cv2.CV_32F, 0, 1, ksize=3)
    wide, high, both = (_half(product) for product in (across * across, down * down, across * down))
    strength = wide + high
    share = (1 / (strength + 3.0 * float(np.median(strength)) + 60.0)).astype(np.float32)
    return _Tensor(strength * share, (wide - high) * share, 2 * both * share)


def _half(part: Real) -> Real:
    size = (part.shape[1] // 2, part.shape[0] // 2)
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def _places(tensor: _Tensor, shape: tuple[int, int], coarse: int) -> list[Region]:
    """Where windows of this shape (columns, rows) are full of edges that go all ways."""
    full, upright, slanted = (cv2.blur(part, shape) for part in (tensor.full, tensor.upright, tensor.slanted))
    margin = 3 * min(shape) // 4
    wide, high = shape[0] + margin, shape[1] + margin
    around = cv2.blur(tensor.full, (wide, high), borderType=cv2.BORDER_REFLECT)
    own = shape[0] * shape[1]
    ring = (wide * high * around - own * full) / (wide * high - own)
    score = cv2.blur(full - _ONE_WAY * cv2.magnitude(upright, slanted) - _SURROUNDINGS * ring, (3, 3))
    reach = min(shape) // 2 * 2 + 1
    highest = cv2.dilate(score, np.ones((reach, reach), np.uint8))
    rows, columns = np.nonzero((score >= highest) & (score > _LEAST))
    side = coarse * math.sqrt(shape[0] * shape[1])
    return [
        Region(coarse * (column + 0.5), coarse * (row + 0.5), side, float(score[row, column]))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
