"""Units that the chain refused to hear of: said where they are, not shipped, and proposed again."""

from typing import Any

from packtrace.gs1 import sscc_of_uri

PLANT, WHOLESALER = 11, 20


def unit(party: Any, uri: str) -> dict[str, Any]:
    found: dict[str, Any] = party.get(f"/logistic-units/{sscc_of_uri(uri)}")
    return found


def refused(party: Any) -> list[str]:
    return [entry["uri"] for entry in party.get("/logistic-units?refused=true")]


def idle(world: Any, party: Any) -> None:
    world.wait(lambda: not [call for call in party.trouble()[1] if call["state"] in ("queued", "signed", "broadcast")])


def test_a_refused_registration_is_told_hinders_shipping_and_is_made_good(world: Any) -> None:
    plant, wholesaler = world[PLANT], world[WHOLESALER]
    packs = world.stock(4)
    case, other, pallet = world.units(3)
    idle(world, plant)
    world.admin.suspend(PLANT)
    try:
        plant.capture(plant.pack(case, packs[:2]), plant.pack(other, packs[2:]))
        world.wait(lambda: unit(plant, case)["refused"])
    finally:
        world.admin.reinstate(PLANT)
    assert unit(plant, case)["refused"] == unit(plant, other)["refused"] == "register"
    assert "no valid licence" in unit(plant, case)["note"]
    assert "propose it again" in unit(plant, case)["note"]

    plant.capture(plant.pack(pallet, [case, other]))  # the line does not stop
    assert (unit(plant, pallet)["refused"], unit(plant, case)["inside"]) == ("register", pallet)
    assert {case, other, pallet} <= set(refused(plant))
    answer = plant.http.post("/events", json=plant.ship(WHOLESALER, [pallet]) | {"@context": CONTEXT})
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["field"] == "epcList[0]"
    assert "no valid licence" in problem["detail"] or "a call was refused" in problem["detail"]
    assert f"/logistic-units/{sscc_of_uri(pallet)}/propose" in problem["detail"]
    assert plant.place(pallet) == "HERE"

    plant.post(f"/logistic-units/{sscc_of_uri(case)}/propose")  # with it, all around and inside it
    assert refused(plant) == []
    again = plant.http.post(f"/logistic-units/{sscc_of_uri(case)}/propose")
    assert again.status_code == 409
    world.deliver(PLANT, WHOLESALER, pallet)
    assert wholesaler.place(packs[3]) == "HERE"
    assert unit(plant, pallet)["note"] is None


def test_a_proposal_that_is_refused_again_says_so_again(world: Any) -> None:
    plant = world[PLANT]
    (case,), packs = world.units(1), world.stock(1)
    idle(world, plant)
    world.admin.suspend(PLANT)
    try:
        plant.capture(plant.pack(case, packs))
        world.wait(lambda: unit(plant, case)["refused"])
        assert plant.post("/logistic-units/propose")["proposed"] == [case]
        world.wait(lambda: unit(plant, case)["refused"])
    finally:
        world.admin.reinstate(PLANT)
    assert plant.post("/logistic-units/propose")["proposed"] == [case]
    idle(world, plant)
    assert unit(plant, case)["refused"] is None
    assert plant.post("/logistic-units/propose")["proposed"] == []
    world.deliver(PLANT, WHOLESALER, case)


def test_what_was_unpacked_before_it_was_registered_is_still_to_be_registered(world: Any) -> None:
    """Else its packs, packed elsewhere since, would have a link in their history that nobody finds on chain."""
    plant, wholesaler = world[PLANT], world[WHOLESALER]
    (case, other), packs = world.units(2), world.stock(2)
    idle(world, plant)
    world.admin.suspend(PLANT)
    try:
        plant.capture(plant.pack(case, packs))
        world.wait(lambda: unit(plant, case)["refused"])
    finally:
        world.admin.reinstate(PLANT)
    plant.capture(plant.unpack(case), plant.pack(other, packs))
    assert (unit(plant, case)["place"], refused(plant)) == ("unpacked", [case])
    plant.capture(plant.ship(WHOLESALER, [other]))
    plant.wait_hand_over(other, "waiting", error=f"/logistic-units/{sscc_of_uri(case)}/propose")
    plant.post("/logistic-units/propose")
    wholesaler.wait_arrival(other)
    wholesaler.capture(wholesaler.receive([other]))
    wholesaler.wait_goods(other, "received")
    assert [
        check
        for check in wholesaler.verify(packs[0], lot="L1", expiry="2031-05-31")["checks"]
        if check["passed"] is not True
    ] == []
    assert refused(plant) == []
    (number,) = {unit(plant, case)["number"]}
    assert plant.gateway.reader.logistic_units([int(number)])[int(number)].state.name == "UNPACKED"


def test_refused_unpackings_are_told_and_made_good(world: Any) -> None:
    """Else the chain would keep the cases inside what ended, and nobody could ship them ever again."""
    plant = world[PLANT]
    pallet, (case, left), _ = world.pallet(packs=4, cases=2)
    idle(world, plant)
    world.admin.suspend(PLANT)
    try:
        plant.capture(plant.unpack(pallet, [case]))
        world.wait(lambda: unit(plant, case)["refused"])
        plant.capture(plant.unpack(pallet))
        world.wait(lambda: unit(plant, pallet)["refused"])
    finally:
        world.admin.reinstate(PLANT)
    assert [unit(plant, one)["refused"] for one in (case, pallet, left)] == ["takeOut", "unpack", None]
    answer = plant.http.post("/events", json=plant.ship(WHOLESALER, [case]) | {"@context": CONTEXT})
    assert "that it was taken out" in answer.json()["detail"]
    plant.post("/logistic-units/propose")
    idle(world, plant)
    assert refused(plant) == []
    world.deliver(PLANT, WHOLESALER, case)
    world.deliver(PLANT, WHOLESALER, left)


def test_what_the_chain_has_by_now_is_not_proposed_again(world: Any) -> None:
    """Anybody may carry a consent to the chain, also one that was refused before."""
    plant = world[PLANT]
    (case,), packs = world.units(1), world.stock(1)
    plant.capture(plant.pack(case, packs))
    idle(world, plant)
    with plant.gateway.database.write() as session:
        stored = plant.gateway.store.logistic_units(session, [case])[case]
        stored.refused, stored.refusal = "register", "a licence"
    calls = len(plant.get("/outbox?contract=CustodyLedger")["calls"])
    plant.post(f"/logistic-units/{sscc_of_uri(case)}/propose")
    assert len(plant.get("/outbox?contract=CustodyLedger")["calls"]) == calls
    assert unit(plant, case)["refused"] is None


CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]
