"""A node of the network, asked over JSON-RPC: one connection kept alive, many questions in one HTTP request.

Facts that belong together are asked with one `Block` (EIP-1898: by its hash), so that they are of one state,
and a reorganisation between two questions is an error and not a mixture.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from web3.providers.rpc import HTTPProvider
from web3.types import RPCEndpoint

from packtrace.chain.answers import (
    BlockId,
    Call,
    FeeMarket,
    Log,
    Receipt,
    Request,
    Transaction,
    block_parameter,
    block_request,
    raised,
    read_block,
    read_log,
    read_receipt,
    to_bytes,
    to_hex,
)
from packtrace.chain.contracts import decode_log, decode_result, encode_call, event_topic
from packtrace.chain.deployment import CONTRACTS, Deployment
from packtrace.chain.rpc_errors import NodeError, chain_error
from packtrace.errors import ChainError, ChainUnreachable
from packtrace.facts import Block

__all__ = [
    "Block",
    "BlockId",
    "Call",
    "FeeMarket",
    "Log",
    "Node",
    "NodeError",
    "Receipt",
    "Request",
    "Transaction",
]

DEFAULT_TIMEOUT = 10.0
"""Seconds until a node that does not answer is given up."""
MAX_CONNECTIONS = 32
"""Connections kept alive to one node: as many threads as a gateway serves at once."""
MAX_BATCH = 500
"""Questions in one HTTP request; Besu takes 1,024 and Geth 1,000."""
MAX_LOG_BLOCKS = 2_000
"""Blocks in one question for logs; public and consortium nodes refuse more than some thousands."""


class Node:
    """A JSON-RPC node at `url`; `timeout` in seconds for each HTTP request. Safe to share between threads.

    Every method raises `ChainUnreachable` when the node does not answer, or not as a node would, `ChainRefusal` when a
    contract refused the call, `NodeError` when the node did, and `ChainError` when what was asked for is not there.
    """

    disagreement: str | None = None
    """Why no block counts as final at the moment; only several nodes can disagree (`nodes.Nodes`)."""

    def __init__(self, url: str, timeout: float = DEFAULT_TIMEOUT) -> None:
        if not re.match(r"https?://[^/]", url):
            raise ChainError("not an address of a node", field="rpc", value=url, rule="http:// or https:// URL")
        self.url = url
        self.timeout = timeout
        # without user, password, or an access token in path or query
        self.shown = re.sub(r"//(?:[^/?#]*@)?([^/?#]*)/?(.*)", lambda m: f"//{m[1]}{'/…' if m[2] else ''}", url)
        self._provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout},
            session=_session(url),
            exception_retry_configuration=None,
        )

    def __repr__(self) -> str:
        return f"Node({self.shown!r})"

    def one(self) -> AbstractContextManager[object]:
        """While this lasts, all questions of this thread go to one and the same node. There is only one here."""
        return nullcontext()

    def settled(self, final: Block) -> Block | None:
        """The newest block that is believed to be final, where this node says that `final` is."""
        return final

    def confirm(self) -> bool:
        """Whether what this node says about final blocks is contradicted by none."""
        return True

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
        state = block_parameter(block)
        requests_ = [
            Request(
                "eth_call",
                [
                    {
                        "to": deployment.address(c.contract),
                        "data": to_hex(encode_call(c.contract, c.function, c.args)),
                    },
                    state,
                ],
            )
            for c in calls
        ]
        answers = self.batch(requests_)
        with self._reading("eth_call"):
            return [
                decode_result(call.contract, call.function, to_bytes(raised(answer)), len(call.args))
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
        topics = (
            [to_hex(event_topic(contract, event)), *(t and to_hex(t) for t in indexed)] if contract and event else []
        )
        ranges = [(start, min(start + MAX_LOG_BLOCKS - 1, last)) for start in range(first, last + 1, MAX_LOG_BLOCKS)]
        found = []
        for start, end in ranges:
            asked = {"address": addresses, "topics": topics, "fromBlock": hex(start), "toBlock": hex(end)}
            answer = self.request("eth_getLogs", [asked])
            with self._reading("eth_getLogs"):
                decoded = ((decode_log(log, deployment.contract_at(log["address"])), log) for log in answer)
                found += [read_log(event, log) for event, log in decoded if event]
        return found

    def check(self, deployment: Deployment) -> None:
        """`ChainError` unless this node's chain is the deployment's, and has code at every address of it."""
        code = [Request("eth_getCode", [address, "latest"]) for address in deployment.contracts.values()]
        chain, *codes = map(raised, self.batch([Request("eth_chainId"), *code]))
        hint = "check the node's URL and the deployment file"
        with self._reading("eth_chainId"):
            chain_id = int(chain, 16)
        if chain_id != deployment.chain_id:
            raise ChainError(
                f"the node at {self.shown} is on chain {chain_id}, the deployment on chain "
                f"{deployment.chain_id}; {hint}",
                field="chainId",
            )
        for name, found in zip(deployment.contracts, codes, strict=True):
            if found == "0x":
                raise ChainError(
                    f"the node at {self.shown} has no contract at the address of {name}; {hint}, and "
                    f"whether the "
                    "node has caught up with the network",
                    field=f"contracts.{name}",
                    value=deployment.address(name),
                )

    # ---- blocks and transactions ----

    def chain_id(self) -> int:
        """The chain's id (EIP-155)."""
        return self._number("eth_chainId")

    def block(self, block: BlockId = "latest") -> Block:
        """A block's header; `ChainError` where there is no such block."""
        (found,) = self.headers([block])
        if found is None:
            raise ChainError("the node knows no such block", field="block", value=block)
        return found

    def blocks(self, blocks: Sequence[BlockId]) -> list[Block | None]:
        """Many headers in one HTTP request; None where there is no such block (a young chain has no final one)."""
        found = self.batch([block_request(block) for block in blocks])
        answers = [None if isinstance(answer, NodeError) else answer for answer in found]
        return [self._header(block, answer) for block, answer in zip(blocks, answers, strict=True)]

    def headers(self, blocks: Sequence[BlockId]) -> list[Block | None]:
        """As `blocks`, but what the node refuses is raised: None means that the chain has no such block."""
        found = self.batch([block_request(block) for block in blocks])
        return [self._header(block, answer) for block, answer in zip(blocks, found, strict=True)]

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """The receipt of a transaction; None while no block includes it."""
        return self.receipts([transaction_hash])[0]

    def receipts(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        """Many receipts in one HTTP request, in order."""
        method = "eth_getTransactionReceipt"
        answers = self.batch([Request(method, [to_hex(h)]) for h in transaction_hashes])
        with self._reading(method):
            found = [read_receipt(answer) if answer else None for answer in map(raised, answers)]
            self._same(method, [(one.transaction_hash if one else None) for one in found], transaction_hashes)
        return found

    def transactions(self, transaction_hashes: Sequence[bytes]) -> list[Transaction | None]:
        """Many transactions in one HTTP request, in order; None where the node knows none of that hash."""
        method = "eth_getTransactionByHash"
        answers = self.batch([Request(method, [to_hex(h)]) for h in transaction_hashes])
        with self._reading(method):
            return [
                Transaction(to_bytes(one["hash"]), one["to"], to_bytes(one["input"])) if one else None
                for one in map(raised, answers)
            ]

    def send_raw(self, transaction: bytes) -> bytes:
        """Hand a signed transaction to the node; its hash. A `NodeError.kind` of "already known" is no
        failure.
        """
        answer = self.request("eth_sendRawTransaction", [to_hex(transaction)])
        with self._reading("eth_sendRawTransaction"):
            return to_bytes(answer)

    def simulate(self, transaction: Mapping[str, Any], block: BlockId = "latest") -> bytes:
        """What a transaction (`from`, `to`, `data` in hex) would return after `block`; its refusal is raised."""
        answer = self.request("eth_call", [dict(transaction), block_parameter(block)])
        with self._reading("eth_call"):
            return to_bytes(answer)

    def estimate_gas(self, transaction: Mapping[str, Any]) -> int:
        """Gas that a transaction would use after the newest block; its refusal is raised."""
        return self._number("eth_estimateGas", [dict(transaction), "latest"])

    def transaction_count(self, address: str, block: BlockId = "latest") -> int:
        """The next nonce of an account: of included transactions ("latest"), or with those waiting
        ("pending").
        """
        return self._number("eth_getTransactionCount", [address, block_parameter(block)])

    def balances(self, addresses: Sequence[str]) -> list[int]:
        """What accounts hold after the newest block, in wei."""
        method = "eth_getBalance"
        answers = self.batch([Request(method, [address, "latest"]) for address in addresses])
        with self._reading(method):
            return [int(raised(answer), 16) for answer in answers]

    def fees(self) -> tuple[int, int]:
        """Base fee of the newest block and a usual tip, in wei per gas (EIP-1559)."""
        market = self.fee_market()
        return market.base_fee or 0, market.tip or 0

    def fee_market(self) -> FeeMarket:
        """What the node says about fees now, in one HTTP request."""
        asked = [Request("eth_getBlockByNumber", ["latest", False]), Request("eth_gasPrice")]
        newest, price, tip = self.batch([*asked, Request("eth_maxPriorityFeePerGas")])
        with self._reading("eth_gasPrice"):
            base = raised(newest).get("baseFeePerGas")
            return FeeMarket(
                base_fee=None if base is None else int(base, 16),
                gas_price=int(raised(price), 16),
                tip=None if isinstance(tip, NodeError) else int(raised(tip), 16),
            )

    def _number(self, method: str, params: Sequence[Any] = ()) -> int:
        answer = self.request(method, params)
        with self._reading(method):
            return int(answer, 16)

    def _header(self, asked: BlockId, answer: Any | ChainError) -> Block | None:
        method = block_request(asked).method
        with self._reading(method):
            header = raised(answer)
            found = None if header is None else read_block(header)
        if found and isinstance(asked, int):
            self._same(method, [found.number], [asked])
        elif found and isinstance(asked, bytes | Block):
            self._same(method, [found.hash], [asked if isinstance(asked, bytes) else asked.hash])
        return found

    def _same(self, method: str, found: Sequence[object], asked: Sequence[object]) -> None:
        """An answer about something else than what was asked (a broken proxy or cache) is none."""
        if any(one is not None and one != wanted for one, wanted in zip(found, asked, strict=True)):
            raise self._nonsense(method)

    # ---- JSON-RPC ----

    def request(self, method: str, params: Sequence[Any] = ()) -> Any:
        """One JSON-RPC request; its result."""
        response = self._post(method, lambda: self._provider.make_request(RPCEndpoint(method), list(params)))
        return raised(self._answer(method, response))

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
                f"the node at {self.shown} did not answer ({_reason(error, self.timeout)}); check that it "
                f"runs and "
                "that its address is right",
                field="rpc",
            ) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._nonsense(method) from error

    @contextmanager
    def _reading(self, method: str) -> Iterator[None]:
        """Within: an answer that cannot be read is no answer of a node."""
        try:
            yield
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._nonsense(method) from error

    def _nonsense(self, method: str) -> ChainUnreachable:
        return ChainUnreachable(
            f"what answers at {self.shown} is not an Ethereum node (its answer to {method} is not "
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
