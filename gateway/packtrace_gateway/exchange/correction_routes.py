"""Corrections over HTTP, for people: what was declared erroneous, by whom, and what stands in its place."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlmodel import Session

from packtrace_gateway.events.declarations import declared_by, known
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.exchange.people import READERS, Before, Limit
from packtrace_gateway.gateway import GatewayDependency

router = APIRouter(tags=["shipments"])


@router.get("/corrections", dependencies=READERS)
def list_corrections(gateway: GatewayDependency, before: Before = None, limit: Limit = 50) -> list[dict[str, Any]]:
    """Events that were declared erroneous, here or by partners whose events are here; the newest declaration first."""
    query = select(StoredEvent).where(StoredEvent.declares.is_not(None))  # type: ignore[union-attr]
    if before is not None:
        query = query.where(StoredEvent.id < before)  # type: ignore
    with gateway.database.read() as session:
        rows = session.execute(query.order_by(StoredEvent.id.desc()).limit(limit)).scalars()  # type: ignore[union-attr]
        return [_view(session, row, gateway.settings.party) for row in rows]


def _view(session: Session, row: StoredEvent, own: int) -> dict[str, Any]:
    said = declared_by(row.header)
    erroneous = {event.digest: event for event in known(session, [said.event])}.get(said.event)
    stored = session.get_one(StoredEvent, erroneous.id) if erroneous else None
    return {
        "id": row.id,
        "party": row.party,
        "own": row.party == own,
        "eventID": stored.event_id if stored else None,
        "type": row.type,
        "step": row.biz_step or row.action,
        "eventTime": row.event_time,
        "declaration": row.digest.hex(),
        **said.to_json(),
    }
