"""Packages that are cut off, sent again, and gateways that are killed: nothing is lost, nothing comes twice."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn
from eth_account import Account

from packtrace.errors import EvidenceError
from packtrace_gateway.exchange.errors import PartnerError
from packtrace_gateway.exchange.models import PIECE_BYTES, HandOver
from packtrace_gateway.exchange.package import MAX_BYTES, digest
from packtrace_gateway.exchange.receipts import Receipt
from packtrace_gateway.keys import Purpose
from tests.gateway.exchange.packages import ByHand

PLANT, WHOLESALER, PHARMACY, SHOP = 11, 20, 30, 31
PACKAGES = "/exchange/packages"


@contextmanager
def cutting_proxy(target: int, cuts: list[int]) -> Iterator[int]:
    """A way to a gateway that breaks every connection after so many bytes from the sender, until `cuts` is used up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        try:
            while data := source.recv(65536):
                if limit is not None and passed + len(data) > limit:
                    sink.sendall(data[: limit - passed])
                    break
                passed += len(data)
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", target))
            limit = cuts.pop(0) if cuts else None
            threading.Thread(target=pump, args=(near, far, limit), daemon=True).start()
            threading.Thread(target=pump, args=(far, near, None), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


PIECE = 1 << 16  # smaller than in earnest, so that a small pallet needs several


def test_an_upload_that_is_cut_off_at_any_byte_goes_on_where_it_was(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in ("sending", "receiving"):
        monkeypatch.setattr(f"packtrace_gateway.exchange.{side}.PIECE_BYTES", PIECE)
    plant, wholesaler = world[PLANT], world[WHOLESALER]
    pallet, _, packs = world.pallet(packs=2400, cases=4)
    chance = random.Random(7)
    # Each cut comes before its connection has done its work: in the first piece, then in the second, then in the last.
    first, later = chance.sample(range(1000, PIECE), 4), chance.sample(range(10_000), 3)
    cuts = [0, 100, *first, PIECE + 20_000, *later]
    with cutting_proxy(wholesaler.settings.port, cuts) as port:
        world.admin.set_profile(WHOLESALER, name="party 20", endpoint=f"http://127.0.0.1:{port}")
        try:
            plant.capture(plant.ship(WHOLESALER, [pallet]))
            arrival = wholesaler.wait_arrival(pallet)
        finally:
            world.admin.set_profile(WHOLESALER, name="party 20", endpoint=wholesaler.settings.endpoint or "")
    assert cuts == []
    shipment = plant.wait_hand_over(pallet, "delivered")
    assert shipment["size"] == arrival["size"] > 2 * PIECE
    wholesaler.capture(wholesaler.receive([pallet]))
    wholesaler.wait_goods(pallet, "received")
    assert wholesaler.place(packs[-1]) == "HERE"


def test_half_a_piece_is_not_kept_and_pieces_come_in_their_order(world: Any) -> None:
    client, name = world[PLANT].gateway.exchange.client, "cd" * 32
    size = 2 * PIECE_BYTES + 10
    client.request(WHOLESALER, "POST", PACKAGES, b'{"digest": "%s", "size": %d}' % (name.encode(), size))
    with pytest.raises(PartnerError, match="pieces of one size"):
        client.request(WHOLESALER, "PATCH", f"{PACKAGES}/{name}?offset=0", bytes(100))
    assert client.request(WHOLESALER, "GET", f"{PACKAGES}/{name}")["offset"] == 0
    kept = client.request(WHOLESALER, "PATCH", f"{PACKAGES}/{name}?offset=0", bytes(PIECE_BYTES))
    assert kept["offset"] == PIECE_BYTES
    for offset in (0, 2 * PIECE_BYTES, size):  # too early, too late: the answer says where to go on
        again = client.request(WHOLESALER, "PATCH", f"{PACKAGES}/{name}?offset={offset}", bytes(10))
        assert again["offset"] == PIECE_BYTES


@pytest.mark.parametrize("size", [0, -1, MAX_BYTES + 1, "5", None])
def test_a_package_of_no_possible_size_is_refused(world: Any, size: Any) -> None:
    client = world[PLANT].gateway.exchange.client
    body = httpx.Request("POST", "http://x", json={"digest": "ef" * 32, "size": size}).content
    with pytest.raises(PartnerError, match="give the package's size"):
        client.request(WHOLESALER, "POST", PACKAGES, body)


def test_a_piece_beyond_the_bound_is_refused_before_it_is_read(world: Any) -> None:
    client = world[PLANT].gateway.exchange.client
    with pytest.raises(PartnerError, match="larger than"):
        client.request(WHOLESALER, "PATCH", f"{PACKAGES}/{'ef' * 32}?offset=0", bytes(PIECE_BYTES + 1))


def test_one_partner_cannot_announce_without_end(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrace_gateway.exchange.receiving.MOST_UNDECIDED", 3)
    client = world[PHARMACY].gateway.exchange.client

    def announce(number: int) -> None:
        client.request(SHOP, "POST", PACKAGES, b'{"digest": "%064x", "size": 5}' % number)

    for number in range(3):
        announce(number)
    with pytest.raises(PartnerError, match="too many packages"):
        announce(3)


ANSWERS = [
    b"[]",
    b"no JSON",
    b"{}",
    b'{"offset": 0, "receipt": null}',
    b'{"offset": -1048576, "receipt": null, "state": "receiving"}',
    b'{"offset": 5, "receipt": null, "state": "receiving"}',
    b'{"offset": "0", "receipt": null, "state": "receiving"}',
    b'{"offset": 0, "receipt": null, "state": "receiving"}',
    b'{"offset": 0, "receipt": {"outcome": "accepted"}, "state": "accepted"}',
    b'{"offset": 0, "receipt": 5, "state": "accepted"}',
    b" " * 2_000_000,
]


def test_a_partner_that_answers_nonsense_is_asked_again_and_believed_nothing(world: Any) -> None:
    plant, pharmacy = world[PLANT], world[PHARMACY]
    pallet, _, _ = world.pallet()
    data = ByHand().package(world, PLANT, PHARMACY, pallet)
    assert data
    sending, client = plant.gateway.exchange.sending, plant.gateway.exchange.client
    number = plant.shipment(pallet)["id"]
    with nonsense(ANSWERS) as port:
        world.admin.set_profile(PHARMACY, name="", endpoint=f"http://127.0.0.1:{port}")
        world.wait(lambda: forget(client) and client._directory.endpoint(PHARMACY).endswith(str(port)))
        for _ in ANSWERS:
            with plant.gateway.database.read() as session:
                hand_over = session.get_one(HandOver, number)
            with pytest.raises((PartnerError, EvidenceError)):
                sending._send(hand_over)
    world.admin.set_profile(PHARMACY, name="", endpoint=pharmacy.settings.endpoint or "")
    forget(client)
    assert plant.shipment(pallet)["receipt"] is None
    ByHand().release(plant, pallet)
    plant.wait_hand_over(pallet, "delivered")


def test_a_receipt_that_is_not_the_receivers_or_not_for_this_package_counts_for_nothing(world: Any) -> None:
    plant, wholesaler = world[PLANT], world[WHOLESALER]
    pallet, _, _ = world.pallet()
    data = ByHand().package(world, PLANT, WHOLESALER, pallet)
    with plant.gateway.database.read() as session:
        hand_over = session.get_one(HandOver, plant.shipment(pallet)["id"])
    own, other = (party.gateway.keys.account(Purpose.OPERATE) for party in (plant, world[PHARMACY]))
    network = plant.gateway.exchange.client._directory.network
    genuine = Receipt(network, digest(data), PLANT, WHOLESALER, "accepted", (), int(time.time()))
    receiver = wholesaler.gateway.keys.account(Purpose.OPERATE)
    for receipt, key in (
        (genuine, own),
        (genuine, other),
        (genuine, Account.create()),
        (replace(genuine, package=bytes(32)), receiver),
        (replace(genuine, sender=WHOLESALER), receiver),
        (replace(genuine, network="1:0x"), receiver),
    ):
        with pytest.raises(EvidenceError, match="receipt"):
            plant.gateway.exchange.sending._finish(hand_over, receipt.sign(key))
    assert plant.shipment(pallet)["receipt"] is None
    ByHand().release(plant, pallet)
    plant.wait_hand_over(pallet, "delivered")


def forget(client: Any) -> bool:
    client._directory._remembered.clear()
    return True


@contextmanager
def nonsense(answers: list[bytes]) -> Iterator[int]:
    """A server that gives one answer after the other, to whatever it is asked."""
    left = iter(answers)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        answer = current[0] if scope["method"] == "PATCH" else next(left)
        current[:] = [answer]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    current: list[bytes] = []
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def test_sender_and_receiver_killed_at_any_moment_lose_nothing(world: Any) -> None:
    """kill -9, in real processes, while a pallet is handed over."""
    wholesaler, shop = world[WHOLESALER], world[SHOP]
    pallet, _, packs = world.pallet(packs=40, cases=4)
    world.deliver(PLANT, WHOLESALER, pallet)
    wholesaler.stop()
    shop.stop()
    chance = random.Random(11)
    running: dict[int, subprocess.Popen[bytes]] = {}
    try:
        for party in (wholesaler, shop):
            running[party.number] = run(party)
        wait_healthy(wholesaler, shop)
        headers = dict(wholesaler.http.headers)
        wholesaler.http = httpx.Client(base_url=wholesaler.settings.endpoint or "", headers=headers, timeout=60)
        wholesaler.capture(wholesaler.ship(SHOP, [pallet]))
        for party in (shop, wholesaler):
            time.sleep(chance.uniform(0.2, 1.0))
            running[party.number].send_signal(signal.SIGKILL)
            running[party.number].wait()
            running[party.number] = run(party)
        wait_healthy(wholesaler, shop)
        wholesaler.wait_hand_over(pallet, "delivered")
    finally:
        for process in running.values():
            process.terminate()
            process.wait(30)
        wholesaler.start()
        shop.start()
    shop.wait_arrival(pallet)
    shop.capture(shop.receive([pallet]))
    shop.wait_goods(pallet, "received")
    assert shop.place(packs[0]) == "HERE"
    assert len([entry for entry in shop.get("/arrivals") if entry["units"] and entry["units"][0]["uri"] == pallet]) == 1


def run(party: Any) -> "subprocess.Popen[bytes]":
    made = party.settings
    names = ("party", "company", "name", "gln", "gln_salt", "port", "endpoint", "deployment", "seal_every")
    environment = os.environ | {f"PACKTRACE_{name.upper()}": str(getattr(made, name)) for name in names}
    environment["PACKTRACE_NODE"] = made.node[0]
    (made.folder / "gateway.toml").write_text("")
    with (made.folder / "log").open("ab") as log:
        command = [sys.executable, "-m", "packtrace.cli", "gateway", "run", str(made.folder)]
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def wait_healthy(*parties: Any) -> None:
    limit = time.monotonic() + 60
    for party in parties:
        while True:
            try:
                if httpx.get(f"{party.settings.endpoint}/health", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            assert time.monotonic() < limit, (party.settings.folder / "log").read_text()[-3000:]
            time.sleep(0.05)
