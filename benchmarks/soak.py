"""Everything that can go wrong, again and again, on a real gateway that captures meanwhile: what is lost in the end.

A maker's gateway in a process of its own reaches a devnet with a block every second through two proxies that can fail.
A line commissions small lots without a break. In random order the gateway is killed (kill -9), its clock moved by an
hour, its disk filled; the devnet is killed with and without its last blocks, reorganised up to one block beyond
finality, its pool emptied, its fees raised above the cap, its blocks stopped; the nodes hang, answer late or wrong, or
drop half of what they are asked; and another process sends with the relayer's key. Then all is well again, and
everything that was acknowledged must be final, once, without anybody's help. A run that loses something fails.
"""

import contextlib
import os
import random
import resource
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from eth_account import Account

from benchmarks.measuring import Bench, Figure, at_most
from benchmarks.plant import LOT_EXPIRY, Caller, Plant
from benchmarks.unreliable import Proxy
from packtrace.chain.node import Node
from packtrace.errors import ChainError, PacktraceError
from packtrace.gs1 import sgtin_uri
from packtrace.gs1.serials import draw
from packtrace_gateway.demo import documents
from packtrace_gateway.demo.companies import GTIN, MAKER
from packtrace_gateway.keys import KeyRing, Purpose
from packtrace_gateway.settings import FILE_NAME

SECONDS, QUICK_SECONDS = 240.0, 8.0
LASTS = 4.0  # seconds of a fault that has an end
REST = (1.0, 4.0)  # seconds between two faults
PACKS = 10
PAUSE = 1.5  # seconds between two captures: each makes a call of its own, and a call takes a block
HOUR = 3_600
FINALITY = 2  # blocks, on the devnet
PATIENCE = 240.0  # seconds until all is final in the end
ABOVE_THE_CAP = 600 * 10**9
PAST_A_FULL_POOL = "eth_sendRawTransaction"
CLOCK = """import time
from pathlib import Path
_real, _file = time.time, Path(__file__).with_name("offset")
time.time = lambda: _real() + float(_file.read_text() or 0)
"""


class Mill(Plant):
    """The plant, whose gateway has two nodes that can fail, and a clock that can be moved."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.clock = folder.with_name("clock")
        self.proxies: list[Proxy] = []

    def configure(self) -> None:
        self.proxies = [Proxy(self.network.devnet.url, seed=number, delay=1.0).__enter__() for number in range(2)]
        file = self.maker.folder / FILE_NAME
        lines = [line for line in file.read_text().splitlines() if not line.startswith("node = ")]
        nodes = ", ".join(f'"{proxy.url}"' for proxy in self.proxies)
        file.write_text("\n".join([*lines, f"node = [{nodes}]", "node_timeout = 3.0", ""]))
        self.clock.mkdir()
        (self.clock / "sitecustomize.py").write_text(CLOCK)
        self.move_clock(0)
        os.environ["PYTHONPATH"] = f"{self.clock}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"

    def move_clock(self, offset: int) -> None:
        draft = self.clock / "offset.draft"
        draft.write_text(str(offset))
        draft.replace(self.clock / "offset")

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for proxy in self.proxies:
            proxy.__exit__(None, None, None)


class Line(threading.Thread):
    """Commissions small lots without a break; a capture that is not acknowledged is sent again as it is."""

    def __init__(self, mill: Mill) -> None:
        super().__init__(daemon=True)
        self._mill = mill
        self._end = threading.Event()
        self.acknowledged: list[str] = []
        self.refused: Counter[str] = Counter()

    def run(self) -> None:
        caller = Caller(self._mill.maker)
        while not self._end.wait(PAUSE):
            number, body = _lot()
            while True:
                try:
                    caller.post("/capture", body)
                    self.acknowledged.append(number)
                    break
                except PacktraceError as error:
                    self.refused[str(error)[:60]] += 1
                    if self._end.wait(1.0):
                        return
                except OSError:
                    caller.close()
                    if self._end.wait(0.5):
                        return

    def stop(self) -> None:
        self._end.set()
        self.join()


class Faults:
    """What is done to the gateway. Each method lasts as long as its fault."""

    def __init__(self, mill: Mill, chance: random.Random) -> None:
        self._mill = mill
        self._chance = chance
        self._devnet = mill.network.devnet

    def all(self) -> list[tuple[str, Callable[[], None]]]:
        """Every fault by its name."""
        nodes = [(f"a node: {mode}", self._node(mode)) for mode in ("hang", "late", "page", "wrong", "drop", "refuse")]
        return [
            ("gateway killed", self.gateway_killed),
            ("devnet killed without its last blocks", self.devnet_killed),
            ("devnet killed with all its blocks", self.devnet_restarted),
            ("reorganisation", self.reorganised),
            *nodes,
            ("both nodes gone", self.both_gone),
            ("pool full", self.pool_full),
            ("pool emptied", self.pool_emptied),
            ("fee spike", self.fee_spike),
            ("another process with the relayer's key", self.foreign),
            ("clock moved by an hour", self.clock_moved),
            ("disk full", self.disk_full),
            ("no blocks", self.no_blocks),
        ]

    def gateway_killed(self) -> None:
        time.sleep(self._chance.uniform(0, 1.5))
        self._mill.maker.kill()
        self._mill.maker.start()
        self._mill.maker.wait_until_healthy()

    def devnet_killed(self) -> None:
        self._devnet.kill()
        self._devnet.start()

    def devnet_restarted(self) -> None:
        self._devnet.restart()

    def reorganised(self) -> None:
        self._devnet.reorg(self._chance.randint(1, FINALITY + 1))

    def _node(self, mode: str) -> Callable[[], None]:
        def fault() -> None:
            proxy = self._chance.choice(self._mill.proxies)
            proxy.become(mode)
            time.sleep(LASTS)
            proxy.become("good")

        return fault

    def both_gone(self) -> None:
        for proxy in self._mill.proxies:
            proxy.become("refuse")
        time.sleep(LASTS)
        for proxy in self._mill.proxies:
            proxy.become("good")

    def pool_full(self) -> None:
        def full(request: dict[str, Any], response: dict[str, Any]) -> None:
            if request["method"] == PAST_A_FULL_POOL:
                response.pop("result", None)
                response["error"] = {"code": -32000, "message": "txpool is full"}

        for proxy in self._mill.proxies:
            proxy.held, proxy.rewrite = (PAST_A_FULL_POOL,), full
        time.sleep(LASTS)
        for proxy in self._mill.proxies:
            proxy.held, proxy.rewrite = (), None

    def pool_emptied(self) -> None:
        self._devnet.node.request("anvil_dropAllTransactions")

    def fee_spike(self) -> None:
        self._devnet.node.request("anvil_setNextBlockBaseFeePerGas", [hex(ABOVE_THE_CAP)])

    def foreign(self) -> None:
        """Both nonces that one can find: the next one on chain, and the next one after the pool."""
        account = KeyRing.load(self._mill.maker.settings).account(Purpose.RELAYER)
        node: Node = self._devnet.node
        for counted in ("latest", "pending"):
            base, tip = node.fees()
            transaction = {
                "type": 2, "chainId": self._devnet.chain_id, "gas": 21_000, "value": 1, "data": b"",
                "nonce": node.transaction_count(account.address, counted), "to": Account.create().address,
                "maxFeePerGas": 4 * base + 2 * tip, "maxPriorityFeePerGas": 2 * tip,
            }  # fmt: skip
            with contextlib.suppress(ChainError):
                node.send_raw(bytes(account.sign_transaction(transaction).raw_transaction))

    def clock_moved(self) -> None:
        self._mill.move_clock(self._chance.choice((HOUR, -HOUR)))
        time.sleep(LASTS)
        self._mill.move_clock(0)

    def disk_full(self) -> None:
        """No file of the gateway's may grow."""
        process = self._mill.process
        _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (4096, hard))
        time.sleep(LASTS)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))

    def no_blocks(self) -> None:
        self._devnet.pause_mining()
        time.sleep(LASTS)
        self._devnet.resume_mining()


def measure(bench: Bench) -> Iterator[Figure]:
    seed = 7 if bench.quick else int.from_bytes(os.urandom(4))
    chance = random.Random(seed)
    done: Counter[str] = Counter()
    with Mill(bench.folder / "network") as mill:
        line = Line(mill)
        line.start()
        begun = time.monotonic()
        end = begun + (QUICK_SECONDS if bench.quick else SECONDS)
        while time.monotonic() < end:
            faults = Faults(mill, chance).all()
            chance.shuffle(faults)
            for name, fault in faults:
                fault()
                done[name] += 1
                time.sleep(chance.uniform(*REST))
                if time.monotonic() >= end:
                    break
        seconds = time.monotonic() - begun
        line.stop()
        healed = _healed(mill)
        counts = _counts(mill, line.acknowledged)
    yield Figure(f"faults of {len(done)} kinds in {seconds:.0f} s (seed {seed})", sum(done.values()), "")
    for name, count in sorted(done.items()):
        yield Figure(f"… {name}", count, "")
    yield Figure("captures acknowledged", len(line.acknowledged), "")
    yield Figure("captures sent again", sum(line.refused.values()), "")
    yield Figure("from the last fault until all was final", healed, "s")
    yield Figure("acknowledged events that are not final", counts["lost"], "", at_most(0))
    yield Figure("events anchored twice", counts["twice"], "", at_most(0))
    yield Figure("calls carried out for others than for a row", counts["unknown"], "", at_most(0))
    if any(counts.values()):
        raise PacktraceError("the soak has lost something", value=str(dict(counts)))


def _lot() -> tuple[str, bytes]:
    event = documents.commissioning(
        MAKER, [sgtin_uri(GTIN, serial) for serial in draw(PACKS)], f"S{time.time_ns() % 10**14}", LOT_EXPIRY
    )
    event["eventID"] = f"urn:uuid:{uuid.uuid4()}"
    return str(event["eventID"]), orjson.dumps(documents.document(event))


def _healed(mill: Mill) -> float:
    """Seconds until nothing waits any more, with nobody's help."""
    begun = time.monotonic()
    while True:
        with closing(sqlite3.connect(_database(mill), uri=True)) as database:
            (open_,) = database.execute(
                "SELECT (SELECT count(*) FROM outbox WHERE state NOT IN ('final', 'reverted', 'superseded'))"
                " + (SELECT count(*) FROM event WHERE seal_id IS NULL AND secret IS NOT NULL)"
            ).fetchone()
        if not open_:
            return time.monotonic() - begun
        if time.monotonic() > begun + PATIENCE:
            raise PacktraceError("the gateway did not heal", value=mill.maker.client.get("/outbox"))
        time.sleep(0.2)


def _counts(mill: Mill, acknowledged: list[str]) -> Counter[str]:
    """What is wrong: the gateway's own database against the chain."""
    with closing(sqlite3.connect(_database(mill), uri=True)) as database:
        rows = database.execute(
            "SELECT event.event_id FROM event JOIN seal ON seal.id = event.seal_id WHERE seal.state = 'final'"
        )
        final = {number for (number,) in rows}
        (sealed,) = database.execute("SELECT count(*) FROM event WHERE seal_id IS NOT NULL").fetchone()
        (reverted,) = database.execute("SELECT count(*) FROM outbox WHERE state = 'reverted'").fetchone()
        (unknown,) = database.execute("SELECT count(*) FROM outbox WHERE recovered").fetchone()
    node, deployment = mill.network.devnet.node, mill.network.deployment
    head = node.block().number
    appended = node.logs(deployment, 0, head, contract="EventLog", event="Appended")
    proposed = node.logs(deployment, 0, head, contract="PackLedger", event="BatchProposed")
    batches = [log.args["batch"] for log in proposed]
    return Counter(
        lost=len(set(acknowledged) - final) + reverted,
        twice=sum(log.args["count"] for log in appended) - sealed + len(batches) - len(set(batches)),
        unknown=unknown,
    )


def _database(mill: Mill) -> str:
    return f"file:{mill.maker.folder / 'gateway.db'}?mode=ro"
