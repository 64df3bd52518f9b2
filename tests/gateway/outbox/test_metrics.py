"""What the metrics say of a real chain."""

import pytest
from eth_account import Account

from packtrace.chain.nodes import Nodes
from packtrace_gateway.metrics.watch import ChainWatch
from packtrace_gateway.outbox.models import State


@pytest.fixture
def watch(bench, network):
    node = Nodes([network.devnet.url], 2, deployment=network.deployment, finality=2)
    return ChainWatch(bench.database, node, 2, [account.address for account in bench.context.relayers])


def test_watch_sees_blocks_balances_and_finality(watch, network):
    network.devnet.mine(4)
    watch.run_once()
    assert watch.seen.head == network.node.block()
    assert watch.seen.head.number - watch.seen.final.number == 2
    balance = int(network.node.request("eth_getBalance", [network.relayer.address, "latest"]), 16)
    assert watch.seen.balances == {network.relayer.address: balance}
    assert watch.seen.gaps == {network.relayer.address: 0}


def test_watch_counts_the_nonces_that_nobody_uses(bench, watch, network):
    network.devnet.pause_mining()
    nonce = network.node.transaction_count(network.relayer.address)
    base = network.node.fees()[0]
    foreign = {
        "type": 2, "chainId": network.deployment.chain_id, "nonce": nonce, "gas": 21_000, "value": 1, "data": b"",
        "to": Account.create().address, "maxFeePerGas": 10 * base, "maxPriorityFeePerGas": base,
    }  # fmt: skip
    network.node.send_raw(bytes(network.relayer.sign_transaction(foreign).raw_transaction))
    bench.until(bench.append(), State.BROADCAST)
    watch.run_once()
    assert watch.seen.gaps == {network.relayer.address: 0}
    network.node.request("anvil_dropAllTransactions")
    watch.run_once()
    assert watch.seen.gaps == {network.relayer.address: 1}


def test_watch_forgets_what_it_saw_when_no_node_answers(watch, own_network):
    watch._node = Nodes([own_network.devnet.url], 1, deployment=own_network.deployment, finality=2)
    watch.run_once()
    assert watch.seen
    own_network.devnet.kill()
    watch.run_once()
    assert watch.seen is None
