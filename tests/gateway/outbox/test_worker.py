"""A call's way to the chain, on the real contracts."""

import pytest

from packtrace.chain.contracts import encode_call
from packtrace.chain.registry import RegistryAdmin
from packtrace.chain.transactions import Message, send
from packtrace.errors import ChainError
from packtrace_gateway.outbox import moves
from packtrace_gateway.outbox.models import LANES, State
from packtrace_gateway.outbox.service import OutboxError


def test_append_goes_from_queued_to_final(bench):
    number = bench.append()
    assert bench.row(number).state == State.QUEUED
    bench.run()
    row = bench.until(number, State.INCLUDED)
    assert row.block_hash == bench.network.node.block(row.block_number).hash
    assert row.block_time == bench.network.node.block(row.block_number).timestamp
    bench.run(3)
    assert bench.row(number).state == State.INCLUDED, "a receipt is not finality"
    bench.network.devnet.mine(2)
    assert bench.until(number, State.FINAL).settled
    assert bench.recorder.told == [("included", number), ("final", number)]
    assert [event.event for event in bench.recorder.events[number]] == ["Appended"]
    assert len(bench.network.events("EventLog", "Appended")) == 1


def test_finality_by_the_nodes_own_tag(network, database, bench_of):
    bench = bench_of(network, database, finality="finalized")  # on the devnet two blocks behind
    number = bench.append()
    bench.until(number, State.INCLUDED)
    network.devnet.mine(1)
    bench.run(2)
    assert bench.row(number).state == State.INCLUDED
    network.devnet.mine(1)
    bench.until(number, State.FINAL)


def test_batch_is_proposed_released_and_dispensed_from(bench, network, chain):
    proposed = bench.queue("PackLedger", "propose", [chain.proposal()], "line")
    released = bench.queue(
        "PackLedger", "release", [chain.proposal()["batch"], chain.ITEM_ROOT], "quality", after=proposed
    )
    bench.until(released, State.INCLUDED)
    assert bench.row(proposed).block_number < bench.row(released).block_number
    receipt = network.act(chain.PHARMACY, "operate", "PackLedger", "changeStatus", [1, chain.units(1, 2), bytes(32)])
    assert receipt.events(network.deployment)[0].args["outcomes"] == bytes(2)
    sampled = bench.queue("PackLedger", "changeStatus", [2, chain.units(2, 3), bytes(32)])
    bench.until(sampled, State.INCLUDED)
    events = {event.event: event.args for event in bench.recorder.events[sampled]}
    assert events["StatusChanged"]["id"] == bench.row(sampled).digest
    assert events["Conflict"]["unit"] == int.from_bytes(chain.units(2))


def test_calls_of_one_lane_keep_their_order_and_lanes_do_not_wait_for_each_other(bench):
    first = [bench.append() for _ in range(3)]
    other = bench.append(lane=7, sequence=0)
    bench.until(other, State.INCLUDED)
    bench.until(first[-1], State.INCLUDED, passes=30)
    rows = [bench.row(number) for number in first]
    assert [row.position for row in rows] == [0, 1, 2]
    assert [row.block_number for row in rows] == sorted(row.block_number for row in rows)
    assert bench.row(other).nonce == 7 << 64
    assert sorted(row.tx_nonce for row in [*rows, bench.row(other)]) == list(range(4)), "no gap, none twice"


def test_transaction_is_stored_before_a_node_sees_it(bench, monkeypatch):
    node, seen = bench.context.node, []

    def look_first(raw):
        with bench.database.read() as session:
            row = bench.context.outbox.row(number)
            seen.append((row.state, row.signature is not None, [a.raw for a in moves.attempts(session, row)] == [raw]))
        return type(node).send_raw(node, raw)

    monkeypatch.setattr(bench.context.node, "send_raw", look_first)
    number = bench.append()
    bench.until(number, State.INCLUDED)
    assert seen == [(State.SIGNED, True, True)]


def test_call_that_would_be_refused_is_decided_by_its_custom_error_and_never_sent(bench, network, chain):
    before = network.node.transaction_count(network.relayer.address)
    number = bench.queue("PackLedger", "release", [chain.proposal()["batch"], chain.ITEM_ROOT], "quality")
    row = bench.until(number, State.REVERTED)
    assert row.error_name == "BatchNotProposed"
    assert "never proposed" in row.error_text
    assert network.node.transaction_count(network.relayer.address) == before


def test_call_of_an_unlicensed_party_is_reverted_by_name_and_frees_its_lane(bench, network, chain):
    admin = RegistryAdmin(network.node, network.deployment, network.devnet.accounts[0])
    admin.suspend(chain.PLANT)
    refused = bench.append(sequence=0)
    row = bench.until(refused, State.REVERTED)
    assert (row.error_name, row.settled) == ("NotLicensed", False)
    assert bench.recorder.told == [("reverted", refused)]
    admin.reinstate(chain.PLANT)
    following = bench.append(sequence=0)
    assert bench.until(following, State.INCLUDED).position == row.position
    network.devnet.mine(3)
    bench.run(2)
    assert bench.row(refused).settled, "its nonce is used for good"


def test_call_is_not_judged_by_a_block_from_before_it_was_queued(bench, network, chain, monkeypatch):
    admin = RegistryAdmin(network.node, network.deployment, network.devnet.accounts[0])
    admin.suspend(chain.PLANT)
    queued, block = [], bench.context.node.block

    def reinstated_meanwhile(number):
        found = block(number)
        if number == "latest" and not queued:
            admin.reinstate(chain.PLANT)
            queued.append(bench.append())
        return found

    monkeypatch.setattr(bench.context.node, "block", reinstated_meanwhile)
    bench.run()
    bench.until(queued[0], State.INCLUDED)


def test_transaction_that_fails_in_its_block_is_decided_by_its_custom_error(bench, network, chain):
    """Between simulation and block the authority suspends the party."""
    network.devnet.pause_mining()
    number = bench.append()
    bench.until(number, State.BROADCAST)
    suspend = encode_call("PartyRegistry", "suspend", [chain.PLANT])
    admin = network.devnet.accounts[0]
    base = network.node.fees()[0]
    transaction = {
        "type": 2, "chainId": network.deployment.chain_id, "gas": 200_000, "data": suspend, "value": 0,
        "nonce": network.node.transaction_count(admin.address), "to": network.deployment.address("PartyRegistry"),
        "maxFeePerGas": 100 * base, "maxPriorityFeePerGas": 50 * base,
    }  # fmt: skip
    network.node.send_raw(bytes(admin.sign_transaction(transaction).raw_transaction))
    network.devnet.mine()
    row = bench.until(number, State.REVERTED)
    assert row.error_name == "NotLicensed"
    assert bench.recorder.told == [("reverted", number)]


def test_call_after_one_that_was_refused_is_refused_too(bench, chain):
    first = bench.queue("PackLedger", "withdraw", [chain.proposal()["batch"]], "line")
    second = bench.append(after=first)
    row = bench.until(second, State.REVERTED)
    assert row.error_name == "BeforeReverted"
    assert row.signature is None


def test_paused_contract_only_delays(bench, network):
    admin = network.devnet.accounts[0]
    address = network.deployment.address("EventLog")
    send(network.node, admin, Message(address, encode_call("EventLog", "pause", [])))
    number = bench.append()
    bench.run(4)
    row = bench.row(number)
    assert row.state == State.SIGNED
    assert "EnforcedPause" in row.waiting
    send(network.node, admin, Message(address, encode_call("EventLog", "unpause", [])))
    bench.until(number, State.INCLUDED)


def test_call_can_be_taken_back_until_it_is_signed(bench):
    kept, dropped = bench.append(), bench.append(sequence=99)
    with bench.database.write() as session:
        assert bench.context.outbox.cancel(session, dropped)
    bench.until(kept, State.INCLUDED)
    with bench.database.write() as session:
        assert not bench.context.outbox.cancel(session, kept)
    assert bench.row(dropped).state == State.SUPERSEDED


def test_call_is_queued_only_with_what_it_is_about(bench):
    with pytest.raises(RuntimeError):
        queue_and_fail(bench)
    assert bench.context.outbox.rows() == []


def queue_and_fail(bench):
    with bench.database.write() as session:
        bench.context.outbox.enqueue(
            session, contract="EventLog", function="append", args=[0, 0, bytes(32), 1], key="operate", reference="x"
        )
        raise RuntimeError("the events could not be stored")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"args": [0, 0, bytes(33), 1]}, ChainError),
        ({"args": [0, 0, bytes(32)]}, ChainError),
        ({"args": [0, -1, bytes(32), 1]}, ChainError),
        ({"function": "entryOf"}, ChainError),
        ({"key": "owner"}, OutboxError),
        ({"lane": -1}, OutboxError),
        ({"lane": LANES}, OutboxError),
        ({"after": 12}, OutboxError),
        ({"reference": "x" * 201}, OutboxError),
    ],
)
def test_call_that_cannot_be_sent_is_refused_when_it_is_queued(bench, arguments, error):
    call = {"contract": "EventLog", "function": "append", "args": [0, 0, bytes(32), 1], "key": "operate"}
    with pytest.raises(error), bench.database.write() as session:
        bench.context.outbox.enqueue(session, **{"reference": "x", **call, **arguments})


def test_worker_is_woken_by_a_commit_and_not_by_a_rollback(bench):
    woken = []
    bench.context.outbox.on_queued(lambda: woken.append(len(bench.context.outbox.rows())))
    with pytest.raises(RuntimeError):
        queue_and_fail(bench)
    assert woken == []
    bench.append()
    assert woken == [1]


def test_handler_that_fails_keeps_only_its_own_row(bench, chain):
    from packtrace_gateway.outbox.service import Handler

    class Broken(Handler):
        def on_included(self, session, row, events):
            raise ValueError("a fault in the feature")

    bench.context.outbox.register("CustodyLedger", "register", Broken())
    registration = {
        "number": chain.PLANT << 42 | 1, "ssccCommitment": bytes(32), "contentRoot": bytes(32), "count": 1,
        "children": [],
    }  # fmt: skip
    broken = bench.queue("CustodyLedger", "register", [[registration]])
    good = bench.append()
    bench.until(good, State.INCLUDED)
    bench.run(2)
    row = bench.row(broken)
    assert row.state == State.BROADCAST
    assert "ValueError" in row.waiting


def test_a_row_without_its_key_waits_and_says_so(bench):
    del bench.context.signers["quality"]
    number = bench.queue("PackLedger", "release", [1, bytes(32)], "quality")
    other = bench.append()
    bench.until(other, State.INCLUDED)
    assert "no key" in bench.row(number).waiting
