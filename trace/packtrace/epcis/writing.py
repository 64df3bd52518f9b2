"""Events as EPCIS 2.0 JSON-LD. What is written reads back as the same event, with the same hash."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from packtrace.epcis.context import GS1_CONTEXT, GS1_PREFIXES
from packtrace.epcis.model import ErrorDeclaration, Event, Quantity, Typed


def to_json(event: Event) -> dict[str, Any]:
    """`event` as a JSON object that stands on its own: with its ``@context``."""
    names = _Names([event])
    return {"@context": names.context(), **_event(event, names)}


def document(events: list[Event], *, creation_date: datetime | None = None) -> dict[str, Any]:
    """An EPCISDocument of `events`, created now unless another time is given."""
    names = _Names(events)
    created = (creation_date or datetime.now(UTC)).astimezone(UTC)
    return {
        "@context": names.context(),
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": created.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z",
        "epcisBody": {"eventList": [_event(event, names) for event in events]},
    }


class _Names:
    """Prefixes for the namespaces in some events: GS1's own where they fit, else ext1, ext2, …"""

    def __init__(self, events: Iterable[Event]) -> None:
        self._prefixes = {namespace: prefix for prefix, namespace in GS1_PREFIXES.items()}
        self._taken: set[str] = set()
        self._declared: dict[str, str] = {}
        namespaces: set[str] = set()
        for event in events:
            for part in _open_parts(event):
                self._collect(part, namespaces)
        self._taken |= {namespace.partition(":")[0] for namespace in namespaces}
        number = 0
        for namespace in sorted(namespaces - set(self._prefixes)):
            number += 1
            while f"ext{number}" in self._taken:
                number += 1
            self._prefixes[namespace] = f"ext{number}"
            self._declared[f"ext{number}"] = namespace

    def context(self) -> list[Any]:
        return [GS1_CONTEXT, self._declared] if self._declared else [GS1_CONTEXT]

    def written(self, value: Any) -> Any:
        """`value` with its expanded names shortened."""
        if isinstance(value, dict):
            return {self._name(name): self.written(entry) for name, entry in value.items()}
        if isinstance(value, list):
            return [self.written(entry) for entry in value]
        return value

    def _name(self, name: str) -> str:
        if not name.startswith("{"):
            return name
        namespace, _, local = name[1:].partition("}")
        return f"{self._prefixes[namespace]}:{local}"

    def _collect(self, value: Any, namespaces: set[str]) -> None:
        if isinstance(value, dict):
            for name, entry in value.items():
                if name.startswith("{"):
                    namespaces.add(name[1:].partition("}")[0])
                self._collect(entry, namespaces)
        elif isinstance(value, list | tuple):
            for entry in value:
                self._collect(entry, namespaces)
        elif isinstance(value, str):
            # A prefix that begins some value would make a reader take that value for a compact URI.
            self._taken.add(value.partition(":")[0])


def _open_parts(event: Event) -> list[Any]:
    """Everything in an event that a sender may fill freely."""
    declaration = event.error_declaration
    typed = (*event.biz_transactions, *event.sources, *event.destinations)
    return [
        event.biz_step,
        event.disposition,
        event.read_point,
        event.read_point_extensions,
        event.biz_location,
        event.biz_location_extensions,
        event.parent,
        [uri for uri in (*event.epcs, *event.children) if not uri.startswith(("https:", "urn:"))],
        [quantity.epc_class for quantity in event.quantities],
        [text for entry in typed for text in (entry.type, entry.id)],
        list((event.persistent_disposition or {}).values()),
        event.ilmd,
        event.sensor_elements,
        event.extensions,
        [declaration.reason, declaration.extensions] if declaration else [],
    ]


def _event(event: Event, names: _Names) -> dict[str, Any]:
    is_object = event.type == "ObjectEvent"
    disposition = event.persistent_disposition
    quantities = [_quantity(quantity) for quantity in event.quantities]
    fields: dict[str, Any] = {
        "type": event.type,
        "eventID": event.event_id,
        "eventTime": event.event_time,
        "eventTimeZoneOffset": event.event_time_zone_offset,
        "recordTime": event.record_time,
        "certificationInfo": list(event.certification_info),
        "errorDeclaration": event.error_declaration and _declaration(event.error_declaration, names),
        "epcList": event.epcs,
        "parentID": event.parent,
        "childEPCs": event.children,
        "quantityList" if is_object else "childQuantityList": quantities,
        "action": event.action,
        "bizStep": event.biz_step,
        "disposition": event.disposition,
        "persistentDisposition": disposition and {part: list(words) for part, words in disposition.items()},
        "readPoint": event.read_point and {"id": event.read_point, **names.written(event.read_point_extensions)},
        "bizLocation": event.biz_location
        and {"id": event.biz_location, **names.written(event.biz_location_extensions)},
        "bizTransactionList": [_typed(entry, "bizTransaction") for entry in event.biz_transactions],
        "sourceList": [_typed(entry, "source") for entry in event.sources],
        "destinationList": [_typed(entry, "destination") for entry in event.destinations],
        "sensorElementList": names.written(list(event.sensor_elements)),
        "ilmd": names.written(event.ilmd),
    }
    present = {key: value for key, value in fields.items() if value not in (None, [], {})}
    return {**present, **names.written(event.extensions)}


def _declaration(declaration: ErrorDeclaration, names: _Names) -> dict[str, Any]:
    fields = {
        "declarationTime": declaration.declaration_time,
        "reason": declaration.reason,
        "correctiveEventIDs": list(declaration.corrective_event_ids),
    }
    present = {key: value for key, value in fields.items() if value}
    return {**present, **names.written(declaration.extensions)}


def _quantity(quantity: Quantity) -> dict[str, Any]:
    written: dict[str, Any] = {"epcClass": quantity.epc_class}
    if quantity.quantity is not None:
        written["quantity"] = float(quantity.quantity) if "." in quantity.quantity else int(quantity.quantity)
    if quantity.uom is not None:
        written["uom"] = quantity.uom
    return written


def _typed(entry: Typed, key: str) -> dict[str, str]:
    return {"type": entry.type, key: entry.id} if entry.type else {key: entry.id}
