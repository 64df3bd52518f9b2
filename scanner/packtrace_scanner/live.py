"""Reading a live source: what counts over several frames, and the dear means beside it on the newest frame alone.

A frame has a time limit, so that the picture and the hand stay together. Where nothing was read for a while, the newest
frame goes to a second decoder in the background, which tries everything; what comes meanwhile replaces what waits, so
that it never lags behind by more than the frame it is at.
"""

import threading
from collections.abc import Callable, Hashable, Iterable
from types import TracebackType
from typing import Self

from packtrace_scanner.decoders import Decoder
from packtrace_scanner.images import Gray
from packtrace_scanner.symbols import Reading

AGREE_WITHIN = 30
"""Frames within which an uncertain reading has to be said again."""

PATIENCE = 5
"""Frames without a wanted reading after which the background is asked."""

Late = tuple[int, Reading]
"""A reading, and the number of the frame that it is of."""


class Agreement:
    """Lets a reading that is not certain count only when two frames say it: of a bar code, and two decoders.

    Damage stays where it is from frame to frame. The error correction of a matrix symbol notices it; the one check
    character of a bar code may not, and one decoder would be wrong in the same way again.
    """

    def __init__(self) -> None:
        self.frame = 0
        """The number of the frame that was read last."""
        # In which frames, the first and the last, and by whom.
        self._said: dict[tuple[str, str], tuple[int, int, frozenset[str]]] = {}

    def counted(self, readings: Iterable[Reading], late: Iterable[Late] = ()) -> list[Reading]:
        """The readings of the next frame that count, and those that come late of earlier ones."""
        self.frame += 1
        self._said = {said: entry for said, entry in self._said.items() if self.frame - entry[0] <= AGREE_WITHIN}
        counted = []
        for frame, reading in [*((self.frame, reading) for reading in readings), *late]:
            said = (reading.symbology, reading.text)
            first, last, by = self._said.get(said, (frame, frame, frozenset[str]()))
            first, last, by = min(first, frame), max(last, frame), by | reading.decoders
            if reading.certain or (first < last and (len(by) > 1 or not reading.is_linear)):
                counted.append(reading)
            if not reading.certain:
                self._said[said] = first, last, by
        return counted


class Sight:
    """What a camera sees now. A code out of sight for `seconds` is forgotten: the camera of a line sees millions."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def comes(self, code: Hashable, time: float) -> bool:
        """A code is seen: whether it was out of sight before. Times do not fall."""
        while self._seen and time - next(iter(self._seen.values())) > self._seconds:
            del self._seen[next(iter(self._seen))]
        known = self._seen.pop(code, None) is not None
        self._seen[code] = time  # the newest last
        return not known


class Background:
    """One thread that reads the newest frame it was offered. `read` is called there and nowhere else."""

    def __init__(self, read: Callable[[Gray], list[Reading]]) -> None:
        self._read = read
        self._changed = threading.Condition()
        self._waiting: tuple[int, Gray] | None = None
        self._busy = False
        self._ended = False
        self._found: list[Late] = []
        self._failed: Exception | None = None
        self._thread: threading.Thread | None = None

    def offer(self, gray: Gray, number: int) -> None:
        """Have this frame read, in place of one that still waits."""
        with self._changed:
            self._waiting = number, gray
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="packtrace-decoding", daemon=True)
                self._thread.start()

    def take(self) -> list[Late]:
        """What was read since the last time. Raises what went wrong there."""
        with self._changed:
            if self._failed is not None:
                raise self._failed
            found, self._found = self._found, []
            return found

    def finish(self, timeout: float) -> list[Late]:
        """Wait until every offered frame has been read, at most so many seconds, and take what was found."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is None and not self._busy, timeout)
        return self.take()

    def close(self) -> None:
        """End the thread; a frame that is being read is read to its end."""
        with self._changed:
            self._ended = True
            self._waiting = None
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._ended)
                if self._waiting is None:
                    return
                (number, gray), self._waiting, self._busy = self._waiting, None, True
            found: list[Late] = []
            failed: Exception | None = None
            try:
                found = [(number, reading) for reading in self._read(gray)]
            except Exception as error:  # told to the one who takes, in whose thread it can be handled
                failed = error
            with self._changed:
                self._found += found
                self._failed = failed
                self._busy = False
                self._changed.notify_all()


class LiveDecoder:
    """Reads the frames of one live source, in their order."""

    def __init__(self, wanted: Callable[[Reading], bool], tell: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._quick = Decoder(wanted, tell)
        thorough = Decoder(wanted, lambda _: None)
        self._background = Background(thorough.read)
        self._agreement = Agreement()
        self._without = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._background.close()

    def read(self, gray: Gray) -> list[Reading]:
        """What counts in this frame, and what the background has read of an earlier one."""
        counted = self._agreement.counted(self._quick.read_live(gray), self._background.take())
        self._without = 0 if any(map(self._wanted, counted)) else self._without + 1
        if self._without > PATIENCE:
            self._background.offer(gray, self._agreement.frame)
        return counted

    def finish(self, timeout: float) -> list[Reading]:
        """What the background still reads of a source that has ended."""
        return self._agreement.counted((), self._background.finish(timeout))
