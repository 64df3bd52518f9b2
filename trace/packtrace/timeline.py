"""The pack's way as people read it: one entry for each event, with its proof's state and what was said of it since."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packtrace.commit.disclosure import VerifiedEvent
from packtrace.evidence import Evidence, anchored, taken_back
from packtrace.facts import Facts


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One event of the pack's way. `proof` is its state: signed (its party's word), anchored, or final.

    `declared` is there where its party has declared it erroneous: `time`, `reason` (may be null), the `digest` of the
    declaration, and `corrections`, what stands in its place, each by its digest and, where its header is here, with
    `time`, `step` and `disposition`.
    """

    time: str
    step: str
    disposition: str | None
    party: int
    party_name: str
    receiver: int | None
    receiver_name: str
    read_point: str | None
    carrier: str
    proof: str
    digest: str
    declared: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def timeline(evidence: Evidence, facts: Facts | None) -> Iterator[HistoryEntry]:
    """The events of the pack's way, oldest first; without facts, none is more than its party's word."""

    def name(party: int | None) -> str:
        known = facts.parties.get(party) if facts and party is not None else None
        return known.name if known else ""

    believed = taken_back(evidence, facts) if facts else evidence.declared
    for step in evidence.steps:
        core = step.event.header.core
        receiver = core.get("receiver")
        yield HistoryEntry(
            time=core["eventTime"],
            step=step_word(step.event),
            disposition=core["disposition"],
            party=step.event.party,
            party_name=name(step.event.party),
            receiver=receiver,
            receiver_name=name(receiver),
            read_point=core["readPoint"],
            carrier=step.carrier,
            proof=_proof(step.event, facts),
            digest=step.event.digest.hex(),
            declared=_declared(step.event, evidence, believed),
        )


def _declared(
    event: VerifiedEvent, evidence: Evidence, counted: Mapping[bytes, VerifiedEvent]
) -> dict[str, Any] | None:
    declaration = counted.get(event.digest)
    said = declaration.declares if declaration else None
    if declaration is None or said is None:
        return None
    here = {other.digest: other for other in evidence.events}
    return {
        "time": said.time,
        "reason": said.reason,
        "digest": declaration.digest.hex(),
        "corrections": [_correction(digest, event.party, here.get(digest)) for digest in said.corrections],
    }


def _correction(digest: bytes, party: int, event: VerifiedEvent | None) -> dict[str, Any]:
    if event is None or event.party != party:  # nobody can put words into another's mouth
        return {"digest": digest.hex()}
    core = event.header.core
    return {
        "digest": digest.hex(),
        "time": core["eventTime"],
        "step": step_word(event),
        "disposition": core["disposition"],
    }


def step_word(event: VerifiedEvent) -> str:
    """The business step, or what else the event says that was done."""
    core = event.header.core
    return str(core["bizStep"] or core["action"])


def _proof(event: VerifiedEvent, facts: Facts | None) -> str:
    """How far the event's log entry has come: signed, anchored or final."""
    if facts is None or event.seal is None or not anchored(event, facts):
        return "signed"
    return "final" if facts.entries[event.seal.entry].time <= facts.final_time else "anchored"
