"""All facts that a verdict on a pack needs, from the verifier's own node."""

from packtrace.chain.facts import ChainReader
from packtrace.evidence import Evidence
from packtrace.facts import Facts
from packtrace.locator import Answer
from packtrace.product import gtin_hash
from packtrace.receipt import Receipt
from packtrace.scan import Scan


def gather(
    reader: ChainReader, scan: Scan, evidence: Evidence, answer: Answer | None, receipt: Receipt | None
) -> Facts:
    """The facts, all of one block. `receipt` is a hint: what it says is a fact only if the chain confirms it.

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
