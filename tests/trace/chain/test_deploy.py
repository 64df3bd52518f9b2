"""Deployment and the licensing authority's calls, on a real node."""

from pathlib import Path

import pytest
from eth_account import Account
from supply import MAKER, PHARMACY, PRODUCT_KEY, Network, packed

from packtrace.chain.contracts import artifact
from packtrace.chain.deploy import deploy
from packtrace.chain.deployment import CONTRACTS
from packtrace.chain.facts import ChainReader
from packtrace.chain.node import Call
from packtrace.chain.refusals import ChainRefusal
from packtrace.chain.registry import FOREVER, RegistryAdmin
from packtrace.errors import ChainError
from packtrace_gateway.devnet import Devnet


def test_contracts_are_deployed_and_know_each_other(network: Network) -> None:
    at = network.deployment.contracts
    calls = [Call(name, "authority") for name in ("PartyRegistry", "PackLedger", "CustodyLedger", "EventLog")]
    assert network.node.calls(network.deployment, calls) == [at["AccessManager"]] * 4
    calls = [Call(name, "REGISTRY") for name in ("RecallBoard", "PackLedger", "CustodyLedger", "EventLog")]
    assert network.node.calls(network.deployment, calls) == [at["PartyRegistry"]] * 4
    assert network.node.call(network.deployment, "PackLedger", "RECALL_BOARD") == at["RecallBoard"]


def test_all_contracts_go_into_one_block_where_blocks_take_their_time(tmp_path: Path) -> None:
    with Devnet(tmp_path, block_time=0.5) as devnet:
        account = devnet.accounts[0]
        deployment = deploy(devnet.node, account, account.address)
        logs = devnet.node.logs(deployment, 0, devnet.node.block().number)
    created = {log.block_number for log in logs if log.event == "AuthorityUpdated"}
    assert created == {deployment.block}
    assert set(deployment.contracts) == set(CONTRACTS)


def test_administrator_may_be_another_account_than_the_paying_one(network: Network) -> None:
    payer, admin = network.devnet.accounts[2:4]
    deployment = deploy(network.node, payer, admin.address)
    with pytest.raises(ChainRefusal) as refused:
        RegistryAdmin(network.node, deployment, payer).register_product(b"\1" * 32, 5)
    assert refused.value.name == "AccessManagedUnauthorized"
    RegistryAdmin(network.node, deployment, admin).register_party(
        5, company=5, roles=2, gln_commitment=b"\1" * 32, name="Five"
    )
    assert ChainReader(network.node, deployment).parties([5])[5].name == "Five"


def test_administrator_that_is_no_address_is_refused_before_anything_is_sent(network: Network) -> None:
    before = network.node.block()
    with pytest.raises(ChainError, match="admin"):
        deploy(network.node, network.authority, "0x12")
    assert network.node.block() == before


def test_deployed_code_is_the_packaged_code_but_for_its_immutables(network: Network) -> None:
    for name in CONTRACTS:
        built = artifact(name)
        found = bytearray.fromhex(network.node.request("eth_getCode", [network.deployment.address(name), "latest"])[2:])
        for places in built["immutableReferences"].values():
            for place in places:
                found[place["start"] : place["start"] + place["length"]] = bytes(place["length"])
        assert "0x" + found.hex() == built["deployedBytecode"]


# ---- the licensing authority ----


def test_authority_changes_what_it_registered(network: Network) -> None:
    admin, reader = network.admin, ChainReader(network.node, network.deployment)
    admin.set_profile(MAKER, name="New name", endpoint="https://new.example")
    admin.set_licence(MAKER, roles=2)
    admin.suspend(MAKER)
    party = reader.parties([MAKER])[MAKER]
    assert (party.name, party.endpoint, party.roles, party.licensed) == ("New name", "https://new.example", 2, False)
    admin.reinstate(MAKER)
    assert reader.parties([MAKER])[MAKER].licensed
    admin.set_licence(MAKER, roles=2, licensed_until=network.node.block().timestamp)
    assert not reader.parties([MAKER])[MAKER].licensed


def test_revoked_key_cannot_sign_any_more(network: Network) -> None:
    network.admin.revoke_key(network.pharmacy.address, compromised_since=5)
    with pytest.raises(ChainRefusal) as refused:
        network.act(network.pharmacy, "EventLog", "append", [1, 0, b"\1" * 32, 1])
    assert refused.value.name == "KeyNotValid"
    key = network.node.call(network.deployment, "PartyRegistry", "keyOf", [network.pharmacy.address])
    assert key["compromisedSince"] == 5


def test_authority_suspends_caps_and_replaces_a_key(network: Network) -> None:
    admin, old = network.admin, network.pharmacy
    reader = ChainReader(network.node, network.deployment)
    admin.suspend_key(old.address)
    assert not reader.keys([old.address])[old.address].valid
    admin.reinstate_key(old.address)
    assert reader.keys([old.address])[old.address].valid
    admin.set_daily_cap(old.address, 2)
    new = Account.from_key(b"\7" * 32)
    possession = network.consent(new, "PartyRegistry", "replaceKey", [old.address, new.address, FOREVER])
    admin.replace_key(old.address, new.address, possession)
    assert not reader.keys([old.address])[old.address].valid
    assert reader.keys([new.address])[new.address].valid
    network.propose()
    network.release()
    with pytest.raises(ChainRefusal, match="may change 2 packs a day"):
        network.act(new, "PackLedger", "changeStatus", [1, packed(1, 2, 3), bytes(32)])
    network.act(new, "PackLedger", "changeStatus", [1, packed(1, 2), bytes(32)])


def test_party_rotates_its_key_with_the_new_ones_consent(network: Network) -> None:
    old, new = network.pharmacy, Account.from_key(b"\7" * 32)
    args = [old.address, new.address]
    consents = [network.consent(key, "PartyRegistry", "rotateKey", args) for key in (old, new)]
    network.carry("PartyRegistry", "rotateKey", args, *consents)
    network.act(new, "EventLog", "append", [1, 0, b"\1" * 32, 1])
    with pytest.raises(ChainRefusal, match="revoked"):
        network.act(old, "EventLog", "append", [1, 1, b"\1" * 32, 1])


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda admin: admin.register_party(MAKER, company=MAKER, roles=2, gln_commitment=bytes(32)), "PartyExists"),
        (lambda admin: admin.register_party(9, company=8, roles=2, gln_commitment=bytes(32)), "UnknownParty"),
        (
            lambda admin: admin.register_party(1 << 22, company=1 << 22, roles=2, gln_commitment=bytes(32)),
            "PartyNumber",
        ),
        (lambda admin: admin.set_licence(MAKER, roles=2, licensed_from=9, licensed_until=9), "InvalidPeriod"),
        (lambda admin: admin.suspend(99), "UnknownParty"),
        (lambda admin: admin.add_key(MAKER, "0x" + "11" * 20, 0), "InvalidPurposes"),
        (lambda admin: admin.revoke_key("0x" + "11" * 20), "UnknownKey"),
        (lambda admin: admin.suspend_key("0x" + "11" * 20), "UnknownKey"),
        (lambda admin: admin.reinstate_key("0x" + "11" * 20), "UnknownKey"),
        (lambda admin: admin.set_daily_cap("0x" + "11" * 20, 1), "UnknownKey"),
        (lambda admin: admin.register_product(PRODUCT_KEY, MAKER), "ProductExists"),
        (lambda admin: admin.register_product(b"\1" * 32, PHARMACY), "LacksRole"),
        (lambda admin: admin.list_gtin(b"\1" * 32, PHARMACY), "LacksRole"),
    ],
)
def test_registry_refuses_in_words(act: object, error: str, network: Network) -> None:
    with pytest.raises(ChainRefusal) as refused:
        act(network.admin)  # type: ignore[operator]
    assert refused.value.name.startswith(error)
    assert ";" in refused.value.message or "not" in refused.value.message


def test_registering_together_is_one_transaction(network: Network) -> None:
    before = network.node.transaction_count(network.authority.address)
    with network.admin.together():
        pass
    admin = network.admin
    with admin.together():
        admin.register_party(40, company=40, roles=8, gln_commitment=b"\4" * 32, name="Wholesaler")
        admin.register_party(41, company=40, roles=8, gln_commitment=b"\5" * 32)
        admin.add_key(41, network.devnet.accounts[5].address, 1)
    assert network.node.transaction_count(network.authority.address) == before + 1
    assert list(ChainReader(network.node, network.deployment).parties([40, 41])) == [40, 41]


def test_registering_together_is_all_or_nothing(network: Network) -> None:
    admin = network.admin

    def half() -> None:
        with admin.together():
            admin.register_party(40, company=40, roles=8, gln_commitment=b"\4" * 32)
            admin.add_key(99, network.devnet.accounts[5].address, 1)

    with pytest.raises(ChainRefusal) as refused:
        half()
    assert refused.value.name == "UnknownParty"
    assert ChainReader(network.node, network.deployment).parties([40]) == {}
    admin.suspend(MAKER)  # and the next call goes out alone again


def test_nothing_is_sent_when_the_collecting_itself_fails(network: Network) -> None:
    admin, before = network.admin, network.node.block()

    def broken() -> None:
        with admin.together():
            admin.suspend(MAKER)
            raise LookupError

    with pytest.raises(LookupError):
        broken()
    assert network.node.block() == before
