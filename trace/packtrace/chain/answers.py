"""A node's questions and answers as data: blocks, events, receipts, transactions, and how they are read from JSON.

The readers raise KeyError, TypeError, ValueError or AttributeError where an answer is not what JSON-RPC promises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from packtrace.chain.contracts import Event, decode_log
from packtrace.chain.deployment import Deployment
from packtrace.errors import ChainError
from packtrace.facts import Block

BlockId = Block | int | bytes | str
"""A block, its number, its hash, or a tag: "latest", "safe", "finalized", "earliest", "pending"."""


class Call(NamedTuple):
    """A question to a contract: its view function and arguments."""

    contract: str
    function: str
    args: Sequence[Any] = ()


class Request(NamedTuple):
    """A JSON-RPC method and its parameters."""

    method: str
    params: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """An event that one of the deployment's contracts emitted, and where it stands in the chain."""

    contract: str
    event: str
    args: Mapping[str, Any]
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction in the block that includes it. `succeeded` is the receipt's status."""

    transaction_hash: bytes
    succeeded: bool
    block_number: int
    block_hash: bytes
    gas_used: int
    effective_gas_price: int
    contract_address: str | None
    logs: tuple[Mapping[str, Any], ...]

    def events(self, deployment: Deployment) -> list[Event]:
        """The events of the deployment's own contracts in this transaction, in order."""
        found = ((deployment.contract_at(log["address"]), log) for log in self.logs)
        decoded = (decode_log(log, contract) for contract, log in found if contract)
        return [event for event in decoded if event]


class Transaction(NamedTuple):
    """A transaction that a node knows: its hash, whom it calls (None: it creates a contract) and its input."""

    hash: bytes
    to: str | None
    data: bytes


class FeeMarket(NamedTuple):
    """What a node says about fees, in wei per gas: the newest block's base fee (None before EIP-1559), the gas price
    that it would offer, and the tip that it thinks usual (None where it knows no tips).
    """

    base_fee: int | None
    gas_price: int
    tip: int | None


# ---- reading ----


def raised(answer: Any | ChainError) -> Any:
    if isinstance(answer, ChainError):
        raise answer
    return answer


def to_hex(data: bytes) -> str:
    return "0x" + data.hex()


def to_bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def block_parameter(block: BlockId) -> str | dict[str, Any]:
    """EIP-1898: a block named by its hash must be in the canonical chain."""
    if isinstance(block, Block):
        block = block.hash
    if isinstance(block, bytes):
        return {"blockHash": to_hex(block), "requireCanonical": True}
    return hex(block) if isinstance(block, int) else block


def read_block(found: Mapping[str, Any]) -> Block:
    return Block(
        number=int(found["number"], 16),
        hash=to_bytes(found["hash"]),
        timestamp=int(found["timestamp"], 16),
        parent_hash=to_bytes(found["parentHash"]),
    )


def block_request(block: BlockId) -> Request:
    parameter = block_parameter(block)
    if isinstance(parameter, dict):
        return Request("eth_getBlockByHash", [parameter["blockHash"], False])
    return Request("eth_getBlockByNumber", [parameter, False])


def read_log(event: Event, log: Mapping[str, Any]) -> Log:
    return Log(
        *event,
        block_number=int(log["blockNumber"], 16),
        block_hash=to_bytes(log["blockHash"]),
        transaction_hash=to_bytes(log["transactionHash"]),
        index=int(log["logIndex"], 16),
    )


def read_receipt(found: Mapping[str, Any]) -> Receipt:
    return Receipt(
        transaction_hash=to_bytes(found["transactionHash"]),
        succeeded=found["status"] == "0x1",
        block_number=int(found["blockNumber"], 16),
        block_hash=to_bytes(found["blockHash"]),
        gas_used=int(found["gasUsed"], 16),
        effective_gas_price=int(found.get("effectiveGasPrice", "0x0"), 16),
        contract_address=found.get("contractAddress"),
        logs=tuple(found["logs"]),
    )
