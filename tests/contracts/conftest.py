"""The packaged contracts on a real node, with the parties of a small supply chain, driven by relayed calls."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import ContractCustomError
from web3.types import TxReceipt

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # for contracts.prove, which is no installed package
ARTIFACTS = ROOT / "trace" / "packtrace" / "chain" / "artifacts"
INTERFACES = ROOT / "contracts" / "interfaces"
Consent = tuple[str, int, int, bytes]  # signer, nonce, deadline, signature
LATEST = 2**40 - 1  # as the end of a licence, of a key and of an authorisation
DEADLINE = 2**48 - 1


def environment() -> dict[str, str]:
    """The virtual environment's Node first on the path."""
    return os.environ | {"PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}


def artifact(name: str) -> dict[str, Any]:
    return json.loads((ARTIFACTS / f"{name}.json").read_text())


def typed_data_comments() -> dict[str, str]:
    """`Contract.function` → its typed data's encoded type, as the interfaces document it."""
    found = {}
    for path in sorted(INTERFACES.glob("I*.sol")):
        comment = r"typed data[^:\n]*: (\w+\([^\n]*?\)(?:\w+\([^\n]*\))?)(?:,[^\n]*)?\n"
        for encoded, function in re.findall(comment + r"(?:\s*///[^\n]*\n)*\s*function (\w+)", path.read_text()):
            found[f"{path.stem[1:]}.{function}"] = encoded
    return found


TYPED_DATA = typed_data_comments()


def types_of(encoded: str) -> dict[str, list[dict[str, str]]]:
    """`encodeType` (EIP-712) taken apart: struct name → its members; the first is the primary type."""
    return {
        name: [dict(zip(("type", "name"), member.split(" "), strict=True)) for member in members.split(",")]
        for name, members in re.findall(r"(\w+)\(([^)]*)\)", encoded)
    }


def account_of(name: str) -> LocalAccount:
    """A key of its own for every name, the same in every run."""
    return Account.from_key(keccak(text=f"packtrace/test/{name}"))


@dataclass
class Chain:
    """The deployed contracts; `relayer` pays, keys sign."""

    w3: Web3
    contracts: dict[str, Contract] = field(default_factory=dict)
    nonces: dict[tuple[str, str, int], int] = field(default_factory=dict)

    encoded_types = TYPED_DATA

    @property
    def authority(self) -> str:
        return self.w3.eth.accounts[0]

    @property
    def relayer(self) -> str:
        return self.w3.eth.accounts[1]

    def deploy(self) -> None:
        manager = self._deploy("AccessManager", self.authority)
        registry = self._deploy("PartyRegistry", manager)
        board = self._deploy("RecallBoard", registry)
        self._deploy("PackLedger", manager, registry, board)
        self._deploy("CustodyLedger", manager, registry)
        self._deploy("EventLog", manager, registry)

    def _deploy(self, name: str, *arguments: Any) -> str:
        made = artifact(name)
        factory = self.w3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
        receipt = self._mined(factory.constructor(*arguments).transact({"from": self.authority}))
        assert receipt["contractAddress"] is not None
        self.contracts[name] = self.w3.eth.contract(receipt["contractAddress"], abi=made["abi"])
        return receipt["contractAddress"]

    def write(self, contract: str, function: str, *arguments: Any) -> TxReceipt:
        """A call of the licensing authority."""
        call = self.contracts[contract].get_function_by_name(function)(*arguments)
        return self._mined(call.transact({"from": self.authority}))

    def read(self, contract: str, function: str, *arguments: Any) -> Any:
        return self.contracts[contract].get_function_by_name(function)(*arguments).call()

    def party(self, party: int, company: int, roles: int) -> None:
        licence = (company, roles, 0, LATEST, 0)
        self.write("PartyRegistry", "registerParty", party, licence, ("", "", bytes(32)))

    def key(self, party: int, name: str, purposes: int) -> LocalAccount:
        account = account_of(name)
        self.write("PartyRegistry", "addKey", party, account.address, purposes, 0, LATEST)
        return account

    def typed_data(
        self, contract: str, function: str, values: dict[str, Any], signer: str, nonce: int, deadline: int
    ) -> dict[str, Any]:
        types = types_of(TYPED_DATA[f"{contract}.{function}"])
        domain = {
            "name": "packtrace",
            "version": "1",
            "chainId": self.w3.eth.chain_id,
            "verifyingContract": self.contracts[contract].address,
        }
        domain_type = types_of("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        return {
            "types": {**domain_type, **types},
            "primaryType": next(iter(types)),
            "domain": domain,
            "message": {**values, "signer": signer, "nonce": nonce, "deadline": deadline},
        }

    def consent(
        self, key: LocalAccount, contract: str, function: str, values: dict[str, Any], lane: int = 1
    ) -> Consent:
        slot = (contract, key.address, lane)
        nonce = (lane << 64) | self.nonces.get(slot, 0)
        self.nonces[slot] = self.nonces.get(slot, 0) + 1
        data = self.typed_data(contract, function, values, key.address, nonce, DEADLINE)
        return key.address, nonce, DEADLINE, bytes(key.sign_message(encode_typed_data(full_message=data)).signature)

    def relay(
        self, key: LocalAccount, contract: str, function: str, values: dict[str, Any], lane: int = 1
    ) -> TxReceipt:
        """Sign `values`, the members of the function's typed data, and let the relayer send the call."""
        consent = self.consent(key, contract, function, values, lane)
        return self.send(contract, function, self.arguments_of(function, values), consent)

    def send(self, contract: str, function: str, arguments: list[Any], *consents: Consent) -> TxReceipt:
        call = self.contracts[contract].get_function_by_name(function)(*arguments, *consents)
        return self._mined(call.transact({"from": self.relayer, "gas": 16_777_215}))

    def refusal(self, contract: str, function: str, arguments: list[Any], consent: Consent) -> str | None:
        """The custom error that the call would revert with; None if it would not."""
        consents = [consent, consent] if function in {"liftStatus", "restoreStatus", "rotateKey"} else [consent]
        sender = self.authority if function == "replaceKey" else self.relayer
        call = self.contracts[contract].get_function_by_name(function)(*arguments, *consents)
        try:
            call.call({"from": sender})
        except ContractCustomError as error:
            return self._errors[bytes.fromhex(str(error.data)[2:10])]
        return None

    @property
    def _errors(self) -> dict[bytes, str]:
        abis = [entry for contract in self.contracts.values() for entry in contract.abi if entry["type"] == "error"]
        return {
            bytes(keccak(text=f"{e['name']}({','.join(i['type'] for i in e['inputs'])})")[:4]): e["name"] for e in abis
        }

    @staticmethod
    def arguments_of(function: str, values: dict[str, Any]) -> list[Any]:
        """Members of the typed data as the function takes them: a proposal and registrations are structs."""
        if function == "propose":
            return [tuple(values.values())]
        if function == "register":
            return [[tuple(registration.values()) for registration in values["registrations"]]]
        return list(values.values())

    def _mined(self, sent: bytes) -> TxReceipt:
        receipt = self.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)
        assert receipt["status"] == 1
        return receipt


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session")
def node_environment() -> dict[str, str]:
    """The environment for programs that run on Node."""
    found = environment()
    ready = shutil.which("node", path=found["PATH"]) and (ROOT / "node_modules").is_dir()
    assert ready, "run ./packtrace test, or npm ci first"
    return found


@pytest.fixture(scope="session")
def node_url(node_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An anvil of our own on a free port."""
    anvil = ROOT / "node_modules" / ".bin" / "anvil"
    log = tmp_path_factory.mktemp("anvil") / "log"  # a file: anvil stops when nobody empties its pipe
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(anvil), "--port", "0", "--host", "127.0.0.1"],
            env=node_environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not (listening := re.search(r"^Listening on (\S+)\s", log.read_text(), re.MULTILINE)):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield f"http://{listening[1]}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # its own group: the launcher and the node
        process.wait(timeout=10)


@pytest.fixture
def chain(node_url: str) -> Iterator[Chain]:
    """Fresh contracts, always at the same addresses; what the test did is undone after it."""
    w3 = Web3(Web3.HTTPProvider(node_url))
    snapshot = w3.provider.make_request("evm_snapshot", [])["result"]  # type: ignore[arg-type]
    made = Chain(w3)
    made.deploy()
    yield made
    w3.provider.make_request("evm_revert", [snapshot])  # type: ignore[arg-type]
