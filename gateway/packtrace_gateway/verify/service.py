"""From a scan to the material for a verdict, and the gateway's own verdict on it.

A client checks the same material against a node of its own (`packtrace.material`); the verdict that is given here is
for those who trust this gateway.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from packtrace.chain.facts import ChainReader
from packtrace.chain.gather import Question, gather, gather_all
from packtrace.errors import ChainError
from packtrace.evidence import Evidence, examine
from packtrace.facts import Facts, Status
from packtrace.gs1 import sgtin_uri
from packtrace.locator import Answer
from packtrace.material import Material
from packtrace.receipt import Receipt
from packtrace.scan import Place, Scan
from packtrace.verdict import Verdict, judge
from packtrace_gateway.db import Database
from packtrace_gateway.events.pedigrees import PedigreeReader
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.ledger import service as ledger
from packtrace_gateway.ledger.models import CallKind


class Locates(Protocol):
    """Asks the marketing authorisation holder of a scan's GTIN; None when nobody answers."""

    def ask(self, scan: Scan) -> tuple[Answer, dict[str, object]] | None: ...


class LedgerReceipts:
    """Receipts from the followed chain: hints, which the verdict's node confirms or not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, unit: int) -> Receipt | None:
        """The receipt of the call whose status the unit has: the newest that changed it and was not undone since."""
        restored: set[bytes] = set()
        with self._database.read() as session:
            for call in ledger.history(session, unit):
                if call.found is None or call.call in restored:
                    continue
                if call.kind is CallKind.RESTORED:  # to what an older call had set
                    restored.add(call.call)
                    continue
                found = ledger.receipt(session, call.call) if call.kind is CallKind.CHANGED else None
                return _receipt(found) if found else None
        return None


@dataclass(frozen=True, slots=True)
class Verified:
    """A verdict, and the material that it was given on."""

    verdict: Verdict
    material: Material
    evidence: Evidence


class VerifyService:
    """Verdicts for one gateway's place."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        reader: ChainReader,
        locator: Locates,
        receipts: LedgerReceipts,
        place: Place,
    ) -> None:
        self._database = database
        self._store = store
        self._reader = reader
        self._locator = locator
        self._receipts = receipts
        self._place = place

    def verify(self, scan: Scan) -> Verified:
        """The verdict on a pack. It never fails for lack of an answer: what could not be asked is named instead."""
        material, evidence = self._examined(scan)
        try:
            facts = gather(self._reader, scan, evidence, material.answer, material.receipt)
        except ChainError:
            facts = None
        return self._judged(scan, material, evidence, facts)

    def verify_all(self, scans: Sequence[Scan]) -> list[Verified]:
        """The verdicts on many packs, with the node asked about all of them together."""
        if len(scans) == 1:  # in fewer requests
            return [self.verify(scans[0])]
        examined = [self._examined(scan) for scan in scans]
        pairs = list(zip(scans, examined, strict=True))
        asked = [Question(scan, evidence, material.answer, material.receipt) for scan, (material, evidence) in pairs]
        facts: Sequence[Facts | None]
        try:
            facts = gather_all(self._reader, asked)
        except ChainError:
            facts = [None] * len(scans)
        return [self._judged(scan, *found, known) for (scan, found), known in zip(pairs, facts, strict=True)]

    def _examined(self, scan: Scan) -> tuple[Material, Evidence]:
        material = self._material(scan)
        evidence = examine(scan, material.disclosures)
        if evidence.unit is not None:
            material = replace(material, receipt=self._receipts.newest(evidence.unit))
        return material, evidence

    def _judged(self, scan: Scan, material: Material, evidence: Evidence, facts: Facts | None) -> Verified:
        verdict = judge(scan, evidence, material.answer, facts, self._place, int(time.time()))
        return Verified(verdict, material, evidence)

    def _material(self, scan: Scan) -> Material:
        uri = sgtin_uri(scan.gtin, scan.serial)
        with self._database.read() as session:
            # Events that only name the pack (seen here, dispensed here) do not tell where it came from.
            if uri in self._store.units(session, [uri]):
                return Material(PedigreeReader(self._store, session).of([uri]))
        found = self._locator.ask(scan)
        if found is None:
            return Material(())
        answer, plain = found
        return Material(answer.pedigree.disclosures if answer.pedigree else (), answer, plain)


def _receipt(found: dict[str, Any]) -> Receipt:
    return Receipt(**{**found, "to": Status(found["to"])})
