"""Capture over HTTP: what is stored and answered, what is sent twice, and what becomes of GS1's own examples."""

import json
import threading
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from shop import (
    CASE,
    GTIN,
    MAX_BODY,
    PALLET,
    PARTNER_GLN,
    Json,
    Shop,
    an_event,
    commissioning,
    document,
    pack,
    packing,
    shipping,
    unpacking,
)
from sqlalchemy import text, update

from packtrace.commit.pedigree import Pedigree
from packtrace.epcis import read_document
from packtrace.epcis.cbv_hash import event_hash
from packtrace.facts import batch_number
from packtrace.gs1 import sscc_uri, with_check_digit
from packtrace.rules import RULE
from packtrace_gateway.capture.service import MOST_EVENTS
from packtrace_gateway.events.models import CommissionedBatch
from packtrace_gateway.events.pedigrees import PedigreeReader

INSPECTION = an_event("ObjectEvent", "OBSERVE", "inspecting", epcList=[pack(1)])


def unit(number: int) -> str:
    return sscc_uri(with_check_digit(f"0950600{number:010}"))


def hash_of(event: Json) -> str:
    return event_hash(read_document(json.dumps(document(event)).encode()).events[0])


# ---- one lot ----


def test_a_thousand_packs_are_commissioned_in_one_event(new_shop: Shop) -> None:
    packs = [pack(number) for number in range(1000)]
    made = commissioning(packs)
    answer = new_shop.send(document(made))
    assert answer.status_code == 202
    (captured,) = answer.json()["events"]
    assert captured["eventID"] == captured["cbvHash"] == hash_of(made)
    assert captured["batch"] == batch_number(11, 0)
    rows = new_shop.rows()
    assert len(rows["unit"]) == 1000
    assert len(rows["event"]) == 1
    assert len(rows["item_tile"]) == 5  # four tiles of up to 256 items, and their roots
    ((contract, function, state),) = [(row[1], row[2], row[8]) for row in rows["outbox"]]
    assert (contract, function, state) == ("PackLedger", "propose", "queued")
    with new_shop.gateway.database.read() as session:
        pedigree = Pedigree(PedigreeReader(new_shop.gateway.store, session).of(packs[::333]))
    (shown,) = [disclosure.verify() for disclosure in pedigree.disclosures]
    assert shown.digest.hex() == captured["digest"]
    batches = new_shop.client.get("/batches", headers=new_shop.keys["line"]).json()
    assert [(batch["number"], batch["count"], batch["state"]) for batch in batches] == [
        (batch_number(11, 0), 1000, "proposing")
    ]


def test_a_document_is_captured_in_its_order(new_shop: Shop) -> None:
    packs = [pack(number) for number in range(6)]
    answer = new_shop.send(
        document(commissioning(packs), packing(CASE, packs[:4]), packing(PALLET, [CASE, packs[4]]), unpacking(PALLET))
    )
    assert answer.status_code == 202, answer.text
    assert len(answer.json()["events"]) == 4
    calls = [(row[1], row[2]) for row in new_shop.rows()["outbox"]]
    assert calls == [("PackLedger", "propose"), ("CustodyLedger", "register"), ("CustodyLedger", "unpack")]


def test_a_hundred_cases_take_two_calls(new_shop: Shop) -> None:
    packs = [pack(number) for number in range(100)]
    cases = [unit(number) for number in range(100)]
    answer = new_shop.send(
        document(commissioning(packs), *(packing(case, [one]) for case, one in zip(cases, packs, strict=True)))
    )
    assert answer.status_code == 202, answer.text
    functions = [row[2] for row in new_shop.rows()["outbox"]]
    assert functions == ["propose", "register", "register"]


def test_more_units_than_a_unit_may_hold_are_refused(new_shop: Shop) -> None:
    packs = [pack(number) for number in range(129)]
    cases = [unit(number) for number in range(130)]
    events = [packing(case, [one]) for case, one in zip(cases, packs, strict=False)]
    before = new_shop.rows()
    answer = new_shop.send(document(commissioning(packs), *events, packing(cases[129], cases[:129])))
    assert answer.status_code == 409
    problem = answer.json()
    assert (problem["field"], problem["value"], problem["rule"]) == (
        "epcisBody.eventList[130].childEPCs",
        129,
        RULE,
    )
    assert new_shop.rows() == before


def test_spellings_of_one_serial_are_one_pack(new_shop: Shop) -> None:
    assert new_shop.send(document(commissioning([pack(1)]))).status_code == 202
    urn = document(packing("urn:epc:id:sscc:9506000.0000000001", ["urn:epc:id:sgtin:9506000.013435.SN00001"]))
    assert new_shop.send(urn).status_code == 202
    held = {row[1]: row for row in new_shop.rows()["logistic_unit"]}
    assert list(held) == ["https://id.gs1.org/00/095060000000000015"]


def test_what_is_outside_the_alphabet_of_uris_is_kept_apart(new_shop: Shop) -> None:
    """A serial may hold a slash; its URI must not be split there."""
    odd = [f"https://id.gs1.org/01/{GTIN}/21/{serial}" for serial in ("A%2FB", "A", "B", "A%25")]
    assert new_shop.send(document(commissioning(odd))).status_code == 202
    with new_shop.gateway.database.read() as session:
        assert set(new_shop.gateway.store.units(session, odd)) == set(odd)


# ---- one event ----


@pytest.mark.parametrize(
    "event_id", [None, "urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8", "https://ex.com/e?a=1&b=2#x/y"]
)
def test_one_event_is_created_and_found_again_where_the_answer_says(shop: Shop, event_id: str | None) -> None:
    given = INSPECTION | {"@context": document()["@context"], "epcList": [pack(3000 + len(event_id or ""))]}
    answer = shop.send(given | ({"eventID": event_id} if event_id else {}), path="/events")
    assert answer.status_code == 201, answer.text
    assert answer.json()["eventID"] == (event_id or hash_of(given))
    state = shop.client.get(answer.headers["location"], headers=shop.keys["auditor"])
    assert state.status_code == 200, state.text
    assert state.json()["digest"] == answer.json()["digest"]
    assert (state.json()["proof"], state.json()["seal"]) == ("captured", None)


def test_an_event_that_was_not_captured_here_is_not_found(new_shop: Shop) -> None:
    answer = new_shop.client.get("/events/urn:uuid:nothing", headers=new_shop.keys["auditor"])
    assert answer.status_code == 404
    assert answer.json()["value"] == "urn:uuid:nothing"


# ---- sent twice ----


def test_the_same_event_twice_is_acknowledged_and_stored_once(new_shop: Shop) -> None:
    body = document(commissioning([pack(number) for number in range(10)]), INSPECTION)
    first = new_shop.send(body).json()["events"]
    before = new_shop.rows()
    again = new_shop.send(body)
    assert again.status_code == 202
    assert again.json()["events"] == [entry | {"alreadyCaptured": True} for entry in first]
    assert new_shop.rows() == before


def test_the_same_event_in_another_spelling_is_the_same(new_shop: Shop) -> None:
    """What the CBV hash does not tell apart: a list's order, an identifier's spelling, a time's offset."""
    new_shop.send(document(commissioning([pack(1), pack(2)])))
    before = new_shop.rows()
    turned = commissioning(
        ["urn:epc:id:sgtin:9506000.013435.SN00002", pack(1)], eventTime="2026-01-05T09:00:00.000+01:00"
    )
    answer = new_shop.send(document(turned))
    assert answer.status_code == 202, answer.text
    assert answer.json()["events"][0]["alreadyCaptured"] is True
    assert new_shop.rows() == before


def test_the_same_event_twice_in_one_document_is_stored_once(new_shop: Shop) -> None:
    answer = new_shop.send(document(INSPECTION, INSPECTION)).json()["events"]
    assert [entry.get("alreadyCaptured", False) for entry in answer] == [False, True]
    assert len(new_shop.rows()["event"]) == 1


def test_an_events_id_is_its_own(new_shop: Shop) -> None:
    named = INSPECTION | {"eventID": "urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8"}
    assert new_shop.send(document(named)).status_code == 202
    before = new_shop.rows()
    other = named | {"disposition": "damaged"}
    answer = new_shop.send(document(other))
    assert answer.status_code == 409
    assert answer.json()["field"] == "epcisBody.eventList[0].eventID"
    assert new_shop.rows() == before


def test_one_line_after_another_gets_every_serial_at_most_once(new_shop: Shop) -> None:
    """Eight lines commission overlapping lots at the same moment."""
    answers: list[int] = []

    def line(number: int) -> None:
        body = document(commissioning([pack(number), pack(number + 1)], lot=f"L{number}"))
        answers.append(new_shop.send(body).status_code)

    lines = [threading.Thread(target=line, args=(number,)) for number in range(8)]
    for one in lines:
        one.start()
    for one in lines:
        one.join()
    rows = new_shop.rows()
    assert sorted(set(answers)) == [202, 409]
    assert len(rows["unit"]) == 2 * answers.count(202)
    assert len(rows["event"]) == answers.count(202) == len(rows["commissioned_batch"])
    assert len({row[0] for row in rows["commissioned_batch"]}) == answers.count(202)


# ---- goods that are not released ----


def test_a_lot_leaves_the_company_only_when_it_is_released(new_shop: Shop) -> None:
    new_shop.send(document(commissioning([pack(1)]), packing(CASE, [pack(1)]), packing(PALLET, [CASE])))
    answer = new_shop.send(document(shipping([PALLET])))
    assert answer.status_code == 409
    assert "not released" in answer.json()["detail"]
    with new_shop.gateway.database.write() as session:  # as when the chain had answered
        session.execute(update(CommissionedBatch).values(state="released"))
    assert new_shop.send(document(shipping([PALLET], PARTNER_GLN))).status_code == 202
    functions = [row[2] for row in new_shop.rows()["outbox"]]
    assert functions[-1] == "ship"
    assert len(new_shop.rows()["shipped_unit"]) == 1


# ---- GS1's own examples ----

OBSERVED = "an observation moves nothing"
LOOSE = "loose packs are not shipped or received: units of ours move in logistic units"
UNKNOWN = "the event that is declared erroneous is not known: loose packs were not shipped or received here"
REPLACED = "what is to stand in the place of the event, which is known, is not"
# File: what becomes of it and why; of a refusal the status and the field.
EXAMPLES: dict[str, tuple[int, str | None, str]] = {
    "Example_9.6.1-ObjectEvent.jsonld": (409, "epcisBody.eventList[0].epcList[0]", LOOSE),
    "Example_9.6.1-ObjectEvent-with-pseudo-SBDH-headers.jsonld": (409, "epcisBody.eventList[0].epcList[0]", LOOSE),
    "Example_9.6.1-with-comment.jsonld": (409, "epcisBody.eventList[0].epcList[0]", LOOSE),
    "Example_9.6.1-ObjectEventWithDigitalLink.jsonld": (409, "epcisBody.eventList[0].epcList[0]", LOOSE),
    "Example_9.6.1-ObjectEvent-with-error-declaration.jsonld": (
        409,
        "epcisBody.eventList[0].errorDeclaration",
        UNKNOWN,
    ),
    "PersistentDisposition-example.jsonld": (409, "epcisBody.eventList[0].epcList[0]", LOOSE),
    "Example_9.6.2-ObjectEvent.jsonld": (202, None, "quantities alone move nothing"),
    "Example_9.6.2-ObjectEventWithDigitalLink.jsonld": (202, None, "quantities alone move nothing"),
    "Example_9.6.3-AggregationEvent.jsonld": (202, None, OBSERVED),
    "Example_9.6.3-AggregationEventWithDigitalLink.jsonld": (202, None, OBSERVED),
    "SensorDataExample1.jsonld": (202, None, OBSERVED),
    "SensorDataExample1b.jsonld": (202, None, OBSERVED),
    "SensorDataExample2.jsonld": (202, None, OBSERVED),
    "SensorDataExample3.jsonld": (202, None, OBSERVED),
    "SensorDataExample4.jsonld": (202, None, OBSERVED),
    "SensorDataExample5.jsonld": (202, None, OBSERVED),
    "SensorDataExample6.jsonld": (202, None, OBSERVED),
    "SensorDataExample7.jsonld": (202, None, OBSERVED),
    "SensorDataExample8.jsonld": (202, None, "52 kg of a lot are packed under an SSCC that is new here"),
    "SensorDataExample9.jsonld": (202, None, OBSERVED),
    "SensorDataExample10.jsonld": (202, None, OBSERVED),
    "SensorDataExample13.jsonld": (202, None, OBSERVED),
    "SensorDataExample14.jsonld": (202, None, OBSERVED),
    "SensorDataExample15.jsonld": (202, None, OBSERVED),
    "SensorDataExample16.jsonld": (202, None, OBSERVED),
    "SensorDataExample17.jsonld": (202, None, OBSERVED),
    "object_event_all_possible_fields.jsonld": (409, "epcisBody.eventList[0].errorDeclaration", UNKNOWN),
    "aggregation_event_all_possible_fields.jsonld": (
        409,
        "epcisBody.eventList[0].errorDeclaration.correctiveEventIDs[0]",
        REPLACED,
    ),
    "ObjectEvent.json": (409, "epcList[0]", LOOSE),
    "AggregationEvent.json": (202, None, OBSERVED),
}


def examples(standards: Path) -> dict[str, Any]:
    """GS1's documents and events of the two types, by file name; without event IDs, which some of them share."""
    folder = standards / "epcis"
    found = {}
    for path in [*folder.glob("examples-json/**/*.jsonld"), *folder.glob("json-schema/test/*.json")]:
        given = json.loads(path.read_text())
        events = events_of(given)
        if events and all(event["type"] in ("ObjectEvent", "AggregationEvent") for event in events):
            for event in events:
                event.pop("eventID", None)
            found[path.name] = given
    return found


def events_of(given: Json) -> list[Json]:
    found: list[Json] = given["epcisBody"].get("eventList", []) if "epcisBody" in given else [given]
    return found


def without_declaration(event: Json) -> Json:
    return {name: value for name, value in event.items() if name != "errorDeclaration"}


@pytest.mark.standards
def test_gs1s_example_of_an_error_declaration_is_captured_where_its_events_are_known(
    new_shop: Shop, standards: Path
) -> None:
    given = examples(standards)["aggregation_event_all_possible_fields.jsonld"]
    (declaration,) = events_of(given)
    erroneous = without_declaration(declaration)
    (right,) = declaration["errorDeclaration"]["correctiveEventIDs"]
    answer = new_shop.send(document(erroneous, erroneous | {"eventID": right}, **{"@context": given["@context"]}))
    assert answer.status_code == 202, answer.text
    answer = new_shop.send(given)
    assert answer.status_code == 202, answer.text
    (entry,) = answer.json()["events"]
    assert entry["declares"]


@pytest.mark.standards
def test_gs1s_examples_are_captured_or_refused_by_a_rule_of_ours(shop: Shop, standards: Path) -> None:
    found = examples(standards)
    assert set(found) == set(EXAMPLES)
    for name, given in sorted(found.items()):
        status, field, why = EXAMPLES[name]
        if why in (UNKNOWN, REPLACED):
            erroneous = given | {"epcisBody": {"eventList": [without_declaration(one) for one in events_of(given)]}}
            assert shop.send(erroneous).status_code == (409 if why == UNKNOWN else 202), name
        before = shop.rows()
        answer = shop.send(given)
        assert answer.status_code == status, (name, why, answer.text)
        if status == 202:
            events = answer.json()["events"]
            assert not any(entry.get("alreadyCaptured") for entry in events), name
            assert len(shop.rows()["event"]) == len(before["event"]) + len(events)
        else:
            assert answer.json()["field"] == field, name
            assert answer.json()["rule"] == RULE or "errorDeclaration" in str(field), name
            assert shop.rows() == before, name
    moved = {row[1] for row in shop.rows()["logistic_unit"]}
    assert moved == {"https://id.gs1.org/00/040123451111111110"}  # the one that was packed


# ---- who records what ----


def test_each_role_records_what_is_its_own(new_shop: Shop) -> None:
    packs = [pack(number) for number in range(4)]
    steps = [
        ("line", commissioning(packs)),
        ("line", packing(CASE, packs[:2])),
        ("warehouse", an_event("ObjectEvent", "ADD", "commissioning", epcList=[unit(40)])),
        ("warehouse", packing(PALLET, [CASE])),
        ("dispenser", unpacking(PALLET)),
        ("dispenser", unpacking(CASE, packs[:1])),
        ("dispenser", INSPECTION),
    ]
    for role, event in steps:
        answer = new_shop.send(document(event), role=role)
        assert answer.status_code == 202, (role, answer.text)


# ---- what the REST binding says ----


def test_versions_and_limits_are_told(shop: Shop) -> None:
    told = shop.client.options("/capture", headers=shop.keys["line"])
    assert told.status_code == 204
    assert told.headers["gs1-epcis-version"] == told.headers["gs1-cbv-version"] == "2.0.0"
    assert told.headers["gs1-capture-error-behaviour"] == "rollback"
    assert int(told.headers["gs1-epcis-capture-limit"]) == MOST_EVENTS
    assert int(told.headers["gs1-epcis-capture-file-size-limit"]) == MAX_BODY
    answer = shop.send(document(), **{"GS1-Capture-Error-Behaviour": "rollback"})
    assert answer.status_code == 202
    assert answer.headers["gs1-epcis-version"] == "2.0.0"


# ---- recall ----


def test_the_notice_of_a_recall_is_kept_and_opens_its_hash_on_chain(new_shop: Shop) -> None:
    notice = "Blister undicht: nicht abgeben"
    new = {"gtin": GTIN, "lot": "L1", "kind": "recalled", "notice": notice}
    answer = new_shop.client.post("/recalls", json=new, headers=new_shop.keys["quality"])
    assert answer.status_code == 202
    number = answer.json()["outbox"]
    (kept,) = new_shop.client.get("/recalls", headers=new_shop.keys["auditor"]).json()
    assert {name: kept[name] for name in new} == new
    assert (kept["outbox"], kept["caller"], kept["state"]) == (number, "quality", "queued")
    assert abs(kept["time"] - time.time()) < 60
    call = new_shop.client.get(f"/outbox/{number}", headers=new_shop.keys["auditor"]).json()
    assert sha256(notice.encode()).hexdigest() in str(call["args"])
    assert new_shop.client.get("/recalls", headers=new_shop.keys["line"]).status_code == 403


# ---- when the disk, or the database, does not want to ----


def test_on_a_full_disk_a_line_is_told_to_come_back_and_nothing_is_left(
    new_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    new_shop.send(document(commissioning([pack(1)])))
    with new_shop.gateway.database.write() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
        session.execute(text(f"PRAGMA max_page_count = {pages + 2}"))
    before = new_shop.rows()
    lot = document(commissioning([pack(number) for number in range(100, 5000)], lot="L2"))
    answer = new_shop.send(lot)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["type"] == "packtrace:storage"
    assert "the disk is full" in answer.json()["detail"]
    assert new_shop.rows() == before
    assert "SN00100" not in caplog.text
    with new_shop.gateway.database.write() as session:
        session.execute(text("PRAGMA max_page_count = 1000000"))
    assert new_shop.send(lot).status_code == 202


def test_captures_that_wait_for_the_database_hold_up_nobody_else(new_shop: Shop) -> None:
    """More of them than there are threads for routes."""
    waiting = 60
    answers: list[int] = []
    url, headers = str(new_shop.client.base_url), new_shop.keys["line"] | {"Content-Type": "application/json"}

    def send(number: int) -> None:
        body = json.dumps(document(commissioning([pack(number)], lot=f"L{number}")))
        answers.append(httpx.post(f"{url}/capture", content=body, headers=headers, timeout=60).status_code)

    lines = [threading.Thread(target=send, args=(number,)) for number in range(waiting)]
    with new_shop.gateway.database.write():
        for line in lines:
            line.start()
        time.sleep(1)
        seen = new_shop.client.get("/serials/policies", headers=new_shop.keys["line"], timeout=10)
        assert seen.status_code == 200
        assert not answers
    for line in lines:
        line.join(60)
    assert answers == [202] * waiting
