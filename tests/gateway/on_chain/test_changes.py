"""Dispensing, other changes of status, and taking them back."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

from one_gateway import EXPIRY, GTIN, OTHER_GTIN, PARTY, Lot, Plant, recorded

from packtrace.epcis.context import GS1_CONTEXT
from packtrace.scan import Scan
from packtrace.verdict import Headline, Verdict


def test_dispensed_is_shown_only_when_the_included_call_changed_the_pack(plant: Plant, lot: Lot) -> None:
    plant.quiet()
    plant.devnet.pause_mining()
    try:
        operation = plant.submit(lot, 0)
        assert (operation["state"], operation["packs"][0]["outcome"], operation["case"]) == ("pending", "pending", None)
        assert operation["verdicts"][0]["headline"] == "authentic, available"
        plant.until(lambda: plant.operation(operation)["proof"] == "broadcast")
        waiting = plant.operation(operation)
        assert waiting["state"] == "pending"
        assert waiting["packs"][0]["outcome"] == "pending"
        assert plant.verdict(lot, 0)["headline"] == "authentic, available"
    finally:
        plant.devnet.resume_mining()
    done = plant.settled(operation)
    assert (done["state"], done["packs"][0]["outcome"], done["to"]) == ("done", "dispensed", "supplied")
    verdict = plant.until(lambda: v if (v := plant.verdict(lot, 0))["case"] else None)  # the followed chain knows it
    assert (verdict["headline"], verdict["words"], verdict["case"]) == (
        "already supplied",
        "already supplied",
        done["case"],
    )
    event = plant.until(lambda: recorded(plant, operation), mine=True)
    assert (event.biz_step, event.action, event.item_count) == ("dispensing", "DELETE", 1)
    assert plant.operation(operation)["proof"] == "final"


def test_what_was_dispensed_cannot_be_packed(plant: Plant, lot: Lot) -> None:
    assert plant.outcomes(lot, 1) == ["dispensed"]
    packing = plant.event("AggregationEvent", "ADD", "packing", parentID=plant.sscc(), childEPCs=[lot.packs[1]])
    problem = plant.post("/events", packing | {"@context": GS1_CONTEXT}, 409)
    assert (problem["field"], problem["value"]) == ("childEPCs[0]", lot.packs[1])
    assert "no longer there" in problem["detail"]


def test_the_second_dispense_is_refused_and_opens_an_alert_that_people_close(plant: Plant, lot: Lot) -> None:
    first = plant.settled(plant.submit(lot, 2))
    second = plant.settled(plant.submit(lot, 2))
    assert second["state"] == "done"
    assert second["packs"][0]["outcome"] == "refused: already supplied"
    assert (second["packs"][0]["refusal"], second["packs"][0]["found"]) == ("wrong_status", "supplied")
    assert second["case"] != first["case"]
    unit = plant.verdict(lot, 2)["unit"]
    alert = plant.alert(unit)
    known = {name: alert[name] for name in ("case", "party", "asked", "found", "refusal", "why", "state", "closedBy")}
    assert known == {
        "case": second["case"],
        "party": PARTY,
        "asked": "supplied",
        "found": "supplied",
        "refusal": "wrong_status",
        "why": "caller",
        "state": "open",
        "closedBy": None,
    }
    path = f"/alerts/{alert['number']}"
    plant.post(f"{path}/comments", {"text": "Both packs are in quarantine."}, 204)
    plant.post(f"{path}/close", {"text": "One of them is falsified."}, 204)
    closed = plant.get(path)
    assert (closed["state"], closed["closedBy"]) == ("closed", "the tester")
    assert [(one["author"], one["text"]) for one in closed["comments"]] == [
        ("the tester", "Both packs are in quarantine."),
        ("the tester", "One of them is falsified."),
    ]
    problem = plant.post(f"{path}/close", {"text": "Again."}, 409)
    assert (problem["field"], problem["value"]) == ("number", alert["number"])
    assert "closed by the tester" in problem["detail"]
    assert len(plant.get(path)["comments"]) == 2
    assert alert["number"] not in [one["number"] for one in plant.get("/alerts", open_only=True)]
    assert alert["number"] in [one["number"] for one in plant.get("/alerts")]
    assert plant.post("/alerts/999999/close", {"text": "?"}, 404)["field"] == "number"


def test_a_client_that_lost_the_answer_asks_again_and_dispenses_once(plant: Plant, lot: Lot) -> None:
    name = uuid4().hex
    first = plant.submit(lot, 19, request=name)
    again = plant.submit(lot, 19, request=name)
    assert plant.settled(first)["packs"] == [
        {"uri": lot.packs[19], "outcome": "dispensed", "refusal": "none", "found": None, "undone": None}
    ]
    last = plant.submit(lot, 19, request=name)  # also when it is done
    assert (
        plant.get(f"/operations/named/{name}")["id"] == first["id"]
    )  # who only wants to know does not ask for it again
    assert plant.client.get(f"/operations/named/{uuid4()}", headers=plant.key).status_code == 404
    assert (again["id"], last["id"], last["verdicts"]) == (first["id"], first["id"], [])
    plant.quiet()
    assert plant.verdict(lot, 19)["unit"] not in [alert["unit"] for alert in plant.get("/alerts")]
    problem = plant.post("/dispense", {"packs": [lot.code(20)], "request": name}, 409)
    assert (problem["field"], problem["value"]) == ("request", name)


def timeless(verdict: Verdict) -> Any:
    """A verdict without the age of its block, which a check says too: that depends on when one asked."""
    plain = {name: value for name, value in verdict.to_json().items() if name != "blockAge"}
    checks = [check | {"detail": None} if check["name"] == "chain" else check for check in plain["checks"]]
    return plain | {"checks": checks}


def test_many_packs_verified_together_get_the_verdicts_that_each_gets_alone(plant: Plant) -> None:
    lot, early = plant.released(3), plant.commission(1)
    plant.settled(plant.submit(lot, 0))
    plant.quiet()
    code = Scan(GTIN, lot.serials[0], lot.lot, date.fromisoformat(EXPIRY))
    others = [replace(code, serial=lot.serials[1]), replace(code, lot="X"), replace(code, serial="nobody's")]
    scans = [code, *others, replace(code, serial=early.serials[0], lot=early.lot), replace(code, gtin=OTHER_GTIN)]
    together = [timeless(found.verdict) for found in plant.gateway.verify.verify_all(scans)]
    alone = [timeless(plant.gateway.verify.verify(scan).verdict) for scan in scans]
    assert together == alone
    assert [verdict["headline"] for verdict in together] == [
        *(Headline.NOT_ACTIVE, Headline.AUTHENTIC, Headline.WRONG_DATA),
        *(Headline.UNKNOWN_SERIAL, Headline.NOT_RELEASED, Headline.NOT_VERIFIED),
    ]


def test_changes_of_different_packs_share_a_block_and_those_of_one_pack_keep_their_order(plant: Plant) -> None:
    lot = plant.released(6)
    plant.quiet()
    plant.devnet.pause_mining()
    try:
        suspect = plant.submit(lot, 0, to="suspect")
        others = [plant.submit(lot, index) for index in range(1, 6)]
        destroyed = plant.submit(lot, 0, 5, to="destroyed")
        plant.until(lambda: plant.devnet.pool().pending == 6)
        plant.devnet.mine()
        plant.until(lambda: plant.devnet.pool().pending == 1)
    finally:
        plant.devnet.resume_mining()
    outcomes = [[pack["outcome"] for pack in plant.settled(one)["packs"]] for one in (suspect, *others, destroyed)]
    assert outcomes[:-1] == [["suspect"], *[["dispensed"]] * 5]
    assert outcomes[-1][0] == "destroyed"
    assert outcomes[-1][1].startswith("refused")
    rows = [plant.gateway.outbox.row(plant.gateway.status.operation(one["id"])[0].outbox) for one in (suspect, *others)]
    assert len({row.block_number for row in rows}) == 1


def test_one_refused_pack_does_not_hold_up_the_others(plant: Plant, lot: Lot) -> None:
    assert plant.outcomes(lot, 3) == ["dispensed"]
    assert plant.outcomes(lot, 4, 3, 5) == ["dispensed", "refused: already supplied", "dispensed"]


def test_a_dispense_is_reversed_once(plant: Plant, lot: Lot) -> None:
    operation = plant.settled(plant.submit(lot, 6))
    reversal = plant.post(f"/operations/{operation['id']}/reverse")
    assert (reversal["reverses"], reversal["to"]) == (operation["id"], "active")
    problem = plant.post(f"/operations/{operation['id']}/reverse", status=409)
    assert problem["detail"] == "this operation was reversed, or is being; once is all"
    assert problem["type"] == "packtrace:not-reversible"
    assert plant.settled(reversal)["packs"][0]["outcome"] == "available again"
    assert plant.verdict(lot, 6)["headline"] == "authentic, available"
    plant.post(f"/operations/{operation['id']}/reverse", status=409)
    assert plant.post(f"/operations/{reversal['id']}/reverse", status=409)["field"] == "id"
    plant.pack([lot.packs[6]])  # it is here again
    event = plant.until(lambda: recorded(plant, reversal), mine=True)
    assert (event.biz_step, event.action) == ("stocking", "OBSERVE")
    # That the dispense is final only now does not take the pack away again.
    plant.until(lambda: recorded(plant, operation), mine=True)
    plant.idle()
    assert plant.verdict(lot, 6)["headline"] == "authentic, available"


def test_a_reversal_covers_what_its_call_changed_and_nothing_else(plant: Plant, lot: Lot) -> None:
    other = plant.settled(plant.submit(lot, 7))
    operation = plant.settled(plant.submit(lot, 8, 7, 9))
    assert [pack["outcome"] for pack in operation["packs"]] == ["dispensed", "refused: already supplied", "dispensed"]
    reversal = plant.settled(plant.post(f"/operations/{operation['id']}/reverse"))
    assert {pack["uri"]: pack["outcome"] for pack in reversal["packs"]} == {
        lot.packs[8]: "available again",
        lot.packs[9]: "available again",
    }
    assert plant.verdict(lot, 7)["headline"] == "already supplied"
    assert plant.settled(plant.post(f"/operations/{other['id']}/reverse"))["packs"][0]["outcome"] == "available again"


def test_what_changed_nothing_has_nothing_to_reverse(plant: Plant, lot: Lot) -> None:
    plant.settled(plant.submit(lot, 10))
    refused = plant.settled(plant.submit(lot, 10))
    problem = plant.post(f"/operations/{refused['id']}/reverse", status=409)
    assert problem["detail"] == "this operation changed no pack; there is nothing to reverse"
    assert problem["type"] == "packtrace:not-reversible"
    assert plant.post("/operations/999999/reverse", status=404)["field"] == "id"


def test_dispensed_and_given_back_again_and_again_within_a_second(plant: Plant, lot: Lot) -> None:
    """The events recorded of it may be alike in all but their ID."""
    operations = []
    for _ in range(3):
        operations.append(plant.settled(plant.submit(lot, 11)))
        assert operations[-1]["packs"][0]["outcome"] == "dispensed"
        operations.append(plant.settled(plant.post(f"/operations/{operations[-1]['id']}/reverse")))
        assert operations[-1]["packs"][0]["outcome"] == "available again"
    events = [plant.until(lambda one=one: recorded(plant, one), mine=True) for one in operations]
    assert [event.biz_step for event in events] == ["dispensing", "stocking"] * 3
    assert len({event.id for event in events}) == 6
