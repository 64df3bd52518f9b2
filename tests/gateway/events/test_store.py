"""The event store: where packs and logistic units are, what is kept of partners' events, what a rollback leaves."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from houses import GTIN, House, Town, event, pack_uri, packing, receiving, shipping, unit_uri, unpacking
from sqlalchemy import func, select

from packtrace.commit import items, merkle, seal
from packtrace.commit.disclosure import Disclosure, ShownItems
from packtrace.commit.event import Ledger, commit
from packtrace.commit.history import RECORDED_AHEAD
from packtrace.commit.items import ItemTree, Role
from packtrace.commit.salts import ITEMS, salts
from packtrace.errors import EvidenceError, LifecycleError
from packtrace.facts import batch_number
from packtrace.gs1 import sgtin_uri
from packtrace.rules import ItemState, Place
from packtrace_gateway.events.models import Counter, LogisticUnit, Participation, StoredEvent, Unit, UriPrefix

PACKS = [pack_uri(number) for number in range(600)]
CASE, PALLET, TOTE = unit_uri(1), unit_uri(2), unit_uri(3)
OTHER_GTINS = ("09506000134369", "09506000134376")


def states(house: House, *uris: str) -> dict[str, ItemState]:
    """Without when a unit was unpacked, which is when the test ran."""
    with house.database.read() as session:
        found = house.store.states(session, uris)
    assert all((state.ended is not None) == (state.place is Place.UNPACKED) for state in found.values())
    return {uri: replace(state, ended=None) for uri, state in found.items()}


def number_of(house: House, model: type) -> int:
    with house.database.read() as session:
        return int(session.execute(select(func.count()).select_from(model)).scalar_one())


# ---- own events ----


def test_commissioned_packs_are_here_and_loose(house: House) -> None:
    captured = house.commission(PACKS)
    assert set(states(house, *PACKS).values()) == {ItemState(Place.HERE)}
    with house.database.read() as session:
        rows = house.store.units(session, PACKS)
        event_id = session.execute(select(StoredEvent.id).where(StoredEvent.digest == captured.digest)).scalar_one()
    assert {event for event, _, _, _ in rows.values()} == {event_id}
    assert sorted(position for _, position, _, _ in rows.values()) == list(range(600))
    assert number_of(house, Participation) == 0  # a pack's commissioning is found by its own row
    assert captured.batch == batch_number(11, 0)


def test_a_pack_that_was_never_commissioned_has_no_state(house: House) -> None:
    house.commission(PACKS[:1])
    unknown = (PACKS[1], sgtin_uri("09506000134376", "SN00000"), CASE)
    assert states(house, *unknown) == {}


def test_what_is_inside_is_where_the_outermost_is(house: House) -> None:
    house.commission(PACKS[:4])
    house.pack(CASE, PACKS[:3])
    house.pack(PALLET, [CASE])
    assert states(house, PACKS[0], PACKS[3], CASE, PALLET) == {
        PACKS[0]: ItemState(Place.HERE, CASE),
        PACKS[3]: ItemState(Place.HERE),
        CASE: ItemState(Place.HERE, PALLET, filled=True),
        PALLET: ItemState(Place.HERE, None, filled=True),
    }


def test_shipping_the_outermost_ships_all_inside(town: Town) -> None:
    maker, wholesaler = town.houses(11, 20)
    maker.commission(PACKS[:4])
    maker.pack(CASE, PACKS[:3])
    maker.pack(PALLET, [CASE])
    maker.ship([PALLET], wholesaler)
    assert states(maker, PACKS[0], CASE, PACKS[3]) == {
        PACKS[0]: ItemState(Place.SHIPPED, CASE),
        CASE: ItemState(Place.SHIPPED, PALLET, filled=True),
        PACKS[3]: ItemState(Place.HERE),
    }


def test_taking_out_and_unpacking_leave_things_loose(house: House) -> None:
    house.commission(PACKS[:3])
    house.pack(CASE, PACKS[:3])
    house.unpack(CASE, [PACKS[0]])
    assert states(house, PACKS[0], PACKS[1]) == {
        PACKS[0]: ItemState(Place.HERE),
        PACKS[1]: ItemState(Place.HERE, CASE),
    }
    house.unpack(CASE)
    assert states(house, PACKS[1], CASE) == {
        PACKS[1]: ItemState(Place.HERE),
        CASE: ItemState(Place.UNPACKED, None, filled=True),
    }


def test_one_document_may_pack_open_and_pack_again(house: House) -> None:
    """Each event of a document sees what those before it did, though nothing is committed yet."""
    house.commission(PACKS[:4])
    house.record(
        packing(CASE, PACKS[:2]),
        packing(PALLET, [CASE, PACKS[2]]),
        unpacking(PALLET),
        unpacking(CASE, [PACKS[0]]),
        packing(TOTE, [CASE, PACKS[0], PACKS[2]]),
    )
    assert states(house, *PACKS[:4], CASE, PALLET, TOTE) == {
        PACKS[0]: ItemState(Place.HERE, TOTE),
        PACKS[1]: ItemState(Place.HERE, CASE),
        PACKS[2]: ItemState(Place.HERE, TOTE),
        PACKS[3]: ItemState(Place.HERE),
        CASE: ItemState(Place.HERE, TOTE, filled=True),
        PALLET: ItemState(Place.UNPACKED, None, filled=True),
        TOTE: ItemState(Place.HERE, None, filled=True),
    }


def test_what_was_read_in_a_transaction_is_not_kept_beside_what_is_done_in_it(house: House) -> None:
    house.commission(PACKS[:2])
    house.pack(CASE, PACKS[:1])
    house.pack(PALLET, [CASE])
    prepared = [house.capture.preparing.prepare(one, "") for one in (unpacking(PALLET), packing(TOTE, [CASE]))]
    with house.database.write() as session:
        held = house.store.logistic_units(session, [CASE, PALLET])  # the objects live as long as this test
        house.capture.store(session, prepared)
        assert house.store.states(session, [CASE])[CASE].parent == TOTE
    assert len(held) == 2


def test_the_unit_that_was_filled_has_its_number_and_its_event(house: House) -> None:
    house.commission(PACKS[:1])
    captured = house.pack(CASE, PACKS[:1])
    with house.database.read() as session:
        unit = house.store.logistic_units(session, [CASE])[CASE]
        filled_by = session.get_one(StoredEvent, unit.filled_by)
    assert filled_by.digest == captured.digest
    assert filled_by.parent == CASE
    assert int(unit.number or "") == 11 << 42


def test_units_are_nested_as_deep_as_the_chain_allows(house: House) -> None:
    house.commission(PACKS[:1])
    house.pack(unit_uri(0), PACKS[:1])
    for level in range(1, 9):  # ICustodyLedger.MAX_NESTING
        house.pack(unit_uri(level), [unit_uri(level - 1)])
    with pytest.raises(LifecycleError, match="8 levels") as refused:
        house.pack(unit_uri(9), [unit_uri(8)])
    assert (refused.value.field, refused.value.value) == ("childEPCs[0]", unit_uri(8))
    assert states(house, unit_uri(9)) == {}
    assert states(house, PACKS[0])[PACKS[0]] == ItemState(Place.HERE, unit_uri(0))


# ---- what a refusal leaves ----


def test_a_serial_number_is_used_once_for_ever(house: House) -> None:
    house.commission(PACKS[:300])
    with pytest.raises(LifecycleError, match="commissioned before") as refused:
        house.commission(list(reversed(PACKS[299:])), lot="L2")
    assert (refused.value.field, refused.value.value) == ("epcList[300]", PACKS[299])
    assert number_of(house, StoredEvent) == 1
    assert number_of(house, Unit) == 300


def test_a_refused_document_leaves_its_prefixes_to_others(house: House) -> None:
    """The number of a prefix that was rolled back goes to the next new one: nothing may remember it."""
    for gtin in OTHER_GTINS:
        house.products.add(gtin, bytes(range(32)))
    first, second = (sgtin_uri(gtin, "A1") for gtin in OTHER_GTINS)
    ilmd = {"{urn:epcglobal:cbv:mda:}lotNumber": "L", "{urn:epcglobal:cbv:mda:}itemExpirationDate": "2031-05-31"}

    def commissioning(uri: str) -> object:
        return event("ObjectEvent", "ADD", "commissioning", "2026-01-05T08:00:00.000Z", epcs=[uri], ilmd=ilmd)

    with pytest.raises(LifecycleError, match="not known here"):
        house.record(commissioning(first), packing(CASE, [first]), packing(PALLET, [second]))  # type: ignore[arg-type]
    house.record(commissioning(second))  # type: ignore[arg-type]
    assert states(house, first, second) == {second: ItemState(Place.HERE)}
    house.record(commissioning(first))  # type: ignore[arg-type]
    with house.database.read() as session:
        texts = dict(session.execute(select(UriPrefix.text, UriPrefix.id)).all())  # type: ignore[call-overload]
        rows = session.execute(select(Unit.prefix, Unit.suffix)).all()  # type: ignore[call-overload]
    assert sorted(rows) == sorted([(texts[first[:-2]], "A1"), (texts[second[:-2]], "A1")])


def test_a_refused_document_gives_its_numbers_back(house: House) -> None:
    house.commission(PACKS[:2])
    with pytest.raises(LifecycleError):
        house.record(packing(CASE, PACKS[:1]), packing(PALLET, PACKS[:1]))
    with house.database.read() as session:
        assert session.get(Counter, "logistic") is None
        assert house.store.logistic_units(session, [CASE, PALLET]) == {}


# ---- partners' events ----


def handed_over(town: Town) -> tuple[House, House, House]:
    """600 packs, every second one in a case that is shipped to the second house."""
    maker, wholesaler, pharmacy = town.houses(11, 20, 30)
    maker.commission(PACKS)
    maker.pack(CASE, PACKS[::2])
    wholesaler.accept(maker.package([CASE], maker.ship([CASE], wholesaler), wholesaler))
    return maker, wholesaler, pharmacy


def test_what_is_announced_is_expected_and_then_here(town: Town) -> None:
    _, wholesaler, _ = handed_over(town)
    assert states(wholesaler, PACKS[0], CASE) == {
        PACKS[0]: ItemState(Place.EXPECTED, CASE),
        CASE: ItemState(Place.EXPECTED, None, filled=True),
    }
    assert states(wholesaler, PACKS[1]) == {}
    wholesaler.receive([CASE])
    assert states(wholesaler, PACKS[0]) == {PACKS[0]: ItemState(Place.HERE, CASE)}


def test_goods_before_data_wait_in_quarantine(town: Town) -> None:
    maker, wholesaler = town.houses(11, 20)
    maker.commission(PACKS[:3])
    maker.pack(CASE, PACKS[:3])
    shipped = maker.ship([CASE], wholesaler)
    wholesaler.receive([CASE])
    assert states(wholesaler, CASE) == {CASE: ItemState(Place.QUARANTINED)}
    wholesaler.accept(maker.package([CASE], shipped, wholesaler))
    assert states(wholesaler, CASE, PACKS[0]) == {
        CASE: ItemState(Place.HERE, None, filled=True),
        PACKS[0]: ItemState(Place.HERE, CASE),
    }


def test_received_items_are_kept_in_groups_and_disclosed_onward_in_any_choice(town: Town) -> None:
    _, wholesaler, pharmacy = handed_over(town)
    wholesaler.receive([CASE])
    wholesaler.unpack(CASE)
    for choice in (PACKS[0:1], PACKS[598:599], PACKS[0:600:2], PACKS[254:260:2]):
        disclosures = wholesaler.pedigree(*choice).disclosures
        events = [disclosure.verify() for disclosure in disclosures]
        assert set(events[0].items[Role.EPC]) == set(choice)
    wholesaler.pack(TOTE, [PACKS[0], PACKS[510]])
    pharmacy.accept(wholesaler.package([TOTE], wholesaler.ship([TOTE], pharmacy), pharmacy))
    assert states(pharmacy, PACKS[0], PACKS[510], PACKS[2]) == {
        PACKS[0]: ItemState(Place.EXPECTED, TOTE),
        PACKS[510]: ItemState(Place.EXPECTED, TOTE),
    }
    shown = [disclosure.verify() for disclosure in pharmacy.pedigree(PACKS[510]).disclosures]
    assert {uri for one in shown for found in one.items.values() for uri in found} == {PACKS[510], CASE, TOTE}


def test_a_second_part_of_an_event_joins_the_first(town: Town) -> None:
    maker, other = town.houses(11, 20)
    maker.commission(PACKS[:10])
    maker.pack(CASE, PACKS[:10])
    maker.seal()
    for choice in (PACKS[:3], PACKS[2:5], PACKS[7:8]):
        disclosure = maker.pedigree(*choice).disclosures[1]
        with other.database.write() as session:
            other.store.add_received(session, disclosure, disclosure.verify())
    assert number_of(other, StoredEvent) == 1
    both = other.pedigree(PACKS[0], PACKS[4], PACKS[7]).disclosures[0].verify()
    assert set(both.items[Role.CHILD]) == {PACKS[0], PACKS[4], PACKS[7]}
    assert set(both.items[Role.PARENT]) == {CASE}


def test_what_came_without_its_parent_and_seal_gets_them_later(town: Town) -> None:
    """A part of an event may be shown by somebody who knows less of it."""
    maker, other = town.houses(11, 20)
    maker.commission(PACKS[:3])
    maker.pack(CASE, PACKS[:3])
    early = maker.pedigree(PACKS[0]).disclosures[1].part([PACKS[0]])
    maker.seal()
    whole = maker.pedigree(PACKS[1]).disclosures[1]
    with other.database.write() as session:
        for disclosure in (early, whole):
            number = other.store.add_received(session, disclosure, disclosure.verify())
    with other.database.read() as session:
        stored = session.get_one(StoredEvent, number)
    assert stored.parent == CASE
    shown = other.pedigree(PACKS[0]).disclosures[0].verify()
    assert set(shown.items[Role.PARENT]) == {CASE}
    assert shown.seal is not None


def test_an_own_event_that_comes_home_stays_as_it_is(town: Town) -> None:
    maker, wholesaler, _ = handed_over(town)
    wholesaler.receive([CASE])
    wholesaler.unpack(CASE)
    wholesaler.pack(TOTE, PACKS[:4:2])
    events = number_of(maker, StoredEvent)
    maker.accept(wholesaler.package([TOTE], wholesaler.ship([TOTE], maker), maker))
    assert number_of(maker, StoredEvent) == events + 4  # received, unpacked, packed, shipped
    maker.receive([TOTE])
    assert states(maker, PACKS[0], PACKS[4]) == {
        PACKS[0]: ItemState(Place.HERE, TOTE),
        PACKS[4]: ItemState(Place.SHIPPED, CASE),
    }
    maker.unpack(TOTE)
    assert len(maker.pedigree(PACKS[0]).disclosures) == 9


def odd_event(uris: Sequence[str], shown: Sequence[int]) -> Disclosure:
    """An event that no honest gateway makes: its items stand in any order, or twice."""
    secret, counts = bytes(32), {Role.EPC: len(uris)}
    leaves = items.leaf_hashes(uris, 0, counts, secret)
    one = event("ObjectEvent", "OBSERVE", "inspecting", "2026-01-05T08:00:00.000Z", epcs=list(uris))
    tree = ItemTree(len(uris), merkle.root(leaves), counts, list(uris), {})
    commitment = commit(
        one, tree, ledger=Ledger(party=66), record_time=one.event_time, cbv_hash="ni:///x", secret=secret
    )
    nodes = merkle.KnownTree(len(uris), range(len(uris)), leaves, ()).multiproof(list(shown))
    part = ShownItems(
        tuple(shown),
        b"".join(salts(secret, ITEMS, index, 1) for index in shown),
        tuple(uris[index] for index in shown),
        tuple(nodes),
    )
    proof = seal.SealProof(66, 0, 0, 1, 0, ())
    return Disclosure(commitment.header.closed_but(()), part, proof)


def test_items_out_of_order_or_twice_are_no_evidence() -> None:
    odd_event(PACKS[:3], [0, 1, 2]).verify()
    for uris in ([PACKS[1], PACKS[0]], [PACKS[0], PACKS[0]]):
        with pytest.raises(EvidenceError, match="order of their URIs"):
            odd_event(uris, [0, 1]).verify()


def test_an_item_twice_in_a_partners_event_does_no_harm(house: House) -> None:
    """Shown one at a time, it cannot be seen that an event names an item twice."""
    for index in (0, 1):
        disclosure = odd_event([PACKS[0], PACKS[0]], [index])
        with house.database.write() as session:
            house.store.add_received(session, disclosure, disclosure.verify())
    (only,) = house.pedigree(PACKS[0]).disclosures
    assert only.verify().items == {Role.EPC: {PACKS[0]: 0}}


def test_shipping_and_receiving_name_the_partner(town: Town) -> None:
    maker, wholesaler, _ = handed_over(town)
    with maker.database.read() as session:
        assert maker.store.logistic_units(session, [CASE])[CASE].partner == wholesaler.party
    with wholesaler.database.read() as session:
        unit: LogisticUnit = wholesaler.store.logistic_units(session, [CASE])[CASE]
    assert (unit.partner, unit.number) == (maker.party, str(11 << 42))


def test_the_product_secret_travels_with_the_goods(town: Town) -> None:
    _, wholesaler, _ = handed_over(town)
    core = wholesaler.pedigree(PACKS[0]).disclosures[0].verify().header.core
    assert core["product"]["gtin"] == GTIN
    assert core["product"]["secret"] == bytes(range(32)).hex()


def test_an_event_of_the_same_millisecond_is_not_disclosed_with_the_pack_that_left_before(house: House) -> None:
    """Events of one document are recorded in the same instant; the order among them still counts."""
    house.commission(PACKS[:2])
    clock = house.clock.now()
    house.capture._clock = lambda: clock
    house.pack(CASE, PACKS[:2])
    looks = [
        event("ObjectEvent", "OBSERVE", "inspecting", "2026-01-05T08:00:00.000Z", epcs=[CASE]),
        event("ObjectEvent", "OBSERVE", "holding", "2026-01-05T08:00:00.000Z", epcs=[CASE]),
    ]
    seen, _, unseen = house.record(looks[0], unpacking(CASE, [PACKS[0]]), looks[1])
    digests = {disclosure.digest for disclosure in house.pedigree(PACKS[0]).disclosures}
    assert seen.digest in digests
    assert unseen.digest not in digests


def test_recording_follows_a_partners_clock_within_bounds(town: Town) -> None:
    """So that a receipt is not recorded before the shipment; but a clock that is days ahead is not followed."""
    maker, wholesaler = town.houses(11, 20)
    maker.clock.ahead = RECORDED_AHEAD - timedelta(minutes=1)  # as far as a package is accepted
    maker.commission(PACKS[:1])
    maker.pack(CASE, PACKS[:1])
    shipped = maker.ship([CASE], wholesaler)
    wholesaler.accept(maker.package([CASE], shipped, wholesaler))
    received = wholesaler.receive([CASE])
    ordered = [disclosure.digest for disclosure in wholesaler.pedigree(PACKS[0]).disclosures]
    assert ordered[-2:] == [shipped.digest, received.digest]
    maker.clock.ahead = timedelta(days=3)
    maker.commission(PACKS[1:2], "L2")
    maker.pack(TOTE, PACKS[1:2])
    wholesaler.accept(maker.package([TOTE], maker.ship([TOTE], wholesaler), wholesaler))
    received = wholesaler.receive([TOTE])
    with wholesaler.database.read() as session:
        query = select(StoredEvent.record_time).where(StoredEvent.digest == received.digest)
        recorded = datetime.fromisoformat(session.execute(query).scalar_one())
    assert recorded <= datetime.now(UTC) + RECORDED_AHEAD


def test_shipping_from_one_house_to_the_next_and_on(town: Town) -> None:
    """Received, never opened, shipped on: the second sender discloses what it only received."""
    maker, wholesaler, pharmacy = town.houses(11, 20, 30)
    maker.commission(PACKS[:5])
    maker.pack(CASE, PACKS[:5])
    wholesaler.accept(maker.package([CASE], maker.ship([CASE], wholesaler), wholesaler))
    wholesaler.receive([CASE])
    (captured,) = wholesaler.record(shipping([CASE], pharmacy.party))
    package = wholesaler.package([CASE], captured, pharmacy)
    pharmacy.accept(package)
    pharmacy.record(receiving([CASE]))
    assert states(pharmacy, *PACKS[:5], CASE) == {
        **dict.fromkeys(PACKS[:5], ItemState(Place.HERE, CASE)),
        CASE: ItemState(Place.HERE, None, filled=True),
    }
    assert [one.verify().party for one in pharmacy.pedigree(PACKS[3]).disclosures] == [11, 11, 11, 20, 20, 30]
