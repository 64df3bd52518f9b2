"""Whether what a decoder read is really there: its modules are sampled again, decoded apart, and compared.

Reed-Solomon correction near its limit can turn a damaged symbol into another one, and a decoder does not say how near
it was. So the symbol at the outline that it names is decoded here with our own grid and correction, which knows.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packtrace_scanner import zxing
from packtrace_scanner.ecc200 import SIZES, Size
from packtrace_scanner.grid import Grid, solve, through
from packtrace_scanner.images import Gray
from packtrace_scanner.symbols import Reading

_SIZES_TRIED = 2


def confirmed(gray: Gray, reading: Reading) -> Reading:
    """The reading, certain if the modules at its outline say the same by themselves."""
    if reading.certain or not reading.is_matrix:
        return reading
    grids = likeliest(gray, np.array(reading.corners, np.float64))
    for deep in (False, True):
        for grid in grids:
            solved = solve(gray, grid, rounds=2, deep=deep)
            if solved is not None and zxing.meaning(solved.symbol.modules) == (reading.symbology, reading.text):
                return replace(reading, certain=True)
    return reading


def likeliest(gray: Gray, corners: NDArray[np.float64]) -> list[Grid]:
    """The sizes, turns and polarity for which the dashed edges of an outline fit best."""
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    into = cv2.getPerspectiveTransform(square, corners.astype(np.float32))
    points = cv2.perspectiveTransform(_POINTS[None], into)[0].astype(np.float32) - 0.5
    greys = cv2.remap(gray, points[None, :, 0], points[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[
        0
    ]
    scores = np.add.reduceat(greys.astype(np.float32) * _SIGNS, _STARTS)
    found = []
    for place in np.argsort(-np.abs(scores))[:_SIZES_TRIED]:
        size, turn = _HYPOTHESES[int(place)]
        found.append(through(np.roll(corners, -turn, axis=0), size, light_on_dark=bool(scores[place] < 0)))
    return found


def _dashes(size: Size, turn: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points on the two dashed edges in a unit square turned by quarters, and 1 where it should be light, else -1."""
    across, down = np.arange(size.columns), np.arange(size.rows)
    above = np.stack([(across + 0.5) / size.columns, np.full(size.columns, 0.5 / size.rows)], axis=1)
    right = np.stack([np.full(size.rows, 1 - 0.5 / size.columns), (down + 0.5) / size.rows], axis=1)
    points = np.concatenate([above, right]) - 0.5
    for _ in range(turn):  # corner 0 of the symbol is corner `turn` of the outline
        points = np.stack([-points[:, 1], points[:, 0]], axis=1)
    signs = np.concatenate([np.where(across % 2, 1.0, -1.0), np.where(down % 2, -1.0, 1.0)])
    return points + 0.5, signs / len(signs)


_HYPOTHESES = [(size, turn) for size in SIZES for turn in range(4)]
_DASHES = [_dashes(size, turn) for size, turn in _HYPOTHESES]
_POINTS = np.concatenate([points for points, _ in _DASHES])
_SIGNS = np.concatenate([signs for _, signs in _DASHES]).astype(np.float32)
_STARTS = np.cumsum([0, *(len(signs) for _, signs in _DASHES[:-1])])
