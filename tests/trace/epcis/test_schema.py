"""Our verdict beside that of GS1's JSON Schema: whatever the schema refuses is refused here.

The one difference the other way is on purpose: words of the Core Business Vocabulary written as URIs of GS1, which the
schema wants bare.
"""

import copy
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packtrace.epcis import read_document
from packtrace.epcis.context import GS1_CONTEXT
from packtrace.errors import DocumentError

Json = dict[str, Any]
pytestmark = pytest.mark.standards

FORMATS = jsonschema.FormatChecker(formats=())
RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


@FORMATS.checks("uri")
def is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(
        re.fullmatch(r"[A-Za-z][\w+.-]*:(%[0-9A-Fa-f]{2}|[^\s<>\"{}|\\^`%])+", value, re.A)
    )


@FORMATS.checks("date-time", raises=ValueError)
def is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not RFC3339.fullmatch(value):
        return False
    datetime.fromisoformat(re.sub(r"\.\d+", "", value).upper())
    return True


@pytest.fixture(scope="session")
def schema(standards: Path) -> jsonschema.Draft7Validator:
    whole = json.loads((standards / "epcis" / "EPCIS-JSON-Schema.json").read_text())
    return jsonschema.Draft7Validator(whole, format_checker=FORMATS)


@pytest.fixture(scope="session")
def starts(gs1_documents: dict[str, Json]) -> list[Json]:
    """GS1's documents, which both accept; two of them use every field."""
    return [document for _, document in sorted(gs1_documents.items())]


def accepted(document: Any) -> bool:
    try:
        read_document(orjson.dumps(document))
    except DocumentError:
        return False
    return True


def test_both_accept_gs1s_documents(schema: jsonschema.Draft7Validator, starts: list[Json]) -> None:
    assert all(schema.is_valid(document) for document in starts)
    assert all(accepted(document) for document in starts)


ODD_VALUES: list[Any] = [
    None,
    True,
    0,
    -1.5,
    "",
    "word",
    "two words",
    "shipping",
    "urn:x:1",
    "urn:epc:id:sgtin:4012345.012345.S1",
    "2026-11-23T05:35:15Z",
    "2026-11-23T05:35:15",
    "+01:00",
    "ADD",
    "OBSERVE",
    [],
    {},
    ["urn:x:1", "urn:x:1"],
    {"id": "urn:x:1"},
    {"id": "here"},
    [{"type": "po"}],
    [{"epcClass": "urn:x:1", "quantity": "1"}],
    [{"sensorReport": []}],
]
NAMES = [
    "id",
    "type",
    "epcList",
    "parentID",
    "ilmd",
    "quantityList",
    "colour",
    "example:colour",
    "set",
    "uom",
    "comment",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside `value`."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, entry in entries for place in [(*path, key), *places(entry, (*path, key))]]


@st.composite
def spoiled(draw: st.DrawFn, document: Json) -> Json:
    """`document` with one to three fields taken out, changed or added."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(document) or [()]))
        if not path:
            return document
        odd = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        change = draw(st.sampled_from(["drop", "replace", "add"]))
        if change == "drop":
            del holder[path[-1]]
        elif change == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(NAMES))] = odd
        else:
            holder[path[-1]] = odd
    return document


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_what_the_schema_refuses_is_refused(
    schema: jsonschema.Draft7Validator, starts: list[Json], data: st.DataObject
) -> None:
    document = data.draw(spoiled(data.draw(st.sampled_from(starts))))
    if not schema.is_valid(document):
        assert not accepted(document)


BEYOND_THE_SCHEMA: dict[str, Json] = {
    "unknown word in GS1's namespace": {"bizStep": "https://ref.gs1.org/cbv/BizStep-foo"},
    "word of another list": {"disposition": "https://ref.gs1.org/cbv/BizStep-packing"},
    "undeclared prefix": {"ilmd": {"nobody:lotNumber": "L-1"}},
    "nested field without a namespace": {"ilmd": {"example:a": {"lotNumber": "L-1"}}},
    "wrong check digit": {"epcList": ["https://id.gs1.org/01/04012345123457/21/1"]},
    "one EPC in two spellings": {
        "epcList": ["urn:epc:id:sgtin:4012345.012345.S1", "https://id.gs1.org/01/04012345123456/21/S1"]
    },
    "lot as an object": {"epcList": ["urn:epc:class:lgtin:4012345.012345.L-1"]},
    "empty event": {"epcList": []},
    "recorded before it happened": {"recordTime": "2020-01-01T00:00:00Z"},
    "number that not every reader holds": {"example:a": 2**60},
    "fetched context": {"@context": [GS1_CONTEXT, "https://evil.example/context.jsonld"]},
}


@pytest.mark.parametrize("fields", BEYOND_THE_SCHEMA.values(), ids=BEYOND_THE_SCHEMA)
def test_what_the_schema_misses_is_refused(
    schema: jsonschema.Draft7Validator, commissioning: Json, fields: Json
) -> None:
    assert schema.is_valid({**commissioning, **fields})
    assert not accepted({**commissioning, **fields})


@pytest.mark.parametrize(
    "step", ["urn:epcglobal:cbv:bizstep:commissioning", "https://ns.gs1.org/cbv/BizStep-commissioning"]
)
def test_gs1s_own_words_as_uris_are_read_although_the_schema_wants_them_bare(
    schema: jsonschema.Draft7Validator, commissioning: Json, step: str
) -> None:
    assert not schema.is_valid({**commissioning, "bizStep": step})
    assert accepted({**commissioning, "bizStep": step})
