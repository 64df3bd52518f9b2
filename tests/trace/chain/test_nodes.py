"""Several nodes as one, each a real one behind a proxy that makes it fail."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from supply import MAKER, Network

from packtrace.chain import nodes as nodes_module
from packtrace.chain.facts import ChainReader
from packtrace.chain.node import Block, Call, NodeError
from packtrace.chain.nodes import FORGIVEN, LONGEST_REST, PATIENCE, PROBE_TIMEOUT, Nodes, State
from packtrace.errors import ChainError, ChainUnreachable

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from benchmarks.unreliable import Proxy

TIMEOUT = 0.4  # seconds
Make = Callable[..., tuple[Nodes, list[Proxy]]]


class Clock:
    """Time as the test wants it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(network: Network) -> Iterator[Make]:
    """`Nodes` over so many proxies in front of the devnet."""
    with ExitStack() as stack:

        def made(count: int = 2, **more: Any) -> tuple[Nodes, list[Proxy]]:
            proxies = [stack.enter_context(Proxy(network.devnet.url, seed=number)) for number in range(count)]
            urls = [proxy.url for proxy in proxies]
            return Nodes(urls, **{"timeout": TIMEOUT, "deployment": network.deployment, **more}), proxies

        yield made


def states(nodes: Nodes) -> list[State]:
    return [endpoint.state for endpoint in nodes.endpoints]


def licensed(network: Network, nodes: Nodes) -> Any:
    return nodes.calls(network.deployment, [Call("PartyRegistry", "isLicensed", [MAKER])])


def until_well(nodes: Nodes, clock: Clock, seconds: float = 120.0) -> None:
    """Probe as a gateway does, until all are well."""
    end = clock.now + seconds
    while set(states(nodes)) != {State.OK}:
        assert clock.now < end, [endpoint.trouble for endpoint in nodes.endpoints]
        clock.now += 2
        nodes.probe()


# ---- one fails ----


@pytest.mark.parametrize("mode", ["refuse", "hang", "page", "wrong"])
def test_the_next_one_answers_and_the_failing_one_is_left_alone_until_it_is_well(
    network: Network, make: Make, clock: Clock, mode: str
) -> None:
    nodes, (first, second) = make(clock=clock)
    first.become(mode)
    assert licensed(network, nodes) == [True]
    assert states(nodes) == [State.FAILING, State.OK]
    asked = first.requests
    for _ in range(20):
        assert licensed(network, nodes) == [True]
    assert first.requests == asked, "a sick node costs nobody any time"
    clock.now += 2
    nodes.probe()
    assert states(nodes) == [State.FAILING, State.OK]
    first.become("good")
    until_well(nodes, clock)
    asked = second.requests
    assert licensed(network, nodes) == [True]
    assert second.requests == asked, "the preferred one is asked again"


def test_a_node_that_hangs_is_not_waited_for_as_long_as_the_only_one_would_be(network: Network, make: Make) -> None:
    nodes, (first, _) = make(timeout=20.0)
    first.become("hang")
    began = time.monotonic()
    assert licensed(network, nodes) == [True]
    assert PROBE_TIMEOUT - 0.5 < time.monotonic() - began < 10


def test_answer_that_comes_late_makes_no_question_late_once_that_is_known(
    network: Network, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes, (first, _) = make(timeout=3.0)
    first.delay = 0.3
    first.become("late")
    nodes.probe()
    assert states(nodes) == [State.SLOW, State.OK]
    asked = first.requests
    assert licensed(network, nodes) == [True]
    assert first.requests == asked
    first.become("good")
    nodes.probe()
    assert states(nodes) == [State.OK, State.OK]


def test_slow_node_is_asked_where_there_is_no_other(network: Network, make: Make) -> None:
    nodes, (first, second) = make(timeout=3.0)
    first.delay = 0.3
    first.become("late")
    second.become("refuse")
    nodes.probe()
    assert licensed(network, nodes) == [True]


def test_node_that_drops_half_of_the_questions_gets_fewer_and_fewer(network: Network, make: Make, clock: Clock) -> None:
    nodes, (first, _) = make(clock=clock)
    first.become("drop")
    for _ in range(150):  # five minutes
        assert licensed(network, nodes) == [True]
        clock.now += 2
        nodes.probe()
    assert nodes.endpoints[0].failures > 3
    first.become("good")
    until_well(nodes, clock)
    for _ in range(FORGIVEN):
        nodes.probe()
    assert nodes.endpoints[0].failures == 0


def test_rest_of_a_failing_node_grows_and_is_bounded(network: Network, make: Make, clock: Clock) -> None:
    nodes, (first, _) = make(clock=clock)
    first.become("refuse")
    rests = []
    for _ in range(12):
        nodes.probe()
        rests.append(nodes.endpoints[0].rests_until - clock.now)
        asked = first.requests
        clock.now = nodes.endpoints[0].rests_until - 0.1
        nodes.probe()
        assert first.requests == asked, "it is not even probed while it rests"
        clock.now = nodes.endpoints[0].rests_until
    assert rests[:4] == [1, 2, 4, 8]
    assert rests[-1] == LONGEST_REST


def test_many_questions_that_fail_together_are_one_failure(network: Network, make: Make, clock: Clock) -> None:
    nodes, (first, _) = make(clock=clock)
    first.become("hang")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: licensed(network, nodes), range(8))) == [[True]] * 8
    assert nodes.endpoints[0].failures == 1


def test_where_none_is_well_only_one_is_tried_and_the_reason_is_told(network: Network, make: Make) -> None:
    nodes, proxies = make(3)
    for proxy in proxies:
        proxy.become("hang")
    nodes.probe()
    began = time.monotonic()
    with pytest.raises(ChainUnreachable, match="did not answer"):
        licensed(network, nodes)
    assert time.monotonic() - began < 2 * TIMEOUT
    with pytest.raises(ChainUnreachable):
        nodes.check_all()


def test_single_node_is_always_asked(network: Network, make: Make) -> None:
    nodes, (only,) = make(1)
    only.become("refuse")
    for _ in range(3):
        with pytest.raises(ChainUnreachable):
            licensed(network, nodes)
    only.become("good")
    assert licensed(network, nodes) == [True]
    block = nodes.block()
    assert (nodes.settled(block), nodes.confirm()) == (block, True)


# ---- one that is no use ----


def test_node_of_another_network_is_never_asked(network: Network, make: Make) -> None:
    nodes, (first, second) = make()

    def elsewhere(request: dict[str, Any], response: dict[str, Any]) -> None:
        if request["method"] == "eth_chainId":
            response["result"] = "0x1"

    first.rewrite = elsewhere
    nodes.check_all()
    assert states(nodes) == [State.FOREIGN, State.OK]
    assert "is on chain 1" in str(nodes.endpoints[0].trouble)
    second.become("refuse")
    asked = first.requests
    for _ in range(2):
        with pytest.raises(ChainUnreachable):
            licensed(network, nodes)
    assert first.requests == asked
    second.rewrite = elsewhere
    second.become("good")
    nodes.endpoints[1].rests_until = 0
    with pytest.raises(ChainError) as refused:
        nodes.check_all()
    assert refused.value.field == "chainId"


def test_node_that_is_far_behind_is_asked_last(network: Network, make: Make) -> None:
    old = network.node.request("eth_getBlockByNumber", ["latest", False])
    network.devnet.mine(nodes_module.MAX_BEHIND + 1)
    nodes, (first, _) = make()

    def stuck(request: dict[str, Any], response: dict[str, Any]) -> None:
        if request["method"] == "eth_getBlockByNumber" and request["params"][0] == "latest":
            response["result"] = old

    first.rewrite = stuck
    nodes.probe()
    assert states(nodes) == [State.BEHIND, State.OK]
    assert nodes.block() == network.node.block()


def test_block_that_one_node_does_not_know_yet_is_asked_of_the_next(network: Network, make: Make) -> None:
    nodes, (first, _) = make()

    def unknown(request: dict[str, Any], response: dict[str, Any]) -> None:
        if request["method"] == "eth_call":
            del response["result"]
            response["error"] = {"code": -32000, "message": "header not found"}

    first.rewrite = unknown
    found = nodes.calls(network.deployment, [Call("PartyRegistry", "isLicensed", [MAKER])], network.node.block())
    assert found == [True]
    assert states(nodes) == [State.OK, State.OK], "being a block behind is no failure"


@pytest.mark.parametrize("member", ["hash", "number"])
def test_answer_about_another_block_is_no_answer(network: Network, make: Make, member: str) -> None:
    nodes, (first,) = make(1)

    def other(request: dict[str, Any], response: dict[str, Any]) -> None:
        response["result"][member] = response["result"]["parentHash" if member == "hash" else "timestamp"]

    block = network.node.block()
    first.rewrite = other
    with pytest.raises(ChainUnreachable, match="not an Ethereum node"):
        nodes.block(block.hash if member == "hash" else block.number)


# ---- one at a time ----


def test_questions_that_belong_together_go_to_one_node(network: Network, make: Make) -> None:
    nodes, (first, second) = make()
    with nodes.one():
        nodes.block()
        first.become("refuse")
        asked = second.requests
        with pytest.raises(ChainUnreachable):
            nodes.block()
        assert second.requests == asked
        with pytest.raises(ChainUnreachable), nodes.one():
            nodes.block()
        elsewhere: list[Block] = []
        thread = threading.Thread(target=lambda: elsewhere.append(nodes.block()))
        thread.start()
        thread.join()
        assert elsewhere == [network.node.block()], "another thread's questions are its own"
    with nodes.one():
        assert nodes.block() == network.node.block()


def test_shorter_chain_is_believed_only_after_a_while(network: Network, make: Make, clock: Clock) -> None:
    old = network.node.request("eth_getBlockByNumber", ["latest", False])
    network.devnet.mine(2)
    nodes, (first, second) = make(clock=clock)

    def stuck(request: dict[str, Any], response: dict[str, Any]) -> None:
        if request["method"] == "eth_getBlockByNumber" and request["params"][0] == "latest":
            response["result"] = old

    second.rewrite = stuck
    with nodes.one():
        assert nodes.block() == network.node.block()
    first.become("refuse")
    for _ in range(2):
        with pytest.raises(ChainUnreachable, match="have not reached block"), nodes.one():
            pass
        clock.now += 1
    clock.now += PATIENCE
    with nodes.one():
        assert nodes.block().number == int(old["number"], 16)


# ---- sending ----


def test_transaction_is_given_to_all_and_known_to_one_is_success(network: Network, make: Make) -> None:
    nodes, proxies = make(3)
    sent = [0] * 3
    for number, proxy in enumerate(proxies):

        def count(request: dict[str, Any], response: dict[str, Any], number: int = number) -> None:
            sent[number] += request["method"] == "eth_sendRawTransaction"

        proxy.rewrite = count
    proxies[1].become("refuse")
    network.devnet.pause_mining()
    raw = signed(network)
    taken = nodes.send_raw(raw)
    assert sent == [1, 0, 1]
    assert nodes.transactions([taken])[0] is not None
    with pytest.raises(NodeError) as known:
        nodes.send_raw(raw)
    assert known.value.kind == "already known"
    network.devnet.resume_mining()


def test_transaction_that_all_refuse_is_refused_for_the_first_ones_reason(network: Network, make: Make) -> None:
    nodes, _ = make()
    with pytest.raises(NodeError) as refused:
        nodes.send_raw(signed(network, network.maker))
    assert refused.value.kind == "insufficient funds"


def signed(network: Network, account: Any = None) -> bytes:
    account = account or network.relayer
    base, tip = network.node.fees()
    transaction = {
        "type": 2, "chainId": 31337, "gas": 21_000, "value": 1, "to": network.authority.address,
        "nonce": network.node.transaction_count(account.address),
        "maxFeePerGas": 2 * base + tip, "maxPriorityFeePerGas": tip,
    }  # fmt: skip
    return bytes(account.sign_transaction(transaction).raw_transaction)


# ---- finality ----


def forge(request: dict[str, Any], response: dict[str, Any]) -> None:
    """Another chain from some block on, as far as headers tell."""
    if request["method"] == "eth_getBlockByNumber" and response.get("result"):
        response["result"]["hash"] = "0x" + "66" * 32


def test_final_is_what_all_hold_to_be_final(network: Network, make: Make) -> None:
    network.devnet.mine(4)
    nodes, (_, second) = make()
    behind = network.node.block().number - 3

    def late(request: dict[str, Any], response: dict[str, Any]) -> None:
        if request["method"] == "eth_getBlockByNumber" and request["params"][0] == "finalized":
            response["result"] = network.node.request("eth_getBlockByNumber", [hex(behind), False])

    final = nodes.block("finalized")
    assert nodes.settled(final) is None, "nobody was heard yet"
    nodes.probe()
    assert nodes.settled(final) == final
    second.rewrite = late
    nodes.probe()
    assert nodes.settled(final) == network.node.block(behind)


@pytest.mark.parametrize("finality", ["finalized", 2])
def test_nothing_is_final_while_nodes_disagree_and_until_all_of_them_agree(
    network: Network, make: Make, clock: Clock, finality: Any
) -> None:
    network.devnet.mine(4)
    nodes, (_, second, _) = make(3, clock=clock, finality=finality)
    final = network.node.block(network.node.block().number - 2)
    nodes.probe()
    assert nodes.settled(final) == final
    assert ChainReader(nodes, network.deployment, finality).view().final == final
    second.rewrite = forge
    assert not nodes.confirm()
    assert nodes.disagreement is not None
    assert nodes.disagreement.startswith(f"the nodes disagree about block {final.number}")
    assert second.url in nodes.disagreement
    assert nodes.settled(final) is None
    assert ChainReader(nodes, network.deployment, finality).view().final.number == 0
    second.become("refuse")
    clock.now += 1
    nodes.probe()
    assert nodes.disagreement, "silence is no consent"
    second.rewrite = None
    second.become("good")
    until_well(nodes, clock)
    assert nodes.confirm()
    assert nodes.settled(final) == final


def test_node_without_a_final_block_makes_nothing_final(network: Network, make: Make) -> None:
    network.devnet.mine(4)
    nodes, (_, second) = make()

    def young(request: dict[str, Any], response: dict[str, Any]) -> None:
        if request["method"] == "eth_getBlockByNumber" and request["params"][0] == "finalized":
            response["result"] = None

    second.rewrite = young
    nodes.probe()
    assert nodes.disagreement is None
    assert nodes.settled(nodes.block("finalized")) is None


def test_contracts_of_another_deployment_are_noticed(network: Network, make: Make) -> None:
    contracts = {**network.deployment.contracts, "EventLog": "0x" + "99" * 20}
    nodes, _ = make(deployment=replace(network.deployment, contracts=contracts))
    with pytest.raises(ChainError, match=r"contracts\.EventLog"):
        nodes.check_all()
    with pytest.raises(ChainError, match=r"contracts\.EventLog"):
        nodes.check(replace(network.deployment, contracts=contracts))
