"""The outbox with several nodes: one fails, or they disagree."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from packtrace.chain.nodes import CONTESTED, Nodes, State
from packtrace_gateway.outbox.models import State as RowState

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from benchmarks.unreliable import Proxy


@pytest.fixture
def proxied(network, bench):
    """The bench with three nodes, which are one behind three proxies."""
    with ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(network.devnet.url, seed=number)) for number in range(3)]
        bench.context.node = Nodes([p.url for p in proxies], 0.5, deployment=network.deployment, finality=2)
        yield proxies


def entries(bench):
    return len(bench.network.events("EventLog", "Appended"))


@pytest.mark.parametrize("mode", ["refuse", "hang", "page", "wrong", "drop"])
def test_calls_go_on_through_the_next_node(bench, network, proxied, mode):
    bench.context.node.probe()
    first = bench.append()
    bench.until(first, RowState.INCLUDED)
    proxied[0].become(mode)
    for _ in range(3):
        bench.until(bench.append(), RowState.INCLUDED, passes=40)
        bench.context.node.probe()
    proxied[0].become("good")
    network.devnet.mine(3)
    bench.context.node.probe()
    bench.until(first, RowState.FINAL, passes=40)
    assert [row.position for row in reversed(bench.context.outbox.rows())] == [0, 1, 2, 3]
    assert entries(bench) == 4
    assert [what for what, _ in bench.recorder.told].count("retracted") == 0


def test_node_that_fails_in_the_middle_of_a_pass_ends_the_pass(bench, network, proxied):
    """Receipts are not asked of a node that may not have the block yet in which the nonces were counted."""
    network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, RowState.BROADCAST)
    network.devnet.mine()

    def fails(request, response):
        if request["method"] == "eth_getTransactionReceipt":
            proxied[0].become("refuse")
            raise OSError

    proxied[0].rewrite = fails
    bench.run()
    assert "did not answer" in bench.context.outbox.trouble
    assert bench.row(number).state == RowState.BROADCAST
    bench.until(number, RowState.INCLUDED)
    assert len(bench.context.outbox.attempts(number)) == 1


def test_finality_waits_until_every_node_has_it(bench, network, proxied):
    number = bench.append()
    bench.until(number, RowState.INCLUDED)
    network.devnet.mine(2)
    bench.run(2)
    assert bench.row(number).state == RowState.INCLUDED, "nobody was heard since"
    bench.context.node.probe()
    bench.run()  # without a new block
    assert bench.row(number).state == RowState.FINAL


@pytest.fixture
def forked(template, tmp_path, chain, own_network):
    """Two nodes with the same contracts on two chains."""
    other = chain.start(template, tmp_path / "other")
    other.devnet.advance_time(60)
    other.devnet.mine(12)
    yield own_network, other
    other.devnet.kill()


def test_nodes_that_disagree_make_nothing_final_and_take_nothing_final_back(forked, database, bench_of):
    ours, other = forked
    bench = bench_of(ours, database)
    done = bench.append()
    bench.until(done, RowState.INCLUDED)
    ours.devnet.mine(8)
    bench.until(done, RowState.FINAL)
    bench.recorder.told.clear()

    # The preferred node is on a chain that does not have what was final.
    both = Nodes([other.devnet.url, ours.devnet.url], 5, deployment=ours.deployment, finality=2)
    bench.context.node = both
    bench.run(2)
    assert bench.row(done).state == RowState.FINAL
    assert bench.recorder.told == []
    assert both.disagreement

    bench.context.node = Nodes([ours.devnet.url, other.devnet.url], 5, deployment=ours.deployment, finality=2)
    bench.context.node.probe()
    assert [endpoint.state for endpoint in bench.context.node.endpoints] == [State.OK, State.OK]
    waits = bench.append()
    bench.until(waits, RowState.INCLUDED)
    ours.devnet.mine(4)
    bench.context.node.probe()
    bench.run(3)
    row = bench.row(waits)
    assert row.state == RowState.INCLUDED
    assert row.waiting.startswith(CONTESTED)

    bench.context.node = ours.node  # the operator has taken the other one out
    bench.run()
    assert bench.row(waits).state == RowState.FINAL
    assert bench.row(waits).waiting is None
    assert [what for what, _ in bench.recorder.told] == ["included", "final"]
