"""The EPCIS 2.0 documents of what is done by scanning. Each event has an id of its own, so it can be sent again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from packtrace.gs1 import pgln_uri, sgln_uri

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"


def receiving(gln: str, units: Sequence[str]) -> dict[str, Any]:
    """`units` (URIs of logistic units) have come to the premises `gln`."""
    return _document([_event(gln, "ObjectEvent", "OBSERVE", "receiving", "in_progress") | {"epcList": list(units)}])


def shipping(gln: str, receiver: str, units: Sequence[str]) -> dict[str, Any]:
    """`units` leave for the company with the GLN `receiver`."""
    parties = {
        "sourceList": [{"type": "possessing_party", "source": pgln_uri(gln)}],
        "destinationList": [{"type": "possessing_party", "destination": pgln_uri(receiver)}],
    }
    event = _event(gln, "ObjectEvent", "OBSERVE", "shipping", "in_transit") | {"epcList": list(units)}
    return _document([event | parties])


def packing(gln: str, parent: str, children: Sequence[str]) -> dict[str, Any]:
    fields = {"parentID": parent, "childEPCs": list(children)}
    return _document([_event(gln, "AggregationEvent", "ADD", "packing", "in_progress") | fields])


def unpacking(gln: str, parents: Sequence[str]) -> dict[str, Any]:
    """Everything is taken out of `parents`, one after the other."""
    return _document(
        [
            _event(gln, "AggregationEvent", "DELETE", "unpacking", "in_progress")
            | {"parentID": parent, "childEPCs": []}
            for parent in parents
        ]
    )


def _document(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": events[-1]["eventTime"],
        "epcisBody": {"eventList": list(events)},
    }


def _event(gln: str, kind: str, action: str, step: str, disposition: str) -> dict[str, Any]:
    return {
        "type": kind,
        "eventID": f"urn:uuid:{uuid4()}",
        "action": action,
        "eventTime": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "eventTimeZoneOffset": "+00:00",
        "bizStep": step,
        "disposition": disposition,
        "readPoint": {"id": sgln_uri(gln)},
    }
