"""A small world for tests: parties, their events, the chain's facts about them. No database, no node, no network."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from packtrace.commit import items, salts, seal
from packtrace.commit.declaration import Declaration
from packtrace.commit.disclosure import Disclosure, ShownItems
from packtrace.commit.event import Commitment, Custody, Ledger, commit
from packtrace.epcis.model import ErrorDeclaration, Event
from packtrace.evidence import content_hash, examine
from packtrace.facts import (
    BatchFacts,
    BatchSigner,
    BatchState,
    Block,
    CustodyState,
    EntryFacts,
    Facts,
    KeyFacts,
    LogisticFacts,
    PartyFacts,
    Recall,
    Status,
    UnitFacts,
    batch_number,
    logistic_number,
)
from packtrace.gs1 import expires_at, sgtin_uri, sscc_of_uri, sscc_uri, with_check_digit
from packtrace.product import Product, sscc_commitment
from packtrace.scan import Place, Scan
from packtrace.verdict import Verdict, judge

GTIN = "09506000134352"
PRODUCT = Product(GTIN, "ABC123", date(2028, 6, 30), bytes(range(32)))
MAH, LINE, WHOLESALER, PHARMACY, OTHER = 2, 3, 4, 5, 6
NOW = 1_795_421_700  # 2026-11-23 08:15 UTC: minutes after the journey below
CASE, PALLET = (sscc_uri(with_check_digit(f"0950600013435200{number}")) for number in (1, 2))
SERIALS = [f"SN{number:04}" for number in range(20)]
PACKS = [sgtin_uri(GTIN, serial) for serial in SERIALS]
SCAN = Scan(GTIN, SERIALS[3], PRODUCT.lot, PRODUCT.expiry)
BATCH = batch_number(LINE, 0)


@dataclass
class World:
    """Every event with its commitment and place in its party's log, and the facts that the chain would hold."""

    events: list[tuple[Event, Commitment, seal.SealProof]] = field(default_factory=list)
    entries: dict[tuple[int, int, int], EntryFacts] = field(default_factory=dict)
    logistic: dict[int, LogisticFacts] = field(default_factory=dict)
    batch: BatchFacts | None = None
    status: Status = Status.ACTIVE
    recall: Recall = Recall.NONE

    def add(self, event: Event, ledger: Ledger, *, log: bool = True, recorded: str = "") -> Commitment:
        number = len(self.events)
        secret = bytes([number + 1]) * 32
        tree = items.build(items.items_of(event), secret)
        commitment = commit(
            event,
            tree,
            ledger=ledger,
            record_time=recorded or event.event_time,
            cbv_hash=f"ni:///{number}",
            secret=secret,
        )
        digests = [bytes(32), commitment.digest, bytes([1]) * 32]
        proof = seal.SealProof(ledger.party, 0, number, 3, 1, seal.seal_paths(digests)[1])
        if log:
            self.entries[proof.entry] = EntryFacts(seal.seal_root(digests), 3, NOW, f"0xkey{ledger.party}")
        self.events.append((event, commitment, proof))
        return commitment

    def disclosures(self, wanted: Sequence[str]) -> list[Disclosure]:
        """Each event with those of its items that are wanted; declarations show none."""
        return [
            disclose(commitment, () if "declares" in commitment.header.core else wanted, proof)
            for _, commitment, proof in self.events
        ]

    def facts(self, **changes: object) -> Facts:
        assert self.batch is not None
        facts = Facts(
            chain_id=31337,
            block=Block(100, bytes(32), NOW - 3),
            final_block=98,
            entries=dict(self.entries),
            unit=UnitFacts(self.status, self.batch, self.recall, NOW if self.recall else 0),
            parties={
                number: PartyFacts(company, 0, True, name, "", bytes(32))
                for number, company, name in (
                    (MAH, MAH, "Maker"),
                    (LINE, MAH, "Plant"),
                    (WHOLESALER, WHOLESALER, "Wholesale"),
                    (PHARMACY, PHARMACY, ""),
                )
            },
            logistic=dict(self.logistic),
            keys={f"0xkey{party}": KeyFacts(party, 1, True) for party in (MAH, LINE, WHOLESALER, PHARMACY, OTHER)},
            mah_of_gtin=MAH,
        )
        return replace(facts, **changes)  # type: ignore[arg-type]

    def verdict(self, scan: Scan = SCAN, place: int | None = PHARMACY, **changes: object) -> Verdict:
        evidence = examine(scan, self.disclosures([sgtin_uri(scan.gtin, scan.serial), CASE, PALLET]))
        return judge(scan, evidence, None, self.facts(**changes), Place(place) if place else None, NOW)


def disclose(commitment: Commitment, wanted: Sequence[str], proof: seal.SealProof | None) -> Disclosure:
    tree = commitment.tree
    indices = [index for index, uri in enumerate(tree.uris) if uri in wanted]
    source = items.tiled_tree(
        tree.counts,
        commitment.secret,
        lambda number: tree.uris[number * 256 : number * 256 + 256],
        lambda level, number: tree.tiles[level, number],
    )
    shown = ShownItems(
        tuple(indices),
        b"".join(salts.salts(commitment.secret, salts.ITEMS, index, 1) for index in indices),
        tuple(tree.uris[index] for index in indices),
        tuple(source.multiproof(indices)) if indices else (),
    )
    return Disclosure(commitment.header.closed_but(()), shown, proof)


def event(minute: int, **fields: object) -> Event:
    time = f"2026-11-23T08:{minute:02}:00.000Z"
    return Event(event_time=time, event_time_zone_offset="+00:00", **fields)  # type: ignore[arg-type]


def journey() -> World:
    """A lot of 20 packs; 10 in a case, the case on a pallet, to the wholesaler; the case on to the pharmacy, opened."""
    world = World()
    made = world.add(
        event(0, type="ObjectEvent", action="ADD", biz_step="commissioning", disposition="active", epcs=PACKS),
        Ledger(party=LINE, product=PRODUCT, batch=BATCH),
    )
    world.batch = BatchFacts(
        made.tree.root, PRODUCT.lot_key, PRODUCT.product_key, MAH, 20, expires_at(PRODUCT.expiry), NOW, NOW,
        BatchState.RELEASED, BatchSigner("0xline"), BatchSigner("0xqp"),
    )  # fmt: skip
    pack(world, 1, CASE, PACKS[:10], 0)
    pack(world, 2, PALLET, [CASE], 1)
    ship(world, 3, LINE, PALLET, WHOLESALER)
    receive(world, 4, WHOLESALER, PALLET)
    unpack(world, 5, WHOLESALER, PALLET)
    ship(world, 6, WHOLESALER, CASE, PHARMACY)
    receive(world, 7, PHARMACY, CASE)
    unpack(world, 8, PHARMACY, CASE)
    hold(world, 0, PHARMACY, CustodyState.UNPACKED)
    hold(world, 1, WHOLESALER, CustodyState.UNPACKED)
    return world


def pack(world: World, minute: int, parent: str, children: Sequence[str], number: int, party: int = LINE) -> None:
    packing = event(
        minute, type="AggregationEvent", action="ADD", biz_step="packing", parent=parent, children=list(children)
    )
    own, salt = logistic_number(party, number), bytes([number]) * 16
    commitment = world.add(packing, Ledger(party=party, custody=Custody(own, salt)))
    content = content_hash(sscc_commitment(salt, sscc_of_uri(parent) or ""), commitment.tree.root, commitment.tree.size)
    world.logistic[own] = LogisticFacts(CustodyState.HELD, party, 0, 0, content)


def hold(world: World, number: int, party: int, state: CustodyState) -> None:
    own = logistic_number(LINE, number)
    world.logistic[own] = replace(world.logistic[own], holder=party, state=state)


def ship(world: World, minute: int, party: int, uri: str, receiver: int) -> None:
    shipping = event(minute, type="ObjectEvent", action="OBSERVE", biz_step="shipping", epcs=[uri])
    world.add(shipping, Ledger(party=party, receiver=receiver))


def receive(world: World, minute: int, party: int, uri: str) -> None:
    receiving = event(minute, type="ObjectEvent", action="OBSERVE", biz_step="receiving", epcs=[uri])
    world.add(receiving, Ledger(party=party))


def unpack(world: World, minute: int, party: int, uri: str) -> None:
    unpacking = event(minute, type="AggregationEvent", action="DELETE", biz_step="unpacking", parent=uri)
    world.add(unpacking, Ledger(party=party))


def declare(
    world: World,
    number: int,
    *,
    reason: str | None = "did_not_occur",
    corrections: Sequence[bytes] = (),
    party: int | None = None,
    log: bool = True,
) -> Commitment:
    """An event of the journey is declared erroneous, by its own party or by another."""
    wrong, commitment, _ = world.events[number]
    time = f"2026-11-23T08:{len(world.events):02}:00.000Z"
    said = Declaration(commitment.digest, time, reason, tuple(sorted(corrections)))
    own = commitment.header.core["party"]
    declaration = replace(wrong, error_declaration=ErrorDeclaration(declaration_time=time, reason=reason))
    return world.add(declaration, Ledger(party=party or own, declares=said), log=log, recorded=time)
