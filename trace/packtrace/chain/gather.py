"""All facts that a verdict on a pack needs, from the verifier's own node."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from packtrace.chain.facts import ChainReader
from packtrace.evidence import Evidence
from packtrace.facts import Facts
from packtrace.locator import Answer
from packtrace.product import gtin_hash
from packtrace.receipt import Receipt
from packtrace.scan import Scan


@dataclass(frozen=True, slots=True)
class Question:
    """A pack that facts are asked for. `receipt` is a hint: what it says is a fact only if the chain confirms it."""

    scan: Scan
    evidence: Evidence
    answer: Answer | None
    receipt: Receipt | None


def gather(
    reader: ChainReader, scan: Scan, evidence: Evidence, answer: Answer | None, receipt: Receipt | None
) -> Facts:
    """The facts of one pack, all of one block, in two HTTP requests (three with an answer).

    Raises ChainError when the node cannot be asked.
    """
    view = reader.view()
    parties = set(evidence.parties)
    if answer is not None:  # whose key signed must be known before that party can be asked about
        parties |= {key.party for key in reader.keys([answer.signer], view).values()}
    return reader.facts(
        unit=evidence.unit,
        change=receipt,
        entries=sorted(evidence.entries),
        parties=sorted(parties),
        keys=[answer.signer] if answer else (),
        logistic=[link.number for link in evidence.logistic],
        gtin_hash=gtin_hash(scan.gtin),
        view=view,
    )


def gather_all(reader: ChainReader, questions: Sequence[Question]) -> list[Facts]:
    """The facts of many packs, all of one block, in a handful of HTTP requests; each has those of `gather`, and what
    was asked for the others beside them. Raises ChainError when the node cannot be asked.
    """
    view = reader.view()
    evidences = [question.evidence for question in questions]
    signers = {question.answer.signer for question in questions if question.answer}
    parties = {party for evidence in evidences for party in evidence.parties}
    parties |= {key.party for key in reader.keys(sorted(signers), view).values()} if signers else set()
    common = reader.facts(
        entries=sorted({entry for evidence in evidences for entry in evidence.entries}),
        parties=sorted(parties),
        keys=sorted(signers),
        logistic=sorted({link.number for evidence in evidences for link in evidence.logistic}),
        view=view,
    )
    units = reader.units_facts([evidence.unit for evidence in evidences if evidence.unit is not None], view)
    hints = {q.evidence.unit: q.receipt for q in questions if q.receipt and q.evidence.unit is not None}
    changes = reader.status_changes(hints, view) if hints else {}
    gtins = {question.scan.gtin for question in questions}
    holders = {gtin: reader.mah_of_gtin(gtin_hash(gtin), view) for gtin in gtins}
    return [
        replace(
            common,
            unit=units.get(question.evidence.unit) if question.evidence.unit is not None else None,
            change=changes.get(question.evidence.unit) if question.evidence.unit is not None else None,
            mah_of_gtin=holders[question.scan.gtin],
        )
        for question in questions
    ]
