"""A gateway for each file of tests; its clock and its chain go where that file takes them."""

import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address

from packtrace.chain.deploy import deploy
from packtrace.chain.registry import FOREVER, RegistryAdmin
from packtrace.gs1 import with_check_digit
from packtrace.product import gln_commitment
from packtrace_gateway import app as composition
from packtrace_gateway import keys, settings
from packtrace_gateway.access.models import Role
from packtrace_gateway.capture import sealer
from packtrace_gateway.db import Database
from packtrace_gateway.devnet import Devnet
from packtrace_gateway.gateway import Gateway
from packtrace_gateway.keys import Purpose
from packtrace_gateway.ledger.follower import Follower
from packtrace_gateway.outbox.context import Policy

sys.path.insert(0, str(Path(__file__).parent))
from one_gateway import EVERYTHING, GTIN, PARTY, PURPOSES, QUICK, Lot, Plant, Serve, authorise


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> Iterator[Plant]:
    """Instant mining. What the gateway waits for at most is made short; what it does is the same."""
    folder = tmp_path_factory.mktemp("plant")
    with Devnet(folder / "devnet") as devnet, pytest.MonkeyPatch.context() as patch:
        admin = devnet.accounts[0]
        deployment = deploy(devnet.node, admin, admin.address)
        deployment.save(folder / "network.json")
        authority = RegistryAdmin(devnet.node, deployment, admin)
        own = settings.from_values(
            {
                "party": PARTY,
                "company": PARTY,
                "name": "Plant",
                "gln": with_check_digit("950600000002"),
                "gln_salt": "00" * 16,
                "node": devnet.url,
                "deployment": str(folder / "network.json"),
                "port": 0,
                "seal_every": 0.1,
                "finality": 2,
            },
            folder=folder,
        )
        keys.make_passphrase(own)
        for purpose in (*PURPOSES, Purpose.RELAYER):
            keys.add_key(own, purpose)
        addresses = dict(keys.addresses(own))
        devnet.fund(addresses[Purpose.RELAYER], 10**24)
        with authority.together():
            commitment = gln_commitment(bytes(16), own.gln)
            authority.register_party(PARTY, company=PARTY, roles=EVERYTHING, gln_commitment=commitment, name="Plant")
            for purpose, bits in PURPOSES.items():
                authority.add_key(PARTY, addresses[purpose], bits)
        database = Database(own.database_url)
        database.migrate()
        database.close()
        patch.setattr(composition, "Policy", functools.partial(Policy, poll_seconds=QUICK))
        patch.setattr(composition, "Follower", functools.partial(Follower, poll_seconds=QUICK))
        patch.setattr(sealer, "REFUSED_PAUSE", 0.5)
        app = composition.create_app(own)
        gateway: Gateway = app.state.gateway
        _, text = gateway.access.create("the tester", list(Role))
        with serve(app) as client:
            quality = to_checksum_address(addresses[Purpose.QUALITY])
            made = Plant(devnet, authority, gateway, client, {"Authorization": f"Bearer {text}"}, quality)
            product = made.post("/products", {"gtin": GTIN}, 201)
            authority.register_product(bytes.fromhex(product["productKey"]), PARTY)
            authority.list_gtin(bytes.fromhex(product["gtinHash"]), PARTY)
            authorise(made, line=PARTY, until=FOREVER)
            authorise(made, quality=quality, until=FOREVER)
            yield made
        gateway.database.close()


@pytest.fixture(scope="module")
def lot(plant: Plant) -> Lot:
    """A released lot, of which every test takes packs of its own."""
    return plant.released(40)
