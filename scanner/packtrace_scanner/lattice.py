"""From a place that may hold a symbol to its module grid, without any help of a finder.

Edges lie where modules meet, so the strength of the edges is periodic even where the modules are random: two lines in
its spectrum give pitch, direction and phase of both axes (as a receiver finds its clock in the square of a signal).
The lattice grows from the middle outward, corrected on the modules themselves, which follows perspective; then the
finder is looked for among the sampled modules, at every place, in four directions, dark and light.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from packtrace_scanner.ecc200 import SIZES, Modules, Size
from packtrace_scanner.grid import EDGE, Grid, Matrix, aligned, contrasted, rectified, sampled, sharper, surroundings
from packtrace_scanner.images import Gray
from packtrace_scanner.regions import Region

Real = NDArray[np.float32]

_CROP = 160
"""Pixels; the side of the square in which edges are looked at."""
_MARGIN = 1.7
"""Sides of the region that the square shows."""
_HALF = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
"""The middle of pixel 0 is half a pixel into a picture."""
_SPECTRUM = 192
_PITCHES = (2.1, 8.0)
"""Pixels of the crop; the least and the greatest pitch."""
_LEAST_PEAK = 5.0
"""How much a line stands out from the spectrum around it."""
_GROWTH = (9, 13, 19, 27)
"""Modules; the sides of the windows on which the lattice is corrected."""
_LOOK = 13
"""Modules; the side of the window in which a lattice is first looked at."""
_MOST_LINES = 10
_MOST_LATTICES = 2
"""Of one place."""
_LEAST_CHANGE = 0.25
_LEAST_CHANGE_GROWN = 0.27
_DASHED = 4.0
"""A dashed edge counts fully from a fourth of the usual contrast on: blur leaves no more of it."""
_LEAST_FINDER = 0.78
_SIDES = (0.6, 1.6)
"""A symbol's longer side in sides of the region."""
_ROOM = 1.75
"""Sides of the region in which a finder is looked for."""
_WIDEST = 64
"""Modules; the side of the widest window in which a finder is looked for."""
_SURE_FINDER = 0.93
"""A finder that fits so well is one."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line in the spectrum: waves across the crop and down it, phase, and how much it stands out."""

    x: float
    y: float
    phase: float
    height: float


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """A lattice that a place may have: `matrix` leads from modules to pixels, boundaries at integers. `change` is how
    often neighbouring modules differ in the direction in which they do so less: half of the time in a symbol, rarely
    in print."""

    matrix: Matrix
    region: Region
    change: float


def lattices(gray: Gray, region: Region) -> list[Lattice]:
    """The lattices that this place may have, the likeliest first; none where modules would hardly change."""
    scale = _CROP / (region.side * _MARGIN)
    to_crop = np.array([[scale, 0, _CROP / 2 - scale * region.x], [0, scale, _CROP / 2 - scale * region.y]])
    crop = cv2.warpAffine(gray, to_crop, (_CROP, _CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    back = np.linalg.inv(np.vstack([to_crop, [0, 0, 1]]))
    found = []
    for one, other in _pairs(_lines(crop.astype(np.uint8, copy=False))):
        # Module coordinates are the phases of the two waves; x and y must turn the way they do in a picture.
        if one.x * other.y - one.y * other.x < 0:
            other = _Line(-other.x, -other.y, -other.phase, other.height)
        to_modules = np.array([[one.x, one.y, one.phase], [other.x, other.y, other.phase], [0, 0, 1]])
        lattice = _middle(gray, back @ np.linalg.inv(to_modules), region)
        if lattice.change > _LEAST_CHANGE:
            found.append(lattice)
            if len(found) == _MOST_LATTICES:
                break
    return found


def grids(gray: Gray, lattice: Lattice, most: int = 2, *, beyond: bool = False) -> list[Grid]:
    """The grids of the symbols that may lie on this lattice, the likeliest first.

    Rectangles of which the region shows but a part are looked for only if asked to look `beyond` it.
    """
    matrix = _grown(gray, lattice)
    if matrix is None:
        return []
    region, pitch = lattice.region, math.sqrt(max(abs(np.linalg.det(matrix[:2, :2] / matrix[2, 2])), 1.0))
    found = _found(gray, matrix, _within(region, pitch), _reach(_ROOM * region.side / pitch), most)
    if beyond and not (found and found[0].fit > _SURE_FINDER):
        found += _found(gray, matrix, _beyond(region, pitch), _WIDEST, most)
        found.sort(key=lambda grid: -grid.fit)
    return found[:most]


def _middle(gray: Gray, matrix: Matrix, region: Region) -> Lattice:
    """The lattice with 0, 0 in the middle of the region, after a first look at the modules there."""
    x, y, z = np.linalg.solve(matrix, [region.x, region.y, 1])
    matrix = matrix @ _shift(np.floor(x / z), np.floor(y / z))
    # Three points of each module across and down are enough for a first look.
    into = matrix @ np.array([[1 / 3, 0, 1 / 6 - _LOOK / 2], [0, 1 / 3, 1 / 6 - _LOOK / 2], [0, 0, 1]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    side = 3 * _LOOK
    patch = cv2.warpPerspective(gray, _HALF @ into, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    values = cv2.resize(patch, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA)
    return Lattice(matrix, region, _change(values < cv2.blur(values, (5, 5))))


def _change(dark: Modules) -> float:
    return float(min(np.mean(dark[:, 1:] != dark[:, :-1]), np.mean(dark[1:] != dark[:-1])))


def _lines(crop: Gray) -> list[_Line]:
    smooth = cv2.GaussianBlur(crop, (0, 0), 0.7)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3)
    strength = across * across + down * down
    votes = strength / (strength + float(np.mean(strength * _WINDOW)) / _WINDOW_MEAN + 20.0)
    votes -= float(np.sum(votes * _WINDOW)) / float(np.sum(_WINDOW))
    padded = np.zeros((_SPECTRUM, _SPECTRUM), np.float32)
    padded[:_CROP, :_CROP] = votes * _WINDOW
    parts = cv2.dft(padded, flags=cv2.DFT_COMPLEX_OUTPUT, nonzeroRows=_CROP)[:, : _SPECTRUM // 2 + 1].astype(
        np.float32, copy=False
    )
    height = cv2.magnitude(np.ascontiguousarray(parts[:, :, 0]), np.ascontiguousarray(parts[:, :, 1]))
    # Against what is usual at this wavelength: the spectrum of any print falls off.
    power = np.bincount(_RINGS, (height * height).ravel()) / _RING_SIZES
    height = np.where(_ANNULUS, height / np.sqrt(power + 1e-9)[_RINGS].reshape(height.shape), 0).astype(np.float32)
    highest = cv2.dilate(height, np.ones((7, 7), np.uint8))
    rows, columns = np.nonzero((height >= highest) & (height > 1.8))
    order = np.argsort(-height[rows, columns])[:_MOST_LINES]
    return [
        _line(parts, row, column, high)
        for row, column, high in zip(
            rows[order].tolist(), columns[order].tolist(), height[rows, columns][order].tolist(), strict=True
        )
    ]


def _line(parts: Real, row: int, column: int, height: float) -> _Line:
    """The line at a peak, its place between the bins found with a parabola."""
    real, imaginary = parts[row, column].tolist()
    here = math.hypot(real, imaginary)

    def off(before: tuple[int, int], after: tuple[int, int]) -> float:
        low, high = (math.hypot(*parts[place].tolist()) for place in (before, after))
        bend = low - 2 * here + high
        return max(-0.5, min(0.5, 0.5 * (low - high) / bend)) if bend < 0 else 0.0

    signed = row - _SPECTRUM if row > _SPECTRUM / 2 else row
    y = (signed + off((row - 1, column), ((row + 1) % _SPECTRUM, column))) / _SPECTRUM
    x = (column + off((row, abs(column - 1)), (row, min(column + 1, _SPECTRUM // 2)))) / _SPECTRUM
    # The bin's phase holds at the middle of the window, whatever the fraction of a bin. Votes are highest on
    # boundaries; pixel 0's middle is half a pixel into the crop.
    middle = (_CROP - 1) / 2
    phase = math.atan2(imaginary, real) / (2 * math.pi) + (column + signed) / _SPECTRUM * middle
    return _Line(x, y, phase - (x + y) * (middle + 0.5), height)


def _pairs(lines: list[_Line]) -> list[tuple[_Line, _Line]]:
    """Two lines that may be the axes of one lattice, the likeliest pair first."""
    found = []
    for place, one in enumerate(lines):
        for other in lines[place + 1 :]:
            long, short = math.hypot(one.x, one.y), math.hypot(other.x, other.y)
            sine = abs(one.x * other.y - one.y * other.x) / (long * short)
            if sine < 0.8 or not 0.55 < long / short < 1.8 or one.height + other.height < _LEAST_PEAK:
                continue
            # A wave of half the pitch, or along the diagonal, is a harmonic: the longer one is meant.
            fit = (sine * min(long, short) / max(long, short)) ** 4
            found.append((min(one.height, other.height) * fit, one, other))
    found.sort(key=lambda entry: -entry[0])
    return [(one, other) for _, one, other in found[:4]]


def _grown(gray: Gray, lattice: Lattice) -> Matrix | None:
    """The lattice followed outward from the middle of the region; None if it was none."""
    matrix = lattice.matrix
    for side in _GROWTH:
        away = _shift(-side / 2 + 0.5, -side / 2 + 0.5)
        window = matrix @ away
        patch = rectified(gray, window, side, side)
        values = sampled(patch)
        light, reach = surroundings(values)
        dark = values < light
        if side == _GROWTH[1] and _change(dark) < _LEAST_CHANGE_GROWN:
            return None
        matrix = window @ aligned(patch, dark, light, reach, affine=side < 15) @ np.linalg.inv(away)
    return matrix


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])


def _reach(modules: float) -> int:
    """As many modules across, within limits; even."""
    return int(min(_WIDEST, max(20, modules))) // 2 * 2


def _within(region: Region, pitch: float) -> list[Size]:
    """The sizes of symbols that a region with modules of this pitch shows whole."""
    wide = [(size, pitch * max(size.rows, size.columns) / region.side) for size in SIZES]
    return [size for size, side in wide if _SIDES[0] < side < _SIDES[1]]


def _beyond(region: Region, pitch: float) -> list[Size]:
    """The sizes of rectangles that are not higher than a region with modules of this pitch, but longer."""
    return [
        size
        for size in SIZES
        if size.rows != size.columns
        and pitch * size.rows / region.side < _SIDES[1]
        and size.columns * pitch > region.side
    ]


def _found(gray: Gray, matrix: Matrix, sizes: list[Size], side: int, most: int) -> list[Grid]:
    """Where a finder of one of these sizes fits in a window of `side` modules around the middle, best first."""
    matrix = matrix @ _shift(-side / 2, -side / 2)
    patch = rectified(gray, matrix, side, side)
    matrix = matrix @ _shift(-EDGE, -EDGE)
    plain, crisp = contrasted(sampled(patch)), contrasted(sharper(patch, 0.5))
    soft = np.clip((plain + crisp) * 1.25, -1, 1)
    found = []
    for turn in range(4):
        turned = np.ascontiguousarray(np.rot90(soft, turn))
        down, across = _sums(turned, 0), _sums(turned, 1)
        for size in sizes:
            if max(size.rows, size.columns) > turned.shape[0]:
                continue
            score = _fit(down, across, size, turned.shape[0])
            for sign in (1, -1):
                place = int(np.argmax(sign * score))
                row, column = divmod(place, score.shape[1])
                best = sign * float(score[row, column])
                if best > _LEAST_FINDER:
                    found.append((best * (1 + 0.002 * size.rows), turn, row, column, size, sign < 0))
    found.sort(key=lambda entry: -entry[0])
    return [_grid(matrix, soft.shape[0], *entry) for entry in found[:most]]


def _sums(soft: Real, axis: int) -> tuple[Real, Real]:
    """Running sums along an axis: of the modules, and of how much they alternate, with alternating sign."""
    length = soft.shape[axis]
    alternate = np.clip(_DASHED * (soft - cv2.blur(soft, (1, 3) if axis == 0 else (3, 1))), -1, 1)
    sign = np.where(np.arange(length) % 2, -1, 1).astype(np.float32)
    sign = sign[:, None] if axis == 0 else sign[None]
    pad = ((1, 0), (0, 0)) if axis == 0 else ((0, 0), (1, 0))
    return np.pad(np.cumsum(soft, axis), pad), np.pad(np.cumsum(alternate * sign, axis), pad)


def _fit(down: tuple[Real, Real], across: tuple[Real, Real], size: Size, side: int) -> Real:
    """-1 to 1 for each place of the upper left corner: how well a dark finder of this size fits there."""
    rows, columns = size.rows, size.columns
    high, wide = side - rows + 1, side - columns + 1
    left = down[0][rows:, :wide] - down[0][:-rows, :wide]  # solid: dark is negative
    right = down[1][rows:, columns - 1 :] - down[1][:-rows, columns - 1 :]  # from above: light, dark, light
    below = across[0][rows - 1 :, columns:] - across[0][rows - 1 :, :-columns]
    above = across[1][:high, columns:] - across[1][:high, :-columns]  # from the left: dark, light, dark
    odd_rows = np.where(np.arange(high) % 2, -1, 1).astype(np.float32)[:, None]
    odd_columns = np.where(np.arange(wide) % 2, -1, 1).astype(np.float32)[None]
    parts = -left / rows, -below / columns, right * odd_rows / rows, -above * odd_columns / columns
    return np.asarray(sum(parts) / 4, np.float32)


def _grid(matrix: Matrix, side: int, fit: float, turn: int, row: int, column: int, size: Size, light: bool) -> Grid:
    """The grid of a finder that was found in the lattice turned by so many quarter turns."""
    into = np.eye(3)
    for _ in range(turn):
        # rot90 puts the module at (x, y) of the turned lattice where (side - y, x) was.
        into = into @ np.array([[0.0, -1, side], [1, 0, 0], [0, 0, 1]])
    return Grid(matrix @ into @ _shift(column, row), size, light, fit)


def _window() -> Real:
    """Weights of the crop's pixels: the region counts, its surroundings fade."""
    at = (np.arange(_CROP) - (_CROP - 1) / 2) / (_CROP / 2)
    fade = np.clip((1.0 - np.abs(at)) / 0.5, 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    return np.outer(fade, fade).astype(np.float32)


def _annulus() -> NDArray[np.bool_]:
    down, across = np.fft.fftfreq(_SPECTRUM)[:, None], np.fft.rfftfreq(_SPECTRUM)[None]
    waves = np.hypot(down, across)
    keep: NDArray[np.bool_] = (waves > 1 / _PITCHES[1]) & (waves < 1 / _PITCHES[0])
    keep[_SPECTRUM // 2 :, 0] = False  # the other half of the same line
    return keep


def _rings() -> NDArray[np.intp]:
    down, across = np.fft.fftfreq(_SPECTRUM)[:, None], np.fft.rfftfreq(_SPECTRUM)[None]
    return np.asarray(np.hypot(down, across) * _SPECTRUM / 6, np.intp).ravel()


_WINDOW = _window()
_WINDOW_MEAN = float(_WINDOW.mean())
_ANNULUS = _annulus()
_RINGS = _rings()
_RING_SIZES = np.bincount(_RINGS)
