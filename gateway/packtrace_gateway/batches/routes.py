"""Batches and recalls over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from packtrace.facts import Recall
from packtrace.gs1 import keys as gs1_keys
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.batches.service import view
from packtrace_gateway.gateway import GatewayDependency, RowNumber

router = APIRouter(tags=["batches"])
QUALITY = [Depends(require(Role.QUALITY))]


class NewRecall(BaseModel):
    model_config = ConfigDict(extra="forbid")

    gtin: str
    lot: str
    kind: Annotated[Literal["withdrawn", "recalled"], Field(description="Withdrawn: packs with patients may stay.")]
    notice: Annotated[str, Field(min_length=1, max_length=10_000, description="The notice; its hash goes on chain.")]


@router.get("/batches", dependencies=[Depends(require(Role.QUALITY, Role.LINE, Role.AUDITOR))])
def list_batches(gateway: GatewayDependency, gtin: str | None = None, lot: str | None = None) -> list[dict[str, Any]]:
    """Batches commissioned here, the newest first."""
    return [view(batch) for batch in gateway.batches.all(gs1_keys.gtin(gtin) if gtin else None, lot)]


@router.post("/batches/{number}/propose", status_code=202, dependencies=[Depends(require(Role.LINE, Role.QUALITY))])
def propose_batch(number: RowNumber, gateway: GatewayDependency) -> dict[str, Any]:
    """Propose a batch again that the chain refused, once the reason is gone (see its `error`)."""
    return view(gateway.batches.propose(number))


@router.post("/batches/{number}/release", status_code=202, dependencies=QUALITY)
def release_batch(number: RowNumber, gateway: GatewayDependency) -> dict[str, Any]:
    """Release a proposed batch: the qualified person's signature goes to the chain."""
    return view(gateway.batches.release(number))


@router.post("/batches/{number}/withdraw", status_code=202, dependencies=[Depends(require(Role.LINE, Role.QUALITY))])
def withdraw_batch(number: RowNumber, gateway: GatewayDependency) -> dict[str, Any]:
    """Take a proposal back before it is released."""
    return view(gateway.batches.withdraw(number))


@router.post("/recalls", status_code=202)
def recall_lot(
    new: NewRecall, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(Role.QUALITY))]
) -> dict[str, Any]:
    """Recall a lot: known everywhere from the next block on. Follow it under /recalls."""
    kind = Recall[new.kind.upper()]
    gtin, lot = gs1_keys.gtin(new.gtin), gs1_keys.lot(new.lot)
    return {"outbox": gateway.batches.recall(gtin, lot, kind, new.notice, caller.name)}


@router.get("/recalls", dependencies=[Depends(require(Role.QUALITY, Role.REGULATOR, Role.AUDITOR))])
def list_recalls(gateway: GatewayDependency) -> list[dict[str, Any]]:
    """Recalls that were ordered here, the newest first: the notice, who ordered it, and how far the call has come."""
    return [notice.model_dump() | {"state": state} for notice, state in gateway.batches.recalls()]
