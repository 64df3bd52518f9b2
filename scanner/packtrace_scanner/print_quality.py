"""How well a Data Matrix is printed: an estimate in the manner of ISO/IEC 15415, from one picture of the line's camera.

It is an estimate, not a verifier's grade: that needs light, optics and a calibrated reflectance that a camera does not
have. It tells soon enough that a print head fades or a field lacks dots, pack by pack, before anybody downstream meets
a code that does not scan. Grades go from 4 (best) to 0; the lowest of a code's parameters is its grade.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from packtrace_scanner import zxing
from packtrace_scanner.confirmation import likeliest
from packtrace_scanner.ecc200 import Corrected, fixed
from packtrace_scanner.grid import EDGE, Grid, rectified, sampled, solve
from packtrace_scanner.images import Gray
from packtrace_scanner.symbols import Reading

LETTERS = "FDCBA"
"""Grades 0 to 4 as letters (ISO/IEC 15415, table 1)."""

CONTRAST = (0.20, 0.40, 0.55, 0.70)
MODULATION = (0.20, 0.30, 0.40, 0.50)
UNUSED = (0.25, 0.37, 0.50, 0.62)
"""What the grades 1, 2, 3 and 4 need at least (ISO/IEC 15415, tables 2 to 8)."""

FIXED = (0.83, 0.88, 0.93, 0.97)
QUIET = (0.70, 0.80, 0.90, 0.97)
"""Our own: shares of finder and timing modules that are right, and of the quiet zone that is light."""

_WORST = 0.05
"""Of the modules; so many of the worst are left out of modulation, as dust on the lens is."""

_BRIGHT, _DARK = 99.0, 1.0
"""Percentiles that count as the lightest and the darkest; single pixels are noise."""


@dataclass(frozen=True, slots=True)
class Quality:
    """One code's parameters, each from 0 to 1, and the size of its modules in pixels.

    `contrast` is the difference of the lightest and the darkest module; `modulation` how far modules are from the
    border between dark and light; `unused` the share of the error correction that the code did not need; `fixed` the
    share of right modules in finder and timing pattern; `quiet` the share of the quiet zone that is light.
    """

    contrast: float
    modulation: float
    unused: float
    fixed: float
    quiet: float
    module: float

    @property
    def grades(self) -> dict[str, int]:
        """The grade of each parameter, 0 to 4."""
        return {
            "contrast": _grade(self.contrast, CONTRAST),
            "modulation": _grade(self.modulation, MODULATION),
            "unused error correction": _grade(self.unused, UNUSED),
            "fixed pattern": _grade(self.fixed, FIXED),
            "quiet zone": _grade(self.quiet, QUIET),
        }

    @property
    def grade(self) -> int:
        """The code's grade: its worst parameter's."""
        return min(self.grades.values())

    @property
    def letter(self) -> str:
        return LETTERS[self.grade]

    @property
    def worst(self) -> list[str]:
        """What keeps the code from a better grade."""
        return [name for name, grade in self.grades.items() if grade == self.grade]


def estimate(gray: Gray, reading: Reading) -> Quality | None:
    """The quality of a Data Matrix that was read in a picture; None where it is no Data Matrix or cannot be measured.

    A module should cover at least four pixels: less, and the camera's own blur is measured too.
    """
    if not reading.is_matrix:
        return None
    for grid in likeliest(gray, np.array(reading.corners, np.float64)):
        solved = solve(gray, grid, rounds=2, deep=False)
        # White paper is a faultless word of zeros, so it has to be the very symbol that was read.
        if solved is not None and zxing.meaning(solved.symbol.modules) == (reading.symbology, reading.text):
            return _measured(gray, solved.symbol, solved.grid)
    return None


def _measured(gray: Gray, symbol: Corrected, grid: Grid) -> Quality:
    size, inner = grid.size, slice(EDGE, -EDGE)
    values = sampled(rectified(gray, grid.matrix, size.rows, size.columns))
    if grid.light_on_dark:
        values = 255 - values
    own = values[inner, inner]
    bright, dark = np.percentile(own, _BRIGHT), np.percentile(own, _DARK)
    border, reach = (bright + dark) / 2, max(float(bright - dark), 1.0)
    # On the right side of the border by how much; less than nothing where a module is wrong.
    margins = np.where(symbol.modules, border - own, own - border) * 2 / reach
    right, frame = margins > 0, fixed(size)
    around = np.concatenate([values[0], values[-1], values[inner, 0], values[inner, -1]])
    budget = max(size.correction // 2, 1)  # wrong codewords that can be mended
    sides = np.linalg.norm(np.roll(grid.corners(), -1, 0) - grid.corners(), axis=1)
    return Quality(
        contrast=reach / 255,
        modulation=max(0.0, float(np.quantile(margins, _WORST))),
        unused=max(0.0, 1 - symbol.wrong / budget),
        fixed=float(right[frame].mean()),
        quiet=float((around > border).mean()),
        module=float(sides[0] / size.columns),
    )


def _grade(value: float, limits: Sequence[float]) -> int:
    return sum(value >= limit for limit in limits)
