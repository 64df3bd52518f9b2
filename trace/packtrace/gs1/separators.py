"""Separators as scanners really send them: FNC1 as GS, as another character, by its name, or not at all.

A scanner that is set up well sends FNC1 between two fields as GS (0x1D). Keyboards have no such key, so many send
something else, and some nothing. What stands for GS is put back where it can be nothing else. Where separators are
lost, a serial number and the fields behind it look like one longer serial number: the possible splits are found here,
and only a split without rival counts as read.
"""

from collections.abc import Iterator
from itertools import islice

from packtrace.errors import IdentifierError
from packtrace.gs1.application_identifiers import (
    AI_LENGTHS,
    APPLICATION_IDENTIFIERS,
    NATIONAL_NUMBERS,
    check_companions,
)
from packtrace.gs1.element_string import (
    GS,
    SEPARATOR_RULE,
    SYMBOLOGIES,
    ElementString,
    parse_scan,
)

NAMES = ("<GS>", "{GS}", "[GS]", "^]", "\\x1d", "\\x1D", "\\u001d", "\\u001D", "\\035", "␝")
"""What scanners and terminals write for GS. All but the first hold a character that no GS1 value can have."""

PACK_FIELDS = frozenset(("01", "10", "11", "17", "20", "21", "22", "235", "240", "7003", *NATIONAL_NUMBERS))
"""AIs looked for where separators were lost: those that medicine packs carry. With all AIs nearly every serial number
could be split somewhere."""

MOST_SPLITS = 64
MOST_STEPS = 20_000
"""Fields tried in the search for splits; a code that is not of a pack at all must not hold anybody up."""

Pairs = tuple[tuple[str, str], ...]


def check_separator(separator: str) -> None:
    """That a scanner may be set to send this for GS: one or more characters, at least one of them in no GS1 value.

    Raises IdentifierError.
    """
    if not separator or all(APPLICATION_IDENTIFIERS["90"].pattern.fullmatch(character) for character in separator):
        raise IdentifierError(
            "values of GS1 codes may hold these characters; set the scanner to send another one for GS, such as |",
            field="separator",
            value=separator,
            rule="GS1 General Specifications, 7.11: character set 82",
        )


def restore(text: str, separator: str | None = None) -> tuple[str, str | None]:
    """The text with GS where the scanner sent something for it, and what that was; None where nothing was changed.

    `separator` is what the scanner is set to send for GS, as `check_separator` allows it. Line ends, which scanners
    add, are taken off.
    """
    text = text.rstrip("\r\n\t")
    if GS in text:
        return text, None  # this one sends GS itself: all else is data
    for name in (separator, *NAMES):
        if name and name in text:
            return text.replace(name, GS), name
    return text, None


def read(text: str, separator: str | None = None) -> tuple[ElementString, str | None]:
    """One code as any scanner sends it, and a remark for people where something of it had to be put right.

    `text` begins with its symbology identifier. Raises IdentifierError as `parse_scan`, and where separators were lost
    and several readings are left.
    """
    restored, sent = restore(text, separator)
    remark = f"the scanner sends {sent!r} for the separator (GS)" if sent else None
    try:
        return parse_scan(restored), remark
    except IdentifierError as error:
        if restored[:3] not in SYMBOLOGIES:
            raise
        search = _Search()
        found = list(islice(search.splits(restored[3:]), 2))
        if not found:
            raise
        if len(found) > 1 or search.given_up:
            raise IdentifierError(
                f"{error.message}; the code can be split in several ways, such as "
                f"{' and '.join(one.bracketed() for one in found)}: set the scanner to send GS (0x1D) between fields",
                field=error.field,
                value=text,
                rule=SEPARATOR_RULE,
            ) from None
        return found[0], "the scanner sends no separators (GS): its settings should be put right"


def splits(data: str) -> list[ElementString]:
    """The ways to read data as a medicine pack if any separator may have been lost, all rules of GS1 kept.

    At most `MOST_SPLITS`.
    """
    return list(islice(_Search().splits(data), MOST_SPLITS))


def merged(elements: ElementString) -> list[ElementString]:
    """Other readings of what was read whole, if the separator behind a field was lost, and with it the field's end.

    Nothing in the data tells which is right; whoever has the pack's record can.
    """
    return [other for other in splits(elements.encode()) if set(other.pairs) != set(elements.pairs)]


class _Search:
    """Depth first, the longest field first. `given_up` says that not everything was looked at."""

    def __init__(self) -> None:
        self._steps = MOST_STEPS

    @property
    def given_up(self) -> bool:
        return self._steps <= 0

    def splits(self, data: str) -> Iterator[ElementString]:
        for pairs in self._rest(data, ()):
            try:
                check_companions(tuple(ai for ai, _ in pairs))
            except IdentifierError:
                continue
            yield ElementString(pairs)

    def _rest(self, data: str, before: Pairs) -> Iterator[Pairs]:
        if not data and before:
            yield before
            return
        ai = data[: AI_LENGTHS.get(data[:2], 2)]
        if ai not in PACK_FIELDS or any(ai == known for known, _ in before):
            return
        entry, rest = APPLICATION_IDENTIFIERS[ai], data[len(ai) :]
        longest = min(entry.max_length, (rest + GS).find(GS))
        for end in [entry.max_length] if entry.predefined_length else range(longest, 0, -1):
            self._steps -= 1
            if self.given_up:
                return
            value = rest[:end]
            try:
                entry.check(value)
            except IdentifierError:
                continue
            yield from self._rest(rest[end:].removeprefix(GS), (*before, (ai, value)))
