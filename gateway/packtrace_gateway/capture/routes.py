"""Capture over HTTP (EPCIS 2.0, REST binding: `/capture`, `/events`)."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Role
from packtrace_gateway.capture.service import Captured
from packtrace_gateway.gateway import GatewayDependency
from packtrace_gateway.problems import MediaTypeError

router = APIRouter(tags=["capture"])
MEDIA_TYPES = ("application/json", "application/ld+json")
CAPTURERS = (Role.LINE, Role.WAREHOUSE, Role.DISPENSER)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {media: {"schema": {"type": "object"}} for media in MEDIA_TYPES},
    }
}


@router.post("/capture", status_code=202, openapi_extra=_BODY, dependencies=[Depends(require(*CAPTURERS))])
async def capture(request: Request, gateway: GatewayDependency) -> dict[str, Any]:
    """Capture an EPCIS 2.0 document: all of its events, or none. Acknowledged when they are stored."""
    captured = await run_in_threadpool(gateway.capture.capture, await _json(request))
    return {"events": [_view(entry) for entry in captured]}


@router.post("/events", status_code=201, openapi_extra=_BODY, dependencies=[Depends(require(*CAPTURERS))])
async def capture_event(request: Request, gateway: GatewayDependency, response: Response) -> dict[str, Any]:
    """Capture one EPCIS 2.0 event."""
    captured = await run_in_threadpool(gateway.capture.capture_event, await _json(request))
    response.headers["Location"] = f"/events/{quote(captured.event_id, safe='')}"
    return _view(captured)


@router.get("/events/{event_id:path}")
def event_state(
    event_id: str, gateway: GatewayDependency, _caller: Annotated[object, Depends(require(*CAPTURERS, Role.AUDITOR))]
) -> dict[str, Any]:
    """How far an own event has come: captured, sealed and signed, anchored, final."""
    return gateway.capture.state(event_id)


async def _json(request: Request) -> bytes:
    """The body, which says that it is JSON."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA_TYPES:
        raise MediaTypeError(
            "send the document as JSON", field="Content-Type", value=media, rule=" or ".join(MEDIA_TYPES)
        )
    return await request.body()


def _view(captured: Captured) -> dict[str, Any]:
    view: dict[str, Any] = {
        "eventID": captured.event_id,
        "cbvHash": captured.cbv_hash,
        "digest": captured.digest.hex(),
    }
    if captured.batch is not None:
        view["batch"] = captured.batch
    if captured.already:
        view["alreadyCaptured"] = True
    return view
