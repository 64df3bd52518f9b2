"""Symbols as they are printed: a medicine pack's data, its GS1 DataMatrix, and what the printer makes of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from benchmarks.hard_pictures.grounds import ALPHABET, Real, write
from packtrace.gs1 import with_check_digit

CANVAS = 12
"""Pixels of one module before it is projected into the picture."""

RECTANGLES = ("8x18", "8x32", "12x26", "12x36", "16x36", "16x48")
"""Rows x columns of the symbols of ECC 200 that are no squares (ISO/IEC 16022, table 7)."""
_FIRST_RECTANGLE = 25  # what the encoder calls 8x18

_ROOM: dict[str, dict[str, int]] = {
    "8x18": {"10": 3},
    "8x32": {"01": 14},
    "12x26": {"01": 14, "21": 5},
    "12x36": {"01": 14, "21": 10},
    "16x36": {"01": 14, "17": 6, "10": 5, "21": 8},
    "16x48": {"01": 14, "17": 6, "10": 8, "21": 16},
}
"""The most characters of each element that fit. The least one has no room for a GTIN."""


Data = tuple[str, str]
"""A symbol's data, bracketed and as a decoder gives it."""

Mark = Callable[[Real, np.random.Generator], None]
"""Something that spoils a label's ink."""


@dataclass(slots=True)
class Look:
    """How a symbol is printed and seen. Lengths in modules, angles in degrees, levels between 0 and 1."""

    module: float = 5.0  # pixels
    degrees: float = 0.0
    tilt: float = 0.0
    tilt_axis: float = 0.0
    distance: float = 8.0  # of the camera, in widths of the symbol
    paper: float = 0.9
    ink: float = 0.12
    growth: float = 0.0
    dot: float | None = None  # a dot's diameter
    dot_jitter: float = 0.0
    quiet: float = 2.0
    marks: list[Mark] = field(default_factory=list)
    blur: float = 0.12
    motion: float = 0.0
    motion_degrees: float = 0.0
    noise: float = 2.0  # standard deviation, grey levels
    light: Callable[[np.random.Generator, tuple[float, float], float], Real] | None = None
    pepper: float = 0.0
    at: tuple[float, float] | None = None
    rectangle: str | None = None  # rows x columns, where it is no square


def element_string(chance: np.random.Generator, rectangle: str | None = None) -> Data:
    """A medicine pack's data, bracketed and as a decoder gives it: as much of it as fits a rectangle of this size."""
    gtin = with_check_digit("04" + "".join(map(str, chance.integers(0, 10, 11))))
    expiry = f"{chance.integers(27, 32)}{chance.integers(1, 13):02}{chance.integers(1, 29):02}"
    serial = "".join(chance.choice(list(ALPHABET), chance.integers(8, 17)))
    lot = "".join(chance.choice(list(ALPHABET), chance.integers(5, 9)))
    if chance.random() < 0.5:
        pairs = [("01", gtin), ("17", expiry), ("10", lot), ("21", serial)]
    else:
        pairs = [("01", gtin), ("21", serial), ("17", expiry), ("10", lot)]
    if rectangle is not None:
        room = _ROOM[rectangle]
        pairs = [(ai, value[: room[ai]]) for ai, value in pairs if ai in room]
    separator = {"10", "21"}
    plain = "".join(
        ai + value + ("\x1d" if ai in separator and place < len(pairs) - 1 else "")
        for place, (ai, value) in enumerate(pairs)
    )
    return "".join(f"[{ai}]{value}" for ai, value in pairs), plain


def symbol(bracketed: str, rectangle: str | None = None) -> NDArray[np.bool_]:
    """The modules of a GS1 DataMatrix, true where dark, without quiet zone: a square, or a rectangle of this size."""
    options = (
        {"forceSquare": True} if rectangle is None else {"version": _FIRST_RECTANGLE + RECTANGLES.index(rectangle)}
    )
    code = zxingcpp.create_barcode(bracketed, zxingcpp.BarcodeFormat.DataMatrix, gs1=True, **options)
    drawn = np.array(code.to_image(scale=1, add_quiet_zones=False)) < 128
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def printed(modules: NDArray[np.bool_], look: Look, chance: np.random.Generator) -> tuple[Real, float]:
    """Ink of the label, 0 to 1, CANVAS pixels a module, and the width of its margin in pixels."""
    margin = round(3 * CANVAS)
    high, wide = (count * CANVAS + 2 * margin for count in modules.shape)
    ink = np.zeros((high, wide), np.float32)
    if look.dot is None:
        solid = np.kron(modules, np.ones((CANVAS, CANVAS))).astype(np.float32)
        ink[margin:-margin, margin:-margin] = solid
        reach = round(abs(look.growth) * CANVAS)
        if reach:
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach + 1, reach + 1))
            ink = (cv2.dilate if look.growth > 0 else cv2.erode)(ink, kernel).astype(np.float32)
    else:
        for row, column in np.argwhere(modules):
            off = chance.normal(0, look.dot_jitter, 2)
            x, y = ((at + 0.5 + move) * CANVAS + margin for at, move in ((column, off[0]), (row, off[1])))
            radius = look.dot * CANVAS / 2 * chance.uniform(0.92, 1.08)
            cv2.circle(ink, (round(x * 16), round(y * 16)), round(radius * 16), 1.0, -1, cv2.LINE_AA, 4)
    for mark in look.marks:
        mark(ink, chance)
    return ink, float(margin)


def scratches(count: int, width: float) -> Mark:
    """Lines across the symbol, some scraped off, some smeared on."""

    def mark(ink: Real, chance: np.random.Generator) -> None:
        size = np.array(ink.shape[::-1])
        for _ in range(count):
            angle, half = chance.uniform(0, math.pi), chance.uniform(0.15, 0.5)
            along = np.array([math.cos(angle), math.sin(angle)]) * half * size
            middle = size / 2 + chance.uniform(-0.3, 0.3, 2) * size
            bend = chance.normal(0, 0.03, 2) * size
            points = np.array([middle - along, middle + bend, middle + along])
            level = float(chance.random() < 0.35)
            cv2.polylines(ink, [points.astype(np.int32)], False, level, max(1, round(width * CANVAS)), cv2.LINE_AA)

    return mark


def broken_finder(share: float) -> Mark:
    """A part of the solid legs and of the dashed edges gone, about `share` of one of them."""

    def mark(ink: Real, chance: np.random.Generator) -> None:
        size = ink.shape[0] - 6 * CANVAS
        edges = chance.permutation(4)[: 1 + int(chance.random() < 0.5)]
        for edge in edges:
            length, thick = share * size * chance.uniform(0.7, 1.2), CANVAS * chance.uniform(1.1, 2.0)
            begin = 3 * CANVAS + chance.uniform(0, max(1.0, size - length))
            level = 0.0 if chance.random() < 0.75 else 1.0
            low = 3 * CANVAS - 0.5 * CANVAS
            high = 3 * CANVAS + size + 0.5 * CANVAS
            a, b = (low, low + thick) if edge in (0, 1) else (high - thick, high)
            box = (begin, a, begin + length, b) if edge % 2 else (a, begin, b, begin + length)
            left, top, right, bottom = map(round, box)
            ink[top:bottom, left:right] = level

    return mark


def crowded(gap: float) -> Mark:
    """Print that comes up to `gap` modules from the symbol on one to four sides: bars, a frame or letters."""

    def mark(ink: Real, chance: np.random.Generator) -> None:
        size, reach = ink.shape[0], round((3 - gap) * CANVAS)
        for side in chance.permutation(4)[: chance.integers(1, 5)]:
            strip = np.zeros((reach, size), np.float32)
            style = chance.integers(3)
            if style == 0:
                strip[-max(2, round(CANVAS * chance.uniform(0.4, 1.5))) :] = 1.0
            elif style == 1:
                strip[:] = 1.0
            else:
                text = "".join(chance.choice(list(ALPHABET), 30))
                write(strip, text, (0, reach - 1), reach / 24, 1.0, 3)
            turned = np.rot90(strip, -side)
            if side == 0:
                ink[:reach] = np.maximum(ink[:reach], turned)
            elif side == 1:
                ink[:, -reach:] = np.maximum(ink[:, -reach:], turned)
            elif side == 2:
                ink[-reach:] = np.maximum(ink[-reach:], turned)
            else:
                ink[:, :reach] = np.maximum(ink[:, :reach], turned)

    return mark
