"""The proof that two packs have one serial, as `IPackLedger.proveDuplicate` takes it, from two pedigrees.

Either pedigree alone is sound; together they show that the serial was commissioned twice.
"""

from collections.abc import Sequence
from typing import NamedTuple

from packtrace.commit.disclosure import Disclosure
from packtrace.errors import EvidenceError
from packtrace.evidence import examine
from packtrace.gs1 import sgtin_uri
from packtrace.scan import Scan


class Opening(NamedTuple):
    """Shows a unit's serial (IPackLedger.Opening): its leaf's salt, and the path to the root, lowest node first."""

    unit: int
    salt: bytes
    path: list[bytes]


class DuplicateProof(NamedTuple):
    """The arguments of `proveDuplicate`."""

    uri: bytes
    unit: Opening
    twin: Opening


def prove(scan: Scan, first: Sequence[Disclosure], second: Sequence[Disclosure]) -> DuplicateProof:
    """The proof, the unit with the lower number first.

    Raises EvidenceError where a pedigree does not show the serial's commissioning, or both show the same.
    """
    one, other = sorted((_opening(scan, first), _opening(scan, second)))
    uri = sgtin_uri(scan.gtin, scan.serial)
    if one.unit == other.unit:
        message = "both pedigrees show the same pack: one commissioning, so there is no duplicate"
        raise EvidenceError(message, field="unit", value=one.unit, rule="duplicate")
    return DuplicateProof(uri.encode(), one, other)


def _opening(scan: Scan, disclosures: Sequence[Disclosure]) -> Opening:
    evidence = examine(scan, disclosures)
    if evidence.commissioned is None or evidence.unit is None:
        reason = "; ".join(evidence.broken) or "it is not among the events shown"
        raise EvidenceError(f"the serial's commissioning is not proven: {reason}", value=evidence.uri, rule="duplicate")
    digest = evidence.commissioned.digest
    shown = next(entry for entry in disclosures if entry.digest == digest).part([evidence.uri]).shown
    return Opening(evidence.unit, shown.salt(0), list(shown.nodes))
