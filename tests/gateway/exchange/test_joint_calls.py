"""Holder and regulator sign one call: a document goes from the one's gateway to the other's, by hand."""

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select

from packtrace.errors import DocumentError
from packtrace.facts import Status
from packtrace.gs1 import split_sgtin_uri
from packtrace.verdict import case_number
from packtrace_gateway.joint.document import Restore, units_of
from packtrace_gateway.ledger.models import CallKind, StatusCallRow
from packtrace_gateway.outbox.models import LANES, ON_CHAIN, OutboxRow

Json = dict[str, Any]

AUTHORITY, PLANT, WHOLESALER, PHARMACY = 1, 11, 20, 30
EXPIRY = "2031-05-31"


def code(pack: str) -> Json:
    gtin, serial = split_sgtin_uri(pack) or ("", "")
    return {"gtin": gtin, "serial": serial, "lot": "L1", "expiry": EXPIRY}


def change(world: Any, party: int, packs: list[str], to: str) -> Json:
    """Change the status of packs, whatever the custody says; the operation when it is done."""
    body: Json = {"packs": [code(pack) for pack in packs], "acknowledge": "custody gap"}
    path = "/dispense" if to == "supplied" else "/status"
    number = world[party].post(path, body if to == "supplied" else body | {"to": to})["id"]
    done: Json = world.wait(
        lambda: (found := world[party].get(f"/operations/{number}"))["state"] != "pending" and found
    )
    return done


def status(world: Any, unit: int | str) -> Status:
    facts = world[PLANT].gateway.reader.unit_facts(int(unit))
    assert facts is not None
    return Status(facts.status)


def unit_of(world: Any, pack: str) -> str:
    return str(world[PLANT].verify(pack)["unit"])


def refused(world: Any, party: int, path: str, body: Json, status: int) -> Json:
    answer = world[party].http.post(path, json=body)
    assert answer.status_code == status, answer.text
    problem: Json = answer.json()
    return problem


def ended(world: Any, party: int, number: int, state: str = "done") -> Json:
    path = f"/joint-calls/{number}"
    found: Json = world.wait(lambda: (now := world[party].get(path))["state"] == state and now)
    return found


def known(world: Any, party: int, operation: Json) -> str:
    """Wait until a party's gateway has followed the chain up to a call; its case number."""

    def followed() -> bool:
        with world[party].gateway.database.read() as session:
            calls = session.exec(select(StatusCallRow.call).where(StatusCallRow.kind == CallKind.CHANGED)).all()
        return operation["case"] in [case_number(call) for call in calls]

    world.wait(followed)
    return str(operation["case"])


@pytest.fixture
def locked(world: Any) -> Callable[[int], list[str]]:
    """Fresh packs that the holder has locked."""

    def made(count: int) -> list[str]:
        packs: list[str] = world.stock(count)
        outcomes = change(world, PLANT, packs, "locked")["packs"]
        assert {pack["outcome"] for pack in outcomes} == {"locked"}
        return packs

    return made


# ---- lifting ----


def test_holder_starts_regulator_adds_its_consent_and_both_see_what_became_of_it(world: Any, locked: Any) -> None:
    packs = locked(2)
    plant, authority = world[PLANT], world[AUTHORITY]
    started = plant.post("/joint-calls/lift", {"packs": [code(pack) for pack in packs], "reason": "Test was clean."})
    assert (started["state"], started["side"], started["started"]) == ("offered", "holder", True)
    assert started["about"] == "Bring 2 packs, locked or suspect, back to ACTIVE: they can be dispensed then."
    assert [(pack["uri"], pack["confirmed"], pack["now"], pack["becomes"]) for pack in started["packs"]] == [
        (pack, True, "locked", "active") for pack in packs
    ]
    received = authority.post("/joint-calls", started["document"])
    assert (received["state"], received["side"], received["started"]) == ("received", "regulator", False)
    assert received["about"] == started["about"]
    assert [(pack["uri"], pack["confirmed"], pack["now"], pack["becomes"]) for pack in received["packs"]] == [
        (pack, True, "locked", "active") for pack in packs
    ]
    assert authority.post("/joint-calls", started["document"])["number"] == received["number"]
    assert {status(world, pack["unit"]) for pack in started["packs"]} == {Status.LOCKED}  # nothing was sent by that
    ordered = authority.post(f"/joint-calls/{received['number']}/consent", {"reason": "Agreed."})
    assert ordered["orderedBy"]["name"] == "test"
    for party, number in ((PLANT, started["number"]), (AUTHORITY, received["number"])):
        found = ended(world, party, number)
        assert [pack["outcome"] for pack in found["packs"]] == ["active", "active"]
        assert found["time"] is not None
    assert {status(world, pack["unit"]) for pack in started["packs"]} == {Status.ACTIVE}
    problem = refused(world, AUTHORITY, f"/joint-calls/{received['number']}/consent", {"reason": "Again."}, 409)
    assert problem["detail"] == "this joint call is done; there is nothing to order"


def test_regulator_starts_by_the_numbers_of_its_alerts_and_the_holder_carries_it_out(world: Any, locked: Any) -> None:
    packs = locked(1)
    unit = unit_of(world, packs[0])
    started = world[AUTHORITY].post("/joint-calls/lift", {"units": [unit], "reason": "Examined."})
    assert started["side"] == "regulator"
    received = world[PLANT].post("/joint-calls", started["document"])
    assert (received["side"], received["packs"][0]["unit"]) == ("holder", unit)
    world[PLANT].post(f"/joint-calls/{received['number']}/consent", {"reason": "Agreed."})
    for party, number in ((PLANT, received["number"]), (AUTHORITY, started["number"])):
        assert [pack["outcome"] for pack in ended(world, party, number)["packs"]] == ["active"]
    assert status(world, unit) is Status.ACTIVE


def test_a_consent_that_is_never_carried_out_holds_up_nothing(world: Any, locked: Any) -> None:
    packs = locked(3)
    plant, authority = world[PLANT], world[AUTHORITY]
    left, later = (
        plant.post("/joint-calls/lift", {"packs": [code(pack)], "reason": "."})["document"] for pack in packs[:2]
    )
    lanes = {int(document["consent"]["nonce"]) >> 64 for document in (left, later)}
    assert len(lanes) == 2
    assert min(lanes) >= LANES
    number = authority.post("/joint-calls", later)["number"]
    authority.post(f"/joint-calls/{number}/consent", {"reason": "."})
    ended(world, AUTHORITY, number)
    assert change(world, PLANT, packs[2:], "destroyed")["packs"][0]["outcome"] == "destroyed"
    assert status(world, unit_of(world, packs[0])) is Status.LOCKED
    problem = refused(world, PLANT, "/joint-calls/lift", {"packs": [code(packs[0])], "reason": "."}, 409)
    assert "is open for this pack" in problem["detail"]


def test_a_document_that_was_changed_is_refused_by_name(world: Any, locked: Any) -> None:
    packs = locked(2)
    one, other = (unit_of(world, pack) for pack in packs)
    document = world[PLANT].post("/joint-calls/lift", {"packs": [code(packs[0])], "reason": "."})["document"]

    def told(status: int, *path: Any, value: Any) -> str:
        changed = copy.deepcopy(document)
        at = changed
        for name in path[:-1]:
            at = at[name]
        at[path[-1]] = value
        return str(refused(world, AUTHORITY, "/joint-calls", changed, status)["detail"])

    assert "not by the key that it names" in told(422, "what", "units", value=[other])
    assert "not by the key that it names" in told(422, "what", "duplicates", value=True)
    assert "not by the key that it names" in told(422, "consent", "deadline", value=2**40)
    assert "for another network" in told(400, "chain", value=1)
    assert "for another network" in told(400, "contract", value="0x" + "11" * 20)
    assert "is not a regulator" in told(422, "side", value="regulator")
    assert "another serial number" in told(400, "packs", value={one: packs[1]})
    assert "another serial number" in told(400, "packs", value={other: packs[1]})
    assert "another serial number" in told(400, "packs", value={one: packs[0] + "X"})
    assert "another serial number" in told(400, "packs", value={one: "a pack"})
    assert "format" in told(400, "format", value="packtrace/joint-call/v2")
    assert "named twice" in told(400, "what", "units", value=[one, one])
    number = world[AUTHORITY].post("/joint-calls", document)["number"]
    assert world[AUTHORITY].get(f"/joint-calls/{number}")["packs"][0]["confirmed"], "by the holder's proof"
    for name, value in (("side", "regulator"), ("packs", {})):
        assert f"in another document before (joint call {number})" in told(400, name, value=value)


def test_who_is_neither_holder_nor_regulator_signs_nothing(world: Any, locked: Any) -> None:
    (pack,) = locked(1)
    body = {"units": [unit_of(world, pack)], "reason": "."}
    problem = refused(world, PHARMACY, "/joint-calls/lift", body, 409)
    assert problem["detail"].startswith("only company 10, which holds the authorisation")
    document = world[PLANT].post("/joint-calls/lift", body)["document"]
    assert refused(world, PHARMACY, "/joint-calls", document, 409)["detail"] == problem["detail"]
    assert "was made here" in refused(world, PLANT, "/joint-calls", document, 409)["detail"]
    for path, answer in (("/joint-calls/lift", body), ("/joint-calls", document)):
        _, key = world[PLANT].gateway.access.create("a line", ["line"])
        refusal = world[PLANT].http.post(path, json=answer, headers={"Authorization": f"Bearer {key}"})
        assert refusal.status_code == 403


def test_two_signatures_of_one_side_are_not_enough(world: Any, locked: Any) -> None:
    """Another regulator's gateway, say, is given a regulator's document."""
    (pack,) = locked(1)
    document = world[AUTHORITY].post("/joint-calls/lift", {"units": [unit_of(world, pack)], "reason": "."})["document"]
    world.admin.set_licence(PHARMACY, roles=17)  # a regulator, too
    try:
        world.wait(lambda: world[PHARMACY].gateway.reader.parties([PHARMACY])[PHARMACY].roles == 17)
        problem = refused(world, PHARMACY, "/joint-calls", document, 409)
    finally:
        world.admin.set_licence(PHARMACY, roles=16)
    assert problem["detail"] == "the document has the regulator's consent already; the other one is missing"


def test_packs_that_need_no_lifting_are_refused_before_anybody_signs(world: Any, locked: Any) -> None:
    (active,), (pack,) = world.stock(1), locked(1)
    problem = refused(world, PLANT, "/joint-calls/lift", {"packs": [code(active)], "reason": "."}, 409)
    assert problem["detail"].startswith("this pack is active; only locked and suspect packs are lifted")
    document = world[PLANT].post("/joint-calls/lift", {"packs": [code(pack)], "reason": "."})["document"]
    number = world[AUTHORITY].post("/joint-calls", document)["number"]
    change(world, PLANT, [pack], "destroyed")
    problem = refused(world, AUTHORITY, f"/joint-calls/{number}/consent", {"reason": "."}, 409)
    assert problem["detail"].startswith("this pack is destroyed")
    assert world[AUTHORITY].get(f"/joint-calls/{number}")["packs"][0]["note"].startswith("this pack is destroyed")


def test_a_key_that_was_suspended_since_consents_to_nothing(world: Any, locked: Any) -> None:
    (pack,) = locked(1)
    document = world[PLANT].post("/joint-calls/lift", {"packs": [code(pack)], "reason": "."})["document"]
    world.admin.suspend_key(document["consent"]["signer"])
    try:
        problem = refused(world, AUTHORITY, "/joint-calls", document, 422)
    finally:
        world.admin.reinstate_key(document["consent"]["signer"])
    assert "unknown, revoked or suspended" in problem["detail"]


# ---- restoring ----


def test_a_call_is_undone_by_its_case_number_for_chosen_packs(world: Any) -> None:
    """Somebody with the pharmacy's key says that packs were dispensed which are in the plant's store."""
    packs = world.stock(3)
    operation = change(world, PHARMACY, packs, "supplied")
    assert {pack["outcome"] for pack in operation["packs"]} == {"dispensed"}
    units = [unit_of(world, pack) for pack in packs]
    known(world, PLANT, operation)
    body = {"case": operation["case"], "units": units[:2], "ground": "key_compromised", "reason": "Stolen key."}
    started = world[PLANT].post("/joint-calls/restore", body)
    assert started["about"].startswith(f"Undo what party {PHARMACY} did by case {operation['case']} on ")
    assert started["about"].endswith("it set 2 packs to supplied. Ground: the key that signed it is compromised.")
    assert [pack["uri"] for pack in started["packs"]] == packs[:2]
    received = world[AUTHORITY].post("/joint-calls", started["document"])
    assert received["about"] == started["about"]
    assert [(pack["now"], pack["becomes"]) for pack in received["packs"]] == [("already supplied", "active")] * 2
    world[AUTHORITY].post(f"/joint-calls/{received['number']}/consent", {"reason": "Agreed."})
    for party, number in ((PLANT, started["number"]), (AUTHORITY, received["number"])):
        assert [pack["outcome"] for pack in ended(world, party, number)["packs"]] == ["active", "active"]
    assert [status(world, unit) for unit in units] == [Status.ACTIVE, Status.ACTIVE, Status.SUPPLIED]
    problem = refused(world, PLANT, "/joint-calls/restore", body, 409)
    assert problem["detail"] == "this was reversed or restored before; leave it out"
    problem = refused(world, PLANT, "/joint-calls/restore", body | {"units": [str(2**63)]}, 409)
    assert problem["detail"] == "this call did not change this pack"
    assert refused(world, PLANT, "/joint-calls/restore", body | {"case": "0000-0000-0000"}, 404)["field"] == "case"
    assert refused(world, PLANT, "/joint-calls/restore", body | {"case": "1"}, 400)["field"] == "case"


def test_a_changed_receipt_is_refused(world: Any) -> None:
    packs = world.stock(1)
    operation = change(world, PHARMACY, packs, "supplied")
    known(world, PLANT, operation)
    body = {"case": operation["case"], "ground": "not_opened", "reason": "."}
    document = world[PLANT].post("/joint-calls/restore", body)["document"]
    changed = copy.deepcopy(document)
    changed["what"]["receipt"]["party"] = WHOLESALER
    problem = refused(world, AUTHORITY, "/joint-calls", changed, 422)
    assert problem["detail"].startswith("the chain has no such call")
    changed = copy.deepcopy(document)
    changed["what"]["ground"] = "other"
    assert "not by the key that it names" in refused(world, AUTHORITY, "/joint-calls", changed, 422)["detail"]
    for positions in ([0, 0], [7]):
        what = Restore.model_validate(document["what"] | {"positions": positions})
        with pytest.raises(DocumentError, match="one of the receipt's packs, named once"):
            units_of(what)


def together(world: Any, started: Json) -> None:
    """The regulator's consent to what the plant has started."""
    number = world[AUTHORITY].post("/joint-calls", started["document"])["number"]
    world[AUTHORITY].post(f"/joint-calls/{number}/consent", {"reason": "Agreed."})
    ended(world, AUTHORITY, number)


def test_who_made_the_call_is_told_and_says_itself_which_packs_it_has_after_all(world: Any) -> None:
    pharmacy = world[PHARMACY]
    pallet, (case,), packs = world.pallet(packs=3, cases=1)
    world.deliver(PLANT, PHARMACY, pallet)
    pharmacy.capture(pharmacy.unpack(pallet), pharmacy.unpack(case))
    operation = change(world, PHARMACY, packs, "supplied")
    body = {"case": known(world, PLANT, operation), "ground": "key_compromised", "reason": "."}
    path = f"/operations/{operation['id']}"
    body["units"] = [unit_of(world, pack) for pack in packs[:2]]
    assert [pack["undone"] for pack in pharmacy.get(path)["packs"]] == [None] * 3
    problem = refused(world, PHARMACY, f"{path}/found", {"packs": packs[:1]}, 409)
    assert "was not undone by holder and regulator" in problem["detail"]
    together(world, world[PLANT].post("/joint-calls/restore", body))

    def told() -> list[Any]:
        return [pack["undone"] for pack in pharmacy.get(path)["packs"]]

    world.wait(lambda: any(told()))
    assert [one and (one["kind"], one["to"], one["party"], one["regulator"]) for one in told()] == [
        ("restored", "active", PLANT, AUTHORITY),
        ("restored", "active", PLANT, AUTHORITY),
        None,
    ]
    alerts = [alert for alert in pharmacy.get("/alerts") if alert["case"] == operation["case"]]
    assert {(one["unit"], one["kind"], one["found"], one["asked"], one["why"]) for one in alerts} == {
        (unit, "restored", "supplied", "active", "caller") for unit in body["units"]
    }
    assert not [one for one in world[PLANT].get("/alerts") if one["case"] == operation["case"]]
    # That it may be sold again does not say that it is on this shelf.
    assert [pharmacy.place(pack) for pack in packs] == ["GONE"] * 3
    assert "undone" in refused(world, PHARMACY, f"{path}/found", {"packs": packs[1:]}, 409)["detail"]
    pharmacy.post(f"{path}/found", {"packs": packs[:1]})
    assert [pharmacy.place(pack) for pack in packs] == ["HERE", "GONE", "GONE"]
    problem = refused(world, PHARMACY, f"{path}/found", {"packs": packs[:1]}, 409)
    assert problem["detail"] == "this pack is not recorded as gone"
    assert pharmacy.verify(packs[0])["history"][-1]["step"] == "inspecting"
    reversal = pharmacy.post(f"{path}/reverse")  # only of what holder and regulator left as it was
    assert [pack["uri"] for pack in reversal["packs"]] == packs[2:]
    again = change(world, PHARMACY, packs[:1], "supplied")
    assert again["packs"][0]["outcome"] == "dispensed"

    def kinds() -> list[tuple[str, str]]:
        return [(call["kind"], call["to"]) for call in pharmacy.get(f"/packs/{body['units'][0]}/history")]

    # The call's own outcome is known before the gateway has read the block's events.
    world.wait(lambda: kinds() == [("changed", "supplied"), ("restored", "active"), ("changed", "supplied")])


def test_who_reported_a_pack_sees_that_it_was_lifted(world: Any) -> None:
    (pack,) = world.stock(1)
    operation = change(world, PHARMACY, [pack], "suspect")
    together(world, world[PLANT].post("/joint-calls/lift", {"packs": [code(pack)], "reason": "."}))
    path = f"/operations/{operation['id']}"
    undone = world.wait(lambda: world[PHARMACY].get(path)["packs"][0]["undone"])
    assert (undone["kind"], undone["to"], undone["regulator"]) == ("lifted", "active", AUTHORITY)
    history = world[PHARMACY].get(f"/packs/{unit_of(world, pack)}/history")
    assert [(call["kind"], call["to"], call["found"]) for call in history] == [
        ("lifted", "active", "suspect"),
        ("changed", "suspect", "active"),
    ]


# ---- what the chain and the time make of it ----


def test_a_call_that_the_chain_refuses_can_be_ordered_again(world: Any, locked: Any) -> None:
    (pack,) = locked(1)
    document = world[PLANT].post("/joint-calls/lift", {"packs": [code(pack)], "reason": "."})["document"]
    number = world[AUTHORITY].post("/joint-calls", document)["number"]
    with world.holding(AUTHORITY, "outbox"):
        world[AUTHORITY].post(f"/joint-calls/{number}/consent", {"reason": "."})
        world.admin.suspend_key(document["consent"]["signer"])
    try:
        found = ended(world, AUTHORITY, number, "refused")
        assert found["error"].startswith("KeyNotValid")
    finally:
        world.admin.reinstate_key(document["consent"]["signer"])
    world[AUTHORITY].post(f"/joint-calls/{number}/consent", {"reason": "The key is good again."})
    assert ended(world, AUTHORITY, number)["packs"][0]["outcome"] == "active"

    def on_chain() -> list[bool]:
        with world[AUTHORITY].gateway.database.read() as session:
            rows = session.exec(select(OutboxRow).where(OutboxRow.reference == f"joint:{number}")).all()
        return [row.state in ON_CHAIN for row in rows]

    # The follower may have read the block before the outbox has its receipt.
    world.wait(lambda: on_chain() == [False, True])


def test_an_ended_consent_is_refused_and_shown_as_expired(
    world: Any, locked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pack, other) = locked(2)
    monkeypatch.setattr("packtrace_gateway.joint.service.DAY", 5)
    started = world[PLANT].post("/joint-calls/lift", {"packs": [code(pack)], "days": 1, "reason": "."})
    late = world[PLANT].post("/joint-calls/lift", {"packs": [code(other)], "days": 1, "reason": "."})
    number = world[AUTHORITY].post("/joint-calls", started["document"])["number"]
    time.sleep(6)
    for party, one in ((PLANT, started["number"]), (AUTHORITY, number)):
        ended(world, party, one, "expired")
    for path, body in ((f"/joint-calls/{number}/consent", {"reason": "."}), ("/joint-calls", late["document"])):
        assert "has ended; ask for a new one" in refused(world, AUTHORITY, path, body, 409)["detail"]
    again = world[PLANT].post("/joint-calls/lift", {"packs": [code(pack)], "reason": "."})  # the old one is no bar
    assert again["state"] == "offered"


def test_a_reorganisation_takes_the_outcome_back_and_brings_it_again(world: Any, locked: Any) -> None:
    (pack,) = locked(1)
    started = world[PLANT].post("/joint-calls/lift", {"packs": [code(pack)], "reason": "."})
    number = world[AUTHORITY].post("/joint-calls", started["document"])["number"]
    world.devnet.pause_mining()
    try:
        world[AUTHORITY].post(f"/joint-calls/{number}/consent", {"reason": "."})
        path = f"/outbox?reference=joint:{number}"
        world.wait(lambda: world[AUTHORITY].get(path)["calls"][0]["state"] == "broadcast")
        world.devnet.mine()
        for party, one in ((PLANT, started["number"]), (AUTHORITY, number)):
            ended(world, party, one)
        world.devnet.reorg(1)
        ended(world, PLANT, started["number"], "offered")
        assert ended(world, AUTHORITY, number, "ordered")["time"] is None
    finally:
        world.devnet.resume_mining()
    for party, one in ((PLANT, started["number"]), (AUTHORITY, number)):
        assert ended(world, party, one)["packs"][0]["outcome"] == "active"
