"""Fixtures of the exchange: real gateways with databases and keys of their own, over HTTP, on one devnet."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from packtrace_gateway.exchange import custody
from tests.gateway.exchange.company import Party
from tests.gateway.exchange.network import World, network
from tests.gateway.exchange.packages import ByHand, Proofs

_RUNNING = ExitStack()
_WORLDS: list[World] = []


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One network for all tests of this folder."""
    with _RUNNING:
        made = _RUNNING.enter_context(network(tmp_path_factory.mktemp("exchange")))
        _WORLDS.append(made)
        yield made


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A network of its own, for tests that move the chain's clock. The other one rests until the file's end."""
    for party in _running():
        party.stop()
    try:
        with network(tmp_path_factory.mktemp("later")) as made:
            yield made
    finally:
        for party in _running():
            party.start()


def _running() -> list[Party]:
    """The gateways of the network for all tests, if it was started here."""
    return [party for made in _WORLDS for party in made.parties.values()]


@pytest.hookimpl(trylast=True)  # when the fixtures of the last test have had it
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The network ends with the last test here, not with the session: the tests after it want the machine."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        _RUNNING.close()
        _WORLDS.clear()


@pytest.fixture
def by_hand() -> ByHand:
    return ByHand()


@pytest.fixture
def proofs() -> Proofs:
    return Proofs()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receive call that the chain refused is tried again soon."""
    monkeypatch.setattr(custody, "RETRY_SECONDS", 0.5)
