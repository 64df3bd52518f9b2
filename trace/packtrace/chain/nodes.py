"""Several nodes of one network, asked as one: what is done when one fails, and when they disagree.

The rules, for an operator, are in docs/operations.md ("Nodes"). In short: the first of the list that is well is asked;
one that fails is left alone for a while, and believed again after a few good answers to `probe`; a transaction is given
to all that are well; and a block is final only where all agree about it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any, Literal, TypeVar

from packtrace.chain.deployment import Deployment
from packtrace.chain.node import (
    DEFAULT_TIMEOUT,
    Block,
    BlockId,
    Call,
    FeeMarket,
    Log,
    Node,
    NodeError,
    Receipt,
    Request,
    Transaction,
)
from packtrace.errors import ChainError, ChainUnreachable

log = logging.getLogger(__name__)

PROBE_TIMEOUT = 2.0
"""Seconds for the answer to a probe: a node that takes longer is no help to anybody who waits for a verdict."""
FIRST_REST, LONGEST_REST = 1.0, 60.0
"""Seconds that a failing node is left alone, at first and at most: doubled with each further failure."""
GOOD_PROBES = 3
"""Probes in a row that a node must answer before it is asked again after several failures (one after the first)."""
FORGIVEN = 30
"""Probes in a row after which earlier failures are forgotten."""
MAX_BEHIND = 8
"""Blocks that a node may be behind the newest of all."""
SLOW_SECONDS, SLOW_RATIO = 0.1, 4.0
"""A node is slow when its probe takes longer than this, and so many times longer than the quickest node's."""
PATIENCE = 10.0
"""Seconds until a chain that is shorter than it was is believed: another node may only be catching up."""

CONTESTED = "the nodes disagree about"
"""How every `Nodes.disagreement` begins."""

PASSED_OVER = ("unknown block", "busy")
"""Kinds of refusals that another node may not share."""

T = TypeVar("T")
Finality = Literal["finalized"] | int


class State(StrEnum):
    """How a node is doing, the best first."""

    OK = "ok"
    SLOW = "slow"
    BEHIND = "behind"
    FAILING = "failing"
    FOREIGN = "on another network"


WELL = (State.OK, State.SLOW, State.BEHIND)


@dataclass(slots=True)
class Endpoint:
    """One node and what is known about it. `prober` is the same node with less patience, `seconds` how long its last
    probe took; times are monotonic.
    """

    node: Node
    prober: Node
    state: State = State.OK
    trouble: str | None = None
    failures: int = 0  # not forgiven yet
    good: int = 0  # probes answered since the last failure
    rests_until: float = 0.0
    seconds: float = 0.0
    head: Block | None = None
    final: Block | None = None
    asked: int = 0  # questions so far, without probes
    spent: float = 0.0  # seconds that the answers took altogether

    @property
    def trusted(self) -> bool:
        """Whether it has answered often enough since it failed."""
        return self.good >= min(self.failures, GOOD_PROBES)


class Nodes(Node):
    """The nodes at `urls`, the preferred one first; `finality` as in the gateway's settings.

    Somebody has to call `probe` every few seconds. A single node is asked whatever its state.
    """

    def __init__(
        self,
        urls: Sequence[str],
        timeout: float = DEFAULT_TIMEOUT,
        *,
        deployment: Deployment,
        finality: Finality = "finalized",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(urls[0], timeout)
        self.endpoints = tuple(Endpoint(Node(url, timeout), Node(url, min(timeout, PROBE_TIMEOUT))) for url in urls)
        self.shown = ", ".join(endpoint.node.shown for endpoint in self.endpoints)
        self._deployment = deployment
        self._finality = finality
        self._clock = clock
        self._lock = threading.Lock()
        self._chosen = threading.local()
        self._agreed: Block | None = None
        self._quarrel: frozenset[int] = frozenset()  # who disagrees, by place in the list
        self._newest: tuple[int, float] = (0, 0.0)  # number of the newest block that `one` began with, and when

    def __repr__(self) -> str:
        return f"Nodes({self.shown!r})"

    @property
    def several(self) -> bool:
        return len(self.endpoints) > 1

    # ---- whom to ask ----

    @contextmanager
    def one(self) -> Iterator[None]:
        """All questions of this thread go to one node: facts that are compared with each other are of one chain.

        There is no failover within; the next time another node is taken. A node that has not reached the newest block
        yet with which an earlier one was left is passed over; when none has for `PATIENCE` seconds, blocks were lost.
        """
        if getattr(self._chosen, "endpoint", None) is not None:
            yield
            return
        self._chosen.endpoint = self._caught_up() if self.several else self.endpoints[0]
        try:
            yield
        finally:
            self._chosen.endpoint = None

    def _caught_up(self) -> Endpoint:
        trouble: ChainError | None = None
        for endpoint in self._candidates():
            try:
                head = self._asked(endpoint, lambda node: node.block("latest"))
            except ChainError as error:
                trouble = trouble or error
                continue
            with self._lock:
                number, when = self._newest
                if head.number >= number or self._clock() - when > PATIENCE:
                    self._newest = (head.number, self._clock())
                    return endpoint
            trouble = ChainUnreachable(
                f"the nodes that answer have not reached block {number} yet, which another one had; waiting for them",
                field="rpc",
            )
        assert trouble is not None
        raise trouble

    def _candidates(self) -> list[Endpoint]:
        """Whom to ask, in order. Where none is well, only the one that will most likely answer: each may take long."""
        with self._lock:
            order = [State.OK, State.SLOW, State.BEHIND]
            well = sorted((e for e in self.endpoints if e.state in WELL), key=lambda e: order.index(e.state))
            if well:
                return well
            failing = [endpoint for endpoint in self.endpoints if endpoint.state is State.FAILING]
            return sorted(failing or self.endpoints, key=lambda e: (-e.good, e.rests_until))[:1]

    def _ask(self, question: Callable[[Node], T]) -> T:
        """The answer of the first that gives one; a node that is busy, or does not know a block, is passed over too."""
        chosen: Endpoint | None = getattr(self._chosen, "endpoint", None)
        if chosen is not None:
            return self._asked(chosen, question)
        trouble: ChainError | None = None
        *others, last = self._candidates()
        for endpoint in (*others, last):
            try:
                return self._asked(endpoint, question, hasty=endpoint is not last)
            except ChainUnreachable as error:
                trouble = trouble or error
            except NodeError as error:
                if error.kind not in PASSED_OVER:
                    raise
                trouble = trouble or error
        assert trouble is not None
        raise trouble

    def _asked(self, endpoint: Endpoint, question: Callable[[Node], T], *, hasty: bool = False) -> T:
        """`hasty`: somebody waits, and there is another node to ask; only the last one gets all the time."""
        began = time.perf_counter()
        try:
            return question(endpoint.prober if hasty else endpoint.node)
        except ChainUnreachable as error:
            self._failed(endpoint, error)
            raise
        finally:
            with self._lock:
                endpoint.asked += 1
                endpoint.spent += time.perf_counter() - began

    def _failed(self, endpoint: Endpoint, error: ChainError) -> None:
        with self._lock:
            if self._clock() < endpoint.rests_until:
                return  # many threads waited for the same answer: that is one failure
            if endpoint.state is not State.FAILING and self.several:
                log.warning("a node is left alone for now: %s", error)
            endpoint.state = State.FOREIGN if error.field == "chainId" else State.FAILING
            endpoint.trouble = str(error)
            endpoint.failures += 1
            endpoint.good = 0
            rest = min(FIRST_REST * 2 ** min(endpoint.failures - 1, 16), LONGEST_REST)
            endpoint.rests_until = self._clock() + rest

    # ---- how they are doing ----

    def probe(self) -> None:
        """Ask every node that does not rest how it is, and compare what they say. Never raises."""
        due = [endpoint for endpoint in self.endpoints if self._clock() >= endpoint.rests_until]
        if not due:
            return
        with ThreadPoolExecutor(len(due), "nodes") as pool:
            answered = [e for e, good in zip(due, pool.map(self._probe, due), strict=True) if good]
        with self._lock:
            self._judge(answered)
        self._compare(answered)

    def check(self, deployment: Deployment) -> None:
        """`ChainError` unless the node that is asked is on the deployment's chain, and has its contracts."""
        self._ask(lambda node: node.check(deployment))

    def check_all(self) -> None:
        """Probe, and raise what is wrong when no node is well."""
        self.probe()
        with self._lock:
            well = any(endpoint.state in WELL for endpoint in self.endpoints)
        if not well:
            for endpoint in sorted(self.endpoints, key=lambda e: e.state is State.FOREIGN):
                endpoint.prober.check(self._deployment)  # raises the reason

    def _probe(self, endpoint: Endpoint) -> bool:
        try:
            if not endpoint.good:
                endpoint.prober.check(self._deployment)
            began = self._clock()
            chain_id, (head, final) = endpoint.prober.chain_id(), endpoint.prober.headers(["latest", "finalized"])
            seconds = self._clock() - began
            if chain_id != self._deployment.chain_id:
                endpoint.prober.check(self._deployment)  # says so
            if isinstance(self._finality, int) and head:
                deep = head.number - self._finality
                final = endpoint.prober.headers([deep])[0] if deep >= 0 else None
        except ChainError as error:
            self._failed(endpoint, error)
            return False
        with self._lock:
            endpoint.head, endpoint.final, endpoint.seconds = head, final, seconds
            endpoint.good += 1
            if endpoint.good >= FORGIVEN:
                endpoint.failures = 0
        return True

    def _judge(self, answered: Sequence[Endpoint]) -> None:
        """Sort out the nodes that answered: who is well, slow, behind; who has to prove itself yet."""
        heads = [endpoint.head.number for endpoint in answered if endpoint.head]
        quickest = min((endpoint.seconds for endpoint in answered), default=0.0)
        for endpoint in answered:
            if not endpoint.trusted:
                continue
            if endpoint.state not in WELL:
                log.info("the node at %s is well again", endpoint.node.shown)
            endpoint.trouble = None
            if endpoint.head and endpoint.head.number < max(heads) - MAX_BEHIND:
                endpoint.state = State.BEHIND
                endpoint.trouble = f"it is {max(heads) - endpoint.head.number} blocks behind the others"
            elif endpoint.seconds > max(SLOW_SECONDS, SLOW_RATIO * quickest):
                endpoint.state = State.SLOW
                endpoint.trouble = f"it took {endpoint.seconds:.2f} s to answer"
            else:
                endpoint.state = State.OK

    # ---- finality ----

    def settled(self, final: Block) -> Block | None:
        """The newest block that all nodes hold to be final; None while they disagree, or were not heard yet."""
        if not self.several:
            return final
        agreed = self._agreed
        if agreed is None or self.disagreement or agreed.number > final.number:
            return None
        return agreed if self.block(agreed.number).hash == agreed.hash else None

    def confirm(self) -> bool:
        """Hear all nodes now; whether they agree about what is final."""
        if self.several:
            self.probe()
        return self.disagreement is None

    def _compare(self, answered: Sequence[Endpoint]) -> None:
        """Two nodes with different final blocks of one number: then nothing is final until they agree again.

        A disagreement stands until everybody who was part of it has been heard again.
        """
        places = [place for place, endpoint in enumerate(self.endpoints) if endpoint in answered and endpoint.final]
        heard, quarrel, text = set(places), set(), None
        for one, other in combinations(places, 2):
            try:
                difference = self._difference(self.endpoints[one], self.endpoints[other])
            except ChainError:
                heard -= {one, other}
                continue
            if difference:
                quarrel |= {one, other}
                text = text or difference
        with self._lock:
            if quarrel:
                if not self._quarrel:
                    log.error("%s", text)
                self._quarrel, self.disagreement = frozenset(quarrel), text
            elif self._quarrel and self._quarrel <= heard:
                log.warning("the nodes agree again about what is final")
                self._quarrel, self.disagreement = frozenset(), None
            voices = [endpoint.final for endpoint in answered if endpoint.state in (State.OK, State.SLOW)]
            finals = [final for final in voices if final]
            # One of them without any final block: a young chain.
            self._agreed = min(finals, key=lambda block: block.number) if finals == voices and finals else None

    def _difference(self, one: Endpoint, other: Endpoint) -> str | None:
        """What two nodes say differently about the newest block that both hold to be final."""
        assert one.final
        assert other.final
        number = min(one.final.number, other.final.number)
        first, second = (
            e.final if e.final and e.final.number == number else e.prober.block(number) for e in (one, other)
        )
        if first is None or second is None or first.hash == second.hash:
            return None
        return (
            f"{CONTESTED} block {number}, which should be final: at {one.node.shown} it is "
            f"0x{first.hash.hex()[:16]}…, at {other.node.shown} 0x{second.hash.hex()[:16]}…; nothing counts as final "
            "until they agree: find out which of them is right, and take the other out of the settings"
        )

    # ---- questions ----

    def request(self, method: str, params: Sequence[Any] = ()) -> Any:
        return self._ask(lambda node: node.request(method, params))

    def batch(self, requests_: Sequence[Request]) -> list[Any | ChainError]:
        return self._ask(lambda node: node.batch(requests_))

    def calls(self, deployment: Deployment, calls: Sequence[Call], block: BlockId = "latest") -> list[Any]:
        return self._ask(lambda node: node.calls(deployment, calls, block))

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
        return self._ask(
            lambda node: node.logs(deployment, first, last, contract=contract, event=event, indexed=indexed)
        )

    def chain_id(self) -> int:
        return self._ask(lambda node: node.chain_id())

    def blocks(self, blocks: Sequence[BlockId]) -> list[Block | None]:
        return self._ask(lambda node: node.blocks(blocks))

    def headers(self, blocks: Sequence[BlockId]) -> list[Block | None]:
        return self._ask(lambda node: node.headers(blocks))

    def receipts(self, transaction_hashes: Sequence[bytes]) -> list[Receipt | None]:
        return self._ask(lambda node: node.receipts(transaction_hashes))

    def transactions(self, transaction_hashes: Sequence[bytes]) -> list[Transaction | None]:
        return self._ask(lambda node: node.transactions(transaction_hashes))

    def simulate(self, transaction: Mapping[str, Any], block: BlockId = "latest") -> bytes:
        return self._ask(lambda node: node.simulate(transaction, block))

    def estimate_gas(self, transaction: Mapping[str, Any]) -> int:
        return self._ask(lambda node: node.estimate_gas(transaction))

    def transaction_count(self, address: str, block: BlockId = "latest") -> int:
        return self._ask(lambda node: node.transaction_count(address, block))

    def balances(self, addresses: Sequence[str]) -> list[int]:
        return self._ask(lambda node: node.balances(addresses))

    def fee_market(self) -> FeeMarket:
        return self._ask(lambda node: node.fee_market())

    def send_raw(self, transaction: bytes) -> bytes:
        """Hand a signed transaction to every node that is well: one that keeps it to itself does no harm.

        Good when one takes it. Otherwise what the first one says, unless one knows it already.
        """
        chosen: Endpoint | None = getattr(self._chosen, "endpoint", None)
        first = [chosen] if chosen else []
        taken: bytes | None = None
        refusals: list[ChainError] = []
        for endpoint in first + [e for e in self._candidates() if e is not chosen]:
            try:
                taken = self._asked(endpoint, lambda node: node.send_raw(transaction))
            except ChainError as error:
                refusals.append(error)
        if taken is not None:
            return taken
        known = (error for error in refusals if isinstance(error, NodeError) and error.kind == "already known")
        raise next(known, refusals[0])
