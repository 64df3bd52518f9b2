"""What the reader tells about a real chain, which block it tells it of, and what it remembers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from supply import (
    BATCH,
    EXPIRES,
    GTIN_HASH,
    ITEM_ROOT,
    LOT_KEY,
    MAKER,
    OPERATE,
    PHARMACY,
    PRODUCT_KEY,
    REGULATOR,
    Network,
    packed,
    unit,
)

from packtrace.chain.facts import ChainReader, Product
from packtrace.chain.node import Call, Node, Request
from packtrace.errors import ChainError
from packtrace.evidence import disbelieved_batch
from packtrace.facts import (
    BatchSigner,
    BatchState,
    CustodyState,
    EntryFacts,
    KeyFacts,
    LogisticFacts,
    PartyFacts,
    Recall,
    Status,
    StatusChange,
)
from packtrace.material import Receipt


class CountingNode(Node):
    """A node that remembers what it was asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.posts = 0
        self.calls_asked: list[str] = []

    def batch(self, requests_: Sequence[Request]) -> list[Any]:
        self.posts += 1
        return super().batch(requests_)

    def calls(self, deployment: Any, calls: Sequence[Call], block: Any = "latest") -> list[Any]:
        self.calls_asked += [call.function for call in calls]
        return super().calls(deployment, calls, block)


@pytest.fixture
def node(network: Network) -> CountingNode:
    return CountingNode(network.node.url)


@pytest.fixture
def reader(network: Network, node: CountingNode) -> ChainReader:
    return ChainReader(node, network.deployment)


def bury(network: Network) -> None:
    """Make all that there is final. Blocks of one second have one time, so the clock moves too."""
    network.devnet.advance_time(5)
    network.devnet.mine(5)


def dispense(network: Network, *indices: int, to: Status = Status.SUPPLIED) -> Receipt:
    sent = network.act(network.pharmacy, "PackLedger", "changeStatus", [to, packed(*indices), b"\7" * 32])
    args = next(e.args for e in sent.events(network.deployment) if e.event == "StatusChanged")
    time = network.node.block(sent.block_hash).timestamp
    return Receipt(args["id"], args["party"], to, time, args["openings"], args["units"], args["outcomes"])


# ---- one kind of fact after the other ----


def test_unit_is_known_through_its_life(network: Network, reader: ChainReader) -> None:
    assert reader.unit_facts(unit(3)) is None
    network.propose(count=1000)
    proposed = reader.unit_facts(unit(3))
    assert proposed is not None
    assert (proposed.batch.item_root, proposed.batch.lot_key, proposed.batch.product_key) == (
        ITEM_ROOT, LOT_KEY, PRODUCT_KEY
    )  # fmt: skip
    assert (proposed.batch.mah, proposed.batch.count, proposed.batch.expires_at) == (MAKER, 1000, EXPIRES)
    assert (proposed.status, proposed.batch.state, proposed.batch.released_at) == (
        Status.ACTIVE, BatchState.PROPOSED, 0
    )  # fmt: skip
    assert proposed.batch.proposed_at == network.node.block().timestamp
    assert (proposed.batch.proposer, proposed.batch.releaser) == (BatchSigner(network.maker.address), None)
    network.release()
    dispense(network, 3)
    network.act(network.maker, "RecallBoard", "recallLot", [MAKER, LOT_KEY, Recall.RECALLED, b"\1" * 32])
    facts = reader.units_facts([unit(3), unit(4), unit(3)])
    assert list(facts) == [unit(3), unit(4)]
    assert [f.status for f in facts.values()] == [Status.SUPPLIED, Status.ACTIVE]
    assert facts[unit(3)].batch.state is BatchState.RELEASED
    assert facts[unit(3)].recall is Recall.RECALLED
    assert facts[unit(3)].recalled_at == network.node.block().timestamp


def test_log_entry_is_known_by_party_lane_and_sequence(network: Network, reader: ChainReader) -> None:
    network.act(network.maker, "EventLog", "append", [4, 0, b"\5" * 32, 6])
    time = network.node.block().timestamp
    asked = [(MAKER, 4, 0), (MAKER, 4, 1), (PHARMACY, 4, 0)]
    assert reader.log_entries(asked) == {(MAKER, 4, 0): EntryFacts(b"\5" * 32, 6, time, network.maker.address)}


def test_parties_are_known_with_their_profiles(network: Network, reader: ChainReader) -> None:
    network.admin.suspend(PHARMACY)
    assert reader.parties([MAKER, PHARMACY, 77]) == {
        MAKER: PartyFacts(MAKER, 2 | 4, True, "Maker", "https://maker.example", b"\2" * 32),
        PHARMACY: PartyFacts(PHARMACY, 16, False, "", "", b"\3" * 32),
    }


def test_keys_are_valid_in_their_time_only(network: Network, reader: ChainReader) -> None:
    now = network.node.block().timestamp
    early, late, gone = (network.devnet.accounts[n].address for n in (4, 5, 6))
    with network.admin.together():
        network.admin.add_key(PHARMACY, early, OPERATE, valid_from=now + 1000)
        network.admin.add_key(PHARMACY, late, OPERATE, valid_until=now)
        network.admin.add_key(PHARMACY, gone, OPERATE)
        network.admin.revoke_key(gone)
    good, unknown = network.pharmacy.address.lower(), network.devnet.accounts[7].address
    assert reader.keys([good, early, late, gone, unknown]) == {
        good: KeyFacts(PHARMACY, OPERATE, True),
        early: KeyFacts(PHARMACY, OPERATE, False),
        late: KeyFacts(PHARMACY, OPERATE, False),
        gone: KeyFacts(PHARMACY, OPERATE, False),
    }


def test_key_counts_from_its_first_second_to_before_its_last(network: Network, reader: ChainReader) -> None:
    key = network.devnet.accounts[4].address
    begin = network.node.block().timestamp + 100
    network.admin.add_key(PHARMACY, key, OPERATE, valid_from=begin, valid_until=begin + 10)
    valid = {}
    for moment in (begin - 1, begin, begin + 9, begin + 10):
        network.node.request("evm_setNextBlockTimestamp", [moment])
        network.devnet.mine()
        valid[moment - begin] = reader.keys([key])[key].valid
    assert valid == {-1: False, 0: True, 9: True, 10: False}


def test_logistic_unit_has_its_outermost_parents_holder(network: Network, reader: ChainReader) -> None:
    case, pallet = MAKER << 42 | 1, MAKER << 42 | 2
    blank = {"ssccCommitment": b"\1" * 32, "contentRoot": b"\2" * 32, "count": 9}
    registrations = [{**blank, "number": case, "children": []}, {**blank, "number": pallet, "children": [case]}]
    network.act(network.maker, "CustodyLedger", "register", [registrations])
    network.act(network.maker, "CustodyLedger", "ship", [[pallet], PHARMACY])
    content = keccak(encode(["bytes32", "bytes32", "uint32"], [b"\1" * 32, b"\2" * 32, 9]))
    found = reader.logistic_units([case, pallet, 5])
    packed, shipped = found[case].since, found[pallet].since
    assert 0 < packed <= shipped == reader.view().block.timestamp
    assert found == {
        case: LogisticFacts(CustodyState.IN_TRANSIT, MAKER, PHARMACY, pallet, content, packed),
        pallet: LogisticFacts(CustodyState.IN_TRANSIT, MAKER, PHARMACY, 0, content, shipped),
    }


def test_product_and_holder_of_a_gtin_are_known_by_their_hashes(reader: ChainReader) -> None:
    assert reader.product(PRODUCT_KEY) == Product(1, MAKER)
    assert reader.product(b"\1" * 32) is None
    assert reader.mah_of_gtin(GTIN_HASH) == MAKER
    assert reader.mah_of_gtin(b"\1" * 32) is None


# ---- receipts ----


def test_receipt_is_confirmed_by_the_chain(network: Network, reader: ChainReader) -> None:
    network.propose()
    network.release()
    dispense(network, 5)
    receipt = dispense(network, 3, 5)  # 5 was dispensed before: refused in this call
    assert reader.status_change(unit(3), receipt) == StatusChange(receipt.id, PHARMACY, Status.SUPPLIED, receipt.time)
    assert reader.status_change(unit(5), receipt) is None
    assert reader.status_change(unit(4), receipt) is None
    assert reader.receipt_hash(b"\1" * 32) is None
    assert reader.receipt_hash(receipt.id) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"id": b"\1" * 32},
        {"party": MAKER},
        {"to": Status.STOLEN},
        {"time": 1},
        {"openings": b"\1" * 32},
        {"outcomes": b"\0"},
        {"units": packed(3, 4)},
    ],
)
def test_receipt_with_anything_changed_is_not_confirmed(
    change: dict[str, Any], network: Network, reader: ChainReader
) -> None:
    network.propose()
    network.release()
    receipt = dispense(network, 3, 5)
    assert reader.status_change(unit(3), replace(receipt, **change)) is None


def test_receipt_that_was_reversed_is_confirmed_for_the_other_units_only(network: Network, reader: ChainReader) -> None:
    network.propose()
    network.release()
    receipt = dispense(network, 2, 3)
    network.act(network.pharmacy, "PackLedger", "reverseStatus", [receipt.arguments(), bytes([1])])
    facts = reader.units_facts([unit(2), unit(3)])
    assert [f.status for f in facts.values()] == [Status.SUPPLIED, Status.ACTIVE]
    assert reader.status_change(unit(3), receipt) is None
    assert reader.status_change(unit(2), receipt) is not None


def test_lift_is_signed_by_holder_and_regulator(network: Network, reader: ChainReader) -> None:
    network.propose()
    network.release()
    dispense(network, 2, to=Status.SUSPECT)
    args = [packed(2), False]
    consents = [network.consent(key, "PackLedger", "liftStatus", args) for key in (network.maker, network.regulator)]
    network.carry("PackLedger", "liftStatus", args, *consents)
    facts = reader.unit_facts(unit(2))
    assert facts is not None
    assert facts.status is Status.ACTIVE


# ---- one block ----


def test_facts_of_one_verdict_are_of_one_block(network: Network, reader: ChainReader) -> None:
    network.propose()
    network.release()
    view = reader.view()
    receipt = dispense(network, 3)
    network.act(network.maker, "EventLog", "append", [4, 0, b"\5" * 32, 6])
    question: dict[str, Any] = {
        "unit": unit(3),
        "change": receipt,
        "entries": [(MAKER, 4, 0)],
        "parties": [MAKER, REGULATOR, 99],
        "keys": [network.maker.address],
        "logistic": [5],
        "gtin_hash": GTIN_HASH,
    }
    before, after = reader.facts(**question, view=view), reader.facts(**question)
    assert (before.block, after.block) == (view.block, network.node.block())
    assert before.unit is not None
    assert after.unit is not None
    assert (before.unit.status, after.unit.status) == (Status.ACTIVE, Status.SUPPLIED)
    assert (before.change, after.change) == (None, receipt.change())
    assert (list(before.entries), list(after.entries)) == ([], [(MAKER, 4, 0)])
    assert list(after.parties) == [MAKER, REGULATOR]
    assert after.keys[network.maker.address].valid
    assert (after.logistic, after.mah_of_gtin, after.chain_id) == ({}, MAKER, 31337)
    assert after.final_block == after.block.number - 2


def test_facts_of_nothing_are_the_block_alone(reader: ChainReader) -> None:
    facts = reader.facts()
    assert (facts.unit, facts.change, facts.mah_of_gtin) == (None, None, None)
    assert not facts.entries
    assert not facts.parties


def test_view_of_a_block_that_is_not_there_is_refused(reader: ChainReader) -> None:
    for block in (10**6, b"\1" * 32):
        with pytest.raises(ChainError, match="no such block"):
            reader.view(block)


def test_finality_may_be_a_number_of_blocks(network: Network) -> None:
    network.devnet.mine(9)
    newest = network.node.block()
    finals = [ChainReader(network.node, network.deployment, depth).view().final.number for depth in (0, 5, 10_000)]
    assert finals == [newest.number, newest.number - 5, 0]


# ---- memory ----


def test_keys_of_log_entries_are_asked_each_time_in_at_most_one_more_request(
    network: Network, node: CountingNode, reader: ChainReader
) -> None:
    """A verdict of yesterday says nothing of a key that was found compromised today."""
    for key, sequence in ((network.maker, 0), (network.maker, 1), (network.pharmacy, 0)):
        network.act(key, "EventLog", "append", [4, sequence, b"\5" * 32, 6])
    anchored = network.node.block().timestamp
    bury(network)
    wanted = [(MAKER, 4, 0), (MAKER, 4, 1), (PHARMACY, 4, 0)]
    view = reader.view()
    node.posts = 0
    first = reader.facts(entries=wanted, keys=[network.regulator.address], view=view)
    assert node.posts == 2, "the entries, then their keys"
    assert set(first.keys) == {key.address for key in (network.maker, network.pharmacy, network.regulator)}
    assert all(key.valid and not key.compromised_since for key in first.keys.values())
    network.admin.revoke_key(network.pharmacy.address, compromised_since=anchored)
    node.posts = 0
    second = reader.facts(entries=wanted)
    assert node.posts == 2, "the block, then all else"
    assert second.entries == first.entries
    leaked = second.keys[network.pharmacy.address]
    assert (leaked.valid, leaked.compromised_since) == (False, anchored)
    assert (leaked.believed(anchored - 1), leaked.believed(anchored)) == (True, False)
    assert second.keys[network.maker.address].valid


def test_signers_of_a_batch_are_asked_each_time(network: Network, reader: ChainReader) -> None:
    """A verdict of yesterday says nothing of a line's key that was found compromised today."""
    network.propose()
    network.devnet.advance_time(50)
    network.release()
    bury(network)
    before = reader.unit_facts(unit(3))
    assert before is not None
    assert before.batch.releaser == BatchSigner(network.maker.address)
    since = before.batch.proposed_at + 1
    network.admin.revoke_key(network.maker.address, compromised_since=since)
    after = reader.unit_facts(unit(3))
    assert after is not None
    assert after.batch.proposer == after.batch.releaser == BatchSigner(network.maker.address, since)
    (doubt,) = disbelieved_batch(BATCH, after.batch)
    assert doubt.startswith(f"release of batch {BATCH}: key {network.maker.address} signed it at ")


def test_repeated_verdict_asks_only_what_can_change(network: Network, node: CountingNode, reader: ChainReader) -> None:
    network.propose()
    network.release()
    network.act(network.maker, "EventLog", "append", [4, 0, b"\5" * 32, 6])
    bury(network)
    first = reader.facts(unit=unit(3), entries=[(MAKER, 4, 0)])
    node.posts, node.calls_asked = 0, []
    again = reader.facts(unit=unit(4), entries=[(MAKER, 4, 0)])
    assert (node.calls_asked, node.posts) == (["keyOf", "factsOf"], 2), "a key may be revoked at any time"
    assert again.entries == first.entries
    assert again.unit is not None
    assert again.unit.batch.product_key == PRODUCT_KEY


def test_entry_is_remembered_only_once_it_is_final(network: Network, node: CountingNode, reader: ChainReader) -> None:
    network.act(network.maker, "EventLog", "append", [4, 0, b"\5" * 32, 6])
    asked = []
    for _ in range(5):
        node.calls_asked = []
        assert reader.log_entries([(MAKER, 4, 0)])
        asked.append(len(node.calls_asked))
        network.devnet.advance_time(5)
        network.devnet.mine()
    assert asked == [1, 1, 1, 1, 0]  # `finalized` is two blocks behind, and must be a later block than the entry's


def test_entry_that_the_chain_lost_is_forgotten(network: Network, reader: ChainReader) -> None:
    """A devnet that was killed can lose blocks that it called final, and grow new ones in their place."""
    snapshot = network.devnet.snapshot()
    network.act(network.maker, "EventLog", "append", [4, 0, b"\5" * 32, 6])
    bury(network)
    assert reader.log_entries([(MAKER, 4, 0)])
    assert reader.log_entries([(MAKER, 4, 0)])
    network.devnet.revert(snapshot)
    network.devnet.advance_time(100)
    network.devnet.mine(10)
    assert reader.log_entries([(MAKER, 4, 0)]) == {}


def test_remembered_entry_is_not_told_of_a_block_before_it(network: Network, reader: ChainReader) -> None:
    before = network.node.block()
    network.devnet.advance_time(5)
    network.act(network.maker, "EventLog", "append", [4, 0, b"\5" * 32, 6])
    bury(network)
    assert reader.log_entries([(MAKER, 4, 0)])
    assert reader.log_entries([(MAKER, 4, 0)], reader.view(before)) == {}


def test_memory_is_bounded(network: Network, reader: ChainReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packtrace.chain.facts.MAX_REMEMBERED", 2)
    for sequence in range(4):
        network.act(network.maker, "EventLog", "append", [4, sequence, b"\5" * 32, 6])
    bury(network)
    wanted = [(MAKER, 4, sequence) for sequence in range(4)]
    assert len(reader.log_entries(wanted)) == 4
    assert len(reader._entries) == 2
    assert len(reader.log_entries(wanted)) == 4


def test_batch_number_that_was_never_used_is_nobodys(reader: ChainReader) -> None:
    assert reader.units_facts([BATCH << 20, 0, 2**64 - 1]) == {}
