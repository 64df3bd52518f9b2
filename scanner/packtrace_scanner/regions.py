"""Where in a picture a matrix symbol may lie: a square full of edges, whatever their strength.

Each pixel's gradient counts hardly with its strength, so that a faint symbol counts like a crisp one. A place is
likely where a window is full of edges and its surroundings have fewer.
"""

import math
from dataclasses import dataclass

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
    found.sort(key=lambda region: -region.score)
    kept: list[Region] = []
    for region in found:
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
