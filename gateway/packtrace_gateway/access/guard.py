"""Nothing is open but health and the phone page's files.

Every other request is authenticated before its body is read, its roles before it is served.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable

from fastapi import Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from packtrace_gateway import problems
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.access.service import AccessService
from packtrace_gateway.bodies import under
from packtrace_gateway.problems import ForbiddenError, UnauthorizedError

OPEN = ("/health", "/phone")
PAGES = ("/docs", "/openapi.json")  # read in a browser, which can only ask for a name and a password
ASK_BROWSER = 'Basic realm="packtrace: any name, and an API key as the password", charset="UTF-8"'


class Guard:
    """ASGI middleware: a request without a valid API key goes no further (401).

    The key is sent as ``Authorization: Bearer pt_…``. On the pages also as a Basic password: a browser sends that by
    itself to other routes and from other sites' forms too, so nothing else accepts it. `signed` names paths whose
    routes check a partner's signature instead.
    """

    def __init__(self, app: ASGIApp, *, access: AccessService, signed: tuple[str, ...]) -> None:
        self.app = app
        self.access = access
        self.signed = signed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and under(scope["path"], OPEN + self.signed)):
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        page = scope["path"] in PAGES and scope["method"] == "GET"
        try:
            text = _key(Headers(scope=scope).get("authorization"), basic=page)
            caller = await run_in_threadpool(self.access.authenticate, text)
        except UnauthorizedError as error:
            response = problems.response(error)
            if page:
                response.headers["WWW-Authenticate"] = ASK_BROWSER
            await response(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, receive, send)


def require(*roles: Role) -> Callable[..., Awaitable[Caller]]:
    """A dependency: the caller, who has one of `roles` (403 otherwise). Every route but the signed ones has one."""

    async def caller(request: Request, _key: object = Security(_BEARER)) -> Caller:  # async, so that it costs no thread
        known: Caller = request.state.caller
        if known.roles.isdisjoint(roles):
            raise ForbiddenError(
                f"the API key {known.key_id} ({known.name}) may not do this; it needs one of the roles "
                + ", ".join(roles),
                field="Authorization",
                value=", ".join(sorted(known.roles)),
                rule="roles: " + ", ".join(roles),
            )
        return known

    return caller


_BEARER = HTTPBearer(scheme_name="API key", description="An API key of this gateway (`pt_…`).", auto_error=False)


def _key(header: str | None, *, basic: bool) -> str:
    scheme, _, credentials = (header or "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic" and basic:
        try:
            _name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            password = ""
        return password.strip()
    raise UnauthorizedError(
        "send an API key: the header `Authorization: Bearer pt_…`", field="Authorization", rule="RFC 6750, 2.1"
    )
