"""Proven duplicates and restored calls, as the index keeps them, and the alerts that they open."""

import hashlib

import pytest

from packtrace.chain.contracts import encode_call
from packtrace.chain.facts import ChainReader
from packtrace.chain.transactions import Message, send
from packtrace.chain.typed_data import keyed_nonce, sign
from packtrace.commit import items, merkle
from packtrace.commit.items import Role
from packtrace.facts import Refusal, Status, unit_number
from packtrace.gs1 import with_check_digit
from packtrace_gateway import settings
from packtrace_gateway.alerts.service import AlertService
from packtrace_gateway.ledger import service
from packtrace_gateway.ledger.models import CallKind
from packtrace_gateway.verify.service import LedgerReceipts

URI = "https://id.gs1.org/01/09506000134352/21/TWICE"
SUPPLIED, STOLEN = Status.SUPPLIED, Status.STOLEN
KEY_COMPROMISED = 1


class Batch:
    """A released batch with the serial in it, and its opening."""

    def __init__(self, network, chain, number, count):
        uris = [URI, *(f"https://id.gs1.org/01/09506000134352/21/{number}x{at:03}" for at in range(1, count))]
        secret = hashlib.sha256(bytes([number])).digest()
        tree = items.build({Role.EPC: uris}, secret)
        proposal = chain.proposal(number, count) | {"itemRoot": tree.root}
        network.act(chain.PLANT, "line", "PackLedger", "propose", [proposal])
        network.act(chain.PLANT, "quality", "PackLedger", "release", [proposal["batch"], tree.root])
        index = tree.uris.index(URI)
        leaves = items.leaf_hashes(tree.uris, 0, tree.counts, secret)
        salt = items.salts(secret, items.ITEMS, index, 1)
        self.unit = unit_number(proposal["batch"], index)
        self.opening = (self.unit, salt, merkle.inclusion_path(leaves, index))


@pytest.fixture
def twins(network, chain):
    return [Batch(network, chain, number, count) for number, count in ((1, 9), (2, 300))]


def prove(network, twins):
    data = encode_call("PackLedger", "proveDuplicate", [URI.encode(), *(batch.opening for batch in twins)])
    return send(network.node, network.devnet.accounts[6], Message(network.deployment.address("PackLedger"), data))


def change(network, chain, party, to, unit):
    sent = network.act(party, "operate", "PackLedger", "changeStatus", [int(to), unit.to_bytes(8), bytes(32)])
    return sent.events(network.deployment)[-1].args["id"]


def restore(network, chain, receipt):
    """By both together: two consents to one call."""
    args = [receipt, b"\0", KEY_COMPROMISED]
    consents = []
    for party in (chain.MAH, chain.REGULATOR):
        key = chain.key_of(party, "operate")
        position = int(network.node.call(network.deployment, "PackLedger", "nonces", [key.address, 0]))
        nonce = keyed_nonce(0, position)
        consents.append(sign(key, network.deployment, "PackLedger", "restoreStatus", args, nonce, 2**48 - 1))
    data = encode_call("PackLedger", "restoreStatus", [*args, *consents])
    return send(network.node, network.devnet.accounts[6], Message(network.deployment.address("PackLedger"), data))


@pytest.fixture
def alerts_of(network, tmp_path, index):
    """The alerts of a party's gateway, on the index of this test."""

    def make(party, company):
        values = {
            "party": party, "company": company, "name": "X",
            "gln": with_check_digit("950600000002"), "gln_salt": "00" * 16,
            "node": network.devnet.url, "deployment": str(tmp_path / "none.json"), "port": 0,
        }  # fmt: skip
        made = settings.from_values(values, folder=tmp_path)
        found = AlertService(made, index.database)
        index.follower.register(found)
        return found

    return make


def test_a_proof_is_indexed_with_what_it_found(index, network, chain, twins):
    change(network, chain, chain.PHARMACY, SUPPLIED, twins[1].unit)
    proof = prove(network, twins)
    index.follow()
    for batch in twins:
        [row] = index.ask(service.duplicates, batch.unit)
        assert (row.unit, row.twin, row.uri) == (twins[0].unit, twins[1].unit, URI)
        assert (row.found, row.twin_found) == (Status.ACTIVE, Status.SUPPLIED)
        assert row.tx_hash == proof.transaction_hash
    assert index.ask(service.duplicates, twins[0].unit + 1) == []
    reader = ChainReader(network.node, network.deployment)
    facts = reader.units_facts([batch.unit for batch in twins] + [twins[0].unit - 1])
    assert [unit.twin for unit in facts.values()] == [twins[1].unit, twins[0].unit, None]
    assert [unit.status for unit in facts.values()] == [Status.SUSPECT, Status.SUPPLIED, Status.ACTIVE]


@pytest.mark.parametrize(("who", "why"), [("MAH", "holder"), ("PLANT", "holder"), ("REGULATOR", "regulator")])
def test_a_proof_opens_one_alert_at_the_holder_and_at_the_regulator(index, network, chain, twins, alerts_of, who, why):
    party = getattr(chain, who)
    alerts = alerts_of(party, chain.MAH if party == chain.PLANT else party)
    prove(network, twins)
    index.follow()
    [alert] = alerts.all(open_only=True)
    assert (alert.unit, alert.twin, alert.why, alert.party) == (twins[0].unit, twins[1].unit, why, None)
    assert (alert.asked, alert.found, alert.refusal) == (Status.SUSPECT, Status.ACTIVE, Refusal.DUPLICATE)
    assert not alert.retracted


def test_a_proof_is_no_alert_to_others(index, network, chain, twins, alerts_of):
    alerts = alerts_of(chain.PHARMACY, chain.PHARMACY)
    prove(network, twins)
    index.follow()
    assert alerts.all(open_only=False) == []


def test_a_proof_that_a_reorganisation_moves_opens_one_alert(index, network, chain, twins, alerts_of):
    alerts = alerts_of(chain.MAH, chain.MAH)
    prove(network, twins)
    index.follow()
    [first] = alerts.all(open_only=False)
    network.devnet.reorg(1)
    network.devnet.mine(1)
    index.follow()
    assert index.ask(service.duplicates, twins[0].unit) == []
    [lost] = alerts.all(open_only=False)
    assert lost.retracted
    prove(network, twins)
    index.follow()
    [again] = alerts.all(open_only=False)
    assert (again.number, again.retracted) == (first.number, False)
    assert again.block > first.block


def test_a_restored_call_is_in_the_history_of_its_units(index, network, chain, twins):
    unit, receipts = twins[0].unit, LedgerReceipts(index.database)
    supplied = change(network, chain, chain.PHARMACY, SUPPLIED, unit)
    stolen = change(network, chain, chain.MAH, STOLEN, unit)
    index.follow()
    receipt = index.ask(service.receipt, stolen)
    assert receipts.newest(unit).id == stolen
    restore(network, chain, receipt)
    restore(network, chain, receipt)
    index.follow()
    found = index.ask(service.history, unit)
    assert [(call.kind, call.party, call.to, call.found, call.refusal) for call in found[:3]] == [
        (CallKind.RESTORED, chain.MAH, STOLEN, None, Refusal.ALREADY_REVERSED),
        (CallKind.RESTORED, chain.MAH, SUPPLIED, STOLEN, Refusal.NONE),
        (CallKind.CHANGED, chain.MAH, STOLEN, SUPPLIED, Refusal.NONE),
    ]
    assert receipts.newest(unit).id == supplied, "which the verdict can quote again"
    restore(network, chain, index.ask(service.receipt, supplied))
    index.follow()
    assert receipts.newest(unit) is None
