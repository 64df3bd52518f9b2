"""Documents and events to start from."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packtrace.epcis.context import GS1_CONTEXT

Json = dict[str, Any]
READ_TYPES = ("ObjectEvent", "AggregationEvent")

COMMISSIONING: Json = {
    "@context": [GS1_CONTEXT, {"example": "https://ns.example.com/epcis/"}],
    "type": "ObjectEvent",
    "action": "ADD",
    "eventTime": "2026-11-23T05:35:15Z",
    "eventTimeZoneOffset": "+01:00",
    "bizStep": "commissioning",
    "disposition": "active",
    "readPoint": {"id": "urn:epc:id:sgln:4012345.00005.0"},
    "epcList": ["urn:epc:id:sgtin:4012345.012345.S1", "urn:epc:id:sgtin:4012345.012345.S2"],
    "ilmd": {"cbvmda:lotNumber": "L-1", "cbvmda:itemExpirationDate": "2029-12-31"},
}

PACKING: Json = {
    "@context": GS1_CONTEXT,
    "type": "AggregationEvent",
    "action": "ADD",
    "eventTime": "2026-11-23T06:00:00.000+01:00",
    "eventTimeZoneOffset": "+01:00",
    "bizStep": "packing",
    "readPoint": {"id": "urn:epc:id:sgln:4012345.00005.0"},
    "parentID": "urn:epc:id:sscc:4012345.0000000333",
    "childEPCs": ["urn:epc:id:sgtin:4012345.012345.S1", "urn:epc:id:sgtin:4012345.012345.S2"],
}


@pytest.fixture
def commissioning() -> Json:
    """A commissioning event of two packs; the test's own copy."""
    return copy.deepcopy(COMMISSIONING)


@pytest.fixture
def packing() -> Json:
    """An aggregation of two packs into a case; the test's own copy."""
    return copy.deepcopy(PACKING)


@pytest.fixture
def wrap() -> Callable[..., Json]:
    """Makes an EPCISDocument of events that have their own context."""

    def make(*events: Json) -> Json:
        return {
            "@context": GS1_CONTEXT,
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2026-11-23T07:00:00Z",
            "epcisBody": {"eventList": list(events)},
        }

    return make


@pytest.fixture(scope="session")
def gs1_documents(standards: Path) -> dict[str, Json]:
    """GS1's own JSON documents and events that hold the two event types only, by file name."""
    folder = standards / "epcis"
    found = {}
    for path in [*folder.glob("examples-json/**/*.jsonld"), *folder.glob("json-schema/test/*.json")]:
        given = json.loads(path.read_text())
        events = given["epcisBody"].get("eventList", []) if "epcisBody" in given else [given]
        if events and all(event["type"] in READ_TYPES for event in events):
            found[path.name] = given
    return found
