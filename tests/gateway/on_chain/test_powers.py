"""Recalls, statuses that are for some parties only, licences, and the end of a lot."""

from datetime import UTC, datetime, timedelta

from eth_account import Account
from one_gateway import (
    DISPENSER,
    EVERYTHING,
    GTIN,
    MAH,
    MANUFACTURER,
    OTHER,
    OTHER_GTIN,
    PARTY,
    PURPOSES,
    REGULATOR,
    Json,
    Lot,
    Plant,
    recorded,
)

from packtrace.chain.contracts import encode_call
from packtrace.chain.registry import FOREVER
from packtrace.chain.transactions import Message, send
from packtrace.chain.typed_data import keyed_nonce, sign
from packtrace.facts import Status
from packtrace_gateway.access.models import Role
from packtrace_gateway.keys import Purpose


def test_a_recalled_lot_is_not_dispensed(plant: Plant) -> None:
    recalled = plant.released(3)
    operation = plant.settled(plant.submit(recalled, 0))
    notice = {"gtin": GTIN, "lot": recalled.lot, "kind": "withdrawn", "notice": "A wrong leaflet."}
    for kind, word in (("withdrawn", "withdrawn"), ("recalled", "recalled")):
        row = plant.post("/recalls", notice | {"kind": kind})["outbox"]
        plant.until(lambda row=row: plant.get(f"/outbox/{row}")["state"] in ("included", "final"))
        verdict = plant.verdict(recalled, 1)
        assert verdict["headline"] == "recalled"
        assert verdict["reasons"][0].startswith(f"the lot is {word} since ")
    assert plant.outcomes(recalled, 1) == ["refused: the lot is recalled"]
    assert plant.alert(plant.verdict(recalled, 1)["unit"])["refusal"] == "recalled"
    reversal = plant.settled(plant.post(f"/operations/{operation['id']}/reverse"))
    assert reversal["packs"][0]["outcome"] == "refused: the lot is recalled"
    assert plant.outcomes(recalled, 1, to="destroyed") == ["destroyed"]


def test_one_batch_of_a_lot_is_recalled_then_the_lot_and_the_regulator_lifts_both(plant: Plant) -> None:
    first = plant.released(2)
    second = Lot(first.gtin, first.lot, first.expiry, [f"{first.lot}twin{serial}" for serial in range(2)])
    ilmd = {"cbvmda:lotNumber": second.lot, "cbvmda:itemExpirationDate": second.expiry}
    (captured,) = plant.capture(
        plant.event("ObjectEvent", "ADD", "commissioning", epcList=second.packs, ilmd=ilmd),
    )
    second.batch = captured["batch"]
    plant.post(f"/batches/{second.batch}/release")

    def headlines() -> list[str]:
        return [plant.verdict(lot, 0)["headline"] for lot in (first, second)]

    def done(path: str, body: Json) -> Json:
        row = plant.until(lambda: plant.post(path, body)["outbox"])
        plant.until(lambda: plant.get(f"/outbox/{row}")["state"] in ("included", "final", "reverted"))
        found: Json = next(one for one in plant.get("/recalls") if one["outbox"] == row)
        return found

    plant.until(lambda: headlines() == ["authentic, available"] * 2)
    notice = {"batch": second.batch, "kind": "recalled", "notice": "Glass in the vials."}
    recall = done("/recalls", notice)
    assert (recall["batch"], recall["scope"], recall["kind"], recall["caller"]) == (
        second.batch,
        "batch",
        "recalled",
        "the tester",
    )
    assert headlines() == ["authentic, available", "recalled"]
    done("/recalls", notice | {"batch": first.batch, "scope": "lot"})
    assert headlines() == ["recalled", "recalled"]
    done("/recalls/lift", {"batch": second.batch, "scope": "lot", "notice": "It was one batch only."})
    assert headlines() == ["authentic, available", "recalled"]
    lifted = done("/recalls/lift", {"batch": second.batch, "scope": "batch", "notice": "All were examined."})
    assert lifted["kind"] == "lifted"
    assert headlines() == ["authentic, available"] * 2
    again = done("/recalls/lift", {"batch": second.batch, "scope": "batch", "notice": "Again."})
    assert (again["state"], "no recall" in again["error"]) == ("reverted", True)
    assert plant.post("/recalls", notice | {"batch": 1}, 404)["field"] == "batch"
    for wrong in ({"gtin": GTIN}, {"gtin": GTIN, "lot": first.lot}, {"batch": None}):
        assert plant.post("/recalls", notice | wrong, 400)["field"] == "batch"


def test_who_ordered_it_is_shown_wherever_it_is_asked(plant: Plant, lot: Lot) -> None:
    """The API key, by its id and name: two people may have keys of the same name."""
    row, text = plant.gateway.access.create("the night shift", list(Role))
    day, plant.key = plant.key, {"Authorization": f"Bearer {text}"}
    orderer = {"key": row.id, "name": "the night shift"}
    try:
        made = plant.released(1)
        operation = plant.settled(plant.submit(lot, 21))
        reversal = plant.post(f"/operations/{operation['id']}/reverse")
        call = plant.post(f"/products/{GTIN}/authorisations", {"line": PARTY, "until": FOREVER})["outbox"]
        recall = plant.post("/recalls", {"gtin": GTIN, "lot": made.lot, "kind": "withdrawn", "notice": "."})["outbox"]
    finally:
        plant.key = day
    orders = plant.batches(made)[0]["orders"]
    assert [(order["what"], order["key"], order["name"]) for order in orders] == [
        ("release", row.id, "the night shift"),
        ("propose", row.id, "the night shift"),  # by its capture
    ]
    assert plant.operation(operation)["orderedBy"] == orderer
    assert plant.operation(reversal)["orderedBy"] == orderer
    (notice,) = [one for one in plant.get("/recalls") if one["outbox"] == recall]
    assert (notice["callerId"], notice["caller"]) == (row.id, "the night shift")
    for number in (call, recall):
        found = plant.get(f"/outbox/{number}")
        assert (found["caller_id"], found["caller"]) == (row.id, "the night shift")
    own = plant.get("/outbox", contract="EventLog")["calls"][0]
    assert own["caller_id"] is None, "what the gateway does by itself, nobody ordered"


def test_locked_and_stolen_are_for_the_holder_and_the_authority(plant: Plant) -> None:
    """Of packs that are made here for another company, this one is not the holder."""
    lot = contracted(plant)
    plant.authority.set_licence(PARTY, roles=MANUFACTURER | DISPENSER)
    try:
        for to in ("locked", "stolen", "destroyed", "exported", "sampled", "free_sample"):
            assert plant.outcomes(lot, 0, to=to) == ["refused: this party may not do this"]
        assert plant.outcomes(lot, 0, to="suspect") == ["suspect"]  # anybody may say so
        assert plant.verdict(lot, 0)["words"] == "reported suspect"
        assert plant.alert(plant.verdict(lot, 0)["unit"])["refusal"] == "not_allowed"
        plant.authority.set_licence(PARTY, roles=MANUFACTURER | REGULATOR)
        assert plant.outcomes(lot, 0, to="locked") == ["locked"]
        assert plant.verdict(lot, 0)["words"] == "locked"
        assert plant.outcomes(lot, 0, 1) == ["refused: locked", "refused: this party may not do this"]
        assert plant.outcomes(lot, 0, to="stolen") == ["stolen"]
        assert plant.verdict(lot, 0)["words"] == "reported stolen"
    finally:
        plant.authority.set_licence(PARTY, roles=EVERYTHING)


def test_the_holder_may_lock_whatever_its_roles(plant: Plant, lot: Lot) -> None:
    plant.authority.set_licence(PARTY, roles=DISPENSER)
    try:
        assert plant.outcomes(lot, 12, to="locked") == ["locked"]
    finally:
        plant.authority.set_licence(PARTY, roles=EVERYTHING)


def contracted(plant: Plant) -> Lot:
    """A released lot of two packs that this gateway made for the holder of another authorisation."""
    holder = Account.from_key(bytes([7]) * 32)
    product = plant.post("/products", {"gtin": OTHER_GTIN}, 201)
    key = bytes.fromhex(product["productKey"])
    with plant.authority.together():
        plant.authority.register_party(OTHER, company=OTHER, roles=MAH, gln_commitment=bytes(32), name="Principal")
        plant.authority.add_key(OTHER, holder.address, PURPOSES[Purpose.MANAGE])
        plant.authority.register_product(key, OTHER)
        plant.authority.list_gtin(bytes.fromhex(product["gtinHash"]), OTHER)
    node, deployment = plant.devnet.node, plant.gateway.deployment
    grants = (("authoriseLine", [key, PARTY, FOREVER]), ("authoriseQuality", [key, plant.quality, FOREVER]))
    for nonce, (function, args) in enumerate(grants):
        consent = sign(holder, deployment, "PartyRegistry", function, args, keyed_nonce(0, nonce), 2**48 - 1)
        data = encode_call("PartyRegistry", function, [*args, consent])
        send(node, plant.devnet.accounts[1], Message(deployment.address("PartyRegistry"), data))
    return plant.released(2, gtin=OTHER_GTIN)


def test_locking_a_pack_in_a_case_leaves_it_in_the_case(plant: Plant, lot: Lot) -> None:
    case = plant.pack(lot.packs[13:15])
    plant.idle()
    assert plant.outcomes(lot, 13, to="locked") == ["locked"]
    with plant.gateway.database.read() as session:
        states = plant.gateway.store.states(session, lot.packs[13:15])
    assert {state.parent for state in states.values()} == {case}


def test_a_call_refused_as_a_whole_changes_no_records(plant: Plant, lot: Lot) -> None:
    """A pack that is gone stays gone when a second call about it is turned away."""
    assert plant.outcomes(lot, 15) == ["dispensed"]
    plant.authority.suspend(PARTY)
    try:
        refused = plant.settled(plant.submit(lot, 15, to="destroyed"))
    finally:
        plant.authority.reinstate(PARTY)
    assert (refused["state"], refused["packs"][0]["outcome"]) == ("refused", "refused: the whole call was turned away")
    with plant.gateway.database.read() as session:
        (state,) = plant.gateway.store.states(session, [lot.packs[15]]).values()
    assert state.place.name == "GONE"


def test_without_a_licence_an_operation_is_refused_by_name(plant: Plant, lot: Lot) -> None:
    plant.idle()
    plant.authority.suspend(PARTY)
    try:
        refused = plant.settled(plant.submit(lot, 16))
        assert refused["state"] == "refused"
        assert refused["error"].startswith("NotLicensed")
        assert refused["case"] is None
        plant.post(f"/operations/{refused['id']}/reverse", status=409)
        (seen,) = plant.capture(plant.event("ObjectEvent", "OBSERVE", "inspecting", epcList=[lot.packs[16]]))
        plant.until(lambda: any(call["error_name"] == "NotLicensed" for call in appends(plant)))
    finally:
        plant.authority.reinstate(PARTY)
    assert plant.outcomes(lot, 16) == ["dispensed"]
    # What could not be anchored meanwhile is anchored now.
    path = f"/events/{seen['eventID'].replace('?', '%3F')}"
    plant.until(lambda: plant.get(path)["proof"] in ("anchored", "final"))


def appends(plant: Plant) -> list[Json]:
    calls: list[Json] = plant.get("/outbox", contract="EventLog")["calls"]
    return calls


# the chain's clock goes ahead from here on
def test_an_expired_lot_is_not_dispensed(plant: Plant) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    lot = plant.released(2, expiry=soon)
    assert plant.verdict(lot, 0)["headline"] == "authentic, available"
    plant.devnet.advance_time(3 * 86_400)
    plant.devnet.mine()
    operation = plant.settled(plant.submit(lot, 0))
    assert operation["packs"][0]["outcome"] == "refused: the pack is expired"
    assert plant.alert(plant.verdict(lot, 0)["unit"])["refusal"] == "expired"
    unit = plant.gateway.reader.facts(unit=int(plant.verdict(lot, 0)["unit"])).unit
    assert unit is not None
    assert unit.status is Status.ACTIVE
    # An event that the chain's own time dates after this gateway's clock is recorded all the same.
    destroyed = plant.settled(plant.submit(lot, 1, to="destroyed"))
    event = plant.until(lambda: recorded(plant, destroyed), mine=True)
    assert event.biz_step == "destroying"
