"""Batches and recalls over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from packtrace.errors import DocumentError
from packtrace.facts import Recall
from packtrace.gs1 import keys as gs1_keys
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.batches.service import Scope, view
from packtrace_gateway.gateway import GatewayDependency, RowNumber

router = APIRouter(tags=["batches"])
Maker = Annotated[Caller, Depends(require(Role.LINE, Role.QUALITY))]


Notice = Annotated[str, Field(min_length=1, max_length=10_000, description="The notice; its hash goes on chain.")]
BatchNumber = Annotated[int, Field(ge=0, lt=1 << 44, description="Number of a batch on chain.")]


class NewRecall(BaseModel):
    """A lot of this company by GTIN and lot; or, for a regulator too, one batch, or with `scope` lot all of its lot."""

    model_config = ConfigDict(extra="forbid")

    gtin: str | None = None
    lot: str | None = None
    batch: BatchNumber | None = None
    scope: Scope | None = None
    kind: Annotated[Literal["withdrawn", "recalled"], Field(description="Withdrawn: packs with patients may stay.")]
    notice: Notice


class Lifting(BaseModel):
    model_config = ConfigDict(extra="forbid")

    batch: BatchNumber
    scope: Annotated[Scope, Field(description="What the recall is of: this batch, or the lot that it is of.")]
    notice: Notice


@router.get("/batches", dependencies=[Depends(require(Role.QUALITY, Role.LINE, Role.AUDITOR))])
def list_batches(gateway: GatewayDependency, gtin: str | None = None, lot: str | None = None) -> list[dict[str, Any]]:
    """Batches commissioned here, the newest first; `orders` say who proposed again, released or withdrew them."""
    batches = gateway.batches.all(gs1_keys.gtin(gtin) if gtin else None, lot)
    orders = gateway.batches.orders([batch.number for batch in batches])
    return [view(batch) | {"orders": orders.get(batch.number, [])} for batch in batches]


@router.get("/batches/held", dependencies=[Depends(require(Role.QUALITY, Role.AUDITOR))])
def list_held_batches(gateway: GatewayDependency) -> list[dict[str, Any]]:
    """Batches that others commissioned for this company, the newest first; `held`: their packs are known here."""
    return gateway.held.all()


@router.post("/batches/{number}/propose", status_code=202)
def propose_batch(number: RowNumber, gateway: GatewayDependency, caller: Maker) -> dict[str, Any]:
    """Propose a batch again that the chain refused, once the reason is gone (see its `error`)."""
    return view(gateway.batches.propose(number, caller))


@router.post("/batches/{number}/release", status_code=202)
def release_batch(
    number: RowNumber, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(Role.QUALITY))]
) -> dict[str, Any]:
    """Release a proposed batch, made here or for this company: the qualified person's signature goes to the chain."""
    if gateway.batches.commissioned(number):
        return view(gateway.batches.release(number, caller))
    return gateway.held.release(number, caller)


@router.post("/batches/{number}/withdraw", status_code=202)
def withdraw_batch(number: RowNumber, gateway: GatewayDependency, caller: Maker) -> dict[str, Any]:
    """Take a proposal back before it is released: the line's; or of what others made for this company, quality's."""
    if gateway.batches.commissioned(number):
        return view(gateway.batches.withdraw(number, caller))
    return gateway.held.withdraw(number, caller)


@router.post("/recalls", status_code=202)
def recall(
    new: NewRecall,
    gateway: GatewayDependency,
    caller: Annotated[Caller, Depends(require(Role.QUALITY, Role.REGULATOR))],
) -> dict[str, Any]:
    """Recall a lot, or one batch: known everywhere from the next block on. Follow it under /recalls."""
    kind = Recall[new.kind.upper()]
    if new.batch is not None and new.gtin is None and new.lot is None:
        number = gateway.batches.recall_batch(new.batch, new.scope or "batch", kind, new.notice, caller)
    elif new.batch is None and new.gtin is not None and new.lot is not None and new.scope != "batch":
        gtin, lot = gs1_keys.gtin(new.gtin), gs1_keys.lot(new.lot)
        number = gateway.batches.recall(gtin, lot, kind, new.notice, caller)
    else:
        raise DocumentError("name either GTIN and lot, or the number of a batch", field="batch")
    return {"outbox": number}


@router.post("/recalls/lift", status_code=202)
def lift_recall(
    lifting: Lifting, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(Role.REGULATOR))]
) -> dict[str, Any]:
    """Lift the recall of a batch or of its lot; a regulator's QUALITY key signs. Follow it under /recalls."""
    return {"outbox": gateway.batches.recall_batch(lifting.batch, lifting.scope, None, lifting.notice, caller)}


@router.get("/recalls", dependencies=[Depends(require(Role.QUALITY, Role.REGULATOR, Role.AUDITOR))])
def list_recalls(gateway: GatewayDependency) -> list[dict[str, Any]]:
    """Recalls and liftings ordered here, the newest first: the notice, who ordered it, how far it has come."""
    return [
        notice.model_dump() | {"callerId": row.caller_id, "state": row.state, "error": row.error_text}
        for notice, row in gateway.batches.recalls()
    ]
