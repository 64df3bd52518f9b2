"""The exchange over HTTP, for partners' gateways: every request is signed (see `signing`), none has an API key."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from packtrace.errors import DocumentError
from packtrace_gateway.bodies import parse_json
from packtrace_gateway.exchange import locate
from packtrace_gateway.exchange.package import MAX_BYTES
from packtrace_gateway.exchange.signing import Signed
from packtrace_gateway.gateway import GatewayDependency

router = APIRouter(prefix="/exchange", tags=["exchange"])
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SignedBody:
    """A partner's request that verified, and its body."""

    signed: Signed
    body: bytes

    @property
    def party(self) -> int:
        return self.signed.peer.party


async def signed_body(request: Request, gateway: GatewayDependency) -> SignedBody:
    """The request's signature is checked before anything else is done with it."""
    try:
        body = await request.body()
    except ClientDisconnect as error:
        raise DocumentError("the connection ended before the body was here; send the request again") from error
    query = request.url.query
    target = request.url.path + (f"?{query}" if query else "")
    verify = gateway.exchange.requests.verify
    return SignedBody(await run_in_threadpool(verify, request.method, target, request.headers, body), body)


Partner = Annotated[SignedBody, Depends(signed_body)]


@router.post("/packages")
def announce(partner: Partner, gateway: GatewayDependency) -> dict[str, Any]:
    """Announce a package by its SHA-256 and size, or ask how far it came: `offset` says from where to go on."""
    plain = parse_json(partner.body)
    digest, size = (plain.get("digest"), plain.get("size")) if isinstance(plain, dict) else (None, None)
    if type(size) is not int or not 0 < size <= MAX_BYTES:
        raise DocumentError("give the package's size", field="size", value=size, rule=f"1 to {MAX_BYTES} bytes")
    return gateway.exchange.receiving.announce(partner.signed, _digest(digest), size)


@router.get("/packages/{digest}")
def package_state(digest: str, partner: Partner, gateway: GatewayDependency) -> dict[str, Any]:
    """How far the sender's own package has come; with its signed receipt once it is decided."""
    return gateway.exchange.receiving.state(partner.party, _digest(digest))


@router.patch("/packages/{digest}")
def package_piece(digest: str, offset: int, partner: Partner, gateway: GatewayDependency) -> dict[str, Any]:
    """One piece of a package, of 1 MiB unless it is the last; kept durably when this answers."""
    return gateway.exchange.receiving.piece(partner.party, _digest(digest), offset, partner.body)


@router.post("/locate")
def locate_pack(partner: Partner, gateway: GatewayDependency) -> dict[str, Any]:
    """What this company, as its marketing authorisation holder, says about a pack: signed."""
    return gateway.exchange.locator.answer(locate.from_json(parse_json(partner.body)))


def _digest(text: Any) -> bytes:
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise DocumentError("name the package by its SHA-256", field="digest", value=text, rule="64 hexadecimal digits")
    return bytes.fromhex(text)
