"""The answers to what is scanned, for people."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from packtrace.gs1 import sscc_of_uri

MOST_NAMED = 20
"""Units named one by one; more are counted."""


class Mark(StrEnum):
    """How an answer looks and sounds."""

    GOOD = "good"
    AGAIN = "again"  # scanned before: nothing changed
    QUESTION = "question"  # look at it, and decide
    WRONG = "wrong"  # put it aside


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to one scan, for people."""

    mark: Mark
    headline: str
    lines: tuple[str, ...] = ()


Tell = Callable[[Said], None]


def named(uri: str) -> str:
    """A unit or pack as it is printed on its label."""
    sscc = sscc_of_uri(uri)
    return f"SSCC {sscc}" if sscc else uri.removeprefix("https://id.gs1.org/01/").replace("/21/", " serial ", 1)


def listed(uris: Iterable[str]) -> list[str]:
    """Units by name, the first of them."""
    names = [named(uri) for uri in uris]
    rest = len(names) - MOST_NAMED
    return [*names[:MOST_NAMED], *([f"and {rest} more"] if rest > 0 else [])]
