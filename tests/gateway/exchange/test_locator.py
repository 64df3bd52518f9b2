"""A pack whose pedigree is not here is asked of its maker: three answers, or none."""

import json
import threading
import time
from datetime import date
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import select

from packtrace.facts import batch_number
from packtrace.gs1 import split_sgtin_uri
from packtrace.scan import Scan
from packtrace_gateway.exchange import locate, signing
from packtrace_gateway.keys import Purpose
from packtrace_gateway.ledger.models import BatchRow

MAH, PLANT, WHOLESALER, PHARMACY, SHOP = 10, 11, 20, 30, 31


@pytest.fixture(scope="module")
def pack(world: Any) -> str:
    """A genuine pack that never left the plant."""
    (found,) = world.stock(1)
    return str(found)


def scan_of(pack: str, lot: str | None = "L1", expiry: date | None = date(2031, 5, 31)) -> Scan:
    gtin, serial = split_sgtin_uri(pack) or ("", "")
    return Scan(gtin, serial, lot, expiry)


def test_a_genuine_pack_is_shown_by_its_maker_and_no_other_pack_with_it(world: Any, pack: str) -> None:
    found = world[PHARMACY].gateway.exchange.locator.ask(scan_of(pack))
    assert found is not None
    answer, plain = found
    assert answer.kind == "unit"
    assert answer.signer in world.signers(PLANT, Purpose.OPERATE)
    (disclosure,) = answer.pedigree.disclosures
    assert disclosure.shown.uris == (pack,)
    assert disclosure.verify().header.core["bizStep"] == "commissioning"
    assert json.dumps(plain)


def test_a_serial_that_was_never_made_is_denied_with_a_signature(world: Any, pack: str) -> None:
    found = world[PHARMACY].gateway.exchange.locator.ask(scan_of(pack + "X"))
    assert found is not None
    assert found[0].kind == "never"
    assert found[0].pedigree is None
    assert found[0].signer in world.signers(PLANT, Purpose.OPERATE)


def test_never_is_said_only_by_who_commissions_all_of_the_product(world: Any, pack: str) -> None:
    """A contract manufacturer's genuine pack would else be called unknown."""
    plant, ask = world[PLANT], world[PHARMACY].gateway.exchange.locator.ask
    with plant.gateway.database.write() as session:
        known = session.execute(select(BatchRow).limit(1)).scalar_one()
        where = {"block_number": known.block_number, "log_index": 9999, "tx_hash": bytes(32), "time": 0}
        more = {"mah": known.mah, "lot_key": bytes(32), "count": 1}
        session.add(BatchRow(batch=batch_number(40, 1), product=known.product + 1, **more, **where))
    assert ask(scan_of(pack + "X"))[0].kind == "never", "that was another product"
    with plant.gateway.database.write() as session:
        session.get_one(BatchRow, batch_number(40, 1)).product = known.product
    try:
        assert ask(scan_of(pack + "X")) is None
        assert world[PHARMACY].verify(pack + "X")["headline"] == "not verified"
        assert ask(scan_of(pack))[0].kind == "unit"
    finally:
        with plant.gateway.database.write() as session:
            session.delete(session.get_one(BatchRow, batch_number(40, 1)))


@pytest.mark.parametrize("printed", [{"lot": "L2"}, {"expiry": date(2031, 6, 30)}])
def test_other_data_printed_are_told_without_the_true_ones(world: Any, pack: str, printed: dict[str, Any]) -> None:
    found = world[PHARMACY].gateway.exchange.locator.ask(scan_of(pack, **printed))
    assert found is not None
    answer, plain = found
    assert (answer.kind, answer.pedigree) == ("differs", None)
    assert "2031-05-31" not in json.dumps(plain) or printed.get("expiry") is None


def test_what_was_not_read_from_the_pack_cannot_differ(world: Any, pack: str) -> None:
    found = world[PHARMACY].gateway.exchange.locator.ask(scan_of(pack, None, None))
    assert found is not None
    assert found[0].kind == "unit"


def test_the_maker_answers_itself(world: Any, pack: str) -> None:
    found = world[PLANT].gateway.exchange.locator.ask(scan_of(pack + "X"))
    assert found is not None
    assert found[0].kind == "never"


def test_the_verdict_is_given_on_the_answer(world: Any, pack: str) -> None:
    pharmacy = world[PHARMACY]
    assert pharmacy.verify(pack, lot="L1", expiry="2031-05-31")["headline"] == "custody gap"
    assert pharmacy.verify(pack, lot="L7")["headline"] == "not this product's data"
    assert pharmacy.verify(pack + "X")["headline"] == "unknown serial"


def test_nobody_answers_for_a_product_that_nobody_listed(world: Any) -> None:
    assert world[PHARMACY].gateway.exchange.locator.ask(Scan("09506000134376", "1")) is None


def test_who_does_not_commission_a_product_denies_no_pack_of_it(world: Any, pack: str) -> None:
    """Only a product's own maker says "never": any other gateway has no answer."""
    client = world[PHARMACY].gateway.exchange.client
    body = json.dumps(locate.to_json(scan_of(pack))).encode()
    with pytest.raises(Exception, match="not commissioned here"):
        client.request(WHOLESALER, "POST", locate.TARGET, body)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"gtin": "1", "serial": "1", "lot": null, "expiry": null}', b"{" * 2000]
)
def test_a_malformed_question_is_refused(world: Any, body: bytes) -> None:
    with pytest.raises(Exception, match="refuses"):
        world[PHARMACY].gateway.exchange.client.request(PLANT, "POST", locate.TARGET, body)


def test_an_unlicensed_party_is_told_nothing(world: Any, pack: str) -> None:
    shop = world[SHOP].gateway
    client = shop.exchange.client
    body = json.dumps(locate.to_json(scan_of(pack))).encode()
    world.admin.suspend(SHOP)
    try:

        def refused() -> bool:
            headers = signing.sign(
                shop.keys.account(Purpose.OPERATE),
                network=client._directory.network,
                method="POST",
                target=locate.TARGET,
                body=body,
                sender=SHOP,
                receiver=MAH,
            )
            answer = httpx.post(f"{world[PLANT].settings.endpoint}{locate.TARGET}", content=body, headers=headers)
            return answer.status_code == 403 and "no valid licence" in answer.json()["detail"]

        world.wait(refused)
        assert shop.exchange.locator.ask(scan_of(pack)) is None
    finally:
        world.admin.reinstate(SHOP)
    world.wait(lambda: shop.exchange.locator.ask(scan_of(pack)))


async def dripping(scope: Any, receive: Any, send: Any) -> None:
    """A partner that answers a byte now and then."""
    import asyncio

    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    for _ in range(15):
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(0.2)


def test_a_maker_that_does_not_answer_in_time_is_not_waited_for(world: Any, pack: str) -> None:
    pharmacy, plant = world[PHARMACY], world[PLANT]
    server = uvicorn.Server(uvicorn.Config(dripping, port=0, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    world.wait(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        for endpoint in (f"http://127.0.0.1:{port}", "http://127.0.0.1:9", ""):
            world.admin.set_profile(MAH, name="Maker", endpoint=endpoint)
            directory = pharmacy.gateway.exchange.client._directory
            directory._remembered.clear()
            began = time.monotonic()
            assert pharmacy.gateway.exchange.locator.ask(scan_of(pack)) is None
            assert time.monotonic() - began < locate.ANSWER_SECONDS + 1.5
        verdict = pharmacy.verify(pack, lot="L1", expiry="2031-05-31")
        assert verdict["headline"] == "not verified"
    finally:
        server.should_exit = True
        thread.join()
        world.admin.set_profile(MAH, name="Maker", endpoint=plant.settings.endpoint or "")
        pharmacy.gateway.exchange.client._directory._remembered.clear()
