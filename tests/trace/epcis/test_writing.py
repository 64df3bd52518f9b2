"""What is written reads back as the same event, with the same hash."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrace.commit import items
from packtrace.commit.event import Ledger, commit, event_of
from packtrace.epcis import (
    ErrorDeclaration,
    Event,
    Quantity,
    Typed,
    document,
    event_hash,
    read_document,
    read_event,
    to_json,
)
from packtrace.epcis.context import GS1_CONTEXT, GS1_PREFIXES
from packtrace.epcis.values import MAX_NUMBER
from packtrace.epcis.vocabulary import (
    BIZ_STEP,
    BIZ_TRANSACTION,
    DISPOSITION,
    ERROR_REASON,
    MEASUREMENT,
    SOURCE_DESTINATION,
    Vocabulary,
)
from packtrace.gs1 import pgln_uri, sgln_uri, sgtin_uri, sscc_uri

Json = dict[str, Any]

serials = st.text("ABCxyz019-_.()*+,:;'\"!%&/<>=?", min_size=1, max_size=20)
packs = serials.map(lambda serial: sgtin_uri("04012345123456", serial))
cases = st.sampled_from(["040123450000003338", "040123450000001112"]).map(sscc_uri)
places = st.builds(sgln_uri, st.just("4012345000054"), st.none() | serials)
parties = st.sampled_from(["4012345000009", "0614141007776"]).map(pgln_uri)
lots = serials.map(lambda lot: sgtin_uri("04012345123456", lot).replace("/21/", "/10/"))
uris = st.from_regex(r"(ext1|ext2|https://x\.example|urn:x):[a-z0-9/]{1,20}", fullmatch=True)
times = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)).map(
    lambda time: time.isoformat(timespec="milliseconds") + "Z"
)

namespaces = st.sampled_from(
    [
        "urn:epcglobal:cbv:mda:",
        "https://ns.example.com/epcis/",
        "https://ns.example.com/epcis",
        "urn:x:",
        "ext2:x:",
        "http://a/b#",
    ]
)
names = st.builds("{{{}}}{}".format, namespaces, st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True))
# A text that GS1's own context would take for a compact URI cannot come from a document: it is written out there.
texts = (st.text(max_size=20) | uris).filter(lambda text: text.partition(":")[0] not in GS1_PREFIXES)
numbers = st.integers(-MAX_NUMBER, MAX_NUMBER) | st.floats(-MAX_NUMBER, MAX_NUMBER)
scalars = texts | numbers | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: (
        st.dictionaries(names, inner, max_size=3)
        | st.lists(inner.filter(lambda one: not isinstance(one, list)), max_size=3)
    ),
    max_leaves=8,
)
extensions = st.dictionaries(names, values, max_size=3)


def words(vocabulary: Vocabulary) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(vocabulary.words)) | uris


def typed(vocabulary: Vocabulary, found: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[Typed, ...]]:
    return st.lists(st.builds(Typed, type=words(vocabulary), id=found), max_size=2).map(tuple)


weights = st.floats(0.001, 1e6).map(lambda weight: f"{weight:.3f}".rstrip("0").rstrip("."))
quantities = st.lists(
    st.builds(Quantity, epc_class=lots)
    | st.builds(Quantity, epc_class=lots, quantity=st.integers(1, MAX_NUMBER).map(str))
    | st.builds(Quantity, epc_class=lots, quantity=weights, uom=st.sampled_from(["KGM", "A93"])),
    max_size=2,
).map(tuple)
reports = st.builds(
    lambda standard, others: {**standard, **others},
    st.fixed_dictionaries(
        {"type": words(MEASUREMENT)},
        optional={"value": numbers, "time": times, "booleanValue": st.booleans(), "uom": texts},
    ),
    extensions,
)
sensor_elements = st.fixed_dictionaries(
    {"sensorReport": st.lists(reports, min_size=1, max_size=2)},
    optional={"sensorMetadata": st.fixed_dictionaries({"time": times}), "{urn:x:}note": texts},
)
declarations = st.builds(
    ErrorDeclaration,
    declaration_time=times,
    reason=st.none() | words(ERROR_REASON),
    corrective_event_ids=st.lists(uris, max_size=2).map(tuple),
    extensions=extensions,
)
located = st.tuples(places, extensions) | st.just((None, {}))


@st.composite
def events(draw: st.DrawFn) -> Event:
    point, point_extensions = draw(located)
    location, location_extensions = draw(located)
    is_object = draw(st.booleans())
    action = draw(st.sampled_from(["ADD", "OBSERVE", "DELETE"]))
    items = draw(st.lists(packs, min_size=1, max_size=5, unique=True))
    return Event(
        type="ObjectEvent" if is_object else "AggregationEvent",
        action=action,
        event_time=draw(times),
        event_time_zone_offset=draw(st.sampled_from(["+00:00", "-06:00", "+14:00"])),
        event_id=draw(st.none() | uris),
        record_time=draw(st.none() | st.just("2100-01-01T00:00:00.000Z")),
        biz_step=draw(st.none() | words(BIZ_STEP)),
        disposition=draw(st.none() | words(DISPOSITION)),
        read_point=point,
        read_point_extensions=point_extensions,
        biz_location=location,
        biz_location_extensions=location_extensions,
        epcs=items if is_object else [],
        children=[] if is_object else items,
        parent=None if is_object else draw(cases),
        quantities=draw(quantities),
        biz_transactions=draw(typed(BIZ_TRANSACTION, uris)),
        sources=draw(typed(SOURCE_DESTINATION, parties)),
        destinations=draw(typed(SOURCE_DESTINATION, places)),
        persistent_disposition=draw(st.none() | st.just({"set": ("active", "damaged")})) if is_object else None,
        ilmd=draw(extensions) if is_object and action == "ADD" else {},
        sensor_elements=tuple(draw(st.lists(sensor_elements, max_size=2))),
        certification_info=tuple(draw(st.lists(uris, max_size=2))),
        error_declaration=draw(st.none() | declarations),
        extensions=draw(extensions),
    )


@settings(max_examples=80, deadline=None)
@given(event=events())
def test_written_event_reads_back_as_it_was(event: Event) -> None:
    (read,) = read_document(orjson.dumps(to_json(event))).events
    assert read == event
    assert event_hash(read) == event_hash(event)


@settings(max_examples=80, deadline=None)
@given(event=events())
def test_committed_event_is_read_back_from_its_header_and_items(event: Event) -> None:
    """Whole, but for the order of its items and its record time, which the gateway's own replaces."""
    secret = bytes(32)
    tree = items.build(items.items_of(event), secret)
    committed = commit(
        event, tree, ledger=Ledger(party=7), record_time="2026-11-23T08:00:00.000Z", cbv_hash="ni:///x", secret=secret
    )
    again = event_of(committed.header, tree.uris)
    ordered = replace(event, epcs=sorted(event.epcs), children=sorted(event.children), record_time=None)
    assert again == ordered
    assert event_hash(again) == event_hash(event)


@settings(max_examples=15, deadline=None)
@given(written=st.lists(events(), max_size=3))
def test_written_document_reads_back_as_it_was(written: list[Event]) -> None:
    created = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
    read = read_document(orjson.dumps(document(written, creation_date=created)))
    assert read.events == written
    assert read.creation_date == "2026-11-23T07:00:00.000Z"


@pytest.mark.standards
def test_gs1s_examples_are_written_as_they_were_read(gs1_documents: dict[str, Json]) -> None:
    for name, given_document in gs1_documents.items():
        for event in read_document(orjson.dumps(given_document)).events:
            again = read_event(to_json(event))
            assert again == event, name
            assert event_hash(again) == event_hash(event), name


def test_event_is_written_with_bare_words_and_the_prefixes_that_it_needs(commissioning: Json) -> None:
    commissioning |= {"example:a": {"example:b": "1"}, "recordTime": "2026-11-23T05:35:16Z"}
    assert to_json(read_event(commissioning)) == {
        "@context": [GS1_CONTEXT, {"ext1": "https://ns.example.com/epcis/"}],
        "type": "ObjectEvent",
        "eventTime": "2026-11-23T05:35:15.000Z",
        "eventTimeZoneOffset": "+01:00",
        "recordTime": "2026-11-23T05:35:16.000Z",
        "epcList": ["https://id.gs1.org/01/04012345123456/21/S1", "https://id.gs1.org/01/04012345123456/21/S2"],
        "action": "ADD",
        "bizStep": "commissioning",
        "disposition": "active",
        "readPoint": {"id": "https://id.gs1.org/414/4012345000054"},
        "ilmd": {"cbvmda:lotNumber": "L-1", "cbvmda:itemExpirationDate": "2029-12-31"},
        "ext1:a": {"ext1:b": "1"},
    }


def test_event_without_extensions_needs_gs1s_context_only(packing: Json) -> None:
    assert to_json(read_event(packing))["@context"] == [GS1_CONTEXT]


def test_document_is_created_now_unless_told_otherwise(
    wrap: Callable[..., Json], commissioning: Json, packing: Json
) -> None:
    events_read = read_document(orjson.dumps(wrap(commissioning, packing))).events
    created = datetime.fromisoformat(document(events_read)["creationDate"])
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60
