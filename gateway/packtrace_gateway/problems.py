"""Every error over HTTP as a problem document (RFC 7807, application/problem+json).

A `PacktraceError` becomes a 4xx (or 502, 503) with its field, value and rule. Anything unexpected becomes a 500 that
says nothing but an incident's number, which is in the log with the traceback. Types are those of EPCIS 2.0's REST
binding where it has one (`epcisException:…`), ours otherwise.
"""

import logging
import secrets
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from packtrace.chain.refusals import ChainRefusal
from packtrace.errors import (
    ChainError,
    ChainUnreachable,
    DocumentError,
    EvidenceError,
    IdentifierError,
    LifecycleError,
    PacktraceError,
    shorten,
)
from packtrace_gateway.db import DatabaseBusyError, DatabaseRestoredError, DatabaseWriteError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_LISTED = 20  # errors listed in one problem document
MAX_SHOWN = 80  # characters of a value that are shown


class NotFoundError(PacktraceError):
    """What the request names does not exist here."""


class AlreadyExistsError(PacktraceError):
    """What the request would make exists already."""


class TooLargeError(PacktraceError):
    """A request that is larger than allowed."""


class TooSlowError(PacktraceError):
    """A request whose body does not arrive."""


class TooManyError(PacktraceError):
    """More requests than are served to one caller; later ones are."""


class MediaTypeError(PacktraceError):
    """A request body of a type that this route does not read."""


class UnauthorizedError(PacktraceError):
    """No API key, or not a valid one; for a partner's request, no valid signature."""


class ForbiddenError(PacktraceError):
    """The caller is known, and may not do this."""


class Interrupted(HTTPException):
    """`error`, raised while a body is read: FastAPI reports all but an HTTPException there as an unreadable body."""

    def __init__(self, error: PacktraceError) -> None:
        super().__init__(_kind(error).status, error.message)
        self.error = error


class Kind(NamedTuple):
    status: int
    type: str
    title: str


# The first class in an error's ancestry decides; derive a feature's own errors from one of these. One that people
# meet in a language of their own has a `problem_type` of its own too: the phone page has words for each.
KINDS: dict[type[PacktraceError], Kind] = {
    IdentifierError: Kind(400, "epcisException:ValidationException", "Identifier not valid"),
    DocumentError: Kind(400, "epcisException:ValidationException", "Document not valid"),
    UnauthorizedError: Kind(401, "epcisException:SecurityException", "Not authenticated"),
    ForbiddenError: Kind(403, "epcisException:SecurityException", "Not allowed"),
    NotFoundError: Kind(404, "epcisException:NoSuchResourceException", "Not found"),
    AlreadyExistsError: Kind(409, "epcisException:ResourceAlreadyExistsException", "Exists already"),
    LifecycleError: Kind(409, "packtrace:lifecycle", "Contradicts what is recorded"),
    TooSlowError: Kind(408, "packtrace:too-slow", "Too slow"),
    TooLargeError: Kind(413, "epcisException:CaptureLimitExceededException", "Too large"),
    TooManyError: Kind(429, "packtrace:too-many", "Too many requests"),
    MediaTypeError: Kind(415, "epcisException:UnsupportedMediaTypeException", "Media type not supported"),
    EvidenceError: Kind(422, "packtrace:evidence", "Evidence does not verify"),
    ChainRefusal: Kind(409, "packtrace:chain-refusal", "Refused by the chain"),
    ChainUnreachable: Kind(503, "packtrace:chain-unreachable", "No answer from the chain"),
    ChainError: Kind(502, "packtrace:chain", "The chain could not be asked"),
    DatabaseBusyError: Kind(503, "packtrace:busy", "Busy"),
    DatabaseRestoredError: Kind(503, "packtrace:restored", "Restored from a backup"),
    DatabaseWriteError: Kind(503, "packtrace:storage", "Cannot be stored"),
    PacktraceError: Kind(400, "packtrace:refused", "Refused"),
}
INTERNAL = Kind(500, "epcisException:ImplementationException", "Internal error")
RETRY_AFTER = "5"  # seconds, with every 503


def response(error: PacktraceError) -> Response:
    """The problem document of `error`, as a response."""
    kind = _kind(error)
    kind = kind._replace(type=getattr(error, "problem_type", kind.type))
    members: dict[str, Any] = {"detail": error.message}
    for name in ("field", "rule"):
        if getattr(error, name) is not None:
            members[name] = getattr(error, name)
    if error.value is not None:
        members["value"] = _shown(error.value)
    headers = {}
    if kind.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if kind.status == 503:
        headers["Retry-After"] = RETRY_AFTER
    return _document(kind, members, headers)


def _kind(error: PacktraceError) -> Kind:
    return next(KINDS[ancestor] for ancestor in type(error).__mro__ if ancestor in KINDS)


def install(app: FastAPI) -> None:
    """Make `app` answer with problem documents only. `CatchAll` must stand around it as well."""
    app.add_exception_handler(PacktraceError, _packtrace)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _cut)


class CatchAll:
    """ASGI middleware, the outermost: an unexpected error is logged and answered with its incident's number only."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            incident = secrets.token_hex(6)
            # The path as a literal: it may hold line breaks, and a log is read line by line.
            log.exception("incident %s: %s %r failed", incident, scope["method"], scope["path"])
            if started:
                raise  # too late for another answer: the server cuts the connection
            detail = f"Something went wrong here. Give the operator the incident's number {incident}."
            await _document(INTERNAL, {"detail": detail, "incident": incident})(scope, receive, send)


async def _packtrace(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PacktraceError)
    return response(error)


async def _validation(request: Request, error: Exception) -> Response:
    """FastAPI's own findings: JSON that cannot be parsed, a member that is missing, of a wrong type, unknown, …"""
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):
        return response(
            MediaTypeError(
                "the body must be JSON",
                field="Content-Type",
                value=request.headers.get("content-type", ""),
                rule="application/json",
            )
        )
    found = [_finding(item) for item in error.errors()[:MAX_LISTED]]
    members: dict[str, Any] = {"detail": f"{found[0]['field']}: {found[0]['rule']}", **found[0]}
    if len(found) > 1:
        members["errors"] = found
    return _document(KINDS[DocumentError]._replace(title="Request not valid"), members)


def _finding(item: Any) -> dict[str, Any]:
    if item["type"] == "json_invalid":
        reason = item.get("ctx", {}).get("error", "")
        return {"field": "body", "rule": f"JSON (RFC 8259); character {item['loc'][-1]}: {reason}"}
    place, *rest = item["loc"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)
    finding = {"field": path.lstrip(".") or place, "rule": item["msg"].removeprefix("Value error, ")}
    if item["type"] != "missing":
        finding["value"] = _shown(item.get("input"))
    return finding


async def _http(request: Request, error: Exception) -> Response:
    """What Starlette and FastAPI raise themselves: unknown routes and methods, unreadable bodies."""
    assert isinstance(error, HTTPException)
    if isinstance(error, Interrupted):
        return response(error.error)
    path, method = request.url.path, request.method
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            return response(NotFoundError("there is no such resource here; see /docs", value=path))
        case 405:
            allowed = headers.get("Allow", "another method")
            members = {"detail": f"{method} is not possible here; use {allowed}", "value": path}
            return _document(Kind(405, "about:blank", "Method not allowed"), members, headers)
        case 400 if isinstance(error.__cause__, RecursionError):
            return response(DocumentError("the JSON is nested too deeply", field="body", rule="RFC 8259, section 9"))
        case 400:  # FastAPI could not read the body, and does not say why
            return response(DocumentError("the body is not JSON in UTF-8", field="body", rule="RFC 8259"))
    kind = Kind(error.status_code, "about:blank", HTTPStatus(error.status_code).phrase)
    return _document(kind, {"detail": str(error.detail)}, headers)


async def _cut(_request: Request, _error: Exception) -> Response:
    """A caller that went away while its body was read: no incident, and nobody reads this answer."""
    return response(DocumentError("the connection ended before the body was here; send the request again"))


def _document(kind: Kind, members: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    content = {"type": kind.type, "title": kind.title, "status": kind.status, **members}
    return Response(orjson.dumps(content), kind.status, headers, MEDIA_TYPE)


def _shown(value: Any) -> Any:
    """`value` as it can stand in a problem document: plain, and short."""
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or abs(value) < 2**53 else str(value)[:MAX_SHOWN]
    if isinstance(value, str):
        text = value.encode("utf-8", "replace").decode()  # no lone surrogates
        return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return shorten(value, MAX_SHOWN)
