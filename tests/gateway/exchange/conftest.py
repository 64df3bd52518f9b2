"""Fixtures of the exchange: real gateways with databases and keys of their own, over HTTP, on one devnet."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from packtrace_gateway.access.models import Role
from packtrace_gateway.exchange import custody
from packtrace_scanner.answers import Said
from packtrace_scanner.gateway import Gateway
from packtrace_scanner.journal import Journal
from packtrace_scanner.sender import Sender
from packtrace_scanner.settings import Settings
from packtrace_scanner.verifier import Verified, Verifier
from packtrace_scanner.work import Parts, Work
from tests.gateway.exchange.company import Party
from tests.gateway.exchange.network import World, network
from tests.gateway.exchange.packages import ByHand, Proofs
from tests.gateway.exchange.scanning import Counter, Make

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


@pytest.fixture
def counter(world: Any, tmp_path: Path) -> Iterator[Make]:
    """`counter(party)`: a counter of its gateway, with a journal of its own that goes on where another ended."""
    made: list[Counter] = []

    def make(party: int, *, gateway: str | None = None, node: str | None = None) -> Counter:
        settings = world[party].settings
        key = tmp_path / f"key{party}"
        if not key.exists():
            key.write_text(world[party].gateway.access.create("counter", list(Role))[1])
            key.chmod(0o600)
        place = f"{party:05}"
        scanner = Settings(
            gateway=gateway or settings.endpoint,
            api_key_file=key,
            node=node or settings.node[0],
            deployment=settings.deployment,
            place=party,
            gln=settings.gln,
        )
        client, journal = Gateway(scanner), Journal(tmp_path / f"{place}.db")
        said: list[Said] = []
        verdicts: list[Verified] = []
        parts = Parts(Verifier(scanner), client, journal, Sender(journal, client, said.append), scanner.gln)
        one = Counter(Work(parts, said.append, verdicts.append), parts, said, verdicts)
        made.append(one)
        return one

    yield make
    for one in made:
        one.parts.journal.close()
        one.parts.gateway.close()
        one.parts.verifier.close()
