"""One gateway with all keys on a real devnet: what becomes of batches, seals, packs and alerts as the chain answers."""

import functools
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from fastapi import FastAPI
from sqlmodel import select

from packtrace.chain.contracts import encode_call
from packtrace.chain.deploy import deploy
from packtrace.chain.registry import FOREVER, RegistryAdmin
from packtrace.chain.transactions import Message, send
from packtrace.chain.typed_data import keyed_nonce, sign
from packtrace.epcis.context import GS1_CONTEXT
from packtrace.facts import BatchState, Status
from packtrace.gs1 import sgtin_uri, sscc_uri, with_check_digit
from packtrace.product import gln_commitment
from packtrace.scan import Scan
from packtrace.verdict import Headline
from packtrace_gateway import app as composition
from packtrace_gateway import keys, settings
from packtrace_gateway.access.models import Role
from packtrace_gateway.capture import sealer
from packtrace_gateway.db import Database
from packtrace_gateway.devnet import Devnet
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.keys import Purpose
from packtrace_gateway.ledger.follower import Follower
from packtrace_gateway.outbox.context import Policy
from packtrace_gateway.status.models import Operation

Json = dict[str, Any]
Serve = Callable[[FastAPI], AbstractContextManager[httpx.Client]]

PARTY, OTHER = 2, 99
GTIN, OTHER_GTIN, EXPIRY = "09506000134352", "09506000134369", "2031-05-31"
REGULATOR, MAH, MANUFACTURER, WHOLESALER, DISPENSER = 1, 2, 4, 8, 16  # IPartyRegistry
EVERYTHING = REGULATOR | MAH | MANUFACTURER | WHOLESALER | DISPENSER
PURPOSES = {Purpose.OPERATE: 1, Purpose.LINE: 2, Purpose.QUALITY: 4, Purpose.MANAGE: 8}
PATIENCE = 60.0
QUICK = 0.05  # seconds between two looks at the chain


@dataclass
class Plant:
    """The gateway, its devnet, the authority's hand on the registry, and what a test does with them."""

    devnet: Devnet
    authority: RegistryAdmin
    gateway: Gateway
    client: httpx.Client
    key: dict[str, str]
    quality: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(path, params=parameters or None, headers=self.key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 202) -> Any:
        answer = self.client.post(path, json=body, headers=self.key)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def until(self, what: Callable[[], Any], *, mine: bool = False) -> Any:
        """Call `what` until it gives something true; with `mine`, blocks are made meanwhile."""
        limit = time.monotonic() + PATIENCE
        while not (found := what()):
            assert time.monotonic() < limit, f"it did not happen in time; {self.gateway.outbox.trouble}"
            if mine:
                self.devnet.mine()
            time.sleep(QUICK)
        return found

    def idle(self) -> None:
        """Wait until every event is sealed, and every call at its end or in a block."""
        self.until(lambda: self.sealed() and not self.calls("queued", "signed", "broadcast"))

    def quiet(self) -> None:
        """Wait until nothing moves: every call is at its end, so that the next block has what the test sends only."""
        self.until(lambda: self.sealed() and not self.calls("queued", "signed", "broadcast", "included"), mine=True)

    def calls(self, *states: str) -> list[Json]:
        return [call for call in self.get("/outbox")["calls"] if call["state"] in states]

    def sealed(self) -> bool:
        return not any(row.seal_id is None and row.secret for row in self.events())

    def events(self) -> list[StoredEvent]:
        with self.gateway.database.read() as session:
            return list(session.exec(select(StoredEvent)))

    # ---- goods ----

    def capture(self, *events: Json) -> list[Json]:
        body = {
            "@context": GS1_CONTEXT,
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2026-01-05T09:00:00Z",
            "epcisBody": {"eventList": list(events)},
        }
        captured: list[Json] = self.post("/capture", body)["events"]
        return captured

    def event(self, kind: str, action: str, step: str, **fields: Any) -> Json:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        known = {"type": kind, "action": action, "bizStep": step, "eventTime": now, "eventTimeZoneOffset": "+00:00"}
        return known | fields

    def commission(self, count: int, expiry: str = EXPIRY, gtin: str = GTIN) -> "Lot":
        """A new lot; its proposal is on its way."""
        number = next(self.numbers)
        lot = Lot(gtin, f"L{number}", expiry, [f"S{number}x{serial}" for serial in range(count)])
        ilmd = {"cbvmda:lotNumber": lot.lot, "cbvmda:itemExpirationDate": expiry}
        made = self.event("ObjectEvent", "ADD", "commissioning", epcList=lot.packs, ilmd=ilmd)
        (lot.captured,) = self.capture(made)
        lot.batch = lot.captured["batch"]
        return lot

    def released(self, count: int, expiry: str = EXPIRY, gtin: str = GTIN) -> "Lot":
        lot = self.commission(count, expiry, gtin)
        self.post(f"/batches/{lot.batch}/release")
        self.batch(lot, "released")
        return lot

    def batch(self, lot: "Lot", state: str) -> Json:
        """Wait until a batch has come so far."""
        found: Json = self.until(lambda: next((b for b in self.batches(lot) if b["state"] == state), None))
        return found

    def batches(self, lot: "Lot") -> list[Json]:
        found: list[Json] = self.get("/batches", lot=lot.lot)
        return found

    def sscc(self) -> str:
        return sscc_uri(with_check_digit(f"0950600{next(self.numbers):010}"))

    def pack(self, uris: Sequence[str]) -> str:
        case = self.sscc()
        self.capture(self.event("AggregationEvent", "ADD", "packing", parentID=case, childEPCs=list(uris)))
        return case

    # ---- people ----

    def verdict(self, lot: "Lot", index: int) -> Json:
        verdict: Json = self.post("/verify", lot.code(index), 200)["verdict"]
        return verdict

    def submit(self, lot: "Lot", *indices: int, to: str = "supplied", **more: Any) -> Json:
        body = {"packs": [lot.code(index) for index in indices]} | more
        path = "/dispense" if to == "supplied" else "/status"
        operation: Json = self.post(path, body if to == "supplied" else body | {"to": to})
        return operation

    def operation(self, operation: Json) -> Json:
        found: Json = self.get(f"/operations/{operation['id']}")
        return found

    def settled(self, operation: Json) -> Json:
        def done() -> Json | None:
            found = self.operation(operation)
            return None if found["state"] == "pending" else found

        found: Json = self.until(done)
        return found

    def outcomes(self, lot: "Lot", *indices: int, to: str = "supplied", **more: Any) -> list[str]:
        return [pack["outcome"] for pack in self.settled(self.submit(lot, *indices, to=to, **more))["packs"]]

    def alert(self, unit: str, **wanted: Any) -> Json:
        """The newest alert about a unit, once it is there."""

        def found() -> Json | None:
            mine = [alert for alert in self.get("/alerts") if alert["unit"] == unit]
            return next((one for one in mine if all(one[name] == value for name, value in wanted.items())), None)

        alert: Json = self.until(found)
        return alert


@dataclass
class Lot:
    gtin: str
    lot: str
    expiry: str
    serials: list[str]
    batch: int = 0
    captured: Json = field(default_factory=dict)

    @property
    def packs(self) -> list[str]:
        return [sgtin_uri(self.gtin, serial) for serial in self.serials]

    def code(self, index: int) -> Json:
        return {"gtin": self.gtin, "serial": self.serials[index], "lot": self.lot, "expiry": self.expiry}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> Iterator[Plant]:
    """Instant mining. What the gateway waits for at most is made short; what it does is the same."""
    folder = tmp_path_factory.mktemp("plant")
    with Devnet(folder / "devnet") as devnet, pytest.MonkeyPatch.context() as patch:
        admin = devnet.accounts[0]
        deployment = deploy(devnet.node, admin, admin.address)
        deployment.save(folder / "network.json")
        authority = RegistryAdmin(devnet.node, deployment, admin)
        own = settings.from_values(
            {
                "party": PARTY,
                "company": PARTY,
                "name": "Plant",
                "gln": with_check_digit("950600000002"),
                "gln_salt": "00" * 16,
                "node": devnet.url,
                "deployment": str(folder / "network.json"),
                "port": 0,
                "seal_every": 0.1,
                "finality": 2,
            },
            folder=folder,
        )
        keys.make_passphrase(own)
        for purpose in (*PURPOSES, Purpose.RELAYER):
            keys.add_key(own, purpose)
        addresses = dict(keys.addresses(own))
        devnet.fund(addresses[Purpose.RELAYER], 10**24)
        with authority.together():
            commitment = gln_commitment(bytes(16), own.gln)
            authority.register_party(PARTY, company=PARTY, roles=EVERYTHING, gln_commitment=commitment, name="Plant")
            for purpose, bits in PURPOSES.items():
                authority.add_key(PARTY, addresses[purpose], bits)
        database = Database(own.database_url)
        database.migrate()
        database.close()
        patch.setattr(composition, "Policy", functools.partial(Policy, poll_seconds=QUICK))
        patch.setattr(composition, "Follower", functools.partial(Follower, poll_seconds=QUICK))
        patch.setattr(sealer, "REFUSED_PAUSE", 0.5)
        app = composition.create_app(own)
        gateway: Gateway = app.state.gateway
        _, text = gateway.access.create("the tester", list(Role))
        with serve(app) as client:
            quality = to_checksum_address(addresses[Purpose.QUALITY])
            made = Plant(devnet, authority, gateway, client, {"Authorization": f"Bearer {text}"}, quality)
            product = made.post("/products", {"gtin": GTIN}, 201)
            authority.register_product(bytes.fromhex(product["productKey"]), PARTY)
            authority.list_gtin(bytes.fromhex(product["gtinHash"]), PARTY)
            authorise(made, line=PARTY, until=FOREVER)
            authorise(made, quality=quality, until=FOREVER)
            yield made
        gateway.database.close()


def authorise(plant: Plant, **body: Any) -> None:
    row = plant.post(f"/products/{GTIN}/authorisations", body)["outbox"]
    plant.until(lambda: plant.get(f"/outbox/{row}")["state"] in ("included", "final"))


# ---- batches ----


def test_a_batch_is_proposed_released_and_then_its_packs_are_available(plant: Plant) -> None:
    lot = plant.commission(5)
    assert plant.batch(lot, "proposed")["error"] is None
    on_chain = plant.gateway.reader
    verdict = plant.verdict(lot, 0)
    assert verdict["headline"] == "not released"
    facts = on_chain.facts(unit=int(verdict["unit"])).unit
    assert facts is not None
    assert (facts.batch.state, facts.batch.count, facts.batch.mah) == (BatchState.PROPOSED, 5, PARTY)
    assert plant.outcomes(lot, 0) == ["refused: the batch is not released"]
    plant.post(f"/batches/{lot.batch}/release")
    plant.batch(lot, "released")
    verdict = plant.verdict(lot, 0)
    assert (verdict["headline"], verdict["words"]) == ("authentic, available", "authentic, available")
    assert {check["passed"] for check in verdict["checks"]} == {True}
    assert [entry["step"] for entry in verdict["history"]] == ["commissioning"]
    problem = plant.post(f"/batches/{lot.batch}/release", status=409)
    assert problem["detail"] == "this batch is released; it cannot be released"
    assert problem["field"] == "number"


def test_a_release_waits_for_its_proposal_and_is_sent_once(plant: Plant) -> None:
    plant.quiet()
    plant.devnet.pause_mining()
    try:
        lot = plant.commission(2)
        plant.post(f"/batches/{lot.batch}/release")
        plant.until(lambda: plant.devnet.pool().pending)
        assert plant.post(f"/batches/{lot.batch}/release", status=409)["detail"].startswith("this batch is releasing")
        plant.devnet.mine()
        row = plant.get("/outbox", reference=f"batch:{lot.batch}")["calls"][-1]
        plant.until(lambda: plant.get(f"/outbox/{row['id']}")["state"] == "included")
        assert plant.batches(lot)[0]["state"] == "releasing"  # not proposed again: its release is on its way
        assert plant.post(f"/batches/{lot.batch}/release", status=409)["detail"].startswith("this batch is releasing")
    finally:
        plant.devnet.resume_mining()
    plant.batch(lot, "released")
    calls = plant.get("/outbox", reference=f"batch:{lot.batch}")["calls"]
    assert [call["function"] for call in calls] == ["release", "propose"]


def test_a_release_that_the_chain_refuses_can_be_tried_again(plant: Plant) -> None:
    lot = plant.commission(2)
    plant.batch(lot, "proposed")
    authorise(plant, quality=plant.quality, until=0)
    plant.post(f"/batches/{lot.batch}/release")
    refused = plant.until(lambda: next((b for b in plant.batches(lot) if b["error"]), None))
    assert refused["state"] == "proposed"
    assert refused["error"].startswith("QualityNotAuthorised")
    authorise(plant, quality=plant.quality, until=FOREVER)
    plant.post(f"/batches/{lot.batch}/release")
    assert plant.batch(lot, "released")["error"] is None


def test_a_proposal_that_the_chain_refuses_is_not_released_but_can_be_made_again(plant: Plant) -> None:
    authorise(plant, line=PARTY, until=0)
    lot = plant.commission(2)
    refused = plant.batch(lot, "refused")
    assert refused["error"].startswith("LineNotAuthorised")
    assert "LineNotAuthorised" in plant.post(f"/batches/{lot.batch}/release", status=409)["detail"]
    assert plant.verdict(lot, 0)["headline"] == "not verified"
    plant.post(f"/batches/{lot.batch}/propose")
    assert plant.batch(lot, "refused")["error"].startswith("LineNotAuthorised")
    authorise(plant, line=PARTY, until=FOREVER)
    plant.post(f"/batches/{lot.batch}/propose")
    plant.post(f"/batches/{lot.batch}/release")
    plant.batch(lot, "released")
    assert plant.verdict(lot, 1)["headline"] == "authentic, available"
    problem = plant.post(f"/batches/{lot.batch}/propose", status=409)
    assert problem["detail"] == "this batch is released; only a refused one is proposed again"


def test_a_release_falls_with_its_proposal(plant: Plant) -> None:
    authorise(plant, line=PARTY, until=0)
    plant.quiet()
    plant.devnet.pause_mining()
    try:
        lot = plant.commission(2)
        plant.post(f"/batches/{lot.batch}/release")
    finally:
        plant.devnet.resume_mining()
    refused = plant.batch(lot, "refused")
    assert refused["error"].startswith("LineNotAuthorised")
    plant.idle()
    assert plant.batches(lot)[0] == refused
    authorise(plant, line=PARTY, until=FOREVER)


def test_a_withdrawn_proposal_is_not_released(plant: Plant) -> None:
    lot = plant.commission(2)
    plant.post(f"/batches/{lot.batch}/withdraw")
    plant.batch(lot, "withdrawn")
    assert plant.verdict(lot, 0)["reasons"] == ["the batch is withdrawn before release"]
    problem = plant.post(f"/batches/{lot.batch}/release", status=409)
    assert problem["detail"] == "this batch is withdrawn; it cannot be released"
    assert plant.post("/batches/4194304/release", status=404)["detail"] == "this batch was not commissioned here"


# ---- seals ----


def test_an_event_is_captured_signed_anchored_and_final(plant: Plant) -> None:
    plant.quiet()
    plant.devnet.pause_mining()
    states = []
    try:
        lot = plant.commission(300)
        path = f"/events/{lot.captured['eventID'].replace('?', '%3F')}"
        states.append(plant.get(path)["proof"])
        plant.until(lambda: plant.get(path)["proof"] != "captured")
        states.append(plant.get(path)["proof"])
        plant.until(lambda: plant.devnet.pool().pending == 2)  # the proposal and the seal
        states.append(plant.get(path)["proof"])
        plant.devnet.mine()
        anchored = plant.until(lambda: plant.get(path) if plant.get(path)["proof"] == "anchored" else None)
        entry = (PARTY, anchored["seal"]["lane"], anchored["seal"]["sequence"])
        plant.until(lambda: plant.get(path)["proof"] == "final", mine=True)
    finally:
        plant.devnet.resume_mining()
    assert set(states[:1]) <= {"captured", "signed"}
    assert states[1:] == ["signed", "signed"]
    facts = plant.gateway.reader.facts(entries=[entry])
    assert facts.entries[entry].count == anchored["seal"]["count"]


# ---- dispensing ----


@pytest.fixture(scope="module")
def lot(plant: Plant) -> Lot:
    """A released lot, of which every test takes packs of its own."""
    return plant.released(40)


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


def recorded(plant: Plant, operation: Json) -> StoredEvent | None:
    """The EPCIS event of an operation, once it is final."""
    with plant.gateway.database.read() as session:
        row = session.get_one(Operation, operation["id"])
        return session.get_one(StoredEvent, row.event) if row.event else None


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
    assert plant.settled(first)["packs"] == [{"uri": lot.packs[19], "outcome": "dispensed", "undone": None}]
    last = plant.submit(lot, 19, request=name)  # also when it is done
    assert (again["id"], last["id"], last["verdicts"]) == (first["id"], first["id"], [])
    plant.quiet()
    assert plant.verdict(lot, 19)["unit"] not in [alert["unit"] for alert in plant.get("/alerts")]
    problem = plant.post("/dispense", {"packs": [lot.code(20)], "request": name}, 409)
    assert (problem["field"], problem["value"]) == ("request", name)


def test_many_packs_verified_together_get_the_verdicts_that_each_gets_alone(plant: Plant) -> None:
    lot, early = plant.released(3), plant.commission(1)
    plant.settled(plant.submit(lot, 0))
    plant.quiet()
    code = Scan(GTIN, lot.serials[0], lot.lot, date.fromisoformat(EXPIRY))
    others = [replace(code, serial=lot.serials[1]), replace(code, lot="X"), replace(code, serial="nobody's")]
    scans = [code, *others, replace(code, serial=early.serials[0], lot=early.lot), replace(code, gtin=OTHER_GTIN)]
    together = [found.verdict.to_json() for found in plant.gateway.verify.verify_all(scans)]
    alone = [plant.gateway.verify.verify(scan).verdict.to_json() for scan in scans]
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


# ---- reversal ----


def test_a_dispense_is_reversed_once(plant: Plant, lot: Lot) -> None:
    operation = plant.settled(plant.submit(lot, 6))
    reversal = plant.post(f"/operations/{operation['id']}/reverse")
    assert (reversal["reverses"], reversal["to"]) == (operation["id"], "active")
    problem = plant.post(f"/operations/{operation['id']}/reverse", status=409)
    assert problem["detail"] == "this operation was reversed, or is being; once is all"
    assert plant.settled(reversal)["packs"][0]["outcome"] == "available again"
    assert plant.verdict(lot, 6)["headline"] == "authentic, available"
    plant.post(f"/operations/{operation['id']}/reverse", status=409)
    assert plant.post(f"/operations/{reversal['id']}/reverse", status=409)["field"] == "id"
    plant.pack([lot.packs[6]])  # it is here again
    event = plant.until(lambda: recorded(plant, reversal), mine=True)
    assert (event.biz_step, event.action) == ("returning", "OBSERVE")
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
    assert [event.biz_step for event in events] == ["dispensing", "returning"] * 3
    assert len({event.id for event in events}) == 6


# ---- recalls, other statuses, licences ----


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


# ---- reorganisations ----


def test_a_dispense_that_a_reorganisation_takes_back_is_pending_and_then_done_again(plant: Plant, lot: Lot) -> None:
    plant.quiet()
    plant.devnet.pause_mining()
    try:
        operation = plant.submit(lot, 17)
        plant.until(lambda: plant.devnet.pool().pending)
        plant.devnet.mine()
        done = plant.settled(operation)
        assert done["packs"][0]["outcome"] == "dispensed"
        plant.devnet.reorg(1)
        back = plant.until(lambda: o if (o := plant.operation(operation))["state"] == "pending" else None)
        assert back["packs"][0]["outcome"] == "pending"
        assert back["case"] is None
        assert plant.verdict(lot, 17)["headline"] == "authentic, available"
        with plant.gateway.database.read() as session:
            (state,) = plant.gateway.store.states(session, [lot.packs[17]]).values()
        assert state.place.name == "HERE"
        plant.until(lambda: plant.operation(operation)["state"] == "done", mine=True)
    finally:
        plant.devnet.resume_mining()
    again = plant.operation(operation)
    assert (again["packs"][0]["outcome"], again["case"]) == ("dispensed", done["case"])
    plant.until(lambda: recorded(plant, operation), mine=True)
    reversal = plant.settled(plant.post(f"/operations/{operation['id']}/reverse"))
    assert reversal["packs"][0]["outcome"] == "available again"  # its receipt has the new block's time


def test_a_conflict_that_a_reorganisation_moves_opens_one_alert(plant: Plant, lot: Lot) -> None:
    assert plant.outcomes(lot, 18) == ["dispensed"]
    unit = plant.verdict(lot, 18)["unit"]
    plant.quiet()
    plant.devnet.pause_mining()
    try:
        second = plant.submit(lot, 18)
        plant.until(lambda: plant.devnet.pool().pending)
        plant.devnet.mine()
        alert = plant.alert(unit, retracted=False)
        plant.devnet.reorg(1)
        assert plant.alert(unit, retracted=True)["number"] == alert["number"]
        plant.until(lambda: plant.operation(second)["state"] == "pending")
        plant.until(lambda: plant.operation(second)["state"] == "done", mine=True)
        assert plant.alert(unit, retracted=False)["number"] == alert["number"]
    finally:
        plant.devnet.resume_mining()
    assert len([one for one in plant.get("/alerts") if one["unit"] == unit]) == 1


def test_a_reorganisation_takes_proposal_and_release_back_and_both_come_again(plant: Plant) -> None:
    plant.quiet()
    before = plant.devnet.node.block().number
    plant.devnet.pause_mining()
    try:
        lot = plant.commission(2)
        plant.post(f"/batches/{lot.batch}/release")
        plant.until(lambda: plant.batches(lot)[0]["state"] == "released", mine=True)
        plant.devnet.reorg(plant.devnet.node.block().number - before)
        plant.until(lambda: plant.batches(lot)[0]["state"] == "releasing")
        assert plant.verdict(lot, 0)["headline"] == "not verified"
        plant.until(lambda: plant.batches(lot)[0]["state"] == "released", mine=True)
    finally:
        plant.devnet.resume_mining()
    assert plant.verdict(lot, 0)["headline"] == "authentic, available"


# ---- the end of a lot; the chain's clock goes ahead from here on ----


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
