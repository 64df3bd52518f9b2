"""A small supply chain on a real devnet, for the tests of the outbox and of the ledger's index."""

import hashlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from packtrace.chain.contracts import encode_call
from packtrace.chain.deploy import deploy
from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Node, Receipt
from packtrace.chain.registry import FOREVER, RegistryAdmin
from packtrace.chain.transactions import Message, send
from packtrace.chain.typed_data import keyed_nonce, sign
from packtrace.facts import batch_number, unit_number
from packtrace_gateway.devnet import Devnet

REGULATOR, MAH, PLANT, WHOLESALER, PHARMACY, STRANGER = 1, 10, 11, 20, 30, 40
ROLES = {REGULATOR: 1, MAH: 2, PLANT: 4, WHOLESALER: 8, PHARMACY: 16}
PRODUCT_KEY, LOT_KEY, ITEM_ROOT = (hashlib.sha256(text).digest() for text in (b"product", b"lot", b"items"))
EXPIRES = 86_400 * 30_000
PURPOSES = {"operate": 1, "line": 2, "quality": 4, "manage": 8}


def key_of(party: int, purpose: str) -> LocalAccount:
    """The same key in every run."""
    account: LocalAccount = Account.from_key(hashlib.sha256(f"{party}/{purpose}".encode()).digest())
    return account


def keys_of(party: int) -> dict[str, LocalAccount]:
    return {purpose: key_of(party, purpose) for purpose in PURPOSES}


def proposal(number: int = 1, count: int = 1_000) -> dict[str, Any]:
    return {
        "batch": batch_number(PLANT, number),
        "productKey": PRODUCT_KEY,
        "lotKey": LOT_KEY,
        "itemRoot": ITEM_ROOT,
        "count": count,
        "expiresAt": EXPIRES,
    }


def units(*indices: int, number: int = 1) -> bytes:
    return b"".join(unit_number(batch_number(PLANT, number), index).to_bytes(8) for index in indices)


@dataclass
class Network:
    """A running devnet with the contracts and parties on it. Relayers: accounts 1 and following."""

    devnet: Devnet
    deployment: Deployment
    used: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def node(self) -> Node:
        return self.devnet.node

    @property
    def relayer(self) -> LocalAccount:
        return self.devnet.accounts[1]

    def act(self, party: int, purpose: str, contract: str, function: str, args: Sequence[Any]) -> Receipt:
        """A call by another gateway: signed, and carried by a relayer of its own."""
        key = key_of(party, purpose)
        position = int(self.node.call(self.deployment, contract, "nonces", [key.address, 0]))
        consent = sign(key, self.deployment, contract, function, args, keyed_nonce(0, position), 2**48 - 1)
        data = encode_call(contract, function, [*args, consent])
        return send(self.node, self.devnet.accounts[5], Message(self.deployment.address(contract), data))

    def events(self, contract: str, event: str) -> list[Any]:
        head = self.node.block().number
        return self.node.logs(self.deployment, 0, head, contract=contract, event=event)


def build(folder: Path) -> Path:
    """Deploy everything once; the folder can be copied."""
    with Devnet(folder) as devnet:
        admin = devnet.accounts[0]
        deployment = deploy(devnet.node, admin, admin.address)
        deployment.save(folder / "deployment.json")
        registry = RegistryAdmin(devnet.node, deployment, admin)
        with registry.together():
            for party, roles in ROLES.items():
                company = MAH if party == PLANT else party
                registry.register_party(party, company=company, roles=roles, gln_commitment=bytes(32))
            for party in (*ROLES,):
                for purpose, bit in PURPOSES.items():
                    registry.add_key(party, key_of(party, purpose).address, bit)
            registry.register_product(PRODUCT_KEY, MAH)
        network = Network(devnet, deployment)
        network.act(MAH, "manage", "PartyRegistry", "authoriseLine", [PRODUCT_KEY, PLANT, FOREVER])
        quality = key_of(PLANT, "quality").address
        network.act(MAH, "manage", "PartyRegistry", "authoriseQuality", [PRODUCT_KEY, quality, FOREVER])
    return folder


def start(template: Path, folder: Path, *, block_time: float | None = None) -> Network:
    """A devnet of its own, with a copy of the built chain."""
    shutil.copytree(template, folder)
    devnet = Devnet(folder, block_time=block_time, save_interval=3_600).start()
    return Network(devnet, Deployment.load(folder / "deployment.json"))


def wait_for(what: Any, seconds: float = 20.0) -> Any:
    """Call `what` until it gives something true."""
    limit = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)
    return found
