"""A process that works on an outbox until it is killed: for each line `K` on its standard input it forks a child.

The child runs the worker on the database and kills itself (SIGKILL) at its K-th step, or ends when every row is final.
Steps are: at the end of each transaction on the database and after it, before and after each transaction is sent.
"""

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_account import Account

from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Node
from packtrace_gateway.db import Database
from packtrace_gateway.outbox import worker as worker_module
from packtrace_gateway.outbox.context import Context, Policy
from packtrace_gateway.outbox.models import State
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.outbox.worker import OutboxWorker

spec = importlib.util.spec_from_file_location("network", Path(__file__).with_name("network.py"))
assert spec
assert spec.loader
network = importlib.util.module_from_spec(spec)
sys.modules["network"] = network
spec.loader.exec_module(network)

ENDED = (State.FINAL, State.REVERTED)
worker_module.RESEND_SECONDS = 0.5  # no block comes by itself here


def child(database_url: str, node_url: str, deployment: Path, relayer: str, killed_at: int) -> None:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    write, send_raw = Database.write, Node.send_raw

    @contextmanager
    def dangerous_write(self: Database) -> Iterator[Any]:
        with write(self) as session:
            yield session
            session.flush()
            step()
        step()

    def dangerous_send(self: Node, raw: bytes) -> bytes:
        step()
        found = send_raw(self, raw)
        step()
        return found

    Database.write, Node.send_raw = dangerous_write, dangerous_send  # type: ignore[method-assign]
    database = Database(database_url)
    outbox = Outbox(database)
    worker = OutboxWorker(
        Context(
            database=database,
            outbox=outbox,
            node=Node(node_url),
            deployment=Deployment.load(deployment),
            signers=network.keys_of(network.PLANT),
            relayers=[Account.from_key(relayer)],
            policy=Policy(finality=0, poll_seconds=0),
        )
    )
    limit = time.monotonic() + 20
    while not all(row.state in ENDED for row in outbox.rows()):
        assert time.monotonic() < limit, outbox.rows()
        worker.run_once()


def main() -> None:
    database_url, node_url, deployment, relayer = sys.argv[1:]
    for line in sys.stdin:
        forked = os.fork()
        if not forked:
            status = 1
            try:
                child(database_url, node_url, Path(deployment), relayer, int(line))
                status = 0
            finally:
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]), flush=True)


main()
