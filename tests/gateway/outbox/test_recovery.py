"""A database that was restored from a backup has forgotten what it sent since. The chain has not."""

import shutil
import sqlite3

import pytest

from packtrace_gateway.db import Database
from packtrace_gateway.outbox.models import LANES, State
from packtrace_gateway.outbox.recovery import REFERENCE


@pytest.fixture
def restored(bench, network, database, tmp_path, bench_of):
    """Take a backup now; later: the bench on a copy of it."""

    def backup():
        file = tmp_path / "backup.db"
        with sqlite3.connect(database.file) as source, sqlite3.connect(file) as target:
            source.backup(target)

        def restore():
            bench.worker.close()
            copy = tmp_path / "restored.db"
            shutil.copy(file, copy)
            with sqlite3.connect(copy) as opened:
                opened.execute("DELETE FROM outbox_lease")  # of a process that is no more
            return bench_of(network, Database(f"sqlite:///{copy}"))

        return restore

    return backup


@pytest.mark.parametrize("passes", [0, 1])
def test_restored_database_sends_nothing_twice(bench, network, restored, passes):
    """With the calls queued, or signed and in the pool, at the time of the backup."""
    first = bench.append()
    bench.until(first, State.INCLUDED)
    network.devnet.pause_mining()
    known = [bench.append(), bench.append()]
    bench.run(passes)
    restore = restored()
    network.devnet.resume_mining()
    unknown = bench.append()
    bench.until(unknown, State.INCLUDED, passes=30)
    wanted = {number: bench.row(number).tx_hash for number in known}

    again = restore()
    again.run(3)
    assert {number: again.row(number).tx_hash for number in known} == wanted
    assert all(again.row(number).state in (State.INCLUDED, State.FINAL) for number in known)
    [lost] = again.context.outbox.rows(recovered=True)
    assert (lost.function, lost.reference, lost.position) == ("append", REFERENCE, 3)
    assert [n for what, n in again.recorder.told if what == "included"] == known
    following = again.append(sequence=4)
    again.until(following, State.INCLUDED)
    assert [log.args["sequence"] for log in network.events("EventLog", "Appended")] == [0, 1, 2, 3, 4]


def test_restored_database_signs_the_lost_calls_lane_only_when_all_is_accounted_for(bench, network, restored, chain):
    """A dispense that was made after the backup: the unit is not dispensed again for the same call."""
    network.act(chain.PLANT, "line", "PackLedger", "propose", [chain.proposal()])
    network.act(chain.PLANT, "quality", "PackLedger", "release", [chain.proposal()["batch"], chain.ITEM_ROOT])
    number = bench.queue("PackLedger", "changeStatus", [2, chain.units(1), b"o" * 32])
    restore = restored()
    bench.until(number, State.INCLUDED)
    again = restore()
    row = again.until(number, State.INCLUDED)
    assert row.digest == bench.row(number).digest
    assert network.events("PackLedger", "Conflict") == []
    assert len(network.events("PackLedger", "StatusChanged")) == 1


def test_empty_database_with_an_old_key_says_what_it_lost(bench, network, tmp_path, bench_of):
    for _ in range(3):
        bench.until(bench.append(), State.INCLUDED)
    bench.worker.close()
    fresh = Database(f"sqlite:///{tmp_path / 'fresh.db'}")
    fresh.migrate()
    again = bench_of(network, fresh)
    again.run()
    found = again.context.outbox.rows(recovered=True)
    assert [(row.function, row.position) for row in found] == [("append", 2), ("append", 1), ("append", 0)]
    assert again.recorder.told == []
    network.devnet.mine(3)
    again.run(2)
    assert {row.state for row in again.context.outbox.rows(recovered=True)} == {State.FINAL}


def test_lane_that_was_first_used_after_the_backup_is_accounted_for_too(bench, network, restored):
    restore = restored()
    bench.until(bench.append(lane=LANES - 1), State.INCLUDED)
    again = restore()
    again.run()
    [lost] = again.context.outbox.rows(recovered=True)
    assert (lost.lane, lost.position, lost.state) == (LANES - 1, 0, State.INCLUDED)


def test_recovered_call_survives_a_reorganisation(bench, network, tmp_path, bench_of):
    """Its consent was read from the chain, so it can be carried there again."""
    bench.until(bench.append(), State.INCLUDED)
    bench.worker.close()
    fresh = Database(f"sqlite:///{tmp_path / 'fresh.db'}")
    fresh.migrate()
    again = bench_of(network, fresh)
    again.run()
    [found] = again.context.outbox.rows()
    assert found.state == State.INCLUDED
    network.devnet.reorg(1)
    again.run()
    again.until(found.number, State.INCLUDED)
    assert len(network.events("EventLog", "Appended")) == 1
