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


def test_kill_at_every_step_loses_nothing_and_sends_nothing_twice(bench, network, run_child):
    """Each round queues a call, kills the process that carries it at the next step, and starts another."""
    states, step = [], 0
    while True:
        step += 1
        number = bench.append()
        status = run_child(step)
        if status == 0:
            break
        assert status == KILLED
        states.append(bench.row(number).state)
        assert run_child(0) == 0
        row = bench.row(number)
        assert row.state == State.FINAL, (step, row)
        assert row.position == step - 1
    assert step > 12
    assert set(states) >= {State.QUEUED, State.SIGNED, State.BROADCAST, State.INCLUDED, State.FINAL}
    appended = network.events("EventLog", "Appended")
    assert [log.args["sequence"] for log in appended] == list(range(step))
    rows = bench.context.outbox.rows()
    used = sorted(row.tx_nonce for row in rows)
    assert used == list(range(used[0], used[0] + len(rows))), "no nonce twice, no gap"
