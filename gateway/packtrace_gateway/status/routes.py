"""Status changes over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from packtrace.facts import Status
from packtrace.receipt import MAX_UNITS
from packtrace.verdict import case_number
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.gateway import Gateway, GatewayDependency, RowNumber
from packtrace_gateway.status.service import ON_ACKNOWLEDGEMENT, outcome_words
from packtrace_gateway.verify.routes import Code

router = APIRouter(tags=["status"])
MAKERS = (Role.DISPENSER, Role.WAREHOUSE, Role.QUALITY, Role.REGULATOR)


class Packs(BaseModel):
    model_config = ConfigDict(extra="forbid")

    packs: Annotated[list[Code], Field(min_length=1, max_length=MAX_UNITS)]
    acknowledge: Annotated[
        Literal["custody gap", "not verified"] | None,
        Field(description="Go on although the verdict says this; the person who decides answers for it."),
    ] = None
    request: Annotated[
        str | None,
        Field(
            min_length=16,
            max_length=64,
            description="The client's own name for this request, random: sent again with it, nothing is done twice.",
        ),
    ] = None


class Change(Packs):
    to: Annotated[
        Literal["destroyed", "exported", "sampled", "free_sample", "stolen", "locked", "suspect"],
        Field(description="The new status. For supplied there is /dispense."),
    ]


@router.post("/dispense", status_code=202)
def dispense(
    packs: Packs, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(Role.DISPENSER))]
) -> dict[str, Any]:
    """Dispense packs: *pending* until the chain changed this very pack. Follow it under /operations."""
    return _submit(gateway, packs, Status.SUPPLIED, caller)


@router.post("/status", status_code=202)
def change_status(
    change: Change, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(*MAKERS))]
) -> dict[str, Any]:
    """Any other change of status: destroyed, exported, stolen, suspect, …"""
    return _submit(gateway, change, Status[change.to.upper()], caller)


@router.get("/operations/{number}", dependencies=[Depends(require(*MAKERS, Role.AUDITOR))])
def get_operation(number: RowNumber, gateway: GatewayDependency) -> dict[str, Any]:
    """What became of a change: pending, done or refused, and of each pack."""
    return _view(gateway, number)


@router.post("/operations/{number}/reverse", status_code=202)
def reverse(
    number: RowNumber, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(*MAKERS))]
) -> dict[str, Any]:
    """Take a dispense back, declaring that the packs were not given to the public (Regulation 2016/161, Art. 13)."""
    return _view(gateway, gateway.status.reverse(number, caller.name))


def _submit(gateway: Gateway, packs: Packs, to: Status, caller: Caller) -> dict[str, Any]:
    assert packs.acknowledge is None or packs.acknowledge in ON_ACKNOWLEDGEMENT
    scans = [code.scan() for code in packs.packs]
    number, verified = gateway.status.change(scans, to, caller.name, packs.acknowledge, packs.request)
    return _view(gateway, number) | {"verdicts": [entry.verdict.to_json() for entry in verified]}


def _view(gateway: Gateway, number: int) -> dict[str, Any]:
    operation, units = gateway.status.operation(number)
    return {
        "id": operation.id,
        "to": Status(operation.to).name.lower(),
        "reverses": operation.reverses,
        "state": operation.state,
        "proof": gateway.outbox.row(operation.outbox).state,
        "error": operation.error,
        "time": operation.time,
        "case": case_number(operation.receipt) if operation.receipt else None,
        "packs": [{"uri": unit.uri, "outcome": outcome_words(unit, operation)} for unit in units],
    }
