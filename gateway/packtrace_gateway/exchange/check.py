"""Is a package what it claims? First without the chain (`opened`), then against the chain's facts (`compared`).

Every link that does not hold is named. What the chain does not say *yet* is kept apart from what it says otherwise: a
node that lags behind is no reason to turn goods away.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from packtrace.chain.facts import ChainReader
from packtrace.commit.disclosure import Disclosure, VerifiedEvent
from packtrace.commit.history import RECORDED_AHEAD, containment
from packtrace.commit.items import Role
from packtrace.commit.pedigree import Pedigree
from packtrace.custody import handed
from packtrace.errors import EvidenceError
from packtrace.evidence import (
    LogisticLink,
    anchored,
    batch_differences,
    commissioned_batch,
    declarations,
    disbelieved,
    disbelieved_batch,
    logistic_link,
)
from packtrace.facts import CustodyState, Facts, PartyFacts, UnitFacts, unit_number
from packtrace.gs1 import split_sgtin_uri
from packtrace.product import Product, gtin_hash
from packtrace_gateway.exchange.package import COMMISSIONING, CORRECTION, SHIPMENT, Package

# What a finding begins with that says: this pack was never recorded as coming to who ships it.
GAP = "custody gap"
# So many times does an event carry a pack, or what it lies in. A package of 262,144 packs that were in six hands takes
# 3,000,000, and seconds.
MOST_LOOKS = 5_000_000
MAX_NESTING = 8  # levels of units inside a unit (ICustodyLedger)


@dataclass(frozen=True, slots=True)
class Batch:
    """A commissioned batch that a package tells of."""

    event: VerifiedEvent
    product: Product
    number: int


@dataclass(slots=True)
class Contents:
    """A package, opened: its events in their order, by digest, and what they say.

    `filled` is what filled each logistic unit last; `inside` are the units shipped and all that is inside them in the
    end, `parents` says inside what. `gaps` are what people may accept all the same, by name; nothing else is.
    """

    package: Package
    events: dict[bytes, tuple[Disclosure, VerifiedEvent]] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    links: list[LogisticLink] = field(default_factory=list)
    filled: dict[str, LogisticLink] = field(default_factory=dict)
    inside: set[str] = field(default_factory=set)
    parents: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)

    @property
    def verified(self) -> Iterator[VerifiedEvent]:
        return (event for _, event in self.events.values())

    def recorded(self, digest: bytes) -> str:
        """When an event was recorded, as it says."""
        return str(self.events[digest][1].header.core["recordTime"])

    def without(self, units: Collection[str]) -> "Contents":
        """The same, but for these of the units shipped and all that is inside them."""

        def outermost(uri: str) -> str:
            while uri in self.parents:
                uri = self.parents[uri]
            return uri

        inside = {uri for uri in self.inside if outermost(uri) not in units}
        parents = {uri: parent for uri, parent in self.parents.items() if uri in inside}
        return replace(self, inside=inside, parents=parents)

    def packs(self) -> dict[str, tuple[bytes, int]]:
        """Every pack whose commissioning is shown: the event's digest and the pack's position in it."""
        return {
            uri: (batch.event.digest, position)
            for batch in self.batches
            for uri, position in batch.event.items.get(Role.EPC, {}).items()
        }


def opened(package: Package) -> Contents:
    """Everything that can be said without the chain. Raises EvidenceError when the pedigree cannot even be read."""
    contents = Contents(package)
    for number, disclosure in enumerate(Pedigree.from_cbor(package.pedigree).disclosures):
        try:
            event = _sealed(disclosure.verify())
            if event.digest in contents.events:
                raise EvidenceError("the same event is shown twice", rule="pedigree")
            contents.events[event.digest] = disclosure, event
        except EvidenceError as error:
            contents.broken.append(f"disclosure {number}: {error}")
    for event in contents.verified:
        try:
            _read(contents, event)
        except EvidenceError as error:
            contents.broken.append(f"{name(event)}: {error}")
    if contents.broken:
        return contents  # what else is missing would only be their consequence
    declared, broken = declarations(contents.verified)
    contents.broken += broken
    parts = {SHIPMENT: _shipment, COMMISSIONING: _commissioning, CORRECTION: _correction}
    contents.broken += parts[package.kind](contents)
    if package.kind == SHIPMENT and not contents.broken:
        _follow_custody(contents, declared)
    return contents


def name(event: VerifiedEvent) -> str:
    """An event as people find it in a list of reasons."""
    return f"event {event.digest.hex()[:12]} of party {event.party}"


def _sealed(event: VerifiedEvent) -> VerifiedEvent:
    if event.seal is None:
        raise EvidenceError("the event was not sealed, so it is its party's word only", rule="seal")
    return event


def _read(contents: Contents, event: VerifiedEvent) -> None:
    """Keep what the event says for the chain to confirm."""
    core = event.header.core
    if core.get("product") is not None:
        product, number = commissioned_batch(event)
        if core["type"] != "ObjectEvent" or core["action"] != "ADD":
            raise EvidenceError("only a commissioning has product data", rule="product")
        for uri in event.items.get(Role.EPC, ()):
            sgtin = split_sgtin_uri(uri)
            if sgtin is None or sgtin[0] != product.gtin:
                raise EvidenceError(f"it commissions {product.gtin}, and this is none", value=uri, rule="product")
        contents.batches.append(Batch(event, product, number))
    link = logistic_link(event)
    if link is not None:
        contents.links.append(link)
        newest = contents.filled.get(link.uri)
        if newest is None or contents.recorded(newest.digest) <= core["recordTime"]:
            contents.filled[link.uri] = link


# ---- a shipment ----


def _shipment(contents: Contents) -> Iterator[str]:
    package = contents.package
    yield from _shipping_event(contents)
    parents = containment(contents.verified)
    children: dict[str, list[str]] = defaultdict(list)
    for child, parent in parents.items():
        children[parent].append(child)
    for uri in package.units:
        if uri in parents:
            yield f"{uri}: it was shipped, and is inside {parents[uri]}"
    level, depth = set(package.units), 0
    while level:
        contents.inside |= level
        contents.parents |= {uri: parents[uri] for uri in level if uri in parents}
        level = {child for uri in level for child in children[uri]} - contents.inside
        depth += 1
    if depth > MAX_NESTING + 2:  # the outermost and the packs are not counted
        yield f"logistic units are inside one another at {depth - 1} levels"
    inside = contents.inside
    packs, taken_out = contents.packs(), _taken_out(contents)
    for uri in sorted(inside):
        if split_sgtin_uri(uri) and uri not in packs:
            yield f"{uri}: its commissioning is not shown"
        if children[uri]:
            yield from _complete(contents, uri, len(children[uri]), taken_out[uri])
    for uri in sorted(packs.keys() - inside):
        yield f"{uri}: its data are here, but it is not inside what was shipped"
    for uri, number in package.units.items():
        link = contents.filled.get(uri)
        if link is None or link.number != number:
            yield f"{uri}: no event fills it as number {number}"


def _shipping_event(contents: Contents) -> Iterator[str]:
    package = contents.package
    if not package.units:
        yield "the package names no logistic unit"
    if package.event not in contents.events:
        yield "the shipping event is not among the disclosures"
        return
    event = contents.events[package.event][1]
    core = event.header.core
    if event.party != package.sender or core["bizStep"] != "shipping":
        yield f"{name(event)} is no shipping by the sender"
    if core.get("receiver") != package.receiver:
        yield f"{name(event)} ships to party {core.get('receiver')}, not here"
    for uri in package.units:
        if uri not in event.items.get(Role.EPC, ()):
            yield f"{uri}: {name(event)} does not ship it"


def _taken_out(contents: Contents) -> dict[str, list[tuple[str, int]]]:
    """When, and how many, things were taken out of each logistic unit."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for event in contents.verified:
        core = event.header.core
        if core["type"] == "AggregationEvent" and core["action"] == "DELETE":
            for parent in event.items.get(Role.PARENT, ()):
                found[parent].append((core["recordTime"], event.header.counts.get(Role.CHILD, 0)))
    return found


def _complete(contents: Contents, uri: str, shown: int, taken_out: list[tuple[str, int]]) -> Iterator[str]:
    """All that was packed into a logistic unit, and not taken out since, is shown."""
    link = contents.filled.get(uri)
    if link is None:
        yield f"{uri}: it is not registered on chain"
        return
    since = contents.recorded(link.digest)
    packed = contents.events[link.digest][1].header.counts.get(Role.CHILD, 0)
    inside = packed - sum(count for time, count in taken_out if time >= since)
    if shown != inside:
        yield f"{uri}: {inside} things are inside, {shown} are shown"


def _follow_custody(contents: Contents, declared: Container[bytes]) -> None:
    """Every pack came to the sender, hand by hand, as the verdict on it will ask: with what was declared erroneous, and
    without."""
    events = list(contents.verified)
    gaps: dict[str, list[str]] = defaultdict(list)
    try:
        _follow_hands(contents, events, gaps)
        left = [event for event in events if event.digest not in declared]
        if len(left) < len(events) and not gaps:
            _follow_hands(contents, left, gaps)
    except EvidenceError as error:
        contents.broken.append(str(error))
        return
    contents.gaps += [f"{GAP}, {len(uris)} packs ({uris[0]}, …): {why}" for why, uris in gaps.items()]


def _follow_hands(contents: Contents, events: Sequence[VerifiedEvent], gaps: dict[str, list[str]]) -> None:
    """Add the packs that by these events did not come to the sender, by why."""
    sender = contents.package.sender
    packs = sorted(uri for uri in contents.packs() if uri in contents.inside)
    registered = {link.digest for link in contents.links}
    for uri, one in handed(packs, events, registered, MOST_LOOKS).items():
        if one.gap is not None and one.link is not None:
            gaps[f"{name(one.link)}: {one.gap}"].append(uri)
        elif one.holder != sender:
            gaps[f"party {one.holder} has it by the events, and party {sender} ships it"].append(uri)


def _commissioning(contents: Contents) -> Iterator[str]:
    package = contents.package
    for event in contents.verified:
        if event.party != package.sender or event.header.core.get("product") is None:
            yield f"{name(event)} is no commissioning of packs by the sender"
    if package.event not in contents.events:
        yield "the commissioning is not among the disclosures"


def _correction(contents: Contents) -> Iterator[str]:
    """A declaration, and what stands in the erroneous event's place: headers of one party's events."""
    package = contents.package
    if package.units:
        yield "the package names logistic units, and a correction moves none"
    if package.event not in contents.events:
        yield "the declaration is not among the disclosures"
        return
    declaration = contents.events[package.event][1]
    if declaration.declares is None:
        yield f"{name(declaration)} declares nothing erroneous"
        return
    for event in contents.verified:
        if event.party != declaration.party:
            yield f"{name(event)} is not of the party that declares"
        if event is not declaration and event.digest not in declaration.declares.corrections:
            yield f"{name(event)} does not stand in the place of what is declared erroneous"
        if event.items or event.header.core.get("product") is not None:
            yield f"{name(event)} shows more than its header"


# ---- the chain ----


@dataclass(slots=True)
class Findings:
    """What the chain contradicts, and what it does not say yet."""

    broken: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What the chain says, all at one block. `holders` are the companies that hold the GTINs."""

    facts: Facts
    batches: Mapping[int, UnitFacts]
    holders: Mapping[str, int | None]
    own: PartyFacts | None


ROLE_REGULATOR = 1  # IPartyRegistry


def gathered(reader: ChainReader, contents: Contents) -> ChainFacts:
    """Ask the node, in a few requests. Raises ChainError."""
    view = reader.view()
    own = contents.package.receiver
    numbers = {link.number for link in contents.links} | set(contents.package.units.values())
    facts = reader.facts(
        entries=sorted({event.seal.entry for event in contents.verified if event.seal}),
        parties=[own],
        logistic=sorted(numbers),
        view=view,
    )
    units = {unit_number(batch.number, 0): batch.number for batch in contents.batches}
    found = reader.units_facts(units, view)
    gtins = {batch.product.gtin for batch in contents.batches}
    return ChainFacts(
        facts,
        {units[unit]: known for unit, known in found.items()},
        {gtin: reader.mah_of_gtin(gtin_hash(gtin), view) for gtin in gtins},
        facts.parties.get(own),
    )


def compared(contents: Contents, chain: ChainFacts) -> Findings:
    """Everything that the chain must confirm before a package is accepted."""
    findings = Findings()
    for event in contents.verified:
        match anchored(event, chain.facts):
            case None:
                findings.missing.append(f"{name(event)} is not in its party's log on chain")
            case False:
                findings.broken.append(f"{name(event)}: its log entry on chain is another")
            case True if (doubt := disbelieved(event, chain.facts)) and not _aside(contents, event):
                findings.broken.append(f"{name(event)}: {doubt}")
            case True if event.header.core["recordTime"] > _latest(event, chain.facts):
                findings.broken.append(f"{name(event)}: it says that it was recorded long after it was anchored")
    for batch in contents.batches:
        _compare_batch(batch, chain, findings)
    _compare_content(contents.links, chain.facts, findings)
    if contents.package.kind == COMMISSIONING:
        if not _may_have_commissionings(chain):
            message = "commissioning data are for the authority and the product's holder, and this party is neither"
            findings.broken.append(message)
    else:
        _compare_custody(contents.package, chain.facts, findings)
    return findings


def _aside(contents: Contents, event: VerifiedEvent) -> bool:
    """What shows nothing of the goods, beside them: goods do not suffer from a thief's declaration."""
    return contents.package.kind == SHIPMENT and not event.items


def _may_have_commissionings(chain: ChainFacts) -> bool:
    """The authority, and who holds the marketing authorisation of all that the package tells of."""
    if chain.own is None:
        return False
    return bool(chain.own.roles & ROLE_REGULATOR) or set(chain.holders.values()) == {chain.own.company}


def _latest(event: VerifiedEvent, facts: Facts) -> str:
    """The latest time of recording that can be believed, as an event writes it."""
    assert event.seal is not None
    anchored_at = datetime.fromtimestamp(facts.entries[event.seal.entry].time, UTC)
    return (anchored_at + RECORDED_AHEAD).strftime("%Y-%m-%dT%H:%M:%S.999Z")


def _compare_batch(batch: Batch, chain: ChainFacts, findings: Findings) -> None:
    known = chain.batches.get(batch.number)
    if known is None:
        findings.missing.append(f"batch {batch.number} is not on chain")
        return
    holder = chain.holders[batch.product.gtin]
    wrong = batch_differences(batch.event, batch.product, batch.number, known.batch, holder)
    if wrong:
        findings.broken.append(f"{name(batch.event)}: the batch on chain differs in: {', '.join(wrong)}")
    findings.broken.extend(f"{name(batch.event)}: {doubt}" for doubt in disbelieved_batch(batch.number, known.batch))


def _compare_content(links: Iterable[LogisticLink], facts: Facts, findings: Findings) -> None:
    for link in links:
        known = facts.logistic.get(link.number)
        if known is None:
            findings.missing.append(f"{link.uri} is not on chain as number {link.number}")
        elif known.content != link.content:
            findings.broken.append(f"{link.uri}: what was packed is not what the chain holds")


def _compare_custody(package: Package, facts: Facts, findings: Findings) -> None:
    """What was shipped is on its way from the sender to us; or it is ours already, as after a restored backup."""
    for uri, number in package.units.items():
        known = facts.logistic.get(number)
        if known is None:
            continue  # its content is missing as well, and says so
        coming = known.state is CustodyState.IN_TRANSIT and known.receiver == package.receiver
        ours = known.state is CustodyState.HELD and known.holder == package.receiver
        if ours or (coming and known.holder == package.sender and not known.parent):
            continue
        if known.state is CustodyState.HELD and known.holder == package.sender:
            findings.missing.append(f"{uri} is not on its way on chain: not yet, or the shipment was cancelled")
        else:
            where = f"{known.state.name.lower().replace('_', ' ')}, holder {known.holder}"
            findings.broken.append(f"{uri} is not on its way from party {package.sender} to here ({where})")


def held(package: Package, facts: Facts) -> set[str]:
    """Those of the units shipped that are the receiver's already, by the chain."""
    known = {uri: facts.logistic.get(number) for uri, number in package.units.items()}
    return {
        uri
        for uri, unit in known.items()
        if unit is not None and unit.state is CustodyState.HELD and unit.holder == package.receiver
    }
