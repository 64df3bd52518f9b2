"""API keys over HTTP: for admins only."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import ApiKey, Role
from packtrace_gateway.gateway import GatewayDependency

router = APIRouter(prefix="/keys", tags=["access"], dependencies=[Depends(require(Role.ADMIN))])


class NewKey(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(description="The user or device that gets the key.", max_length=100)]
    roles: Annotated[list[Role], Field(min_length=1, max_length=len(Role))]


class KeyView(BaseModel):
    """A key as its admin sees it; times are unix seconds."""

    id: str
    name: str
    roles: list[Role]
    created_at: int
    last_used_at: int | None
    revoked_at: int | None


class CreatedKey(KeyView):
    key: Annotated[str, Field(description="The API key itself. It is shown this once; only a hash of it is kept.")]


@router.post("", status_code=201)
def create_key(new: NewKey, gateway: GatewayDependency) -> CreatedKey:
    """Make an API key."""
    row, text = gateway.access.create(new.name, new.roles)
    return CreatedKey(**_view(row).model_dump(), key=text)


@router.get("")
def list_keys(gateway: GatewayDependency) -> list[KeyView]:
    """All API keys, the newest first, without their secrets."""
    return [_view(row) for row in gateway.access.all_keys()]


@router.delete("/{key_id}")
def revoke_key(key_id: str, gateway: GatewayDependency) -> KeyView:
    """Revoke an API key: it opens nothing from now on."""
    return _view(gateway.access.revoke(key_id))


def _view(row: ApiKey) -> KeyView:
    return KeyView(**row.model_dump(exclude={"roles", "secret_hash"}), roles=sorted(row.role_set))
