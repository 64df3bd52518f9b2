"""What a reading means: a pack, a logistic unit, or why it is neither."""

from collections.abc import Iterable
from dataclasses import dataclass

from packtrace.errors import IdentifierError
from packtrace.gs1 import ElementString, is_web_address, parse_bracketed, parse_digital_link, parse_scan, separators
from packtrace.gs1.element_string import SYMBOLOGIES
from packtrace.scan import LogisticUnit, Scan, identify
from packtrace_scanner.symbols import Corners, Reading

HAND_SCANNER = "hand scanner"
NOWHERE: Corners = ((0, 0), (0, 0), (0, 0), (0, 0))
_GS1_128 = "]C1"
_PLAIN_QR = "]Q1"


@dataclass(frozen=True, slots=True)
class ScannedPack:
    """A medicine pack: what its code says, all rules of GS1 kept.

    `remark` says what had to be put right of what a hand scanner sent.
    """

    scan: Scan
    national_number: str | None
    elements: ElementString
    readings: tuple[Reading, ...]
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class ScannedLogisticUnit:
    """A case, pallet or tote. Content is there where the label's other bar codes were read too."""

    sscc: str
    elements: ElementString
    readings: tuple[Reading, ...]
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class NotMedicine:
    """A code that names neither a pack nor a logistic unit, and why."""

    reason: str
    readings: tuple[Reading, ...]


Meaning = ScannedPack | ScannedLogisticUnit | NotMedicine


def interpret(readings: Iterable[Reading]) -> list[Meaning]:
    """What the readings of one picture mean. The bar codes of one logistic label are taken together."""
    matrix: list[Reading] = []
    linear: list[Reading] = []
    for reading in readings:
        (linear if reading.symbology == _GS1_128 else matrix).append(reading)
    return [*(meaning_of(reading) for reading in matrix), *_labels(linear)]


def meaning_of(reading: Reading) -> Meaning:
    """What one reading means by itself. A Digital Link counts in any symbol, other data where it announces GS1 data."""
    try:
        if is_web_address(reading.text):
            return _meaning(parse_digital_link(reading.text), (reading,))
        return _meaning(parse_scan(reading.symbology + reading.text), (reading,))
    except IdentifierError as error:
        return NotMedicine(_why_not(reading, error), (reading,))


def meaning_of_text(text: str, separator: str | None = None, without_identifier: str | None = None) -> Meaning:
    """What a line from a hand scanner means, or from somebody who types: ``(01)…(21)…`` or a Digital Link.

    `separator` and `without_identifier` are the scanner's settings of those names.
    """
    text = text.strip(" \r\n\t")
    symbology, data = (text[:3], text[3:]) if text.startswith("]") else (without_identifier or "", text)
    reading = Reading(symbology, data, NOWHERE, HAND_SCANNER)
    try:
        if is_web_address(data):
            return _meaning(parse_digital_link(data), (reading,))
        if data.startswith("(") and not text.startswith("]"):
            return _meaning(parse_bracketed(data), (reading,))
        elements, remark = separators.read(symbology + data, separator)
    except IdentifierError as error:
        return NotMedicine(_why_not(reading, error) if symbology else str(error), (reading,))
    return _meaning(elements, (reading,), remark)


def is_item(reading: Reading) -> bool:
    """Whether the reading by itself names a pack or a logistic unit."""
    return not isinstance(meaning_of(reading), NotMedicine)


def _labels(linear: list[Reading]) -> list[Meaning]:
    if len(linear) > 1:
        try:
            together = parse_scan(*(reading.symbology + reading.text for reading in linear))
            return [_meaning(together, tuple(linear))]
        except IdentifierError:
            pass  # several labels: each bar code has to speak for itself
    return [meaning_of(reading) for reading in linear]


def _meaning(elements: ElementString, readings: tuple[Reading, ...], remark: str | None = None) -> Meaning:
    try:
        found = identify(elements)
    except IdentifierError as error:
        return NotMedicine(error.message, readings)
    if isinstance(found, LogisticUnit):
        return ScannedLogisticUnit(found.sscc, elements, readings, remark)
    return ScannedPack(found, elements.national_number, elements, readings, remark)


def _why_not(reading: Reading, error: IdentifierError) -> str:
    if reading.symbology in SYMBOLOGIES:
        return str(error)
    if reading.symbology == _PLAIN_QR:
        return "this QR Code holds no GS1 Digital Link: it is not the code of a medicine pack"
    return f"this is a plain {reading.kind} ({reading.symbology}), not GS1 data: it says nothing about a medicine"
