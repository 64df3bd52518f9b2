"""An outbox with a real database, a real devnet and the real contracts."""

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from packtrace.chain.contracts import Event
from packtrace_gateway.db import Database
from packtrace_gateway.outbox.context import Context, Policy
from packtrace_gateway.outbox.models import OutboxRow, State
from packtrace_gateway.outbox.service import Handler, Outbox
from packtrace_gateway.outbox.worker import OutboxWorker


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"outbox_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


network_module = _load("network")
Network = network_module.Network


class Recorder(Handler):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.events: dict[int, list[Event]] = {}

    def on_included(self, session: Any, row: OutboxRow, events: Any) -> None:
        self.told.append(("included", row.number))
        self.events[row.number] = list(events)

    def on_final(self, session: Any, row: OutboxRow, events: Any) -> None:
        assert events
        self.told.append(("final", row.number))

    def on_reverted(self, session: Any, row: OutboxRow) -> None:
        self.told.append(("reverted", row.number))

    def on_retracted(self, session: Any, row: OutboxRow) -> None:
        self.told.append(("retracted", row.number))


@dataclass
class Bench:
    """One gateway's outbox on a network, driven pass by pass."""

    network: Any
    context: Context
    worker: OutboxWorker
    recorder: Recorder
    database: Database
    sequences: Any = field(default_factory=itertools.count)

    def queue(self, contract: str, function: str, args: Any, key: str = "operate", **more: Any) -> int:
        with self.database.write() as session:
            return self.context.outbox.enqueue(
                session, contract=contract, function=function, args=args, key=key, reference="test", **more
            )

    def append(self, lane: int = 0, *, sequence: int | None = None, **more: Any) -> int:
        """Queue the next entry of the event log."""
        number = next(self.sequences) if sequence is None else sequence
        return self.queue("EventLog", "append", [lane, number, number.to_bytes(32), 1], lane=lane, **more)

    def row(self, number: int) -> OutboxRow:
        return self.context.outbox.row(number)

    def run(self, passes: int = 1) -> None:
        for _ in range(passes):
            self.worker.run_once()

    def until(self, number: int, *states: State, passes: int = 12, mine: bool = False) -> OutboxRow:
        """Run until the row is in one of `states`; where blocks are mined meanwhile, what is included may be final."""
        if mine and State.INCLUDED in states:
            states += (State.FINAL,)
        for _ in range(passes):
            row = self.row(number)
            if row.state in states:
                return row
            self.worker.run_once()
            if mine:
                self.network.devnet.mine()
        row = self.row(number)
        assert row.state in states, (row, self.context.outbox.trouble)
        return row

    def again(self, **policy: Any) -> "Bench":
        """The same database in the hands of a new process, so to speak."""
        self.worker.close()
        return bench_on(self.network, self.database, **policy)


def bench_on(network: Any, database: Database, party: int | None = None, **policy: Any) -> Bench:
    outbox = Outbox(database)
    recorder = Recorder()
    for contract, function in (("EventLog", "append"), ("PackLedger", "changeStatus"), ("PackLedger", "propose")):
        outbox.register(contract, function, recorder)
    context = Context(
        database=database,
        outbox=outbox,
        node=network.node,
        deployment=network.deployment,
        signers=network_module.keys_of(party or network_module.PLANT),
        relayers=network.devnet.accounts[1:2],
        policy=Policy(**{"finality": 2, "poll_seconds": 0, **policy}),
    )
    return Bench(network, context, OutboxWorker(context), recorder, database)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain with contracts and parties, to be copied."""
    built: Path = network_module.build(tmp_path_factory.mktemp("network") / "devnet")
    return built


@pytest.fixture(scope="session")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    network = network_module.start(template, tmp_path_factory.mktemp("shared") / "devnet")
    yield network
    network.devnet.kill()


@pytest.fixture
def network(shared: Any) -> Iterator[Any]:
    """The shared devnet, instant mining; what the test did is undone after it."""
    snapshot = shared.devnet.snapshot()
    yield shared
    shared.devnet.resume_mining()
    shared.devnet.revert(snapshot)


@pytest.fixture
def own_network(template: Path, tmp_path: Path) -> Iterator[Any]:
    """A devnet of the test's own, which it may kill."""
    network = network_module.start(template, tmp_path / "devnet")
    yield network
    network.devnet.kill()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def bench(network: Any, database: Database) -> Bench:
    return bench_on(network, database)


@pytest.fixture
def bench_of() -> Callable[..., Bench]:
    return bench_on


@pytest.fixture(scope="session")
def chain() -> Any:
    """The network's names: parties, keys, proposals."""
    return network_module
