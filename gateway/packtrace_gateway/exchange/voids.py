"""Events that say what did not leave after all (CBV 2.0, void_shipping), by the word of the chain."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from packtrace.commit.items import Role
from packtrace.epcis.model import Event
from packtrace.gs1 import sgln_uri
from packtrace_gateway.events.keys import split
from packtrace_gateway.events.models import LogisticUnit, Participation, StoredEvent, UriPrefix
from packtrace_gateway.exchange.models import Goods, ShippedUnit
from packtrace_gateway.outbox.models import OutboxRow

STEP = "void_shipping"


def not_shipped(gln: str, time: int, uris: Sequence[str]) -> Event:
    """These logistic units did not leave the location `gln`, as the chain has it since `time` (unix)."""
    return Event(
        type="ObjectEvent",
        action="OBSERVE",
        event_time=written(time),
        event_time_zone_offset="+00:00",
        biz_step=STEP,
        disposition="in_progress",
        read_point=sgln_uri(gln),
        epcs=list(uris),
    )


def not_inside(gln: str, time: int, parent: str, uris: Sequence[str]) -> Event:
    """These logistic units were not shipped in `parent`, as it was found at the location `gln` at `time` (unix)."""
    return Event(
        type="AggregationEvent",
        action="DELETE",
        event_time=written(time),
        event_time_zone_offset="+00:00",
        biz_step=STEP,
        read_point=sgln_uri(gln),
        parent=parent,
        children=list(uris),
    )


def cancelled_before(session: Session, gln: str, units: Sequence[LogisticUnit]) -> list[Event]:
    """The events of cancellations that are on chain and not recorded yet: they come before what is done next.

    A cancellation is recorded when it is final. Those who follow the goods by their events would else find them shipped
    again before they were kept.
    """
    events = []
    for unit in units:
        mine = (ShippedUnit.unit == unit.id, ShippedUnit.goods == Goods.CANCELLED)
        query = select(OutboxRow).join(ShippedUnit, ShippedUnit.outbox == OutboxRow.id).where(*mine)  # type: ignore[arg-type]
        for row in session.execute(query).scalars():
            if row.block_time is not None and not is_recorded(session, unit.uri, row.block_time):
                events.append(not_shipped(gln, row.block_time, [unit.uri]))
    return events


def is_recorded(session: Session, uri: str, time: int) -> bool:
    """Whether an event says already that the unit did not leave, as the chain has it since `time`."""
    return _said(session, uri, StoredEvent.event_time == written(time))


def was_missing(session: Session, uri: str) -> bool:
    """Whether an event says that the unit was not in what was shipped."""
    return _said(session, uri, Participation.role == int(Role.CHILD))


def _said(session: Session, uri: str, condition: Any) -> bool:
    prefix, suffix = split(uri)
    query = (
        select(StoredEvent.id)  # type: ignore[call-overload]
        .join(Participation, Participation.event == StoredEvent.id)
        .join(UriPrefix, UriPrefix.id == Participation.prefix)
        .where(UriPrefix.text == prefix, Participation.suffix == suffix)
        .where(StoredEvent.biz_step == STEP, condition)
    )
    return session.execute(query.limit(1)).first() is not None


def written(time: int) -> str:
    """A block's time as an event writes it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
