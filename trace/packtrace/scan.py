"""What was read from a code: one pack, or one logistic unit; and who asks where."""

from dataclasses import dataclass
from datetime import date

from packtrace.errors import IdentifierError
from packtrace.gs1 import ElementString

SSCC_RULE = "GS1 General Specifications, 3.3.1: an SSCC, AI (00), identifies the logistic unit that carries it"
SERIAL_RULE = "GS1 General Specifications, 3.5.2: a serial number, AI (21), with its GTIN, AI (01), identifies one item"


@dataclass(frozen=True, slots=True)
class Scan:
    """A pack's code: GTIN of 14 digits, serial number, and lot and expiry where the code carries them."""

    gtin: str
    serial: str
    lot: str | None = None
    expiry: date | None = None


@dataclass(frozen=True, slots=True)
class LogisticUnit:
    """A case, pallet or tote, by the SSCC of 18 digits on its label."""

    sscc: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pack is: the party number of the premises that asks."""

    party: int


def identify(elements: ElementString) -> Scan | LogisticUnit:
    """What carries these codes. The phone page decides alike (`identify` in codes.js), tested on the same vectors.

    With an SSCC it is a logistic unit, whatever stands beside it: a GTIN with a serial number then says that the same
    case is a trade item too, and not that it is one pack of it. Raises IdentifierError for what is neither.
    """
    if elements.sscc is not None:
        return LogisticUnit(elements.sscc)
    if elements.gtin is None:
        raise _neither("the code has neither a GTIN, AI (01), nor an SSCC, AI (00)", elements)
    if elements.serial is None:
        raise _neither("the code has no serial number, AI (21): it names a product, not one pack", elements)
    return Scan(elements.gtin, elements.serial, elements.lot, elements.expiry)


def pack_of(elements: ElementString) -> Scan:
    """The pack that carries these codes. Raises IdentifierError for what identifies anything else."""
    found = identify(elements)
    if isinstance(found, LogisticUnit):
        raise IdentifierError(
            "this is the label of a logistic unit (a case, pallet or tote), not of a pack; scan the pack's own code",
            field="(00)",
            value=found.sscc,
            rule=SSCC_RULE,
        )
    return found


def _neither(message: str, elements: ElementString) -> IdentifierError:
    return IdentifierError(message, value=elements.bracketed(), rule=SERIAL_RULE)
