"""Documents and events read: GS1's own, and every spelling that means the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.epcis import Event, Quantity, Typed, read_document, read_event
from packtrace.epcis.context import GS1_CONTEXT, Context
from packtrace.epcis.values import decimal_text, moment
from packtrace.errors import DocumentError

Json = dict[str, Any]
LOT = "{urn:epcglobal:cbv:mda:}lotNumber"


@pytest.mark.standards
def test_gs1s_examples_of_both_types_are_read(gs1_documents: dict[str, Json]) -> None:
    assert len(gs1_documents) > 25
    for name, given_document in gs1_documents.items():
        events = given_document["epcisBody"]["eventList"] if "epcisBody" in given_document else [given_document]
        document = read_document(orjson.dumps(given_document))
        assert [event.type for event in document.events] == [event["type"] for event in events], name


def test_object_event_is_typed(commissioning: Json) -> None:
    commissioning |= {
        "eventID": "urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8",
        "recordTime": "2026-11-23T05:35:16Z",
        "bizLocation": {"id": "https://id.example.com/414/4012345000054/254/7", "example:gate": 3},
        "quantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.L-1", "quantity": 2.50, "uom": "KGM"}],
        "bizTransactionList": [{"bizTransaction": "http://transaction.acme.com/po/1"}],
        "sourceList": [{"type": "possessing_party", "source": "urn:epc:id:pgln:4012345.00225"}],
        "example:list": [True, 1.0, {"example:in": "x"}],
    }
    assert read_event(commissioning) == Event(
        type="ObjectEvent",
        action="ADD",
        event_time="2026-11-23T05:35:15.000Z",
        event_time_zone_offset="+01:00",
        event_id="urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8",
        record_time="2026-11-23T05:35:16.000Z",
        biz_step="commissioning",
        disposition="active",
        read_point="https://id.gs1.org/414/4012345000054",
        biz_location="https://id.gs1.org/414/4012345000054/254/7",
        biz_location_extensions={"{https://ns.example.com/epcis/}gate": 3},
        epcs=["https://id.gs1.org/01/04012345123456/21/S1", "https://id.gs1.org/01/04012345123456/21/S2"],
        quantities=(Quantity(epc_class="https://id.gs1.org/01/04012345123456/10/L-1", quantity="2.5", uom="KGM"),),
        biz_transactions=(Typed(type=None, id="http://transaction.acme.com/po/1"),),
        sources=(Typed(type="possessing_party", id="https://id.gs1.org/417/4012345002256"),),
        ilmd={LOT: "L-1", "{urn:epcglobal:cbv:mda:}itemExpirationDate": "2029-12-31"},
        extensions={"{https://ns.example.com/epcis/}list": [True, 1, {"{https://ns.example.com/epcis/}in": "x"}]},
    )


def test_aggregation_event_is_typed(packing: Json) -> None:
    event = read_event(packing)
    assert event.parent == "https://id.gs1.org/00/040123450000003338"
    assert event.children == [
        "https://id.gs1.org/01/04012345123456/21/S1",
        "https://id.gs1.org/01/04012345123456/21/S2",
    ]
    assert event.epcs == []
    assert event.event_time == "2026-11-23T05:00:00.000Z"


def test_document_says_who_sent_it(wrap: Callable[..., Json], commissioning: Json, packing: Json) -> None:
    whole = wrap(commissioning, packing) | {
        "id": "https://id.example.org/document1",
        "sender": "urn:epc:id:sgln:0353579.00001.0",
        "receiver": "urn:epc:id:sgln:5012345.00001.0",
        "instanceIdentifier": "1234567890",
        "epcisHeader": {},
    }
    document = read_document(orjson.dumps(whole))
    assert [event.type for event in document.events] == ["ObjectEvent", "AggregationEvent"]
    assert document.creation_date == "2026-11-23T07:00:00.000Z"
    assert document.id == "https://id.example.org/document1"
    assert document.sender == "urn:epc:id:sgln:0353579.00001.0"
    assert document.receiver == "urn:epc:id:sgln:5012345.00001.0"
    assert document.instance_identifier == "1234567890"


def test_bare_event_is_a_document_of_one(commissioning: Json) -> None:
    document = read_document(orjson.dumps(commissioning))
    assert document.events == [read_event(commissioning)]
    assert document.creation_date is None


def test_event_under_a_given_context(commissioning: Json) -> None:
    context = Context().extended(commissioning.pop("@context"), "@context")
    assert read_event(commissioning, context).ilmd[LOT] == "L-1"
    with pytest.raises(DocumentError):
        read_event(commissioning)


WORDS = [
    ("bizStep", "commissioning", "BizStep-", "bizstep"),
    ("disposition", "in_transit", "Disp-", "disp"),
]


@pytest.mark.parametrize(("field", "word", "key", "urn"), WORDS)
def test_every_spelling_of_a_word_is_the_bare_word(
    commissioning: Json, field: str, word: str, key: str, urn: str
) -> None:
    spellings = [
        word,
        f"cbv:{key}{word}",
        f"https://ref.gs1.org/cbv/{key}{word}",
        f"http://ref.gs1.org/cbv/{key}{word}",
        f"urn:epcglobal:cbv:{urn}:{word}",
    ]
    found = [read_event({**commissioning, field: spelling}) for spelling in spellings]
    assert all(event == found[0] for event in found)
    assert (found[0].biz_step if field == "bizStep" else found[0].disposition) == word


def test_words_of_others_stay_uris_and_compact_ones_are_written_out(commissioning: Json) -> None:
    own = "http://epcis.example.com/user/vocab/bizstep/exampling"
    assert read_event({**commissioning, "bizStep": own}).biz_step == own
    assert (
        read_event({**commissioning, "bizStep": "example:sorting"}).biz_step == "https://ns.example.com/epcis/sorting"
    )


@pytest.mark.parametrize(
    ("context", "key"),
    [
        ([GS1_CONTEXT], "cbvmda:lotNumber"),
        ([GS1_CONTEXT, {"cbvmda": "urn:epcglobal:cbv:mda:"}], "cbvmda:lotNumber"),
        ([GS1_CONTEXT, {"cbvmda": "urn:epcglobal:cbv:mda"}], "cbvmda:lotNumber"),
        ([{"cbvmda": "urn:epcglobal:cbv:mda"}, GS1_CONTEXT], "cbvmda:lotNumber"),
        ([GS1_CONTEXT, {"mda": "urn:epcglobal:cbv:mda"}], "mda:lotNumber"),
        (GS1_CONTEXT, "urn:epcglobal:cbv:mda:lotNumber"),
        ("https://ref.gs1.org/standards/epcis/epcis-context.jsonld", "cbvmda:lotNumber"),
        ("https://ref.gs1.org/standards/epcis/2.0.1/epcis-context.jsonld", "cbvmda:lotNumber"),
        ("https://gs1.github.io/EPCIS/epcis-context.jsonld", "cbvmda:lotNumber"),
    ],
)
def test_master_data_have_one_name(commissioning: Json, context: Any, key: str) -> None:
    event = read_event({**commissioning, "@context": context, "ilmd": {key: "L-1"}})
    assert event.ilmd == {LOT: "L-1"}


def test_contexts_of_document_and_event_add_up(wrap: Callable[..., Json], commissioning: Json) -> None:
    whole = wrap(commissioning | {"@context": {"own": "https://own.example/"}, "own:a": "1", "doc:b": "2"})
    whole["@context"] = [GS1_CONTEXT, {"doc": "https://doc.example/", "doc:b": {"@type": "xsd:integer"}}]
    (event,) = read_document(orjson.dumps(whole)).events
    assert event.extensions == {"{https://own.example/}a": "1", "{https://doc.example/}b": "2"}


def test_compact_uris_in_extensions_are_written_out_and_text_is_not(commissioning: Json) -> None:
    values = {"example:a": "example:b", "example:c": "example: text", "example:d": "12:30", "example:e": "other:b"}
    extensions = read_event({**commissioning, **values}).extensions
    assert list(extensions.values()) == ["https://ns.example.com/epcis/b", "example: text", "12:30", "other:b"]


def test_compact_uris_of_objects_are_written_out(commissioning: Json) -> None:
    event = read_event({**commissioning, "epcList": ["example:1", "urn:epc:id:sgtin:4012345.012345.S1"]})
    assert event.epcs[0] == "https://ns.example.com/epcis/1"


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2020-03-04T11:00:30.000+01:00", "2020-03-04T10:00:30.000Z"),
        ("2020-03-04T11:00:30-06:30", "2020-03-04T17:30:30.000Z"),
        ("2020-03-04T11:00:30+14:00", "2020-03-03T21:00:30.000Z"),
        ("2020-03-04t11:00:30z", "2020-03-04T11:00:30.000Z"),
        ("2005-07-11T11:30:47.0Z", "2005-07-11T11:30:47.000Z"),
        ("2023-02-02T11:04:03.1415Z", "2023-02-02T11:04:03.142Z"),
        ("2023-02-02T11:04:03.1414999Z", "2023-02-02T11:04:03.141Z"),
        ("2023-02-02T11:04:03.1405Z", "2023-02-02T11:04:03.141Z"),
        ("2023-12-31T23:59:59.9995Z", "2024-01-01T00:00:00.000Z"),
        ("0001-01-01T01:00:00+01:00", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_utc_with_milliseconds(written: str, utc: str) -> None:
    assert moment(written, "eventTime") == utc


@given(st.decimals(min_value=0, max_value=10**9, places=6))
def test_decimals_have_no_exponent_and_no_zeros_at_the_end(value: Any) -> None:
    written = decimal_text(float(value))
    assert float(written) == float(value)
    assert "e" not in written
    assert not ("." in written and written.endswith("0"))


@pytest.mark.standards
def test_the_vector_that_names_an_epc_twice_is_refused_as_a_record(standards: Path) -> None:
    data = (standards / "epcis" / "hash-vectors" / "epcisDocWithAllGS1Keys.jsonld").read_bytes()
    with pytest.raises(DocumentError) as caught:
        read_document(data)
    assert caught.value.field == "epcisBody.eventList[0].epcList[2]"
    assert len(read_document(data, unique_items=False).events[0].epcs) == 14


def test_given_json_is_left_as_it_was(commissioning: Json) -> None:
    before = json.dumps(commissioning)
    read_event(commissioning)
    assert json.dumps(commissioning) == before
