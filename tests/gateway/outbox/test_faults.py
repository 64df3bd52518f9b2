"""What machines and networks do to a call on its way. Nothing is lost, nothing is carried out twice."""

import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from packtrace.chain.contracts import encode_call
from packtrace.chain.node import Node, NodeError
from packtrace.chain.transactions import Message, send
from packtrace_gateway.outbox import calls, moves
from packtrace_gateway.outbox.models import Outcome, State

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from benchmarks.unreliable import Proxy


def entries(bench):
    """The party's log as the contract holds it: how many entries in lane 0, and the events about them."""
    return len(bench.network.events("EventLog", "Appended"))


# ---- reorganisations ----


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_reorganisation_sends_the_same_bytes_again(network, database, bench_of, depth):
    bench = bench_of(network, database, finality=10)
    network.devnet.mine(1)
    first, second = bench.append(), bench.append()
    bench.until(second, State.INCLUDED)
    before = {n: (bench.row(n).signature, [a.raw for a in bench.context.outbox.attempts(n)]) for n in (first, second)}
    network.devnet.reorg(depth)
    lost = [second] if depth < 2 else [first, second]
    bench.run()
    assert [n for what, n in bench.recorder.told if what == "retracted"] == lost
    assert bench.row(second).state in (State.BROADCAST, State.INCLUDED)
    bench.until(second, State.INCLUDED, passes=20)
    for number in (first, second):
        row = bench.row(number)
        assert row.state == State.INCLUDED
        assert (row.signature, [a.raw for a in bench.context.outbox.attempts(number)]) == before[number]
        assert row.block_hash == network.node.block(row.block_number).hash
    assert entries(bench) == 2


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_reorganisation_up_to_one_block_beyond_finality_loses_nothing(network, database, bench_of, depth):
    """Finality is two blocks: the deepest one breaks the chain's promise."""
    bench = bench_of(network, database, finality=2)
    network.devnet.mine(3)
    numbers = [bench.append() for _ in range(4)]
    bench.until(numbers[-1], State.INCLUDED, passes=30)
    final = {number for number in numbers if bench.row(number).state == State.FINAL}
    assert final
    network.devnet.reorg(depth)
    bench.run()
    retracted = {number for what, number in bench.recorder.told if what == "retracted"}
    assert retracted == set(numbers[-depth:])
    assert bool(retracted & final) == (depth > 2)
    bench.until(numbers[-1], State.INCLUDED, passes=30)
    network.devnet.mine(3)
    bench.until(numbers[-1], State.FINAL)
    assert {bench.row(number).state for number in numbers} == {State.FINAL}
    assert [log.args["sequence"] for log in network.events("EventLog", "Appended")] == [0, 1, 2, 3]


def test_block_that_was_final_and_is_lost_is_healed_too(network, database, bench_of):
    bench = bench_of(network, database, finality=1)
    numbers = [bench.append() for _ in range(3)]
    bench.until(numbers[-1], State.INCLUDED, passes=30)
    network.devnet.mine(1)
    bench.until(numbers[-1], State.FINAL)
    network.devnet.reorg(4)
    bench.run()
    assert [n for what, n in bench.recorder.told if what == "retracted"] == numbers
    bench.until(numbers[-1], State.INCLUDED, passes=20)
    assert all(bench.row(number).state in (State.INCLUDED, State.FINAL) for number in numbers)
    assert entries(bench) == 3


def test_loser_of_a_race_after_a_reorganisation_hears_of_it(network, database, bench_of, chain):
    """We dispensed first; after the reorganisation another did. The included call is the same, its events are not."""
    bench = bench_of(network, database, chain.PHARMACY, finality=10)
    network.act(chain.PLANT, "line", "PackLedger", "propose", [chain.proposal()])
    network.act(chain.PLANT, "quality", "PackLedger", "release", [chain.proposal()["batch"], chain.ITEM_ROOT])
    number = bench.queue("PackLedger", "changeStatus", [1, chain.units(5), b"o" * 32])
    bench.until(number, State.INCLUDED)
    won = next(e for e in bench.recorder.events[number] if e.event == "StatusChanged").args["outcomes"]
    network.devnet.reorg(1)
    network.act(chain.MAH, "operate", "PackLedger", "changeStatus", [6, chain.units(5), bytes(32)])
    bench.run(3)
    bench.until(number, State.INCLUDED)
    lost = next(e for e in bench.recorder.events[number] if e.event == "StatusChanged").args["outcomes"]
    assert won == b"\x00"
    assert lost[0] & 0x80


def test_devnet_killed_and_restarted_without_its_last_blocks(own_network, database, bench_of):
    bench = bench_of(own_network, database)
    kept = bench.append()
    bench.until(kept, State.INCLUDED)
    own_network.devnet.save()
    lost = [bench.append() for _ in range(3)]
    bench.until(lost[-1], State.INCLUDED, passes=30)
    own_network.devnet.mine(4)
    bench.until(lost[-1], State.FINAL)
    own_network.devnet.kill()
    bench.run()
    assert "did not answer" in bench.context.outbox.trouble
    waiting = bench.append()
    bench.run()
    assert bench.row(waiting).state == State.QUEUED
    own_network.devnet.start()
    bench = bench.again()
    bench.until(waiting, State.INCLUDED, passes=30)
    assert bench.context.outbox.trouble is None
    assert all(bench.row(number).state in (State.INCLUDED, State.FINAL) for number in lost)
    assert bench.row(kept).state in (State.INCLUDED, State.FINAL)
    assert entries(bench) == 5


def test_devnet_killed_and_restarted_with_all_its_blocks(own_network, database, bench_of):
    bench = bench_of(own_network, database)
    done = bench.append()
    bench.until(done, State.INCLUDED)
    own_network.devnet.pause_mining()
    waiting = bench.append()
    bench.until(waiting, State.BROADCAST)
    own_network.devnet.save()
    own_network.devnet.kill()  # the pool is lost
    bench.run()
    own_network.devnet.start()
    bench.until(waiting, State.INCLUDED, passes=30)
    assert [what for what, _ in bench.recorder.told] == ["included", "included"], "nothing was taken back"
    assert entries(bench) == 2
    assert len(bench.context.outbox.attempts(waiting)) == 1


# ---- the node ----


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("hang", "no answer within 0.5 s"),
        ("late", "no answer within 0.5 s"),
        ("refuse", "no connection"),
        ("page", "is not an Ethereum node"),
        ("wrong", ""),
        ("drop", ""),
    ],
)
def test_only_node_that_misbehaves_delays_and_loses_nothing(bench, network, mode, told):
    with Proxy(network.devnet.url, delay=2) as proxy:
        bench.context.node = Node(proxy.url, 0.5)
        numbers = [bench.append() for _ in range(2)]
        proxy.become(mode)
        for _ in range(8):
            bench.run()
        if told:
            assert told in bench.context.outbox.trouble
            assert {bench.row(number).state for number in numbers} == {State.QUEUED}
        proxy.become("good")
        bench.until(numbers[-1], State.INCLUDED, passes=30)
    assert bench.context.outbox.trouble is None
    assert entries(bench) == 2


# ---- the clock ----


@pytest.mark.parametrize("offset", [3_600, -3_600])
@pytest.mark.parametrize("reached", [State.QUEUED, State.BROADCAST, State.INCLUDED])
def test_clock_that_is_moved_by_an_hour_changes_nothing(bench, network, monkeypatch, offset, reached):
    real = time.time
    network.devnet.pause_mining()
    number = bench.append()
    if reached != State.QUEUED:
        bench.until(number, State.BROADCAST)
    if reached == State.INCLUDED:
        network.devnet.mine()
        bench.until(number, State.INCLUDED)
    monkeypatch.setattr(time, "time", lambda: real() + offset)
    following = bench.append()
    bench = bench.again()  # a gateway that is started again has no other lease either
    bench.until(following, State.INCLUDED, passes=30, mine=True)
    monkeypatch.setattr(time, "time", real)
    last = bench.append(sequence=2)
    bench.until(last, State.INCLUDED, passes=30, mine=True)
    assert [len(bench.context.outbox.attempts(n)) for n in (number, following, last)] == [1, 1, 1]
    assert entries(bench) == 3


def test_rows_wait_while_the_node_does_not_answer(bench):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = Node(f"http://127.0.0.1:{unused.getsockname()[1]}", timeout=1)
    alive, bench.context.node = bench.context.node, dead
    number = bench.append()
    bench.run(2)
    assert bench.row(number).state == State.QUEUED
    assert "did not answer" in bench.context.outbox.trouble
    bench.context.node = alive
    bench.until(number, State.INCLUDED)
    assert bench.context.outbox.trouble is None


def test_node_of_another_chain_is_sent_nothing(bench, network):
    number = bench.append()
    bench.context.deployment = replace(network.deployment, chain_id=1)
    bench.run(2)
    assert bench.row(number).state == State.QUEUED
    assert "chain 31337" in bench.context.outbox.trouble


def test_answer_lost_on_the_way_back_is_no_second_transaction(bench, monkeypatch):
    """The node takes the transaction, and its answer is lost; then it says "already known"."""
    node = bench.context.node
    bench.network.devnet.pause_mining()

    def deaf(raw):
        type(node).send_raw(node, raw)
        raise NodeError("eth_sendRawTransaction", -32000, "gateway timeout")

    number = bench.append()
    with monkeypatch.context() as patched:
        patched.setattr(node, "send_raw", deaf)
        bench.run()
        assert bench.row(number).state == State.SIGNED
        assert "gateway timeout" in bench.row(number).waiting
    bench.network.devnet.mine()
    bench.until(number, State.INCLUDED)
    assert len(bench.context.outbox.attempts(number)) == 1
    assert entries(bench) == 1


def test_pool_that_forgot_the_transaction_gets_the_same_bytes_again(bench):
    bench.network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, State.BROADCAST)
    bench.network.node.request("anvil_dropAllTransactions")
    assert bench.network.devnet.pool() == (0, 0)
    bench.network.devnet.mine()
    bench.run()
    bench.network.devnet.mine()
    bench.until(number, State.INCLUDED)
    assert len(bench.context.outbox.attempts(number)) == 1


# ---- nonces of the relayer's account ----


def test_nonce_spent_by_another_process_costs_only_a_new_transaction(bench, network):
    network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, State.BROADCAST)
    signature = bench.row(number).signature
    network.node.request("anvil_dropAllTransactions")
    foreign(network, network.node.transaction_count(network.relayer.address))
    network.devnet.mine()
    bench.until(number, State.INCLUDED, mine=True)
    old, new = bench.context.outbox.attempts(number)
    assert (old.outcome, new.outcome) == (Outcome.REPLACED, Outcome.INCLUDED)
    assert new.tx_nonce == old.tx_nonce + 1
    assert bench.row(number).signature == signature
    assert entries(bench) == 1


def test_nonce_that_waits_in_the_pool_for_another_process_is_left_to_it(bench, network):
    network.devnet.pause_mining()
    nonce = network.node.transaction_count(network.relayer.address)
    foreign(network, nonce)
    number = bench.append()
    bench.until(number, State.BROADCAST)
    assert bench.row(number).tx_nonce == nonce + 1
    network.devnet.mine()
    bench.until(number, State.INCLUDED)


def test_gap_in_the_nonces_is_filled_by_the_row_itself(bench, network, monkeypatch):
    """The node's count was wrong once (another transaction that then vanished): our nonce is one too high."""
    network.devnet.pause_mining()
    nonce = network.node.transaction_count(network.relayer.address)
    foreign(network, nonce)
    number = bench.append()
    bench.until(number, State.BROADCAST)
    network.node.request("anvil_dropAllTransactions")
    network.devnet.mine()
    bench.until(number, State.INCLUDED, mine=True)
    assert {a.tx_nonce for a in bench.context.outbox.attempts(number)} == {nonce, nonce + 1}
    after = bench.append()
    bench.until(after, State.INCLUDED, passes=30, mine=True)
    assert entries(bench) == 2


def test_consent_carried_to_the_chain_by_somebody_else_is_found(bench, network):
    network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, State.BROADCAST)
    network.node.request("anvil_dropAllTransactions")
    row = bench.row(number)
    data = calls.call_data(row.contract, row.function, row.args, moves.consent(row))
    network.devnet.resume_mining()
    receipt = send(network.node, network.devnet.accounts[7], Message(network.deployment.address("EventLog"), data))
    row = bench.until(number, State.INCLUDED)
    assert row.tx_hash == receipt.transaction_hash
    assert not row.recovered
    assert bench.recorder.told == [("included", number)]
    following = bench.append()
    bench.until(following, State.INCLUDED)
    assert entries(bench) == 2


def test_reverted_call_whose_consent_is_replayed_later_turns_out_included(bench, network, chain):
    """A published consent stays valid until its deadline: who kept it can carry it when the reason has gone."""
    from packtrace.chain.registry import RegistryAdmin

    admin = RegistryAdmin(network.node, network.deployment, network.devnet.accounts[0])
    admin.suspend(chain.PLANT)
    number = bench.append()
    row = bench.until(number, State.REVERTED)
    admin.reinstate(chain.PLANT)
    data = calls.call_data(row.contract, row.function, row.args, moves.consent(row))
    send(network.node, network.devnet.accounts[7], Message(network.deployment.address("EventLog"), data))
    bench.run()
    assert bench.row(number).state == State.INCLUDED
    assert bench.recorder.told == [("reverted", number), ("included", number)]


# ---- fees ----


def test_slow_transaction_is_replaced_by_one_that_pays_an_eighth_more(network, database, bench_of):
    bench = bench_of(network, database, bump_after_blocks=2)
    network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, State.BROADCAST)
    for _ in range(3):
        network.node.request("anvil_dropAllTransactions")  # the pool is full of better paid ones
        network.devnet.mine()
        bench.run()
    network.devnet.mine()
    row = bench.until(number, State.INCLUDED)
    old, new = bench.context.outbox.attempts(number)
    assert (old.tx_nonce, old.outcome) == (new.tx_nonce, Outcome.REPLACED)
    assert int(new.max_fee) * 8 >= int(old.max_fee) * 9
    assert int(new.tip) * 8 >= int(old.tip) * 9
    assert row.tx_hash == new.tx_hash


def test_fee_spike_above_the_cap_makes_calls_wait(network, database, bench_of):
    bench = bench_of(network, database, max_fee=5 * 10**9)
    network.node.request("anvil_setNextBlockBaseFeePerGas", [hex(10**10)])
    network.devnet.mine()
    number = bench.append()
    bench.run(3)
    assert bench.row(number).state == State.SIGNED
    assert "above the highest" in bench.row(number).waiting
    network.node.request("anvil_setNextBlockBaseFeePerGas", [hex(10**8)])
    network.devnet.mine()
    bench.until(number, State.INCLUDED)


def test_account_without_funds_makes_calls_wait(bench, network):
    balance = network.node.request("eth_getBalance", [network.relayer.address, "latest"])
    network.node.request("anvil_setBalance", [network.relayer.address, "0x0"])
    number = bench.append()
    bench.run(3)
    assert bench.row(number).state == State.SIGNED
    assert "nsufficient" in bench.row(number).waiting
    network.node.request("anvil_setBalance", [network.relayer.address, balance])
    network.devnet.mine()
    bench.until(number, State.INCLUDED)


# ---- deadlines ----


def test_expired_consent_is_signed_again_only_when_the_old_one_is_dead_in_a_final_block(network, database, bench_of):
    bench = bench_of(network, database, consent_seconds=60)
    network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, State.BROADCAST)
    old = bench.row(number)
    network.node.request("anvil_dropAllTransactions")
    network.devnet.advance_time(3_600)
    network.devnet.mine()  # the deadline has passed, but not in a final block
    network.node.request("anvil_dropAllTransactions")
    bench.run()
    network.node.request("anvil_dropAllTransactions")
    assert bench.row(number).signature == old.signature
    network.devnet.mine(2)
    bench.run()
    new = bench.row(number)
    assert (new.position, new.deadline > old.deadline) == (old.position, True)
    assert new.signature != old.signature
    bench.until(number, State.INCLUDED, mine=True)
    assert entries(bench) == 1


# ---- one owner ----


def test_second_process_on_the_same_database_sends_nothing(bench, network, database, bench_of):
    bench.run()
    other = bench_of(network, database)
    number = other.append()
    other.run(2)
    assert other.row(number).state == State.QUEUED
    assert "another process" in other.context.outbox.trouble
    bench.worker.close()
    other.until(number, State.INCLUDED)
    assert other.context.outbox.trouble is None


def test_owner_that_lost_the_lease_writes_nothing(bench, database):
    from packtrace_gateway.outbox.models import Lease

    bench.run()
    with database.write() as session:
        lease = session.get_one(Lease, "outbox")
        lease.owner = "elsewhere/1/x"
        session.add(lease)
    number = bench.append()
    bench.run()
    assert bench.row(number).state == State.QUEUED
    assert "taken the outbox over" in bench.context.outbox.trouble


def test_many_threads_queue_while_the_worker_runs(bench):
    def queue(lane):
        for number in range(3):
            bench.append(lane, sequence=number)

    threads = [threading.Thread(target=queue, args=[lane]) for lane in range(4)]
    for thread in threads:
        thread.start()
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        bench.run()
        rows = bench.context.outbox.rows()
        if len(rows) == 12 and all(row.state in (State.INCLUDED, State.FINAL) for row in rows):
            break
    assert sorted(row.tx_nonce for row in rows)[-1] - sorted(row.tx_nonce for row in rows)[0] == 11
    assert entries(bench) == 12


def foreign(network, nonce):
    """A transaction that another process sends with the relayer's key."""
    base = network.node.fees()[0]
    transaction = {
        "type": 2, "chainId": network.deployment.chain_id, "nonce": nonce, "gas": 21_000, "value": 1, "data": b"",
        "to": Account.create().address, "maxFeePerGas": 10 * base, "maxPriorityFeePerGas": base,
    }  # fmt: skip
    network.node.send_raw(bytes(network.relayer.sign_transaction(transaction).raw_transaction))


# ---- gas ----


def test_transaction_that_ran_out_of_gas_is_sent_again_with_more(bench, network, monkeypatch):
    node = bench.context.node
    with monkeypatch.context() as patched:
        patched.setattr(node, "estimate_gas", lambda transaction: 20_000)
        number = bench.append()
        bench.run()
        assert bench.row(number).state == State.BROADCAST
    bench.until(number, State.INCLUDED)
    short, enough = bench.context.outbox.attempts(number)
    assert (short.outcome, enough.outcome) == (Outcome.REVERTED, Outcome.INCLUDED)
    assert entries(bench) == 1


def test_call_that_always_fails_without_a_reason_is_given_up(bench, monkeypatch):
    monkeypatch.setattr(bench.context.node, "estimate_gas", lambda transaction: 20_000)
    number = bench.append()
    row = bench.until(number, State.REVERTED, passes=20)
    assert row.error_name == "Unexplained"
    assert [a.outcome for a in bench.context.outbox.attempts(number)] == [Outcome.REVERTED] * 3
    assert entries(bench) == 0


def test_consent_carried_from_inside_another_contract_is_found(bench, network):
    """The AccessManager's administrator can let it call any contract: a relayer that is no plain account."""
    network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, State.BROADCAST)
    network.node.request("anvil_dropAllTransactions")
    network.devnet.resume_mining()
    row = bench.row(number)
    data = calls.call_data(row.contract, row.function, row.args, moves.consent(row))
    carried = encode_call("AccessManager", "execute", [network.deployment.address("EventLog"), data])
    message = Message(network.deployment.address("AccessManager"), carried)
    receipt = send(network.node, network.devnet.accounts[0], message)
    assert bench.until(number, State.INCLUDED).tx_hash == receipt.transaction_hash
    bench.until(bench.append(), State.INCLUDED)
    assert entries(bench) == 2


def test_call_that_the_nodes_logs_do_not_show_yet_is_not_signed_again(bench, network, monkeypatch):
    """Our consent is used, and the node's index of events is behind: nothing is given up until that is final."""
    network.devnet.pause_mining()
    number = bench.append()
    row = bench.until(number, State.BROADCAST)
    network.node.request("anvil_dropAllTransactions")
    network.devnet.resume_mining()
    data = calls.call_data(row.contract, row.function, row.args, moves.consent(row))
    send(network.node, network.devnet.accounts[7], Message(network.deployment.address("EventLog"), data))
    with monkeypatch.context() as patched:
        patched.setattr(bench.context.node, "logs", lambda *_, **__: [])
        bench.run(3)
        assert bench.row(number).state in (State.SIGNED, State.BROADCAST)
        assert bench.row(number).signature == row.signature
    bench.until(number, State.INCLUDED)
    assert entries(bench) == 1
    assert bench.context.outbox.rows(recovered=True) == []
