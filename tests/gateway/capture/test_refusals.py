"""Bad input over HTTP: every refusal names field, value and rule, and nothing of a refused document is left behind."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from shop import (
    CASE,
    EMPTY,
    FOREIGN_GTIN,
    FRESH,
    FULL,
    GTIN,
    MAX_BODY,
    OTHER_GTIN,
    PALLET,
    PARTNER_GLN,
    SHIPPED,
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
from sqlalchemy import update

from packtrace.gs1 import sgtin_uri
from packtrace.rules import RULE
from packtrace_gateway.capture.service import MOST_EVENTS
from packtrace_gateway.events.models import CommissionedBatch

AT = "epcisBody.eventList[0]."
LOOSE = [pack(number) for number in range(10)]
PACKED = pack(10)
NEW = [pack(number) for number in range(1000, 1003)]


@pytest.fixture(scope="module")
def stocked(shop: Shop) -> Shop:
    """Ten loose packs, a packed case on a pallet, a packed one beside it, one that was shipped, an empty one."""
    packs = [*LOOSE, PACKED, pack(11), pack(12)]
    done = shop.send(document(commissioning(packs)))
    assert done.status_code == 202, done.text
    with shop.gateway.database.write() as session:  # as when the chain had answered
        session.execute(update(CommissionedBatch).values(state="released"))
    steps = [
        packing(CASE, [pack(11)]),
        packing(PALLET, [CASE]),
        packing(FULL, [PACKED]),
        packing(SHIPPED, [pack(12)]),
        shipping([SHIPPED]),
        an_event("ObjectEvent", "ADD", "commissioning", epcList=[EMPTY]),
        an_event("ObjectEvent", "OBSERVE", "inspecting", epcList=[LOOSE[0]], eventID="urn:uuid:a-known-event"),
    ]
    done = shop.send(document(*steps))
    assert done.status_code == 202, done.text
    # Another lot, which nobody has released.
    done = shop.send(document(commissioning([pack(20)], lot="L2"), packing(FRESH, [pack(20)])))
    assert done.status_code == 202, done.text
    return shop


@dataclass(frozen=True)
class Refused:
    """A request's body, and what is said of it: status, field, value (None: any, where there is none) and rule."""

    body: Any
    status: int
    field: str | None
    value: Any
    rule: str


def raw(given: Json) -> str:
    return json.dumps(given)


def without(given: Json, *names: str) -> Json:
    return {name: value for name, value in given.items() if name not in names}


WRONG_CHECK_DIGIT = "https://id.gs1.org/01/09506000134353/21/A1"
SPACED = "https://id.gs1.org/01/09506000134352/21/A%20B"
GERMAN = "https://id.gs1.org/01/09506000134352/21/%C3%84"
TOO_LONG = "https://id.gs1.org/01/09506000134352/21/" + "A" * 21
URN = "urn:epc:id:sgtin:9506000.013435.SN01000"
UNKNOWN_UNIT = "https://id.gs1.org/00/095060000000000756"
PLAIN_GTIN = "https://id.gs1.org/01/09506000134352"
LATER = "2026-01-06T08:00:00.000Z"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

IDENTIFIERS = {
    "wrong check digit": Refused(
        document(commissioning([NEW[0], WRONG_CHECK_DIGIT])), 400, AT + "epcList[1]", WRONG_CHECK_DIGIT, "check digit"
    ),
    "space in a serial": Refused(document(commissioning([SPACED])), 400, AT + "epcList[0]", SPACED, "GS1"),
    "letter outside the character set": Refused(
        document(commissioning([GERMAN])), 400, AT + "epcList[0]", GERMAN, "GS1"
    ),
    "serial of 21 characters": Refused(document(commissioning([TOO_LONG])), 400, AT + "epcList[0]", TOO_LONG, "GS1"),
    "no serial": Refused(document(commissioning([PLAIN_GTIN])), 400, AT + "epcList[0]", PLAIN_GTIN, "EPCIS 2.0"),
    "wrong check digit of an SSCC": Refused(
        document(packing(CASE[:-1] + "9", [LOOSE[0]])), 400, AT + "parentID", CASE[:-1] + "9", "check digit"
    ),
    "wrong check digit of a GLN": Refused(
        document(shipping([FULL], "9506000000309")),
        400,
        AT + "destinationList[0].destination",
        "https://id.gs1.org/417/9506000000309",
        "check digit",
    ),
}

BATCHES = {
    "expiry before production": Refused(
        document(commissioning(NEW, ilmd={"cbvmda:productionDate": "2031-06-01"})),
        400,
        AT + "ilmd.cbvmda:itemExpirationDate",
        "2031-05-31",
        "expiry before production",
    ),
    "expired already": Refused(
        document(commissioning(NEW, expiry="2020-02-29")),
        400,
        AT + "ilmd.cbvmda:itemExpirationDate",
        "2020-02-29",
        "expiry in the future",
    ),
    "no such day": Refused(
        document(commissioning(NEW, expiry="2031-02-30")), 400, AT + "ilmd.cbvmda:itemExpirationDate", "2031-02-30", ""
    ),
    "no expiry": Refused(
        document(commissioning(NEW, expiry=None)), 400, AT + "ilmd.cbvmda:itemExpirationDate", None, "2016/161"
    ),
    "no lot": Refused(document(commissioning(NEW, lot=None)), 400, AT + "ilmd.cbvmda:lotNumber", None, "2016/161"),
    "lot of 21 characters": Refused(
        document(commissioning(NEW, lot="L" * 21)), 400, AT + "ilmd.cbvmda:lotNumber", "L" * 21, "GS1"
    ),
    "two lots": Refused(
        document(commissioning(NEW, lot=["L1", "L2"])), 400, AT + "ilmd.cbvmda:lotNumber", "a list of 2", "2016/161"
    ),
    "two lots, one name": Refused(
        raw(document(commissioning(NEW))).replace('"cbvmda:lotNumber"', '"cbvmda:lotNumber": "L0", "cbvmda:lotNumber"'),
        400,
        "cbvmda:lotNumber",
        "cbvmda:lotNumber",
        "RFC 7493",
    ),
    "two GTINs": Refused(
        document(commissioning([NEW[0], pack(1, OTHER_GTIN)])),
        400,
        AT + "epcList[1]",
        pack(1, OTHER_GTIN),
        "one GTIN, lot and expiry",
    ),
    "a case among packs": Refused(
        document(commissioning([NEW[0], FRESH])), 400, AT + "epcList[1]", FRESH, "one GTIN, lot and expiry"
    ),
    "a serial twice": Refused(
        document(commissioning([*NEW, NEW[1]])), 400, AT + "epcList[3]", NEW[1], "a list of EPCs is a set"
    ),
    "a serial twice, in two spellings": Refused(
        document(commissioning([*NEW, URN])), 400, AT + "epcList[3]", URN, "a list of EPCs is a set"
    ),
    "a serial of another batch of the lot": Refused(
        document(commissioning([*NEW, LOOSE[3]])), 409, AT + "epcList[3]", LOOSE[3], RULE
    ),
    "a serial of another lot": Refused(
        document(commissioning([LOOSE[4], *NEW], lot="L9")), 409, AT + "epcList[0]", LOOSE[4], RULE
    ),
    "a serial twice in two events": Refused(
        document(commissioning(NEW[:2]), commissioning(NEW[1:], lot="L9")),
        409,
        "epcisBody.eventList[1].epcList[0]",
        NEW[1],
        RULE,
    ),
    "a GTIN that is not set up": Refused(
        document(commissioning([sgtin_uri(FOREIGN_GTIN, "A1")])), 409, AT + "epcList", FOREIGN_GTIN, "products"
    ),
    "quantities beside packs": Refused(
        document(commissioning(NEW, quantityList=[{"epcClass": PLAIN_GTIN + "/10/L1", "quantity": 5}])),
        400,
        AT + "quantityList",
        None,
        "one GTIN, lot and expiry",
    ),
}

WHOLE = raw(document(commissioning(NEW)))
DOCUMENTS = {
    "cut short": Refused(WHOLE[: len(WHOLE) // 2], 400, "document", None, "RFC 8259"),
    "cut short by one character": Refused(WHOLE[:-1], 400, "document", None, "RFC 8259"),
    "empty": Refused("", 400, "document", None, "RFC 8259"),
    "no JSON": Refused("<epcis/>", 400, "document", None, "RFC 8259"),
    "a list": Refused("[]", 400, "document", None, "EPCIS 2.0"),
    "not UTF-8": Refused(WHOLE.replace("L1", "L\xe4").encode("latin-1"), 400, "document", None, "RFC 8259"),
    "10 MB of lists in lists": Refused("[" * 10_000_000, 400, "document", None, "packtrace"),
    "10 MB of objects in objects": Refused(
        '{"a":' * 2_000_000 + "1" + "}" * 2_000_000, 400, "document", None, "packtrace"
    ),
    "lists in lists below the bound": Refused(
        "[" * 400_000 + "]" * 400_000, 400, "document", None, "RFC 8259, section 9"
    ),
    "deep inside an event": Refused(
        WHOLE.replace('"L1"', "[" * 100_000 + "]" * 100_000), 400, "document", None, "RFC 8259, section 9"
    ),
    "larger than the gateway takes": Refused(" " * (MAX_BODY + 1), 413, None, None, f"at most {MAX_BODY} bytes"),
    "an unknown member of the document": Refused(
        document(commissioning(NEW), surprise=1), 400, "surprise", None, "EPCIS 2.0 JSON Schema"
    ),
    "an unknown member of an event": Refused(
        document(commissioning(NEW, surprise=1)), 400, AT + "surprise", None, "EPCIS 2.0 JSON Schema"
    ),
    "an unknown member of the body": Refused(
        document(commissioning(NEW), epcisBody={"eventList": [], "queryResults": {}}), 400, "epcisBody", None, "EPCIS"
    ),
    "no context": Refused(without(document(commissioning(NEW)), "@context"), 400, "@context", None, "EPCIS 2.0"),
    "EPCIS 1.2": Refused(document(commissioning(NEW), schemaVersion="1.2"), 400, "schemaVersion", "1.2", "EPCIS 2"),
    "no creation date": Refused(
        without(document(commissioning(NEW)), "creationDate"), 400, "creationDate", None, "EPCIS 2.0"
    ),
    "more events than are written at once": Refused(
        document(*(commissioning([pack(9000)], lot="L9"),) * (MOST_EVENTS + 1)),
        413,
        "epcisBody.eventList",
        MOST_EVENTS + 1,
        "GS1-EPCIS-Capture-Limit",
    ),
    "no events": Refused(document(epcisBody={}), 400, "epcisBody.eventList", None, "EPCIS 2.0"),
}

EVENTS = {
    "an unknown type": Refused(document(an_event("PackEvent", "ADD", None)), 400, AT + "type", "PackEvent", "7.4"),
    "a type that is not read": Refused(
        document(an_event("TransactionEvent", "ADD", None)), 400, AT + "type", "TransactionEvent", "7.4"
    ),
    "an unknown action": Refused(document(commissioning(NEW) | {"action": "MAKE"}), 400, AT + "action", "MAKE", "7.3"),
    "an unknown business step": Refused(
        document(commissioning(NEW) | {"bizStep": "commisioning"}), 400, AT + "bizStep", "commisioning", "CBV 2.0"
    ),
    "an unknown disposition": Refused(
        document(commissioning(NEW, disposition="fine")), 400, AT + "disposition", "fine", "CBV 2.0"
    ),
    "no time": Refused(document(without(commissioning(NEW), "eventTime")), 400, AT + "eventTime", None, "EPCIS 2.0"),
    "a time without zone": Refused(
        document(commissioning(NEW, eventTime="2026-01-05T08:00:00")),
        400,
        AT + "eventTime",
        "2026-01-05T08:00:00",
        "RFC 3339",
    ),
    "no offset": Refused(
        document(without(commissioning(NEW), "eventTimeZoneOffset")), 400, AT + "eventTimeZoneOffset", None, "EPCIS 2.0"
    ),
    "tomorrow": Refused(document(commissioning(NEW, eventTime=TOMORROW)), 400, AT + "eventTime", TOMORROW, "0:30:00"),
    "nothing commissioned": Refused(document(commissioning([])), 400, AT + "epcList", None, "7.4.2"),
    "a list that is none": Refused(
        document(commissioning(NEW) | {"epcList": NEW[0]}), 400, AT + "epcList", None, "EPCIS"
    ),
    "an error declaration of an event that is not known": Refused(
        document(
            an_event(
                "ObjectEvent",
                "OBSERVE",
                "inspecting",
                epcList=LOOSE[:1],
                eventID="urn:uuid:an-unknown-event",
                errorDeclaration={"declarationTime": "2026-01-06T08:00:00Z", "reason": "did_not_occur"},
            )
        ),
        409,
        AT + "errorDeclaration",
        "urn:uuid:an-unknown-event",
        "7.4.1.2",
    ),
    "another event's ID": Refused(
        document(
            an_event("ObjectEvent", "OBSERVE", "inspecting", epcList=[LOOSE[1]], eventID="urn:uuid:a-known-event")
        ),
        409,
        AT + "eventID",
        "urn:uuid:a-known-event",
        "7.4.1",
    ),
}

LIFECYCLE = {
    "shipping without a destination": Refused(
        document(shipping([FULL], None)), 400, AT + "destinationList", None, "CBV 2.0, section 7.4"
    ),
    "shipping to a stranger": Refused(
        document(shipping([FULL], "9506000000312")),
        400,
        AT + "destinationList",
        "https://id.gs1.org/417/9506000000312",
        "partners",
    ),
    "shipping what is unknown": Refused(document(shipping([UNKNOWN_UNIT])), 409, AT + "epcList[0]", UNKNOWN_UNIT, RULE),
    "shipping before packing": Refused(document(shipping([EMPTY])), 409, AT + "epcList[0]", EMPTY, RULE),
    "shipping a loose pack": Refused(document(shipping([FULL, LOOSE[0]])), 409, AT + "epcList[1]", LOOSE[0], RULE),
    "shipping a case off its pallet": Refused(document(shipping([CASE])), 409, AT + "epcList[0]", CASE, RULE),
    "shipping twice": Refused(document(shipping([SHIPPED], eventTime=LATER)), 409, AT + "epcList[0]", SHIPPED, RULE),
    "shipping what is not released": Refused(document(shipping([FRESH])), 409, AT + "epcList[0]", FRESH, RULE),
    "packing a packed pack": Refused(
        document(packing(EMPTY, [LOOSE[0], PACKED])), 409, AT + "childEPCs[1]", PACKED, RULE
    ),
    "packing what was never made": Refused(document(packing(EMPTY, [NEW[0]])), 409, AT + "childEPCs[0]", NEW[0], RULE),
    "packing into a full case": Refused(document(packing(FULL, LOOSE[:1])), 409, AT + "parentID", FULL, RULE),
    "packing into a pack": Refused(document(packing(LOOSE[0], LOOSE[1:2])), 409, AT + "parentID", LOOSE[0], RULE),
    "packing a case into itself": Refused(document(packing(FULL, [FULL])), 400, AT + "childEPCs[0]", FULL, "7.4.3"),
    "unpacking what was shipped": Refused(document(unpacking(SHIPPED)), 409, AT + "parentID", SHIPPED, RULE),
    "unpacking a case on a pallet": Refused(document(unpacking(CASE)), 409, AT + "parentID", CASE, RULE),
    "taking out what is not inside": Refused(
        document(unpacking(FULL, [LOOSE[0]])), 409, AT + "childEPCs[0]", LOOSE[0], RULE
    ),
    "receiving what is here": Refused(
        document(an_event("ObjectEvent", "OBSERVE", "receiving", epcList=[FULL])), 409, AT + "epcList[0]", FULL, RULE
    ),
    "dispensing from a sealed case": Refused(
        document(an_event("ObjectEvent", "OBSERVE", "dispensing", epcList=[PACKED])),
        409,
        AT + "epcList[0]",
        PACKED,
        RULE,
    ),
    "dispensing as an event": Refused(
        document(an_event("ObjectEvent", "DELETE", "dispensing", epcList=LOOSE[:1])),
        409,
        AT + "bizStep",
        "dispensing",
        RULE,
    ),
    "cancelling a shipment as an event": Refused(
        document(an_event("ObjectEvent", "OBSERVE", "void_shipping", epcList=[SHIPPED])),
        409,
        AT + "bizStep",
        "void_shipping",
        RULE,
    ),
    "missing a case as an event": Refused(
        document(an_event("AggregationEvent", "DELETE", "void_shipping", parentID=PALLET, childEPCs=[CASE])),
        409,
        AT + "bizStep",
        "void_shipping",
        RULE,
    ),
    "a commissioned case again": Refused(
        document(an_event("ObjectEvent", "ADD", "commissioning", epcList=[EMPTY], eventTime=LATER)),
        409,
        AT + "epcList[0]",
        EMPTY,
        RULE,
    ),
    "one bad event among fifty": Refused(
        document(*(commissioning([pack(2000 + n)], lot=f"L{n}") for n in range(49)), packing(FULL, LOOSE[:1])),
        409,
        "epcisBody.eventList[49].parentID",
        FULL,
        RULE,
    ),
    "a bare event": Refused(
        packing(FULL, LOOSE[:1]) | {"@context": document()["@context"]}, 409, "parentID", FULL, RULE
    ),
}

TABLE = {**IDENTIFIERS, **BATCHES, **DOCUMENTS, **EVENTS, **LIFECYCLE}


def problem_of(answer: httpx.Response, status: int) -> Json:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: Json = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    return problem


@pytest.mark.parametrize("name", TABLE)
def test_bad_input_is_refused_with_field_value_and_rule_and_leaves_nothing(stocked: Shop, name: str) -> None:
    bad = TABLE[name]
    before = stocked.rows()
    problem = problem_of(stocked.send(bad.body.encode() if isinstance(bad.body, str) else bad.body), bad.status)
    assert problem.get("field") == bad.field
    if bad.value is not None:
        assert problem["value"] == bad.value
    assert bad.rule in problem["rule"]
    assert problem["rule"]
    assert stocked.rows() == before


CONTEXT = {"@context": document()["@context"]}
Send = Callable[[Shop, Json], httpx.Response]
GOOD = document(commissioning([pack(5000)], lot="L5"))

ACCESS: dict[str, tuple[Send, int, str, str | None, str]] = {
    "no content type": (
        lambda shop, body: shop.send(body, **{"Content-Type": ""}),
        415,
        "Content-Type",
        "",
        "application/json or application/ld+json",
    ),
    "XML": (
        lambda shop, body: shop.send(body, **{"Content-Type": "application/xml"}),
        415,
        "Content-Type",
        "application/xml",
        "application/json or application/ld+json",
    ),
    "a form": (
        lambda shop, body: shop.client.post("/capture", data={"x": "1"}, headers=shop.keys["line"]),
        415,
        "Content-Type",
        "application/x-www-form-urlencoded",
        "application/json or application/ld+json",
    ),
    "no API key": (
        lambda shop, body: shop.client.post("/capture", json=body),
        401,
        "Authorization",
        None,
        "RFC 6750",
    ),
    "a key that nobody has": (
        lambda shop, body: shop.send(body, Authorization="Bearer pt_aaaaaaaa_" + "A" * 43),
        401,
        "Authorization",
        None,
        "",
    ),
    "a key of another form": (
        lambda shop, body: shop.send(body, Authorization="Bearer secret"),
        401,
        "Authorization",
        None,
        "",
    ),
    "an auditor": (lambda shop, body: shop.send(body, role="auditor"), 403, "Authorization", "auditor", "line"),
    "quality": (lambda shop, body: shop.send(body, role="quality"), 403, "Authorization", "quality", "line"),
    "an auditor with an event": (
        lambda shop, body: shop.send(body, path="/events", role="auditor"),
        403,
        "Authorization",
        "auditor",
        "line",
    ),
    "a document in parts of its own": (
        lambda shop, body: shop.send(body, **{"GS1-Capture-Error-Behaviour": "proceed"}),
        400,
        "GS1-Capture-Error-Behaviour",
        "proceed",
        "rollback",
    ),
    "a compressed document": (
        lambda shop, body: shop.send(gzip.compress(json.dumps(body).encode()), **{"Content-Encoding": "gzip"}),
        415,
        "Content-Encoding",
        "gzip",
        "identity",
    ),
    "packs commissioned by a warehouse": (
        lambda shop, body: shop.send(body, role="warehouse"),
        403,
        AT + "action",
        "ADD",
        "roles: line",
    ),
    "packs commissioned by a dispenser": (
        lambda shop, body: shop.send(body["epcisBody"]["eventList"][0] | CONTEXT, path="/events", role="dispenser"),
        403,
        "action",
        "ADD",
        "roles: line",
    ),
    "shipping from a line": (
        lambda shop, body: shop.send(document(shipping([FULL])), role="line"),
        403,
        AT + "action",
        "OBSERVE",
        "roles: warehouse",
    ),
    "receiving by a dispenser": (
        lambda shop, body: shop.send(
            document(an_event("ObjectEvent", "OBSERVE", "receiving", epcList=[UNKNOWN_UNIT])), role="dispenser"
        ),
        403,
        AT + "action",
        "OBSERVE",
        "roles: warehouse",
    ),
    "packing by a dispenser": (
        lambda shop, body: shop.send(document(packing(EMPTY, LOOSE[:1])), role="dispenser"),
        403,
        AT + "action",
        "ADD",
        "roles: line, warehouse",
    ),
    "a document as an event": (
        lambda shop, body: shop.send(body, path="/events"),
        400,
        "type",
        "EPCISDocument",
        "REST binding",
    ),
    "an empty document as an event": (
        lambda shop, body: shop.send(document(), path="/events"),
        400,
        "type",
        "EPCISDocument",
        "REST binding",
    ),
}


@pytest.mark.parametrize("name", ACCESS)
def test_who_may_not_or_sends_something_else_is_refused(stocked: Shop, name: str) -> None:
    send, status, field, value, rule = ACCESS[name]
    before = stocked.rows()
    problem = problem_of(send(stocked, GOOD), status)
    assert problem["field"] == field
    assert value is None or problem["value"] == value
    assert rule in problem["rule"]
    assert stocked.rows() == before


def test_a_refusal_answers_in_one_line_on_a_terminal_too(stocked: Shop) -> None:
    problem = problem_of(stocked.send(document(shipping([FULL, LOOSE[0]]))), 409)
    assert problem["detail"] == (
        "this item is no logistic unit: pack it first, loose packs travel in a tote with an SSCC"
    )
    assert problem["type"] == "packtrace:lifecycle"


def test_dispensing_from_a_sealed_case_is_refused_before_the_chain_is_asked(stocked: Shop) -> None:
    before = stocked.rows()
    inside = {"gtin": GTIN, "serial": "SN00010", "lot": "L1", "expiry": "2031-05-31"}
    loose = inside | {"serial": "SN00001"}
    body = {"packs": [loose, inside], "acknowledge": "not verified"}
    answer = stocked.client.post("/dispense", json=body, headers=stocked.keys["dispenser"])
    problem = problem_of(answer, 409)
    assert (problem["field"], problem["value"], problem["rule"]) == ("packs[1]", PACKED, RULE)
    assert FULL in problem["detail"]
    assert stocked.rows() == before


def test_one_pack_twice_in_one_call_is_refused(stocked: Shop) -> None:
    """The second would be a Conflict with the first: a false alarm."""
    one = {"gtin": GTIN, "serial": "SN00001", "lot": "L1", "expiry": "2031-05-31"}
    body = {"packs": [one, one | {"lot": None}], "acknowledge": "not verified"}
    answer = stocked.client.post("/dispense", json=body, headers=stocked.keys["dispenser"])
    problem = problem_of(answer, 409)
    assert (problem["field"], problem["value"], problem["rule"]) == ("packs[1]", LOOSE[1], RULE)


def test_a_verdict_that_forbids_the_change_says_why(stocked: Shop) -> None:
    one = {"gtin": GTIN, "serial": "SN00001", "lot": "OTHER", "expiry": "2031-05-31"}
    answer = stocked.client.post("/dispense", json={"packs": [one]}, headers=stocked.keys["dispenser"])
    problem = problem_of(answer, 409)
    assert (problem["field"], problem["value"]) == ("packs[0]", "not this product's data")
    assert "lot OTHER is printed, L1 was commissioned" in problem["rule"]


def test_a_node_that_does_not_answer_is_named(stocked: Shop) -> None:
    body = {"party": 40, "salt": "00" * 16, "name": "Pharmacy"}
    answer = stocked.client.put(f"/partners/{PARTNER_GLN}", json=body, headers=stocked.keys["admin"])
    problem = problem_of(answer, 503)
    assert problem["type"] == "packtrace:chain-unreachable"
    assert answer.headers["retry-after"]


def test_without_a_node_a_verdict_says_what_could_not_be_checked(stocked: Shop) -> None:
    one = {"gtin": GTIN, "serial": "SN00001", "lot": "L1", "expiry": "2031-05-31"}
    answer = stocked.client.post("/verify", json=one, headers=stocked.keys["dispenser"])
    verdict = answer.json()["verdict"]
    assert verdict["headline"] == "not verified"
    assert verdict["reasons"] == ["no node could be asked: status, recall and log are not known"]


HUGE = str(1 << 70)


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("POST", f"/batches/{HUGE}/release", "quality"),
        ("POST", f"/batches/{HUGE}/withdraw", "quality"),
        ("GET", f"/operations/{HUGE}", "auditor"),
        ("POST", f"/operations/{HUGE}/reverse", "dispenser"),
        ("GET", f"/alerts/{HUGE}", "auditor"),
        ("GET", f"/outbox/{HUGE}", "auditor"),
        ("GET", "/alerts/-1", "auditor"),
        *(
            ("GET", f"/{pages}?before={before}", "auditor")
            for pages in ("serials/blocks", "outbox", "shipments", "hand-overs", "arrivals")
            for before in (HUGE, f"-{HUGE}")
        ),
    ],
)
def test_a_number_that_no_row_can_have_is_refused(stocked: Shop, method: str, path: str, role: str) -> None:
    answer = stocked.client.request(method, path, headers=stocked.keys[role])
    assert answer.status_code in (400, 404), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_lone_surrogates_are_refused_as_input(stocked: Shop) -> None:
    body = b'{"gtin": "09506000134352", "lot": "L1", "kind": "recalled", "notice": "\\ud800"}'
    answer = stocked.client.post(
        "/recalls", content=body, headers=stocked.keys["quality"] | {"Content-Type": "application/json"}
    )
    assert answer.status_code == 400, answer.text


def test_a_code_and_its_parts_are_not_both_taken(stocked: Shop) -> None:
    """What a person typed must not be passed over: it is there to be compared."""
    body = {"code": f"(01){GTIN}(21)SN00001", "lot": "OTHER"}
    problem = problem_of(stocked.client.post("/verify", json=body, headers=stocked.keys["dispenser"]), 400)
    assert (problem["field"], problem["value"]) == ("lot", "OTHER")
