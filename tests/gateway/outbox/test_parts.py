"""The outbox's small parts: fees, calls in canonical form, a call's own events, the lease, the tables."""

import os
import subprocess
import sys
import time

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import SQLModel, create_engine

from packtrace.chain.contracts import Event
from packtrace.chain.node import Node
from packtrace.chain.refusals import ChainRefusal
from packtrace.chain.rpc_errors import NodeError
from packtrace.chain.typed_data import TYPES, Consent
from packtrace_gateway.ledger import models as ledger_models
from packtrace_gateway.outbox import calls, effects, fees, refusals
from packtrace_gateway.outbox.fees import Fee
from packtrace_gateway.outbox.lease import LEASE_SECONDS, LeaseLostError, Ownership
from packtrace_gateway.outbox.models import Lease, OutboxRow
from packtrace_gateway.outbox.refusals import Meaning

KEY = to_checksum_address("0x" + "aa" * 20)
OTHER = Consent("0x" + "11" * 20, 5, 6, b"s" * 65)
RECEIPT = {"id": b"i" * 32, "party": 3, "to": 1, "time": 9, "openings": bytes(32), "units": b"u" * 8, "outcomes": b"\0"}
REGISTRATION = {"number": 7, "ssccCommitment": b"c" * 32, "contentRoot": b"r" * 32, "count": 2, "children": [8, 9]}
PROPOSAL = {
    "batch": 4, "productKey": b"p" * 32, "lotKey": b"l" * 32, "itemRoot": b"i" * 32, "count": 5, "expiresAt": 6,
}  # fmt: skip
ARGUMENTS = {
    ("PartyRegistry", "authoriseLine"): [b"p" * 32, 11, 99],
    ("PartyRegistry", "authoriseQuality"): [b"p" * 32, KEY.lower(), 99],
    ("PartyRegistry", "rotateKey"): [KEY.lower(), OTHER.signer, None, OTHER],
    ("PartyRegistry", "replaceKey"): [KEY.lower(), OTHER.signer, 99],
    ("PackLedger", "propose"): [PROPOSAL],
    ("PackLedger", "release"): [4, b"i" * 32],
    ("PackLedger", "withdraw"): [4],
    ("PackLedger", "changeStatus"): [1, b"u" * 16, b"o" * 32],
    ("PackLedger", "reverseStatus"): [RECEIPT, b"\0"],
    ("PackLedger", "liftStatus"): [b"u" * 8, True, None, OTHER],
    ("PackLedger", "restoreStatus"): [RECEIPT, b"\0", 1, OTHER, None],
    ("CustodyLedger", "register"): [[REGISTRATION]],
    ("CustodyLedger", "ship"): [[7, 8], 20],
    ("CustodyLedger", "cancelShipment"): [[7]],
    ("CustodyLedger", "receiveShipment"): [[7]],
    ("CustodyLedger", "receivePartly"): [7, [8, 9]],
    ("CustodyLedger", "refuseShipment"): [[7]],
    ("CustodyLedger", "unpack"): [[7]],
    ("CustodyLedger", "takeOut"): [[8]],
    ("EventLog", "append"): [0, 1, b"r" * 32, 2],
    ("RecallBoard", "recallLot"): [10, b"l" * 32, 2, b"n" * 32],
    ("RecallBoard", "recallBatch"): [10, 4, 2, b"n" * 32],
    ("RecallBoard", "liftRecall"): [10, b"l" * 32, b"n" * 32],
}
CALLS = pytest.mark.parametrize(("contract", "function"), sorted(TYPES))


# ---- calls ----


@CALLS
def test_call_comes_back_from_the_transaction_that_carries_it(contract, function):
    args = calls.dump(contract, function, ARGUMENTS[contract, function])
    consent = Consent(KEY, 3 << 64 | 4, 1_000, b"z" * 65)
    found = calls.carried(contract, calls.call_data(contract, function, args, consent), KEY)
    assert found == calls.Carried(contract, function, args, consent)
    assert calls.dump(contract, function, calls.load(args)) == args, "canonical"


@CALLS
def test_call_of_another_key_is_not_ours(contract, function):
    args = calls.dump(contract, function, ARGUMENTS[contract, function])
    data = calls.call_data(contract, function, args, Consent(KEY, 0, 0, b""))
    assert calls.carried(contract, data, to_checksum_address("0x" + "bb" * 20)) is None


@CALLS
def test_call_is_shown_by_name(contract, function):
    shown = calls.shown(contract, function, calls.dump(contract, function, ARGUMENTS[contract, function]))
    assert shown
    assert "consent" not in shown


@given(st.binary(max_size=300))
def test_transaction_input_that_is_no_call_of_ours_is_passed_over(data):
    for contract in calls.SIGNED_CONTRACTS:
        assert calls.carried(contract, data, KEY) is None
        for of, function in TYPES:
            if of == contract:
                assert calls.carried(contract, calls.selector(contract, function) + data, KEY) is None


# ---- a call's own events ----


@CALLS
def test_call_happened_only_when_each_of_its_events_is_there_as_asked(contract, function):
    args = calls.dump(contract, function, ARGUMENTS[contract, function])
    expected = effects.own_events(contract, function, calls.load(args), b"d" * 32)
    events = [Event(contract, name, dict(known)) for name, known in expected]
    noise = [Event("EventLog", "Paused", {"account": KEY}), Event(contract, "Paused", {"account": KEY})]
    assert effects.happened(contract, function, args, b"d" * 32, [*noise, *events])
    assert not effects.happened(contract, function, args, b"d" * 32, noise)
    for position, event in enumerate(events):
        others = events[:position] + events[position + 1 :]
        assert not effects.happened(contract, function, args, b"d" * 32, others)
        for name, value in event.args.items():
            changed = Event(contract, event.event, {**event.args, name: another(value)})
            assert not effects.happened(contract, function, args, b"d" * 32, [*others, changed]), name
        elsewhere = Event("AccessManager", event.event, event.args)
        assert not effects.happened(contract, function, args, b"d" * 32, [*others, elsewhere])


def another(value):
    """A value like it that is not the same."""
    if isinstance(value, bytes):
        return value[:-1] + b"\xff"
    return f"{value}x" if isinstance(value, str) else value + 1


# ---- refusals ----


@pytest.mark.parametrize(
    ("error", "retracted", "meaning"),
    [
        (ChainRefusal("NotLicensed", {"party": 1}), False, Meaning.REFUSED),
        (ChainRefusal("NotLicensed", {"party": 1}), True, Meaning.PASSING),
        (ChainRefusal("EnforcedPause", {}), False, Meaning.PASSING),
        (ChainRefusal("InvalidAccountNonce", {"account": KEY, "currentNonce": 8}), False, Meaning.USED),
        (ChainRefusal("InvalidAccountNonce", {"account": KEY, "currentNonce": 6}), False, Meaning.EARLY),
        (ChainRefusal("InvalidAccountNonce", {"account": "0x" + "00" * 20, "currentNonce": 8}), False, Meaning.REFUSED),
        (ChainRefusal("ConsentExpired", {"deadline": 50}), False, Meaning.EXPIRED),
        (NodeError("eth_call", 3, "execution reverted"), False, Meaning.REFUSED),
        (NodeError("eth_call", -32000, "header not found"), False, Meaning.PASSING),
        (NodeError("eth_call", -32005, "rate limit exceeded"), False, Meaning.PASSING),
    ],
)
def test_refusal_is_an_answer_only_when_it_does_not_pass(error, retracted, meaning):
    row = OutboxRow(
        contract="EventLog", function="append", args=b"", key="operate", lane=0, position=7, deadline=50, signer=KEY,
        reference="", created_at=0, updated_at=0, retracted=retracted,
    )  # fmt: skip
    assert refusals.meaning(None, row, error, 1) is meaning


# ---- fees ----


class Answers(Node):
    """A node that answers what it is told to."""

    def __init__(self, base, price, tip):
        super().__init__("http://127.0.0.1:9")
        self.answers = [{} if base is None else {"baseFeePerGas": hex(base)}, hex(price), tip]

    def batch(self, requests):
        return [*self.answers[:2], self.answers[2] if isinstance(self.answers[2], Exception) else hex(self.answers[2])]


@pytest.mark.parametrize(
    ("node", "fee"),
    [
        (Answers(100, 103, 3), Fee(203, 3)),
        (Answers(100, 103, NodeError("eth_maxPriorityFeePerGas", -32601, "no such method")), Fee(203, 3)),
        (Answers(0, 0, 0), Fee(0, 0)),
        (Answers(0, 0, 10**9), Fee(0, 0)),
        (Answers(0, 3, 3), Fee(3, 3)),
        (Answers(None, 0, 0), Fee(0, None)),
        (Answers(None, 20, 0), Fee(20, None)),
        (Answers(600, 603, 3), Fee(1_000, 3)),
    ],
)
def test_fee_fits_the_chain(node, fee):
    assert fees.offered(node, 1_000) == fee


@pytest.mark.parametrize("node", [Answers(998, 1_001, 3), Answers(None, 1_001, 0)])
def test_fee_above_the_cap_is_not_offered(node):
    with pytest.raises(fees.FeeCapError):
        fees.offered(node, 1_000)


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12), st.booleans())
def test_bump_raises_each_part_by_an_eighth_and_stays_under_the_cap(maximum, tip, now, plain):
    old = Fee(maximum, None if plain else min(tip, maximum))
    new = fees.bumped(old, Fee(now, None if plain else 0), 10**12)
    if new is None:
        assert maximum == 0 == now or max(maximum * 9 / 8, now) > 10**12 - 1
        return
    assert maximum * 9 <= new.maximum * 8
    assert now <= new.maximum <= 10**12
    if old.tip is not None:
        assert old.tip * 9 <= new.tip * 8
        assert new.tip <= new.maximum


# ---- one owner ----


def lease_of(database, owner, expires_in):
    with database.write() as session:
        session.add(Lease(name="outbox", owner=owner, expires_at=time.time() + expires_in))


def test_lease_of_a_process_that_is_gone_is_taken_at_once(database):
    ours = Ownership()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    machine = ours.owner.rsplit("/", 2)[0]
    lease_of(database, f"{machine}/{ended.pid}/x", LEASE_SECONDS)
    with database.write() as session:
        ours.take(session)


@pytest.mark.parametrize("owner", ["elsewhere/1/x", "{machine}/{alive}/x"])
def test_lease_of_another_process_is_respected_until_it_runs_out(database, owner):
    ours = Ownership()
    machine = ours.owner.rsplit("/", 2)[0]
    lease_of(database, owner.format(machine=machine, alive=os.getppid()), 1.0)
    with pytest.raises(LeaseLostError), database.write() as session:
        ours.take(session)
    time.sleep(1.1)
    with database.write() as session:
        ours.take(session)


def test_lease_written_by_a_clock_that_was_an_hour_ahead_does_not_last_an_hour(database):
    lease_of(database, "elsewhere/1/x", 3_600)
    with database.write() as session:
        Ownership().take(session)


# ---- tables ----


def test_migration_makes_the_tables_that_the_models_describe(database):
    assert ledger_models

    def ours(item, name, kind, reflected, compare_to):
        table = item if kind == "table" else item.table
        return table.name.startswith(("outbox", "ledger_"))

    with create_engine(f"sqlite:///{database.file}").connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours})
        assert compare_metadata(context, SQLModel.metadata) == []
