"""A gateway exchanges a signing key: whatever happens on the way, it signs with the one that the chain holds valid."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from packtrace.chain.registry import FOREVER
from packtrace.gs1 import split_sgtin_uri
from packtrace_gateway import keys, rotation, settings
from packtrace_gateway.commands import app
from packtrace_gateway.keys import KeystoreError, Purpose
from packtrace_gateway.outbox.models import OutboxRow

PLANT, SHOP = 11, 31
EXPIRY = "2031-05-31"


def begin(shop: Any) -> tuple[int, str, str]:
    """As the command does it, beside the running gateway."""
    return rotation.start(shop.settings, shop.gateway.database, Purpose.OPERATE)


def signing(shop: Any) -> str:
    return str(shop.gateway.keys.account(Purpose.OPERATE).address)


def row(shop: Any, number: int) -> OutboxRow:
    found: OutboxRow = shop.gateway.outbox.row(number)
    return found


def until(world: Any, number: int, *states: str) -> None:
    world.wait(lambda: row(world[SHOP], number).state in states)


def report(world: Any) -> int:
    """The shop says that a pack is suspect; the operation's number."""
    (pack,) = world.stock(1)
    gtin, serial = split_sgtin_uri(pack) or ("", "")
    body = {"gtin": gtin, "serial": serial, "lot": "L1", "expiry": EXPIRY}
    return int(world[SHOP].post("/status", {"packs": [body], "to": "suspect", "acknowledge": "custody gap"})["id"])


def outcome(world: Any, number: int) -> str:
    """What became of it, and who signed."""
    found = world.wait(lambda: (now := world[SHOP].get(f"/operations/{number}"))["state"] != "pending" and now)
    return str(found["packs"][0]["outcome"])


def signer_of(world: Any, number: int) -> str | None:
    shop = world[SHOP].gateway
    return row(world[SHOP], shop.status.operation(number)[0].outbox).signer


def valid(world: Any, key: str) -> bool:
    found = world[PLANT].gateway.reader.keys([key]).get(key)
    return bool(found and found.valid)


def current(shop: Any) -> Path:
    return keys.file_of(shop.settings, Purpose.OPERATE)


@pytest.fixture
def paused(world: Any) -> Iterator[Any]:
    """Blocks are made by the test; whatever waited before is in one already."""
    world.wait(lambda: not [call for call in world[SHOP].trouble()[1] if call["state"] in ("signed", "broadcast")])
    world.devnet.pause_mining()
    try:
        yield world.devnet
    finally:
        world.devnet.resume_mining()


def command(party: Any, key: str) -> str:
    """What `packtrace gateway rotate-key` prints."""
    folder = party.settings.folder
    values = party.settings.model_dump(mode="json", exclude={"folder"}, exclude_none=True)
    (folder / settings.FILE_NAME).write_text(settings.to_toml(values))
    result = CliRunner().invoke(app, ["rotate-key", str(folder), "--key", key, "--wait", "60"])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_exchanges_the_key_of_a_running_gateway(world: Any) -> None:
    shop = world[SHOP]
    old = signing(shop)
    output = command(shop, "operate")
    new = signing(shop)
    assert new != old
    assert f"operate: {old} is exchanged for {new}" in output
    assert output.endswith("final\n")
    assert [valid(world, old), valid(world, new)] == [False, True]
    assert keys.address_in(current(shop)) == new
    assert keys.address_in(current(shop).with_name("operate.former.json")) == old
    assert not current(shop).with_name("operate.next.json").exists()
    number = report(world)  # and the locator's answer was asked for with the new key
    assert outcome(world, number) == "suspect"
    assert signer_of(world, number) == new
    shop.stop()
    shop.start()
    assert signing(shop) == new
    assert (Purpose.OPERATE, new) in keys.addresses(shop.settings)


def test_a_call_that_the_old_key_signed_and_no_block_has_is_signed_anew(world: Any, paused: Any) -> None:
    shop, old = world[SHOP], signing(world[SHOP])
    number, _, new = begin(shop)
    until(world, number, "broadcast")
    operation = report(world)
    world.wait(lambda: world[SHOP].get(f"/operations/{operation}")["proof"] == "broadcast")
    assert signer_of(world, operation) == old
    paused.mine()
    until(world, number, "included")
    assert signing(shop) == new
    call = shop.gateway.status.operation(operation)[0].outbox
    world.wait(lambda: "revoked" in (row(shop, call).waiting or ""))
    assert signer_of(world, operation) == old, "not before the exchange is final: the old consent could come back"
    later = report(world)
    paused.resume_mining()
    assert outcome(world, operation) == "suspect"
    assert outcome(world, later) == "suspect"
    assert {signer_of(world, operation), signer_of(world, later)} == {new}


def test_a_gateway_that_ends_at_any_moment_goes_on_with_the_valid_key(world: Any, paused: Any) -> None:
    shop, old = world[SHOP], signing(world[SHOP])
    number, _, new = begin(shop)
    assert begin(shop) == (number, old, new), "the command, cut off and run again, goes on with what it began"
    until(world, number, "broadcast")
    shop.stop()
    shop.start()
    assert signing(shop) == old
    shop.stop()
    paused.mine()  # the exchange is in a block, and the gateway does not know
    shop.start()
    until(world, number, "included")
    assert signing(shop) == new
    shop.stop()
    shop.start()
    assert signing(shop) == new, "not final yet: both files are there"
    assert keys.address_in(current(shop)) == old
    paused.resume_mining()
    until(world, number, "final")
    assert keys.address_in(current(shop)) == new
    assert outcome(world, report(world)) == "suspect"


def test_an_exchange_that_the_chain_loses_gives_the_old_key_back(world: Any, paused: Any) -> None:
    shop, old = world[SHOP], signing(world[SHOP])
    number, _, new = begin(shop)
    until(world, number, "broadcast")
    paused.mine()
    until(world, number, "included")
    operation = report(world)
    call = shop.gateway.status.operation(operation)[0].outbox
    world.wait(lambda: row(shop, call).state == "broadcast")
    assert signer_of(world, operation) == new
    paused.reorg(1)
    until(world, number, "broadcast", "signed")
    assert signing(shop) == old
    paused.resume_mining()
    until(world, number, "final")
    assert signing(shop) == new
    assert outcome(world, operation) == "suspect"


def test_files_are_exchanged_in_steps_that_can_be_cut_off(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = world[SHOP]
    replace, failures = os.replace, []

    def cut(source: Any, target: Any) -> None:
        if str(source).endswith(".next.json") and not failures:
            failures.append(source)
            raise OSError("the machine ends here")
        replace(source, target)

    monkeypatch.setattr(rotation.os, "replace", cut)
    number, old, new = begin(shop)
    until(world, number, "final")
    assert failures
    assert keys.address_in(current(shop)) == new
    assert keys.address_in(current(shop).with_name("operate.former.json")) == old


def test_a_qualified_persons_new_key_must_be_authorised_and_the_command_says_so(world: Any) -> None:
    (old,) = world.signers(PLANT, Purpose.QUALITY)
    output = command(world[PLANT], "quality")
    assert "authorise the new key" in output
    (new,) = world.signers(PLANT, Purpose.QUALITY)
    assert new != old
    plant = world[PLANT]
    number = plant.capture(plant.commission(world.packs(1), "R1"))[0]["batch"]

    def batch() -> Any:
        return next(batch for batch in plant.get("/batches") if batch["number"] == number)

    world.wait(lambda: batch()["state"] == "proposed")
    plant.post(f"/batches/{number}/release")
    assert world.wait(lambda: batch()["error"]).startswith("QualityNotAuthorised")
    world.authorise(quality=new, until=FOREVER)
    plant.post(f"/batches/{number}/release")
    world.wait(lambda: batch()["state"] == "released")


def test_a_relayers_key_is_not_exchanged_this_way(world: Any) -> None:
    with pytest.raises(KeystoreError, match="not registered"):
        rotation.start(world[SHOP].settings, world[SHOP].gateway.database, Purpose.RELAYER)
