"""Goods and chain in step: when calls are refused, come again after a reorganisation, or are many."""

from typing import Any

import pytest
from sqlalchemy import select

from packtrace_gateway.exchange import custody, sending
from packtrace_gateway.exchange.models import ShippedUnit
from packtrace_gateway.outbox.models import OutboxRow

PLANT, WHOLESALER, PHARMACY, SHOP = 11, 20, 30, 31


def test_a_cancellation_of_a_shipment_that_the_chain_refuses_leaves_the_goods_here(world: Any) -> None:
    plant = world[PLANT]
    pallet, _, _ = world.pallet()
    world.wait(lambda: not [call for call in plant.trouble()[1] if call["state"] in ("queued", "signed", "broadcast")])
    world.admin.suspend(SHOP)
    try:
        with world.holding(PLANT, "outbox"):
            plant.capture(plant.ship(SHOP, [pallet]))
            shipment = plant.shipment(pallet)["id"]
            plant.post(f"/shipments/{shipment}/cancel")
        plant.wait_hand_over(pallet, "ended", error="no valid licence")
        world.wait(lambda: call(plant, "cancelShipment").state == "reverted")
    finally:
        world.admin.reinstate(SHOP)
    (one,) = plant.shipment(pallet)["units"]
    assert (one["goods"], plant.place(pallet)) == ("cancelled", "HERE")
    world.deliver(PLANT, WHOLESALER, pallet)


def test_why_a_hand_over_ended_is_not_forgotten(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends just when its worker finds that it must still wait."""
    plant = world[PLANT]
    pallet, _, _ = world.pallet()

    def late(*_args: Any) -> None:
        world.wait(lambda: plant.shipment(pallet)["state"] == "ended")
        raise sending.NotYetError("the call is queued")

    world.admin.suspend(SHOP)
    try:
        with world.holding(PLANT, "hand-over"):
            plant.capture(plant.ship(SHOP, [pallet]))
            monkeypatch.setattr(sending.Sending, "_check_calls", late)
            sending.Sending.run_once(plant.gateway.exchange.sending)
    finally:
        world.admin.reinstate(SHOP)
    assert "no valid licence" in plant.shipment(pallet)["error"]


def test_a_cancellation_that_comes_again_does_not_move_what_was_shipped_again(world: Any) -> None:
    """A reorganisation takes it back and includes it again, when a newer shipment is on its way."""
    plant = world[PLANT]
    pallet, _, _ = world.pallet()
    plant.capture(plant.ship(WHOLESALER, [pallet]))
    first = plant.shipment(pallet)["id"]
    plant.post(f"/shipments/{first}/cancel")
    plant.wait_goods(pallet, "cancelled")
    plant.capture(plant.ship(PHARMACY, [pallet]))
    row = call(plant, "cancelShipment")
    handler = plant.gateway.outbox.handler("CustodyLedger", "cancelShipment")
    with plant.gateway.database.write() as session:
        shipped = session.execute(select(ShippedUnit).where(ShippedUnit.hand_over == first)).scalar_one()
        shipped.outbox = row.id  # as it is until the cancellation is final
        session.add(shipped)
        handler.on_retracted(session, row)
        assert shipped.goods == "cancelling"
        handler.on_included(session, row, [])
        assert shipped.goods == "cancelled"
    assert plant.place(pallet) == "SHIPPED"
    world[PHARMACY].wait_arrival(pallet)
    world[PHARMACY].capture(world[PHARMACY].receive([pallet]))
    plant.wait_goods(pallet, "received")
    assert plant.place(pallet) == "SHIPPED"


def test_goods_settle_also_when_more_are_on_their_way_than_one_look_sees(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custody, "MOST_LOOKED_AT", 1)
    plant, wholesaler = world[PLANT], world[WHOLESALER]
    pallets = [world.pallet()[0] for _ in range(3)]
    plant.capture(plant.ship(WHOLESALER, pallets))
    for pallet in pallets:
        wholesaler.wait_arrival(pallet)
    wholesaler.capture(wholesaler.receive(pallets[:2]))
    for pallet in pallets[:2]:
        world.wait(lambda pallet=pallet: goods(plant, pallet) == "received")
    assert goods(plant, pallets[2]) == "in transit"
    wholesaler.capture(wholesaler.receive(pallets[2:]))
    world.wait(lambda: goods(plant, pallets[2]) == "received")


def test_a_receipt_that_is_refused_after_the_goods_were_unpacked_is_made_good_too(world: Any, quickly: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, (case, _), _ = world.pallet()
    plant.capture(plant.ship(SHOP, [pallet]))
    shop.wait_arrival(pallet)
    world.admin.suspend(SHOP)
    try:
        with world.holding(SHOP, "outbox"):
            shop.capture(shop.receive([pallet]), shop.unpack(pallet))
        world.wait(lambda: call(shop, "unpack").state == "reverted")
    finally:
        world.admin.reinstate(SHOP)
    assert [unit["uri"] for unit in shop.get("/logistic-units?refused=true")] == [pallet]
    world.wait(lambda: goods(shop, pallet, "/arrivals") == "received")
    assert shop.place(pallet) == "UNPACKED"
    assert shop.post("/logistic-units/propose")["proposed"] == [pallet]
    world.deliver(SHOP, WHOLESALER, case)


def goods(party: Any, unit: str, path: str = "/shipments") -> str:
    found = next(one for entry in party.get(path) for one in entry["units"] if one["uri"] == unit)
    return str(found["goods"])


def test_who_ordered_a_call_about_goods_is_kept_with_it(world: Any) -> None:
    """The API key of whoever ships, cancels, receives, receives in part or refuses; nobody's where no person did it."""
    plant, shop = world[PLANT], world[SHOP]
    (kept, _, _), (whole, _, _), (part, boxes, _), (early, _, _), (back, _, _) = (
        world.pallet(cases=2) for _ in range(5)
    )
    plant.capture(plant.ship(SHOP, [kept]))
    plant.post(f"/shipments/{plant.shipment(kept)['id']}/cancel")
    plant.wait_goods(kept, "cancelled")
    plant.capture(*[plant.ship(SHOP, [one]) for one in (whole, part, back)])
    for one in (whole, part, back):
        shop.wait_arrival(one)
    shop.capture(shop.receive([whole]))
    assert call(shop, "receiveShipment").caller == "test"
    shop.post(f"/arrivals/{shop.arrival(part)['id']}/receive-partly", {"missing": boxes[:1]})
    shop.post(f"/arrivals/{shop.arrival(back)['id']}/refuse")
    shop.capture(shop.receive([early]))  # its data come later: the gateway then accepts it by itself
    plant.capture(plant.ship(SHOP, [early]))
    for one in (whole, part, early):
        shop.wait_goods(one, "received")
    shop.wait_goods(back, "refused")
    ordered = [call(plant, name).caller for name in ("register", "ship", "cancelShipment")]
    ordered += [call(shop, name).caller for name in ("receivePartly", "refuseShipment")]
    rows = shop.gateway.outbox.rows(contract="CustodyLedger")
    assert ordered == ["test"] * 5, [(row.function, row.state, row.error_text, row.caller) for row in rows]
    assert call(shop, "receiveShipment").caller is None


def call(party: Any, function: str) -> OutboxRow:
    """The newest call of a function."""
    return next(row for row in party.gateway.outbox.rows(contract="CustodyLedger") if row.function == function)
