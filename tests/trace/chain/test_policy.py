"""Who may do what, and after what delay, on a real node."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from supply import Network

from packtrace.chain.contracts import encode_call, selector
from packtrace.chain.deploy import deploy
from packtrace.chain.deployment import Deployment
from packtrace.chain.facts import ChainReader
from packtrace.chain.node import Call
from packtrace.chain.policy import AT_ONCE, DAY, FUNCTIONS, PAUSABLE, USUAL, AdminRole
from packtrace.chain.refusals import ChainRefusal
from packtrace.chain.registry import RegistryAdmin
from packtrace.chain.transactions import Message, send


@pytest.fixture
def founded(network: Network) -> Deployment:
    """Contracts whose authority (accounts[3]) is bound by the usual delays; another account paid for them."""
    payer, authority = network.devnet.accounts[2:4]
    return deploy(network.node, payer, authority.address, USUAL)


@pytest.fixture
def admin(network: Network, founded: Deployment) -> RegistryAdmin:
    return RegistryAdmin(network.node, founded, network.devnet.accounts[3])


def restricted(sources: Path) -> Iterator[tuple[str, str]]:
    """Every function that only the AccessManager's roles can call, from the sources."""
    for name in ("PartyRegistry", *PAUSABLE, "PausableCalls"):
        text = (sources / f"{name}.sol").read_text()
        functions = re.findall(r"function (\w+)\([^{;]*\brestricted\b[^{;]*\{", text)
        for contract in PAUSABLE if name == "PausableCalls" else (name,):
            yield from ((contract, function) for function in functions)


def role_of(network: Network, deployment: Deployment, contract: str, function: str) -> AdminRole:
    args = [deployment.address(contract), selector(contract, function)]
    return AdminRole(network.node.call(deployment, "AccessManager", "getTargetFunctionRole", args))


def announce(network: Network, deployment: Deployment, contract: str, function: str, *args: object) -> bytes:
    """Announce the authority's call of a function; its call data."""
    data = encode_call(contract, function, args)
    through(network, deployment, "schedule", [deployment.address(contract), data, 0])
    return data


def through(network: Network, deployment: Deployment, function: str, args: list[object], account: int = 3) -> None:
    message = Message(deployment.address("AccessManager"), encode_call("AccessManager", function, args))
    send(network.node, network.devnet.accounts[account], message)


def wait(network: Network, seconds: int) -> None:
    network.devnet.advance_time(seconds)
    network.devnet.mine(1)


def test_every_restricted_function_has_the_role_that_is_written(
    network: Network, founded: Deployment, interfaces: Path
) -> None:
    found = {
        (contract, function): role_of(network, founded, contract, function)
        for contract, function in restricted(interfaces.parent)
    }
    written = {
        (contract, function): role
        for role, contracts in FUNCTIONS.items()
        for contract, functions in contracts.items()
        for function in functions
    }
    ends = {(contract, "succeed"): AdminRole.ADMIN for contract in PAUSABLE}
    assert found == written | ends


def test_authority_has_all_roles_with_their_delays_and_who_paid_has_none(network: Network, founded: Deployment) -> None:
    payer, authority = (account.address for account in network.devnet.accounts[2:4])
    delays = {AdminRole.ADMIN: USUAL.governance, AdminRole.REGISTRAR: USUAL.grants, AdminRole.GUARD: 0}
    for role, delay in delays.items():
        assert network.node.call(founded, "AccessManager", "hasRole", [role, authority]) == (True, delay)
        assert network.node.call(founded, "AccessManager", "hasRole", [role, payer]) == (False, 0)


def test_on_a_laptop_nothing_waits(network: Network) -> None:
    authority = network.authority.address
    for role in AdminRole:
        found = network.node.call(network.deployment, "AccessManager", "hasRole", [role, authority])
        assert found == (True, 0), role
    assert (AT_ONCE.grants, AT_ONCE.governance) == (0, 0)


def test_what_gives_authority_is_announced_and_waits(
    network: Network, founded: Deployment, admin: RegistryAdmin
) -> None:
    def register() -> None:
        admin.register_party(5, company=5, roles=2, gln_commitment=b"\1" * 32, name="Five")

    with pytest.raises(ChainRefusal) as refused:
        register()
    assert refused.value.name == "AccessManagerNotScheduled"
    with admin.announced() as calls:
        register()
        admin.add_key(5, network.maker.address, 1)
    reader = ChainReader(network.node, founded)
    assert reader.parties([5]) == {}
    with pytest.raises(ChainRefusal) as refused:
        admin.carry_out(calls)
    assert refused.value.name == "AccessManagerNotReady"
    wait(network, DAY)
    admin.carry_out(calls)
    assert reader.parties([5])[5].name == "Five"
    assert reader.keys([network.maker.address])[network.maker.address].valid
    with pytest.raises(ChainRefusal) as refused:
        admin.carry_out(calls)
    assert refused.value.name == "AccessManagerNotScheduled"


@pytest.mark.parametrize("keys", [0, 2])
def test_what_was_announced_is_carried_out_a_day_later_by_saying_it_again(
    network: Network, founded: Deployment, admin: RegistryAdmin, keys: int
) -> None:
    def join(authority: RegistryAdmin) -> None:
        authority.register_party(5, company=5, roles=16, gln_commitment=b"\1" * 32)
        for account in network.devnet.accounts[6 : 6 + keys]:
            authority.add_key(5, account.address, 1)

    with admin.announced():
        join(admin)
    another = RegistryAdmin(network.node, founded, network.devnet.accounts[3])  # the program of the next day
    with pytest.raises(ChainRefusal) as refused, another.together():
        join(another)
    assert refused.value.name == "AccessManagerNotReady"
    wait(network, DAY)
    with another.together():
        join(another)
    assert ChainReader(network.node, founded).parties([5])[5].roles == 16
    with pytest.raises(ChainRefusal) as refused, another.together():
        join(another)
    assert refused.value.name == "AccessManagerNotScheduled"


def test_nothing_is_announced_where_nothing_was_said(network: Network, admin: RegistryAdmin) -> None:
    before = network.node.block()
    with admin.announced() as calls:
        pass
    assert calls == []
    assert network.node.block() == before


def test_stopping_is_immediate_and_so_is_ending_a_stop(
    network: Network, founded: Deployment, admin: RegistryAdmin
) -> None:
    with admin.announced() as calls:
        admin.register_party(5, company=5, roles=2, gln_commitment=b"\1" * 32)
        admin.add_key(5, network.maker.address, 1)
    wait(network, DAY)
    admin.carry_out(calls)
    reader = ChainReader(network.node, founded)
    admin.suspend(5)
    admin.suspend_key(network.maker.address)
    assert not reader.parties([5])[5].licensed
    admin.reinstate(5)
    admin.reinstate_key(network.maker.address)
    assert reader.parties([5])[5].licensed
    assert reader.keys([network.maker.address])[network.maker.address].valid
    admin.revoke_key(network.maker.address, compromised_since=1)
    assert not reader.keys([network.maker.address])[network.maker.address].valid
    for contract in PAUSABLE:
        for function, paused in (("pause", True), ("unpause", False)):
            message = Message(founded.address(contract), encode_call(contract, function, []))
            send(network.node, network.devnet.accounts[3], message)
            assert network.node.call(founded, contract, "paused") is paused


def test_guard_cancels_what_a_stolen_registrars_key_has_announced(
    network: Network, founded: Deployment, admin: RegistryAdmin
) -> None:
    """A second person is made a guard, which itself waits two weeks; guards can register nothing."""
    guard = network.devnet.accounts[4]
    data = announce(network, founded, "AccessManager", "grantRole", AdminRole.GUARD, guard.address, 0)
    wait(network, USUAL.governance)
    through(network, founded, "execute", [founded.address("AccessManager"), data])
    with admin.announced() as calls:
        admin.register_party(666, company=666, roles=2, gln_commitment=b"\1" * 32)
    watcher = RegistryAdmin(network.node, founded, guard)
    watcher.cancel(calls, network.devnet.accounts[3].address)
    wait(network, DAY)
    with pytest.raises(ChainRefusal) as refused:
        admin.carry_out(calls)
    assert refused.value.name == "AccessManagerNotScheduled"
    with pytest.raises(ChainRefusal), watcher.announced():
        watcher.register_party(667, company=667, roles=2, gln_commitment=b"\1" * 32)


def test_stranger_cancels_nothing(network: Network, founded: Deployment, admin: RegistryAdmin) -> None:
    with admin.announced() as calls:
        admin.register_product(b"\1" * 32, 5)
    stranger = RegistryAdmin(network.node, founded, network.devnet.accounts[5])
    with pytest.raises(ChainRefusal) as refused:
        stranger.cancel(calls, network.devnet.accounts[3].address)
    assert refused.value.name == "AccessManagerUnauthorizedCancel"


def test_contract_ends_after_the_longest_delay_and_a_verifier_keeps_to_its_deployment_file(
    network: Network, founded: Deployment
) -> None:
    payer = network.devnet.accounts[2]
    after = deploy(network.node, payer, payer.address)
    old, new = (deployment.address("EventLog") for deployment in (founded, after))
    data = announce(network, founded, "EventLog", "succeed", new)
    wait(network, USUAL.governance - 60)
    with pytest.raises(ChainRefusal) as refused:
        through(network, founded, "execute", [old, data])
    assert refused.value.name == "AccessManagerNotReady"
    assert not network.node.call(founded, "EventLog", "paused")
    wait(network, 61)
    through(network, founded, "execute", [old, data])
    assert network.node.call(founded, "EventLog", "successor") == new
    args = [1, 0, b"\1" * 32, 1]
    RegistryAdmin(network.node, after, payer).register_party(5, company=5, roles=2, gln_commitment=b"\1" * 32)
    RegistryAdmin(network.node, after, payer).add_key(5, network.maker.address, 1)
    moved = Network(network.devnet, after, network.maker, network.pharmacy, network.regulator)
    moved.act(network.maker, "EventLog", "append", args)
    assert ChainReader(network.node, founded).log_entries([(5, 1, 0)]) == {}
    assert list(ChainReader(network.node, after).log_entries([(5, 1, 0)])) == [(5, 1, 0)]
    ended = Network(network.devnet, founded, network.maker, network.pharmacy, network.regulator)
    with pytest.raises(ChainRefusal, match="paused"):
        ended.act(Account.create(), "EventLog", "append", args)
    assert network.node.calls(founded, [Call("EventLog", "nextSequence", [5, 1])]) == [0]
