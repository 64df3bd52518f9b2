"""ECC 200: every size as a real encoder draws it, errors and erasures mended, and chance never taken for a symbol."""

import numpy as np
import pytest
import zxingcpp

from packtrace_scanner.ecc200 import SIZES, Size, _positions, correct, finder, fixed
from packtrace_scanner.grid import ENOUGH_PROOF
from packtrace_scanner.zxing import meaning

Modules = np.ndarray

NOT_DRAWN = {(8, 18), (12, 36), (48, 48), (52, 52)}  # zxing-cpp's encoder takes others of the same capacity


def drawn(text: str, *, square: bool) -> Modules:
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix, forceSquare=square)
    dark = np.array(code.to_image(scale=1, add_quiet_zones=False)) < 128
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    return dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _samples() -> dict[Size, tuple[str, Modules]]:
    by_shape = {(size.rows, size.columns): size for size in SIZES}
    found: dict[Size, tuple[str, Modules]] = {}
    random = np.random.default_rng(1)
    for length in range(1, 150):
        text = "".join(random.choice(list("ABCabc0189"), length))
        for square in (True, False):
            modules = drawn(text, square=square)
            if size := by_shape.get(modules.shape):
                found.setdefault(size, (text, modules))
    return found


SAMPLES = _samples()


def test_sizes_that_an_encoder_draws_are_all_here() -> None:
    assert {(size.rows, size.columns) for size in SIZES} - {(s.rows, s.columns) for s in SAMPLES} == NOT_DRAWN


@pytest.mark.parametrize("size", SAMPLES, ids=lambda size: f"{size.rows}x{size.columns}")
def test_symbol_as_drawn_is_right_and_says_its_text(size: Size) -> None:
    text, modules = SAMPLES[size]
    symbol = correct(modules, size)
    assert symbol is not None
    assert (symbol.wrong, symbol.doubted) == (0, 0)
    assert np.array_equal(symbol.modules, modules)
    assert np.array_equal(finder(size)[fixed(size)], modules[fixed(size)])
    assert meaning(symbol.modules) == ("]d1", text)


@pytest.mark.parametrize("size", SAMPLES, ids=lambda size: f"{size.rows}x{size.columns}")
def test_as_many_errors_and_erasures_as_can_be_mended_are(size: Size) -> None:
    _, modules = SAMPLES[size]
    random = np.random.default_rng(2)
    words = _positions(size)
    for doubted in range(0, size.correction + 1, 3):
        spoiled, certainty = modules.copy(), np.ones(modules.shape)
        errors = (size.correction - doubted) // 2
        chosen = words[random.permutation(len(words))[: doubted + errors]]
        for word in chosen[:doubted]:
            spoiled.ravel()[word] = random.random(8) < 0.5
            certainty.ravel()[word] = 0
        for word in chosen[doubted:]:
            spoiled.ravel()[word[random.integers(8)]] ^= True
        symbol = correct(spoiled, size, certainty, doubted)
        assert symbol is not None
        assert np.array_equal(symbol.modules, modules)
        assert (symbol.wrong, symbol.doubted) == (errors, doubted)
        spare = size.correction - doubted - errors
        assert symbol.proof <= 8 * spare


def test_one_error_too_many_is_refused_or_proves_little() -> None:
    for size, (_, modules) in SAMPLES.items():
        random = np.random.default_rng(3)
        for _ in range(20):
            spoiled = modules.copy()
            data = np.argwhere(~fixed(size))
            for row, column in data[random.permutation(len(data))[: 4 * size.correction]]:
                spoiled[row, column] ^= True
            symbol = correct(spoiled, size)
            assert symbol is None or symbol.proof < ENOUGH_PROOF or np.array_equal(symbol.modules, modules)


def test_chance_is_no_symbol() -> None:
    random = np.random.default_rng(4)
    for size in SIZES:
        for _ in range(60):
            modules, certainty = (
                random.random((size.rows, size.columns)) < 0.5,
                random.random((size.rows, size.columns)),
            )
            for doubted in (0, size.correction // size.blocks // 2):
                symbol = correct(modules, size, certainty, doubted)
                assert symbol is None or symbol.proof < ENOUGH_PROOF


def test_everything_erased_proves_nothing() -> None:
    size = next(iter(SAMPLES))
    modules = np.random.default_rng(5).random((size.rows, size.columns)) < 0.5
    symbol = correct(modules, size, np.ones(modules.shape), size.correction)
    assert symbol is not None  # any word is one, when all its correction is used to guess the rest
    assert symbol.proof <= 0


def test_blank_field_says_nothing() -> None:
    for size in SIZES:
        blank = correct(np.zeros((size.rows, size.columns), np.bool_), size)
        assert blank is not None  # the codeword of zeros only, whose proof is that of a whole symbol
        assert meaning(blank.modules) is None
