"""Requests between gateways, signed by the sender's OPERATE key (EIP-191 over a canonical text).

The text is these lines, joined by newlines:

    packtrace/request/v1
    chain id : address of the party registry
    method
    path and query, from /exchange on
    SHA-256 of the body, in hex
    party that sends
    party that is asked
    unix time
    nonce (16 random bytes in hex)

What is signed can be kept: it proves later who asked for, or announced, what.
"""

import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile

from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from packtrace.chain.refusals import ChainRefusal
from packtrace_gateway.exchange.directory import Directory, Peer
from packtrace_gateway.problems import ForbiddenError, UnauthorizedError

TAG = "packtrace/request/v1"
PARTY, TO, TIME, NONCE, SIGNATURE = HEADERS = (
    "Packtrace-Party",
    "Packtrace-To",
    "Packtrace-Time",
    "Packtrace-Nonce",
    "Packtrace-Signature",
)
# How far the clocks of two gateways may differ, and how long a request may be under way.
WINDOW_SECONDS = 300
# A request is valid for the window on both sides of its time; later a replay is refused by its time.
KEPT_SECONDS = 2 * WINDOW_SECONDS
# Requests of one party that are remembered: a pallet's hand-over takes about ten.
MOST_REQUESTS = 50_000
_NUMBER = re.compile(r"[0-9]{1,10}")
_NONCE = re.compile(r"[0-9a-f]{32}")
_SIGNATURE = re.compile(r"0x[0-9a-f]{130}")


@dataclass(frozen=True, slots=True)
class Request:
    """What a signature covers. `target` is path and query; `sender` and `receiver` are party numbers."""

    network: str
    method: str
    target: str
    body_hash: bytes
    sender: int
    receiver: int
    time: int
    nonce: str

    @property
    def text(self) -> str:
        """The canonical text."""
        parts = (
            TAG,
            self.network,
            self.method,
            self.target,
            self.body_hash.hex(),
            self.sender,
            self.receiver,
            self.time,
            self.nonce,
        )
        return "\n".join(str(part) for part in parts)

    def signable(self) -> SignableMessage:
        return encode_defunct(text=self.text)


def sign(
    account: LocalAccount, *, network: str, method: str, target: str, body: bytes, sender: int, receiver: int
) -> dict[str, str]:
    """The headers of a signed request."""
    now, nonce = int(time.time()), secrets.token_hex(16)
    request = Request(network, method, target, sha256(body).digest(), sender, receiver, now, nonce)
    signature = bytes(account.sign_message(request.signable()).signature)
    values = (str(sender), str(receiver), str(now), nonce, "0x" + signature.hex())
    return dict(zip(HEADERS, values, strict=True))


@dataclass(frozen=True, slots=True)
class Signed:
    """A request that verified: who sent it, and the text and signature that prove it."""

    peer: Peer
    text: str
    signature: str


class RequestVerifier:
    """Checks requests to one gateway, which answers for its own party number and for its company's."""

    def __init__(self, directory: Directory, party: int, company: int) -> None:
        self._directory = directory
        self._receivers = (party, company)
        self._nonces = SeenNonces()

    def verify(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Signed:
        """Raises UnauthorizedError or ForbiddenError naming what failed, ChainError when the node gave no answer."""
        given = {name: headers.get(name, "") for name in HEADERS}
        forms = {PARTY: _NUMBER, TO: _NUMBER, TIME: _NUMBER, NONCE: _NONCE, SIGNATURE: _SIGNATURE}
        for name, form in forms.items():
            if not form.fullmatch(given[name]):
                raise UnauthorizedError(
                    "a request between gateways carries this header", field=name, value=given[name], rule=form.pattern
                )
        sender, receiver, claimed = (int(given[name]) for name in (PARTY, TO, TIME))
        if receiver not in self._receivers:
            raise UnauthorizedError(
                "this request is for another party; check the endpoint in the party registry", field=TO, value=receiver
            )
        if abs(time.time() - claimed) > WINDOW_SECONDS:
            raise UnauthorizedError(
                "the request's time is too far from now; set both gateways' clocks and sign again",
                field=TIME,
                value=claimed,
                rule=f"at most {WINDOW_SECONDS} s",
            )
        request = Request(
            self._directory.network, method, target, sha256(body).digest(), sender, receiver, claimed, given[NONCE]
        )
        peer = self._signer(request, given[SIGNATURE])
        self._nonces.use(sender, given[NONCE], claimed)
        return Signed(peer, request.text, given[SIGNATURE])

    def _signer(self, request: Request, signature: str) -> Peer:
        try:
            address = str(Account.recover_message(request.signable(), signature=signature))
        except (BadSignature, ValidationError, ValueError) as error:
            message = "this is not a signature of any key"
            raise UnauthorizedError(message, field=SIGNATURE, value=signature, rule="EIP-191") from error
        try:
            peer = self._directory.peer(address)
        except ChainRefusal as error:
            if error.name == "UnknownKey":
                raise UnauthorizedError(
                    f"signed by {address}, which is no registered key; or the request was changed on its way",
                    field=SIGNATURE,
                    rule=error.rule,
                ) from error
            raise ForbiddenError(error.message, field=PARTY, value=request.sender, rule=error.rule) from error
        if peer.party != request.sender:
            raise UnauthorizedError(
                f"signed by a key of party {peer.party}, not of the party that it names",
                field=PARTY,
                value=request.sender,
            )
        return peer


class SeenNonces:
    """The nonces used lately. What was signed before this program started is refused: it may have been used then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._seen: dict[tuple[int, str], float] = {}  # in the order of their use
        self._count: Counter[int] = Counter()

    def use(self, party: int, nonce: str, claimed: int) -> None:
        """Raises UnauthorizedError for a request that was seen before, or may have been."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            # The start in today's clock, also when that was set meanwhile; a second is as fine as times are.
            if claimed < int(time.time() - (now - self._began)):
                raise UnauthorizedError(
                    "signed before this gateway started; sign the request again", field=TIME, value=claimed
                )
            if (party, nonce) in self._seen:
                raise UnauthorizedError("this very request was received before", field=NONCE, value=nonce)
            if self._count[party] >= MOST_REQUESTS:
                raise ForbiddenError(
                    "too many requests of this party; try again in some minutes",
                    field=PARTY,
                    value=party,
                    rule=f"at most {MOST_REQUESTS} in {KEPT_SECONDS} s",
                )
            self._seen[party, nonce] = now
            self._count[party] += 1

    def _forget(self, now: float) -> None:
        old = [key for key, used in takewhile(lambda entry: now - entry[1] > KEPT_SECONDS, self._seen.items())]
        for party, nonce in old:
            del self._seen[party, nonce]
            self._count[party] -= 1
