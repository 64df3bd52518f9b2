"""The verdict on one pack: one pure function of the scan, the evidence, the chain's facts, the place and the time.

Every check is reported, made or not; the headline is the gravest finding, in the order of `Headline`. A check that
could not be made is never shown as passed. A status alone never proves that a pack is genuine: a clone can come
first, and then the second attempt raises the alarm.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from packtrace.custody import whereabouts
from packtrace.evidence import (
    Evidence,
    anchored,
    batch_differences,
    disbelieved,
    disbelieved_batch,
    taken_back,
)
from packtrace.facts import (
    PURPOSE_OPERATE,
    BatchState,
    CustodyState,
    Facts,
    Recall,
    Status,
    StatusChange,
    batch_of_unit,
    index_of_unit,
)
from packtrace.gs1 import expires_at
from packtrace.locator import Answer
from packtrace.scan import Place, Scan
from packtrace.timeline import HistoryEntry, step_word, timeline


class Headline(StrEnum):
    """What the pack is, gravest first."""

    EVIDENCE_BROKEN = "evidence broken"
    WRONG_DATA = "not this product's data"
    UNKNOWN_SERIAL = "unknown serial"
    RECALLED = "recalled"
    NOT_ACTIVE = "already supplied"
    NOT_RELEASED = "not released"
    EXPIRED = "expired"
    CUSTODY_GAP = "custody gap"
    NOT_VERIFIED = "not verified"
    AUTHENTIC = "authentic, available"


GRAVITY = list(Headline)
# The headline of a status other than ACTIVE.
STATUS_WORDS = {
    Status.SUPPLIED: "already supplied",
    Status.DESTROYED: "destroyed",
    Status.EXPORTED: "exported",
    Status.SAMPLED: "taken as a sample",
    Status.FREE_SAMPLE: "given as a free sample",
    Status.STOLEN: "reported stolen",
    Status.LOCKED: "locked",
    Status.SUSPECT: "reported suspect",
}
# Seconds. Clocks are off by minutes; packs reach a pharmacy days after they were commissioned.
MAX_ANSWER_AGE = 3600
# So long may events recorded at this very place be on their way to the chain; sealing and sending take seconds.
MAX_UNANCHORED = 3600
# A chain makes blocks every few seconds; of what an older newest block says nobody knows whether it is still so.
MAX_BLOCK_AGE = 900


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `passed` is None when it could not be made. `finding` is the headline that a failure asks for."""

    name: str
    passed: bool | None
    detail: str
    finding: Headline

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "passed": self.passed, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Headline, all checks, the history, and the block that the facts were read at.

    `status` is the unit's status in words; `case` a number to quote to others, where the pack is not available.
    `age` is how old that block was, in seconds, when the verdict was given.
    """

    scan: Scan
    headline: Headline
    status: str | None
    case: str | None
    checks: tuple[Check, ...]
    history: tuple[HistoryEntry, ...]
    block: int | None
    block_hash: str | None
    age: int | None
    unit: int | None = None
    product: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The headline as shown to people: the status in words where the pack is not active."""
        return self.status if self.headline is Headline.NOT_ACTIVE and self.status else self.headline.value

    @property
    def reasons(self) -> list[str]:
        """Why: the details of every check that failed, and, where nothing failed, of those not made."""
        failed = [check.detail for check in self.checks if check.passed is False]
        return failed or [check.detail for check in self.checks if check.passed is None]

    def to_json(self) -> dict[str, Any]:
        return {
            "headline": self.headline.value,
            "words": self.words,
            "status": self.status,
            "case": self.case,
            "reasons": self.reasons,
            "checks": [check.to_json() for check in self.checks],
            "history": [entry.to_json() for entry in self.history],
            "product": self.product,
            "unit": None if self.unit is None else str(self.unit),
            "block": self.block,
            "blockHash": self.block_hash,
            "blockAge": self.age,
        }


def judge(
    scan: Scan, evidence: Evidence, answer: Answer | None, facts: Facts | None, place: Place | None, now: int
) -> Verdict:
    """The verdict.

    `evidence` is what the pedigree here (or the unit that the locator's answer disclosed) proves. `answer` is the MAH's
    answer where there was no pedigree here, None where there was one or nobody answered. `facts` is None when no node
    could be asked. `place` is None when the place is not known to the verifier. `now` is unix time.
    """
    checks = tuple(_checks(scan, evidence, answer, facts, place, now))
    findings = [check.finding for check in checks if check.passed is False]
    if any(check.passed is None for check in checks):
        findings.append(Headline.NOT_VERIFIED)
    headline = min(findings, key=GRAVITY.index, default=Headline.AUTHENTIC)
    unit = facts.unit if facts else None
    product = evidence.product
    change = _change(facts)
    return Verdict(
        scan=scan,
        headline=headline,
        status=None if unit is None else STATUS_WORDS.get(unit.status, "active"),
        case=case_number(change.receipt) if change else None,
        checks=checks,
        history=tuple(timeline(evidence, facts)),
        block=facts.block.number if facts else None,
        block_hash=facts.block.hash.hex() if facts else None,
        age=max(0, now - facts.block.timestamp) if facts else None,
        unit=evidence.unit,
        product={"gtin": product.gtin, "lot": product.lot, "expiry": product.expiry.isoformat()} if product else {},
    )


def case_number(receipt: bytes) -> str:
    """A short number for people to quote: the first 48 bits of the receipt's id."""
    text = receipt.hex()[:12].upper()
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


def _checks(
    scan: Scan, evidence: Evidence, answer: Answer | None, facts: Facts | None, place: Place | None, now: int
) -> Iterator[Check]:
    if evidence.events or evidence.broken:  # where nothing was shown there was nothing to check
        yield _proofs(evidence)
    if answer is not None:
        yield from _answer(answer, facts, now)
    if evidence.commissioned is None:
        if answer is None or answer.kind == "unit":
            detail = "no pedigree of this pack is here, and the marketing authorisation holder's gateway gave no answer"
            yield Check("pedigree", None, detail, Headline.NOT_VERIFIED)
        if facts is None:
            yield _no_node()
        return
    yield from _printed_data(scan, evidence)
    if facts is None:
        yield _no_node()
        return
    yield _node(facts, now)
    yield _log(evidence, facts, place, now)
    yield from _corrections(evidence, facts)
    yield _batch(evidence, facts)
    yield from _unit(evidence, facts, now)
    yield from _custody(evidence, facts, place, located=answer is not None)


def _no_node() -> Check:
    return Check("chain", None, "no node could be asked: status, recall and log are not known", Headline.NOT_VERIFIED)


def _node(facts: Facts, now: int) -> Check:
    """A node that has lost touch with the network would go on saying that nobody has dispensed the pack."""
    age = now - facts.block.timestamp
    if age > MAX_BLOCK_AGE:
        detail = f"the node's newest block is {age} seconds old: it has lost the network, or the clock here is wrong"
        return Check("chain", None, detail, Headline.NOT_VERIFIED)
    return Check("chain", True, f"the node's newest block is {max(0, age)} seconds old", Headline.NOT_VERIFIED)


def _proofs(evidence: Evidence) -> Check:
    if evidence.broken:
        return Check("proofs", False, "; ".join(evidence.broken), Headline.EVIDENCE_BROKEN)
    return Check("proofs", True, f"{len(evidence.events)} events prove themselves", Headline.EVIDENCE_BROKEN)


def _answer(answer: Answer, facts: Facts | None, now: int) -> Iterator[Check]:
    """The MAH's signed answer: who signed it, and what it says. An old one is no answer: "never" was true once."""
    if abs(now - answer.time) > MAX_ANSWER_AGE:
        detail = f"the locator's answer is of {_moment(answer.time)}: an old answer, or a wrong clock here or there"
        yield Check("locator", None, detail, Headline.NOT_VERIFIED)
        return
    if facts is None:
        signed: bool | None = None
        detail = "who signed the locator's answer is not known without a node"
    else:
        key = facts.keys.get(answer.signer)
        company = facts.parties[key.party].company if key and key.party in facts.parties else None
        may = key is not None and key.valid and bool(key.purposes & PURPOSE_OPERATE)
        signed = may and company is not None and company == facts.mah_of_gtin
        detail = (
            "signed by the GTIN's marketing authorisation holder"
            if signed
            else (f"the locator's answer is signed by {answer.signer}, not by a valid key of the GTIN's holder")
        )
    yield Check("locator", signed, detail, Headline.EVIDENCE_BROKEN)
    who, bad = ("its holder", False) if signed else ("somebody", None)  # only the holder's word counts
    if answer.kind == "never":
        detail = f"{who} signed that this serial was never commissioned"
        yield Check("serial", bad, detail, Headline.UNKNOWN_SERIAL)
    if answer.kind == "differs":
        detail = f"{who} signed that this serial was commissioned with another lot or expiry than printed"
        yield Check("printed data", bad, detail, Headline.WRONG_DATA)


def _printed_data(scan: Scan, evidence: Evidence) -> Iterator[Check]:
    product = evidence.product
    if product is None:
        return
    wrong = []
    if scan.lot is not None and scan.lot != product.lot:
        wrong.append(f"lot {scan.lot} is printed, {product.lot} was commissioned")
    if scan.expiry is not None and scan.expiry != product.expiry:
        wrong.append(f"expiry {scan.expiry} is printed, {product.expiry} was commissioned")
    if wrong:
        yield Check("printed data", False, "; ".join(wrong), Headline.WRONG_DATA)
    elif scan.lot is None or scan.expiry is None:
        missing = " and ".join(name for name, read in (("lot", scan.lot), ("expiry", scan.expiry)) if read is None)
        detail = f"not read from the pack: {missing}; compare by eye with what was commissioned"
        yield Check("printed data", None, detail, Headline.WRONG_DATA)
    else:
        yield Check("printed data", True, "lot and expiry are as commissioned", Headline.WRONG_DATA)


def _log(evidence: Evidence, facts: Facts, place: Place | None, now: int) -> Check:
    """Every event is in its party's log on chain, anchored by a key that is to be believed. Events recorded here just
    now may still be on their way there.
    """
    fresh = _written(now - MAX_UNANCHORED)
    missing, wrong, own = [], [], 0
    for event in evidence.events:
        state = anchored(event, facts)
        name = f"event {event.digest.hex()[:12]} of party {event.party}"
        if state is False:
            wrong.append(f"{name}: its log entry on chain is another")
        elif state is None and place and event.party == place.party and event.header.core["recordTime"] >= fresh:
            own += 1
        elif state is None:
            missing.append(f"{name} is not in its party's log on chain")
        elif event.items and (doubt := disbelieved(event, facts)):  # what shows nothing of the pack breaks nothing
            wrong.append(f"{name}: {doubt}")
    if wrong:
        return Check("log", False, "; ".join(wrong), Headline.EVIDENCE_BROKEN)
    if missing:
        return Check("log", None, "; ".join(missing), Headline.NOT_VERIFIED)
    rest = f", but for {own} recorded at this very place that are on their way there" if own else ""
    return Check("log", True, f"every event is in its party's log on chain{rest}", Headline.EVIDENCE_BROKEN)


def _corrections(evidence: Evidence, facts: Facts) -> Iterator[Check]:
    """What was declared erroneous of the pack's way. Whether it came here without that is for `_custody` to say."""
    counted = taken_back(evidence, facts)
    said = []
    for step in evidence.steps:
        declaration = evidence.declared.get(step.event.digest)
        if declaration is None or declaration.declares is None:
            continue
        core, told = step.event.header.core, declaration.declares
        event = f"{step_word(step.event)} of {core['eventTime'][:10]} by party {step.event.party}"
        if step.event.digest not in counted:
            said.append(f"{event} was declared erroneous with a key that is compromised, which does not count")
        elif evidence.commissioned and step.event.digest == evidence.commissioned.digest:
            detail = f"its maker has declared on {told.time[:10]} that its commissioning is wrong ({told.words})"
            yield Check("corrections", None, f"{detail}: what was commissioned is not known", Headline.NOT_VERIFIED)
        else:
            replaced = ", ".join(digest.hex()[:12] for digest in told.corrections)
            rest = f", replaced by event {replaced}" if replaced else ""
            said.append(f"{event} was declared erroneous on {told.time[:10]} ({told.words}){rest}")
    if said:
        yield Check("corrections", True, "; ".join(said), Headline.CUSTODY_GAP)


def _batch(evidence: Evidence, facts: Facts) -> Check:
    """The commissioned batch on chain is this event's, its GTIN's holder stands behind it, and those who signed for it
    (the line, the qualified person) are to be believed.
    """
    event, product, number, unit = evidence.commissioned, evidence.product, evidence.batch, facts.unit
    if not event or not product or number is None or unit is None or unit.batch.state is BatchState.NONE:
        return Check("batch", None, "the batch is not on chain (yet)", Headline.NOT_VERIFIED)
    wrong = batch_differences(event, product, number, unit.batch, facts.mah_of_gtin)
    if wrong:
        return Check("batch", False, f"the batch on chain differs in: {', '.join(wrong)}", Headline.EVIDENCE_BROKEN)
    if doubts := disbelieved_batch(number, unit.batch):
        return Check("batch", False, "; ".join(doubts), Headline.EVIDENCE_BROKEN)
    return Check("batch", True, "items, product, lot, expiry and holder are those on chain", Headline.EVIDENCE_BROKEN)


def _unit(evidence: Evidence, facts: Facts, now: int) -> Iterator[Check]:
    unit, product = facts.unit, evidence.product
    if unit is None or product is None or unit.batch.state is BatchState.NONE:
        return
    if unit.recall is Recall.NONE:
        yield Check("recall", True, "neither lot nor batch is recalled", Headline.RECALLED)
    else:
        word = "recalled" if unit.recall is Recall.RECALLED else "withdrawn"
        yield Check("recall", False, f"the lot is {word} since {_day(unit.recalled_at)}", Headline.RECALLED)
    if unit.status is Status.ACTIVE:
        yield Check("status", True, "the pack is active: nobody has dispensed it", Headline.NOT_ACTIVE)
    else:
        detail = f"the pack is {STATUS_WORDS[unit.status]}"
        if change := _change(facts):
            detail += f" since {_moment(change.time)}, case {case_number(change.receipt)}"
        yield Check("status", False, detail, Headline.NOT_ACTIVE)
    if unit.twin is None:
        yield Check("duplicate", True, "no other pack was proven to have this serial", Headline.NOT_ACTIVE)
    else:
        batch, index = batch_of_unit(unit.twin), index_of_unit(unit.twin)
        detail = f"another pack has this serial: number {index} of batch {batch}. Quarantine this one, whatever it is"
        yield Check("duplicate", False, detail, Headline.NOT_ACTIVE)
    if unit.batch.state is BatchState.RELEASED:
        yield Check("release", True, f"released on {_day(unit.batch.released_at)}", Headline.NOT_RELEASED)
    else:
        word = "withdrawn before release" if unit.batch.state is BatchState.WITHDRAWN else "proposed, not released"
        yield Check("release", False, f"the batch is {word}", Headline.NOT_RELEASED)
    expired = max(now, facts.block.timestamp) >= expires_at(product.expiry)  # a clock here that is slow makes none good
    detail = f"{'expired' if expired else 'good until'} {product.expiry}"
    yield Check("expiry", not expired, detail, Headline.EXPIRED)


def _change(facts: Facts | None) -> StatusChange | None:
    """The call that gave the unit its status. One that gave it another before, as before a lift, tells nothing."""
    if facts is None or facts.change is None or facts.unit is None or facts.change.to is not facts.unit.status:
        return None
    return facts.change


def _custody(evidence: Evidence, facts: Facts, place: Place | None, *, located: bool) -> Iterator[Check]:
    """The hands it came through: registered contents on chain, and whether it came to this place."""
    for link in evidence.logistic:
        known = facts.logistic.get(link.number)
        if known is None or known.state is CustodyState.NONE:
            detail = f"{link.uri} is not on chain (yet)"
            yield Check("content", None, detail, Headline.NOT_VERIFIED)
        elif known.content != link.content:
            detail = f"{link.uri}: what was packed is not what the chain holds (event {link.digest.hex()[:12]})"
            yield Check("content", False, detail, Headline.EVIDENCE_BROKEN)
    if place is None:
        yield Check("custody", None, "the verifier does not know at which place the pack is", Headline.NOT_VERIFIED)
        return
    found = whereabouts(evidence, facts)
    holder, why, number = found.holder, found.why, found.number
    known = None if number is None else facts.logistic.get(number)
    detail = f"the pack is real, but not recorded as having come to this place: {why}"
    if located:
        detail = "the pack is real, but no record says that it came here: its history was asked of its maker"
        yield Check("custody", False, detail, Headline.CUSTODY_GAP)
    elif holder != place.party:
        yield Check("custody", False, detail, Headline.CUSTODY_GAP)
    elif number is not None and known is None:
        detail = f"by the events {why}, and what it came in is not on chain (yet)"
        yield Check("custody", None, detail, Headline.NOT_VERIFIED)
    elif known is not None and (known.state is CustodyState.IN_TRANSIT or known.holder != holder):
        detail += f", but by the chain party {known.holder} holds what it came in"
        yield Check("custody", False, detail, Headline.CUSTODY_GAP)
    else:
        detail = f"it came here through {len(evidence.parties)} recorded hands"
        yield Check("custody", True, detail, Headline.CUSTODY_GAP)


def _written(time: int) -> str:
    """As an event writes its times."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _day(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
