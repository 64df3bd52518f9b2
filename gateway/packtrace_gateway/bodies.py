"""Request bodies: how large they may be, and how deeply nested."""

from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from packtrace.errors import DocumentError
from packtrace_gateway import problems

SMALL_BODY = 1024 * 1024  # bytes; every route but the bulk ones
MAX_JSON_DEPTH = 64  # an EPCIS document with sensor data and nested extensions needs about 12
MAX_JSON_CONTAINERS = 1_000_000  # arrays and objects in one document; 10,000 events have about 200,000


class BodyLimit:
    """ASGI middleware that counts the bytes which really arrive, and refuses a body that is too large (413).

    `large` names the paths (and all below them) whose bodies may have `large_limit` bytes; others have `SMALL_BODY`.
    """

    def __init__(self, app: ASGIApp, *, large: tuple[str, ...], large_limit: int) -> None:
        self.app = app
        self.large = large
        self.large_limit = large_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.large_limit if under(scope["path"], self.large) else SMALL_BODY
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if len(declared) > 18 or int(declared) > limit:
            await problems.response(too_large(limit))(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                # An HTTPException, because FastAPI reports any other error in reading a body as a 400.
                raise HTTPException(413, too_large(limit).message)
            return message

        await self.app(scope, counted, send)


def under(path: str, tops: tuple[str, ...]) -> bool:
    """Whether `path` is one of `tops` or below one."""
    return any(path == top or path.startswith(top + "/") for top in tops)


def too_large(limit: int) -> problems.TooLargeError:
    return problems.TooLargeError(
        f"the request body is larger than {limit} bytes; send it in parts", rule=f"at most {limit} bytes"
    )


def parse_json(data: bytes, *, max_depth: int = MAX_JSON_DEPTH) -> Any:
    """The JSON value in `data` (UTF-8), nested at most `max_depth` deep; raises DocumentError.

    The parser itself gives up at 1,024 levels. Brackets are counted before it (also those in strings: the bound is
    generous), and the walk afterwards looks at containers only, so that a hostile document costs little.
    """
    if data.count(b"[") + data.count(b"{") > MAX_JSON_CONTAINERS:
        rule = f"at most {MAX_JSON_CONTAINERS} arrays and objects"
        raise DocumentError("the document has too many parts; send it as several", rule=rule)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        hint = "was it cut short?" if "end of data" in error.msg or not data else where
        raise DocumentError(f"the document is not JSON: {error.msg}; {hint}", rule="RFC 8259") from None
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > max_depth:
            raise DocumentError("the document is nested too deeply", rule=f"at most {max_depth} levels")
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) is dict or type(item) is list
        ]
    return value
