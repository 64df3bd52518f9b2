"""The index of the contracts' events on a real devnet: the network is that of the outbox's tests."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packtrace_gateway.db import Database
from packtrace_gateway.ledger.follower import Follower, indexed
from packtrace_gateway.ledger.indexing import Listener

_file = Path(__file__).parent.parent / "outbox" / "conftest.py"
_spec = importlib.util.spec_from_file_location("outbox_conftest", _file)
assert _spec
assert _spec.loader
_outbox = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _outbox
_spec.loader.exec_module(_outbox)

template, shared, network, own_network, database, chain = (
    _outbox.template,
    _outbox.shared,
    _outbox.network,
    _outbox.own_network,
    _outbox.database,
    _outbox.chain,
)


class Recorder(Listener):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def on_status(self, session: Any, call: Any) -> None:
        self.told.append(("status", call.call))

    def on_conflict(self, session: Any, conflict: Any) -> None:
        self.told.append(("conflict", conflict.unit, conflict.party))

    def on_batch(self, session: Any, batch: int, state: Any) -> None:
        self.told.append(("batch", batch, str(state)))

    def on_recall(self, session: Any, recall: Any) -> None:
        self.told.append(("recall", recall.kind))

    def on_custody(self, session: Any, custody: Any) -> None:
        self.told.append((custody.event, custody.number))

    def on_registry(self, session: Any, entry: Any) -> None:
        self.told.append((entry.event, entry.party))

    def on_retracted(self, session: Any, number: int) -> None:
        self.told.append(("retracted", number))


class Index:
    """A follower, driven until it has read everything."""

    def __init__(self, network: Any, database: Database) -> None:
        self.network, self.database = network, database
        self.follower = Follower(database, network.node, network.deployment, poll_seconds=1)
        self.recorder = Recorder()
        self.follower.register(self.recorder)

    def follow(self) -> None:
        for _ in range(100):
            self.follower.run_once()
            assert self.follower.trouble is None
            with self.database.read() as session:
                last = indexed(session)
            if last and last.hash == self.network.node.block().hash:
                return
        raise AssertionError("the follower does not reach the head")

    def ask(self, question: Callable[..., Any], *args: Any) -> Any:
        with self.database.read() as session:
            return question(session, *args)


@pytest.fixture
def index(network: Any, database: Database) -> Index:
    return Index(network, database)


@pytest.fixture
def index_on() -> type[Index]:
    return Index
