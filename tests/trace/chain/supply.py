"""A small supply chain on a real node, and its keys: what the tests of this folder share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from packtrace.chain.contracts import encode_call
from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Node, Receipt
from packtrace.chain.registry import RegistryAdmin
from packtrace.chain.transactions import Message, send
from packtrace.chain.typed_data import Consent, sign
from packtrace_gateway.devnet import Devnet

REGULATOR, MAKER, PHARMACY = 1, 10, 30
OPERATE, LINE, QUALITY, MANAGE = 1, 2, 4, 8
PRODUCT_KEY, LOT_KEY, ITEM_ROOT, GTIN_HASH = (bytes([n]) * 32 for n in (0xA1, 0xA2, 0xA3, 0xA4))
BATCH = MAKER << 22 | 7
EXPIRES = 4_102_444_800  # 2100-01-01 00:00 UTC


def unit(index: int) -> int:
    return BATCH << 20 | index


def packed(*indices: int) -> bytes:
    return b"".join(unit(index).to_bytes(8) for index in indices)


@dataclass(frozen=True)
class Network:
    """The contracts, their node, and a key for each party; `relayer` pays, the licensing authority is `authority`."""

    devnet: Devnet
    deployment: Deployment
    maker: LocalAccount
    pharmacy: LocalAccount
    regulator: LocalAccount

    @property
    def node(self) -> Node:
        return self.devnet.node

    @property
    def authority(self) -> LocalAccount:
        return self.devnet.accounts[0]

    @property
    def relayer(self) -> LocalAccount:
        return self.devnet.accounts[1]

    @property
    def admin(self) -> RegistryAdmin:
        return RegistryAdmin(self.node, self.deployment, self.authority)

    def consent(self, key: LocalAccount, contract: str, function: str, args: Sequence[Any], lane: int = 0) -> Consent:
        nonce = self.node.call(self.deployment, contract, "nonces", [key.address, lane])
        return sign(key, self.deployment, contract, function, args, nonce, 2**48 - 1)

    def carry(self, contract: str, function: str, args: Sequence[Any], *consents: Consent) -> Receipt:
        """Send a signed call, as the relayer."""
        data = encode_call(contract, function, [*args, *consents])
        return send(self.node, self.relayer, Message(self.deployment.address(contract), data))

    def act(self, key: LocalAccount, contract: str, function: str, args: Sequence[Any]) -> Receipt:
        """Sign a call and send it."""
        return self.carry(contract, function, args, self.consent(key, contract, function, args))

    def propose(self, count: int = 1000) -> None:
        proposal = {
            "batch": BATCH,
            "productKey": PRODUCT_KEY,
            "lotKey": LOT_KEY,
            "itemRoot": ITEM_ROOT,
            "count": count,
            "expiresAt": EXPIRES,
        }
        self.act(self.maker, "PackLedger", "propose", [proposal])

    def release(self) -> None:
        self.act(self.maker, "PackLedger", "release", [BATCH, ITEM_ROOT])
