"""A gateway restored from a backup, on real processes: nothing is anchored twice, and it says what it lost."""

import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from packtrace.chain.node import Log
from packtrace.errors import ChainUnreachable
from packtrace.gs1 import sgtin_uri, sscc_uri
from packtrace.gs1.keys import make_sscc
from packtrace_gateway import settings
from packtrace_gateway.db import Database, DatabaseRestoredError
from packtrace_gateway.demo import documents
from packtrace_gateway.demo.companies import COMPANY_PREFIX, GTIN, MAKER
from packtrace_gateway.demo.network import Network, Running
from packtrace_gateway.events.models import Seal, StoredEvent
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.keeping.backup import back_up
from packtrace_gateway.keeping.models import Restoration
from packtrace_gateway.outbox.lease import LEASE_SECONDS

pytestmark = pytest.mark.e2e

EXPIRY = "2031-05-31"


@pytest.fixture
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A maker alone with its chain."""
    folder: Path = tmp_path_factory.mktemp("restored") / "run"
    with Network(folder, seal_every=6.0, companies=(MAKER,)) as network:
        network.start_chain()
        network.make_gateway(MAKER)
        network.register()
        network.start_gateways()
        network.set_up_product()
        yield network


def packtrace(*arguments: object) -> str:
    command = [sys.executable, "-m", "packtrace.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commission(running: Running, lot: str, count: int = 3) -> dict[str, Any]:
    packs = [sgtin_uri(GTIN, f"{lot}x{number}") for number in range(count)]
    body = documents.document(documents.commissioning(MAKER, packs, lot, EXPIRY))
    captured: dict[str, Any] = running.client.post("/capture", body)["events"][0]
    return captured


def pack(running: Running, lot: str, number: int) -> None:
    unit = sscc_uri(make_sscc(COMPANY_PREFIX, number))
    running.client.post("/capture", documents.document(documents.packing(MAKER, unit, [sgtin_uri(GTIN, f"{lot}x0")])))


def settle(running: Running) -> None:
    """Until every event is sealed and every call is on chain."""
    database = Database(running.settings.database_url)

    def sealed(_: Any) -> bool:
        with database.read() as session:
            return session.exec(select(StoredEvent.id).where(StoredEvent.seal_id.is_(None))).first() is None  # type: ignore[union-attr]

    running.client.wait("/health", sealed)
    done = ("included", "final", "reverted")
    running.client.wait("/outbox", lambda found: all(call["state"] in done for call in found["calls"]))
    database.close()


def entries(network: Network) -> list[Log]:
    node = network.devnet.node
    newest = node.block("latest").number
    return node.logs(network.deployment, network.deployment.block, newest, contract="EventLog", event="Appended")


def test_a_restored_gateway_anchors_nothing_twice_and_says_what_it_lost(network: Network, tmp_path: Path) -> None:
    maker = network.of(MAKER)
    commission(maker, "L1")
    settle(maker)
    pack(maker, "L1", 1)  # in the backup, and sealed after it
    back_up(maker.settings, tmp_path / "backup.tar", ())  # here: a process of its own may be too slow for what follows
    assert unsealed(tmp_path, "backup.tar") == 1, "sealed too early for what is to be shown"
    settle(maker)
    lost_batch = commission(maker, "L2")["batch"]
    settle(maker)
    pack(maker, "L2", 2)
    settle(maker)
    before = entries(network)
    maker.kill()

    folder = tmp_path / "restored"
    packtrace("gateway", "restore", tmp_path / "backup.tar", folder)
    maker.folder.rename(tmp_path / "lost")
    held_by_another_machine(folder)  # the outbox looks later than all else: nothing may be taken for lost before
    again = Running(MAKER, settings.load(folder), maker.client, maker.api_key)
    network.gateways[MAKER.slug] = again
    again.start()
    again.wait_until_healthy()
    again.client.wait("/restorations", lambda found: found[0]["comparedAt"] is not None)
    lost = again.client.get("/restorations")[0]["lost"]
    assert [line.split(":")[0] for line in lost if "of the log" in line] == ["entry 2 of the log", "entry 3 of the log"]
    assert [line for line in lost if line.startswith(f"batch {lost_batch} of 3 packs")]
    assert [line for line in lost if line.startswith("logistic unit")]
    assert len(lost) == 4

    assert commission(again, "L3")["batch"] > lost_batch
    pack(again, "L3", 4)
    settle(again)
    after = entries(network)
    assert after[: len(before)] == before
    assert [entry.args["sequence"] for entry in after] == list(range(len(after)))
    assert sum(entry.args["count"] for entry in after[len(before) :]) == 2, "the new events, and no other"
    database = Database(again.settings.database_url)
    with database.read() as session:
        seals = {seal.sequence: (seal.root, seal.count) for seal in session.exec(select(Seal))}
    database.close()
    assert sorted(seals) == [0, 1, *range(4, len(after))]
    assert all((after[at].args["root"], after[at].args["count"]) == seal for at, seal in seals.items())


def held_by_another_machine(folder: Path) -> None:
    """The outbox's lease is another machine's, which is gone: it counts until it runs out."""
    with closing(sqlite3.connect(folder / "gateway.db")) as connection, connection:
        until = time.time() + LEASE_SECONDS - 0.5
        connection.execute("UPDATE outbox_lease SET owner = 'gone/1/1/1', expires_at = ?", [until])
        assert connection.execute("SELECT changes()").fetchone() == (1,)


def unsealed(folder: Path, file: str) -> int:
    """Events without a seal in a plain backup."""
    with tarfile.open(folder / file) as archive:
        archive.extract("gateway.db", folder, filter="data")
    with closing(sqlite3.connect(folder / "gateway.db")) as connection:
        count: int = connection.execute("SELECT count(*) FROM event WHERE seal_id IS NULL").fetchone()[0]
    return count


def test_nothing_is_given_out_before_the_chain_was_asked(gateway: Gateway) -> None:
    with gateway.database.write() as session:
        session.add(Restoration(backup_at=1, restored_at=2))
    for series in ("batch", "logistic", "seal:0"):
        with pytest.raises(DatabaseRestoredError, match="in a while"), gateway.database.write() as session:
            gateway.store.next_number(session, series)
    recovery = next(worker for worker in gateway.workers._workers if worker.name == "recovery")
    with pytest.raises(ChainUnreachable):
        recovery._run_once()
    with gateway.database.write() as session:
        assert gateway.store.restored(session)
        session.exec(select(Restoration)).one().done_at = 3
    with gateway.database.write() as session:
        assert gateway.store.next_number(session, "batch") == 0
