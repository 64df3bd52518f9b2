"""Restorations over HTTP."""

from typing import Any

import orjson
from fastapi import APIRouter, Depends
from sqlmodel import col, select

from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Role
from packtrace_gateway.gateway import GatewayDependency
from packtrace_gateway.keeping.models import Restoration

router = APIRouter(tags=["operation"])


@router.get("/restorations", dependencies=[Depends(require(Role.ADMIN, Role.QUALITY, Role.AUDITOR))])
def restorations(gateway: GatewayDependency) -> list[dict[str, Any]]:
    """When this gateway was restored from a backup, the newest first, and what it lost: what only the chain has.

    `comparedAt` is null while the chain is still being asked; until then nothing is commissioned, packed or sealed.
    """
    with gateway.database.read() as session:
        rows = session.exec(select(Restoration).order_by(col(Restoration.id).desc())).all()
    return [
        {
            "backupAt": row.backup_at,
            "restoredAt": row.restored_at,
            "comparedAt": row.done_at,
            "lost": orjson.loads(row.lost),
        }
        for row in rows
    ]
