"""The check of a package without a network: sound parts, put together wrongly."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest

from packtrace.commit import items, salts
from packtrace.commit.disclosure import Disclosure, ShownItems
from packtrace.commit.event import Custody, Ledger, commit
from packtrace.commit.pedigree import Pedigree
from packtrace.commit.seal import SealProof
from packtrace.epcis.model import Event
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
from packtrace.gs1 import expires_at, sgtin_uri, sscc_uri
from packtrace.gs1.keys import make_sscc
from packtrace.product import Product
from packtrace_gateway.exchange import check
from packtrace_gateway.exchange.check import ChainFacts, Contents, compared, opened
from packtrace_gateway.exchange.package import COMMISSIONING, SHIPMENT, Package

GTIN = "09506000134352"
PRODUCT = Product(GTIN, "L1", date(2031, 5, 31), bytes(32))
MAKER, SHOP, OTHER = 11, 31, 40
PACKS = [sgtin_uri(GTIN, f"S{number}") for number in range(6)]
UNITS = [sscc_uri(make_sscc("9506000", number)) for number in range(1, 20)]


@dataclass
class Log:
    """One party's events, each sealed alone, all of their items shown."""

    disclosures: list[Disclosure] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(
        self, type_: Any, action: Any, step: str, ledger: Ledger, hidden: Sequence[str] = (), **parts: Any
    ) -> Disclosure:
        time = f"2026-11-23T05:00:{len(self.disclosures):02}.000Z"
        event = Event(
            type=type_, action=action, event_time=time, event_time_zone_offset="+00:00", biz_step=step, **parts
        )
        secret = salts.new_secret()
        tree = items.build(items.items_of(event), secret)
        made = commit(event, tree, ledger=ledger, record_time=time, cbv_hash="", secret=secret)
        everything = ShownItems(
            tuple(range(tree.size)), salts.salts(secret, salts.ITEMS, 0, tree.size), tuple(tree.uris), ()
        )
        proof = SealProof(ledger.party, 0, len(self.disclosures), 1, 0, ())
        whole = Disclosure(made.header, everything, proof)
        self.disclosures.append(whole.part(set(tree.uris) - set(hidden)) if hidden else whole)
        return self.disclosures[-1]

    def commission(self, packs: Sequence[str], product: Product | None = PRODUCT, party: int = MAKER) -> None:
        ledger = Ledger(party=party, product=product, batch=batch_number(party, 1))
        self.add("ObjectEvent", "ADD", "commissioning", ledger, epcs=list(packs))

    def pack(self, parent: str, children: Sequence[str], party: int = MAKER, hidden: Sequence[str] = ()) -> None:
        number = self.numbers[parent] = logistic_number(party, len(self.disclosures))
        ledger = Ledger(party=MAKER, custody=Custody(number, bytes(16)))
        self.add("AggregationEvent", "ADD", "packing", ledger, hidden, parent=parent, children=list(children))

    def take_out(self, parent: str, children: Sequence[str], hidden: Sequence[str] = ()) -> None:
        ledger = Ledger(party=MAKER)
        self.add("AggregationEvent", "DELETE", "unpacking", ledger, hidden, parent=parent, children=list(children))

    def ship(self, *units: str, receiver: int = SHOP, party: int = MAKER) -> Contents:
        shipping = self.add(
            "ObjectEvent", "OBSERVE", "shipping", Ledger(party=party, receiver=receiver), epcs=list(units)
        )
        numbers = {uri: self.numbers.get(uri, 1) for uri in units}
        return self.opened(Package(SHIPMENT, MAKER, SHOP, shipping.digest, numbers, b""))

    def opened(self, package: Package) -> Contents:
        return opened(replace(package, pedigree=Pedigree(tuple(self.disclosures)).to_cbor()))


def test_a_sound_shipment_has_nothing_to_name() -> None:
    log = Log()
    log.commission(PACKS)
    log.pack(UNITS[0], PACKS[:4])
    log.pack(UNITS[1], [UNITS[0], *PACKS[4:]])
    contents = log.ship(UNITS[1])
    assert contents.broken == []
    assert contents.inside == {*PACKS, *UNITS[:2]}
    assert contents.parents[PACKS[0]] == UNITS[0]
    assert contents.packs()[PACKS[2]][1] == 2


def test_a_pack_that_did_not_come_to_who_ships_it_is_a_gap() -> None:
    log = Log()
    log.commission(PACKS[:4])
    log.commission(PACKS[4:], party=OTHER)
    log.pack(UNITS[0], PACKS)
    contents = log.ship(UNITS[0])
    assert contents.broken == []
    digest = log.disclosures[2].digest.hex()[:12]
    why = f"party {MAKER} packed it on 2026-11-23T05:00:02.000Z, and no event brought it there"
    assert contents.gaps == [f"custody gap, 2 packs ({PACKS[4]}, …): event {digest} of party {MAKER}: {why}"]


def test_a_package_that_takes_too_long_to_follow_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MOST_LOOKS", 10)
    log = Log()
    log.commission(PACKS)
    log.pack(UNITS[0], PACKS)
    (reason,) = log.ship(UNITS[0]).broken
    assert "ship it in parts" in reason


def test_packs_taken_out_before_need_not_be_shown() -> None:
    log = Log()
    log.commission(PACKS[:3])
    log.pack(UNITS[0], PACKS[:4], hidden=PACKS[3:4])
    log.take_out(UNITS[0], PACKS[3:4], hidden=PACKS[3:4])
    assert log.ship(UNITS[0]).broken == []


def test_a_unit_that_was_filled_twice_is_what_it_was_filled_with_last() -> None:
    log = Log()
    log.commission(PACKS[:2])
    log.pack(UNITS[0], PACKS[:1])
    log.take_out(UNITS[0], PACKS[:1])
    log.pack(UNITS[0], PACKS[:2])
    contents = log.ship(UNITS[0])
    assert contents.broken == []
    assert contents.filled[UNITS[0]].number == log.numbers[UNITS[0]]


def test_a_pack_kept_back_is_missed() -> None:
    log = Log()
    log.commission(PACKS[:2])
    log.pack(UNITS[0], PACKS[:3], hidden=PACKS[2:3])
    assert log.ship(UNITS[0]).broken == [f"{UNITS[0]}: 3 things are inside, 2 are shown"]


def test_a_unit_that_lies_in_another_is_not_what_was_shipped() -> None:
    log = Log()
    log.commission(PACKS[:1])
    log.pack(UNITS[0], PACKS[:1])
    log.pack(UNITS[1], [UNITS[0]])
    assert f"{UNITS[0]}: it was shipped, and is inside {UNITS[1]}" in log.ship(UNITS[0]).broken


def test_a_circle_of_units_is_refused() -> None:
    log = Log()
    log.pack(UNITS[0], [UNITS[1]])
    log.pack(UNITS[1], [UNITS[0]])
    assert any("it was shipped, and is inside" in reason for reason in log.ship(UNITS[0]).broken)


@pytest.mark.parametrize(("levels", "sound"), [(8, True), (9, False), (12, False)])
def test_units_are_nested_no_deeper_than_the_chain_allows(levels: int, sound: bool) -> None:
    log = Log()
    log.commission(PACKS[:1])
    log.pack(UNITS[0], PACKS[:1])
    for level in range(levels):
        log.pack(UNITS[level + 1], [UNITS[level]])
    broken = log.ship(UNITS[levels]).broken
    assert (broken == []) == sound
    assert sound or "inside one another" in broken[0]


def test_a_number_of_another_party_is_refused() -> None:
    log = Log()
    log.commission(PACKS[:1])
    log.pack(UNITS[0], PACKS[:1], party=OTHER)
    assert "another party's" in log.ship(UNITS[0]).broken[0]


def test_a_unit_without_a_number_on_chain_is_refused() -> None:
    log = Log()
    log.commission(PACKS[:1])
    children = {"parent": UNITS[0], "children": PACKS[:1]}
    log.add("AggregationEvent", "ADD", "packing", Ledger(party=MAKER), **children)
    assert f"{UNITS[0]}: it is not registered on chain" in log.ship(UNITS[0]).broken


def test_a_pack_of_another_product_is_refused() -> None:
    log = Log()
    log.commission([PACKS[0], sgtin_uri("09506000134376", "1")])
    log.pack(UNITS[0], PACKS[:1])
    assert f"it commissions {GTIN}, and this is none" in log.ship(UNITS[0]).broken[0]


def test_a_pack_without_product_data_was_never_commissioned() -> None:
    log = Log()
    log.commission(PACKS[:1], product=None)
    log.pack(UNITS[0], PACKS[:1])
    assert f"{PACKS[0]}: its commissioning is not shown" in log.ship(UNITS[0]).broken


@pytest.mark.parametrize(
    ("changes", "reason"), [({"receiver": OTHER}, "not here"), ({"party": OTHER}, "no shipping by")]
)
def test_the_shipping_is_the_senders_and_to_here(changes: dict[str, int], reason: str) -> None:
    log = Log()
    log.commission(PACKS[:1])
    log.pack(UNITS[0], PACKS[:1])
    assert reason in log.ship(UNITS[0], **changes).broken[0]


def test_commissioning_data_are_the_senders_own() -> None:
    log = Log()
    log.commission(PACKS[:1], party=OTHER)
    package = Package(COMMISSIONING, MAKER, SHOP, log.disclosures[0].digest, {}, b"")
    assert "no commissioning of packs by the sender" in log.opened(package).broken[0]


# ---- against the chain ----


def chain(
    contents: Contents, *, time: int = 1_795_412_500, roles: int = 16, company: int = SHOP, **unit: Any
) -> ChainFacts:
    """A chain that confirms everything but what the test changes; batches are left out."""
    entries = {
        event.seal.entry: EntryFacts(event.seal_root or b"", event.seal.count, time, "0x")
        for event in contents.verified
        if event.seal
    }
    logistic = {
        link.number: replace(LogisticFacts(CustodyState.IN_TRANSIT, MAKER, SHOP, 0, link.content), **unit)
        for link in contents.links
    }
    parties = {SHOP: PartyFacts(company, roles, True, "", "", bytes(32))}
    block = Block(1, bytes(32), time)
    facts = Facts(
        chain_id=31337, block=block, final_block=1, entries=entries, parties=parties, logistic=logistic,
        keys={"0x": KeyFacts(MAKER, 1, True)},
    )  # fmt: skip
    return ChainFacts(facts, {}, {GTIN: 10}, parties[SHOP])


@pytest.fixture
def shipped() -> Contents:
    log = Log()
    log.pack(UNITS[0], [UNITS[1]])
    contents = log.ship(UNITS[0])
    assert contents.broken == []
    return contents


def test_what_the_chain_confirms_is_accepted(shipped: Contents) -> None:
    findings = compared(shipped, chain(shipped))
    assert (findings.broken, findings.missing) == ([], [])


@pytest.mark.parametrize(
    ("unit", "broken", "missing"),
    [
        ({"holder": OTHER}, "is not on its way from party 11", ""),
        ({"receiver": OTHER}, "is not on its way from party 11", ""),
        ({"parent": 5}, "is not on its way from party 11", ""),
        ({"content": bytes(32)}, "is not what the chain holds", ""),
        ({"state": CustodyState.HELD}, "", "not yet, or the shipment was cancelled"),
        ({"state": CustodyState.HELD, "holder": OTHER}, "is not on its way from party 11", ""),
        ({"state": CustodyState.HELD, "holder": SHOP}, "", ""),
        ({"state": CustodyState.UNPACKED}, "is not on its way from party 11", ""),
    ],
)
def test_custody_on_chain_decides(shipped: Contents, unit: dict[str, Any], broken: str, missing: str) -> None:
    findings = compared(shipped, chain(shipped, **unit))
    for reasons, expected in ((findings.broken, broken), (findings.missing, missing)):
        assert len(reasons) == bool(expected)
        assert expected in "".join(reasons)


def test_what_the_chain_does_not_say_yet_is_waited_for(shipped: Contents) -> None:
    known = chain(shipped)
    nothing = replace(known, facts=replace(known.facts, entries={}, logistic={}))
    findings = compared(shipped, nothing)
    assert findings.broken == []
    assert len(findings.missing) == 3


def test_an_event_from_the_far_future_is_refused(shipped: Contents) -> None:
    """Its log entry says when it was anchored: it cannot have been recorded long after."""
    findings = compared(shipped, chain(shipped, time=1_795_400_000))
    assert all("recorded long after it was anchored" in reason for reason in findings.broken)
    assert len(findings.broken) == 2


@pytest.mark.parametrize(("since", "broken"), [(-1, 2), (0, 2), (1, 0)])
def test_what_a_compromised_key_anchored_is_refused_and_what_it_anchored_before_is_not(
    shipped: Contents, since: int, broken: int
) -> None:
    known = chain(shipped)
    keys = {"0x": KeyFacts(MAKER, 1, False, known.facts.block.timestamp + since)}
    findings = compared(shipped, replace(known, facts=replace(known.facts, keys=keys)))
    assert (len(findings.broken), findings.missing) == (broken, [])
    assert all("key 0x anchored it at 2026-11-23 05:41:40+00:00" in reason for reason in findings.broken)


@pytest.mark.parametrize(("since", "broken"), [(-1, True), (0, True), (1, False)])
def test_goods_of_a_batch_that_a_compromised_key_released_are_refused(since: int, broken: bool) -> None:
    log = Log()
    log.commission(PACKS[:1])
    contents = log.opened(Package(COMMISSIONING, MAKER, SHOP, log.disclosures[0].digest, {}, b""))
    known = chain(contents, company=10)
    time = known.facts.block.timestamp
    (batch,) = contents.batches
    on_chain = BatchFacts(
        batch.event.header.item_root, PRODUCT.lot_key, PRODUCT.product_key, 10, 1, expires_at(PRODUCT.expiry),
        time - 9, time, BatchState.RELEASED, BatchSigner("0xline"), BatchSigner("0xleaked", time + since),
    )  # fmt: skip
    unit = UnitFacts(Status.ACTIVE, on_chain, Recall.NONE, 0)
    findings = compared(contents, replace(known, batches={batch.number: unit}))
    assert [f"release of batch {batch.number}: key 0xleaked" in reason for reason in findings.broken] == [True] * broken


def test_only_the_authority_takes_commissioning_data() -> None:
    log = Log()
    log.commission(PACKS[:1])
    contents = log.opened(Package(COMMISSIONING, MAKER, SHOP, log.disclosures[0].digest, {}, b""))
    assert contents.broken == []
    assert "for the authority" in compared(contents, chain(contents)).broken[0]
    assert compared(contents, chain(contents, roles=1)).broken == []
    assert compared(contents, chain(contents, company=10)).broken == []
    unknown = replace(chain(contents, company=10), own=None)
    assert "for the authority" in compared(contents, unknown).broken[0]
