"""Frames that a phone could not read, given to the scanner's own pipeline.

A gateway knows no scanner (arrows point the other way). Where the scanner's package is installed beside it, that
registers its decoder under the entry point `packtrace.decoders`, as it registers its commands; else there is none.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, Protocol

from packtrace_gateway.problems import NotFoundError, TooManyError

GROUP = "packtrace.decoders"
AT_ONCE = 1  # frames decoded at the same time: verdicts need the other cores
A_SECOND = 2.0  # frames a second and key, on the long run; a phone sends one a second
BURST = 4
MAX_KEYS = 10_000


class Decodes(Protocol):
    """The codes in one JPEG or PNG picture; raises PacktraceError for what is none, or too large."""

    def __call__(self, image: bytes) -> list[dict[str, Any]]: ...


class FrameDecoder:
    """The decoder that is installed here, if any, within its bounds."""

    def __init__(self, find: Callable[[], Decodes | None] | None = None) -> None:
        self._find = find or installed
        self._decoder: Decodes | None = None
        self._free = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._budgets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @property
    def available(self) -> bool:
        """Whether there is a decoder."""
        self._decoder = self._decoder or self._find()
        return self._decoder is not None

    def decode(self, image: bytes, key: str) -> list[dict[str, Any]]:
        """The codes in a picture. Raises NotFoundError without a decoder, TooManyError for who asks too often."""
        if not self.available or self._decoder is None:
            raise NotFoundError(
                "this gateway decodes no pictures: install packtrace with the extra `scanner` beside it",
                field="decoder",
            )
        self._spend(key)
        if not self._free.acquire(blocking=False):
            raise TooManyError("another picture is being decoded; send the next frame", rule="one at a time")
        try:
            return self._decoder(image)
        finally:
            self._free.release()

    def _spend(self, key: str) -> None:
        now = time.monotonic()
        with self._lock:
            left, at = self._budgets.pop(key, (float(BURST), now))
            left = min(float(BURST), left + (now - at) * A_SECOND)
            self._budgets[key] = (left - 1 if left >= 1 else left, now)
            if len(self._budgets) > MAX_KEYS:
                self._budgets.popitem(last=False)
        if left < 1:
            raise TooManyError("pictures come too fast; send one a second", rule=f"{A_SECOND:g} a second and API key")


def installed() -> Decodes | None:
    """The decoder of the scanner's package; None where that, or what it needs, is not installed."""
    for entry in entry_points(group=GROUP):
        try:
            found: Decodes = entry.load()
        except ModuleNotFoundError as missing:
            if (missing.name or "").startswith("packtrace") and missing.name != entry.module.split(".")[0]:
                raise
            continue
        return found
    return None
