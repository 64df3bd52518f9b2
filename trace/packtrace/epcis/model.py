"""EPCIS 2.0 events, typed (GS1 EPCIS 2.0, sections 7.2 and 7.4).

Every identifier in an event is in canonical form: GS1 Digital Link at ``https://id.gs1.org``, see `packtrace.gs1`.
Words of the Core Business Vocabulary stand as bare words (``commissioning``), all others as full URIs. Times are UTC
with milliseconds (``2026-11-23T05:35:15.000Z``). Names of extension fields are expanded: ``{namespace}localName``;
their values are strings, numbers, booleans, lists of these, or objects whose names are expanded too.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

EventType = Literal["ObjectEvent", "AggregationEvent"]
Action = Literal["ADD", "OBSERVE", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Some of a class of objects (EPCIS 2.0, 7.3.3.3); `quantity` is a decimal, without exponent or trailing zeros."""

    epc_class: str
    quantity: str | None = None
    uom: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A business transaction, source or destination: its type (a CBV word or URI, or None) and its identifier."""

    type: str | None
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDeclaration:
    """That an earlier event was wrong (EPCIS 2.0, 7.4.1.3); not part of the CBV hash."""

    declaration_time: str
    reason: str | None = None
    corrective_event_ids: tuple[str, ...] = ()
    extensions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event. `epcs` holds the objects of an ObjectEvent; `parent` and `children` those of an AggregationEvent.

    `sensor_elements` keep the names and the structure of the JSON binding; `read_point_extensions` and
    `biz_location_extensions` are what stands beside the ``id`` of these two.
    """

    type: EventType
    action: Action
    event_time: str
    event_time_zone_offset: str
    event_id: str | None = None
    record_time: str | None = None
    biz_step: str | None = None
    disposition: str | None = None
    read_point: str | None = None
    read_point_extensions: dict[str, Any] = field(default_factory=dict)
    biz_location: str | None = None
    biz_location_extensions: dict[str, Any] = field(default_factory=dict)
    epcs: list[str] = field(default_factory=list)
    parent: str | None = None
    children: list[str] = field(default_factory=list)
    quantities: tuple[Quantity, ...] = ()
    biz_transactions: tuple[Typed, ...] = ()
    sources: tuple[Typed, ...] = ()
    destinations: tuple[Typed, ...] = ()
    persistent_disposition: dict[str, tuple[str, ...]] | None = None
    ilmd: dict[str, Any] = field(default_factory=dict)
    sensor_elements: tuple[dict[str, Any], ...] = ()
    certification_info: tuple[str, ...] = ()
    error_declaration: ErrorDeclaration | None = None
    extensions: dict[str, Any] = field(default_factory=dict)
