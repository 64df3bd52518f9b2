"""A node of the network, asked over JSON-RPC: one connection kept alive, many questions in one HTTP request.

Facts that belong together are asked with one `Block` (EIP-1898: by its hash), so that they are of one state,
and a reorganisation between two questions is an error and not a mixture.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from web3.providers.rpc import HTTPProvider
from web3.types import RPCEndpoint

from packtrace.chain.contracts import Event, decode_log, decode_result, encode_call, event_topic
from packtrace.chain.deployment import CONTRACTS, Deployment
from packtrace.chain.rpc_errors import NodeError, chain_error
from packtrace.errors import ChainError, ChainUnreachable
from packtrace.facts import Block

__all__ = ["Block", "BlockId", "Call", "Log", "Node", "NodeError", "Receipt", "Request"]

DEFAULT_TIMEOUT = 10.0
"""Seconds until a node that does not answer is given up."""
MAX_CONNECTIONS = 32
"""Connections kept alive to one node: as many threads as a gateway serves at once."""
MAX_BATCH = 500
"""Questions in one HTTP request; Besu takes 1,024 and Geth 1,000."""
MAX_LOG_BLOCKS = 2_000
"""Blocks in one question for logs; public and consortium nodes refuse more than some thousands."""


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


class Node:
    """A JSON-RPC node at `url`; `timeout` in seconds for each HTTP request. Safe to share between threads.

    Every method raises `ChainUnreachable` when the node does not answer, `ChainRefusal` when a contract
    refused the call, `NodeError` when the node did, and `ChainError` when its answer makes no sense.
    """

    def __init__(self, url: str, timeout: float = DEFAULT_TIMEOUT) -> None:
        if not re.match(r"https?://[^/]", url):
            raise ChainError("not an address of a node", field="rpc", value=url, rule="http:// or https:// URL")
        self.url = url
        self.timeout = timeout
        # without user, password, or an access token in path or query
        self._shown = re.sub(r"//(?:[^/?#]*@)?([^/?#]*)/?(.*)", lambda m: f"//{m[1]}{'/…' if m[2] else ''}", url)
        self._provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout},
            session=_session(url),
            exception_retry_configuration=None,
        )

    def __repr__(self) -> str:
        return f"Node({self._shown!r})"

    # ---- contracts ----

    def call(
        self,
        deployment: Deployment,
        contract: str,
        function: str,
        args: Sequence[Any] = (),
        block: BlockId = "latest",
    ) -> Any:
        """What a view function returns (see `contracts.decode_result`) in the state after `block`."""
        return self.calls(deployment, [Call(contract, function, args)], block)[0]

    def calls(self, deployment: Deployment, calls: Sequence[Call], block: BlockId = "latest") -> list[Any]:
        """Many calls in one HTTP request, in order. The first that is refused is raised."""
        state = _block_parameter(block)
        requests_ = [
            Request(
                "eth_call",
                [
                    {
                        "to": deployment.address(c.contract),
                        "data": _hex(encode_call(c.contract, c.function, c.args)),
                    },
                    state,
                ],
            )
            for c in calls
        ]
        answers = self.batch(requests_)
        return [
            decode_result(call.contract, call.function, _bytes(_raised(answer)), len(call.args))
            for call, answer in zip(calls, answers, strict=True)
        ]

    def logs(
        self,
        deployment: Deployment,
        first: int,
        last: int,
        *,
        contract: str | None = None,
        event: str | None = None,
        indexed: Sequence[bytes | None] = (),
    ) -> list[Log]:
        """The deployment's events in the blocks `first` to `last` (inclusive), in order.

        `contract` and `event` select one event, `indexed` its indexed arguments (32 bytes each, None for
        any).
        """
        addresses = [deployment.address(name) for name in ([contract] if contract else CONTRACTS)]
        topics = [_hex(event_topic(contract, event)), *(t and _hex(t) for t in indexed)] if contract and event else []
        ranges = [(start, min(start + MAX_LOG_BLOCKS - 1, last)) for start in range(first, last + 1, MAX_LOG_BLOCKS)]
        found = []
        for start, end in ranges:
            asked = {"address": addresses, "topics": topics, "fromBlock": hex(start), "toBlock": hex(end)}
            for log in self.request("eth_getLogs", [asked]):
                decoded = decode_log(log, deployment.contract_at(log["address"]))
                if decoded:
                    found.append(_log(decoded, log))
        return found

    def check(self, deployment: Deployment) -> None:
        """`ChainError` unless this node's chain is the deployment's, and has code at every address of it."""
        code = [Request("eth_getCode", [address, "latest"]) for address in deployment.contracts.values()]
        chain, *codes = map(_raised, self.batch([Request("eth_chainId"), *code]))
        hint = "check the node's URL and the deployment file"
        if int(chain, 16) != deployment.chain_id:
            raise ChainError(
                f"the node at {self._shown} is on chain {int(chain, 16)}, the deployment on chain "
                f"{deployment.chain_id}; {hint}",
                field="chainId",
            )
        for name, found in zip(deployment.contracts, codes, strict=True):
            if found == "0x":
                raise ChainError(
                    f"the node at {self._shown} has no contract at the address of {name}; {hint}, and "
                    f"whether the "
                    "node has caught up with the network",
                    field=f"contracts.{name}",
                    value=deployment.address(name),
                )

    # ---- blocks and transactions ----

    def chain_id(self) -> int:
        """The chain's id (EIP-155)."""
        return int(self.request("eth_chainId"), 16)

    def block(self, block: BlockId = "latest") -> Block:
        """A block's header; `ChainError` where there is no such block."""
        found = self.request(*_block_request(block))
        if found is None:
            raise ChainError("the node knows no such block", field="block", value=block)
        return _block(found)

    def blocks(self, blocks: Sequence[BlockId]) -> list[Block | None]:
        """Many headers in one HTTP request; None where there is no such block (a young chain has no final one)."""
        found = self.batch([_block_request(block) for block in blocks])
        return [_block(one) if isinstance(one, Mapping) else None for one in found]

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """The receipt of a transaction; None while no block includes it."""
        return self.receipts([transaction_hash])[0]

    def receipts(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Many receipts in one HTTP request, in order."""
        asked = [Request("eth_getTransactionReceipt", [_hex(h)]) for h in transaction_hashes]
        return [_receipt(found) if found else None for found in map(_raised, self.batch(asked))]

    def send_raw(self, transaction: bytes) -> bytes:
        """Hand a signed transaction to the node; its hash. A `NodeError.kind` of "already known" is no
        failure.
        """
        return _bytes(self.request("eth_sendRawTransaction", [_hex(transaction)]))

    def simulate(self, transaction: Mapping[str, Any], block: BlockId = "latest") -> bytes:
        """What a transaction (`from`, `to`, `data` in hex) would return after `block`; its refusal is raised."""
        return _bytes(self.request("eth_call", [dict(transaction), _block_parameter(block)]))

    def estimate_gas(self, transaction: Mapping[str, Any]) -> int:
        """Gas that a transaction would use after the newest block; its refusal is raised."""
        return int(self.request("eth_estimateGas", [dict(transaction), "latest"]), 16)

    def transaction_count(self, address: str, block: BlockId = "latest") -> int:
        """The next nonce of an account: of included transactions ("latest"), or with those waiting
        ("pending").
        """
        return int(self.request("eth_getTransactionCount", [address, _block_parameter(block)]), 16)

    def fees(self) -> tuple[int, int]:
        """Base fee of the newest block and a usual tip, in wei per gas (EIP-1559)."""
        newest, tip = map(
            _raised,
            self.batch([Request("eth_getBlockByNumber", ["latest", False]), Request("eth_maxPriorityFeePerGas")]),
        )
        return int(newest.get("baseFeePerGas", "0x0"), 16), int(tip, 16)

    # ---- JSON-RPC ----

    def request(self, method: str, params: Sequence[Any] = ()) -> Any:
        """One JSON-RPC request; its result."""
        return _raised(
            self._answer(
                method,
                self._post(method, lambda: self._provider.make_request(RPCEndpoint(method), list(params))),
            )
        )

    def batch(self, requests_: Sequence[Request]) -> list[Any | ChainError]:
        """Many JSON-RPC requests in one HTTP request: each one's result, or the error that it was refused
        with.
        """
        answers: list[Any | ChainError] = []
        for start in range(0, len(requests_), MAX_BATCH):
            answers += self._batch(requests_[start : start + MAX_BATCH])
        return answers

    def _batch(self, requests_: Sequence[Request]) -> list[Any | ChainError]:
        asked = [(RPCEndpoint(r.method), list(r.params)) for r in requests_]
        found = self._post(requests_[0].method, lambda: self._provider.make_batch_request(asked))
        if isinstance(found, Mapping) and "error" in found:  # the whole batch was refused
            raise chain_error("a batch", found["error"])
        if not isinstance(found, list) or len(found) != len(requests_):
            raise self._nonsense("a batch")
        return [self._answer(r.method, one) for r, one in zip(requests_, found, strict=True)]

    def _answer(self, method: str, response: Any) -> Any | ChainError:
        if isinstance(response, Mapping):
            if response.get("error") is not None:
                return chain_error(method, response["error"])
            if "result" in response:
                return response["result"]
        raise self._nonsense(method)

    def _post(self, method: str, send: Callable[[], Any]) -> Any:
        """Send; once more where the node closed an idle connection at that moment (every `eth_` method may
        repeat).
        """
        try:
            try:
                return send()
            except requests.ConnectionError as error:
                if isinstance(error, requests.Timeout) or not method.startswith("eth_"):
                    raise
                return send()
        except requests.RequestException as error:
            raise ChainUnreachable(
                f"the node at {self._shown} did not answer ({_reason(error, self.timeout)}); check that it "
                f"runs and "
                "that its address is right",
                field="rpc",
            ) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._nonsense(method) from error

    def _nonsense(self, method: str) -> ChainUnreachable:
        return ChainUnreachable(
            f"what answers at {self._shown} is not an Ethereum node (its answer to {method} is not "
            f"JSON-RPC); check "
            "the address",
            field="rpc",
        )


def _session(url: str) -> requests.Session:
    """One pool of connections for all threads; proxies and certificates of the environment are looked up
    once.
    """
    session = requests.Session()
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=MAX_CONNECTIONS)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    settings = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies, session.verify = settings["proxies"], settings["verify"]
    session.trust_env = False
    return session


def _reason(error: requests.RequestException, timeout: float) -> str:
    if isinstance(error, requests.Timeout):
        return f"no answer within {timeout:g} s"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP status {error.response.status_code}"
    return "no connection"


def _raised(answer: Any | ChainError) -> Any:
    if isinstance(answer, ChainError):
        raise answer
    return answer


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _block_parameter(block: BlockId) -> str | dict[str, Any]:
    """EIP-1898: a block named by its hash must be in the canonical chain."""
    if isinstance(block, Block):
        block = block.hash
    if isinstance(block, bytes):
        return {"blockHash": _hex(block), "requireCanonical": True}
    return hex(block) if isinstance(block, int) else block


def _block(found: Mapping[str, Any]) -> Block:
    return Block(
        number=int(found["number"], 16),
        hash=_bytes(found["hash"]),
        timestamp=int(found["timestamp"], 16),
        parent_hash=_bytes(found["parentHash"]),
    )


def _block_request(block: BlockId) -> Request:
    parameter = _block_parameter(block)
    if isinstance(parameter, dict):
        return Request("eth_getBlockByHash", [parameter["blockHash"], False])
    return Request("eth_getBlockByNumber", [parameter, False])


def _log(event: Event, log: Mapping[str, Any]) -> Log:
    return Log(
        *event,
        block_number=int(log["blockNumber"], 16),
        block_hash=_bytes(log["blockHash"]),
        transaction_hash=_bytes(log["transactionHash"]),
        index=int(log["logIndex"], 16),
    )


def _receipt(found: Mapping[str, Any]) -> Receipt:
    return Receipt(
        transaction_hash=_bytes(found["transactionHash"]),
        succeeded=found["status"] == "0x1",
        block_number=int(found["blockNumber"], 16),
        block_hash=_bytes(found["blockHash"]),
        gas_used=int(found["gasUsed"], 16),
        effective_gas_price=int(found.get("effectiveGasPrice", "0x0"), 16),
        contract_address=found.get("contractAddress"),
        logs=tuple(found["logs"]),
    )
