"""A key exchanged while the gateway's process is killed (kill -9) at every step of it, on real processes."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from sqlmodel import select

from packtrace.chain.facts import ChainReader
from packtrace.gs1 import sgtin_uri
from packtrace_gateway import keys
from packtrace_gateway.db import Database
from packtrace_gateway.demo import documents
from packtrace_gateway.demo.companies import GTIN, MAKER
from packtrace_gateway.demo.network import Network, Running
from packtrace_gateway.keys import Purpose
from packtrace_gateway.outbox.models import OutboxRow, State

pytestmark = pytest.mark.e2e

PATIENCE = 90.0
EXPIRY = "2031-05-31"


@pytest.fixture
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A maker alone with its chain."""
    with Network(tmp_path_factory.mktemp("rotation") / "run", companies=(MAKER,)) as network:
        network.start_chain()
        network.make_gateway(MAKER)
        network.register()
        network.start_gateways()
        network.set_up_product()
        yield network


def rotate(maker: Running) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "packtrace.cli", "gateway", "rotate-key", str(maker.folder), "--key", "line"]
    return subprocess.Popen([*command, "--wait", "0"], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)


def newest(database: Database, function: str) -> OutboxRow | None:
    with database.read() as session:
        query = select(OutboxRow).where(OutboxRow.function == function).order_by(OutboxRow.id.desc())  # type: ignore[union-attr]
        return session.exec(query).first()


def until(database: Database, function: str, *states: State) -> OutboxRow:
    limit = time.monotonic() + PATIENCE
    while (row := newest(database, function)) is None or row.state not in states:
        assert time.monotonic() < limit, row
        time.sleep(0.005)
    return row


def test_a_gateway_killed_at_every_step_of_an_exchange_signs_with_the_valid_key(network: Network) -> None:
    maker = network.of(MAKER)
    database = Database(maker.settings.database_url)
    old = keys.address_in(keys.file_of(maker.settings, Purpose.LINE))
    maker.kill()  # so that nothing moves before the command was cut off
    cut_off = rotate(maker)
    assert cut_off.stdout is not None
    said = cut_off.stdout.readline()
    cut_off.kill()
    again = rotate(maker)
    assert (again.communicate()[0].splitlines()[0] + "\n", again.returncode) == (said, 0), "the same exchange goes on"
    maker.start()
    for states in (
        (State.SIGNED, State.BROADCAST, State.INCLUDED),
        (State.BROADCAST, State.INCLUDED),
        (State.INCLUDED, State.FINAL),
        (State.FINAL,),
    ):
        until(database, "rotateKey", *states)
        maker.kill()
        maker.start()
        maker.wait_until_healthy()
    new = keys.address_in(keys.file_of(maker.settings, Purpose.LINE))
    assert f"line: {old} is exchanged for {new}" in said
    reader = ChainReader(network.devnet.node, network.deployment)
    limit = time.monotonic() + PATIENCE
    while not (found := reader.keys([new]).get(new)) or not found.valid:
        assert time.monotonic() < limit
        time.sleep(0.2)
    assert not reader.keys([old])[old].valid
    # One exchange, carried out once; and what the line does next is signed with the new key and carried out.
    with database.read() as session:
        assert len(session.exec(select(OutboxRow).where(OutboxRow.function == "rotateKey")).all()) == 1
    packs = [sgtin_uri(GTIN, f"K{number}") for number in range(3)]
    maker.client.post("/capture", documents.document(documents.commissioning(MAKER, packs, "L1", EXPIRY)))
    assert until(database, "propose", State.INCLUDED, State.FINAL).signer == new
    database.close()
