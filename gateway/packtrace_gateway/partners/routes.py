"""Partners over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from packtrace.gs1 import keys as gs1_keys
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Role
from packtrace_gateway.gateway import GatewayDependency

router = APIRouter(prefix="/partners", tags=["partners"])


class PartnerData(BaseModel):
    """What a partner tells its trading partners about one of its premises."""

    model_config = ConfigDict(extra="forbid")

    party: Annotated[int, Field(ge=1, lt=1 << 22, description="Party number in the party registry.")]
    salt: Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="Opens the GLN's commitment on chain (16 bytes).")]
    name: Annotated[str, Field(max_length=200)]


@router.put("/{gln}", status_code=204, dependencies=[Depends(require(Role.ADMIN))])
def put_partner(gln: str, data: PartnerData, gateway: GatewayDependency) -> None:
    """Keep a partner's premises; GLN and salt are checked against the party registry."""
    gateway.partners.add(gs1_keys.gln(gln), data.party, bytes.fromhex(data.salt), data.name)


@router.get("", dependencies=[Depends(require(Role.ADMIN, Role.WAREHOUSE, Role.AUDITOR))])
def list_partners(gateway: GatewayDependency) -> list[dict[str, str | int]]:
    """All partners, without the salts."""
    return [{"gln": row.gln, "party": row.party, "name": row.name} for row in gateway.partners.all()]
