"""GS1-128 labels: what one decoder says of a bar code proves itself on its own bars, or does not count."""

import sys
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import zxingcpp

from benchmarks.hard_pictures.bars import damaged_label
from packtrace.errors import IdentifierError
from packtrace.gs1 import parse_scan, with_check_digit
from packtrace_scanner import code128, zxing
from packtrace_scanner.decoders import Decoder
from packtrace_scanner.frames import decode as decode_frame
from packtrace_scanner.live import Agreement
from packtrace_scanner.second_opinion import ZBAR, SecondOpinion, without_disputed
from packtrace_scanner.symbols import Corners, Reading, merge
from packtrace_scanner.zbar import ZBar

GTIN = "04012345123456"
SSCC = with_check_digit("34012345000000001")
CORNERS: Corners = ((0, 0), (90, 0), (90, 20), (0, 20))
OTHER_CORNERS: Corners = ((0, 60), (90, 60), (90, 80), (0, 80))

MISREAD = {
    1124: "00395331804848090046",
    9526: "01042471299701591727090310MNzWYY",  # as GS1 data there is nothing wrong with it
    24351: "010477659899712690JX2LrK5F",  # nor with this
}
"""Damaged labels, and what zxing-cpp reads on them."""
BOTH_MISREAD = 10_208, "010406346147038921CRW22KUC"
"""A label that libzbar reads wrong too, in the same way."""

Gray = np.ndarray


def bars(content: str, *, scale: int = 3, gs1: bool = True, quiet: int = 30) -> Gray:
    drawn = np.array(zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.Code128, gs1=gs1).to_image(scale=scale))
    dark = np.flatnonzero((drawn < 128).any(axis=0))
    return cv2.copyMakeBorder(drawn[:, dark[0] : dark[-1] + 1], 20, 20, quiet, quiet, cv2.BORDER_CONSTANT, value=255)


def said(readings: list[Reading]) -> list[tuple[str, str, bool]]:
    return [(reading.symbology, reading.text, reading.certain) for reading in readings]


def right(reading: Reading, truth: str) -> bool:
    return (reading.symbology, reading.text.replace("\x1d", "")) == ("]C1", truth)


def never(_: Reading) -> bool:
    """Never satisfied: every stage runs."""
    return False


# Code 128 decoded by ourselves.


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_every_character_of_every_code_set_is_decoded(scale: int) -> None:
    texts = ["".join(map(chr, range(begin, begin + 16))) for begin in range(0, 128, 16)] + ["0123456789", "A1234567B"]
    for text in texts:
        strip = cv2.resize(bars(text, scale=scale, gs1=False)[25:75], None, fx=3 / scale, fy=1)
        assert code128.decode(strip) == ("]C0", text)
        assert code128.decode(strip[:, ::-1]) == ("]C0", text)


def test_separator_and_what_is_gs1_are_kept() -> None:
    assert code128.decode(bars("[10]AB[37]3")[25:75]) == ("]C1", "10AB\x1d373")
    assert code128.decode(bars("[00]" + SSCC)[25:75]) == ("]C1", "00" + SSCC)
    assert code128.decode(bars("00" + SSCC, gs1=False)[25:75]) == ("]C0", "00" + SSCC)


def test_nothing_else_is_decoded() -> None:
    chance = np.random.default_rng(1)
    for strip in (np.full((12, 400), 255), np.zeros((12, 400)), chance.integers(0, 256, (12, 400)), np.zeros((1, 1))):
        assert code128.decode(strip.astype(np.uint8)) is None
    whole = bars("[00]" + SSCC)[25:75]
    for gone in range(40, 200, 7):
        assert code128.decode(whole[:, gone:]) is None
        assert code128.decode(whole[:, :-gone]) is None


# What counts.


@pytest.mark.parametrize("seed", MISREAD)
def test_what_one_decoder_misreads_is_not_certain(seed: int) -> None:
    truth, label = damaged_label(seed)
    (reading,) = zxing.read(label, zxing.LINEAR)
    assert (reading.text, reading.certain) == (MISREAD[seed], False)
    assert MISREAD[seed] != truth
    opinion = SecondOpinion().checked(label, reading)
    assert opinion is None or (not opinion.certain and opinion.seconded_by is None)
    assert not any(reading.certain for reading in Decoder(never).read(label))
    assert decode_frame(cv2.imencode(".png", label)[1].tobytes()) == []


def test_some_of_it_keeps_all_rules_of_gs1() -> None:
    """So it is not enough to rely on those."""
    valid = 0
    for text in MISREAD.values():
        try:
            parse_scan("]C1" + text)
        except IdentifierError:
            continue
        valid += 1
    assert valid == 2


def test_what_both_decoders_misread_is_not_certain_either() -> None:
    seed, text = BOTH_MISREAD
    truth, label = damaged_label(seed)
    assert [reading.text for reading in zxing.read(label, zxing.LINEAR)] == [text]
    assert [symbol.data.decode() for symbol in ZBar().read(label)] == [text]
    assert text != truth
    assert not any(reading.certain for reading in Decoder(never).read(label))


def test_damage_that_stays_from_frame_to_frame_is_never_counted() -> None:
    """One decoder reads it wrong again and again: two frames that agree prove nothing here."""
    _, label = damaged_label(9526)
    chance, agreement, eye = np.random.default_rng(2), Agreement(), Decoder(never)
    misread = 0
    for _ in range(12):
        seen = cv2.resize(label, None, fx=chance.uniform(0.9, 1.2), fy=1)
        frame = np.clip(seen + chance.normal(0, 4, seen.shape), 0, 255).astype(np.uint8)
        readings = eye.read_live(frame)
        misread += any(reading.text == MISREAD[9526] for reading in readings)
        assert agreement.counted(readings) == []
    assert misread >= 6


def test_damaged_labels_are_read_right_or_not_at_all() -> None:
    read = 0
    for seed in range(9_400, 9_700):
        truth, label = damaged_label(seed)
        found = [reading for reading in Decoder(never).read_live(label) if reading.certain]
        assert all(right(reading, truth) for reading in found)
        read += len(found)
    assert read > 25


def test_other_decoders_word_is_heard_where_the_bars_are_not_beyond_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code128, "decode", lambda _: None)
    label = bars("[00]" + SSCC)
    (reading,) = zxing.read(label, zxing.LINEAR)
    opinion = SecondOpinion().checked(label, reading)
    assert opinion is not None
    assert (opinion.certain, opinion.seconded_by) == (False, ZBAR)
    assert SecondOpinion().checked(label, replace(reading, text="00" + with_check_digit("3" * 17))) is None
    (other,) = SecondOpinion().read(label)
    opinion = SecondOpinion().checked(label, other)
    assert opinion is not None
    assert (opinion.certain, opinion.seconded_by) == (False, "zxing-cpp")


@pytest.mark.parametrize("reader", ["zxing-cpp", ZBAR])
@pytest.mark.parametrize("degrees", [0, 8, 90, 180, 188])
def test_reading_of_either_decoder_is_certain_by_its_bars(reader: str, degrees: int) -> None:
    label = bars("[00]" + SSCC)
    high, wide = label.shape
    turn = cv2.getRotationMatrix2D((wide / 2, high / 2), degrees, 1.0)
    turn[:, 2] += 400 - wide / 2, 300 - high / 2
    frame = cv2.warpAffine(label, turn, (800, 600), borderValue=255)
    second = SecondOpinion()
    (reading,) = zxing.read(frame, zxing.LINEAR) if reader == "zxing-cpp" else second.read(frame)
    assert not reading.certain
    assert second.checked(frame, reading) == replace(reading, certain=True)


def test_damage_on_a_part_of_the_height_leaves_the_rest_certain() -> None:
    label = bars("[00]" + SSCC)
    label[20:90, 100:140] = 0
    assert said(Decoder(never).read(label)) == [("]C1", "00" + SSCC, True)]


def test_bars_that_say_two_things_say_nothing() -> None:
    upper, lower = (bars(content) for content in ("[00]" + SSCC, "[00]" + with_check_digit("34012345000000002")))
    upper[85:] = lower[85:]
    (reading, *_) = zxing.read(upper[:85], zxing.LINEAR)
    whole = replace(reading, corners=tuple((x, 150 if y > 40 else y) for x, y in reading.corners))  # type: ignore[arg-type]
    assert SecondOpinion().checked(upper, whole) is None


@pytest.mark.parametrize("symbology", ["]C1", "]Q1"])
def test_reading_without_a_place_stays_as_it_is(symbology: str) -> None:
    reading = Reading(symbology, "1", ((0, 0),) * 4, ZBAR, certain=False)
    assert SecondOpinion().checked(bars("[00]" + SSCC), reading) == reading


def test_plain_code_128_never_becomes_gs1() -> None:
    label = bars("00" + SSCC, gs1=False)
    assert said(Decoder(never).read(label)) == [("]C0", "00" + SSCC, True)]
    (reading,) = zxing.read(label, zxing.LINEAR)
    assert SecondOpinion().checked(label, replace(reading, symbology="]C1")) is None


@pytest.mark.parametrize("cut", [0.05, 0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("end", ["left", "right"])
def test_cut_label_is_not_read(cut: float, end: str) -> None:
    label = bars(f"[01]{GTIN}[21]ABC123")
    gone = 30 + round(cut * (label.shape[1] - 60))
    rest = label[:, gone:] if end == "left" else label[:, : label.shape[1] - gone]
    scene = cv2.copyMakeBorder(rest, 80, 80, 120, 120, cv2.BORDER_CONSTANT, value=210)
    assert Decoder(never).read(scene) == []


@pytest.mark.parametrize("quiet", [30, 12, 5])
def test_two_labels_side_by_side_are_two_readings_or_fewer_and_never_a_mixture(quiet: int) -> None:
    contents = f"[01]{GTIN}[21]ABC123", "[00]" + SSCC
    scene = cv2.copyMakeBorder(
        np.hstack([bars(content, quiet=quiet) for content in contents]), 90, 90, 90, 90, cv2.BORDER_CONSTANT, value=255
    )
    truth = {content.replace("[", "").replace("]", "") for content in contents}
    found = {reading.text for reading in Decoder(never).read(scene) if reading.certain}
    assert found == truth if quiet == 30 else found <= truth  # 30 pixels are 10 modules, the least that GS1 allows


def test_labels_one_above_the_other_are_all_read() -> None:
    contents = "[02]" + GTIN + "[37]12", "[00]" + SSCC
    scene = cv2.copyMakeBorder(bars(contents[0]), 60, 200, 60, 240, cv2.BORDER_CONSTANT, value=255)
    second = bars(contents[1])
    scene[220 : 220 + second.shape[0], 60 : 60 + second.shape[1]] = second
    assert {text for _, text, certain in said(Decoder(never).read(scene)) if certain} == {
        content.replace("[", "").replace("]", "") for content in contents
    }


def test_label_is_certain_without_libzbar_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyzbar", None)
    assert said(Decoder(never, lambda _: None).read(bars("[00]" + SSCC))) == [("]C1", "00" + SSCC, True)]


# Of several opinions.


def test_two_frames_and_two_decoders_make_a_bar_code_count() -> None:
    one = Reading("]C1", "1", CORNERS, "zxing-cpp", certain=False)
    agreement = Agreement()
    assert agreement.counted([one]) == []
    assert agreement.counted([one]) == []
    other = replace(one, decoder=ZBAR)
    assert agreement.counted([other]) == [other]
    agreement = Agreement()
    both = one.seconded(ZBAR)
    assert agreement.counted([both]) == []
    assert agreement.counted([both]) == [both]


def test_two_decoders_that_agree_do_not_make_a_bar_code_certain() -> None:
    one = Reading("]C1", "1", CORNERS, "zxing-cpp", certain=False)
    assert merge([one, replace(one, decoder=ZBAR)]) == [replace(one, seconded_by=ZBAR)]
    assert merge([one, replace(one, decoder=ZBAR, certain=True)]) == [replace(one, certain=True)]


def test_bar_codes_that_contradict_each_other_at_one_place_are_none() -> None:
    one = Reading("]C1", "1", CORNERS, "zxing-cpp", certain=False)
    other = replace(one, text="2", decoder=ZBAR)
    elsewhere = replace(other, corners=OTHER_CORNERS)
    assert without_disputed([one, other]) == []
    assert without_disputed([one, elsewhere]) == [one, elsewhere]
    assert without_disputed([replace(one, certain=True), other]) == [replace(one, certain=True)]


# QR Code.


def spoiled_qr(errors: int, draw: Callable[[Gray], Gray] = lambda gray: gray) -> Gray:
    code = zxingcpp.create_barcode("https://id.gs1.org/01/" + GTIN + "/21/A1B2C3", zxingcpp.BarcodeFormat.QRCode)
    drawn = np.array(code.to_image(scale=6))
    middle = drawn.shape[0] // 2
    drawn[middle : middle + 6 * errors, middle - 30 : middle + 30] = 0
    return draw(drawn)


def test_qr_code_is_certain_if_it_needed_less_than_half_of_its_error_correction() -> None:
    (reading,) = zxing.read(spoiled_qr(0))
    assert reading.certain
    needed = [zxing.read(spoiled_qr(errors)) for errors in range(1, 12)]
    doubtful = [found[0] for found in needed if found and not found[0].certain]
    assert doubtful
    assert {reading.text for reading in doubtful} == {reading.text}


def test_qr_code_that_is_not_certain_is_so_if_libzbar_says_the_same() -> None:
    for errors in range(1, 12):
        picture = spoiled_qr(errors)
        found = zxing.read(picture)
        if found and not found[0].certain and ZBar().read(picture):
            assert SecondOpinion().checked(picture, found[0]) == replace(found[0], certain=True)
            assert SecondOpinion().checked(picture, replace(found[0], text="https://id.gs1.org/01/1")) is None
            return
    pytest.fail("no picture that both read")
