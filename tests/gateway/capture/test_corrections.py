"""Error declarations over HTTP: what they take back, what is refused and said instead, and that nothing else moves."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from shop import (
    CASE,
    FRESH,
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
from sqlalchemy import select, update
from sqlmodel import Session

from packtrace.chain.deployment import Deployment
from packtrace.commit.declaration import declaration_of
from packtrace.rules import Place
from packtrace_gateway.events.models import CommissionedBatch, LogisticUnit, StoredEvent
from packtrace_gateway.events.store import stored_header
from packtrace_gateway.exchange.models import Goods, ShippedUnit
from packtrace_gateway.fsck.check import fsck
from packtrace_gateway.fsck.report import Checked

PACKS = [pack(number) for number in range(4)]
DECLARED = "2026-01-06T08:00:00.000Z"


def declared(event: Json, reason: str | None = "did_not_occur", *corrections: str, **more: Any) -> Json:
    """The same event, declared erroneous."""
    said: Json = {"declarationTime": DECLARED, "reason": reason, "correctiveEventIDs": list(corrections)} | more
    return event | {"errorDeclaration": {name: value for name, value in said.items() if value not in (None, [])}}


def inspecting(*uris: str, **more: Any) -> Json:
    return an_event("ObjectEvent", "OBSERVE", "inspecting", epcList=list(uris), **more)


def receiving(*uris: str, **more: Any) -> Json:
    return an_event("ObjectEvent", "OBSERVE", "receiving", epcList=list(uris), **more)


@pytest.fixture
def packed(new_shop: Shop) -> Iterator[Shop]:
    """Four released packs, two of them in a case; whatever a test does, the records fit together at its end."""
    answer = new_shop.send(document(commissioning(PACKS), packing(CASE, PACKS[:2], eventID="urn:uuid:packing")))
    assert answer.status_code == 202
    with new_shop.gateway.database.write() as session:
        session.execute(update(CommissionedBatch).values(state="released"))
    yield new_shop
    gateway = new_shop.gateway
    found = list(fsck(gateway.database, 11, Deployment.load(gateway.settings.deployment), None, Checked()))
    assert [str(finding) for finding in found] == []


def places(shop: Shop, *uris: str) -> list[tuple[str, str | None]]:
    with shop.gateway.database.read() as session:
        states = shop.gateway.store.states(session, uris)
    return [(states[uri].place.name, states[uri].parent) for uri in uris]


def events(session: Session) -> list[StoredEvent]:
    return list(session.execute(select(StoredEvent).order_by(StoredEvent.id)).scalars())  # type: ignore[arg-type]


def accepted(shop: Shop, *given: Json) -> list[Json]:
    answer = shop.send(document(*given))
    assert answer.status_code == 202, answer.text
    found: list[Json] = answer.json()["events"]
    return found


def refused(shop: Shop, *given: Json, field: str = "errorDeclaration", status: int = 409) -> str:
    """What a refusal says; it left nothing behind."""
    before = shop.rows()
    answer = shop.send(document(*given))
    assert answer.status_code == status, answer.text
    assert answer.json()["field"] == f"epcisBody.eventList[{len(given) - 1}].{field}"
    assert shop.rows() == before
    return str(answer.json()["detail"])


# ---- what is recorded ----


def test_a_declaration_is_an_event_of_its_own_that_names_the_erroneous_one(packed: Shop) -> None:
    (seen,) = accepted(packed, inspecting(PACKS[3]))
    before = places(packed, *PACKS, CASE)
    (entry,) = accepted(packed, declared(inspecting(PACKS[3])))
    assert entry["declares"] == seen["digest"] != entry["digest"]
    assert (entry["eventID"], entry["cbvHash"]) == (seen["eventID"], seen["cbvHash"])
    assert places(packed, *PACKS, CASE) == before
    with packed.gateway.database.read() as session:
        erroneous, declaration = events(session)[-2:]
        core = stored_header(declaration.header).core
        said = declaration_of(core)
        opened = stored_header(declaration.header).opened
    assert said is not None
    assert (said.event, said.time, said.reason, said.corrections) == (erroneous.digest, DECLARED, "did_not_occur", ())
    assert (declaration.declares, declaration.event_id) == (erroneous.digest, None)
    assert opened["errorDeclaration"]["reason"] == "did_not_occur"
    assert core["bizStep"] == "inspecting"
    assert core["items"]["root"] != stored_header(erroneous.header).core["items"]["root"], "with salts of its own"
    state = packed.client.get(f"/events/{quote(seen['eventID'], safe='')}", headers=packed.keys["auditor"]).json()
    assert state["digest"] == seen["digest"]
    assert state["declared"] == {
        "digest": entry["digest"],
        "time": DECLARED,
        "reason": "did_not_occur",
        "corrections": [],
    }


def test_it_is_found_by_its_id_as_well_as_by_its_content(packed: Shop) -> None:
    named = inspecting(PACKS[3], eventID="urn:uuid:seen")
    (seen,) = accepted(packed, named)
    assert "no such event" in refused(packed, declared(inspecting(PACKS[3]))), "without its ID it is another"
    (entry,) = accepted(packed, declared(named, "incorrect_data"))
    assert entry["declares"] == seen["digest"]


def test_what_replaces_it_may_be_known_or_come_after_it_in_the_document(packed: Shop) -> None:
    wrong, right = inspecting(PACKS[2], eventID="urn:uuid:1"), inspecting(PACKS[3], eventID="urn:uuid:2")
    also = inspecting(PACKS[0], eventID="urn:uuid:3")
    accepted(packed, wrong, also)
    declaration = declared(wrong, "incorrect_data", "urn:uuid:2", "urn:uuid:3")
    entries = accepted(packed, declaration, right)
    assert [entry.get("declares") is not None for entry in entries] == [True, False], "in the document's order"
    with packed.gateway.database.read() as session:
        by_id = {event.event_id: event.digest for event in events(session)}
        said = declaration_of(stored_header(events(session)[-1].header).core)
    assert said is not None
    assert set(said.corrections) == {by_id["urn:uuid:2"], by_id["urn:uuid:3"]}


def test_declaring_it_twice_is_declaring_it_once(packed: Shop) -> None:
    erroneous, right = inspecting(PACKS[3], eventID="urn:uuid:1"), inspecting(PACKS[2], eventID="urn:uuid:2")
    accepted(packed, erroneous, right)
    (first,) = accepted(packed, declared(erroneous))
    before = packed.rows()
    for again in (declared(erroneous), declared(erroneous, declarationTime="2026-01-07T08:00:00.000Z")):
        (entry,) = accepted(packed, again)
        assert entry == first | {"alreadyCaptured": True}
    assert packed.rows() == before
    assert "with another reason" in refused(packed, declared(erroneous, "incorrect_data"))
    assert "with another reason" in refused(packed, declared(erroneous, "did_not_occur", "urn:uuid:2"))
    both = accepted(
        packed,
        declared(packing(CASE, PACKS[:2], eventID="urn:uuid:packing")),
        declared(packing(CASE, PACKS[:2], eventID="urn:uuid:packing")),
    )
    assert [entry.get("alreadyCaptured", False) for entry in both] == [False, True]


def test_who_sends_the_erroneous_event_again_is_told_that_it_is_declared_so(packed: Shop) -> None:
    erroneous = inspecting(PACKS[3])
    accepted(packed, erroneous, declared(erroneous))
    again = accepted(packed, erroneous, declared(erroneous))
    assert [entry["alreadyCaptured"] for entry in again] == [True, True]
    assert [entry.get("declaredErroneous", False) for entry in again] == [True, False]


def test_each_declares_what_is_its_own_to_record(packed: Shop) -> None:
    wrong = packing(CASE, PACKS[:2], eventID="urn:uuid:packing")
    answer = packed.send(document(declared(wrong)), role="dispenser")
    assert answer.status_code == 403
    assert packed.send(document(declared(wrong)), role="line").status_code == 202


# ---- what is taken back ----


def test_a_unit_that_should_not_have_been_filled_is_emptied_here_and_on_chain(packed: Shop) -> None:
    """In one document: what was wrong, and the same packs in another unit."""
    wrong = packing(CASE, PACKS[:2], eventID="urn:uuid:packing")
    right = packing(FRESH, PACKS[1:3], eventID="urn:uuid:right")
    accepted(packed, declared(wrong, "incorrect_data", "urn:uuid:right"), right)
    assert places(packed, PACKS[0], PACKS[1], PACKS[2]) == [("HERE", None), ("HERE", FRESH), ("HERE", FRESH)]
    assert places(packed, CASE) == [("UNPACKED", None)], "its SSCC is on chain, and has ended"
    rows = packed.rows()
    assert [row[2] for row in rows["outbox"]] == ["propose", "register", "unpack", "register"]
    with packed.gateway.database.read() as session:
        emptying = next(event for event in events(session) if event.action == "DELETE")
    assert (emptying.type, emptying.biz_step, emptying.parent) == ("AggregationEvent", None, CASE)


def test_a_packing_is_declared_after_its_unit_was_opened_too(packed: Shop) -> None:
    accepted(packed, unpacking(CASE))
    outbox = packed.rows()["outbox"]
    accepted(packed, declared(packing(CASE, PACKS[:2], eventID="urn:uuid:packing")))
    assert packed.rows()["outbox"] == outbox, "it was empty"


def test_an_sscc_that_was_only_named_is_unknown_again(packed: Shop) -> None:
    named = an_event("ObjectEvent", "ADD", "commissioning", epcList=[FRESH])
    accepted(packed, named, declared(named))
    assert places(packed, FRESH) == [("UNKNOWN", None)]
    accepted(packed, packing(FRESH, PACKS[2:]))


def test_goods_that_did_not_come_are_not_in_quarantine(packed: Shop) -> None:
    accepted(packed, receiving(PALLET))
    assert places(packed, PALLET) == [("QUARANTINED", None)]
    accepted(packed, declared(receiving(PALLET)))
    assert places(packed, PALLET) == [("UNKNOWN", None)]
    accepted(packed, receiving(PALLET, eventTime="2026-01-08T08:00:00.000Z"))
    assert places(packed, PALLET) == [("QUARANTINED", None)]


def test_a_shipment_that_was_cancelled_is_declared(packed: Shop) -> None:
    wrong = shipping([CASE], PARTNER_GLN)
    accepted(packed, wrong)
    assert "cancel it" in refused(packed, declared(wrong))
    with packed.gateway.database.write() as session:  # as when the chain had the cancellation
        session.execute(update(ShippedUnit).values(goods=Goods.CANCELLED))
        session.execute(update(LogisticUnit).values(place=int(Place.HERE)))
    accepted(packed, declared(wrong))


# ---- what is refused ----


def test_the_chain_is_not_undone(packed: Shop) -> None:
    made = commissioning(PACKS)
    assert "withdraw the batch before it is released, recall the lot after" in refused(packed, declared(made))
    assert "recall the lot" in refused(packed, declared(made, "incorrect_data"))
    opened, taken = unpacking(CASE), unpacking(CASE, PACKS[:1])
    accepted(packed, taken, opened)
    assert "another unit instead" in refused(packed, declared(taken))
    assert "another unit instead" in refused(packed, declared(opened))
    dispensing = an_event("ObjectEvent", "OBSERVE", "dispensing", epcList=PACKS[:1])
    assert "reverse it" in refused(packed, declared(dispensing))
    voided = an_event("ObjectEvent", "OBSERVE", "void_shipping", epcList=[CASE])
    assert "ship them again" in refused(packed, declared(voided))


def test_what_others_stand_on_is_not_taken_away(packed: Shop) -> None:
    wrong = packing(CASE, PACKS[:2], eventID="urn:uuid:packing")
    named = an_event("ObjectEvent", "ADD", "commissioning", epcList=[FRESH])
    accepted(packed, named, packing(FRESH, [CASE]))
    assert "was used since" in refused(packed, declared(named))
    assert f"inside {FRESH}: take it out first" in refused(packed, declared(wrong))
    accepted(packed, unpacking(FRESH, [CASE]), shipping([CASE], PARTNER_GLN))
    assert "cancel its shipment" in refused(packed, declared(wrong))


def test_goods_that_the_chain_has_as_received_are_not_declared_away(packed: Shop) -> None:
    accepted(packed, receiving(PALLET))
    with packed.gateway.database.write() as session:  # as when its data had come
        session.execute(update(LogisticUnit).where(LogisticUnit.uri == PALLET).values(place=int(Place.HERE)))  # type: ignore[arg-type]
    assert "ship it back" in refused(packed, declared(receiving(PALLET)))


def test_only_what_was_recorded_here_and_as_it_was_recorded(packed: Shop) -> None:
    assert "only who recorded an event" in refused(packed, declared(inspecting(PACKS[3])))
    seen = inspecting(PACKS[3], eventID="urn:uuid:1")
    other = inspecting(PACKS[2], eventID="urn:uuid:1")
    accepted(packed, seen)
    assert "is another" in refused(packed, declared(other), field="eventID")
    # Before the event, in one document, there is nothing yet that could be wrong.
    late = inspecting(PACKS[2], eventID="urn:uuid:2")
    before = packed.rows()
    assert packed.send(document(declared(late), late)).status_code == 409
    assert packed.rows() == before


def test_what_stands_in_its_place_is_known_and_another(packed: Shop) -> None:
    seen = inspecting(PACKS[3], eventID="urn:uuid:1")
    accepted(packed, seen)
    path = "errorDeclaration.correctiveEventIDs[0]"
    assert "was not recorded here" in refused(packed, declared(seen, None, "urn:uuid:none"), field=path)
    assert "its own place" in refused(packed, declared(seen, None, "urn:uuid:1"), field=path)
    with packed.gateway.database.read() as session:
        made = events(session)[0].event_id
    assert made is not None
    assert "commissioned once" in refused(packed, declared(seen, None, made), field=path)


def test_a_declaration_from_tomorrow_or_without_end_is_refused(packed: Shop) -> None:
    seen = inspecting(PACKS[3])
    accepted(packed, seen)
    tomorrow = declared(seen, declarationTime="2099-01-01T00:00:00.000Z")
    assert "clock" in refused(packed, tomorrow, field="errorDeclaration.declarationTime", status=400)
    many = declared(seen, None, *(f"urn:uuid:{number}" for number in range(65)))
    refused(packed, many, field="errorDeclaration.correctiveEventIDs", status=400)
