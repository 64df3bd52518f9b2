"""What a gateway gives a client to judge by: proofs that prove themselves, and hints that the client's node confirms."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from packtrace.commit.disclosure import Disclosure
from packtrace.commit.pedigree import Pedigree
from packtrace.errors import EvidenceError
from packtrace.facts import Status, StatusChange
from packtrace.locator import Answer, read_answer
from packtrace.scan import Scan

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

    def changed(self, unit: int) -> bool:
        """Whether this call changed the unit."""
        wanted = unit.to_bytes(UNIT_BYTES, "big")
        return any(
            self.units[at * UNIT_BYTES : (at + 1) * UNIT_BYTES] == wanted and outcome < REFUSED
            for at, outcome in enumerate(self.outcomes)
        )

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
            binary = {name: base64.b64decode(plain[name], validate=True) for name in ("id", "openings", "units", "outcomes")}
            receipt = Receipt(party=int(plain["party"]), to=Status(plain["to"]), time=int(plain["time"]), **binary)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise EvidenceError(f"the receipt is not well formed: {error!r}", rule="receipt") from error
        if len(receipt.units) != UNIT_BYTES * len(receipt.outcomes) or len(receipt.outcomes) > MAX_UNITS:
            raise EvidenceError("a receipt names up to 256 units of 8 bytes, each with its outcome", rule="receipt")
        return receipt


@dataclass(frozen=True, slots=True)
class Material:
    """The disclosures of one pack; the locator's answer, if it was asked; the receipt of the last change, as a hint."""

    disclosures: tuple[Disclosure, ...]
    answer: Answer | None = None
    plain_answer: dict[str, Any] | None = None
    receipt: Receipt | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "pedigree": None if self.answer else Pedigree(self.disclosures).to_json(),
            "answer": self.plain_answer,
            "receipt": self.receipt.to_json() if self.receipt else None,
        }

    @staticmethod
    def from_json(plain: dict[str, Any], scan: Scan) -> "Material":
        """Raises EvidenceError when the material is malformed. What it says is not believed yet."""
        try:
            receipt = Receipt.from_json(plain["receipt"]) if plain["receipt"] else None
            if plain["answer"]:
                answer = read_answer(plain["answer"], scan)
                shown = answer.pedigree.disclosures if answer.pedigree else ()
                return Material(shown, answer, plain["answer"], receipt)
            return Material(Pedigree.from_json(plain["pedigree"]).disclosures, receipt=receipt)
        except (KeyError, TypeError, AttributeError) as error:
            raise EvidenceError(f"the gateway's answer is not well formed: {error!r}") from error
