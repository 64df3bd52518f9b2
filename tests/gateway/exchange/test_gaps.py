"""A custody gap in what arrives: it waits in quarantine, and a person may accept it by name."""

from typing import Any

from packtrace.rules import Place
from packtrace_gateway.access.models import Role

PLANT, WHOLESALER, PHARMACY = 11, 20, 30


def gapped(world: Any) -> tuple[str, str, str]:
    """A tote from the wholesaler to the pharmacy, with a sound pack and one that, by the events, is still on its way to
    the wholesaler in another pallet. The tote and both packs."""
    plant, wholesaler = world[PLANT], world[WHOLESALER]
    pallet, (case, _), packs = world.pallet()
    world.deliver(PLANT, WHOLESALER, pallet)
    wholesaler.capture(wholesaler.unpack(pallet), wholesaler.unpack(case, [packs[0]]))
    other, _, (stray, *_) = world.pallet()
    plant.capture(plant.ship(WHOLESALER, [other]))
    wholesaler.wait_arrival(other)  # its data are here, the goods are not
    with wholesaler.gateway.database.write() as session:
        wholesaler.gateway.store.put_inside(session, [stray], None, Place.HERE)
    (tote,) = world.units(1)
    wholesaler.capture(wholesaler.pack(tote, [packs[0], stray]), wholesaler.ship(PHARMACY, [tote]))
    return tote, packs[0], stray


def test_a_gap_is_named_and_accepted_by_name(world: Any) -> None:
    pharmacy, wholesaler = world[PHARMACY], world[WHOLESALER]
    tote, sound, stray = gapped(world)
    arrival = pharmacy.wait_arrival(tote, "quarantined")
    (reason,) = arrival["reasons"]
    assert reason.startswith(f"custody gap, 1 packs ({stray}, …): event ")
    assert f"party {WHOLESALER} packed it" in reason
    pharmacy.capture(pharmacy.receive([tote]))
    assert pharmacy.place(tote) == "QUARANTINED"
    told = wholesaler.wait_hand_over(tote, "refused", error="custody gap")
    assert told["receipt"]["outcome"] == "quarantined"
    assert pharmacy.post(f"/arrivals/{arrival['id']}/recheck")["state"] == "checking"
    pharmacy.wait_arrival(tote, "quarantined")  # nobody has accepted it by this

    path, why = f"/arrivals/{arrival['id']}/accept", {"reason": "the wholesaler showed us the delivery note"}
    _row, key = pharmacy.gateway.access.create("ramp", [Role.WAREHOUSE])
    assert pharmacy.http.post(path, json=why, headers={"Authorization": f"Bearer {key}"}).status_code == 403
    assert pharmacy.http.post(path, json={}).status_code == 400
    pharmacy.post(path, why)
    accepted = pharmacy.wait_arrival(tote)
    known = accepted["acknowledged"]
    assert (known["by"], known["findings"], known["reason"]) == ("test", [reason], why["reason"])
    pharmacy.wait_goods(tote, "received")
    assert [pharmacy.place(pack) for pack in (sound, stray)] == ["HERE", "HERE"]
    pharmacy.capture(pharmacy.unpack(tote))
    verdicts = {pack: pharmacy.verify(pack, lot="L1", expiry="2031-05-31") for pack in (sound, stray)}
    assert verdicts[stray]["headline"] == "custody gap"
    world.wait(lambda: pharmacy.verify(sound, lot="L1", expiry="2031-05-31")["headline"] == "authentic, available")
    answer = pharmacy.http.post(path, json=why)
    assert answer.status_code == 409, "it is accepted"


def test_nothing_but_a_gap_is_accepted_by_name(world: Any, by_hand: Any) -> None:
    plant, pharmacy = world[PLANT], world[PHARMACY]
    pallet, _, _ = world.pallet()
    data = by_hand.package(world, PLANT, PHARMACY, pallet)
    broken = data[:-40] + bytes(40)
    by_hand.upload(plant, PHARMACY, broken)
    found = world.wait(lambda: next((one for one in pharmacy.get("/arrivals") if one["state"] == "quarantined"), None))
    answer = pharmacy.http.post(f"/arrivals/{found['id']}/accept", json={"reason": "I trust them"})
    assert answer.status_code == 409
    assert "for custody gaps alone" in answer.json()["detail"]
    assert pharmacy.http.post("/arrivals/999999/accept", json={"reason": "?"}).status_code == 404
    by_hand.release(plant, pallet)
    pharmacy.wait_arrival(pallet)
