"""A gateway killed (kill -9) at every step of a row's way, and started again."""

import subprocess
import sys
from pathlib import Path

import pytest

from packtrace_gateway.outbox.models import State

KILLED = -9
RUNNER = Path(__file__).with_name("runner.py")


@pytest.fixture
def run_child(network, database):
    """Let a child process work, killed at step K (0: never); its exit status."""
    arguments = [
        f"sqlite:///{database.file}",
        network.devnet.url,
        str(network.devnet.folder / "deployment.json"),
        network.relayer.key.hex(),
    ]
    process = subprocess.Popen(
        [sys.executable, str(RUNNER), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def run(killed_at):
        process.stdin.write(f"{killed_at}\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield run
    process.stdin.close()
    process.wait(10)


def reorganised(bench, network):
    """A call that was in a block which the chain lost: included → broadcast → included → final."""
    number = bench.append()
    bench.until(number, State.INCLUDED)
    network.devnet.reorg(1)
    return number


def spent(bench, network):
    """A call whose transaction's nonce another process used meanwhile: broadcast → signed → broadcast → …"""
    network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, State.BROADCAST)
    network.node.request("anvil_dropAllTransactions")
    base, tip = network.node.fees()
    foreign = {
        "type": 2, "chainId": network.deployment.chain_id, "gas": 21_000, "value": 1, "data": b"",
        "nonce": bench.row(number).tx_nonce, "to": "0x" + "22" * 20,
        "maxFeePerGas": 3 * base + tip, "maxPriorityFeePerGas": tip,
    }  # fmt: skip
    network.node.send_raw(bytes(network.relayer.sign_transaction(foreign).raw_transaction))
    network.devnet.mine()
    network.devnet.resume_mining()
    return number


def expired(bench, network):
    """A call whose consent ran out before a block included it: broadcast → queued → signed → …"""
    network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, State.BROADCAST)
    network.node.request("anvil_dropAllTransactions")
    network.devnet.advance_time(3_600)
    network.devnet.mine()
    network.devnet.resume_mining()
    return number


def plain(bench, network):
    """A call that was just queued: queued → signed → broadcast → included → final."""
    return bench.append()


EVERY = {State.QUEUED, State.SIGNED, State.BROADCAST, State.INCLUDED, State.FINAL}


@pytest.mark.parametrize(
    ("prepare", "seen", "least"),
    [
        (plain, EVERY, 12),
        (reorganised, {State.BROADCAST, State.INCLUDED, State.FINAL}, 6),
        (spent, {State.SIGNED, State.BROADCAST, State.INCLUDED, State.FINAL}, 10),
        (expired, EVERY, 12),
    ],
)
def test_kill_at_every_step_loses_nothing_and_sends_nothing_twice(bench, network, run_child, prepare, seen, least):
    """Each round prepares a call, kills the process that carries it at the next step, and starts another."""
    states, step = [], 0
    while True:
        step += 1
        number = prepare(bench, network)
        bench.worker.close()
        status = run_child(step)
        if status == 0:
            break
        assert status == KILLED
        states.append(bench.row(number).state)
        assert run_child(0) == 0
        row = bench.row(number)
        assert row.state == State.FINAL, (step, row)
        assert row.position == step - 1
    assert step > least
    assert set(states) >= seen
    appended = network.events("EventLog", "Appended")
    assert [log.args["sequence"] for log in appended] == list(range(step))
    included = [row.tx_hash for row in bench.context.outbox.rows()]
    assert len(set(included)) == step


def test_kill_at_every_step_of_a_refusal(bench, network, run_child, chain):
    """queued → signed → reverted: decided once, by the contract's own error, whatever happens."""
    states, step = [], 0
    while True:
        step += 1
        number = bench.queue("PackLedger", "release", [chain.proposal()["batch"], chain.ITEM_ROOT], "quality")
        status = run_child(step)
        if status == 0:
            break
        assert status == KILLED
        states.append(bench.row(number).state)
        assert run_child(0) == 0
        row = bench.row(number)
        assert (row.state, row.error_name) == (State.REVERTED, "BatchNotProposed")
        assert bench.context.outbox.attempts(number) == []
    assert set(states) == {State.QUEUED, State.SIGNED, State.REVERTED}
