"""The EPCIS documents that the companies' own systems send to their gateways."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from packtrace_gateway.demo.companies import Company

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"


def document(*events: dict[str, Any]) -> dict[str, Any]:
    """An EPCIS 2.0 document with these events."""
    return {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": now(),
        "epcisBody": {"eventList": list(events)},
    }


def commissioning(company: Company, packs: Sequence[str], lot: str, expiry: str) -> dict[str, Any]:
    fields = {
        "epcList": list(packs),
        "ilmd": {"cbvmda:lotNumber": lot, "cbvmda:itemExpirationDate": expiry},
    }
    return _event(company, "ObjectEvent", "ADD", "commissioning", "active") | fields


def packing(company: Company, parent: str, children: Sequence[str]) -> dict[str, Any]:
    fields = {"parentID": parent, "childEPCs": list(children)}
    return _event(company, "AggregationEvent", "ADD", "packing", "in_progress") | fields


def unpacking(company: Company, parent: str, children: Sequence[str] = ()) -> dict[str, Any]:
    """Take `children` out, or, without any, unpack the whole."""
    fields = {"parentID": parent, "childEPCs": list(children)}
    return _event(company, "AggregationEvent", "DELETE", "unpacking", "in_progress") | fields


def shipping(company: Company, receiver: Company, units: Sequence[str]) -> dict[str, Any]:
    fields = {
        "epcList": list(units),
        "destinationList": [{"type": "possessing_party", "destination": f"https://id.gs1.org/417/{receiver.gln}"}],
        "sourceList": [{"type": "possessing_party", "source": f"https://id.gs1.org/417/{company.gln}"}],
    }
    return _event(company, "ObjectEvent", "OBSERVE", "shipping", "in_transit") | fields


def receiving(company: Company, units: Sequence[str]) -> dict[str, Any]:
    return _event(company, "ObjectEvent", "OBSERVE", "receiving", "in_progress") | {"epcList": list(units)}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event(company: Company, kind: str, action: str, step: str, disposition: str) -> dict[str, Any]:
    return {
        "type": kind,
        "action": action,
        "eventTime": now(),
        "eventTimeZoneOffset": "+00:00",
        "bizStep": step,
        "disposition": disposition,
        "readPoint": {"id": f"https://id.gs1.org/414/{company.gln}"},
    }
