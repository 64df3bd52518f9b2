"""What a gateway gives a client to judge by: proofs that prove themselves, and hints that the client's node
confirms.
"""

from dataclasses import dataclass
from typing import Any

from packtrace.commit.disclosure import Disclosure
from packtrace.commit.pedigree import Pedigree
from packtrace.errors import EvidenceError
from packtrace.locator import Answer, read_answer
from packtrace.receipt import Receipt
from packtrace.scan import Scan


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
    def from_json(plain: dict[str, Any], network: str, scan: Scan) -> "Material":
        """Raises EvidenceError when the material is malformed, or of another network than `Deployment.network`.

        What it says is not believed yet.
        """
        try:
            receipt = Receipt.from_json(plain["receipt"]) if plain["receipt"] else None
            if plain["answer"]:
                answer = read_answer(plain["answer"], network, scan)
                shown = answer.pedigree.disclosures if answer.pedigree else ()
                return Material(shown, answer, plain["answer"], receipt)
            return Material(Pedigree.from_json(plain["pedigree"]).disclosures, receipt=receipt)
        except (KeyError, TypeError, AttributeError) as error:
            raise EvidenceError(f"the gateway's answer is not well formed: {error!r}") from error
