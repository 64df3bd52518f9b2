"""Products over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from packtrace.gs1 import keys as gs1_keys
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Role
from packtrace_gateway.gateway import GatewayDependency

router = APIRouter(prefix="/products", tags=["products"], dependencies=[Depends(require(Role.ADMIN))])


class NewProduct(BaseModel):
    model_config = ConfigDict(extra="forbid")

    gtin: Annotated[str, Field(description="GTIN of 8, 12, 13 or 14 digits.")]
    secret: Annotated[
        str | None,
        Field(pattern="^[0-9a-f]{64}$", description="The secret that the authorisation's holder gave; else one is made."),
    ] = None


@router.post("", status_code=201)
def add_product(new: NewProduct, gateway: GatewayDependency) -> dict[str, str]:
    """Set a product up; answers with the hashes that the licensing authority registers on chain."""
    return gateway.products.add(gs1_keys.gtin(new.gtin), bytes.fromhex(new.secret) if new.secret else None)
