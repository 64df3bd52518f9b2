"""Capture over HTTP (EPCIS 2.0, REST binding: `/capture`, `/events`)."""

from collections.abc import Callable, Collection
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request, Response

from packtrace.errors import DocumentError
from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.capture.roles import CAPTURERS
from packtrace_gateway.capture.service import MOST_EVENTS, Captured
from packtrace_gateway.gateway import GatewayDependency
from packtrace_gateway.problems import MediaTypeError

router = APIRouter(tags=["capture"])
MEDIA_TYPES = ("application/json", "application/ld+json")
Capturer = Annotated[Caller, Depends(require(*CAPTURERS))]
Answer = TypeVar("Answer")
# Captures that work at once: one prepares what it has read while another one writes. More would only take turns at the
# interpreter, each with up to a gigabyte; and they have threads of their own, so that no pharmacist's verdict waits for
# a thread behind lines that wait for the database.
AT_ONCE = 2
ERROR_BEHAVIOUR = "GS1-Capture-Error-Behaviour"
_VERSIONS = {"GS1-EPCIS-Version": "2.0.0", "GS1-CBV-Version": "2.0.0", ERROR_BEHAVIOUR: "rollback"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {media: {"schema": {"type": "object"}} for media in MEDIA_TYPES},
    }
}


@router.post("/capture", status_code=202, openapi_extra=_BODY)
async def capture(request: Request, gateway: GatewayDependency, caller: Capturer, response: Response) -> dict[str, Any]:
    """Capture an EPCIS 2.0 document: all of its events, or none. Acknowledged when they are stored."""
    captured = await _captured(request, gateway.capture.capture, caller)
    response.headers.update(_VERSIONS)
    return {"events": [_view(entry) for entry in captured]}


@router.post("/events", status_code=201, openapi_extra=_BODY)
async def capture_event(
    request: Request, gateway: GatewayDependency, caller: Capturer, response: Response
) -> dict[str, Any]:
    """Capture one EPCIS 2.0 event."""
    captured = await _captured(request, gateway.capture.capture_event, caller)
    response.headers.update(_VERSIONS)
    response.headers["Location"] = f"/events/{quote(captured.event_id, safe='')}"
    return _view(captured)


@router.options("/capture", status_code=204)
async def discover(gateway: GatewayDependency, _caller: Capturer) -> Response:
    """What may be captured here, in headers: versions, the most events and bytes, and that an error takes all back."""
    limits = {
        "Allow": "OPTIONS, POST",
        "GS1-EPCIS-Capture-Limit": str(MOST_EVENTS),
        "GS1-EPCIS-Capture-File-Size-Limit": str(gateway.settings.max_body),
    }
    return Response(status_code=204, headers=_VERSIONS | limits)


@router.get("/events/{event_id:path}")
def event_state(
    event_id: str, gateway: GatewayDependency, _caller: Annotated[object, Depends(require(*CAPTURERS, Role.AUDITOR))]
) -> dict[str, Any]:
    """How far an own event has come: captured, sealed and signed, anchored, final."""
    return gateway.capture.state(event_id)


async def _captured(
    request: Request, service: Callable[[bytes, Collection[Role], Caller], Answer], caller: Caller
) -> Answer:
    behaviour = request.headers.get(ERROR_BEHAVIOUR, "rollback")
    if behaviour != "rollback":
        raise DocumentError(
            "a document is captured whole or not at all; send what may be refused in documents of its own",
            field=ERROR_BEHAVIOUR,
            value=behaviour,
            rule="rollback",
        )
    threads: CapacityLimiter = request.app.state.capturing
    return await run_sync(service, await _json(request), caller.roles, caller, limiter=threads)


async def _json(request: Request) -> bytes:
    """The body, which says that it is JSON."""
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        raise MediaTypeError(
            "send the document as it is, not compressed", field="Content-Encoding", value=coding, rule="identity"
        )
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
    if captured.declares is not None:
        view["declares"] = captured.declares.hex()
    if captured.already:
        view["alreadyCaptured"] = True
    if captured.erroneous:
        view["declaredErroneous"] = True
    return view
