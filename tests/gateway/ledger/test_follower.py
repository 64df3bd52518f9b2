"""The index of the contracts' events, on real contracts: complete, in order, and true after a reorganisation."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite
from sqlmodel import select

from packtrace.chain.node import Node
from packtrace.facts import Refusal, Status
from packtrace_gateway.ledger import service
from packtrace_gateway.ledger.columns import Unsigned64
from packtrace_gateway.ledger.follower import Follower
from packtrace_gateway.ledger.models import CallKind, Checkpoint, EntryRow, RegistryRow, StatusUnitRow

SUPPLIED, DESTROYED = 1, 2


@pytest.fixture
def released(network, chain):
    """A released batch; its number."""
    batch = chain.proposal()["batch"]
    network.act(chain.PLANT, "line", "PackLedger", "propose", [chain.proposal()])
    network.act(chain.PLANT, "quality", "PackLedger", "release", [batch, chain.ITEM_ROOT])
    return batch


def unit_of(chain, index):
    return int.from_bytes(chain.units(index))


def test_history_of_a_unit_tells_every_call_and_its_outcome_newest_first(index, network, chain, released):
    pharmacy, mah = chain.PHARMACY, chain.MAH
    first = network.act(pharmacy, "operate", "PackLedger", "changeStatus", [SUPPLIED, chain.units(1, 2), b"o" * 32])
    network.act(mah, "operate", "PackLedger", "changeStatus", [SUPPLIED, chain.units(2), bytes(32)])
    index.follow()
    number = first.events(network.deployment)[0].args["id"]
    receipt = index.ask(service.receipt, number)
    network.act(pharmacy, "operate", "PackLedger", "reverseStatus", [receipt, b"\x01"])
    index.follow()

    found = index.ask(service.history, unit_of(chain, 2))
    assert [(call.kind, call.party, call.to, call.found, call.refusal) for call in found] == [
        (CallKind.REVERSED, pharmacy, Status.ACTIVE, Status.SUPPLIED, Refusal.NONE),
        (CallKind.CHANGED, mah, Status.SUPPLIED, None, Refusal.WRONG_STATUS),
        (CallKind.CHANGED, pharmacy, Status.SUPPLIED, Status.ACTIVE, Refusal.NONE),
    ]
    assert found[-1].time == network.node.block(found[-1].block_number).timestamp
    assert found[-1].tx_hash == first.transaction_hash
    [conflict] = index.ask(service.conflicts, unit_of(chain, 2))
    assert (conflict.party, conflict.call, conflict.to, conflict.found) == (mah, found[1].call, SUPPLIED, SUPPLIED)
    assert index.ask(service.history, unit_of(chain, 3)) == []
    assert ("conflict", unit_of(chain, 2), mah) in index.recorder.told


def test_receipt_from_the_index_is_the_one_that_the_chain_keeps(index, network, chain, released):
    units = chain.units(*range(256))
    sent = network.act(chain.PHARMACY, "operate", "PackLedger", "changeStatus", [SUPPLIED, units, b"o" * 32])
    index.follow()
    number = sent.events(network.deployment)[0].args["id"]
    receipt = index.ask(service.receipt, number)
    undone = network.act(chain.PHARMACY, "operate", "PackLedger", "reverseStatus", [receipt, bytes([0, 255])])
    assert undone.events(network.deployment)[0].args["outcomes"] == bytes([SUPPLIED, SUPPLIED])
    assert index.ask(service.receipt, bytes(32)) is None


def test_batches_recalls_custody_log_and_registry_are_indexed(index, network, chain, released):
    pallet, case = chain.PLANT << 42 | 1, chain.PLANT << 42 | 2
    one = {"number": case, "ssccCommitment": b"c" * 32, "contentRoot": b"r" * 32, "count": 7, "children": []}
    network.act(chain.PLANT, "operate", "CustodyLedger", "register", [[one]])
    network.act(chain.PLANT, "operate", "CustodyLedger", "register", [[{**one, "number": pallet, "children": [case]}]])
    network.act(chain.PLANT, "operate", "CustodyLedger", "ship", [[pallet], chain.WHOLESALER])
    network.act(chain.WHOLESALER, "operate", "CustodyLedger", "receiveShipment", [[pallet]])
    network.act(chain.PLANT, "operate", "EventLog", "append", [0, 0, b"e" * 32, 3])
    network.act(chain.MAH, "quality", "RecallBoard", "recallLot", [chain.MAH, chain.LOT_KEY, 2, b"n" * 32])
    network.act(chain.REGULATOR, "quality", "RecallBoard", "liftRecall", [chain.MAH, chain.LOT_KEY, b"l" * 32])
    index.follow()

    assert index.ask(service.batch_state, released) == "released"
    assert index.ask(service.batch_state, 1) is None
    assert [(row.event, row.party, row.other) for row in index.ask(service.custody, pallet)] == [
        ("Received", chain.PLANT, chain.WHOLESALER),
        ("Shipped", chain.PLANT, chain.WHOLESALER),
        ("Registered", chain.PLANT, None),
    ]
    packed, registered = index.ask(service.custody, case)
    assert (packed.event, packed.parent, registered.count) == ("Packed", pallet, 7)
    lifted, recalled = index.ask(service.recalls, chain.MAH, chain.LOT_KEY, released)
    assert (lifted.kind, lifted.by, recalled.kind, recalled.by) == (0, chain.REGULATOR, 2, chain.MAH)
    entry = index.ask(service.entry, chain.PLANT, 0, 0)
    assert (entry.root, entry.count) == (b"e" * 32, 3)
    assert index.ask(service.entry, chain.PLANT, 0, 1) is None
    with index.database.read() as session:
        names = [row.event for row in session.exec(select(RegistryRow))]
    assert {"PartyRegistered", "ProfileChanged", "KeyAdded", "ProductRegistered", "LineAuthorised"} <= set(names)
    order = [told for told in index.recorder.told if told[0] in ("Shipped", "Received", "recall", "batch")]
    assert order == [
        ("batch", released, "proposed"),
        ("batch", released, "released"),
        ("Shipped", pallet),
        ("Received", pallet),
        ("recall", 2),
        ("recall", 0),
    ]


def test_each_event_is_told_once_however_often_the_follower_starts_again(index, network, chain, released, index_on):
    index.follow()
    again = index_on(network, index.database)
    again.follow()
    assert again.recorder.told == []
    network.act(chain.PLANT, "operate", "EventLog", "append", [0, 0, b"e" * 32, 3])
    again.follow()
    index.follow()
    with index.database.read() as session:
        assert len(session.exec(select(EntryRow)).all()) == 1


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_reorganisation_takes_back_what_stood_in_the_lost_blocks(index, network, chain, released, depth):
    act = (chain.PHARMACY, "operate", "PackLedger", "changeStatus")
    for at in range(3):
        network.act(*act, [SUPPLIED, chain.units(at), bytes(32)])
    index.follow()
    head = network.node.block().number
    network.devnet.reorg(depth)
    network.act(chain.MAH, "operate", "PackLedger", "changeStatus", [DESTROYED, chain.units(2), bytes(32)])
    index.follow()
    assert ("retracted", head - depth) in index.recorder.told
    kept = [at for at in range(3) if any(call.party == chain.PHARMACY for call in history(index, chain, at))]
    assert kept == list(range(3 - depth))
    assert [(call.party, call.to) for call in history(index, chain, 2)] == [(chain.MAH, Status.DESTROYED)]
    with index.database.read() as session:
        assert len(session.exec(select(StatusUnitRow)).all()) == 3 - depth + 1
        for checkpoint in session.exec(select(Checkpoint)):
            assert checkpoint.hash == network.node.block(checkpoint.number).hash


def history(index, chain, at):
    return index.ask(service.history, unit_of(chain, at))


def test_release_that_was_reorganised_away_leaves_the_batch_proposed(index, network, chain):
    batch = chain.proposal()["batch"]
    network.act(chain.PLANT, "line", "PackLedger", "propose", [chain.proposal()])
    network.act(chain.PLANT, "quality", "PackLedger", "release", [batch, chain.ITEM_ROOT])
    index.follow()
    network.devnet.reorg(1)
    index.follow()
    assert index.ask(service.batch_state, batch) == "proposed"


def test_chain_that_lost_its_newest_blocks_is_followed_from_where_it_is(own_network, database, chain, index_on):
    index = index_on(own_network, database)
    own_network.act(chain.PLANT, "operate", "EventLog", "append", [0, 0, b"a" * 32, 1])
    own_network.devnet.save()
    own_network.act(chain.PLANT, "operate", "EventLog", "append", [0, 1, b"b" * 32, 1])
    index.follow()
    own_network.devnet.kill()
    index.follower.run_once()
    assert "did not answer" in index.follower.trouble
    own_network.devnet.start()
    index.follow()
    assert index.ask(service.entry, chain.PLANT, 0, 0).root == b"a" * 32
    assert index.ask(service.entry, chain.PLANT, 0, 1) is None


def test_reorganisation_deeper_than_all_checkpoints_reads_everything_again(index, network, chain, released):
    index.follow()
    with index.database.write() as session:
        for checkpoint in session.exec(select(Checkpoint)):
            checkpoint.hash = bytes(32)
            session.add(checkpoint)
    index.follow()
    assert ("retracted", network.deployment.block - 1) in index.recorder.told
    assert index.ask(service.batch_state, released) == "released"


def test_many_short_ranges_give_the_same_index_as_one_long(index, network, chain, released, tmp_path, index_on):
    from packtrace_gateway.db import Database

    network.act(chain.PHARMACY, "operate", "PackLedger", "changeStatus", [SUPPLIED, chain.units(1, 2), bytes(32)])
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.migrate()
    short = index_on(network, other)
    short.follower._span = 1
    index.follow()
    short.follow()
    assert short.recorder.told == index.recorder.told


def test_listener_that_fails_loses_no_event(index, network, chain, monkeypatch):
    network.act(chain.PLANT, "operate", "EventLog", "append", [0, 0, b"a" * 32, 1])

    def broken(session, entry):
        raise ValueError("a fault in the feature")

    with monkeypatch.context() as patched:
        patched.setattr(index.recorder, "on_registry", broken)
        with pytest.raises(ValueError):
            index.follower.run_once()
    assert index.ask(service.entry, chain.PLANT, 0, 0) is None
    index.follow()
    assert index.ask(service.entry, chain.PLANT, 0, 0) is not None


def test_follower_waits_for_a_node_that_does_not_answer(network, database):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = Node(f"http://127.0.0.1:{unused.getsockname()[1]}", timeout=1)
    follower = Follower(database, dead, network.deployment)
    assert follower.run_once() > 0
    assert "did not answer" in follower.trouble


@given(st.integers(0, 2**64 - 1))
def test_unsigned_numbers_of_64_bits_come_back_as_they_were(number):
    column, dialect = Unsigned64(), sqlite.dialect()
    stored = column.process_bind_param(number, dialect)
    assert -(2**63) <= stored < 2**63
    assert column.process_result_value(stored, dialect) == number


@pytest.mark.parametrize("number", [-1, 2**64])
def test_number_that_is_no_unsigned_one_is_refused(number):
    with pytest.raises(ValueError):
        Unsigned64().process_bind_param(number, sqlite.dialect())


def test_two_processes_on_one_database_store_every_event_once(index, network, chain, released, monkeypatch):
    other = Follower(index.database, network.node, network.deployment)
    store = Follower._store

    def meanwhile(self, *args):  # the other one is quicker, between this one's reading and its writing
        monkeypatch.setattr(Follower, "_store", store)
        while other.run_once() == 0.0:
            pass
        store(self, *args)

    network.act(chain.PHARMACY, "operate", "PackLedger", "changeStatus", [SUPPLIED, chain.units(9), bytes(32)])
    monkeypatch.setattr(Follower, "_store", meanwhile)
    index.follow()
    assert len(index.ask(service.history, unit_of(chain, 9))) == 1
