"""The search in hard pictures: what each stage alone rescues, no wrong and no false read, positions, time limits."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest
import zxingcpp

from benchmarks.hard_pictures import (
    KINDS,
    MORE_KINDS,
    TUNING_SEED,
    Picture,
    easy_pictures,
    element_string,
    empty_pictures,
    picture,
    symbol,
)
from benchmarks.hard_pictures.printing import RECTANGLES
from packtrace_scanner import dmtx, search, zxing
from packtrace_scanner.confirmation import confirmed
from packtrace_scanner.decoders import Decoder
from packtrace_scanner.regions import regions
from packtrace_scanner.search import Search
from packtrace_scanner.symbols import Reading

OTHER_SEED = 555
OFTEN = 0.95  # of the codes; the figures are in benchmarks/results
PIXELS = 3.0


def gs1(reading: Reading) -> bool:
    return reading.symbology == "]d2"


def decoder() -> Decoder:
    return Decoder(gs1, clock=time.process_time)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)


def test_same_seed_gives_the_same_pictures_and_another_seed_others() -> None:
    for kind in ("rotation", "several codes", "everything"):
        one, again, other = picture(kind, 5, 3), picture(kind, 5, 3), picture(kind, 6, 3)
        assert np.array_equal(one.gray, again.gray)
        assert one.codes == again.codes
        assert not np.array_equal(one.gray, other.gray)
        assert one.gray.shape == (720, 1280)
    empty, same = (list(islice(empty_pictures(5), 7)) for _ in range(2))
    assert all(np.array_equal(one.gray, other.gray) for one, other in zip(empty, same, strict=True))


def test_truth_of_a_picture_is_what_another_decoder_reads_in_it_and_where() -> None:
    for made in easy_pictures(TUNING_SEED, 3):
        (code,) = made.codes
        (found,) = zxingcpp.read_barcodes(made.gray, text_mode=zxingcpp.TextMode.Plain)
        assert (found.symbology_identifier, found.text) == ("]d2", code.text)
        assert found.position.top_left.x == pytest.approx(code.corners[0][0], abs=PIXELS)
        assert found.position.top_left.y == pytest.approx(code.corners[0][1], abs=PIXELS)


def test_each_rectangular_size_is_drawn_and_another_decoder_reads_it() -> None:
    for size in RECTANGLES:
        bracketed, text = element_string(np.random.default_rng(7), size)
        modules = symbol(bracketed, size)
        assert f"{modules.shape[0]}x{modules.shape[1]}" == size
        drawn = np.pad(np.where(modules, 0, 255), 2, constant_values=255).astype(np.uint8)
        (found,) = zxingcpp.read_barcodes(drawn.repeat(4, 0).repeat(4, 1), text_mode=zxingcpp.TextMode.Plain)
        assert (found.symbology_identifier, found.text) == ("]d2", text)


def test_old_kinds_are_the_pictures_that_they_were() -> None:
    """Kinds that are added come behind: the 408 codes of the figures stay comparable."""
    sums = [int(picture(kind, TUNING_SEED, 0).gray.sum()) for kind in ("rotation", "scratches", "everything")]
    assert sums == [165_057_752, 187_962_444, 110_401_244]
    assert list(MORE_KINDS) == ["cluttered ground", "rectangular"]


@pytest.fixture(scope="module")
def hard() -> list[Picture]:
    return [picture(kind, TUNING_SEED, number) for kind in KINDS for number in range(3)]


def test_hard_pictures_are_read_and_never_wrong(hard: list[Picture]) -> None:
    codes = read = 0
    for made in hard:
        truth = {code.text: np.array(code.corners) for code in made.codes}
        found = decoder().read_live(made.gray)
        for reading in found:
            assert reading.text in truth, f"read wrong in {made.kind}"
            off = np.abs(np.sort(np.array(reading.corners), axis=0) - np.sort(truth[reading.text], axis=0))
            assert off.max() <= (PIXELS if reading.decoder in ("lattice", "refit") else 8 * PIXELS)
        codes += len(truth)
        read += len({reading.text for reading in found if reading.certain})
    assert read >= OFTEN * codes


def test_time_limits_are_kept_with_room_for_a_slow_machine(hard: list[Picture]) -> None:
    taken = []
    for made in hard[::3]:
        begun = time.process_time()
        decoder().read_live(made.gray)
        taken.append(time.process_time() - begun)
    assert max(taken) < 1.0
    assert sum(taken) / len(taken) < 0.3


@pytest.mark.parametrize(
    ("kind", "number", "stage"),
    [
        ("scratches", 0, "follow_lattices"),
        ("scratches", 5, "follow_lattices"),
        ("hard-edged light", 1, "refit"),
        ("blur", 2, "refit"),
        ("print growth", 3, "read_crops"),
        ("perspective", 5, "read_crops"),
    ],
)
def test_stage_alone_rescues_a_picture(kind: str, number: int, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = picture(kind, TUNING_SEED, number)
    truth = {code.text for code in made.codes}
    assert {reading.text for reading in decoder().read_live(made.gray) if reading.certain} == truth
    monkeypatch.setattr(search._Work, stage, lambda *_, **__: None)
    assert {reading.text for reading in decoder().read_live(made.gray)} != truth


def test_quick_look_alone_reads_none_of_these() -> None:
    for kind, number in (
        ("scratches", 0),
        ("hard-edged light", 1),
        ("blur", 2),
        ("print growth", 3),
        ("perspective", 5),
    ):
        assert zxing.read(picture(kind, TUNING_SEED, number).gray) == []


def test_libdmtx_reads_what_no_other_stage_does(monkeypatch: pytest.MonkeyPatch) -> None:
    made = picture("perspective", OTHER_SEED, 14)
    found = decoder().read_live(made.gray)
    assert [(reading.text, reading.decoder, reading.certain) for reading in found] == [
        (made.codes[0].text, "libdmtx", True)
    ]
    monkeypatch.setattr(search._Work, "ask_libdmtx", lambda *_, **__: None)
    assert decoder().read(made.gray) == []


@pytest.mark.parametrize(("kind", "number"), [("rectangular", 23), ("cluttered ground", 34)])
def test_thorough_search_finds_what_lies_hidden(kind: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among print, or longer than the windows are: places that only a still picture or the background has time for."""
    made = picture(kind, TUNING_SEED, number)
    assert [(reading.text, reading.certain) for reading in decoder().read(made.gray) if reading.is_matrix] == [
        (made.codes[0].text, True)
    ]
    monkeypatch.setattr(search, "hidden_regions", lambda *_: [])
    assert not any(reading.is_matrix for reading in decoder().read(made.gray))


def test_new_kinds_are_read_and_never_wrong() -> None:
    codes = read = 0
    for made in (picture(kind, TUNING_SEED, number) for kind in MORE_KINDS for number in range(6)):
        truth = {code.text for code in made.codes}
        found = [reading for reading in decoder().read(made.gray) if reading.is_matrix]
        assert {reading.text for reading in found} <= truth, f"read wrong in {made.kind}"
        codes += len(truth)
        read += sum(reading.certain for reading in found)
    assert read >= 0.8 * codes


@pytest.mark.parametrize("seed", [TUNING_SEED, OTHER_SEED])
def test_picture_without_a_data_matrix_gives_none(seed: int) -> None:
    for made in islice(empty_pictures(seed), 15):
        eye = decoder()
        assert not any(reading.is_matrix for reading in [*eye.read_live(made.gray), *eye.read(made.gray)])


def test_reading_is_certain_only_if_its_modules_say_the_same() -> None:
    made = next(easy_pictures(TUNING_SEED, 1))
    (reading,) = zxing.read(made.gray)
    assert not reading.certain
    assert confirmed(made.gray, reading).certain
    assert not confirmed(made.gray, replace(reading, text=reading.text[:-1] + "?")).certain
    assert not confirmed(made.gray, replace(reading, symbology="]d1")).certain
    moved = tuple((x + 200, y) for x, y in reading.corners)
    assert not confirmed(made.gray, replace(reading, corners=moved)).certain  # type: ignore[arg-type]


@pytest.mark.parametrize("turns", range(4))
def test_reading_is_confirmed_however_its_outline_begins(turns: int) -> None:
    made = next(easy_pictures(TUNING_SEED, 1))
    (reading,) = zxing.read(made.gray)
    a, b, c, d = np.roll(np.array(reading.corners), turns, axis=0).tolist()
    assert confirmed(made.gray, replace(reading, corners=(tuple(a), tuple(b), tuple(c), tuple(d)))).certain


def test_search_stops_when_its_time_is_over() -> None:
    made = picture("scratches", TUNING_SEED, 0)
    late = iter(range(0, 1_000_000, 10))
    assert Search(lambda: float(next(late))).find(made.gray, [], limit=1.0) == []
    assert Search(time.process_time).find(made.gray, [], limit=10.0)


def test_place_of_a_symbol_is_among_the_likeliest() -> None:
    for kind in ("dot print", "blur", "hard-edged light"):
        made = picture(kind, TUNING_SEED, 1)
        x, y = np.mean(made.codes[0].corners, axis=0)
        assert any(
            abs(place.x - x) < 0.3 * place.side and abs(place.y - y) < 0.3 * place.side
            for place in regions(made.gray, 4)
        )


def label(plain: str | None = None) -> np.ndarray:
    if plain is None:
        bracketed, _ = element_string(np.random.default_rng(7))
        modules = symbol(bracketed)
        picture_of = np.pad(np.where(modules, 0, 255), 4, constant_values=255)
        return picture_of.repeat(5, 0).repeat(5, 1).astype(np.uint8)
    return np.array(zxingcpp.create_barcode(plain, zxingcpp.BarcodeFormat.DataMatrix).to_image(scale=5))


def test_libdmtx_keeps_every_fnc1() -> None:
    _, text = element_string(np.random.default_rng(7))
    found = dmtx.Libdmtx().read(label(), 1.0)
    assert found is not None
    assert found.data == b"\x1d" + text.encode()
    assert "\x1d" in text
    xs, ys = [x for x, _ in found.corners], [y for _, y in found.corners]
    assert (min(xs), min(ys)) == pytest.approx((20, 20), abs=PIXELS)
    assert (max(xs), max(ys)) == pytest.approx((label().shape[1] - 20, label().shape[0] - 20), abs=PIXELS)


def test_libdmtx_tells_plain_data_and_nothing_apart() -> None:
    found = dmtx.Libdmtx().read(np.pad(label("PLAIN 123"), 30, constant_values=255), 1.0)
    assert found is not None
    assert found.data == b"PLAIN 123"
    assert dmtx.Libdmtx().read(np.full((200, 200), 255, np.uint8), 0.05) is None


def test_missing_libdmtx_is_told_once_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dmtx, "find_library", lambda _: None)
    told: list[str] = []
    eye = Decoder(gs1, told.append)
    blank = next(empty_pictures(TUNING_SEED, 1)).gray
    eye.read(blank)
    eye.read(blank)
    assert len(told) == 1
    assert "install the package libdmtx0t64" in told[0]
    made = picture("scratches", TUNING_SEED, 0)
    assert [reading.text for reading in eye.read(made.gray)] == [made.codes[0].text]
