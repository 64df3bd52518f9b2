"""Puts the contracts on a network."""

import rlp  # type: ignore[import-untyped]
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

from packtrace.chain.contracts import encode_constructor
from packtrace.chain.deployment import CONTRACTS, Deployment
from packtrace.chain.node import Node
from packtrace.chain.transactions import Message, send_all
from packtrace.errors import ChainError


def deploy(node: Node, account: LocalAccount, admin: str) -> Deployment:
    """Deploy the contracts from `account`, which pays; `admin` is the AccessManager's first administrator.

    The administrator is the licensing authority: an account, a multi-signature wallet or a governance contract. All
    six contracts go out at once: each constructor needs only addresses, and those are known before (sender and nonce).
    """
    if not is_address(admin):
        raise ChainError("not an address", field="admin", value=admin, rule="20 bytes in hex")
    nonce = node.transaction_count(account.address, "pending")
    at = {name: _address(account.address, nonce + position) for position, name in enumerate(CONTRACTS)}
    manager, registry, board = at["AccessManager"], at["PartyRegistry"], at["RecallBoard"]
    arguments: dict[str, list[str]] = {
        "AccessManager": [to_checksum_address(admin)],
        "PartyRegistry": [manager],
        "RecallBoard": [registry],
        "PackLedger": [manager, registry, board],
        "CustodyLedger": [manager, registry],
        "EventLog": [manager, registry],
    }
    receipts = send_all(node, account, [Message(None, encode_constructor(name, arguments[name])) for name in CONTRACTS])
    for name, receipt in zip(CONTRACTS, receipts, strict=True):
        if to_checksum_address(receipt.contract_address or "0x") != at[name]:
            raise ChainError(
                "another transaction of the deploying account came between; deploy again, and send nothing else from "
                "that account meanwhile",
                field=name,
            )
    deployment = Deployment(node.chain_id(), min(receipt.block_number for receipt in receipts), at)
    node.check(deployment)
    return deployment


def _address(sender: str, nonce: int) -> str:
    """Where a contract created by `sender` at `nonce` will be (Ethereum Yellow Paper, section 7)."""
    return to_checksum_address(keccak(rlp.encode([to_canonical_address(sender), nonce]))[12:])
