"""ECC 200, the error correction of Data Matrix (ISO/IEC 16022): from modules to corrected modules, with the proof.

The decoders of the field say what a symbol means, but not how much of it they had to mend. Here each module may also
be doubted (an erasure), and a result says how improbable it is that anything but a real symbol gave it: so a reading
near the limit of what can be corrected is never taken for a sure one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Modules = NDArray[np.bool_]
Indices = NDArray[np.intp]

_FIELD = 256
_POLYNOMIAL = 0x12D
"""ISO/IEC 16022, annex E: the field's polynomial; the generator's roots are 2^1, 2^2, and so on."""


@dataclass(frozen=True, slots=True)
class Size:
    """A symbol size (ISO/IEC 16022, table 7): modules with the finder, data regions, and codewords of all blocks."""

    rows: int
    columns: int
    regions_down: int
    regions_across: int
    data: int
    correction: int
    blocks: int

    @property
    def region(self) -> tuple[int, int]:
        """Rows and columns of one data region, without its finder."""
        return self.rows // self.regions_down - 2, self.columns // self.regions_across - 2


SIZES = tuple(
    Size(*row)
    for row in (
        (10, 10, 1, 1, 3, 5, 1),
        (12, 12, 1, 1, 5, 7, 1),
        (14, 14, 1, 1, 8, 10, 1),
        (16, 16, 1, 1, 12, 12, 1),
        (18, 18, 1, 1, 18, 14, 1),
        (20, 20, 1, 1, 22, 18, 1),
        (22, 22, 1, 1, 30, 20, 1),
        (24, 24, 1, 1, 36, 24, 1),
        (26, 26, 1, 1, 44, 28, 1),
        (32, 32, 2, 2, 62, 36, 1),
        (36, 36, 2, 2, 86, 42, 1),
        (40, 40, 2, 2, 114, 48, 1),
        (44, 44, 2, 2, 144, 56, 1),
        (48, 48, 2, 2, 174, 68, 1),
        (52, 52, 2, 2, 204, 84, 2),
        (8, 18, 1, 1, 5, 7, 1),
        (8, 32, 1, 2, 10, 11, 1),
        (12, 26, 1, 1, 16, 14, 1),
        (12, 36, 1, 2, 22, 18, 1),
        (16, 36, 1, 2, 32, 24, 1),
        (16, 48, 1, 2, 49, 28, 1),
    )
)
"""Sizes up to 52 x 52: the largest that a medicine pack could hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """A symbol whose errors are mended: all its modules, how many codewords were wrong or doubted, and the proof.

    `proof` is in bits: a chance word is taken for this symbol with a probability of 2 ** -proof.
    """

    modules: Modules
    wrong: int
    doubted: int
    proof: float


def correct(
    modules: Modules, size: Size, doubt: NDArray[np.float64] | None = None, doubted: int = 0
) -> Corrected | None:
    """The symbol that these modules (rows x columns, true where dark) are meant to be; None if too much is wrong.

    `doubt` gives each module's certainty, the least certain `doubted` codewords of a block count as erased.
    """
    order = _positions(size)
    bits = modules.ravel()[order]  # codewords x 8
    words = np.packbits(bits, axis=1)[:, 0].astype(np.intp)
    trust = doubt.ravel()[order].min(axis=1) if doubt is not None and doubted else None
    wrong, proof = 0, math.inf
    mended = words.copy()
    for block in _blocks(size):
        erased = np.argsort(trust[block], kind="stable")[:doubted] if trust is not None else np.empty(0, np.intp)
        result = _mend(words[block], size.correction // size.blocks, erased)
        if result is None:
            return None
        mended[block] = result
        changed = int(np.count_nonzero(np.delete(result != words[block], erased)))
        wrong += changed
        free = len(result) - len(erased)
        spare = size.correction // size.blocks - len(erased) - changed
        proof = min(proof, 8 * spare - math.log2(math.comb(free, changed)))
    drawn = finder(size).copy()
    drawn.ravel()[order] = np.unpackbits(mended.astype(np.uint8)[:, None], axis=1).astype(np.bool_)
    return Corrected(drawn, wrong, doubted * size.blocks, proof)


@cache
def finder(size: Size) -> Modules:
    """A symbol with all its fixed modules and no data: solid left and below, dashed above and right, of each region."""
    drawn = np.zeros((size.rows, size.columns), np.bool_)
    high, wide = size.region
    for top in range(0, size.rows, high + 2):
        for left in range(0, size.columns, wide + 2):
            drawn[top, left : left + wide + 2 : 2] = True
            drawn[top + 1 : top + high + 2 : 2, left + wide + 1] = True
            drawn[top : top + high + 2, left] = True
            drawn[top + high + 1, left : left + wide + 2] = True
    data_rows, data_columns = high * size.regions_down, wide * size.regions_across
    if data_rows * data_columns % 8 == 4:  # what no codeword fills, in the lower right corner
        for row, column in ((-1, -1), (-2, -2)):
            drawn.ravel()[_module(size, data_rows + row, data_columns + column)] = True
    drawn.setflags(write=False)
    return drawn


@cache
def fixed(size: Size) -> Modules:
    """Where the modules are that every symbol of this size has: all that no codeword fills."""
    mask = np.ones(size.rows * size.columns, np.bool_)
    mask[_positions(size)] = False
    return mask.reshape(size.rows, size.columns)


def _module(size: Size, row: int, column: int) -> int:
    """The index in the symbol of one place of the data matrix (which has no finders)."""
    high, wide = size.region
    row += 1 + row // high * 2
    column += 1 + column // wide * 2
    return row * size.columns + column


def _blocks(size: Size) -> Iterator[Indices]:
    """The codewords of each block, which are interleaved."""
    for block in range(size.blocks):
        yield np.arange(block, size.data + size.correction, size.blocks)


@cache
def _positions(size: Size) -> Indices:
    """The module of each bit of each codeword, the highest bit first (ISO/IEC 16022, annex F)."""
    high, wide = size.region
    rows, columns = high * size.regions_down, wide * size.regions_across
    taken: dict[tuple[int, int], bool] = {}
    words: list[list[int]] = []

    def at(row: int, column: int) -> int:
        if row < 0:
            row, column = row + rows, column + 4 - (rows + 4) % 8
        if column < 0:
            row, column = row + 4 - (columns + 4) % 8, column + columns
        taken[row, column] = True
        return _module(size, row, column)

    def place(shape: tuple[tuple[int, int], ...]) -> None:
        words.append([at(row, column) for row, column in shape])

    def utah(row: int, column: int) -> None:
        place(tuple((row + down, column + right) for down, right in _UTAH))

    def corner(shape: tuple[tuple[int, int], ...]) -> None:
        place(tuple((row + rows * (row < 0), column + columns * (column < 0)) for row, column in shape))

    row, column = 4, 0
    while row < rows or column < columns:
        if row == rows and column == 0:
            corner(_CORNERS[0])
        if row == rows - 2 and column == 0 and columns % 4:
            corner(_CORNERS[1])
        if row == rows - 2 and column == 0 and columns % 8 == 4:
            corner(_CORNERS[2])
        if row == rows + 4 and column == 2 and columns % 8 == 0:
            corner(_CORNERS[3])
        while row >= 0 and column < columns:
            if row < rows and column >= 0 and (row, column) not in taken:
                utah(row, column)
            row, column = row - 2, column + 2
        row, column = row + 1, column + 3
        while row < rows and column >= 0:
            if row >= 0 and column < columns and (row, column) not in taken:
                utah(row, column)
            row, column = row + 2, column - 2
        row, column = row + 3, column + 1
    return np.array(words, np.intp)


_UTAH = ((-2, -2), (-2, -1), (-1, -2), (-1, -1), (-1, 0), (0, -2), (0, -1), (0, 0))
# Where the pattern meets the corners, the codeword is split; negative is from the other end.
_CORNERS = (
    ((-1, 0), (-1, 1), (-1, 2), (0, -2), (0, -1), (1, -1), (2, -1), (3, -1)),
    ((-3, 0), (-2, 0), (-1, 0), (0, -4), (0, -3), (0, -2), (0, -1), (1, -1)),
    ((-3, 0), (-2, 0), (-1, 0), (0, -2), (0, -1), (1, -1), (2, -1), (3, -1)),
    ((-1, 0), (-1, -1), (0, -3), (0, -2), (0, -1), (1, -3), (1, -2), (1, -1)),
)


# Reed-Solomon with errors and erasures. Polynomials have the lowest power first.


def _tables() -> tuple[list[int], list[int]]:
    powers, logs, value = [0] * (2 * _FIELD), [0] * _FIELD, 1
    for exponent in range(_FIELD - 1):
        powers[exponent] = powers[exponent + _FIELD - 1] = value
        logs[value] = exponent
        value = value << 1 ^ (_POLYNOMIAL if value & 0x80 else 0)
    return powers, logs


_POWER, _LOG = _tables()
_POWERS, _LOGS = np.array(_POWER, np.intp), np.array(_LOG, np.intp)


def _mend(words: Indices, correction: int, erased: Indices) -> Indices | None:
    """The block's codewords, corrected; None if there are too many errors beside the erased places."""
    syndromes = _syndromes(words, correction)
    if not any(syndromes):
        return words
    length = len(words)
    exponents = [length - 1 - int(place) for place in erased]
    locator = [1]
    for exponent in exponents:
        locator = _times(locator, [1, _POWER[exponent]])
    locator = _berlekamp_massey(syndromes, locator)
    degree = len(locator) - 1
    if 2 * degree - len(exponents) > correction:
        return None
    values = _evaluate(locator, -np.arange(length))  # a root at 2^-e says that the word of power e is wrong
    powers = np.flatnonzero(values == 0)
    if len(powers) != degree:
        return None
    evaluator = _times(syndromes, locator)[:correction]
    slope = [coefficient if power % 2 else 0 for power, coefficient in enumerate(locator)][1:]
    above, below = _evaluate(evaluator, -powers), _evaluate(slope, -powers)
    if not below.all():
        return None
    # Forney: the first root is 2^1, so that no further power is needed.
    amounts = np.where(above == 0, 0, _POWERS[(_LOGS[above] - _LOGS[below]) % (_FIELD - 1)])
    mended = words.copy()
    mended[length - 1 - powers] ^= amounts
    return mended if not any(_syndromes(mended, correction)) else None


def _syndromes(words: Indices, correction: int) -> list[int]:
    places = np.flatnonzero(words)
    exponents = _LOGS[words[places]][:, None] + np.outer(len(words) - 1 - places, np.arange(1, correction + 1))
    return [int(value) for value in np.bitwise_xor.reduce(_POWERS[exponents % (_FIELD - 1)], axis=0)]


def _evaluate(polynomial: list[int], exponents: Indices) -> Indices:
    """The polynomial's values at these powers of two."""
    coefficients = np.array(polynomial, np.intp)
    places = np.flatnonzero(coefficients)
    if not len(places):
        return np.zeros(len(exponents), np.intp)
    table = _LOGS[coefficients[places]][:, None] + np.outer(places, exponents)
    return np.asarray(np.bitwise_xor.reduce(_POWERS[table % (_FIELD - 1)], axis=0))


def _times(one: list[int], other: list[int]) -> list[int]:
    product = [0] * (len(one) + len(other) - 1)
    for place, factor in enumerate(one):
        if factor:
            log = _LOG[factor]
            for power, value in enumerate(other):
                if value:
                    product[place + power] ^= _POWER[log + _LOG[value]]
    return product


def _berlekamp_massey(syndromes: list[int], erasures: list[int]) -> list[int]:
    """The locator of all errors, beginning with that of the erased places."""
    locator, before = list(erasures), list(erasures)
    known = len(erasures) - 1
    length, gap, last = known, 1, 1
    for step in range(known, len(syndromes)):
        off = syndromes[step]
        for power in range(1, min(len(locator) - 1, step) + 1):
            if locator[power] and syndromes[step - power]:
                off ^= _POWER[_LOG[locator[power]] + _LOG[syndromes[step - power]]]
        if off == 0:
            gap += 1
            continue
        ratio = _POWER[(_LOG[off] - _LOG[last]) % (_FIELD - 1)]
        longer = [0] * gap + [_POWER[_LOG[ratio] + _LOG[value]] if value else 0 for value in before]
        size = max(len(locator), len(longer))
        changed = [
            (locator[power] if power < len(locator) else 0) ^ (longer[power] if power < len(longer) else 0)
            for power in range(size)
        ]
        if 2 * length <= step + known:
            length, before, last, gap = step + 1 + known - length, locator, off, 1
        else:
            gap += 1
        locator = changed
    while locator[-1] == 0:
        locator.pop()
    return locator
