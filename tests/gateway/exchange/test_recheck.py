"""Quarantine is no dead end: packages checked again, made again, and those that nothing becomes of."""

import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, select

from packtrace.commit.pedigree import Pedigree
from packtrace.product import gtin_hash
from packtrace_gateway.access.models import Role
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.events.store import seal_bytes, stored_seal
from packtrace_gateway.exchange import accepted, receiving, sending
from packtrace_gateway.exchange.errors import PartnerError
from packtrace_gateway.exchange.models import PIECE_BYTES, Arrival, HandOver, HandOverPiece
from packtrace_gateway.exchange.package import digest, from_cbor

AUTHORITY, MAH, PLANT, WHOLESALER, PHARMACY, SHOP = 1, 10, 11, 20, 30, 31
GTIN = "09506000134352"
CONTRADICTION = "it contradicts the receiver's own records: ask the receiver"


def unmet(verdict: dict[str, Any]) -> set[str]:
    return {check["name"] for check in verdict["checks"] if check["passed"] is not True}


def commissioning(party: Any, pack: str) -> int:
    """The number of the event that commissioned a pack, where it is stored."""
    with party.gateway.database.read() as session:
        event, *_ = party.gateway.store.units(session, [pack])[pack]
    return int(event)


def recheck(party: Any, arrival: dict[str, Any]) -> Any:
    return party.http.post(f"/arrivals/{arrival['id']}/recheck")


def quarantined_pallet(world: Any, receiver: int) -> tuple[str, list[str]]:
    """A sound pallet that is in quarantine at the receiver's: the registry named no holder of its GTIN at first."""
    pallet, _, packs = world.pallet()
    world.admin.list_gtin(gtin_hash(GTIN), 0)
    try:
        world[PLANT].capture(world[PLANT].ship(receiver, [pallet]))
        world[receiver].wait_arrival(pallet, "quarantined")
    finally:
        world.admin.list_gtin(gtin_hash(GTIN), MAH)
    return pallet, packs


def test_a_package_in_quarantine_is_checked_again_and_accepted_and_its_sender_hears_of_it(
    world: Any, monkeypatch: pytest.MonkeyPatch, proofs: Any
) -> None:
    monkeypatch.setattr(sending, "LONGEST_SILENCE", 0.5)
    plant, pharmacy = world[PLANT], world[PHARMACY]
    pallet, packs = quarantined_pallet(world, PHARMACY)
    pharmacy.capture(pharmacy.receive([pallet]))
    first = pharmacy.arrival(pallet)
    assert "marketing authorisation holder" in first["reasons"][0]
    plant.wait_hand_over(pallet, "refused", error="marketing authorisation holder")
    assert recheck(pharmacy, first).status_code == 202
    arrival = pharmacy.wait_arrival(pallet)
    assert (arrival["id"], arrival["reasons"]) == (first["id"], [])
    assert arrival["formerReceipts"] == [first["receipt"]]
    pharmacy.wait_goods(pallet, "received")
    assert pharmacy.place(packs[0]) == "HERE"
    assert pharmacy.get("/quarantine") == []
    shipment = plant.wait_hand_over(pallet, "delivered")
    assert (shipment["error"], shipment["formerReceipts"]) == (None, [first["receipt"]])
    proofs.check(world, shipment, arrival)
    assert (
        recheck(pharmacy, arrival).json()["detail"]
        == "this package is accepted; only one in quarantine is checked again"
    )
    assert pharmacy.http.post("/arrivals/999999/recheck").status_code == 404


def test_what_still_does_not_verify_stays_in_quarantine_with_the_reason(world: Any) -> None:
    pharmacy = world[PHARMACY]
    pallet, packs = quarantined_pallet(world, PHARMACY)
    first = pharmacy.arrival(pallet)
    world.admin.list_gtin(gtin_hash(GTIN), 0)
    try:
        assert [recheck(pharmacy, first).status_code for _ in range(2)] == [202, 202]
        world.wait(lambda: pharmacy.arrival(pallet)["formerReceipts"])
    finally:
        world.admin.list_gtin(gtin_hash(GTIN), MAH)
    again = pharmacy.wait_arrival(pallet, "quarantined")
    assert again["reasons"] == first["reasons"]
    assert pharmacy.place(packs[0]) is None
    pharmacy.post(f"/arrivals/{again['id']}/refuse")
    pharmacy.wait_goods(pallet, "refused")
    assert "refused" in recheck(pharmacy, again).json()["detail"]


def test_only_quality_has_packages_checked_again(world: Any) -> None:
    pharmacy = world[PHARMACY]
    _, key = pharmacy.gateway.access.create("no quality", [role for role in Role if role is not Role.QUALITY])
    answer = pharmacy.http.post("/arrivals/1/recheck", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403


def test_an_old_package_is_not_checked_again_when_a_newer_one_was_accepted(world: Any) -> None:
    plant, pharmacy = world[PLANT], world[PHARMACY]
    pallet, _ = quarantined_pallet(world, PHARMACY)
    first = pharmacy.arrival(pallet)
    plant.wait_hand_over(pallet, "refused")
    plant.post(f"/shipments/{plant.shipment(pallet)['id']}/cancel")
    plant.wait_goods(pallet, "cancelled")
    world.deliver(PLANT, PHARMACY, pallet)
    answer = recheck(pharmacy, first)
    assert answer.status_code == 409
    assert f"accepted with arrival {pharmacy.arrival(pallet)['id']}" in answer.json()["detail"]
    assert pharmacy.place(pallet) == "HERE"


def test_a_refused_package_is_made_again_for_the_same_goods(world: Any, by_hand: Any) -> None:
    """The first one was broken in the sender's own database."""
    plant, shop = world[PLANT], world[SHOP]
    pallet, _, packs = world.pallet()
    data = by_hand.package(world, PLANT, SHOP, pallet)
    broken = replace(from_cbor(data), units={pallet: 7}).to_cbor()
    first = plant.shipment(pallet)["id"]
    with plant.gateway.database.write() as session:
        session.execute(delete(HandOverPiece).where(HandOverPiece.hand_over == first))
        session.add(HandOverPiece(hand_over=first, number=0, data=broken))
        stored = session.get_one(HandOver, first)
        stored.digest, stored.size = digest(broken), len(broken)
    assert plant.http.post(f"/hand-overs/{first}/again").status_code == 409
    by_hand.release(plant, pallet)
    plant.wait_hand_over(pallet, "refused")
    new = plant.post(f"/hand-overs/{first}/again")
    assert [unit["uri"] for unit in new["units"]] == [pallet]
    answer = plant.http.post(f"/hand-overs/{first}/again")
    assert answer.status_code == 409
    assert f"handed over again as {new['id']}" in answer.json()["detail"]
    shop.wait_arrival(pallet)
    delivered = plant.wait_hand_over(pallet, "delivered")
    assert (delivered["id"], delivered["package"]) == (new["id"], digest(data).hex())
    old = next(entry for entry in plant.get("/hand-overs") if entry["id"] == first)
    assert (old["state"], old["receipt"]["outcome"]) == ("ended", "quarantined")
    assert plant.bytes_of(HandOverPiece, HandOverPiece.hand_over, first) == broken
    shop.capture(shop.receive([pallet]))
    shop.wait_goods(pallet, "received")
    assert shop.place(packs[0]) == "HERE"


# ---- what a second package can do ----


def test_a_second_package_of_goods_that_were_taken_in_changes_nothing_here(world: Any, by_hand: Any) -> None:
    """Its sender would else put back what was shipped on, or unpacked, since."""
    plant, pharmacy, shop = world[PLANT], world[PHARMACY], world[SHOP]
    pallet, _, packs = world.pallet()
    data = by_hand.package(world, PLANT, PHARMACY, pallet)
    by_hand.release(plant, pallet)
    pharmacy.wait_arrival(pallet)
    pharmacy.capture(pharmacy.receive([pallet]))
    pharmacy.wait_goods(pallet, "received")
    package = from_cbor(data)
    events = Pedigree.from_cbor(package.pedigree).disclosures
    other = replace(package, pedigree=Pedigree(tuple(reversed(events))).to_cbor()).to_cbor()
    world.devnet.pause_mining()
    try:
        pharmacy.capture(pharmacy.ship(SHOP, [pallet]))
        by_hand.upload(plant, PHARMACY, other)
        receipt = world.wait(lambda: by_hand.ask(plant, PHARMACY, other)["receipt"])
        assert receipt["outcome"] == "accepted"
        assert pharmacy.place(packs[0]) == pharmacy.place(pallet) == "SHIPPED"
        assert [one["goods"] for one in pharmacy.shipment(pallet)["units"]] == ["in transit"]
    finally:
        world.devnet.resume_mining()
    shop.wait_arrival(pallet)
    shop.capture(shop.receive([pallet]))
    shop.wait_goods(pallet, "received")
    pharmacy.wait_goods(pallet, "received")


def test_another_unit_with_the_same_sscc_does_not_take_the_place_of_what_is_expected(world: Any) -> None:
    wholesaler, shop = world[WHOLESALER], world[SHOP]
    mine, cases, packs = world.pallet()
    world.deliver(PLANT, WHOLESALER, mine)
    wholesaler.capture(wholesaler.unpack(mine), wholesaler.unpack(cases[0]))
    expected, _, others = world.pallet()
    world[PLANT].capture(world[PLANT].ship(SHOP, [expected]))
    honest = shop.wait_arrival(expected)
    wholesaler.capture(wholesaler.pack(expected, packs[:1]), wholesaler.ship(SHOP, [expected]))
    world.wait(lambda: shop.arrival(expected)["id"] != honest["id"])
    waiting = shop.wait_arrival(expected, "waiting")
    assert "expected in another shipment" in waiting["reasons"][0]
    assert f"from party {PLANT}" in waiting["reasons"][0]
    shop.capture(shop.receive([expected]))
    world.wait(lambda: shop.place(others[0]) == "HERE")
    assert shop.place(packs[0]) is None
    quarantined = shop.wait_arrival(expected, "quarantined")
    assert "another logistic unit with this SSCC is here" in quarantined["reasons"][0]
    assert quarantined["receipt"]["reasons"] == [CONTRADICTION]
    world[PLANT].wait_goods(expected, "received")


def test_a_pack_that_is_expected_in_one_shipment_is_not_taken_out_of_it_by_another(world: Any) -> None:
    wholesaler, shop = world[WHOLESALER], world[SHOP]
    pallet, cases, packs = world.pallet()
    world.deliver(PLANT, WHOLESALER, pallet)
    wholesaler.capture(wholesaler.unpack(pallet), wholesaler.unpack(cases[0]))
    first, second = world.units(2)
    wholesaler.capture(wholesaler.pack(first, packs[:1]), wholesaler.ship(SHOP, [first]))
    shop.wait_arrival(first)
    with wholesaler.gateway.database.write() as session:  # it says that the pack is in two totes
        wholesaler.gateway.store.put_inside(session, packs[:1], None, accepted.Place.HERE)
    wholesaler.capture(wholesaler.pack(second, packs[:1]), wholesaler.ship(SHOP, [second]))
    waiting = shop.wait_arrival(second, "waiting")
    assert "expected in another shipment" in waiting["reasons"][0]
    assert shop.place(packs[0]) == "EXPECTED"
    wholesaler.post(f"/shipments/{wholesaler.shipment(first)['id']}/cancel")
    shop.wait_arrival(second)
    with shop.gateway.database.read() as session:
        assert shop.gateway.store.states(session, packs[:1])[packs[0]].parent == second


def test_a_seal_that_its_party_had_to_make_again_is_replaced(world: Any) -> None:
    """After a reorganisation the event may be anchored elsewhere; what came before points at nothing."""
    shop = world[SHOP]
    first, cases, packs = world.pallet()
    second, _, _ = world.pallet()
    world.deliver(PLANT, SHOP, first)
    event = commissioning(shop, packs[0])
    with shop.gateway.database.write() as session:
        stored = session.get_one(StoredEvent, event)
        proof = stored_seal(stored.seal)
        assert proof
        stored.seal = seal_bytes(replace(proof, sequence=proof.sequence + 100_000))
    shop.capture(shop.unpack(first), shop.unpack(cases[0]))
    assert unmet(shop.verify(packs[0], lot="L1", expiry="2031-05-31")) != set()
    world.deliver(PLANT, SHOP, second)
    assert unmet(shop.verify(packs[0], lot="L1", expiry="2031-05-31")) == set()


# ---- what nothing becomes of ----


def test_what_the_chain_does_not_say_is_not_waited_for_for_ever(
    world: Any, by_hand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shipment that was cancelled before its data came, say: its sender sends nothing more."""
    monkeypatch.setattr(receiving, "LONGEST_UNDECIDED", 0.5)
    monkeypatch.setattr(receiving, "ENOUGH_ATTEMPTS", 3)
    plant = world[PLANT]
    pallet, _, _ = world.pallet()
    data = by_hand.package(world, PLANT, PHARMACY, pallet)
    plant.post(f"/shipments/{plant.shipment(pallet)['id']}/cancel")
    plant.wait_goods(pallet, "cancelled")
    by_hand.upload(plant, PHARMACY, data)
    world[PHARMACY].wait_arrival(pallet, "waiting")
    ended = world[PHARMACY].wait_arrival(pallet, "quarantined")
    assert "not on its way on chain" in ended["reasons"][0]


def test_an_upload_that_ended_half_way_takes_no_room_for_ever(world: Any) -> None:
    client, shop, name = world[AUTHORITY].gateway.exchange.client, world[SHOP], "12" * 32
    body = b'{"digest": "%s", "size": %d}' % (name.encode(), 2 * PIECE_BYTES)
    client.request(SHOP, "POST", "/exchange/packages", body)
    client.request(SHOP, "PATCH", f"/exchange/packages/{name}?offset=0", bytes(PIECE_BYTES))
    with shop.gateway.database.write() as session:
        arrival = next(row for row in session.execute(select(Arrival)).scalars() if row.digest.hex() == name)
        arrival.created_at -= 8 * 86_400
        session.add(arrival)

    def forgotten() -> bool:
        try:
            client.request(SHOP, "GET", f"/exchange/packages/{name}")
        except PartnerError as error:
            return "announce the package first" in str(error)
        return False

    world.wait(forgotten)
    assert client.request(SHOP, "POST", "/exchange/packages", body)["offset"] == 0  # it may begin anew


def test_one_partner_cannot_fill_the_disk_with_what_does_not_verify(
    world: Any, by_hand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "MOST_UNACCEPTED", 2)
    authority = world[AUTHORITY]
    for number in range(2):
        junk = b"junk %d" % number
        by_hand.upload(authority, WHOLESALER, junk)
        world.wait(lambda junk=junk: by_hand.ask(authority, WHOLESALER, junk)["receipt"])
    with pytest.raises(PartnerError, match="were not accepted"):
        by_hand.upload(authority, WHOLESALER, b"more junk")
    monkeypatch.setattr(receiving, "MOST_UNACCEPTED", 1024)
    monkeypatch.setattr(receiving, "MOST_UNACCEPTED_BYTES", 10)
    with pytest.raises(PartnerError, match="were not accepted"):
        by_hand.upload(authority, WHOLESALER, b"more junk")
    with world[WHOLESALER].gateway.database.write() as session:
        for arrival in session.execute(select(Arrival).where(Arrival.sender == AUTHORITY)).scalars():
            arrival.created_at -= 8 * 86_400
            session.add(arrival)
    by_hand.upload(authority, WHOLESALER, b"more junk")


def test_a_fault_while_a_package_is_stored_gives_no_receipt(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender would take its data for delivered."""
    plant, pharmacy = world[PLANT], world[PHARMACY]
    pallet, _, _ = world.pallet()
    arrived = accepted.AcceptedData.arrived
    receipts: list[Any] = []

    def broken(*_args: Any) -> None:
        raise OSError("no room on the disk")

    monkeypatch.setattr(accepted.AcceptedData, "arrived", broken)
    plant.capture(plant.ship(PHARMACY, [pallet]))
    waiting = pharmacy.wait_arrival(pallet, "waiting")
    receipts.append(waiting["receipt"])
    monkeypatch.setattr(accepted.AcceptedData, "arrived", arrived)
    pharmacy.wait_arrival(pallet)
    assert receipts == [None]


# ---- clocks and slow partners ----


def test_a_clock_that_was_ahead_holds_nothing_up(world: Any, by_hand: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, _, _ = world.pallet()
    by_hand.package(world, PLANT, SHOP, pallet)
    with plant.gateway.database.write() as session:
        session.get_one(HandOver, plant.shipment(pallet)["id"]).next_try = time.time() + 900 * 86_400
    shop.wait_arrival(pallet)


def next_try(party: Any, hand_over: int) -> float:
    with party.gateway.database.read() as session:
        return float(session.get_one(HandOver, hand_over).next_try)


def test_a_package_that_takes_long_to_make_is_sent_at_once(
    world: Any, by_hand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SLOW_SECONDS", -1.0)
    monkeypatch.setattr(sending, "REST", 1e6)
    plant = world[PLANT]
    pallet, other = (world.pallet()[0] for _ in range(2))
    by_hand.package(world, PLANT, SHOP, other)
    with world.holding(PLANT, "hand-over"):
        plant.capture(plant.ship(PHARMACY, [pallet]))
        by_hand.release(plant, other)  # due too, and somebody else's

        def made() -> bool:
            with plant.gateway.database.write() as session:
                session.get_one(HandOver, plant.shipment(other)["id"]).next_try = time.time() - 1
                session.get_one(HandOver, plant.shipment(pallet)["id"]).next_try = 0.0
            sending.Sending.run_once(plant.gateway.exchange.sending)
            return bool(plant.shipment(pallet)["state"] == "ready")

        world.wait(made)
        assert next_try(plant, plant.shipment(pallet)["id"]) == 0.0
    world[PHARMACY].wait_arrival(pallet)


def test_a_slow_partner_does_not_hold_the_others_up(world: Any, by_hand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = world[PLANT]
    pallets = [world.pallet()[0] for _ in range(3)]
    for pallet, receiver in zip(pallets, (PHARMACY, PHARMACY, SHOP), strict=True):
        by_hand.package(world, PLANT, receiver, pallet)
    monkeypatch.setattr(sending, "SLOW_SECONDS", -1.0)
    monkeypatch.setattr(sending, "REST", 1e6)
    with world.holding(PLANT, "hand-over"):
        numbers = [plant.shipment(pallet)["id"] for pallet in pallets]
        with plant.gateway.database.write() as session:
            session.get_one(HandOver, numbers[0]).next_try = 0.0
            session.get_one(HandOver, numbers[1]).next_try = 0.1
        sending.Sending.run_once(plant.gateway.exchange.sending)
        assert next_try(plant, numbers[1]) == 0.1, "nobody else waits"
        with plant.gateway.database.write() as session:
            session.get_one(HandOver, numbers[0]).next_try = 0.0
            session.get_one(HandOver, numbers[2]).next_try = 0.2
        sending.Sending.run_once(plant.gateway.exchange.sending)
        assert next_try(plant, numbers[1]) > time.time() + 100
    for pallet in pallets:
        by_hand.release(plant, pallet)
