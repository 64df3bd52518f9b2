"""`packtrace work` as a program: from a keyboard, killed at any moment, started again with what was refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from packtrace.facts import Status as PackStatus
from packtrace_gateway.access.models import Role
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.status.models import OperationUnit
from packtrace_scanner import events
from packtrace_scanner.commands import NOT_AUTHENTIC, app
from packtrace_scanner.journal import Job, Journal, State
from tests.gateway.exchange.scanning import (
    PATIENCE,
    PHARMACY,
    PLANT,
    WHOLESALER,
    arrived,
    as_scanned,
    delivered,
)

# A program that is killed at the moment when it asks the gateway to do something, or has its answer.
CUT = """
import os, signal, sys
from packtrace_scanner.commands import app
from packtrace_scanner.gateway import Gateway
when, what, ask = sys.argv.pop(1), sys.argv.pop(1), Gateway._ask
def cut(gateway, method, path, body=None):
    now = f"{method} {path}".startswith(what)
    if now and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = ask(gateway, method, path, body)
    if now and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
Gateway._ask = cut
app()
"""


# So that no line of what it says is broken.
WIDE = os.environ | {"COLUMNS": "200"}


def work(config: Path, do: str, *codes: str, when: str = "never", what: str = "POST") -> int:
    """Work by scanning in a process of its own, which is killed when it asks for `what`; its exit status."""
    typed = "".join(f"{as_scanned(code)}\n" for code in codes)
    command = [sys.executable, "-c", CUT, when, what, "work", "keyboard", "--config", str(config), "--do", do]
    return subprocess.run(command, input=typed, text=True, stdout=subprocess.DEVNULL, timeout=PATIENCE).returncode


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_moment_loses_nothing_and_does_nothing_twice(world: Any, tmp_path: Path, when: str) -> None:
    wholesaler = world[WHOLESALER]
    (pallet, (one, _)), (other, _) = arrived(world), arrived(world)
    config = scanner_toml(world, tmp_path)

    def done() -> tuple[int, list[str]]:
        with wholesaler.gateway.database.read() as session:
            own = select(func.count()).where(StoredEvent.secret.is_not(None))  # type: ignore[union-attr]
            rows = wholesaler.gateway.outbox.rows(contract="CustodyLedger")
            return session.execute(own).scalar_one(), sorted(row.function for row in rows)

    def new(before: tuple[int, list[str]]) -> tuple[int, list[str]]:
        events, calls = done()
        for call in before[1]:
            calls.remove(call)
        return events - before[0], calls

    before = done()
    scans = (pallet, one, other, "packtrace:done", "packtrace:done")
    assert work(config, "receive", *scans, when=when) == -signal.SIGKILL
    assert new(before) == ((0, []) if when == "before" else (3, ["receivePartly", "receiveShipment"]))
    assert work(config, "receive") == 0
    wholesaler.wait_goods(pallet, "received")
    wholesaler.wait_goods(other, "received")
    assert new(before) == (3, ["receivePartly", "receiveShipment"]), "what is missing, and two receipts"

    before = done()
    assert work(config, "unpack", pallet, other, "packtrace:done", when=when) == -signal.SIGKILL
    assert work(config, "unpack") == 0
    assert new(before) == (2, ["unpack", "unpack"])
    assert (wholesaler.place(pallet), wholesaler.place(other)) == ("UNPACKED", "UNPACKED")


def test_a_kill_while_a_pack_is_dispensed_loses_nothing_and_dispenses_once(world: Any, tmp_path: Path) -> None:
    packs = delivered(world, PHARMACY, 3)
    cuts = (("before", "POST /dispense"), ("after", "POST /dispense"), ("after", "GET /operations"))
    config = scanner_toml(world, tmp_path, PHARMACY)
    for pack, (when, what) in zip(packs, cuts, strict=True):
        assert work(config, "dispense", pack, when=when, what=what) == -signal.SIGKILL
        assert work(config, "verify") == 0
        with world[PHARMACY].gateway.database.read() as session:
            orders = session.execute(select(OperationUnit).where(OperationUnit.uri == pack)).scalars().all()  # type: ignore
        assert [order.outcome for order in orders] == [int(PackStatus.ACTIVE)], "once, and it was active before"


def test_what_its_key_may_not_do_is_set_aside_and_kept_through_a_kill_until_it_may(world: Any, tmp_path: Path) -> None:
    pharmacy, (pack, *_) = world[PHARMACY], delivered(world, PHARMACY, 1)
    pallet, _, _ = world.pallet()
    world.deliver(PLANT, PHARMACY, pallet)
    config = scanner_toml(world, tmp_path, PHARMACY, [Role.WAREHOUSE])  # it may verify, and not dispense
    arguments = [sys.executable, "-c", CUT, "never", "POST", "work", "keyboard", "--config", str(config)]
    with subprocess.Popen(
        [*arguments, "--do", "dispense"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=WIDE
    ) as program:
        assert program.stdin is not None

        def typed(code: str, until: str) -> None:
            program.stdin.write(f"{as_scanned(code)}\n")  # type: ignore[union-attr]
            program.stdin.flush()  # type: ignore[union-attr]
            assert any(until in line for line in program.stdout), until  # type: ignore[union-attr]

        typed(pack, "DISPENSING WAITS")
        typed("packtrace:unpack", "NOW: UNPACK")
        typed(pallet, "IS EMPTIED")
        typed("packtrace:done", "WRITTEN DOWN")
        assert pharmacy.place(pallet) == "HERE", "behind the pack"
        typed("packtrace:aside", "DISPENSING IS SET ASIDE")
        program.kill()
    again = CliRunner().invoke(app, [*arguments[5:], "--do", "verify"], input="packtrace:kept\n", env=WIDE)
    assert "1 SET ASIDE" in again.output
    assert "set aside: dispensing" in again.output
    assert "set aside and kept here: 1" in again.output
    assert pharmacy.place(pallet) == "UNPACKED"
    scanner_toml(world, tmp_path, PHARMACY)  # somebody gives the counter a key that may dispense
    later = CliRunner().invoke(app, [*arguments[5:], "--do", "verify"], input="packtrace:resend\n", env=WIDE)
    assert "DISPENSED" in later.output
    assert "kept here" not in later.output


def test_what_is_refused_is_said_at_the_start_and_the_end(world: Any, tmp_path: Path) -> None:
    config, stranger = scanner_toml(world, tmp_path), world.units(1)
    journal = Journal(tmp_path / "journal.db")
    document = events.unpacking(world[WHOLESALER].settings.gln, stranger)
    journal.write(Job("unpacking", {"units": stranger, "call": {"capture": document}}, State.READY))
    journal.close()
    arguments = ["work", "keyboard", "--config", str(config)]
    first = CliRunner().invoke(app, arguments, input="")
    assert "UNPACKING WAS REFUSED" in first.output
    assert "refused and kept here: 1" in first.output
    again = CliRunner().invoke(app, arguments, input="packtrace:mend\n")
    assert "1 REFUSED" in again.output
    assert "UNPACKING: NOTHING IS LEFT OF IT" in again.output
    assert "kept here" not in again.output


def scanner_toml(world: Any, folder: Path, party: int = WHOLESALER, roles: Sequence[Role] = tuple(Role)) -> Path:
    """A configuration of a scanner at a party's premises."""
    made, file = world[party].settings, folder / "scanner.toml"
    (folder / "key").write_text(world[party].gateway.access.create("keyboard", list(roles))[1])
    file.write_text(
        f'gateway = "{made.endpoint}"\napi_key_file = "key"\nnode = "{made.node[0]}"\n'
        f'deployment = "{made.deployment}"\nplace = {party}\ngln = "{made.gln}"\n'
    )
    return file


def test_the_command_does_all_of_it_from_a_keyboard(world: Any, tmp_path: Path) -> None:
    pallet, _ = arrived(world)
    typed = "\n".join((as_scanned(pallet), "packtrace:done", "packtrace:verify", "hello"))
    arguments = ["work", "keyboard", "--config", str(scanner_toml(world, tmp_path)), "--do", "receive"]
    result = CliRunner().invoke(app, arguments, input=typed)
    assert "RECEIVING: RECORDED" in result.output
    assert result.output.count("\a") > 0
    assert "NOT A MEDICINE'S CODE" in result.output
    assert result.exit_code == NOT_AUTHENTIC, "something that was scanned was wrong"
    world[WHOLESALER].wait_goods(pallet, "received")
    assert (tmp_path / "journal.db").exists()
    wrong = CliRunner().invoke(app, [*arguments[:-1], "dance"])
    assert wrong.exit_code == 2
    assert "unpack" in wrong.output
