"""A devnet: one Anvil node on this machine that keeps its chain in a folder.

What Anvil 1.7.1 does, found by trying:

* `--block-time` makes blocks by the clock and switches instant mining off. `evm_setIntervalMining(0)` then stops the
  clock; transactions wait in the pool until `evm_mine`, which makes a block at once, clock or not.
  `evm_setAutomine(true)` would replace the clock by instant mining, and `false` does not bring the clock back, so the
  two modes are paused in different ways here. `evm_setIntervalMining` takes whole seconds only, `--block-time`
  fractions too.
* With `--slots-in-an-epoch 1` the tag `safe` is one block, and `finalized` two blocks behind `latest`.
* Anvil's own `--state-interval` rewrites the state file in place: a kill -9 in the middle leaves half a file, and a
  node that does not start any more. So the chain is written here, from `anvil_dumpState`, to a new file that then
  takes the old one's name.
* A kill -9 loses the blocks since the last write (at most `SAVE_INTERVAL` seconds and the time a write takes, longer
  when writing takes longer), and every kind of end loses the transactions that wait in the pool.
* After a start the state of blocks before the newest is unknown (`eth_call` at them is refused); their headers,
  transactions and receipts are there.
* `anvil_reorg` replaces the newest blocks by as many empty ones; their transactions are gone, not back in the pool.
"""

import contextlib
import fcntl
import gzip
import logging
import math
import os
import secrets
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import orjson
from eth_account import Account
from eth_account.signers.local import LocalAccount

from packtrace.chain.node import Node
from packtrace.errors import ChainError, ChainUnreachable

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
CHAIN_ID = 31337
ACCOUNTS = 10
"""Funded accounts, with 10,000 ether each."""
PUBLIC_MNEMONIC = "test test test test test test test test test test test junk"
"""Anvil's and Hardhat's well-known accounts: only for who asks for them."""
SAVE_INTERVAL = 1.0
SAVE_SHARE = 10
"""Writing the chain takes at most one part in so many of the time, however long the chain gets."""
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0
POLL = 0.02
MAX_ANSWER = 60.0
"""Seconds for one answer; the dump of a long chain takes some."""


class PoolCounts(NamedTuple):
    """Transactions in the pool: `pending` can be mined now, `queued` waits for an earlier nonce."""

    pending: int
    queued: int


class Devnet:
    """An Anvil node whose chain, accounts and log live in `folder`.

    `block_time` in seconds (None: each transaction is mined at once); `port` 0 takes a free one, which a restart
    keeps. A folder that held a devnet before goes on with its chain and accounts; `public_accounts` and `chain_id`
    count only for a new one. With `free` nothing costs fees, as in many a consortium. A page of
    the web `origin` may ask this node from a browser; without it none may, as the node signs for its own accounts. Also
    a context manager: starts, and stops in the end.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        block_time: float | None = None,
        chain_id: int = CHAIN_ID,
        public_accounts: bool = False,
        free: bool = False,
        origin: str | None = None,
        save_interval: float = SAVE_INTERVAL,
    ) -> None:
        self.folder = Path(folder)
        self.port = port
        self.block_time = block_time
        self.free = free
        self.origin = origin
        self.save_interval = save_interval
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._settings = self._remembered(chain_id, public_accounts)
        self.chain_id: int = self._settings["chainId"]
        self.accounts: tuple[LocalAccount, ...] = _accounts(self._settings["mnemonic"])
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._node: Node | None = None
        self._stopping = threading.Event()
        self._saving = threading.Lock()
        self._saver: threading.Thread | None = None

    # ---- life ----

    @property
    def url(self) -> str:
        """The node's JSON-RPC address."""
        return f"http://{HOST}:{self.port}"

    @property
    def node(self) -> Node:
        """A client of this devnet; `ChainError` before its first start."""
        if self._node is None:
            raise ChainError("the devnet was not started yet", field="devnet", value=str(self.folder))
        return self._node

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def state_file(self) -> Path:
        """The chain as last written."""
        return self.folder / "state.json"

    @property
    def log_file(self) -> Path:
        """What Anvil printed."""
        return self.folder / "anvil.log"

    def start(self) -> Self:
        """Start the node and wait until it answers; `ChainError` says why it does not."""
        if self.running:
            return self
        self.kill()  # what is left of a node that ended by itself
        binary = find_anvil()
        self._lock = self._locked()
        with self.log_file.open("ab") as output:
            begin = output.tell()
            # a session of its own: Ctrl-C in a terminal reaches the parent, which then stops the node in good order
            self._process = subprocess.Popen(
                [str(binary), *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self._lock.fileno(),),  # the node holds the folder's lock as long as it lives
            )
        try:
            self._wait_until_it_answers(begin)
        except BaseException:
            self.kill()
            raise
        self._stopping = threading.Event()
        self._saver = threading.Thread(target=self._save_regularly, name="devnet-state", daemon=True)
        self._saver.start()
        return self

    def stop(self) -> None:
        """End the node in good order: no block is lost. What waits in the pool is."""
        if self._process is None:
            return
        self._end_saver()
        if self.running:
            with contextlib.suppress(ChainError):
                self.pause_mining()
                self.save()
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT)
        self._kill()

    def kill(self) -> None:
        """End the node as a power cut would (SIGKILL): the newest blocks are lost."""
        self._kill()
        self._end_saver()

    def restart(self) -> Self:
        """Stop and start again, on the same port."""
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # ---- blocks ----

    def mine(self, blocks: int = 1) -> None:
        """Make blocks now, the first with what waits in the pool."""
        self.node.request("anvil_mine", [hex(blocks)])

    def pause_mining(self) -> None:
        """Make no block but by `mine`; transactions wait in the pool."""
        if self.block_time is None:
            self.node.request("evm_setAutomine", [False])
        else:
            self.node.request("evm_setIntervalMining", [0])

    def resume_mining(self) -> None:
        """Make blocks again, what waits first; by the clock in whole seconds, a fraction counts as one."""
        if self.block_time is None:
            self.node.request("evm_setAutomine", [True])
        else:
            self.node.request("evm_setIntervalMining", [math.ceil(self.block_time)])

    def snapshot(self) -> str:
        """Remember the chain as it is now, for `revert`."""
        return str(self.node.request("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Back to a snapshot, which is used up by this: the blocks since then are gone."""
        if not self.node.request("evm_revert", [snapshot]):
            raise ChainError("the devnet has no such snapshot", field="snapshot", value=snapshot)

    def reorg(self, depth: int) -> None:
        """Replace the newest `depth` blocks by empty ones; their transactions are lost."""
        self.node.request("anvil_reorg", [depth, []])

    def pool(self) -> PoolCounts:
        """How many transactions wait."""
        found = self.node.request("txpool_status")
        return PoolCounts(int(found["pending"], 16), int(found["queued"], 16))

    def advance_time(self, seconds: int) -> None:
        """Move the clock forward, for the next block on."""
        self.node.request("evm_increaseTime", [seconds])

    def fund(self, address: str, wei: int) -> None:
        """Give an account this balance, as only a devnet can."""
        self.node.request("anvil_setBalance", [address, hex(wei)])

    def save(self) -> None:
        """Write the chain to `state_file` now."""
        with self._saving:
            self._save()

    def _save(self) -> None:
        packed: str = self.node.request("anvil_dumpState")
        state = gzip.decompress(bytes.fromhex(packed[2:]))
        draft = self.state_file.with_suffix(".draft")
        with draft.open("wb") as file:
            file.write(state)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.state_file)

    # ---- inside ----

    def _remembered(self, chain_id: int, public_accounts: bool) -> dict[str, Any]:
        """The devnet's fixed settings, kept beside its chain."""
        file = self.folder / "devnet.json"
        if file.exists():
            settings: dict[str, Any] = orjson.loads(file.read_bytes())
            return settings
        settings = {"chainId": chain_id, "mnemonic": PUBLIC_MNEMONIC if public_accounts else _new_mnemonic()}
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(orjson.dumps(settings, option=orjson.OPT_INDENT_2))
        return settings

    def _locked(self) -> IO[bytes]:
        lock = (self.folder / "lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise ChainError(
                "a devnet of this folder is running already; stop it first (its number is in the file `pid`), or "
                "choose another folder",
                field="folder",
                value=str(self.folder),
            ) from None
        return lock

    def _arguments(self) -> list[str]:
        arguments = ["--host", HOST, "--port", str(self.port), "--chain-id", str(self.chain_id)]
        arguments += ["--accounts", str(ACCOUNTS), "--mnemonic", self._settings["mnemonic"]]
        arguments += ["--slots-in-an-epoch", "1"]
        arguments += ["--allow-origin", self.origin] if self.origin else ["--no-cors"]
        arguments += ["--enable-tx-gas-limit"]  # EIP-7825, as on a public network
        if self.free:
            arguments += ["--disable-min-priority-fee"]
        if self.block_time is not None:
            arguments += ["--block-time", f"{self.block_time:g}"]
        if self.state_file.exists():
            arguments += ["--load-state", str(self.state_file)]
        return arguments

    def _wait_until_it_answers(self, begin: int) -> None:
        assert self._process is not None
        (self.folder / "pid").write_text(f"{self._process.pid}\n")
        limit = time.monotonic() + START_TIMEOUT
        while time.monotonic() < limit and self._process.poll() is None:
            printed = self.log_file.read_bytes()[begin:]
            marker = f"Listening on {HOST}:".encode()
            if marker in printed:
                self.port = int(printed.split(marker)[1].split()[0])
                self._node = Node(self.url, timeout=MAX_ANSWER)
                with contextlib.suppress(ChainUnreachable):
                    self.node.chain_id()
                    if (
                        self.free
                    ):  # a base fee of 0 stays 0; that of a chain that goes on would come from its last block
                        self.node.request("anvil_setNextBlockBaseFeePerGas", ["0x0"])
                        self.mine()
                    return
            time.sleep(POLL)
        lines = self.log_file.read_bytes()[begin:].decode("utf-8", "replace").split("\n")
        reason = next((line for line in reversed(lines) if line.strip()), "it printed nothing")
        raise ChainError(f"the devnet did not start: {reason.strip()}. Its log is {self.log_file}", field="devnet")

    def _save_regularly(self) -> None:
        pause, saved = self.save_interval, None
        while not self._stopping.wait(pause):
            began = time.monotonic()
            try:
                newest = self.node.block("latest")
                if newest != saved:
                    self.save()
                    saved = newest
            except ChainUnreachable:  # killed; the owner of this devnet will notice
                log.debug("the devnet at %s did not answer", self.url)
            except (ChainError, OSError):
                log.exception("the devnet's chain could not be written to %s", self.state_file)
            pause = max(self.save_interval, SAVE_SHARE * (time.monotonic() - began))

    def _end_saver(self) -> None:
        self._stopping.set()
        if self._saver:
            self._saver.join()
            self._saver = None

    def _kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._lock:
            self._lock.close()
            self._lock = None


def find_anvil() -> Path:
    """Anvil's own program (not npm's script around it, which would survive it as a parent).

    Looked for in `node_modules` of the folder that PACKTRACE_HOME names, else of the checkout that this file is in.
    """
    home = os.environ.get("PACKTRACE_HOME")
    bases = [Path(home)] if home else list(Path(__file__).resolve().parents)
    for base in bases:
        for found in sorted((base / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*")):
            return found
    raise ChainError(
        "Anvil, the devnet's node, is not installed; type `npm ci` in packtrace's folder (./packtrace does it), or set "
        "PACKTRACE_HOME to that folder",
        field="PACKTRACE_HOME",
        value=home,
    )


def _new_mnemonic() -> str:
    Account.enable_unaudited_hdwallet_features()
    return str(Account.create_with_mnemonic(secrets.token_hex(16))[1])


def _accounts(mnemonic: str) -> tuple[LocalAccount, ...]:
    Account.enable_unaudited_hdwallet_features()
    return tuple(Account.from_mnemonic(mnemonic, account_path=f"m/44'/60'/0'/0/{i}") for i in range(ACCOUNTS))
