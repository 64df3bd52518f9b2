"""Products over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from packtrace.errors import DocumentError
from packtrace.gs1 import keys as gs1_keys
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.gateway import GatewayDependency

router = APIRouter(prefix="/products", tags=["products"], dependencies=[Depends(require(Role.ADMIN))])


class NewProduct(BaseModel):
    model_config = ConfigDict(extra="forbid")

    gtin: Annotated[str, Field(description="GTIN of 8, 12, 13 or 14 digits.")]
    secret: Annotated[
        str | None,
        Field(pattern="^[0-9a-f]{64}$", description="The secret that the holder of the authorisation gave."),
    ] = None


@router.post("", status_code=201)
def add_product(new: NewProduct, gateway: GatewayDependency) -> dict[str, str]:
    """Set a product up; answers with the hashes that the licensing authority registers on chain."""
    return gateway.products.add(gs1_keys.gtin(new.gtin), bytes.fromhex(new.secret) if new.secret else None)


class Authorisation(BaseModel):
    """Who may act for a product: a premises whose lines propose batches, or a qualified person's key."""

    model_config = ConfigDict(extra="forbid")

    line: Annotated[int | None, Field(ge=1, lt=1 << 22, description="Party number of premises with lines.")] = None
    quality: Annotated[
        str | None, Field(pattern="^0x[0-9a-fA-F]{40}$", description="Address of a qualified person's key.")
    ] = None
    until: Annotated[int, Field(ge=0, lt=1 << 40, description="Unix time; 0 withdraws the authorisation.")]


@router.post("/{gtin}/authorisations", status_code=202)
def authorise(
    gtin: str, new: Authorisation, gateway: GatewayDependency, caller: Annotated[Caller, Depends(require(Role.ADMIN))]
) -> dict[str, int]:
    """Authorise a line or a qualified person; signed with this company's MANAGE key. Follow it under /outbox."""
    gtin = gs1_keys.gtin(gtin)
    if (new.line is None) == (new.quality is None):
        raise DocumentError("name either a line or a quality key", field="line")
    if new.line is not None:
        return {"outbox": gateway.products.authorise_line(gtin, new.line, new.until, caller)}
    return {"outbox": gateway.products.authorise_quality(gtin, new.quality or "", new.until, caller)}
