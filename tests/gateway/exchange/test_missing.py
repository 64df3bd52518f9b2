"""What is missing in a pallet that was received: it stays its sender's, and neither side's records say otherwise."""

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from packtrace.chain.deployment import Deployment
from packtrace.chain.facts import ChainReader
from packtrace.chain.node import Node
from packtrace.facts import CustodyState
from packtrace.gs1 import sscc_of_uri
from packtrace_gateway.access.models import Role
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import LogisticUnit
from packtrace_gateway.exchange import missing
from packtrace_gateway.exchange.models import ArrivalUnit
from packtrace_gateway.fsck.check import fsck
from packtrace_gateway.fsck.report import Checked
from packtrace_gateway.outbox.calls import load

PLANT, WHOLESALER, PHARMACY, SHOP = 11, 20, 30, 31


def say(party: Any, unit: str, *lacking: str) -> Any:
    """That these are missing in the newest arrival of a unit; the answer."""
    return party.http.post(f"/arrivals/{party.arrival(unit)['id']}/receive-partly", json={"missing": list(lacking)})


def on_chain(party: Any, unit: str) -> Any:
    with party.gateway.database.read() as session:
        number = int(party.gateway.store.logistic_units(session, [unit])[unit].number)
    return party.gateway.reader.logistic_units([number])[number]


def unmet(verdict: dict[str, Any]) -> set[str]:
    return {check["name"] for check in verdict["checks"] if check["passed"] is not True}


def verdict(party: Any, pack: str) -> dict[str, Any]:
    found: dict[str, Any] = party.verify(pack, lot="L1", expiry="2031-05-31")
    return found


def arrived(world: Any, receiver: int, cases: int = 3) -> tuple[str, list[str], list[str]]:
    """A pallet whose data are at the receiver's."""
    pallet, boxes, packs = world.pallet(packs=2 * cases, cases=cases)
    world[PLANT].capture(world[PLANT].ship(receiver, [pallet]))
    world[receiver].wait_arrival(pallet)
    return pallet, boxes, packs


def row_of(party: Any, function: str) -> Any:
    return next(row for row in party.gateway.outbox.rows(contract="CustodyLedger") if row.function == function)


def differences(world: Any, party: Any, folder: Path) -> list[str]:
    """What fsck finds when all calls have ended."""
    world.wait(lambda: all(call["state"] in ("final", "reverted") for call in party.get("/outbox")["calls"]))
    settings = party.settings
    reader = ChainReader(Node(settings.node[0]), Deployment.load(settings.deployment), settings.finality)
    file = folder / f"{party.number}-{time.monotonic_ns()}.db"
    party.gateway.database.copy_to(file)
    database = Database(f"sqlite:///{file}")
    try:
        return [str(finding) for finding in fsck(database, party.number, reader.deployment, reader, Checked())]
    finally:
        database.close()


def test_a_pallet_goes_on_without_what_was_missing_in_it(world: Any) -> None:
    """The next receiver sees that all of the rest is shown."""
    wholesaler, pharmacy = world[WHOLESALER], world[PHARMACY]
    pallet, boxes, packs = arrived(world, WHOLESALER)
    assert say(wholesaler, pallet, boxes[0], boxes[1]).status_code == 202
    wholesaler.wait_goods(pallet, "received")
    world.deliver(WHOLESALER, PHARMACY, pallet)
    world.wait(lambda: unmet(verdict(pharmacy, packs[2])) == set())
    assert pharmacy.place(packs[0]) is None


def test_a_pallet_in_a_container_may_be_missing_and_so_may_a_case_deeper_in(world: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    one, (deep, shallow), packs = world.pallet(packs=4)
    other, cases, more = world.pallet(packs=4)
    (container,) = world.units(1)
    plant.capture(plant.pack(container, [one, other]), plant.ship(SHOP, [container]))
    shop.wait_arrival(container)
    for _ in range(2):  # who lost the answer asks again
        assert say(shop, container, deep, other, cases[0]).status_code == 202
    shop.wait_goods(container, "received")
    assert {unit: on_chain(shop, unit).holder for unit in (container, one, shallow)} == dict.fromkeys(
        (container, one, shallow), SHOP
    )
    assert (on_chain(shop, deep).holder, on_chain(shop, other).holder) == (PLANT, PLANT)
    assert (shop.place(packs[0]), shop.place(packs[1]), shop.place(more[0])) == ("UNKNOWN", "HERE", "UNKNOWN")
    plant.wait_goods(container, "received")
    entries = {one["uri"]: one["goods"] for one in plant.shipment(container)["units"]}
    assert entries == {container: "received", deep: "missing", other: "missing"}
    plant.capture(plant.receive([other]), plant.unpack(other))
    world.deliver(PLANT, SHOP, cases[0])
    world.wait(lambda: unmet(verdict(shop, more[0])) == set())


def test_what_turns_up_at_the_receivers_waits_until_it_is_shipped_again(world: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, (lost, *_), packs = arrived(world, SHOP)
    assert say(shop, pallet, lost).status_code == 202
    shop.capture(shop.receive([lost]))  # it was on another lorry
    assert shop.place(packs[0]) == "QUARANTINED"
    assert "its sender's" in next(one["note"] for one in shop.get("/quarantine") if one["uri"] == lost)
    plant.wait_goods(pallet, "received")
    plant.capture(plant.receive([lost]), plant.ship(SHOP, [lost]))
    shop.wait_goods(lost, "received")
    assert shop.place(packs[0]) == "HERE"
    world.wait(lambda: unmet(verdict(shop, packs[0])) == set())


def test_what_cannot_be_missing_is_refused_with_what_to_do(world: Any) -> None:
    shop = world[SHOP]
    pallet, boxes, packs = arrived(world, SHOP)
    elsewhere, _, _ = world.pallet()
    other, _, _ = arrived(world, SHOP)
    for lacking, status, words in (
        (packs[0], 409, "name the case that it should be in"),
        (pallet, 409, "shipped on its own"),
        (elsewhere, 409, "not inside what arrives"),
        (other, 409, "not inside what arrives"),
        ("123", 400, ""),
    ):
        answer = say(shop, pallet, lacking)
        assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
    assert say(shop, pallet).status_code == 400
    _row, key = shop.gateway.access.create("auditor", [Role.AUDITOR])
    path = f"/arrivals/{shop.arrival(pallet)['id']}/receive-partly"
    answer = shop.http.post(path, json={"missing": [boxes[0]]}, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403
    assert shop.http.post("/arrivals/999999/receive-partly", json={"missing": [boxes[0]]}).status_code == 404

    shop.capture(shop.receive([pallet]))
    answer = say(shop, pallet, boxes[0])
    assert answer.status_code == 409
    assert "take it out of what it should be in" in answer.json()["detail"]
    shop.wait_goods(pallet, "received")
    assert shop.place(packs[0]) == "HERE"


def test_a_delivery_is_received_together_or_not_at_all(world: Any) -> None:
    shop = world[SHOP]
    (one, (lost, *_), _), (two, (gone, *_), _), (whole, _, _) = (arrived(world, SHOP, cases=2) for _ in range(3))
    elsewhere, (stranger, *_), _ = world.pallet()

    def ask(missing: str, *units: str) -> Any:
        event = shop.receive(units) | {"eventID": f"urn:uuid:{uuid4()}"}
        document = {
            "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": event["eventTime"],
            "epcisBody": {"eventList": [event]},
        }
        partly = [{"arrival": shop.arrival(one)["id"], "missing": [lost]}]
        partly += [{"arrival": shop.arrival(two)["id"], "missing": [missing]}]
        return {"partly": partly, "document": document}

    def send(body: Any) -> Any:
        return shop.http.post("/arrivals/receive", json=body)

    def calls() -> list[str]:
        return [row.function for row in shop.gateway.outbox.rows(contract="CustodyLedger")]

    before = calls()
    for body, status, field in (
        (ask(stranger, whole), 409, "partly[1].missing[0]"),
        (ask(gone, whole, elsewhere, one), 409, "document.epcisBody.eventList[0].epcList[2]"),
        (ask(gone, whole) | {"partly": [{"arrival": 999_999, "missing": [lost]}]}, 404, "partly[0].arrival"),
        (ask(gone, whole) | {"document": {"type": "EPCISDocument"}}, 400, "document.@context"),
        (ask(gone, whole) | {"partly": []}, 400, "partly"),
    ):
        answer = send(body)
        assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text
    assert (calls(), [shop.place(unit) for unit in (one, two, whole, lost)]) == (before, ["EXPECTED"] * 4)

    body = ask(gone, whole)
    first = send(body)
    assert first.status_code == 202, first.text
    for pallet in (one, two, whole):
        shop.wait_goods(pallet, "received")
    again = send(body)
    assert (again.status_code, again.json()["events"]) == (202, first.json()["events"])
    new = calls()
    for function in before:
        new.remove(function)
    assert sorted(new) == ["receivePartly", "receivePartly", "receiveShipment"]


def test_two_that_say_the_same_at_once_are_both_right(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that had no answer in time asks again, while the first request still waits for the database."""
    shop = world[SHOP]
    pallet, (lost, *_), _ = arrived(world, SHOP)
    service, answers = shop.gateway.exchange.missing, []
    check = service._check_chain

    def slowly(*look: Any) -> None:
        if not answers:
            answers.append(None)
            answers[0] = say(shop, pallet, lost).status_code
        check(*look)

    monkeypatch.setattr(service, "_check_chain", slowly)
    assert (say(shop, pallet, lost).status_code, answers) == (202, [202])
    shop.wait_goods(pallet, "received")
    rows = shop.gateway.outbox.rows(contract="CustodyLedger")
    number = on_chain_number(shop, pallet)
    assert [row.function for row in rows if load(row.args)[0] == number] == ["receivePartly"]


def test_by_the_chain_it_must_be_inside_what_is_on_its_way(world: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, boxes, _ = arrived(world, SHOP)
    with world.holding(SHOP, "custody"):
        with shop.gateway.database.write() as session:  # the records here are wrong
            units = shop.gateway.store.logistic_units(session, boxes)
            units[boxes[0]].number, right = units[boxes[1]].number, units[boxes[0]].number
            units[boxes[1]].number = str(on_chain_number(shop, pallet))
        answer = say(shop, pallet, boxes[1])
        assert "by the chain it is not inside" in answer.json()["detail"]
        with shop.gateway.database.write() as session:
            units = shop.gateway.store.logistic_units(session, boxes)
            units[boxes[0]].number, units[boxes[1]].number = right, units[boxes[0]].number
        plant.post(f"/shipments/{plant.shipment(pallet)['id']}/cancel")
        plant.wait_goods(pallet, "cancelled")
        answer = say(shop, pallet, boxes[0])
        assert "cancelled by its sender" in answer.json()["detail"]


def on_chain_number(party: Any, unit: str) -> int:
    with party.gateway.database.read() as session:
        return int(party.gateway.store.logistic_units(session, [unit])[unit].number)


def test_a_partial_receipt_that_the_chain_refuses_is_made_good_for_the_same_cases(world: Any, quickly: Any) -> None:
    plant, shop = world[PLANT], world[SHOP]
    pallet, (lost, *_), packs = arrived(world, SHOP)
    world.admin.suspend(SHOP)
    try:
        assert say(shop, pallet, lost).status_code == 202
        world.wait(lambda: shop.place(packs[1]) == "QUARANTINED")
        assert shop.place(packs[0]) == "UNKNOWN"
    finally:
        world.admin.reinstate(SHOP)
    shop.wait_goods(pallet, "received")
    assert (shop.place(packs[0]), shop.place(packs[1])) == ("UNKNOWN", "HERE")
    assert on_chain(shop, lost).holder == PLANT
    plant.wait_goods(pallet, "received")
    world.wait(lambda: unmet(verdict(shop, packs[1])) == set())


def test_a_reorganisation_takes_a_partial_receipt_back_and_it_comes_again(world: Any) -> None:
    """The handler's part of it: the call is sent again with the same bytes (tests/gateway/outbox)."""
    shop = world[SHOP]
    pallet, (lost, *_), packs = arrived(world, SHOP)
    assert say(shop, pallet, lost).status_code == 202
    shop.wait_goods(pallet, "received")
    row = row_of(shop, "receivePartly")
    handler = shop.gateway.outbox.handler("CustodyLedger", "receivePartly")

    def states() -> list[str]:
        with shop.gateway.database.read() as session:
            query = select(ArrivalUnit.goods).where(ArrivalUnit.outbox == row.id).order_by(ArrivalUnit.unit)
            return [str(goods) for goods in session.execute(query).scalars()]

    for step, then in ((handler.on_retracted, "receiving"), (handler.on_reverted, "in transit")):
        with shop.gateway.database.write() as session:
            step(session, row)
        assert sorted(states()) == sorted([then, "missing"])
        with shop.gateway.database.write() as session:
            handler.on_included(session, row, [])
        assert sorted(states()) == ["missing", "received"]
        assert (shop.place(packs[0]), shop.place(packs[1])) == ("UNKNOWN", "HERE")


def test_a_sender_that_was_down_learns_it_later_and_once(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when there is more inside than one look asks about."""
    monkeypatch.setattr(missing, "MOST_INSIDE", 1)
    plant, shop = world[PLANT], world[SHOP]
    first, second = arrived(world, SHOP), arrived(world, SHOP)
    with world.holding(PLANT, "custody"):
        for pallet, boxes, _ in (first, second):
            assert say(shop, pallet, boxes[0]).status_code == 202
            shop.wait_goods(pallet, "received")
    for pallet, boxes, packs in (first, second):
        plant.wait_goods(pallet, "received")
        assert [one["goods"] for one in plant.shipment(pallet)["units"] if one["uri"] == boxes[0]] == ["missing"]
        world.wait(
            lambda packs=packs: [e["step"] for e in verdict(plant, packs[0])["history"]].count("void_shipping") == 1
        )


def test_a_receiver_whose_records_are_older_than_its_receipt_learns_it_from_the_chain(world: Any) -> None:
    """A backup was restored: the receipt is not in it."""
    shop = world[SHOP]
    pallet, (lost, *_), packs = arrived(world, SHOP)
    with world.holding(SHOP, "custody"):
        assert say(shop, pallet, lost).status_code == 202
        shop.wait_goods(pallet, "received")
        with shop.gateway.database.write() as session:
            units = shop.gateway.store.logistic_units(session, [pallet, lost])
            outer, inner = units[pallet], units[lost]
            arrival = shop.arrival(pallet)["id"]
            row = session.get(ArrivalUnit, (arrival, outer.id))
            row.goods, row.outbox = "in transit", None
            session.delete(session.get(ArrivalUnit, (arrival, inner.id)))
            inner.parent, inner.place, outer.place = outer.id, 1, 3  # expected, as announced
            session.add_all([row, inner, outer])
        assert shop.place(packs[0]) == "EXPECTED"
    shop.wait_goods(pallet, "received")
    assert (shop.place(packs[0]), shop.place(packs[1])) == ("UNKNOWN", "HERE")
    with shop.gateway.database.read() as session:
        assert session.execute(select(LogisticUnit.parent).where(LogisticUnit.uri == lost)).scalar() is None


# ---- on a chain of their own; the other network rests from here on ----


def test_a_missing_case_stays_its_senders_is_found_and_comes_after_all(later: Any, tmp_path: Path) -> None:
    plant, shop = later[PLANT], later[SHOP]
    pallet, (lost, case, _), packs = arrived(later, SHOP)
    answer = say(shop, pallet, sscc_of_uri(lost) or "")
    assert answer.status_code == 202, answer.text
    assert say(shop, pallet, lost).status_code == 202, "who lost the answer asks again"
    entry = next(one for one in shop.wait_goods(pallet, "received")["units"] if one["uri"] == lost)
    assert (entry["goods"], entry["place"]) == ("missing", "unknown")
    assert on_chain(shop, pallet).holder == SHOP
    assert (on_chain(shop, lost).holder, on_chain(shop, lost).parent) == (PLANT, 0)
    gone, came = packs[0], packs[1]  # the cases are filled in turns
    assert (shop.place(gone), shop.place(came)) == ("UNKNOWN", "HERE")
    assert verdict(shop, gone)["headline"] == "custody gap"
    later.wait(lambda: unmet(verdict(shop, came)) == set())

    shipment = plant.wait_goods(pallet, "received")
    entry = next(one for one in shipment["units"] if one["uri"] == lost)
    assert entry["goods"] == "missing"
    assert "receive it when it is found" in entry["note"]
    assert plant.place(gone) == "SHIPPED"
    assert [differences(later, party, tmp_path) for party in (plant, shop)] == [[], []]

    plant.capture(plant.receive([lost]))
    assert plant.place(gone) == "HERE"
    later.wait(lambda: unmet(verdict(plant, gone)) == set())
    later.deliver(PLANT, SHOP, lost)
    assert shop.place(gone) == "HERE"
    later.wait(lambda: unmet(verdict(shop, gone)) == set())
    steps = [entry["step"] for entry in verdict(shop, gone)["history"]]
    assert steps.count("void_shipping") == 2
    assert steps[-2:] == ["shipping", "receiving"]

    shop.capture(shop.unpack(pallet))
    later.deliver(SHOP, PHARMACY, lost)
    later.deliver(SHOP, PHARMACY, case)
    pharmacy = later[PHARMACY]
    for pack in (gone, came):
        later.wait(lambda pack=pack: unmet(verdict(pharmacy, pack)) == set())
    assert [differences(later, party, tmp_path) for party in (plant, shop, pharmacy)] == [[], [], []]


def test_a_real_reorganisation_leaves_both_sides_with_what_the_chain_says(later: Any) -> None:
    plant, shop = later[PLANT], later[SHOP]
    pallet, (lost, *_), packs = arrived(later, SHOP)
    assert say(shop, pallet, lost).status_code == 202
    shop.wait_goods(pallet, "received")
    later.devnet.reorg(1)
    later.wait(lambda: row_of(shop, "receivePartly").state == "final")
    assert on_chain(shop, lost).state is CustodyState.HELD
    plant.wait_goods(pallet, "received")
    assert {one["goods"] for one in plant.shipment(pallet)["units"]} == {"received", "missing"}
    assert {one["goods"] for one in shop.arrival(pallet)["units"]} == {"received", "missing"}
    assert (shop.place(packs[0]), plant.place(packs[0])) == ("UNKNOWN", "SHIPPED")
