"""Request bodies: how large they may be, how slowly they may come, and how deeply nested they may be."""

import asyncio
import time
from typing import Any

import orjson
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from packtrace.errors import DocumentError
from packtrace_gateway import problems

# How long a sender may pause, altogether, and how slow it may be otherwise: a body of 128 MiB then has half an hour.
PATIENCE = 60.0  # seconds
SLOWEST = 64 * 1024  # bytes a second
SMALL_BODY = 1024 * 1024  # bytes; every route but the bulk ones
MAX_JSON_DEPTH = 64  # an EPCIS document with sensor data and nested extensions needs about 12
MAX_JSON_CONTAINERS = 1_000_000  # arrays and objects in one document; 10,000 events have about 200,000


class BodyLimit:
    """ASGI middleware that counts the bytes which really arrive: a body too large (413) or too slow (408) is refused.

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
        received, started, whole = 0, 0.0, False

        async def counted() -> Message:
            nonlocal received, started, whole
            if whole:  # what is waited for now is the caller's leaving
                return await receive()
            started = started or time.monotonic()
            left = started + PATIENCE + received / SLOWEST - time.monotonic()
            try:
                async with asyncio.timeout(max(left, 0.0)):
                    message = await receive()
            except TimeoutError:
                raise problems.Interrupted(_too_slow()) from None
            received += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if received > limit:
                raise problems.Interrupted(too_large(limit))
            return message

        await self.app(scope, counted, send)


def under(path: str, tops: tuple[str, ...]) -> bool:
    """Whether `path` is one of `tops` or below one."""
    return any(path == top or path.startswith(top + "/") for top in tops)


def too_large(limit: int) -> problems.TooLargeError:
    return problems.TooLargeError(
        f"the request body is larger than {limit} bytes; send it in parts", rule=f"at most {limit} bytes"
    )


def _too_slow() -> problems.TooSlowError:
    return problems.TooSlowError(
        "the request body comes too slowly; send it again",
        rule=f"{PATIENCE:.0f} seconds, and one for every {SLOWEST} bytes",
    )


PICTURES = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}  # and how each begins


async def image_body(request: Request) -> tuple[bytes, str]:
    """A request's body that is a picture, and its media type; what is inside is not looked at.

    Raises MediaTypeError for another type, DocumentError where the body is not of the type that it says.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in PICTURES:
        raise problems.MediaTypeError(
            "the body must be a picture", field="Content-Type", value=media_type, rule=" or ".join(PICTURES)
        )
    content = await request.body()
    if not content.startswith(PICTURES[media_type]):
        raise DocumentError(f"the body is no {media_type}", field="body", rule=" or ".join(PICTURES))
    return content, media_type


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
