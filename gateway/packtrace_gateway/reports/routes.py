"""Reports of suspect packs over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.bodies import image_body
from packtrace_gateway.gateway import GatewayDependency, RowNumber
from packtrace_gateway.reports.models import Report
from packtrace_gateway.reports.service import MAX_LISTED
from packtrace_gateway.verify.routes import Code

router = APIRouter(prefix="/reports", tags=["reports"])
REPORTERS = (Role.DISPENSER, Role.WAREHOUSE, Role.QUALITY, Role.REGULATOR)
Reporter = Annotated[Caller, Depends(require(*REPORTERS))]
READS = Depends(require(*REPORTERS, Role.AUDITOR))


class NewReport(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pack: Code
    text: Annotated[str, Field(min_length=1, max_length=10_000, description="What was seen.")]
    request: Annotated[
        str,
        Field(
            min_length=16,
            max_length=64,
            description="The client's own name for this report, random: sent again with it, nothing is done twice.",
        ),
    ]


@router.post("", status_code=201)
def report(new: NewReport, gateway: GatewayDependency, caller: Reporter) -> dict[str, Any]:
    """Report a suspect pack: what was seen is kept here, and the pack becomes SUSPECT on chain where it is one that the
    chain knows (follow `operation` under /operations). Photos are put below /reports/{number}/photos.
    """
    kept, verdict = gateway.reports.report(new.pack.scan(), new.text, caller, new.request)
    return _view(kept) | {"verdicts": [verdict.to_json()] if verdict else []}


@router.get("", dependencies=[READS])
def list_reports(
    gateway: GatewayDependency,
    before: Annotated[int | None, Query(lt=1 << 63, description="The last number of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = MAX_LISTED,
) -> list[dict[str, Any]]:
    """Reports, the newest first."""
    return [_view(entry) | {"photoCount": count} for entry, count in gateway.reports.all(before, limit)]


@router.get("/{number}", dependencies=[READS])
def get_report(number: RowNumber, gateway: GatewayDependency) -> dict[str, Any]:
    """One report with its photos' numbers."""
    found, photos = gateway.reports.one(number)
    shown = [{"id": id_, "type": type_, "sha256": digest.hex()} for id_, type_, digest in photos]
    return _view(found) | {"photos": shown}


@router.post(
    "/{number}/photos",
    status_code=201,
    openapi_extra={"requestBody": {"content": {"image/jpeg": {}, "image/png": {}}, "required": True}},
)
async def add_photo(
    number: RowNumber, request: Request, gateway: GatewayDependency, caller: Reporter
) -> dict[str, Any]:
    """Add a photo, JPEG or PNG, of at most one MiB. The same one again is kept once."""
    content, media_type = await image_body(request)
    kept = await run_in_threadpool(gateway.reports.add_photo, number, content, media_type, caller)
    return {"id": kept.id, "type": kept.type, "sha256": kept.hash.hex()}


@router.get("/{number}/photos/{photo}", dependencies=[READS], response_class=Response)
def get_photo(number: RowNumber, photo: RowNumber, gateway: GatewayDependency) -> Response:
    """A photo as it was sent."""
    found = gateway.reports.photo(number, photo)
    # A picture, whatever is in it: no browser takes it for a page.
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return Response(found.content, media_type=found.type, headers=headers)


def _view(report: Report) -> dict[str, Any]:
    return {
        "number": report.number,
        "time": report.time,
        "author": report.author,
        "uri": report.uri,
        "lot": report.lot,
        "expiry": report.expiry,
        "verdict": report.verdict,
        "unit": None if report.unit is None else str(report.unit),
        "text": report.text,
        "operation": report.operation,
    }
