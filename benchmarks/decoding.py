"""Reading one camera frame of 1280x720 pixels: hard pictures, easy ones, and scenes without any DataMatrix.

The pictures come from a seed that was never used for tuning. Times are CPU time of one core, so that a busy machine
does not change them much; OpenCV has one thread.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import cv2
import zxingcpp

from benchmarks.hard_pictures import (
    FIGURES_SEED,
    KINDS,
    MORE_KINDS,
    PICTURES,
    Picture,
    easy_pictures,
    empty_pictures,
    pictures,
)
from benchmarks.hard_pictures.bars import damaged_label
from benchmarks.measuring import Bench, Figure, at_least, at_most
from packtrace_scanner import zxing
from packtrace_scanner.decoders import Decoder
from packtrace_scanner.reading import is_item

EMPTY, LABELS, QUICK = 150, 1000, 2
"""Pictures without a DataMatrix; damaged bar code labels; pictures of each kind where it is only to be seen that it
works."""

READ = at_least(97)  # %
MEAN, LONGEST = at_most(60), at_most(250)  # ms
EASY, WITHOUT = at_most(15), at_most(40)  # ms
NONE = at_most(0)


@dataclass(slots=True)
class _Tally:
    """What became of the codes in some pictures."""

    codes: int = 0
    read: int = 0
    wrong: int = 0
    taken: list[float] = field(default_factory=list)  # ms of each picture

    @property
    def percent(self) -> float:
        return self.read / self.codes * 100

    @property
    def mean(self) -> float:
        return sum(self.taken) / len(self.taken)


def measure(bench: Bench) -> Iterator[Figure]:
    count = QUICK if bench.quick else PICTURES
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield from _hard(count)
        for kind in MORE_KINDS:
            yield from _more(kind, count)
        yield from _bar_codes(LABELS if not bench.quick else 20)
        easy = _tally(easy_pictures(FIGURES_SEED, count))
        yield Figure("an easy frame, mean", easy.mean, "ms", EASY)
        yield Figure("codes in easy frames that were read", easy.percent, "%", at_least(100))
        without = _tally(islice(empty_pictures(FIGURES_SEED), EMPTY if not bench.quick else 5))
        yield Figure("a frame without a DataMatrix, mean", without.mean, "ms", WITHOUT)
        yield Figure("DataMatrix read where there is none", without.wrong, "readings", NONE)
    finally:
        cv2.setNumThreads(threads)


def _hard(count: int) -> Iterator[Figure]:
    total, plain = _Tally(), _Tally()
    for kind in KINDS:
        made = list(pictures(FIGURES_SEED, (kind,), count))
        tally = _tally(made)
        yield Figure(f"codes read, {kind}", tally.percent, "%")
        yield Figure(f"a frame, {kind}, mean", tally.mean, "ms")
        _add(total, tally)
        _add(plain, _plain(made))
    yield Figure("codes in hard frames", total.codes, "codes")
    yield Figure("codes in hard frames that were read", total.percent, "%", READ)
    yield Figure("the same with zxing-cpp alone", plain.percent, "%")
    yield Figure("a hard frame, mean", total.mean, "ms", MEAN)
    yield Figure("a hard frame, longest", max(total.taken), "ms", LONGEST)
    yield Figure("the same with zxing-cpp alone, mean", plain.mean, "ms")
    yield Figure("wrong reads in hard frames", total.wrong, "readings", NONE)


def _more(kind: str, count: int) -> Iterator[Figure]:
    """A kind beside the 408 codes: read at once, and by the thorough search that the background makes."""
    made = list(pictures(FIGURES_SEED, (kind,), count))
    quick, thorough = _tally(made), _tally(made, thorough=True)
    yield Figure(f"codes read, {kind}", quick.percent, "%")
    yield Figure(f"codes read, {kind}, thorough", thorough.percent, "%")
    yield Figure(f"the same with zxing-cpp alone, {kind}", _plain(made).percent, "%")
    yield Figure(f"a frame, {kind}, mean", quick.mean, "ms")
    yield Figure(f"a frame, {kind}, thorough, mean", thorough.mean, "ms")
    yield Figure(f"wrong reads, {kind}", quick.wrong + thorough.wrong, "readings", NONE)


def _bar_codes(count: int) -> Iterator[Figure]:
    """GS1-128 labels, damaged over the whole height of their bars: what counts, beside what one decoder says."""
    decoder = Decoder(is_item, clock=time.process_time)
    ours, alone = _Tally(codes=count), _Tally(codes=count)
    for seed in range(FIGURES_SEED, FIGURES_SEED + count):
        truth, label = damaged_label(seed)
        counted = [reading for reading in decoder.read_live(label) if reading.certain]
        for tally, readings in ((ours, counted), (alone, zxing.read(label, zxing.LINEAR))):
            right = sum((one.symbology, one.text.replace("\x1d", "")) == ("]C1", truth) for one in readings)
            tally.read += right
            tally.wrong += len(readings) - right
    yield Figure("damaged bar codes read", ours.percent, "%")
    yield Figure("the same with zxing-cpp alone, bar codes", alone.percent, "%")
    yield Figure("wrong reads of damaged bar codes", ours.wrong, "readings", NONE)
    yield Figure("the same with zxing-cpp alone, wrong reads of bar codes", alone.wrong, "readings")


def _add(total: _Tally, part: _Tally) -> None:
    total.codes += part.codes
    total.read += part.read
    total.wrong += part.wrong
    total.taken += part.taken


def _tally(made: Iterable[Picture], *, thorough: bool = False) -> _Tally:
    """Each picture as one frame of a live source, or searched as the background does it. Only certain readings of
    Data Matrix count, wrong ones all."""
    tally = _Tally()
    decoder = Decoder(is_item, clock=time.process_time)
    for picture in made:
        begun = time.process_time()
        readings = (decoder.read if thorough else decoder.read_live)(picture.gray)
        tally.taken.append((time.process_time() - begun) * 1000)
        truth = {code.text for code in picture.codes}
        matrix = [reading for reading in readings if reading.is_matrix]
        certain = {reading.text for reading in matrix if reading.certain}
        tally.codes += len(picture.codes)
        tally.read += sum(code.text in certain for code in picture.codes)
        tally.wrong += sum(reading.text not in truth or reading.symbology != "]d2" for reading in matrix)
    return tally


def _plain(made: Iterable[Picture]) -> _Tally:
    """The same with zxing-cpp, looking for DataMatrix alone, everything else as it is by default."""
    tally = _Tally()
    matrix = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.DataMatrix])
    for picture in made:
        begun = time.process_time()
        symbols = zxingcpp.read_barcodes(picture.gray, formats=matrix, text_mode=zxingcpp.TextMode.Plain)
        tally.taken.append((time.process_time() - begun) * 1000)
        texts = {symbol.text for symbol in symbols}
        tally.codes += len(picture.codes)
        tally.read += sum(code.text in texts for code in picture.codes)
    return tally
