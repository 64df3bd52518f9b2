"""Pictures that are hard to read, made from a seed: GS1 DataMatrix as cameras really see it, and scenes without any.

Each of the kinds of difficulty comes 20 times, with the truth beside it: what each code says and where it is. The
strengths are set so that a good general decoder (zxing-cpp, all its `try` options on) reads about three codes of four.
The same seed gives the same pictures; the seed of the figures is never used for tuning.
"""

from collections.abc import Iterator

import numpy as np

from benchmarks.hard_pictures.camera import Code, Picture, seen
from benchmarks.hard_pictures.empty import empty_pictures
from benchmarks.hard_pictures.kinds import KINDS, MORE_KINDS
from benchmarks.hard_pictures.printing import Look, element_string, symbol

__all__ = [
    "FIGURES_SEED",
    "KINDS",
    "MORE_KINDS",
    "PICTURES",
    "TUNING_SEED",
    "Code",
    "Picture",
    "easy_pictures",
    "element_string",
    "empty_pictures",
    "picture",
    "pictures",
    "symbol",
]

PICTURES = 20
"""Pictures of each kind."""
TUNING_SEED, FIGURES_SEED = 20_261_128, 97_531

_ALL = {**KINDS, **MORE_KINDS}
_EASY = 1000


def pictures(seed: int, kinds: tuple[str, ...] | None = None, count: int = PICTURES) -> Iterator[Picture]:
    """`count` pictures of each of these kinds (default: of all of KINDS), each with one code or more."""
    for kind in kinds or tuple(KINDS):
        for number in range(count):
            yield picture(kind, seed, number)


def picture(kind: str, seed: int, number: int, says: tuple[str, str] | None = None) -> Picture:
    """The picture of one kind, seed and number; `says` is its one code's data, bracketed and as a decoder gives it."""
    chance = np.random.default_rng([seed, list(_ALL).index(kind), number])
    return _ALL[kind](kind, chance, number, says)


def easy_pictures(seed: int, count: int = PICTURES) -> Iterator[Picture]:
    """Codes as a steady hand in good light shows them."""
    for number in range(count):
        chance = np.random.default_rng([seed, _EASY, number])
        yield seen("easy", chance, [Look(module=chance.uniform(4.5, 7), degrees=chance.uniform(-10, 10))])
