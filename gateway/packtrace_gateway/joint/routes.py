"""Joint calls over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from packtrace.errors import DocumentError
from packtrace.receipt import MAX_UNITS
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.gateway import Gateway, GatewayDependency, RowNumber
from packtrace_gateway.joint.document import RULE, Document, Duplicates, Lift, Units
from packtrace_gateway.joint.models import JointCall
from packtrace_gateway.joint.words import detail, summary
from packtrace_gateway.verify.routes import Code

router = APIRouter(prefix="/joint-calls", tags=["joint calls"])
SIGNERS = (Role.QUALITY, Role.REGULATOR)
Orderer = Annotated[Caller, Depends(require(*SIGNERS))]
READERS = [Depends(require(*SIGNERS, Role.AUDITOR))]
Reason = Annotated[str, Field(min_length=1, max_length=10_000, description="Why; kept at this gateway only.")]
Days = Annotated[int, Field(ge=1, le=30, description="How long the consent holds. It cannot be taken back before.")]


class NewLift(BaseModel):
    """Packs by their codes, or by their numbers on chain (as alerts have them)."""

    model_config = ConfigDict(extra="forbid")

    packs: Annotated[list[Code], Field(max_length=MAX_UNITS)] = []
    units: Annotated[Units | None, Field(description="Numbers on chain.")] = None
    duplicates: Duplicates = False
    days: Days = 3
    reason: Reason


class NewRestoration(BaseModel):
    model_config = ConfigDict(extra="forbid")

    case: Annotated[str, Field(description="Case number of the call that is to be undone.")]
    units: Annotated[Units | None, Field(description="Numbers on chain; else all that the call changed.")] = None
    ground: Literal["not_opened", "key_compromised", "other"]
    days: Days = 3
    reason: Reason


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Reason


@router.post("/lift", status_code=201)
def start_lift(new: NewLift, gateway: GatewayDependency, caller: Orderer) -> dict[str, Any]:
    """Sign for bringing locked or suspect packs back to ACTIVE; the answer's `document` is for the other party."""
    if bool(new.packs) == (new.units is not None):
        raise DocumentError(
            "name the packs either by their codes or by their numbers on chain", field="packs", rule=RULE
        )
    found = gateway.joint.units_of([code.scan() for code in new.packs])
    units = new.units or [str(unit) for unit in found]
    what = Lift(units=units, duplicates=new.duplicates)
    return _view(gateway, gateway.joint.start(what, found, new.days, new.reason, caller))


@router.post("/restore", status_code=201)
def start_restoration(new: NewRestoration, gateway: GatewayDependency, caller: Orderer) -> dict[str, Any]:
    """Sign for undoing what one call changed; the answer's `document` is for the other party."""
    units = None if new.units is None else [int(unit) for unit in new.units]
    what = gateway.joint.restoration(new.case, units, new.ground)
    return _view(gateway, gateway.joint.start(what, {}, new.days, new.reason, caller))


@router.post("", status_code=201, dependencies=[Depends(require(*SIGNERS))])
def receive_document(document: Document, gateway: GatewayDependency) -> dict[str, Any]:
    """Take the other party's document in, and say what it is about. Nothing is signed by this."""
    return _view(gateway, gateway.joint.receive(document))


@router.post("/{number}/consent", status_code=202)
def give_consent(number: RowNumber, order: Order, gateway: GatewayDependency, caller: Orderer) -> dict[str, Any]:
    """Add this party's consent, and send the call to the chain. Follow it here."""
    return _view(gateway, gateway.joint.consent(number, order.reason, caller))


@router.get("", dependencies=READERS)
def list_joint_calls(gateway: GatewayDependency, open_only: bool = False) -> list[dict[str, Any]]:
    """Joint calls, the newest first."""
    return [summary(gateway, row) for row in gateway.joint.all(open_only=open_only)]


@router.get("/{number}", dependencies=READERS)
def get_joint_call(number: RowNumber, gateway: GatewayDependency) -> dict[str, Any]:
    """One joint call: what it is about in plain words, each pack, and what became of it."""
    return _view(gateway, gateway.joint.one(number))


def _view(gateway: Gateway, row: JointCall) -> dict[str, Any]:
    return detail(gateway, row)
