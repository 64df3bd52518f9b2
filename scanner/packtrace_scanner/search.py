"""The search for Data Matrix symbols that the quick look missed: places, lattices, crops, refits, within a time limit.

The quick decoder mostly fails at locating a symbol, not at decoding it: a shadow with a sharp edge, a scratch through
the finder, dots that do not touch. So places are found by their edges alone, and each is tried the cheapest way
first. A stage stops when its share of the time is used, all stages when the frame's is.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from packtrace_scanner import zxing
from packtrace_scanner.confirmation import confirmed
from packtrace_scanner.dmtx import Libdmtx, LibdmtxMissingError
from packtrace_scanner.grid import Grid, Solved, solve
from packtrace_scanner.images import Gray
from packtrace_scanner.lattice import Lattice, grids, lattices
from packtrace_scanner.regions import Region, hidden_regions, regions
from packtrace_scanner.symbols import Reading, covers

Clock = Callable[[], float]
Way = Callable[[Gray, float], Gray]
"""What is done to a crop, given about a module's size in pixels."""

MOST_REGIONS, FIRST_REGIONS = 14, 7
"""Places that are looked at in one frame, and those of them that are looked at first, in every way."""
MOST_HIDDEN = 12
"""Places among print, or for long symbols, that a thorough search looks at where all others held none."""
MOST_BESIDE_ONE = 3
"""Places that are looked at in a frame in which the quick look read one symbol."""
MOST_CROPS = 2
"""Places of which crops are tried in all ways."""

_ALIKE_SCORE, _ALIKE_SCORE_OF_SEVERAL = 0.82, 0.6
_ALIKE_SIDES = (0.6, 1.7)
"""Where a symbol was read, others are looked for only in places that look like its own: much so where the quick look
read it, alone."""

_HOPEFUL_FIT = 0.87
"""A finder that fits so well is one, or chance in one place of ten."""

_HOPEFUL_CHANGE = 0.33
"""Modules that differ from their neighbours so often are those of a symbol, or of a texture like one."""

DMTX_LIMIT = 0.012
"""Seconds of libdmtx for one place; it takes longest where there is nothing."""

_ROOM = 1.1
"""Sides of a place that are shown to libdmtx, from its middle in each direction."""

_FNC1 = b"\x1d"

_LATTICE_SHARE, _CROP_SHARE, _DEEP_SHARE = 0.5, 0.75, 1.0
"""Of the time limit: when each stage has to end."""


@dataclass(slots=True)
class _Deadline:
    """The time limit of one frame: `share` of it may be used up to a stage's end."""

    clock: Clock
    begun: float
    limit: float

    def passed(self, share: float) -> bool:
        return self.clock() - self.begun > share * self.limit


class Search:
    """Looks for Data Matrix symbols beside those that are known.

    `clock` gives seconds; `tell` is told, once, if libdmtx is missing here.
    """

    def __init__(self, clock: Clock = time.perf_counter, tell: Callable[[str], None] = warnings.warn) -> None:
        self._clock = clock
        self._tell = tell
        self._libdmtx: Libdmtx | None = None
        self._libdmtx_tried = False

    def find(self, gray: Gray, known: Sequence[Reading], limit: float, *, thorough: bool = False) -> list[Reading]:
        """The symbols that were not known, in at most about `limit` seconds.

        The less likely places are looked at only if there are several symbols, or if this is to be `thorough`.
        """
        deadline = _Deadline(self._clock, self._clock(), limit)
        work = _Work(gray, list(known), deadline)
        places = regions(gray, MOST_REGIONS)
        work.places = places
        if work.one and not thorough:
            self._look(work, [place for place in places if work.is_open(place)][:MOST_BESIDE_ONE], thorough)
            if work.one:
                return work.found
        self._look(work, places[:FIRST_REGIONS], thorough)
        if thorough or not work.nothing:
            self._look(work, places[FIRST_REGIONS:], thorough)
        if thorough and work.nothing and not deadline.passed(_LATTICE_SHARE):
            self._look(work, hidden_regions(gray, MOST_HIDDEN), thorough)
        return work.found

    def _look(self, work: "_Work", places: Sequence[Region], thorough: bool) -> None:
        """Try everything at these places, the cheapest first."""
        work.read_crops(places, _WAYS[:1])
        work.follow_lattices(places, thorough=thorough)
        work.refit()
        if work.nothing:
            work.read_crops(places[:MOST_CROPS], _WAYS[1:])
        work.ask_libdmtx(places, self._loaded, thorough=thorough)

    def _loaded(self) -> Libdmtx | None:
        if not self._libdmtx_tried:
            self._libdmtx_tried = True
            try:
                self._libdmtx = Libdmtx()
            except LibdmtxMissingError as missing:
                self._tell(str(missing))
        return self._libdmtx


class _Work:
    """One frame's search."""

    def __init__(self, gray: Gray, known: list[Reading], deadline: _Deadline) -> None:
        self.gray = gray
        self.known = known
        self.deadline = deadline
        self.places: list[Region] = []
        self.found: list[Reading] = []
        self._hopeful: list[tuple[Region, Grid]] = []
        self._hope: set[Region] = set()

    @property
    def nothing(self) -> bool:
        """Whether no Data Matrix has been read, neither now nor before."""
        return not any(reading.is_matrix for reading in [*self.known, *self.found])

    @property
    def one(self) -> bool:
        """Whether the quick look read a Data Matrix, alone, and the search no other yet: so are most easy frames."""
        return not self.found and sum(reading.is_matrix for reading in self.known) == 1

    def follow_lattices(self, wave: Sequence[Region], *, thorough: bool) -> None:
        """Find each place's lattice, and on it the finder; decode what is plain."""
        candidates: list[Lattice] = []
        for place in filter(self.is_open, wave):
            if self.deadline.passed(_LATTICE_SHARE):
                break
            candidates += lattices(self.gray, place)
        for candidate in sorted(candidates, key=lambda lattice: -lattice.change):
            if self.deadline.passed(_LATTICE_SHARE):
                break
            if not self.is_open(candidate.region):
                continue
            if candidate.change > _HOPEFUL_CHANGE:
                self._hope.add(candidate.region)
            for grid in grids(self.gray, candidate, beyond=thorough):
                self._hope.add(candidate.region)
                if grid.fit > _HOPEFUL_FIT:
                    self._hopeful.append((candidate.region, grid))
                if self._take(solve(self.gray, grid, rounds=2, deep=False), "lattice"):
                    break

    def refit(self) -> None:
        """Try hard where a finder was found but not decoded: blur undone, light estimated, modules doubted."""
        hopeful, self._hopeful = sorted(self._hopeful, key=lambda entry: -entry[1].fit), []
        for place, grid in hopeful:
            if self.deadline.passed(_DEEP_SHARE):
                break
            if self.is_open(place):
                self._take(solve(self.gray, grid), "refit")

    def read_crops(self, wave: Sequence[Region], ways: Sequence[Way]) -> None:
        """Let zxing-cpp look at each place alone, larger, and made flat, soft, crisp, thinner and thicker."""
        places = list(filter(self.is_open, wave))
        crops = [_crop(self.gray, place) for place in places]
        for way in ways:
            for place, (crop, back, pitch) in zip(places, crops, strict=True):
                if self.deadline.passed(_CROP_SHARE):
                    return
                if not self.is_open(place):
                    continue
                for reading in zxing.read(way(crop, pitch), zxing.MATRIX, everything=True, decoder="zxing-cpp, crop"):
                    self._add(confirmed(self.gray, reading.moved(back)))

    def ask_libdmtx(self, wave: Sequence[Region], load: Callable[[], Libdmtx | None], *, thorough: bool) -> None:
        """Let libdmtx look, for a moment, at places where there is some hope: in a thorough search, at all."""
        for place in filter(self.is_open, wave):
            if self.deadline.passed(_DEEP_SHARE):
                return
            if not thorough and place not in self._hope:
                continue
            library = load()
            if library is None:
                return
            left, top = (max(0, round(middle - _ROOM * place.side)) for middle in (place.x, place.y))
            right, bottom = (round(middle + _ROOM * place.side) for middle in (place.x, place.y))
            symbol = library.read(self.gray[top:bottom, left:right], DMTX_LIMIT)
            if symbol is not None:
                a, b, c, d = ((round(x + left), round(y + top)) for x, y in symbol.corners)
                identifier = "]d2" if symbol.data.startswith(_FNC1) else "]d1"
                text = symbol.data.removeprefix(_FNC1).decode("latin-1")
                self._add(confirmed(self.gray, Reading(identifier, text, (a, b, c, d), "libdmtx", certain=False)))

    def _take(self, solved: Solved | None, decoder: str) -> bool:
        if solved is None:
            return False
        said = zxing.meaning(solved.symbol.modules)
        if said is None:
            return False
        a, b, c, d = ((round(float(x)), round(float(y))) for x, y in solved.grid.corners())
        return self._add(Reading(*said, (a, b, c, d), decoder))

    def _add(self, reading: Reading) -> bool:
        self.found.append(reading)
        return True

    def is_open(self, place: Region) -> bool:
        """Whether there may be a symbol that has not been read."""
        read = [*self.known, *self.found]
        if not read:
            return True
        if any(covers(reading, place.x, place.y) for reading in read):
            return False
        alike = [
            other
            for other in self.places
            if any(reading.is_matrix and covers(reading, other.x, other.y) for reading in read)
        ]
        if not alike:
            return True
        least = _ALIKE_SCORE if self.one else _ALIKE_SCORE_OF_SEVERAL
        return place.score > least * max(other.score for other in alike) and (
            _ALIKE_SIDES[0] * min(other.side for other in alike)
            < place.side
            < _ALIKE_SIDES[1] * max(other.side for other in alike)
        )


# Crops, and what is done to them. A way gets the crop and about a module's size in pixels.


def _crop(gray: Gray, place: Region) -> tuple[Gray, NDArray[np.float64], float]:
    """The place with its surroundings, enlarged; the way back into the frame; about a module's size."""
    scale = 2.0 if place.side < 110 else 1.5 if place.side < 150 else 1.0
    side = 1.7 * place.side * scale
    into = np.array([[scale, 0, side / 2 - scale * place.x], [0, scale, side / 2 - scale * place.y]])
    flags = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    size = (round(side), round(side))
    crop = cv2.warpAffine(gray, into, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return (
        crop.astype(np.uint8, copy=False),
        cv2.invertAffineTransform(into).astype(np.float64),
        place.side * scale / 22,
    )


def _plain(crop: Gray, pitch: float) -> Gray:
    del pitch
    return crop


def _flat(crop: Gray, pitch: float) -> Gray:
    """Light taken out: each pixel by the mean and the spread around it."""
    real = crop.astype(np.float32)
    near, far = (2 * round(modules * pitch) + 1 for modules in (4, 6))
    rest = real - cv2.blur(real, (near, near))
    spread = cv2.blur(np.abs(rest), (far, far))
    return np.asarray(np.clip(128 + 48 * rest / (spread + 3), 0, 255), np.uint8)


def _soft(crop: Gray, pitch: float) -> Gray:
    return cv2.GaussianBlur(crop, (0, 0), 0.4 * pitch).astype(np.uint8, copy=False)


def _crisp(crop: Gray, pitch: float) -> Gray:
    return cv2.addWeighted(crop, 3, cv2.GaussianBlur(crop, (0, 0), 0.6 * pitch), -2, 0).astype(np.uint8, copy=False)


def _thicker(crop: Gray, pitch: float) -> Gray:
    del pitch
    return cv2.erode(crop, np.ones((3, 3), np.uint8)).astype(np.uint8, copy=False)


def _thinner(crop: Gray, pitch: float) -> Gray:
    del pitch
    return cv2.dilate(crop, np.ones((3, 3), np.uint8)).astype(np.uint8, copy=False)


_WAYS: tuple[Way, ...] = (_plain, _flat, _soft, _crisp, _thicker, _thinner)
