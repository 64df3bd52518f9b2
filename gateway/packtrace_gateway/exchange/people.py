"""Shipments and arrivals over HTTP, for people: where data and goods are, and why something waits."""

import json
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import Session

from packtrace.rules import Place
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.events.models import LogisticUnit
from packtrace_gateway.exchange.missing import MOST_MISSING, Shortage
from packtrace_gateway.exchange.models import Arrival, ArrivalUnit, HandOver, ShippedUnit
from packtrace_gateway.exchange.package import SHIPMENT
from packtrace_gateway.exchange.units import remark
from packtrace_gateway.gateway import GatewayDependency, RowNumber

router = APIRouter(tags=["shipments"])
READERS = [Depends(require(Role.WAREHOUSE, Role.DISPENSER, Role.QUALITY, Role.ADMIN, Role.AUDITOR))]
MAX_PAGE = 200

Warehouse = Annotated[Caller, Depends(require(Role.WAREHOUSE))]
Before = Annotated[int | None, Query(ge=1, lt=1 << 63, description="The last id of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


class Lacking(BaseModel):
    model_config = ConfigDict(extra="forbid")

    missing: Annotated[
        list[Annotated[str, Field(max_length=100)]],
        Field(min_length=1, max_length=MOST_MISSING, description="SSCCs (18 digits) of cases and pallets, or URIs."),
    ]


class Partly(Lacking):
    arrival: Annotated[int, Field(ge=1, lt=1 << 63, description="The arrival that these are missing in.")]


class Delivery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    partly: Annotated[list[Partly], Field(min_length=1, max_length=MAX_PAGE)]
    document: Annotated[
        dict[str, Any] | None, Field(description="An EPCIS document: that all else in the delivery was received.")
    ] = None


class Why(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=10_000)]


@router.get("/shipments", dependencies=READERS)
def list_shipments(gateway: GatewayDependency, before: Before = None, limit: Limit = 50) -> list[dict[str, Any]]:
    """What was shipped from here, the newest first: how far its data came, and where the goods are."""
    query = select(HandOver).where(HandOver.kind == SHIPMENT).order_by(HandOver.id.desc()).limit(limit)  # type: ignore
    if before is not None:
        query = query.where(HandOver.id < before)  # type: ignore
    with gateway.database.read() as session:
        return [_shipment(session, row) for row in session.execute(query).scalars()]


@router.get("/hand-overs", dependencies=READERS)
def list_hand_overs(gateway: GatewayDependency, before: Before = None, limit: Limit = 50) -> list[dict[str, Any]]:
    """All data handed to partners and to the authority, the newest first, with the partners' signed receipts."""
    query = select(HandOver).order_by(HandOver.id.desc()).limit(limit)  # type: ignore[union-attr]
    if before is not None:
        query = query.where(HandOver.id < before)  # type: ignore
    with gateway.database.read() as session:
        return [_hand_over(row) for row in session.execute(query).scalars()]


@router.post("/shipments/{number}/cancel", status_code=202)
def cancel_shipment(number: RowNumber, gateway: GatewayDependency, caller: Warehouse) -> dict[str, Any]:
    """Take a shipment back that was not received: the goods are here again when the chain says so."""
    gateway.exchange.custody.cancel(number, caller)
    with gateway.database.read() as session:
        return _shipment(session, session.get_one(HandOver, number))


@router.post(
    "/hand-overs/{number}/again", status_code=202, dependencies=[Depends(require(Role.WAREHOUSE, Role.QUALITY))]
)
def hand_over_again(number: RowNumber, gateway: GatewayDependency) -> dict[str, Any]:
    """Make a fresh package of what the receiver put in quarantine, and send it; the new hand-over."""
    new = gateway.exchange.sending.again(number)
    with gateway.database.read() as session:
        return _shipment(session, session.get_one(HandOver, new))


@router.get("/arrivals", dependencies=READERS)
def list_arrivals(gateway: GatewayDependency, before: Before = None, limit: Limit = 50) -> list[dict[str, Any]]:
    """Packages from partners, the newest first: expected, received, or in quarantine and why."""
    query = select(Arrival).order_by(Arrival.id.desc()).limit(limit)  # type: ignore[union-attr]
    if before is not None:
        query = query.where(Arrival.id < before)  # type: ignore
    with gateway.database.read() as session:
        return [_arrival(session, row) for row in session.execute(query).scalars()]


@router.get("/quarantine", dependencies=READERS)
def list_quarantine(gateway: GatewayDependency) -> list[dict[str, Any]]:
    """Goods that are here and may not be used: their data are missing or wrong."""
    query = select(LogisticUnit).where(LogisticUnit.place == int(Place.QUARANTINED))  # type: ignore[arg-type]
    with gateway.database.read() as session:
        units = session.execute(query.order_by(LogisticUnit.id).limit(1000)).scalars()  # type: ignore[arg-type]
        return [{"uri": unit.uri, "partner": unit.partner, "note": remark(unit)} for unit in units]


@router.post("/arrivals/{number}/refuse", status_code=202)
def refuse_arrival(number: RowNumber, gateway: GatewayDependency, caller: Warehouse) -> dict[str, Any]:
    """Turn a shipment away: by the chain the goods are the sender's again."""
    gateway.exchange.custody.refuse(number, caller)
    with gateway.database.read() as session:
        return _arrival(session, session.get_one(Arrival, number))


@router.post("/arrivals/receive", status_code=202)
def receive_delivery(delivery: Delivery, gateway: GatewayDependency, caller: Warehouse) -> dict[str, Any]:
    """Receive a delivery some of which is missing: units in part, and others whole. All of it, or nothing."""
    given = delivery.document
    whole = gateway.capture.prepare(json.dumps(given).encode(), caller.roles, "document.") if given is not None else []
    lacking = [Shortage(one.arrival, one.missing, f"partly[{at}].") for at, one in enumerate(delivery.partly)]
    captured = gateway.exchange.missing.receive(lacking, whole, caller)
    with gateway.database.read() as session:
        arrivals = [_arrival(session, session.get_one(Arrival, one.arrival)) for one in delivery.partly]
    return {"arrivals": arrivals, "events": [one.event_id for one in captured]}


@router.post("/arrivals/{number}/receive-partly", status_code=202)
def receive_partly(
    number: RowNumber, lacking: Lacking, gateway: GatewayDependency, caller: Warehouse
) -> dict[str, Any]:
    """Receive what came, but for the cases that are not in it: by the chain they stay the sender's."""
    gateway.exchange.missing.receive([Shortage(number, lacking.missing)], caller=caller)
    with gateway.database.read() as session:
        return _arrival(session, session.get_one(Arrival, number))


@router.post("/arrivals/{number}/recheck", status_code=202)
def recheck_arrival(
    number: RowNumber, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(Role.QUALITY))]
) -> dict[str, Any]:
    """Have a package in quarantine checked again: after a node was wrong, or a key or batch came late."""
    gateway.exchange.receiving.recheck(number, caller.name)
    with gateway.database.read() as session:
        return _arrival(session, session.get_one(Arrival, number))


@router.post("/arrivals/{number}/accept", status_code=202)
def accept_arrival(
    number: RowNumber,
    why: Why,
    gateway: GatewayDependency,
    caller: Annotated[Caller, Depends(require(Role.QUALITY))],
) -> dict[str, Any]:
    """Accept a package that is in quarantine for custody gaps alone, by name; why is kept with it."""
    gateway.exchange.receiving.accept(number, caller.name, why.reason)
    with gateway.database.read() as session:
        return _arrival(session, session.get_one(Arrival, number))


def _hand_over(row: HandOver) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "receiver": row.receiver,
        "state": row.state,
        "error": row.error,
        "package": row.digest.hex() if row.digest else None,
        "size": row.size,
        "sent": row.sent,
        "receipt": orjson.loads(row.receipt) if row.receipt else None,
        "formerReceipts": orjson.loads(row.former),
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }


def _shipment(session: Session, row: HandOver) -> dict[str, Any]:
    query = (
        select(LogisticUnit, ShippedUnit)
        .join(ShippedUnit, ShippedUnit.unit == LogisticUnit.id)  # type: ignore[arg-type]
        .where(ShippedUnit.hand_over == row.id)  # type: ignore[arg-type]
        .order_by(LogisticUnit.id)  # type: ignore[arg-type]
    )
    units = [
        {"uri": unit.uri, "number": unit.number, "goods": shipped.goods, "note": remark(unit)}
        for unit, shipped in session.execute(query)
    ]
    return _hand_over(row) | {"units": units}


def _arrival(session: Session, row: Arrival) -> dict[str, Any]:
    query = (
        select(LogisticUnit, ArrivalUnit)
        .join(ArrivalUnit, ArrivalUnit.unit == LogisticUnit.id)  # type: ignore[arg-type]
        .where(ArrivalUnit.arrival == row.id)  # type: ignore[arg-type]
    )
    known = {unit.uri: (unit, arrived) for unit, arrived in session.execute(query)}
    units = []
    shipped: dict[str, int | str | None] = orjson.loads(row.units)
    inside = {uri: unit.number for uri, (unit, _) in known.items() if uri not in shipped}  # what was missing
    for uri, number in (shipped | inside).items():
        unit, arrived = known.get(uri, (None, None))
        units.append(
            {
                "uri": uri,
                "number": str(number),
                "goods": arrived.goods if arrived else None,
                "place": Place(unit.place).name.lower() if unit else None,
                "note": (arrived.note or remark(unit)) if arrived and unit else None,
            }
        )
    return {
        "id": row.id,
        "sender": row.sender,
        "kind": row.kind,
        "state": row.state,
        "reasons": orjson.loads(row.reasons),
        "package": row.digest.hex(),
        "size": row.size,
        "received": row.received,
        "receipt": orjson.loads(row.receipt) if row.receipt else None,
        "formerReceipts": orjson.loads(row.former),
        "acknowledged": orjson.loads(row.acknowledged) if row.acknowledged else None,
        "createdAt": row.created_at,
        "decidedAt": row.decided_at,
        "units": units,
    }
