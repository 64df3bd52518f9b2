"""The devnet: a real Anvil, killed, restarted and reorganised."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from packtrace.chain.node import Node, Request
from packtrace.chain.transactions import Message, send
from packtrace.errors import ChainError, ChainUnreachable
from packtrace_gateway.devnet import ACCOUNTS, PUBLIC_MNEMONIC, Devnet, find_anvil

NOBODY = "0x00000000000000000000000000000000000000AA"


@pytest.fixture
def devnet(tmp_path: Path) -> Iterator[Devnet]:
    """Instant mining, and written only when the test says so."""
    with Devnet(tmp_path / "devnet", save_interval=3600) as running:
        yield running


def raw(devnet: Devnet, nonce: int, account: int = 0) -> bytes:
    transaction: dict[str, Any] = {
        "type": 2, "chainId": devnet.chain_id, "nonce": nonce, "gas": 21_000, "to": NOBODY, "value": 1,
        "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9,
    }  # fmt: skip
    return bytes(devnet.accounts[account].sign_transaction(transaction).raw_transaction)


def wait_for(what: Any, seconds: float = 10) -> None:
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.02)


# ---- life ----


def test_devnet_starts_on_a_free_port_with_its_own_funded_accounts(devnet: Devnet) -> None:
    assert devnet.running
    assert devnet.node.chain_id() == devnet.chain_id == 31337
    assert len({account.address for account in devnet.accounts}) == ACCOUNTS
    balances = [devnet.node.request("eth_getBalance", [a.address, "latest"]) for a in devnet.accounts]
    assert {int(balance, 16) for balance in balances} == {10_000 * 10**18}
    send(devnet.node, devnet.accounts[0], Message(NOBODY, b""))


def test_accounts_are_a_secret_of_the_folder_and_never_the_public_ones(devnet: Devnet, tmp_path: Path) -> None:
    other = Devnet(tmp_path / "other")
    public = Devnet(tmp_path / "public", public_accounts=True)
    addresses = [{account.address for account in one.accounts} for one in (devnet, other, public)]
    assert "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266" in addresses[2]
    assert not addresses[0] & addresses[1]
    assert not addresses[0] & addresses[2]
    assert (devnet.folder / "devnet.json").stat().st_mode & 0o077 == 0
    assert orjson.loads((devnet.folder / "devnet.json").read_bytes())["mnemonic"] != PUBLIC_MNEMONIC


def test_stop_and_start_lose_no_block(devnet: Devnet) -> None:
    url, accounts = devnet.url, devnet.accounts
    receipt = send(devnet.node, accounts[0], Message(NOBODY, b""))
    newest = devnet.node.block()
    devnet.stop()
    assert not devnet.running
    with pytest.raises(ChainUnreachable):
        Node(url).chain_id()
    again = Devnet(devnet.folder, port=devnet.port)
    with again:
        assert (again.url, again.accounts) == (url, accounts)
        assert again.node.block() == newest
        assert again.node.receipt(receipt.transaction_hash) == receipt
        assert again.node.transaction_count(accounts[0].address) == 1
        again.mine()
        assert again.node.block().parent_hash == newest.hash


def test_state_of_older_blocks_is_unknown_after_a_start_and_their_headers_are_not(devnet: Devnet) -> None:
    devnet.mine(3)
    older = devnet.node.block(2)
    ask = Request("eth_getBalance", [NOBODY, "0x2"])
    assert devnet.node.request(*ask) == "0x0"
    devnet.restart()
    assert devnet.node.block(2) == older
    with pytest.raises(ChainError):
        devnet.node.request(*ask)
    devnet.node.request("eth_getBalance", [NOBODY, "latest"])


def test_node_before_the_first_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(ChainError, match="not started"):
        _ = Devnet(tmp_path).node


def test_restart_keeps_the_port(devnet: Devnet) -> None:
    url = devnet.url
    assert devnet.restart().url == url
    assert devnet.node.chain_id() == 31337


def test_kill_loses_what_was_not_written(devnet: Devnet) -> None:
    sender = devnet.accounts[0]
    kept = send(devnet.node, sender, Message(NOBODY, b""))
    devnet.save()
    lost = send(devnet.node, sender, Message(NOBODY, b""))
    devnet.kill()
    assert not devnet.running
    devnet.start()
    assert devnet.node.block().number == kept.block_number
    assert devnet.node.receipt(kept.transaction_hash) == kept
    assert devnet.node.receipt(lost.transaction_hash) is None
    assert devnet.node.transaction_count(sender.address) == 1


def test_chain_is_written_every_interval(tmp_path: Path) -> None:
    with Devnet(tmp_path, save_interval=0.1) as devnet:
        devnet.mine(3)
        wait_for(lambda: devnet.state_file.exists() and newest_written(devnet) == 3)
        written = devnet.state_file.stat().st_mtime_ns
        time.sleep(0.5)
        assert devnet.state_file.stat().st_mtime_ns == written  # nothing new, nothing written
        devnet.mine()
        wait_for(lambda: newest_written(devnet) == 4)
        devnet.kill()
        devnet.start()
        assert devnet.node.block().number == 4


def newest_written(devnet: Devnet) -> int:
    found: int = orjson.loads(devnet.state_file.read_bytes())["best_block_number"]
    return found


def test_kill_at_any_moment_leaves_a_chain_that_starts(tmp_path: Path) -> None:
    """Written all the time, killed in the middle: never half a file."""
    devnet = Devnet(tmp_path, save_interval=0.001)
    for attempt in range(6):
        devnet.start()
        for _ in range(5 + attempt):
            devnet.mine(50)
        devnet.kill()
        orjson.loads(devnet.state_file.read_bytes())
    devnet.start()
    assert devnet.node.block().number > 0
    devnet.stop()


def test_node_that_is_killed_from_outside_is_noticed_and_starts_again(devnet: Devnet) -> None:
    devnet.mine(2)
    devnet.save()
    os.kill(int((devnet.folder / "pid").read_text()), signal.SIGKILL)
    wait_for(lambda: not devnet.running)
    devnet.start()
    assert devnet.node.block().number == 2


def test_second_devnet_in_one_folder_is_refused(devnet: Devnet) -> None:
    with pytest.raises(ChainError, match="a devnet of this folder is running already"):
        Devnet(devnet.folder).start()
    assert devnet.node.chain_id() == 31337


def test_port_that_is_taken_is_told(devnet: Devnet, tmp_path: Path) -> None:
    with pytest.raises(ChainError, match=r"the devnet did not start: .*in use"):
        Devnet(tmp_path / "other", port=devnet.port).start()


def test_missing_program_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKTRACE_HOME", str(tmp_path))
    with pytest.raises(ChainError, match="npm ci"):
        Devnet(tmp_path / "devnet").start()


def test_program_is_anvil_itself_and_not_npms_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PACKTRACE_HOME", raising=False)
    assert find_anvil().read_bytes()[:4] in (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"MZ\x90\x00")


# ---- blocks ----


def test_paused_devnet_makes_no_block_until_told(devnet: Devnet) -> None:
    devnet.pause_mining()
    devnet.node.send_raw(raw(devnet, 0))
    devnet.node.send_raw(raw(devnet, 0, account=1))
    devnet.node.send_raw(raw(devnet, 5))
    assert devnet.pool() == (2, 1)
    assert devnet.node.block().number == 0
    devnet.mine()
    assert devnet.pool() == (0, 1)
    assert len(devnet.node.request("eth_getBlockByNumber", ["latest", False])["transactions"]) == 2
    devnet.resume_mining()
    devnet.node.send_raw(raw(devnet, 1))
    wait_for(lambda: devnet.node.block().number == 2)


def test_resuming_mines_what_waited(devnet: Devnet) -> None:
    devnet.pause_mining()
    devnet.node.send_raw(raw(devnet, 0))
    devnet.resume_mining()
    wait_for(lambda: devnet.pool() == (0, 0))
    assert devnet.node.block().number == 1


def test_blocks_by_the_clock_are_paused_and_resumed(tmp_path: Path) -> None:
    with Devnet(tmp_path, block_time=0.1) as devnet:
        wait_for(lambda: devnet.node.block().number >= 2)
        devnet.pause_mining()
        devnet.node.send_raw(raw(devnet, 0))
        height = devnet.node.block().number
        time.sleep(0.4)
        assert (devnet.node.block().number, devnet.pool()) == (height, (1, 0))
        devnet.mine()
        assert (devnet.node.block().number, devnet.pool()) == (height + 1, (0, 0))
        time.sleep(0.3)
        assert devnet.node.block().number == height + 1
        devnet.resume_mining()
        wait_for(lambda: devnet.node.block().number >= height + 3)


def test_restart_by_the_clock_goes_on_with_the_clock(tmp_path: Path) -> None:
    with Devnet(tmp_path, block_time=0.1) as devnet:
        wait_for(lambda: devnet.node.block().number >= 2)
        devnet.restart()
        height = devnet.node.block().number
        assert height >= 2
        wait_for(lambda: devnet.node.block().number > height)


def test_finality_follows_two_blocks_behind(devnet: Devnet) -> None:
    devnet.mine(10)
    tags = [devnet.node.block(tag).number for tag in ("latest", "safe", "finalized")]
    assert tags == [10, 9, 8]


def test_reorganisation_replaces_the_newest_blocks_and_drops_their_transactions(devnet: Devnet) -> None:
    devnet.mine(2)
    receipt = send(devnet.node, devnet.accounts[0], Message(NOBODY, b""))
    before = [devnet.node.block(number) for number in (1, 2, 3)]
    devnet.reorg(2)
    after = [devnet.node.block(number) for number in (1, 2, 3)]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, False]
    assert devnet.node.receipt(receipt.transaction_hash) is None
    assert (devnet.pool(), devnet.node.transaction_count(devnet.accounts[0].address)) == ((0, 0), 0)


def test_reverting_goes_back_to_the_snapshot_once(devnet: Devnet) -> None:
    devnet.mine(2)
    snapshot = devnet.snapshot()
    devnet.mine(2)
    devnet.revert(snapshot)
    assert devnet.node.block().number == 2
    with pytest.raises(ChainError, match="no such snapshot"):
        devnet.revert(snapshot)


def test_clock_can_be_moved_forward(devnet: Devnet) -> None:
    before = devnet.node.block().timestamp
    devnet.advance_time(86_400)
    devnet.mine()
    assert devnet.node.block().timestamp >= before + 86_400


# ---- the command ----


def test_command_runs_until_it_is_told_to_stop_and_keeps_the_chain(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("python")
    code = "from packtrace_gateway.devnet_commands import app; app()"
    command = [program, "-u", "-c", code, "--folder", str(tmp_path), "--block-time", "0.2", "--chain-id", "777"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"Devnet 777 at (http://127\.0\.0\.1:\d+);", first)
        assert found, first
        node = Node(found[1])
        wait_for(lambda: node.block().number >= 2)
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert rest.count("0x") == 2 * ACCOUNTS
    assert "no block is lost" in rest
    with pytest.raises(ChainUnreachable):
        node.chain_id()
    with Devnet(tmp_path) as again:
        assert again.chain_id == 777
        assert again.node.block().number >= 2


@pytest.mark.parametrize("origin", [None, "https://127.0.0.1:8443"])
def test_only_the_page_that_was_named_may_ask_from_a_browser(tmp_path: Path, origin: str | None) -> None:
    """Anvil signs for its own accounts: any web page that a developer opens could send from them."""
    with Devnet(tmp_path, origin=origin) as devnet:
        for asking in ("https://127.0.0.1:8443", "https://example.com"):
            headers = {"Origin": asking, "Access-Control-Request-Method": "POST"}
            allowed = httpx.options(devnet.url, headers=headers).headers.get("access-control-allow-origin")
            assert (allowed == asking) is (asking == origin)
