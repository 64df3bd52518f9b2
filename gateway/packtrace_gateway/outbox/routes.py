"""The outbox over HTTP: what was sent to the chain, what waits, and why."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Role
from packtrace_gateway.gateway import GatewayDependency, RowNumber
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.models import Attempt, OutboxRow, State
from packtrace_gateway.outbox.service import MAX_PAGE

router = APIRouter(prefix="/outbox", tags=["outbox"], dependencies=[Depends(require(Role.ADMIN, Role.AUDITOR))])


class CallView(BaseModel):
    """One call on its way to the chain. Times are unix seconds; hashes, keys and signatures are in hex."""

    id: int
    contract: str
    function: str
    reference: str
    state: State
    key: str = Field(description="Purpose of the key that signs.")
    lane: int
    after: int | None = Field(description="The call that must be on chain before this one.")
    caller: str | None = Field(
        description="Name of the API key that ordered it; none for what the gateway does itself."
    )
    caller_id: str | None
    recovered: bool = Field(description="Carried out by our key, but not known to this database.")
    waiting: str | None = Field(description="Why it does not move at the moment.")
    error_name: str | None
    error_text: str | None
    signer: str | None
    nonce: str | None = Field(description="The consent's keyed nonce, decimal.")
    deadline: int | None
    relayer: str | None
    tx_nonce: int | None
    tx_hash: str | None
    block_number: int | None
    block_hash: str | None
    block_time: int | None
    created_at: float
    updated_at: float
    included_at: float | None
    final_at: float | None


class AttemptView(BaseModel):
    """One signed transaction."""

    tx_hash: str
    relayer: str
    tx_nonce: int
    gas: int
    max_fee: str = Field(description="Wei per gas, decimal.")
    tip: str | None
    outcome: str
    created_at: float


class Calls(BaseModel):
    """A page of calls, the newest first."""

    trouble: str | None = Field(description="Why nothing moves at the moment: the node does not answer, say.")
    calls: list[CallView]


class CallDetail(CallView):
    args: dict[str, object]
    attempts: list[AttemptView]


@router.get("")
def list_calls(
    gateway: GatewayDependency,
    state: State | None = None,
    contract: Annotated[str | None, Query(max_length=40)] = None,
    reference: Annotated[str | None, Query(max_length=200)] = None,
    recovered: bool | None = None,
    before: Annotated[int | None, Query(ge=1, lt=1 << 63, description="The last id of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> Calls:
    """Calls to the chain, the newest first."""
    outbox = gateway.outbox
    rows = outbox.rows(
        state=state, contract=contract, reference=reference, recovered=recovered, before=before, limit=limit
    )
    return Calls(trouble=outbox.trouble, calls=[CallView(**_fields(row)) for row in rows])


@router.get("/{number}")
def get_call(number: RowNumber, gateway: GatewayDependency) -> CallDetail:
    """One call with its arguments and every transaction that was signed for it."""
    row = gateway.outbox.row(number)
    return CallDetail(
        **_fields(row),
        args=calls.shown(row.contract, row.function, row.args),
        attempts=[_attempt(attempt) for attempt in gateway.outbox.attempts(number)],
    )


def _fields(row: OutboxRow) -> dict[str, Any]:
    fields = {name: getattr(row, name) for name in CallView.model_fields if name != "nonce"}
    fields["nonce"] = None if row.position is None else str(row.nonce)
    return {name: _shown(value) for name, value in fields.items()}


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(**{name: _shown(getattr(attempt, name)) for name in AttemptView.model_fields})


def _shown(value: Any) -> Any:
    return "0x" + value.hex() if isinstance(value, bytes) else value
