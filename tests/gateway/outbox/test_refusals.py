"""What the outbox does with a node's refusals, and what people are told: a real node behind a proxy that refuses."""

import itertools
import sys
from pathlib import Path

import pytest

from packtrace.chain.node import Node
from packtrace_gateway.outbox.models import Outcome, State

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from benchmarks.unreliable import Proxy


@pytest.fixture
def refusing(bench, network):
    """Let the node refuse every transaction with these words, until told otherwise."""
    with Proxy(network.devnet.url) as proxy:
        bench.context.node = Node(proxy.url, 5)

        def refuse(words):
            def rewrite(request, response):
                if request["method"] == "eth_sendRawTransaction":
                    response.pop("result", None)
                    response["error"] = {"code": -32000, "message": words}

            proxy.rewrite = rewrite if words else None
            proxy.held = ("eth_sendRawTransaction",) if words else ()

        yield refuse


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("txpool is full", "sent again with every block"),
        ("tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", "raise it there"),
        ("Upfront cost exceeds account balance", "send coins to the relayer's account"),
        ("Sender account not authorized to send transactions", "permitted on this network"),
        ("Transaction nonce is too distant from current sender nonce", "when they are there"),
        ("Initial sync is still in progress", "asked again"),
        ("Wrong chainId", "deployment file"),
        ("something nobody has heard of", "something nobody has heard of"),
    ],
)
def test_refusal_that_passes_keeps_the_transaction_and_says_what_to_do(bench, network, refusing, words, advice):
    refusing(words)
    number = bench.append()
    bench.run(4)
    row = bench.row(number)
    assert row.state == State.SIGNED
    assert words in row.waiting
    assert advice in row.waiting
    assert len(bench.context.outbox.attempts(number)) == 1
    refusing(None)
    network.devnet.mine()
    bench.until(number, State.INCLUDED)
    assert len(bench.context.outbox.attempts(number)) == 1


def test_fee_rises_once_a_block_while_the_node_finds_it_too_low(bench, network, refusing):
    refusing("transaction underpriced")
    number = bench.append()
    bench.run(6)
    assert len(bench.context.outbox.attempts(number)) == 2, "not with every pass"
    assert "underpriced" in bench.row(number).waiting
    network.devnet.mine()
    bench.run(2)
    fees = [int(attempt.max_fee) for attempt in bench.context.outbox.attempts(number)]
    assert len(fees) == 3
    assert all(new * 8 >= old * 9 for old, new in itertools.pairwise(fees))
    refusing(None)
    network.devnet.mine()
    bench.until(number, State.INCLUDED)
    assert len({attempt.tx_nonce for attempt in bench.context.outbox.attempts(number)}) == 1


@pytest.mark.parametrize(
    ("words", "more"), [("intrinsic gas too low", True), ("Transaction gas limit exceeds block gas limit", False)]
)
def test_gas_limit_that_does_not_fit_is_changed_at_the_same_nonce(bench, network, refusing, words, more):
    refusing(words)
    number = bench.append()
    bench.run()
    refusing(None)
    network.devnet.mine()
    bench.until(number, State.INCLUDED)
    first, second = bench.context.outbox.attempts(number)
    assert first.tx_nonce == second.tx_nonce
    assert (second.gas > first.gas) == more
    assert (first.outcome, second.outcome) == (Outcome.REPLACED, Outcome.INCLUDED)


def test_call_that_fits_no_block_waits_and_says_so(bench, network, refusing):
    refusing("exceeds block gas limit")
    number = bench.append()
    for _ in range(4):
        bench.run()
        network.devnet.mine()
    assert bench.row(number).state == State.SIGNED
    assert "does not fit into a block" in bench.row(number).waiting
    assert len(bench.context.outbox.attempts(number)) <= 3


def test_nonce_of_another_process_in_the_words_of_anvils_pool(bench, network, refusing):
    refusing("Tx: [0xab] insufficient gas price to replace existing transaction")
    number = bench.append()
    bench.run()
    [attempt] = bench.context.outbox.attempts(number)
    assert attempt.outcome == Outcome.REPLACED
    refusing(None)
    bench.run()
    assert bench.context.outbox.attempts(number)[1].tx_nonce == attempt.tx_nonce + 1
    bench.until(number, State.INCLUDED, passes=20, mine=True)  # there is no other one, in fact: the gap is filled
    assert len(network.events("EventLog", "Appended")) == 1
