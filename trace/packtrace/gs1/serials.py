"""Serial numbers that nobody can guess or continue.

Commission Delegated Regulation (EU) 2016/161, Article 4: a numeric or alphanumeric sequence of at most 20 characters,
made by randomisation, guessed with a probability that is negligible and in any case lower than one in ten thousand. All
characters come from the operating system's cryptographic generator; sequences from a counter or a shift register can be
continued by anybody who has seen some.
"""

import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from packtrace.errors import IdentifierError

# 20 digits and capitals: none of 0 O Q D, 1 I L, 2 Z, 5 S, 8 B and U, which people and dot printers confuse with each
# other or with V, and no other vowel, so that no words arise.
ALPHABET = "34679CFGHJKMNPRTVWXY"

# 20^12 = 4.1 · 10^15: room for four hundred thousand million serial numbers per GTIN before one in 10,000 guesses would
# hit, and a smaller symbol than with the longest that GS1 allows (20).
LENGTH = 12
MAX_LENGTH = 20

GUESS_LIMIT = 10_000
GUESS_RULE = "Delegated Regulation (EU) 2016/161, Article 4(c): guessed in fewer than 1 of 10,000 tries"
FORM_RULE = "Delegated Regulation (EU) 2016/161, Article 4(b): at most 20 digits or letters, by randomisation"

# Drawn at a time, which bounds the memory that a draw needs beside its result.
_BLOCK = 65_536

_ALPHANUMERIC = re.compile(r"[0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class SerialPolicy:
    """Length and alphabet of a GTIN's serial numbers.

    Raises IdentifierError for what is no set of at least two digits and letters, or a length that is not 1 to 20.
    """

    length: int = LENGTH
    alphabet: str = ALPHABET

    def __post_init__(self) -> None:
        if not 1 <= self.length <= MAX_LENGTH:
            raise IdentifierError(
                "a serial number has 1 to 20 characters", field="length", value=self.length, rule=FORM_RULE
            )
        distinct = len(set(self.alphabet)) == len(self.alphabet) >= 2
        if not distinct or not _ALPHANUMERIC.fullmatch(self.alphabet):
            raise IdentifierError(
                "the alphabet must be two or more different digits and letters",
                field="alphabet",
                value=self.alphabet,
                rule=FORM_RULE,
            )

    @property
    def most(self) -> int:
        """How many serial numbers a GTIN can have before a guess hits one in 10,000 times."""
        space: int = len(self.alphabet) ** self.length
        return (space - 1) // GUESS_LIMIT


def draw(
    count: int,
    policy: SerialPolicy | None = None,
    *,
    issued: int = 0,
    taken: Callable[[list[str]], Collection[str]] | None = None,
) -> list[str]:
    """`count` new serial numbers, all different, in random order.

    `issued` is how many the GTIN has already, and `taken(candidates)` gives those of the candidates that are among them
    (for a set of them: its `intersection`). Raises IdentifierError when so many make a guess too likely.
    """
    policy = policy or SerialPolicy()
    if count < 0 or issued < 0:
        raise IdentifierError("a count cannot be negative", field="count", value=min(count, issued))
    if count + issued > policy.most:
        raise IdentifierError(
            f"{count + issued} serial numbers of {policy.length} characters, each one of {len(policy.alphabet)}, can be"
            " guessed too easily; make them longer",
            field="count",
            value=count,
            rule=GUESS_RULE,
        )
    drawn: dict[str, None] = {}
    while len(drawn) < count:
        fresh = dict.fromkeys(_random_strings(min(count - len(drawn), _BLOCK), policy))
        for known in taken(list(fresh)) if taken else ():
            fresh.pop(known, None)
        drawn |= fresh
    return list(drawn)


def _random_strings(count: int, policy: SerialPolicy) -> list[str]:
    """Independent, uniform strings. Random bytes above the largest multiple of the alphabet's size are dropped, so that
    no character is more likely than another."""
    size, length = len(policy.alphabet), policy.length
    usable = 256 - 256 % size
    table = (policy.alphabet.encode("ascii") * (usable // size)).ljust(256, b"\0")
    unusable = bytes(range(usable, 256))
    text = ""
    while (missing := count * length - len(text)) > 0:
        # Slightly more than are needed on average, so that one round nearly always does.
        text += os.urandom(missing * 258 // usable + 64).translate(table, unusable).decode("ascii")
    return [text[start : start + length] for start in range(0, count * length, length)]
