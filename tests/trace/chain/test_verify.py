"""The sources compiled again against the code on a real chain, honest and tampered."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from supply import Network
from typer.testing import CliRunner

from packtrace.chain import verify
from packtrace.chain.commands import app
from packtrace.chain.contracts import artifact, encode_constructor
from packtrace.chain.deployment import CONTRACTS
from packtrace.chain.solc_wrapper import compiler
from packtrace.chain.transactions import Message, send
from packtrace.chain.verify import Compiled
from packtrace.errors import ChainError


@pytest.fixture(scope="module")
def compiled() -> dict[str, Compiled]:
    """Compiled once: this takes most of the module's time."""
    return verify.compile_sources()


@pytest.fixture(autouse=True)
def compile_once(compiled: dict[str, Compiled], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "compile_sources", lambda: compiled)


def test_sources_compile_to_the_packaged_code(compiled: dict[str, Compiled]) -> None:
    for name in CONTRACTS:
        assert "0x" + compiled[name].code.hex() == artifact(name)["deployedBytecode"]


def test_honest_deployment_matches_in_every_byte(network: Network) -> None:
    findings = verify.verify(network.node, network.deployment)
    assert [(f.contract, f.matches, f.detail) for f in findings] == [(name, True, "matches") for name in CONTRACTS]


def test_single_changed_byte_is_found_at_its_place(network: Network) -> None:
    address = network.deployment.address("PackLedger")
    code = bytearray.fromhex(network.node.request("eth_getCode", [address, "latest"])[2:])
    code[1234] ^= 1
    network.node.request("anvil_setCode", [address, "0x" + code.hex()])
    findings = {f.contract: f for f in verify.verify(network.node, network.deployment)}
    assert [name for name, f in findings.items() if not f.matches] == ["PackLedger"]
    assert findings["PackLedger"].detail.startswith("byte 1234 differs: it is 0x")


def test_code_of_another_length_is_found(network: Network) -> None:
    network.node.request("anvil_setCode", [network.deployment.address("EventLog"), "0x6001"])
    findings = {f.contract: f for f in verify.verify(network.node, network.deployment)}
    assert findings["EventLog"].detail.startswith("the code at the address has 2 bytes, compiled it has")


def test_contract_that_trusts_another_registry_is_found(network: Network) -> None:
    """The same code, deployed with somebody else's registry: only an immutable variable differs."""
    manager = network.deployment.address("AccessManager")
    stranger = "0x" + "66" * 20
    arguments = [manager, stranger, network.deployment.address("RecallBoard")]
    receipt = send(network.node, network.relayer, Message(None, encode_constructor("PackLedger", arguments)))
    assert receipt.contract_address is not None
    fooled = replace(
        network.deployment, contracts={**network.deployment.contracts, "PackLedger": receipt.contract_address}
    )
    findings = {f.contract: f for f in verify.verify(network.node, fooled)}
    assert not findings["PackLedger"].matches
    assert "REGISTRY is 0x000000000000000000000000" + "66" * 20 in findings["PackLedger"].detail
    assert findings["EventLog"].matches


def test_contract_under_another_authority_is_found(network: Network) -> None:
    receipt = send(
        network.node, network.relayer, Message(None, encode_constructor("PartyRegistry", ["0x" + "66" * 20]))
    )
    assert receipt.contract_address is not None
    fooled = {**network.deployment.contracts, "PartyRegistry": receipt.contract_address}
    findings = {f.contract: f for f in verify.verify(network.node, replace(network.deployment, contracts=fooled))}
    assert "its authority is 0x6666666666666666666666666666666666666666" in findings["PartyRegistry"].detail


# ---- the compiler ----


def test_wrapper_behaves_like_solc() -> None:
    with compiler() as program:
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        assert version.splitlines()[-1] == f"Version: {artifact('PackLedger')['compiler']}"
        source = '{"language":"Solidity","sources":{"a.sol":{"content":"contract A {}"}},"settings":{}}'
        ran = subprocess.run([program, "--standard-json"], input=source, capture_output=True, text=True, check=True)
        assert ran.stdout.startswith("{")
        wrong = subprocess.run([program, "--wrong"], capture_output=True, text=True)
        assert (wrong.returncode, wrong.stderr) == (1, "unrecognised option '--wrong'\n")
    assert not program.exists()


@pytest.fixture
def other_compiler(tmp_path: Path) -> Path:
    program = tmp_path / "solc"
    program.write_text("#!/bin/sh\necho 'Version: 0.8.20+commit.a1b79de6.Linux.g++'\n")
    program.chmod(0o700)
    return program


def test_solc_may_be_named(other_compiler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKTRACE_SOLC", str(other_compiler))
    with compiler() as program:
        assert program == other_compiler
    monkeypatch.setenv("PACKTRACE_SOLC", "/no/such/solc")
    with pytest.raises(ChainError, match="PACKTRACE_SOLC"), compiler():
        pass


def test_compiler_of_another_version_is_refused(other_compiler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PACKTRACE_SOLC", str(other_compiler))
    with pytest.raises(ChainError, match=r"another version of the compiler .got '0\.8\.20\+commit\.a1b79de6'"):
        verify.compile_sources()


def test_missing_compiler_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKTRACE_HOME", str(tmp_path))
    with pytest.raises(ChainError, match="npm ci"), compiler():
        pass


# ---- the command ----


def test_command_prints_every_contract_and_fails_on_a_difference(network: Network, tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    network.deployment.save(file)
    arguments = ["verify", "--rpc", network.node.url, "--deployment", str(file)]
    good = CliRunner().invoke(app, arguments)
    assert good.exit_code == 0, good.output
    assert good.stdout.count("  matches\n") == len(CONTRACTS)
    network.node.request("anvil_setCode", [network.deployment.address("EventLog"), "0x6001"])
    bad = CliRunner().invoke(app, arguments)
    assert isinstance(bad.exception, ChainError)
    assert bad.exception.field == "EventLog"
    assert "has 2 bytes" in bad.stdout
