"""Proves that the contracts at a deployment's addresses are the packaged sources, and wired to each other.

The sources in `artifacts/standard-input.json` are compiled again (py-solc-x), each contract's immutable variables are
filled in with what they must be in this deployment, and the code at its address is compared byte by byte. The code
carries no metadata hash (compiler settings: `bytecodeHash: none`, no CBOR), so there is nothing to mask. Where the
authority over a contract stands in storage and not in its code, it is asked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import solcx
from eth_abi.abi import encode
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from solcx.exceptions import SolcError

from packtrace.chain.contracts import artifact
from packtrace.chain.deployment import CONTRACTS, Deployment
from packtrace.chain.node import Node, Request
from packtrace.chain.solc_wrapper import compiler
from packtrace.chain.typed_data import DOMAIN_NAME, DOMAIN_TYPE, DOMAIN_VERSION
from packtrace.errors import ChainError

MANAGED = ("PartyRegistry", "PackLedger", "CustodyLedger", "EventLog")
"""Contracts under the AccessManager's authority."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one contract: whether it matches, and if not, where it differs."""

    contract: str
    address: str
    matches: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A contract's runtime code as compiled: immutables are zero, `immutables` says which lie where (start, length)."""

    code: bytes
    immutables: Mapping[str, list[tuple[int, int]]]


def verify(node: Node, deployment: Deployment) -> list[Finding]:
    """Compile again and compare every contract of the deployment with the code at its address."""
    compiled = compile_sources()
    node.check(deployment)
    answers = node.batch([Request("eth_getCode", [deployment.address(name), "latest"]) for name in CONTRACTS])
    findings = []
    for name, answer in zip(CONTRACTS, answers, strict=True):
        if isinstance(answer, ChainError):
            raise answer
        detail = difference(deployment, name, compiled[name], bytes.fromhex(answer[2:]))
        if detail is None and name in MANAGED:  # other code could answer anything
            authority = node.call(deployment, name, "authority")
            if authority != deployment.address("AccessManager"):
                detail = f"the code matches, but its authority is {authority}, not the deployment's AccessManager"
        findings.append(Finding(name, deployment.address(name), detail is None, detail or "matches"))
    return findings


def compile_sources() -> dict[str, Compiled]:
    """Every contract, compiled from the packaged sources with the compiler that the artifacts name."""
    source = json.loads(resources.files("packtrace.chain").joinpath("artifacts", "standard-input.json").read_text())
    wanted = ["evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"]
    selection: dict[str, Any] = {"*": {"": ["ast"]}}  # names the immutable variables
    for name in CONTRACTS:
        selection[artifact(name)["sourceName"]] = {name: wanted}
    source["settings"]["outputSelection"] = selection
    with compiler() as program:
        try:
            found = str(solcx.wrapper.get_version_str_from_solc_binary(program))
            needed = artifact(CONTRACTS[0])["compiler"]
            if not needed.startswith(found):
                raise ChainError("another version of the compiler", field="solc", value=found, rule=f"needs {needed}")
            output = solcx.compile_standard(source, solc_binary=program)
        except (SolcError, OSError, ValueError) as error:
            raise ChainError(f"the contracts could not be compiled: {error}", field="solc") from error
    names = _immutable_names(output)
    return {name: _compiled(output["contracts"][artifact(name)["sourceName"]][name], names) for name in CONTRACTS}


def difference(deployment: Deployment, contract: str, compiled: Compiled, found: bytes) -> str | None:
    """Where the code that was found differs from what this deployment's contract must be; None where it does not."""
    expected = bytearray(compiled.code)
    values = _immutable_values(deployment, contract)
    for variable, places in compiled.immutables.items():
        for start, length in places:
            expected[start : start + length] = values[variable].rjust(length, b"\0")
    if bytes(expected) == found:
        return None
    if len(expected) != len(found):
        return f"the code at the address has {len(found)} bytes, compiled it has {len(expected)}"
    position = next(i for i, (a, b) in enumerate(zip(expected, found, strict=True)) if a != b)
    for variable, places in compiled.immutables.items():
        for start, length in places:
            if start <= position < start + length:
                return (
                    f"byte {position} differs: {variable} is 0x{found[start : start + length].hex()}, not 0x"
                    + bytes(expected[start : start + length]).hex()
                )
    return f"byte {position} differs: it is 0x{found[position]:02x}, compiled it is 0x{expected[position]:02x}"


def _compiled(output: Mapping[str, Any], names: Mapping[int, str]) -> Compiled:
    runtime = output["evm"]["deployedBytecode"]
    places = {
        names[int(number)]: [(place["start"], place["length"]) for place in found]
        for number, found in runtime["immutableReferences"].items()
    }
    return Compiled(bytes.fromhex(runtime["object"]), places)


def _immutable_names(output: Mapping[str, Any]) -> dict[int, str]:
    """The AST's number of every immutable state variable, and its name."""
    found = {}
    for source in output["sources"].values():
        for unit in source["ast"]["nodes"]:
            for node in unit.get("nodes", []):
                if node.get("mutability") == "immutable":
                    found[node["id"]] = node["name"]
    return found


def _immutable_values(deployment: Deployment, contract: str) -> dict[str, bytes]:
    """What each immutable variable must be: our own, and those of OpenZeppelin's EIP712."""
    own = to_canonical_address(deployment.address(contract))
    name, version = keccak(text=DOMAIN_NAME), keccak(text=DOMAIN_VERSION)
    members = ",".join(f"{member['type']} {member['name']}" for member in DOMAIN_TYPE)
    domain = keccak(text=f"EIP712Domain({members})")
    types = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
    return {
        "REGISTRY": to_canonical_address(deployment.address("PartyRegistry")),
        "RECALL_BOARD": to_canonical_address(deployment.address("RecallBoard")),
        "_cachedDomainSeparator": keccak(encode(types, [domain, name, version, deployment.chain_id, own])),
        "_cachedChainId": deployment.chain_id.to_bytes(32),
        "_cachedThis": own,
        "_hashedName": name,
        "_hashedVersion": version,
        "_name": _short_string(DOMAIN_NAME),
        "_version": _short_string(DOMAIN_VERSION),
    }


def _short_string(text: str) -> bytes:
    """OpenZeppelin's ShortString: up to 31 bytes on the left, their number in the last byte."""
    return text.encode().ljust(31, b"\0") + bytes([len(text)])
