"""Fixtures: one devnet for the session with a small supply chain on it, undone after each test."""

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account

from packtrace.chain.deploy import deploy
from packtrace.chain.deployment import CONTRACTS, Deployment
from packtrace.chain.registry import FOREVER
from packtrace_gateway.devnet import Devnet

sys.path.insert(0, str(Path(__file__).parent))

from supply import (
    GTIN_HASH,
    LINE,
    MAKER,
    MANAGE,
    OPERATE,
    PHARMACY,
    PRODUCT_KEY,
    QUALITY,
    REGULATOR,
    Network,
)


@pytest.fixture(scope="session")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with Devnet(tmp_path_factory.mktemp("devnet"), save_interval=3600) as running:
        yield running


@pytest.fixture(scope="session")
def established(devnet: Devnet) -> Network:
    """Contracts deployed, a regulator, a manufacturer (its own marketing authorisation holder) and a pharmacy."""
    authority = devnet.accounts[0]
    deployment = deploy(devnet.node, authority, authority.address)
    keys = [Account.from_key(secrets.token_bytes(32)) for _ in range(3)]
    network = Network(devnet, deployment, *keys)
    admin = network.admin
    with admin.together():
        admin.register_party(REGULATOR, company=REGULATOR, roles=1, gln_commitment=b"\1" * 32, name="Agency")
        admin.register_party(
            MAKER, company=MAKER, roles=2 | 4, gln_commitment=b"\2" * 32, name="Maker", endpoint="https://maker.example"
        )
        admin.register_party(PHARMACY, company=PHARMACY, roles=16, gln_commitment=b"\3" * 32)
        admin.add_key(REGULATOR, network.regulator.address, OPERATE | QUALITY)
        admin.add_key(MAKER, network.maker.address, OPERATE | LINE | QUALITY | MANAGE)
        admin.add_key(PHARMACY, network.pharmacy.address, OPERATE)
        admin.register_product(PRODUCT_KEY, MAKER)
        admin.list_gtin(GTIN_HASH, MAKER)
    network.act(network.maker, "PartyRegistry", "authoriseLine", [PRODUCT_KEY, MAKER, FOREVER])
    network.act(network.maker, "PartyRegistry", "authoriseQuality", [PRODUCT_KEY, network.maker.address, FOREVER])
    return network


@pytest.fixture
def network(established: Network) -> Iterator[Network]:
    """The supply chain as established; what the test does is undone."""
    snapshot = established.devnet.snapshot()
    yield established
    established.devnet.revert(snapshot)


@pytest.fixture
def deployment() -> Deployment:
    """A deployment of nothing, for what needs no node."""
    return Deployment(31337, 1, {name: f"0x{n:040x}" for n, name in enumerate(CONTRACTS, 1)})


@pytest.fixture
def interfaces() -> Path:
    """The contracts' interfaces, in which the typed data are documented."""
    return Path(__file__).resolve().parents[3] / "contracts" / "interfaces"
