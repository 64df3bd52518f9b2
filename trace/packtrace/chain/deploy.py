"""Puts the contracts on a network."""

import rlp  # type: ignore[import-untyped]
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

from packtrace.chain.contracts import encode_call, encode_constructor, selector
from packtrace.chain.deployment import CONTRACTS, Deployment
from packtrace.chain.node import Node
from packtrace.chain.policy import AT_ONCE, FUNCTIONS, AdminRole, Delays
from packtrace.chain.transactions import Message, send, send_all
from packtrace.errors import ChainError


def deploy(node: Node, account: LocalAccount, admin: str, delays: Delays = AT_ONCE) -> Deployment:
    """Deploy the contracts from `account`, which pays; `admin` has all roles of the AccessManager, with these delays.

    The administrator is the licensing authority: an account, a multi-signature wallet or a governance contract. All
    six contracts go out at once: each constructor needs only addresses, and those are known before (sender and nonce).
    The roles follow in one transaction, after which the paying account has none.
    """
    if not is_address(admin):
        raise ChainError("not an address", field="admin", value=admin, rule="20 bytes in hex")
    nonce = node.transaction_count(account.address, "pending")
    at = {name: _address(account.address, nonce + position) for position, name in enumerate(CONTRACTS)}
    manager, registry, board = at["AccessManager"], at["PartyRegistry"], at["RecallBoard"]
    arguments: dict[str, list[str]] = {
        "AccessManager": [account.address],
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
    calls = _rules(deployment, to_checksum_address(admin), delays, account.address)
    send(node, account, Message(manager, encode_call("AccessManager", "multicall", [calls])))
    return deployment


def _address(sender: str, nonce: int) -> str:
    """Where a contract created by `sender` at `nonce` will be (Ethereum Yellow Paper, section 7)."""
    return to_checksum_address(keccak(rlp.encode([to_canonical_address(sender), nonce]))[12:])


def _rules(deployment: Deployment, admin: str, delays: Delays, founder: str) -> list[bytes]:
    """Calls on a new AccessManager whose administrator is `founder`, in order: in the end `admin` has every role, with
    its delay, and the founder (where that is another) has none.

    Guards can cancel what a registrar has announced.
    """
    calls = []
    for role, contracts in FUNCTIONS.items():
        calls.append(_manage("labelRole", role, role.name.lower()))
        for contract, functions in contracts.items():
            selectors = [selector(contract, function) for function in functions]
            calls.append(_manage("setTargetFunctionRole", deployment.address(contract), selectors, role))
    calls.append(_manage("setRoleGuardian", AdminRole.REGISTRAR, AdminRole.GUARD))
    calls.append(_manage("grantRole", AdminRole.GUARD, admin, 0))
    calls.append(_manage("grantRole", AdminRole.REGISTRAR, admin, delays.grants))
    calls.append(_manage("grantRole", AdminRole.ADMIN, admin, delays.governance))  # from here on all of it waits
    if founder != admin:
        calls.append(_manage("renounceRole", AdminRole.ADMIN, founder))
    return calls


def _manage(function: str, *args: object) -> bytes:
    return encode_call("AccessManager", function, args)
