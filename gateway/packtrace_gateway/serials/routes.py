"""Serial numbers over HTTP: policies are set by admins, blocks drawn by lines."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.gateway import GatewayDependency
from packtrace_gateway.serials.models import GtinPolicy, SerialBlock
from packtrace_gateway.serials.service import MAX_BLOCK

router = APIRouter(prefix="/serials", tags=["serials"])

MAX_PAGE = 1000  # blocks in one answer


class Draw(BaseModel):
    model_config = ConfigDict(extra="forbid")

    gtin: Annotated[str, Field(description="GTIN of 8, 12, 13 or 14 digits.", max_length=14)]
    count: Annotated[int, Field(ge=1, le=MAX_BLOCK, description="How many serial numbers.")]


class BlockView(BaseModel):
    """A block that was drawn; `drawn_at` in unix seconds, `drawn_by` the API key's id."""

    id: int
    gtin: str
    count: int
    drawn_at: int
    drawn_by: str


class DrawnBlock(BlockView):
    serials: list[str]


class NewPolicy(BaseModel):
    model_config = ConfigDict(extra="forbid")

    length: Annotated[int, Field(description="Characters in a serial number.")]
    alphabet: Annotated[str, Field(max_length=62, description="The characters that a serial number is made of.")]


class PolicyView(NewPolicy):
    gtin: str
    changed_at: int


@router.post("", status_code=201, response_model=DrawnBlock)
def draw_serials(
    draw: Draw, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(Role.LINE))]
) -> Response:
    """Draw a block of random serial numbers. Each is given out once, for ever; a lost block is not drawn again."""
    block, serials = gateway.serials.draw(draw.gtin, draw.count, caller.key_id)
    # Written directly: a list of 100,000 strings takes the framework a second.
    return Response(orjson.dumps(block.model_dump() | {"serials": serials}), 201, media_type="application/json")


@router.get("/blocks", dependencies=[Depends(require(Role.ADMIN, Role.LINE, Role.QUALITY, Role.AUDITOR))])
def list_blocks(
    gateway: GatewayDependency,
    before: Annotated[int | None, Query(ge=1, lt=1 << 63, description="Only blocks with a smaller id.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> list[BlockView]:
    """The blocks that were drawn, the newest first, without their serial numbers."""
    return [_block_view(block) for block in gateway.serials.blocks(limit, before)]


@router.put("/policies/{gtin}", dependencies=[Depends(require(Role.ADMIN))])
def set_policy(gtin: str, policy: NewPolicy, gateway: GatewayDependency) -> PolicyView:
    """Say how serial numbers of this GTIN are made, from now on."""
    return _policy_view(gateway.serials.set_policy(gtin, policy.length, policy.alphabet))


@router.get("/policies", dependencies=[Depends(require(Role.ADMIN, Role.LINE, Role.QUALITY, Role.AUDITOR))])
def list_policies(gateway: GatewayDependency) -> list[PolicyView]:
    """How serial numbers are made, for each GTIN that has a policy."""
    return [_policy_view(policy) for policy in gateway.serials.policies()]


def _block_view(block: SerialBlock) -> BlockView:
    return BlockView(**block.model_dump())


def _policy_view(policy: GtinPolicy) -> PolicyView:
    return PolicyView(**policy.model_dump())
