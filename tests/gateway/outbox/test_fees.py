"""Chains with and without fees, fees that rise, and several accounts that pay them."""

import itertools
import shutil
import sys
import threading
from pathlib import Path

import pytest
from eth_account import Account

from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Node
from packtrace.errors import ChainError
from packtrace_gateway.devnet import Devnet
from packtrace_gateway.outbox.models import Outcome, State

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from benchmarks.unreliable import Proxy


def appended(network):
    return [(log.args["lane"], log.args["sequence"]) for log in network.events("EventLog", "Appended")]


@pytest.fixture
def free_network(template, tmp_path, chain):
    """The network on a chain without fees."""
    shutil.copytree(template, tmp_path / "free")
    devnet = Devnet(tmp_path / "free", free=True, save_interval=3_600).start()
    yield chain.Network(devnet, Deployment.load(tmp_path / "free" / "deployment.json"))
    devnet.kill()


def test_chain_without_fees_needs_no_coins(free_network, database, bench_of):
    free_network.devnet.fund(free_network.relayer.address, 0)
    bench = bench_of(free_network, database)
    number = bench.append()
    bench.until(number, State.INCLUDED)
    assert free_network.node.receipt(bench.row(number).tx_hash).effective_gas_price == 0
    [attempt] = bench.context.outbox.attempts(number)
    assert (attempt.max_fee, attempt.tip) == ("0", "0")
    free_network.devnet.mine(2)
    bench.until(number, State.FINAL)


def test_chain_before_eip_1559_gets_a_plain_gas_price(bench, network):
    def old(request, response):
        if request["method"] == "eth_getBlockByNumber" and response.get("result"):
            response["result"].pop("baseFeePerGas", None)

    with Proxy(network.devnet.url) as proxy:
        proxy.rewrite = old
        bench.context.node = Node(proxy.url, 5)
        number = bench.append()
        bench.until(number, State.INCLUDED)
    [attempt] = bench.context.outbox.attempts(number)
    assert attempt.tip is None
    sent = network.node.request("eth_getTransactionByHash", ["0x" + attempt.tx_hash.hex()])
    assert sent["type"] == "0x0"


def test_transaction_that_a_fee_spike_left_behind_is_replaced_by_one_that_pays(network, database, bench_of):
    bench = bench_of(network, database, bump_after_blocks=2)
    network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, State.BROADCAST)
    [first] = bench.context.outbox.attempts(number)
    spike = 3 * int(first.max_fee)
    for blocks in range(1, 6):
        network.node.request("anvil_setNextBlockBaseFeePerGas", [hex(spike)])
        network.devnet.mine()
        bench.run()
        if blocks == 1:
            assert bench.row(number).state == State.BROADCAST
    assert bench.row(number).state in (State.INCLUDED, State.FINAL)
    network.node.request("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])
    attempts = bench.context.outbox.attempts(number)
    assert {attempt.tx_nonce for attempt in attempts} == {first.tx_nonce}
    assert int(attempts[-1].max_fee) > spike * 7 // 8
    assert [attempt.outcome for attempt in attempts].count(Outcome.INCLUDED) == 1
    assert len(appended(network)) == 1


def test_account_that_got_coins_goes_on_without_a_new_block(bench, network, monkeypatch):
    monkeypatch.setattr("packtrace_gateway.outbox.worker.RESEND_SECONDS", 0.0)
    network.devnet.fund(network.relayer.address, 0)
    number = bench.append()
    bench.run(2)
    assert "send coins to the relayer's account" in bench.row(number).waiting
    network.devnet.fund(network.relayer.address, 10**18)
    bench.until(number, State.INCLUDED)
    assert bench.row(number).waiting is None


# ---- several accounts ----


@pytest.mark.parametrize("accounts", [1, 3])
def test_lanes_are_spread_over_the_accounts_and_each_uses_its_nonces_once(
    template, tmp_path, chain, database, bench_of, accounts
):
    """Six lanes, four calls each, blocks by the clock; meanwhile another process sends with one of the accounts."""
    network = chain.start(template, tmp_path / "by_clock", block_time=0.2)
    stop, sent = threading.Event(), []

    def interfere():
        account = network.devnet.accounts[1]
        while not stop.wait(0.15):
            try:
                sent.append(foreign(network, account))
            except ChainError:  # one of ours took the nonce in that moment
                continue

    other = threading.Thread(target=interfere)
    try:
        bench = bench_of(network, database)
        bench.context.relayers = network.devnet.accounts[1 : 1 + accounts]
        numbers = [bench.append(lane, sequence=sequence) for sequence, lane in itertools.product(range(4), range(6))]
        other.start()
        chain.wait_for(lambda: bench.run() or all(bench.row(n).state == State.FINAL for n in numbers), 120)
    finally:
        stop.set()
        other.join()
        found = appended(network)
        rows = [bench.row(number) for number in numbers]
        network.devnet.kill()
    assert sorted(found) == sorted(itertools.product(range(6), range(4)))
    for lane in range(6):
        assert [sequence for of, sequence in found if of == lane] == list(range(4)), "in order"
    used = [(row.relayer, row.tx_nonce) for row in rows]
    assert len(set(used)) == len(used)
    assert len({row.relayer for row in rows}) == accounts
    assert sent


def foreign(network, account):
    """Another process sends with this key."""
    base, tip = network.node.fees()
    transaction = {
        "type": 2, "chainId": network.deployment.chain_id, "gas": 21_000, "value": 1, "data": b"",
        "nonce": network.node.transaction_count(account.address, "pending"), "to": Account.create().address,
        "maxFeePerGas": 3 * base + tip, "maxPriorityFeePerGas": tip,
    }  # fmt: skip
    return network.node.send_raw(bytes(account.sign_transaction(transaction).raw_transaction))
