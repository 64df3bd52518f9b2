"""The module grid of one symbol: sampled through a homography, refined on the symbol itself, and decoded.

A decoder that cannot find the finder gives up; here a rough grid is enough. What the modules seem to be is drawn again
and the grid moved until picture and drawing agree best; light and shadow are estimated beside the modules, blur is
undone between neighbours, and the doubtful modules are offered to the error correction as erasures.
"""

from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from packtrace_scanner.ecc200 import Corrected, Modules, Size, correct, finder, fixed
from packtrace_scanner.images import Gray

Real = NDArray[np.float32]
Matrix = NDArray[np.float64]

FINE = 6
"""Pixels of one module in a rectified symbol."""
EDGE = 1
"""Modules around the symbol that are sampled too."""

_STRIDE = 2
"""Every second pixel of a rectified symbol tells where it lies; the others say the same."""

_WEIGHTS = np.array([0.4, 1.0, 1.3, 1.3, 1.0, 0.4], np.float32) / 5.4
"""Of the pixels across a module: its border belongs to its neighbours too."""

_NARROW = np.array([0, 0.1, 0.4, 0.4, 0.1, 0], np.float32)
"""The middle of a module alone: what printing that runs, or shrinks, leaves of it."""

_BLURS = (0.4, 0.6)
"""Modules; the standard deviations of the blurs that are undone."""

_NOISE = 0.06
"""Of the picture's power, where blur is undone in one direction."""

_TAPS = 6 * FINE - 1

ENOUGH_PROOF = 44.0
"""Bits. Even after a thousand tries chance gives such a symbol once in ten thousand million. The smallest, 10 x 10,
can never prove so much."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Where a symbol's modules are: `matrix` leads from modules (x to the right, y down) to pixels of the picture."""

    matrix: Matrix
    size: Size
    light_on_dark: bool = False
    fit: float = 0.0

    def corners(self) -> Matrix:
        """The symbol's corners in pixels, from the upper left one."""
        rows, columns = self.size.rows, self.size.columns
        ends = np.array([[[0, 0], [columns, 0], [columns, rows], [0, rows]]], np.float64)
        return np.asarray(cv2.perspectiveTransform(ends, self.matrix)[0])


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A symbol that was decoded, and the grid it was decoded with."""

    symbol: Corrected
    grid: Grid


def through(corners: Matrix, size: Size, *, light_on_dark: bool = False) -> Grid:
    """The grid of a symbol with these corners in pixels, in the order of `Grid.corners`."""
    ends = np.array([[0, 0], [size.columns, 0], [size.columns, size.rows], [0, size.rows]], np.float32)
    matrix = cv2.getPerspectiveTransform(ends, corners.astype(np.float32)).astype(np.float64)
    return Grid(matrix, size, light_on_dark)


def solve(gray: Gray | Real, grid: Grid, *, rounds: int = 3, deep: bool = True) -> Solved | None:
    """Decode the symbol that lies about on this grid; None where that fails."""
    for turn in range(rounds + 1):
        patch = rectified(gray, grid.matrix, grid.size.rows, grid.size.columns)
        if grid.light_on_dark:
            patch = 255 - patch
        values = sampled(patch)
        light, reach = surroundings(values)
        soft = (values - light) / reach
        if turn in (0, rounds) or turn == 2:
            symbol = _decoded(patch, values, soft, grid.size, deep and turn == rounds)
            if symbol is not None:
                return Solved(symbol, grid)
        if turn < rounds:
            bits = _balanced(contrasted(sampled(patch, _NARROW))) < 0
            inner = slice(EDGE, -EDGE)
            bits[inner, inner] = np.where(fixed(grid.size), finder(grid.size), bits[inner, inner])
            grid = replace(grid, matrix=grid.matrix @ aligned(patch, bits, light, reach))
    return None


def rectified(gray: Gray | Real, matrix: Matrix, rows: int, columns: int) -> Real:
    """So many modules and EDGE around them, upright, FINE pixels a module."""
    wide, high = (columns + 2 * EDGE) * FINE, (rows + 2 * EDGE) * FINE
    # The middle of pixel 0 is half a pixel into the picture, here as there.
    into = np.array([[1 / FINE, 0, 0.5 / FINE - EDGE], [0, 1 / FINE, 0.5 / FINE - EDGE], [0, 0, 1]])
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpPerspective(gray, half @ matrix @ into, (wide, high), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return patch.astype(np.float32)


def sampled(patch: Real, weights: Real = _WEIGHTS) -> Real:
    """Each module's grey, the border modules included."""
    rows, columns = patch.shape[0] // FINE, patch.shape[1] // FINE
    across = np.tensordot(patch.reshape(rows, FINE, columns, FINE), weights, (3, 0))
    return np.tensordot(across, weights, (1, 0)).astype(np.float32)


def surroundings(values: Real) -> tuple[Real, Real]:
    """The grey between dark and light around each module, and the difference of the two."""
    kernel = np.ones((5, 5), np.uint8)
    high = cv2.blur(cv2.dilate(values, kernel), (3, 3))
    low = cv2.blur(cv2.erode(values, kernel), (3, 3))
    reach = np.maximum(high - low, 0.35 * float(np.mean(high - low)) + 1.0)
    return ((high + low) / 2).astype(np.float32), reach.astype(np.float32)


def _shaded(values: Real, soft: Real) -> Real:
    """As (values - light) / reach, for shadows with sharp edges: light and modules are told apart in turns."""
    floor = float(values.min()) - 1.0
    bright = np.log(np.maximum(values - min(0.0, floor), 2.0)).astype(np.float32)
    dark = soft < 0
    for _ in range(4):
        if dark.all() or not dark.any():
            return soft
        ratio = float(np.median(bright[~dark]) - np.median(bright[dark]))
        paper = bright + np.where(dark, ratio, 0).astype(np.float32)
        paper = cv2.medianBlur(paper, 5)
        step = bright - paper + ratio / 2
        dark = step < 0
    return np.asarray(step / max(ratio, 0.05), np.float32)


def _decoded(patch: Real, values: Real, soft: Real, size: Size, deep: bool) -> Corrected | None:
    """Try the ways to tell dark from light, the likeliest first, then with more and more doubted."""
    views = [soft]
    if deep:
        narrow = contrasted(sampled(patch, _NARROW))
        views += [_balanced(narrow), _shaded(values, soft)]
        views += [contrasted(sharper(patch, blur)) for blur in _BLURS]
    inner = slice(EDGE, -EDGE)
    for view in views:
        seen = view[inner, inner]
        symbol = _corrected(seen, size, 0)
        if symbol is not None:
            return symbol
    if deep:
        for share in (0.25, 0.5):
            for view in views:
                symbol = _corrected(view[inner, inner], size, int(size.correction // size.blocks * share))
                if symbol is not None:
                    return symbol
    return None


def contrasted(values: Real) -> Real:
    """Each module between dark, -1/2, and light, 1/2, by its surroundings."""
    light, reach = surroundings(values)
    return (values - light) / reach


def _balanced(soft: Real) -> Real:
    """For print that grew or shrank: the threshold in the middle between the dark and the light of the dashed edges."""
    above, right = soft[EDGE, EDGE:-EDGE], soft[EDGE:-EDGE, -1 - EDGE]
    dark = np.median(np.concatenate([above[0::2], right[1::2]]))
    light = np.median(np.concatenate([above[1::2], right[0::2]]))
    return np.asarray(soft - np.clip((dark + light) / 2, -0.3, 0.3), np.float32)


def sharper(patch: Real, blur: float) -> Real:
    """Each module's grey with a Gaussian blur of so many modules undone."""
    kernel = _inverse(blur)
    crisp = cv2.sepFilter2D(patch, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    return sampled(crisp.astype(np.float32, copy=False), _NARROW)


@cache
def _inverse(blur: float) -> Real:
    """The filter, of one direction, that undoes a Gaussian blur as far as noise lets it (Wiener)."""
    waves = np.fft.rfftfreq(_TAPS)
    kept = np.exp(-2 * (np.pi * blur * FINE * waves) ** 2)
    taps = np.fft.fftshift(np.fft.irfft(kept / (kept**2 + _NOISE), _TAPS)) * (1 + _NOISE)
    return taps.astype(np.float32)


def _corrected(soft: Real, size: Size, doubted: int) -> Corrected | None:
    symbol = correct(soft < 0, size, np.abs(soft).astype(np.float64), doubted)
    if symbol is None or symbol.proof < ENOUGH_PROOF:
        return None
    return symbol


def aligned(patch: Real, dark: Modules, light: Real, reach: Real, *, affine: bool = False) -> Matrix:
    """How the grid of a rectified patch has to move so that the picture agrees better with these modules.

    A step of Gauss and Newton with eight degrees of freedom, six if `affine`; from modules to modules.
    """
    rows, columns = patch.shape
    size = (columns, rows)
    drawn = cv2.resize(np.where(dark, -0.5, 0.5).astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    drawn = cv2.GaussianBlur(drawn, (0, 0), FINE * 0.35)
    middle = cv2.resize(light, size, interpolation=cv2.INTER_LINEAR)
    spread = cv2.resize(reach, size, interpolation=cv2.INTER_LINEAR)
    seen = cv2.GaussianBlur((patch - middle) / spread, (0, 0), FINE * 0.2)
    slope_x = cv2.Scharr(drawn, cv2.CV_32F, 1, 0, scale=1 / 32)[::_STRIDE, ::_STRIDE]
    slope_y = cv2.Scharr(drawn, cv2.CV_32F, 0, 1, scale=1 / 32)[::_STRIDE, ::_STRIDE]
    rest = (seen - drawn)[::_STRIDE, ::_STRIDE]
    half = max(size) / 2
    x = ((np.arange(0, columns, _STRIDE, dtype=np.float32) - (columns - 1) / 2) / half)[None]
    y = ((np.arange(0, rows, _STRIDE, dtype=np.float32) - (rows - 1) / 2) / half)[:, None]
    weight = 1 / (1 + (rest / 0.35) ** 2)
    parts = [slope_x, slope_x * x, slope_x * y, slope_y, slope_y * x, slope_y * y]
    if not affine:
        stretch = slope_x * x + slope_y * y
        parts += [stretch * x, stretch * y]
    design = np.stack([part.ravel() for part in parts])
    weighted = design * weight.ravel()
    normal = (weighted @ design.T).astype(np.float64)
    normal[np.diag_indices(len(parts))] += 1e-3 * np.trace(normal) / len(parts) + 1e-6
    # The module drawn at x is seen at x - step.
    step = -np.clip(np.linalg.solve(normal, (weighted @ rest.ravel()).astype(np.float64)), -FINE, FINE) / half
    away = (-step[6], -step[7]) if not affine else (0.0, 0.0)
    shift = np.array([[1 + step[1], step[2], step[0]], [step[4], 1 + step[5], step[3]], [*away, 1]])
    scale = half / FINE
    x_middle, y_middle = columns / FINE / 2 - EDGE, rows / FINE / 2 - EDGE
    to_unit = np.array([[1 / scale, 0, -x_middle / scale], [0, 1 / scale, -y_middle / scale], [0, 0, 1]])
    return np.asarray(np.linalg.inv(to_unit) @ shift @ to_unit)
