"""A shipment that nobody received for 30 days: the chain's time ends it, both sides are told, and people can go on."""

from typing import Any

from packtrace.facts import HANDOVER_PERIOD, CustodyState, LogisticFacts

PLANT, SHOP = 11, 31


def wait_until_too_late(world: Any) -> None:
    """Let the time pass in which what is on its way now can be received; only the chain's clock is moved."""
    world.devnet.advance_time(HANDOVER_PERIOD + 60)
    world.devnet.mine()


def tries(party: Any) -> int:
    """How many calls were made to receive something."""
    return sum(row.function == "receiveShipment" for row in party.gateway.outbox.rows(contract="CustodyLedger"))


def one(party: Any, path: str, unit: str) -> dict[str, Any]:
    """A unit in its newest shipment or arrival."""
    units = next(entry["units"] for entry in party.get(path) if any(one["uri"] == unit for one in entry["units"]))
    found: dict[str, Any] = next(entry for entry in units if entry["uri"] == unit)
    return found


def unmet(verdict: dict[str, Any]) -> set[str]:
    return {check["name"] for check in verdict["checks"] if check["passed"] is not True}


def test_it_is_too_late_from_the_second_after_the_period_on() -> None:
    unit = LogisticFacts(CustodyState.IN_TRANSIT, PLANT, SHOP, 0, bytes(32), 1000)
    assert not unit.expired(1000 + 30 * 86_400)
    assert unit.expired(1001 + 30 * 86_400)
    held = LogisticFacts(CustodyState.HELD, PLANT, 0, 0, bytes(32), 1000)
    assert not held.expired(1 << 40)


def test_an_expired_shipment_is_told_to_both_sides_and_shipped_again(later: Any, quickly: Any) -> None:
    plant, shop = later[PLANT], later[SHOP]
    pallet, _, packs = later.pallet()
    plant.capture(plant.ship(SHOP, [pallet]))
    shop.wait_arrival(pallet)
    wait_until_too_late(later)
    plant.wait_goods(pallet, "expired")
    shop.wait_goods(pallet, "expired")
    assert "cancel the shipment" in one(plant, "/shipments", pallet)["note"]
    assert "refuse the shipment" in one(shop, "/arrivals", pallet)["note"]
    figures = shop.http.get("/metrics").text
    assert 'packtrace_arrival_units{goods="expired"} 1.0' in figures

    before = tries(shop)
    shop.capture(shop.receive([pallet]))
    assert shop.place(packs[0]) == "QUARANTINED"
    assert "30 days" in shop.get("/quarantine")[0]["note"]
    assert tries(shop) == before, "nobody tries what cannot be"

    plant.post(f"/shipments/{plant.shipment(pallet)['id']}/cancel")
    plant.wait_goods(pallet, "cancelled")
    assert plant.place(packs[0]) == "HERE"
    plant.capture(plant.ship(SHOP, [pallet]))
    shop.wait_goods(pallet, "received")  # it is in quarantine there, and its data come again
    assert shop.place(packs[0]) == "HERE"
    later.wait(lambda: unmet(shop.verify(packs[0], lot="L1", expiry="2031-05-31")) == set())


def test_a_receipt_that_comes_too_late_is_tried_once_and_the_goods_are_refused(later: Any, quickly: Any) -> None:
    plant, shop = later[PLANT], later[SHOP]
    pallet, _, packs = later.pallet()
    plant.capture(plant.ship(SHOP, [pallet]))
    arrival = shop.wait_arrival(pallet)
    before = tries(shop)
    with later.holding(SHOP, "outbox"):  # it waits for the node, say
        shop.capture(shop.receive([pallet]))
        wait_until_too_late(later)
    shop.wait_goods(pallet, "expired")
    assert shop.place(packs[0]) == "QUARANTINED"
    plant.wait_goods(pallet, "expired")
    later.devnet.mine(3)
    assert tries(shop) == before + 1

    shop.post(f"/arrivals/{arrival['id']}/refuse")
    shop.wait_goods(pallet, "refused")
    plant.wait_goods(pallet, "refused")
    plant.capture(plant.receive([pallet]))
    assert plant.place(packs[0]) == "HERE"
    later.deliver(PLANT, SHOP, pallet)
