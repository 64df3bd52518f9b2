"""The receipt of a status change: what one call did, as its caller keeps it and the chain confirms it."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from packtrace.errors import EvidenceError
from packtrace.facts import Status, StatusChange

# A call changes at most 256 units (IPackLedger.MAX_UNITS), 8 bytes each.
MAX_UNITS = 256
UNIT_BYTES = 8
# An outcome below this is the status found where the unit was changed; above, why it was not.
REFUSED = 0x80


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one `changeStatus` call did (IPackLedger.Receipt); the chain holds its hash."""

    id: bytes
    party: int
    to: Status
    time: int
    openings: bytes
    units: bytes
    outcomes: bytes

    def change(self) -> StatusChange:
        return StatusChange(self.id, self.party, self.to, self.time)

    def arguments(self) -> dict[str, Any]:
        """As the contract's struct."""
        return {
            "id": self.id,
            "party": self.party,
            "to": int(self.to),
            "time": self.time,
            "openings": self.openings,
            "units": self.units,
            "outcomes": self.outcomes,
        }

    def to_json(self) -> dict[str, Any]:
        return {
            name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for name, value in self.arguments().items()
        }

    @staticmethod
    def from_json(plain: dict[str, Any]) -> "Receipt":
        """Raises EvidenceError when `plain` is not a receipt."""
        try:
            names = ("id", "openings", "units", "outcomes")
            binary = {name: base64.b64decode(plain[name], validate=True) for name in names}
            party, to, time = (plain[name] for name in ("party", "to", "time"))
            if not all(type(number) is int for number in (party, to, time)):
                raise TypeError("party, status and time are whole numbers")
            receipt = Receipt(party=party, to=Status(to), time=time, **binary)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise EvidenceError(f"the receipt is not well formed: {error!r}", rule="receipt") from error
        if not (0 <= party < 1 << 32 and 0 <= time < 1 << 40 and len(receipt.id) == len(receipt.openings) == 32):
            raise EvidenceError("a receipt's numbers and hashes are those of IPackLedger.Receipt", rule="receipt")
        if len(receipt.units) != UNIT_BYTES * len(receipt.outcomes) or len(receipt.outcomes) > MAX_UNITS:
            raise EvidenceError("a receipt names up to 256 units of 8 bytes, each with its outcome", rule="receipt")
        return receipt
