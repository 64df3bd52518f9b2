"""Status changes over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from packtrace.facts import Status
from packtrace.receipt import MAX_UNITS
from packtrace.verdict import case_number
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.gateway import Gateway, GatewayDependency, RowNumber
from packtrace_gateway.ledger import service as ledger
from packtrace_gateway.status.models import Operation, OperationUnit
from packtrace_gateway.status.outcomes import outcome_words, refusal_of
from packtrace_gateway.status.service import ON_ACKNOWLEDGEMENT
from packtrace_gateway.verify.routes import READERS, Code

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


@router.get("/operations/named/{request}", dependencies=[Depends(require(*MAKERS, Role.AUDITOR))])
def get_named_operation(
    request: Annotated[str, Path(min_length=16, max_length=64, description="As in the request that submitted it.")],
    gateway: GatewayDependency,
) -> dict[str, Any]:
    """What became of the change that a client submitted under a name of its own: for one that lost the answer.

    Asking for it changes nothing, whereas the change sent again would be made if it had never come here.
    """
    return _view(gateway, gateway.status.named(request))


@router.post("/operations/{number}/reverse", status_code=202)
def reverse(
    number: RowNumber, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(*MAKERS))]
) -> dict[str, Any]:
    """Take a dispense back, declaring that the packs were not given to the public (Regulation 2016/161, Art. 13)."""
    return _view(gateway, gateway.status.reverse(number, caller))


class Found(BaseModel):
    model_config = ConfigDict(extra="forbid")

    packs: Annotated[list[str], Field(min_length=1, max_length=MAX_UNITS, description="URIs, as in the operation.")]


@router.post("/operations/{number}/found", dependencies=[Depends(require(*MAKERS))])
def found_here(number: RowNumber, found: Found, gateway: GatewayDependency) -> dict[str, Any]:
    """Say that packs are here after all which an operation took away, now that the chain has undone it.

    That holder and regulator undid a dispense says nothing of where the pack is: perhaps it was never here (a stolen
    key), perhaps a patient has it. So it stays recorded as gone until somebody has it in hand.
    """
    gateway.status.found(number, found.packs)
    return _view(gateway, number)


@router.get("/packs/{unit}/history", dependencies=[Depends(require(*READERS))])
def pack_history(
    unit: Annotated[int, Path(ge=0, lt=1 << 64, description="Number on chain, as the verdict has it.")],
    gateway: GatewayDependency,
) -> list[dict[str, Any]]:
    """What the calls to the chain did to one pack, by the followed chain, the newest first."""
    with gateway.database.read() as session:
        return [_call(call) for call in ledger.history(session, unit)]


def _call(call: ledger.UnitCall) -> dict[str, Any]:
    return {
        "kind": call.kind.value,
        "case": case_number(call.call),
        "party": call.party,
        "regulator": call.second_party,
        "to": call.to.name.lower(),
        "found": None if call.found is None else call.found.name.lower(),
        "refusal": call.refusal.name.lower(),
        "time": call.time,
        "block": call.block_number,
    }


def _submit(gateway: Gateway, packs: Packs, to: Status, caller: Caller) -> dict[str, Any]:
    assert packs.acknowledge is None or packs.acknowledge in ON_ACKNOWLEDGEMENT
    scans = [code.scan() for code in packs.packs]
    number, verified = gateway.status.change(scans, to, caller, packs.acknowledge, packs.request)
    return _view(gateway, number) | {"verdicts": [entry.verdict.to_json() for entry in verified]}


def _view(gateway: Gateway, number: int) -> dict[str, Any]:
    operation, units = gateway.status.operation(number)
    undone, row = gateway.status.undone(operation, units), gateway.outbox.row(operation.outbox)
    return {
        "id": operation.id,
        "to": Status(operation.to).name.lower(),
        "reverses": operation.reverses,
        "state": operation.state,
        "proof": row.state,
        "orderedBy": {"key": row.caller_id, "name": operation.caller},
        "error": operation.error,
        "time": operation.time,
        "case": case_number(operation.receipt) if operation.receipt else None,
        "packs": [
            _pack(unit, operation) | {"undone": _call(undone[unit.unit]) if unit.unit in undone else None}
            for unit in units
        ],
    }


def _pack(unit: OperationUnit, operation: Operation) -> dict[str, Any]:
    """What became of one pack: in words, and for programs that have words of their own."""
    refusal, found = refusal_of(unit)
    return {
        "uri": unit.uri,
        "outcome": outcome_words(unit, operation),
        "refusal": refusal.name.lower(),
        "found": None if found is None else found.name.lower(),
    }
