"""Hand-overs on real gateways: those that go well, and those that people or the chain stop."""

from typing import Any

from packtrace.rules import Place
from packtrace_gateway.events.models import Unit

AUTHORITY, PLANT, WHOLESALER, PHARMACY, SHOP = 1, 11, 20, 30, 31


def unmet(verdict: dict[str, Any]) -> set[str]:
    """The checks that did not pass."""
    return {check["name"] for check in verdict["checks"] if check["passed"] is not True}


def test_a_pallet_goes_with_its_pedigree_and_a_case_of_it_further_and_a_pack_back(world: Any) -> None:
    plant, wholesaler, pharmacy = world[PLANT], world[WHOLESALER], world[PHARMACY]
    pallet, cases, packs = world.pallet(packs=8, cases=2)
    world.deliver(PLANT, WHOLESALER, pallet)
    assert wholesaler.place(packs[0]) == "HERE"
    wholesaler.capture(wholesaler.unpack(pallet))
    world.deliver(WHOLESALER, PHARMACY, cases[0])
    pharmacy.capture(pharmacy.unpack(cases[0]))
    verdict = pharmacy.verify(packs[0], lot="L1", expiry="2031-05-31")
    assert unmet(verdict) == set()
    steps = "commissioning packing packing shipping receiving unpacking shipping receiving unpacking"
    assert " ".join(entry["step"] for entry in verdict["history"]) == steps
    assert pharmacy.place(packs[1]) is None, "the other case is none of the pharmacy's business"

    tote, other = world.units(2)  # a saleable return, mixed with a pack of the case that stayed
    pharmacy.capture(pharmacy.pack(tote, [packs[2]]))
    world.deliver(PHARMACY, WHOLESALER, tote)
    wholesaler.capture(
        wholesaler.unpack(tote), wholesaler.unpack(cases[1], [packs[1]]), wholesaler.pack(other, [packs[1], packs[2]])
    )
    world.deliver(WHOLESALER, PHARMACY, other)
    pharmacy.capture(pharmacy.unpack(other))
    for pack in (packs[1], packs[2]):
        assert unmet(pharmacy.verify(pack, lot="L1", expiry="2031-05-31")) == set()
    assert plant.wait_goods(pallet, "received")["state"] == "delivered"
    places = {(step["party"], step["read_point"]) for step in pharmacy.verify(packs[2])["history"]}
    assert {party: place is not None for party, place in places} == {PLANT: True, WHOLESALER: True, PHARMACY: False}

    world.deliver(WHOLESALER, PHARMACY, cases[1])  # a pack was taken out of it before
    assert pharmacy.place(packs[3]) == "HERE"


def test_both_sides_keep_the_receivers_signed_receipt_and_the_same_bytes(world: Any, proofs: Any) -> None:
    pallet, _, _ = world.pallet()
    world[PLANT].capture(world[PLANT].ship(WHOLESALER, [pallet]))
    arrival = world[WHOLESALER].wait_arrival(pallet)
    shipment = world[PLANT].wait_hand_over(pallet, "delivered")
    assert shipment["receipt"] == arrival["receipt"]
    assert shipment["receipt"]["package"] == shipment["package"] == arrival["package"]
    proofs.check(world, shipment, arrival)


def test_goods_before_their_data_wait_in_quarantine_and_are_then_accepted(world: Any) -> None:
    plant, wholesaler = world[PLANT], world[WHOLESALER]
    pallet, _, packs = world.pallet()
    wholesaler.capture(wholesaler.receive([pallet]))
    assert [entry["uri"] for entry in wholesaler.get("/quarantine")] == [pallet]
    assert wholesaler.place(pallet) == "QUARANTINED"
    plant.capture(plant.ship(WHOLESALER, [pallet]))
    wholesaler.wait_goods(pallet, "received")
    assert wholesaler.get("/quarantine") == []
    assert wholesaler.place(packs[0]) == "HERE"


def test_the_same_package_twice_is_one_arrival(world: Any, by_hand: Any) -> None:
    pallet, _, _ = world.pallet()
    data = by_hand.package(world, PLANT, WHOLESALER, pallet)
    answers = [by_hand.upload(world[PLANT], WHOLESALER, data) for _ in range(2)]
    receipt = world[WHOLESALER].wait_arrival(pallet)["receipt"]
    answers.append(by_hand.upload(world[PLANT], WHOLESALER, data))
    assert answers[-1]["receipt"] == receipt
    by_hand.release(world[PLANT], pallet)
    assert world[PLANT].wait_hand_over(pallet, "delivered")["receipt"] == receipt
    arrivals = [entry for entry in world[WHOLESALER].get("/arrivals") if entry["package"] == receipt["package"]]
    assert len(arrivals) == 1


def test_a_partner_that_is_down_gets_everything_when_it_is_up_again(world: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, _, packs = world.pallet()
    shop.stop()
    try:
        plant.capture(plant.ship(SHOP, [pallet]))
        waiting = plant.wait_hand_over(pallet, "ready", error="did not answer")
        assert waiting["receipt"] is None
    finally:
        shop.start()
    shop.wait_arrival(pallet)
    shop.capture(shop.receive([pallet]))
    shop.wait_goods(pallet, "received")
    assert shop.place(packs[0]) == "HERE"


def test_the_authority_gets_the_header_of_every_batch_and_no_serial_number(world: Any) -> None:
    plant, authority = world[PLANT], world[AUTHORITY]
    packs = world.packs(3)
    (captured,) = plant.capture(plant.commission(packs, lot="SECRET1"))
    product = world.wait(lambda: authority.product(captured["digest"]))
    assert (product["lot"], product["batch"]) == ("SECRET1", captured["batch"])
    assert len(bytes.fromhex(product["secret"])) == 32
    assert authority.place(packs[0]) is None
    entry = next(entry for entry in plant.get("/hand-overs") if entry["kind"] == "commissioning")
    assert entry["receiver"] == AUTHORITY


def test_a_refused_shipment_is_the_senders_again_when_it_is_back(world: Any) -> None:
    wholesaler, pharmacy = world[WHOLESALER], world[PHARMACY]
    plant = world[PLANT]
    pallet, _, packs = world.pallet()
    world.deliver(PLANT, WHOLESALER, pallet)
    wholesaler.capture(wholesaler.ship(PHARMACY, [pallet]))
    arrival = pharmacy.wait_arrival(pallet)
    pharmacy.post(f"/arrivals/{arrival['id']}/refuse")
    pharmacy.wait_goods(pallet, "refused")
    assert pharmacy.place(packs[0]) == "SHIPPED"
    wholesaler.wait_goods(pallet, "refused")
    assert wholesaler.place(packs[0]) == "SHIPPED"
    wholesaler.capture(wholesaler.receive([pallet]))
    assert wholesaler.place(packs[0]) == "HERE"
    assert unmet(wholesaler.verify(packs[0], lot="L1", expiry="2031-05-31")) == set()
    answer = pharmacy.http.post(f"/arrivals/{arrival['id']}/refuse")
    assert answer.status_code == 409, "there is nothing left to refuse"
    world.deliver(WHOLESALER, PHARMACY, pallet)  # a second try, with a new package
    assert plant.wait_goods(pallet, "received")


def test_a_cancelled_shipment_is_here_again_and_no_longer_expected_there(world: Any) -> None:
    plant, wholesaler = world[PLANT], world[WHOLESALER]
    pallet, _, packs = world.pallet()
    plant.capture(plant.ship(WHOLESALER, [pallet]))
    wholesaler.wait_arrival(pallet)
    plant.wait_hand_over(pallet, "delivered")
    plant.post(f"/shipments/{plant.shipment(pallet)['id']}/cancel")
    plant.wait_goods(pallet, "cancelled")
    assert plant.place(packs[0]) == "HERE"
    wholesaler.wait_goods(pallet, "cancelled")
    assert wholesaler.place(pallet) == "UNKNOWN"
    world.wait(lambda: "void_shipping" in [entry["step"] for entry in plant.verify(packs[0])["history"]])
    world.wait(lambda: unmet(plant.verify(packs[0], lot="L1", expiry="2031-05-31")) == set())


def test_a_shipment_that_the_chain_refuses_stays_here_and_hands_nothing_over(world: Any) -> None:
    plant = world[PLANT]
    pallet, _, packs = world.pallet()
    world.admin.suspend(SHOP)
    try:
        plant.capture(plant.ship(SHOP, [pallet]))
        ended = plant.wait_hand_over(pallet, "ended")
    finally:
        world.admin.reinstate(SHOP)
    assert "no valid licence" in ended["error"]
    assert plant.place(packs[0]) == "HERE"
    world.deliver(PLANT, SHOP, pallet)


def test_a_receipt_that_the_chain_refuses_is_made_good_when_the_licence_is_back(world: Any, quickly: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, _, packs = world.pallet()
    plant.capture(plant.ship(SHOP, [pallet]))
    shop.wait_arrival(pallet)
    world.admin.suspend(SHOP)
    try:
        shop.capture(shop.receive([pallet]))
        world.wait(lambda: shop.place(packs[0]) == "QUARANTINED")
        world.wait(lambda: any("licence" in (entry["note"] or "") for entry in shop.get("/quarantine")))
    finally:
        world.admin.reinstate(SHOP)
    shop.wait_goods(pallet, "received")
    assert shop.place(packs[0]) == "HERE"


def test_a_pack_that_is_recorded_as_being_here_cannot_come_in_a_shipment(world: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    delivered, _, packs = world.pallet()
    world.deliver(PLANT, SHOP, delivered)
    pallet, _, (pack, *_) = world.pallet()
    with shop.gateway.database.write() as session:  # the shop has a pack with that serial number
        ((prefix, _),) = shop.gateway.store.prefixes.keys(session, packs[:1]).values()
        event, *_ = shop.gateway.store.units(session, packs[:1])[packs[0]]
        session.add(Unit(prefix=prefix, suffix=pack.rpartition("/")[2], event=event, position=0, place=int(Place.HERE)))
    plant.capture(plant.ship(SHOP, [pallet]))
    first = shop.wait_arrival(pallet, "quarantined")
    assert "is recorded as being here" in first["reasons"][0]
    told = plant.wait_hand_over(pallet, "refused", error="contradicts the receiver's own records")
    assert pack not in str(told["receipt"]), "where a pack is, is none of its sender's business"

    shop.post(f"/arrivals/{first['id']}/refuse")
    plant.wait_goods(pallet, "refused")
    with shop.gateway.database.write() as session:  # it went elsewhere: still there are two packs with one serial
        shop.gateway.store.put_inside(session, [pack], None, Place.SHIPPED)
    plant.capture(plant.receive([pallet]), plant.ship(SHOP, [pallet]))
    world.wait(lambda: shop.arrival(pallet)["id"] != first["id"])
    assert "two packs with one serial" in shop.wait_arrival(pallet, "quarantined")["reasons"][0]
