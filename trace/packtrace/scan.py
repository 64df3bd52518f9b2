"""What was read from a pack, and who asks where."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Scan:
    """A pack's code: GTIN of 14 digits, serial number, and lot and expiry where the code carries them."""

    gtin: str
    serial: str
    lot: str | None = None
    expiry: date | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pack is: the party number of the premises that asks."""

    party: int
