"""From a pedigree to what it proves: every disclosure checked, what the chain must be asked, and what is broken.

`examine` needs no chain. It never raises for bad evidence: every broken link is kept, by name, for the verdict.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from packtrace.commit.disclosure import Disclosure, VerifiedEvent
from packtrace.commit.history import Step, history
from packtrace.commit.items import Role
from packtrace.commit.salts import SALT_BYTES
from packtrace.errors import EvidenceError
from packtrace.facts import LOGISTIC_BITS, BatchFacts, Facts, party_of_batch, unit_number
from packtrace.gs1 import expires_at, sgtin_uri, sscc_of_uri
from packtrace.product import Product, sscc_commitment
from packtrace.scan import Scan

# Batches have 44 bits on chain, logistic units 64 (contracts/interfaces).
MAX_BATCH_NUMBER = 1 << 44
MAX_LOGISTIC_NUMBER = 1 << 64
NUMBER = re.compile(r"[1-9]\d{0,19}", re.ASCII)
SSCC = re.compile(r"\d{18}", re.ASCII)
SALT = re.compile(rf"[0-9a-f]{{{2 * SALT_BYTES}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogisticLink:
    """A logistic unit's number on chain and the content hash that must stand there."""

    number: int
    uri: str
    content: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a pedigree proves about one pack, as far as can be told without the chain."""

    uri: str
    events: tuple[VerifiedEvent, ...]
    broken: tuple[str, ...]
    steps: tuple[Step, ...]
    product: Product | None
    batch: int | None
    unit: int | None
    commissioned: VerifiedEvent | None
    logistic: tuple[LogisticLink, ...]
    declared: Mapping[bytes, VerifiedEvent] = field(default_factory=dict)
    """Error declarations by the digest of the event that each takes back, where that one is here."""

    @property
    def entries(self) -> set[tuple[int, int, int]]:
        """The log entries that the chain must be asked for."""
        return {event.seal.entry for event in self.events if event.seal}

    @property
    def parties(self) -> set[int]:
        """The parties named in the history."""
        receivers = {step.event.header.core.get("receiver") for step in self.steps}
        return {step.event.party for step in self.steps} | {party for party in receivers if isinstance(party, int)}


def examine(scan: Scan, disclosures: Iterable[Disclosure]) -> Evidence:
    """Check every disclosure and follow the pack through them."""
    uri = sgtin_uri(scan.gtin, scan.serial)
    events: list[VerifiedEvent] = []
    broken: list[str] = []
    seen: set[bytes] = set()
    for number, disclosure in enumerate(disclosures):
        try:
            event = disclosure.verify()
            if event.digest in seen:
                raise EvidenceError("the same event is shown twice", rule="pedigree")
            seen.add(event.digest)
            events.append(event)
        except EvidenceError as error:
            broken.append(f"disclosure {number}: {error}")
    made = [event for event in events if _commissions(event, uri)]
    commissioned = made[0] if made else None
    if len(made) > 1:
        names = ", ".join(event.digest.hex()[:12] for event in made)
        broken.append(f"{uri} was commissioned more than once: events {names}")
    product, batch, unit = None, None, None
    if commissioned is not None:
        try:
            product, batch = commissioned_batch(commissioned)
            unit = unit_number(batch, commissioned.items[Role.EPC][uri])
            if product.gtin != scan.gtin:
                broken.append(f"event {commissioned.digest.hex()[:12]}: commissions {product.gtin}, not {scan.gtin}")
        except EvidenceError as error:
            broken.append(f"event {commissioned.digest.hex()[:12]}: {error}")
    links: list[LogisticLink] = []
    for event in events:
        try:
            link = logistic_link(event)
        except EvidenceError as error:
            broken.append(f"event {event.digest.hex()[:12]}: {error}")
        else:
            links += [link] if link else []
    steps = tuple(history(uri, events))
    declared, forged = declarations(events)
    broken += forged
    return Evidence(
        uri, tuple(events), tuple(broken), steps, product, batch, unit, commissioned, tuple(links), declared
    )


def declarations(events: Iterable[VerifiedEvent]) -> tuple[dict[bytes, VerifiedEvent], list[str]]:
    """The error declarations among `events`, by the digest of what is declared erroneous, where that is among them too;
    and what is wrong with others. Only who recorded an event can take it back; of several, the first counts.
    """
    known = {event.digest: event for event in events}
    declared: dict[bytes, VerifiedEvent] = {}
    broken = []
    for event in known.values():
        said = event.declares
        erroneous = known.get(said.event) if said else None
        if said is None or erroneous is None:
            continue
        if erroneous.party != event.party:
            name = f"event {event.digest.hex()[:12]} of party {event.party}"
            broken.append(f"{name} declares an event of party {erroneous.party} erroneous")
        elif erroneous.declares is not None:
            broken.append(f"event {event.digest.hex()[:12]} declares a declaration erroneous")
        else:
            declared.setdefault(said.event, event)
    return declared, broken


def _commissions(event: VerifiedEvent, uri: str) -> bool:
    core = event.header.core
    return core["action"] == "ADD" and core["type"] == "ObjectEvent" and uri in event.items.get(Role.EPC, ())


def commissioned_batch(event: VerifiedEvent) -> tuple[Product, int]:
    """Product and batch number of a commissioning of packs. Raises EvidenceError when it does not say."""
    data: dict[str, Any] = event.header.core.get("product") or {}
    product = Product.from_json(data)
    batch = data.get("batch")
    if type(batch) is not int or not 0 < batch < MAX_BATCH_NUMBER:
        raise EvidenceError("the batch has no number on chain", field="product.batch", value=batch)
    return product, batch


def logistic_link(event: VerifiedEvent) -> LogisticLink | None:
    """An aggregation that fills a logistic unit names its number on chain and opens its SSCC's commitment.

    None for any other event, and for one of which nothing is shown: it links nothing. Raises EvidenceError when what it
    says is not complete.
    """
    custody = event.header.core.get("custody")
    if custody is None or not event.items:
        return None
    if event.header.core["type"] != "AggregationEvent" or event.header.core["action"] != "ADD":
        raise EvidenceError("only filling a logistic unit has custody data", rule="custody")
    try:
        (parent,) = event.items[Role.PARENT]
        written, salt = custody["number"], custody["salt"]
        sound = NUMBER.fullmatch(written) and SALT.fullmatch(salt)
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceError(f"its custody data are not complete: {error!r}", field="custody") from error
    sscc = sscc_of_uri(parent)
    number = int(written) if sound else 0
    if sscc is None or not SSCC.fullmatch(sscc) or not 0 < number < MAX_LOGISTIC_NUMBER:
        raise EvidenceError(
            "the logistic unit has no SSCC, no number on chain or no salt of 16 bytes", field="custody", value=parent
        )
    if number >> LOGISTIC_BITS != event.party:
        raise EvidenceError("it gives a logistic unit a number that is another party's", rule="custody")
    content = content_hash(
        sscc_commitment(bytes.fromhex(salt), sscc), event.header.item_root, sum(event.header.counts.values())
    )
    return LogisticLink(number, parent, content, event.digest)


def batch_differences(
    event: VerifiedEvent, product: Product, batch: int, chain: BatchFacts, mah: int | None
) -> list[str]:
    """In what a commissioned batch differs from the chain's, by name. `mah` holds the product's GTIN on chain."""
    compared = {
        "items": chain.item_root == event.header.item_root,
        "count": chain.count == sum(event.header.counts.values()),
        "product": chain.product_key == product.product_key,
        "lot": chain.lot_key == product.lot_key,
        "expiry": chain.expires_at == expires_at(product.expiry),
        "proposer": party_of_batch(batch) == event.party,
        "marketing authorisation holder": chain.mah == mah,
    }
    return [name for name, same in compared.items() if not same]


def content_hash(commitment: bytes, item_root: bytes, count: int) -> bytes:
    """What `ICustodyLedger.contentOf` holds: keccak256(abi.encode(ssccCommitment, contentRoot, count))."""
    return keccak(abi_encode(["bytes32", "bytes32", "uint32"], [commitment, item_root, count]))


def anchored(event: VerifiedEvent, facts: Facts) -> bool | None:
    """Whether the event's log entry is on chain as claimed; None where there is no entry (yet), or nothing is known of
    the key that signed it.
    """
    entry = facts.entries.get(event.seal.entry) if event.seal else None
    if entry is None or event.seal is None or entry.key not in facts.keys:
        return None
    return entry.root == event.seal_root and entry.count == event.seal.count


def taken_back(evidence: Evidence, facts: Facts) -> dict[bytes, VerifiedEvent]:
    """The declarations that count: those of a key that is not to be believed do not, as anybody's may they be."""
    return {
        digest: event
        for digest, event in evidence.declared.items()
        if not anchored(event, facts) or not disbelieved(event, facts)
    }


def disbelieved(event: VerifiedEvent, facts: Facts) -> str | None:
    """Why an anchored event is not to be believed; None where it is.

    What a leaked key anchored from `compromised_since` on may be anybody's; what it anchored before stays good, and so
    does all that a key anchored which was merely revoked later. The block's time counts, not the event's own.
    """
    assert event.seal is not None
    entry = facts.entries[event.seal.entry]
    key = facts.keys[entry.key]
    if key.believed(entry.time):
        return None
    since = _moment(key.compromised_since)
    return f"key {entry.key} anchored it at {_moment(entry.time)}, and is compromised since {since}"


def disbelieved_batch(number: int, batch: BatchFacts) -> list[str]:
    """Which of a batch's signatures on chain are not to be believed, and why: that of the line that proposed it, that
    of the qualified person who released it. Judged as log entries are (`disbelieved`).
    """
    signed = [("proposal", batch.proposer, batch.proposed_at)]
    if batch.releaser is not None:
        signed.append(("release", batch.releaser, batch.released_at))
    return [
        f"{act} of batch {number}: key {signer.key} signed it at {_moment(time)}, and is compromised since "
        + _moment(signer.compromised_since)
        for act, signer, time in signed
        if not signer.believed(time)
    ]


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(" ")
