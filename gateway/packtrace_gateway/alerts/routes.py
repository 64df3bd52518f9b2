"""Alerts over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from packtrace.facts import Refusal, Status
from packtrace.gs1 import keys as gs1_keys
from packtrace.scan import Scan
from packtrace.verdict import case_number
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.alerts.models import Alert
from packtrace_gateway.alerts.service import MAX_LISTED
from packtrace_gateway.gateway import GatewayDependency, RowNumber

router = APIRouter(prefix="/alerts", tags=["alerts"])
duplicates = APIRouter(prefix="/duplicates", tags=["alerts"])
WORKERS = (Role.QUALITY, Role.REGULATOR, Role.DISPENSER, Role.WAREHOUSE)
Worker = Annotated[Caller, Depends(require(*WORKERS))]


class Serial(BaseModel):
    model_config = ConfigDict(extra="forbid")

    gtin: str
    serial: str


class Remark(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=10_000)]


@router.get("", dependencies=[Depends(require(*WORKERS, Role.AUDITOR))])
def list_alerts(
    gateway: GatewayDependency,
    open_only: bool = False,
    before: Annotated[int | None, Query(lt=1 << 63, description="The last number of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = MAX_LISTED,
) -> list[dict[str, Any]]:
    """Alerts, the newest first."""
    return [_view(alert) for alert in gateway.alerts.all(open_only=open_only, before=before, limit=limit)]


@router.get("/{number}", dependencies=[Depends(require(*WORKERS, Role.AUDITOR))])
def get_alert(number: RowNumber, gateway: GatewayDependency) -> dict[str, Any]:
    """One alert with its comments."""
    alert, comments = gateway.alerts.one(number)
    shown = [{"time": entry.time, "author": entry.author, "text": entry.text} for entry in comments]
    return _view(alert) | {"comments": shown}


@router.post("/{number}/comments", status_code=204)
def comment_alert(number: RowNumber, remark: Remark, gateway: GatewayDependency, caller: Worker) -> None:
    """Say what was found out."""
    gateway.alerts.comment(number, caller.name, remark.text)


@router.post("/{number}/close", status_code=204)
def close_alert(number: RowNumber, remark: Remark, gateway: GatewayDependency, caller: Worker) -> None:
    """Close an alert, saying why."""
    gateway.alerts.close(number, caller.name, remark.text)


@duplicates.post("/prove")
def prove_duplicate(
    named: Serial, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(Role.QUALITY, Role.REGULATOR))]
) -> dict[str, Any]:
    """Prove on chain that two packs have one serial number, when both commissionings are stored here (one of them in a
    package in quarantine): both are flagged, and the serial becomes public.
    """
    scan = Scan(gs1_keys.gtin(named.gtin), gs1_keys.serial(named.serial))
    proof, receipt = gateway.duplicates.prove(scan, caller)
    units = [str(opening.unit) for opening in (proof.unit, proof.twin)]
    return {"uri": proof.uri.decode(), "units": units, "block": receipt.block_number}


def _kind(alert: Alert) -> str:
    """Twins were seen here, and are not proven on chain."""
    if alert.twin is not None:
        return "duplicate" if alert.block else "twins"
    return "conflict" if alert.refusal else "restored"


def _view(alert: Alert) -> dict[str, Any]:
    return {
        "number": alert.number,
        "kind": _kind(alert),
        "unit": str(alert.unit),
        "twin": None if alert.twin is None else str(alert.twin),
        "case": case_number(alert.call),
        "party": alert.party,
        "asked": Status(alert.asked).name.lower(),
        "found": Status(alert.found).name.lower(),
        "refusal": Refusal(alert.refusal).name.lower(),
        "block": alert.block,
        "time": alert.time,
        "why": alert.why,
        "retracted": alert.retracted,
        "state": "closed" if alert.closed_at else "open",
        "closedBy": alert.closed_by,
    }
