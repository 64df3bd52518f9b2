"""Serves the page's files: open to anybody, as they are the same for everybody; all that they ask for needs a key."""

from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from packtrace_gateway import problems
from packtrace_gateway.phone.files import INDEX, page_files
from packtrace_gateway.problems import NotFoundError

PATH = "/phone"
AUTHORITY = "authority.crt"
# The page talks to this gateway, and to the node that its user names: any over TLS, or one on the phone itself.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self' https: http://127.0.0.1:* http://localhost:*",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types packtrace",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # kept, but asked for each time: the hash says whether it is still the same
    "Vary": "Accept-Encoding",
}


async def to_the_page(_request: Request) -> Response:
    """What a person types is without the last slash; the page's own addresses are relative to it."""
    return RedirectResponse(f"{PATH}/", 308)


class PhonePage:
    """ASGI application of the page's files; `authority` is the certificate that phones install."""

    def __init__(self, authority: Path) -> None:
        self._authority = authority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._response(scope)(scope, receive, send)

    def _response(self, scope: Scope) -> Response:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if scope["method"] not in ("GET", "HEAD"):
            return Response(status_code=405, headers={"Allow": "GET, HEAD"})
        name = path.removeprefix("/") or INDEX
        if name == AUTHORITY and self._authority.is_file():
            return Response(self._authority.read_bytes(), media_type="application/x-x509-ca-cert")
        file = page_files().get(name)
        if file is None:
            return problems.response(NotFoundError("the page has no such file", value=name))
        asked = Headers(scope=scope)
        headers = HEADERS | {"ETag": file.etag}
        if file.etag in (part.strip().removeprefix("W/") for part in asked.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        if file.packed is not None and "gzip" in asked.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(file.packed, headers=headers, media_type=file.type)
        return Response(file.content, headers=headers, media_type=file.type)
