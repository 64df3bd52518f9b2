"""Logistic units over HTTP, for people: where cases, pallets and totes are, and what the chain refused of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from packtrace.rules import Place
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.events.models import LogisticUnit
from packtrace_gateway.exchange.people import Before, Limit
from packtrace_gateway.exchange.units import remark
from packtrace_gateway.gateway import GatewayDependency

router = APIRouter(prefix="/logistic-units", tags=["logistic units"])
PACKERS = (Role.LINE, Role.WAREHOUSE, Role.DISPENSER, Role.QUALITY)
READERS = [Depends(require(*PACKERS, Role.ADMIN, Role.AUDITOR))]
Packer = Annotated[Caller, Depends(require(*PACKERS))]
Refused = Annotated[bool, Query(description="Only those of which the chain refused a call that was not made again.")]


@router.get("", dependencies=READERS)
def list_units(
    gateway: GatewayDependency, refused: Refused = False, before: Before = None, limit: Limit = 50
) -> list[dict[str, Any]]:
    """Cases, pallets and totes, the newest first."""
    return [_view(unit, parent) for unit, parent in gateway.exchange.units.all(refused, before, limit)]


@router.get("/{sscc}", dependencies=READERS)
def get_unit(sscc: str, gateway: GatewayDependency) -> dict[str, Any]:
    """One logistic unit by its SSCC (18 digits); `arrival` is the newest that it came with, or null."""
    unit, parent = gateway.exchange.units.one(sscc)
    return _view(unit, parent) | {"arrival": gateway.exchange.units.arrival(unit)}


@router.get("/{sscc}/contents", dependencies=READERS)
def unit_contents(sscc: str, gateway: GatewayDependency) -> list[dict[str, str]]:
    """All packs and logistic units inside one, each with what it lies in directly, by what is recorded here."""
    return [{"uri": uri, "inside": inside} for uri, inside in gateway.exchange.units.contents(sscc)]


@router.post("/propose", status_code=202)
def propose_units(gateway: GatewayDependency, caller: Packer) -> dict[str, Any]:
    """Make all refused calls again, once the cause is gone. Repeat it while it names units: one request does a part."""
    return {"proposed": gateway.exchange.units.propose_all(caller)}


@router.post("/{sscc}/propose", status_code=202)
def propose_unit(sscc: str, gateway: GatewayDependency, caller: Packer) -> dict[str, Any]:
    """Make the refused calls about a unit again, and about all around and inside it, once the cause is gone."""
    gateway.exchange.units.propose(sscc, caller)
    return _view(*gateway.exchange.units.one(sscc))


def _view(unit: LogisticUnit, parent: str | None) -> dict[str, Any]:
    return {
        "id": unit.id,
        "uri": unit.uri,
        "number": unit.number,
        "place": Place(unit.place).name.lower(),
        "inside": parent,
        "partner": unit.partner,
        "refused": unit.refused,
        "note": remark(unit),
    }
