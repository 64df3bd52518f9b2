"""Live sources: two frames that agree before an uncertain reading counts, and the newest frame in the background."""

import threading
import time

import numpy as np
import pytest
import zxingcpp

from benchmarks.hard_pictures import TUNING_SEED, easy_pictures, picture
from packtrace_scanner.live import AGREE_WITHIN, PATIENCE, Agreement, Background, LiveDecoder, Sight
from packtrace_scanner.symbols import Corners, Reading, merge

CORNERS: Corners = ((0, 0), (9, 0), (9, 9), (0, 9))
SURE = Reading("]d2", "sure", CORNERS, "a")
UNSURE = Reading("]d2", "unsure", CORNERS, "a", certain=False)
BLANK = np.full((720, 1280), 200, np.uint8)
LONG = 20.0


def test_certain_reading_counts_at_once_and_an_uncertain_one_when_a_second_frame_agrees() -> None:
    agreement = Agreement()
    assert agreement.counted([SURE, UNSURE]) == [SURE]
    assert agreement.counted([]) == []
    assert agreement.counted([UNSURE]) == [UNSURE]


def test_one_frame_that_says_it_twice_does_not_agree_with_itself() -> None:
    assert Agreement().counted([UNSURE, UNSURE]) == []


def test_different_uncertain_readings_do_not_agree() -> None:
    agreement = Agreement()
    for text in ("one", "two", "three"):
        assert agreement.counted([Reading("]d2", text, CORNERS, "a", certain=False)]) == []


def test_uncertain_reading_of_long_ago_does_not_agree() -> None:
    agreement = Agreement()
    agreement.counted([UNSURE])
    for _ in range(AGREE_WITHIN):
        agreement.counted([])
    assert agreement.counted([UNSURE]) == []


def test_two_decoders_that_agree_make_a_reading_certain() -> None:
    other = Reading("]d2", "unsure", CORNERS, "b", certain=False)
    assert merge([UNSURE, other]) == [Reading("]d2", "unsure", CORNERS, "a")]
    assert merge([UNSURE, UNSURE]) == [UNSURE]


def test_background_reads_the_newest_frame_only() -> None:
    begun, go_on = threading.Event(), threading.Event()
    seen: list[int] = []

    def read(gray: np.ndarray) -> list[Reading]:
        seen.append(int(gray[0, 0]))
        begun.set()
        go_on.wait(LONG)
        return [Reading("]d2", str(gray[0, 0]), CORNERS, "a")]

    background = Background(read)
    frames = [np.full((1, 1), number, np.uint8) for number in range(4)]
    background.offer(frames[0], 0)
    assert begun.wait(LONG)
    for number, frame in enumerate(frames[1:], 1):
        background.offer(frame, number)
    go_on.set()
    assert [(number, reading.text) for number, reading in background.finish(LONG)] == [(0, "0"), (3, "3")]
    assert seen == [0, 3]
    assert background.take() == []
    background.close()


def test_failure_in_the_background_reaches_the_one_who_takes() -> None:
    def read(_: np.ndarray) -> list[Reading]:
        raise MemoryError("no more")

    background = Background(read)
    background.offer(BLANK, 1)
    with pytest.raises(MemoryError, match="no more"):
        background.finish(LONG)
    background.close()


def test_live_decoder_reads_an_easy_frame_at_once() -> None:
    made = next(easy_pictures(TUNING_SEED, 1))
    with LiveDecoder(lambda _: True, pytest.fail) as live:
        assert [reading.text for reading in live.read(made.gray)] == [made.codes[0].text]


def test_frame_too_hard_for_its_time_is_read_in_the_background() -> None:
    made = picture("hard-edged light", TUNING_SEED, 17)
    found: list[Reading] = []
    with LiveDecoder(lambda _: True, lambda _: None) as live:
        for _ in range(PATIENCE + 1):
            found += live.read(made.gray)
        assert found == []
        found += live.finish(LONG)
    assert [reading.text for reading in found] == [made.codes[0].text]


def test_what_the_background_reads_of_the_same_frame_is_no_second_frame() -> None:
    barcode = zxingcpp.create_barcode("123456", zxingcpp.BarcodeFormat.DataMatrix)  # 10 x 10: it proves too little
    symbol = np.array(zxingcpp.write_barcode_to_image(barcode, scale=8))
    shown = BLANK.copy()
    shown[100 : 100 + symbol.shape[0], 100 : 100 + symbol.shape[1]] = symbol
    with LiveDecoder(lambda _: True, lambda _: None) as live:
        for _ in range(PATIENCE):
            assert live.read(BLANK) == []
        assert live.read(shown) == []
        assert live.finish(LONG) == []
        assert [reading.text for reading in live.read(shown)] == ["123456"]


def test_code_comes_anew_when_it_was_out_of_sight_and_is_forgotten_meanwhile() -> None:
    sight = Sight(3.0)
    came = [sight.comes(code, time) for code, time in [("a", 0.0), ("a", 2.0), ("b", 4.0), ("a", 5.0), ("a", 8.5)]]
    assert came == [True, False, True, False, True]
    for number in range(1000):  # a line's packs, one a second
        assert sight.comes(str(number), 10.0 + number)
    assert len(sight) == 4


def test_closing_ends_the_thread() -> None:
    before = threading.active_count()
    with LiveDecoder(lambda _: True, lambda _: None) as live:
        for _ in range(PATIENCE + 2):
            live.read(BLANK)
    deadline = time.monotonic() + LONG
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
