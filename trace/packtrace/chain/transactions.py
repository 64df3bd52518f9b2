"""Plain transactions from one account, for an operator: send, wait until a block includes it, say why it failed.

A gateway does not use this: its outbox survives restarts, lost blocks and fees that rise.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount

from packtrace.chain.node import Node, Receipt
from packtrace.errors import ChainError

MAX_GAS = 16_777_216
"""Gas of one transaction, at most (EIP-7825)."""
GAS_MARGIN = 1.25
"""The gas limit over the estimate: the state may change until the transaction is included."""
INCLUSION_TIMEOUT = 180.0
"""Seconds until a transaction that no block includes is given up."""
FIRST_POLL, LAST_POLL = 0.02, 1.0
"""Seconds between two questions for a receipt, first and later."""


class Message(NamedTuple):
    """What a transaction does: call `to` with `data`, or create a contract from `data` when `to` is None."""

    to: str | None
    data: bytes


def send(node: Node, account: LocalAccount, message: Message) -> Receipt:
    """One transaction, included. `ChainRefusal` with the contract's own error when it is refused."""
    return send_all(node, account, [message])[0]


def send_all(node: Node, account: LocalAccount, messages: Sequence[Message]) -> list[Receipt]:
    """Several at once, so that one block can include them; none may need another one's effect to be accepted.

    `NodeError` where the node refuses one (no funds, say); `ChainError` where none includes them in time.
    """
    chain_id = node.chain_id()
    base, tip = node.fees()
    nonce = node.transaction_count(account.address, "pending")
    drafts: list[dict[str, Any]] = [_draft(account, message) for message in messages]
    limits = [min(int(node.estimate_gas(draft) * GAS_MARGIN), MAX_GAS) for draft in drafts]
    hashes = []
    for position, (message, gas) in enumerate(zip(messages, limits, strict=True)):
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce + position,
            "gas": gas,
            "maxFeePerGas": 2 * base + tip,
            "maxPriorityFeePerGas": tip,
            "data": message.data,
            "value": 0,
        }
        if message.to:
            transaction["to"] = message.to
        signed = account.sign_transaction(transaction)
        hashes.append(node.send_raw(bytes(signed.raw_transaction)))
    receipts = _wait(node, hashes)
    for receipt, draft in zip(receipts, drafts, strict=True):
        if not receipt.succeeded:
            node.simulate(draft, receipt.block_number)  # raises the contract's own error
            raise ChainError("the transaction failed; it may have run out of gas", value=receipt.transaction_hash.hex())
    return receipts


def _draft(account: LocalAccount, message: Message) -> dict[str, Any]:
    draft = {"from": account.address, "data": "0x" + message.data.hex()}
    return draft | ({"to": message.to} if message.to else {})


def _wait(node: Node, hashes: Sequence[bytes]) -> list[Receipt]:
    limit = time.monotonic() + INCLUSION_TIMEOUT
    pause = FIRST_POLL
    while time.monotonic() < limit:
        receipts = node.receipts(hashes)
        included = [receipt for receipt in receipts if receipt]
        if len(included) == len(hashes):
            return included
        time.sleep(pause)
        pause = min(pause * 1.5, LAST_POLL)
    raise ChainError(
        f"no block has included the transaction within {INCLUSION_TIMEOUT:g} s; it may still be included: look before "
        "you send it again",
        value=[h.hex() for h in hashes],
    )
