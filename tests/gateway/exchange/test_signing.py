"""Requests between gateways: only what a licensed party signed, just now, for this party, once."""

import json
import secrets
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from packtrace.errors import EvidenceError
from packtrace_gateway.exchange import receipts, signing
from packtrace_gateway.exchange.receipts import Receipt
from packtrace_gateway.exchange.signing import KEPT_SECONDS, WINDOW_SECONDS, Request, SeenNonces
from packtrace_gateway.keys import Purpose
from packtrace_gateway.problems import ForbiddenError, UnauthorizedError

PLANT, WHOLESALER, PHARMACY, SHOP = 11, 20, 30, 31
PACKAGES = "/exchange/packages"
BODY = json.dumps({"digest": "ab" * 32, "size": 5}).encode()

Send = Callable[..., httpx.Response]


@pytest.fixture
def send(world: Any) -> Send:
    """Send the wholesaler a request as from the plant, with what the test changes about it."""
    plant, wholesaler = world[PLANT], world[WHOLESALER]

    def sending(
        body: bytes = BODY, account: Any = None, target: str = PACKAGES, changed: Any = None, **parts: Any
    ) -> httpx.Response:
        signed = {
            "network": plant.gateway.exchange.client._directory.network,
            "method": "POST",
            "target": PACKAGES,
            "body": BODY,
            "sender": PLANT,
            "receiver": WHOLESALER,
        } | parts
        headers = signing.sign(account or plant.gateway.keys.account(Purpose.OPERATE), **signed)
        headers |= changed or {}
        headers = {name: value for name, value in headers.items() if value is not None}
        return httpx.post(f"{wholesaler.settings.endpoint}{target}", content=body, headers=headers)

    return sending


def refusal(response: httpx.Response) -> tuple[int, str | None, str]:
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, problem.get("field"), problem["detail"]


def test_a_request_that_its_party_signed_is_served(send: Send) -> None:
    answer = send()
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"state": "receiving", "offset": 0, "size": 5, "receipt": None}


@pytest.mark.parametrize("name", signing.HEADERS)
@pytest.mark.parametrize("value", [None, "", "x" * 500])
def test_a_missing_or_malformed_header_is_named(send: Send, name: str, value: str | None) -> None:
    assert refusal(send(changed={name: value}))[:2] == (401, name)


def test_an_api_key_opens_nothing_here(world: Any) -> None:
    assert refusal(world[WHOLESALER].http.post(PACKAGES, content=BODY))[:2] == (401, signing.PARTY)


@pytest.mark.parametrize(
    "change",
    [
        {"body": BODY.replace(b"5", b"6")},
        {"target": f"{PACKAGES}?offset=0"},
        {"method": "PATCH"},
        {"network": "1:0x0000000000000000000000000000000000000000"},
        {"changed": {signing.NONCE: "0" * 32}},
        {"changed": {signing.TIME: None}},
    ],
)
def test_a_request_that_was_changed_after_signing_is_nobodys(send: Send, change: Any) -> None:
    if signing.TIME in change.get("changed", {}):  # a time of now, not of when the tests were collected
        change = {"changed": {signing.TIME: str(int(time.time()) + 1)}}
    status, field, detail = refusal(send(**change))
    assert (status, field) == (401, signing.SIGNATURE)
    assert "no registered key" in detail


def test_a_stranger_cannot_speak_for_a_party(send: Send) -> None:
    status, field, detail = refusal(send(account=Account.create()))
    assert (status, field) == (401, signing.SIGNATURE)
    assert "no registered key" in detail


def test_a_party_cannot_speak_for_another(world: Any, send: Send) -> None:
    status, field, detail = refusal(send(account=world[PHARMACY].gateway.keys.account(Purpose.OPERATE)))
    assert (status, field) == (401, signing.PARTY)
    assert "party 30" in detail


def test_a_key_for_other_purposes_is_refused(world: Any, send: Send) -> None:
    status, _, detail = refusal(send(account=world[PLANT].gateway.keys.account(Purpose.LINE)))
    assert status == 403
    assert "may not sign this" in detail


def test_a_request_for_another_party_is_refused(send: Send) -> None:
    assert refusal(send(receiver=PHARMACY))[:2] == (401, signing.TO)


@pytest.mark.parametrize("shift", [-WINDOW_SECONDS - 2, WINDOW_SECONDS + 2])
def test_a_request_from_another_time_is_refused(world: Any, send: Send, shift: int) -> None:
    client = world[PLANT].gateway.exchange.client
    request = Request(
        client._directory.network,
        "POST",
        PACKAGES,
        sha256(BODY).digest(),
        PLANT,
        WHOLESALER,
        int(time.time()) + shift,
        secrets.token_hex(16),
    )
    signature = world[PLANT].gateway.keys.account(Purpose.OPERATE).sign_message(request.signable()).signature
    given = (str(request.time), request.nonce, "0x" + bytes(signature).hex())
    changed = dict(zip((signing.TIME, signing.NONCE, signing.SIGNATURE), given, strict=True))
    status, field, detail = refusal(send(changed=changed))
    assert (status, field) == (401, signing.TIME)
    assert "clocks" in detail


def test_a_replayed_request_is_refused(world: Any) -> None:
    plant, wholesaler = world[PLANT], world[WHOLESALER]
    headers = signing.sign(
        plant.gateway.keys.account(Purpose.OPERATE),
        network=plant.gateway.exchange.client._directory.network,
        method="POST",
        target=PACKAGES,
        body=BODY,
        sender=PLANT,
        receiver=WHOLESALER,
    )
    url = f"{wholesaler.settings.endpoint}{PACKAGES}"
    assert httpx.post(url, content=BODY, headers=headers).status_code == 200
    status, field, detail = refusal(httpx.post(url, content=BODY, headers=headers))
    assert (status, field) == (401, signing.NONCE)
    assert "received before" in detail


def test_a_suspended_party_is_refused_within_seconds_and_heard_again_later(world: Any, send: Send) -> None:
    world.admin.suspend(PLANT)
    try:
        refused = world.wait(lambda: (answer := send()).status_code == 403 and answer)
        assert "no valid licence" in refused.json()["detail"]
    finally:
        world.admin.reinstate(PLANT)
    world.wait(lambda: send().status_code == 200)


def test_nobody_sees_anothers_package(world: Any, by_hand: Any) -> None:
    client = world[PHARMACY].gateway.exchange.client
    with pytest.raises(Exception, match="announce the package first"):
        client.request(WHOLESALER, "GET", f"{PACKAGES}/{'ab' * 32}")


# ---- without a network ----


@given(st.integers(0, 8), st.data())
def test_the_canonical_text_of_two_requests_is_never_the_same(changed: int, data: st.DataObject) -> None:
    one = Request("1:0xa", "POST", "/exchange/x?y=1", b"\1" * 32, 11, 20, 1_800_000_000, "0" * 32)
    parts = [one.network, one.method, one.target, one.body_hash, one.sender, one.receiver, one.time, one.nonce]
    changed %= len(parts)
    if isinstance(parts[changed], int):
        other: Any = data.draw(st.integers(0, 2**32))
    elif isinstance(parts[changed], bytes):
        other = data.draw(st.binary(min_size=32, max_size=32))
    else:
        other = data.draw(st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=40))
    parts[changed] = other
    two = Request(*parts)  # type: ignore[arg-type]
    assert (one == two) == (one.text == two.text)


def test_what_was_signed_before_the_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    nonces = SeenNonces()
    now = int(time.time())
    nonces.use(1, "a", now)
    with pytest.raises(UnauthorizedError, match="before this gateway started"):
        nonces.use(1, "b", now - 2)


def test_nonces_are_remembered_as_long_as_they_could_be_used_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(1_800_000_000.0)
    monkeypatch.setattr(signing, "time", clock)
    nonces = SeenNonces()
    clock.now += 1000
    first = int(clock.now) + WINDOW_SECONDS  # the sender's clock is ahead
    nonces.use(1, "a", first)
    clock.now += KEPT_SECONDS - 1
    with pytest.raises(UnauthorizedError, match="received before"):
        nonces.use(1, "a", first)
    clock.now += 2  # now its time is too far away, and `verify` refuses it for that
    assert clock.now - first > WINDOW_SECONDS
    nonces.use(2, "b", int(clock.now))
    assert [nonce for _, nonce in nonces._seen] == ["b"]


def test_one_party_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "MOST_REQUESTS", 3)
    nonces = SeenNonces()
    now = int(time.time())
    for number in range(3):
        nonces.use(1, str(number), now)
    with pytest.raises(ForbiddenError, match="too many requests"):
        nonces.use(1, "4", now)
    nonces.use(2, "4", now)


class Clock:
    """Both clocks, set by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


KEY = Account.from_key(bytes(range(1, 33)))
REQUEST_SIGNATURE = (
    "d5760700b68eea8655a6293b6605ee09aeeecfebbb7b1b71aadc48aa10f3355139"
    "9874c039057af90d702208b08c8d15fc5efc30c8db9a188bd1f44c1cbfa1481b"
)
RECEIPT_SIGNATURE = (
    "e0aef7fe8db8ee2dfaf8086a3312d214ae468f5b130aadecc8598778c2f32fea12"
    "f4c65ccea3cf400cc7738978bb0023ba4af10009118fed86152955351e34101c"
)
NETWORK = "31337:0x5FbDB2315678afecb367f032d93F642f64180aa3"


def test_a_signed_request_is_this_text_and_signature() -> None:
    """For those who write another gateway."""
    request = Request(NETWORK, "POST", "/exchange/packages", sha256(b"[]").digest(), 11, 20, 1_795_411_000, "6c" * 16)
    assert request.text == "\n".join(
        [
            "packtrace/request/v1",
            "31337:0x5FbDB2315678afecb367f032d93F642f64180aa3",
            "POST",
            "/exchange/packages",
            "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
            "11",
            "20",
            "1795411000",
            "6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c",
        ]
    )
    assert bytes(KEY.sign_message(request.signable()).signature).hex() == REQUEST_SIGNATURE


def test_a_signed_receipt_is_this_json_and_signature() -> None:
    receipt = Receipt(NETWORK, bytes(32), 11, 20, "quarantined", ("disclosure 0: …",), 1_795_411_000)
    signed = receipt.sign(KEY)
    assert signed == {
        "network": NETWORK,
        "package": "00" * 32,
        "from": 11,
        "to": 20,
        "outcome": "quarantined",
        "reasons": ["disclosure 0: …"],
        "time": 1_795_411_000,
        "signature": "0x" + RECEIPT_SIGNATURE,
    }
    assert receipts.read(signed) == (receipt, KEY.address)


@pytest.mark.parametrize("name", ["network", "package", "from", "to", "outcome", "reasons", "time"])
def test_a_changed_receipt_is_nobodys(name: str) -> None:
    signed = Receipt(NETWORK, bytes(32), 11, 20, "accepted", (), 1_795_411_000).sign(KEY)
    other = {"package": "01" * 32, "outcome": "quarantined", "reasons": ["x"], "network": "1:0x"}.get(name, 99)
    _, signer = receipts.read(signed | {name: other})
    assert signer != KEY.address


@pytest.mark.parametrize("plain", [None, [], {}, {"outcome": "accepted"}])
def test_what_is_no_receipt_is_refused(plain: Any) -> None:
    with pytest.raises(EvidenceError):
        receipts.read(plain)


@pytest.mark.parametrize("change", [{"reasons": 5}, {"outcome": "perhaps"}, {"signature": "0x00"}, {"time": None}])
def test_a_malformed_receipt_is_refused(change: dict[str, Any]) -> None:
    signed = Receipt(NETWORK, bytes(32), 11, 20, "accepted", (), 1_795_411_000).sign(KEY)
    with pytest.raises(EvidenceError):
        receipts.read(signed | change)
