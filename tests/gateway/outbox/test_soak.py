"""Everything that can go wrong, mixed at random (from a seed): in the end each call is on chain once, in its order."""

import contextlib
import random

import pytest
from eth_account import Account

from packtrace.chain.node import Node
from packtrace.errors import ChainError, ChainUnreachable
from packtrace_gateway.outbox.models import State

STEPS = 150
LANES = 3
FAULTS = (
    "reorganise",
    "forget the pool",
    "kill the devnet",
    "save",
    "lose answers",
    "calm",
    "spend a nonce",
    "restart",
)


class Unreliable(Node):
    """Loses some questions, and some answers."""

    random = random.Random()
    rate = 0.0

    def _post(self, method, send):
        if self.random.random() < self.rate:
            raise ChainUnreachable("the question was lost")
        answer = super()._post(method, send)
        if self.random.random() < self.rate:
            raise ChainUnreachable("the answer was lost")
        return answer


@pytest.mark.parametrize("seed", [7])
def test_each_call_is_carried_out_once_and_in_order_whatever_happens(own_network, database, bench_of, seed):
    chance, network = random.Random(seed), own_network
    policy = {"finality": 4, "consent_seconds": 60, "bump_after_blocks": 3}
    network.devnet.pause_mining()
    network.devnet.mine(8)  # so that no reorganisation reaches the setup
    network.devnet.save()
    bench = bench_of(network, database, **policy)
    node = bench.context.node = Unreliable(network.devnet.url, timeout=5)
    node.random = chance
    queued = [0] * LANES
    for step in range(STEPS):
        if chance.random() < 0.25:
            lane = chance.randrange(LANES)
            bench.append(lane, sequence=queued[lane])
            queued[lane] += 1
        bench.run()
        if chance.random() < 0.5:
            network.devnet.mine()
        if step % 5 == 4:
            fault = chance.choice(FAULTS)
            if fault == "reorganise" and network.node.block().number > network.deployment.block + 14:
                network.devnet.reorg(chance.randint(1, 6))
            elif fault == "forget the pool":
                network.node.request("anvil_dropAllTransactions")
            elif fault == "kill the devnet":
                network.devnet.kill()
                bench.run()
                network.devnet.start()
                network.devnet.pause_mining()
            elif fault == "save":
                network.devnet.save()
            elif fault in ("lose answers", "calm"):
                node.rate = 0.3 if fault == "lose answers" else 0.0
            elif fault == "spend a nonce":
                spend(network, chance.choice(("latest", "pending")))
            elif fault == "restart":
                bench = bench.again(**policy)
                bench.context.node = node
    node.rate = 0.0
    for _ in range(300):
        bench.run()
        network.devnet.mine()
        rows = bench.context.outbox.rows(limit=500)
        if all(row.state == State.FINAL for row in rows):
            break
    assert {row.state for row in rows} == {State.FINAL}
    carried = [(log.args["lane"], log.args["sequence"]) for log in network.events("EventLog", "Appended")]
    for lane in range(LANES):
        assert [sequence for of, sequence in carried if of == lane] == list(range(queued[lane]))


def spend(network, counted):
    """Another process sends with the relayer's key."""
    base = network.node.fees()[0]
    transaction = {
        "type": 2, "chainId": network.deployment.chain_id, "gas": 21_000, "value": 1, "data": b"",
        "nonce": network.node.transaction_count(network.relayer.address, counted),
        "to": Account.create().address, "maxFeePerGas": 10 * base + 10**9, "maxPriorityFeePerGas": 10**9,
    }  # fmt: skip
    with contextlib.suppress(ChainError):
        network.node.send_raw(bytes(network.relayer.sign_transaction(transaction).raw_transaction))
