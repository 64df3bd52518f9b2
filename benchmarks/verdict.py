"""Verdict on random packs, the node's answers included.

`POST /verify` at the maker's gateway, for random serial numbers of released batches of different sizes that lie in one
database; one request after the other on one connection, then four clients at once, then one while the gateway captures
another batch. Measured at the client, so HTTP is in it. Then the same at a gateway with two nodes, of which the
preferred one stops answering.
"""

import random
import threading
import time
from collections.abc import Iterator

import orjson

from benchmarks.measuring import Bench, Figure, at_most, cpu_seconds, percentiles
from benchmarks.plant import Caller, Lot, Plant, new_lot
from benchmarks.unreliable import Proxy
from packtrace_gateway.settings import FILE_NAME

SIZES = (10_000, 100_000, 1_000_000)
QUICK_SIZES = (500, 5_000)
REQUESTS, QUICK_REQUESTS = 500, 20
WARM_UP = 20
CLIENTS = 4
SECONDS, QUICK_SECONDS = 10.0, 1.0
P95 = at_most(30)  # ms
GOOD = "authentic, available"


def measure(bench: Bench) -> Iterator[Figure]:
    with Plant(bench.folder / "network") as plant:
        caller = Caller(plant.maker)
        lots = [plant.commission(caller, size) for size in (QUICK_SIZES if bench.quick else SIZES)]
        plant.release(lots)
        one_by_one(caller, lots[0], lots[0].serials, WARM_UP)
        requests = QUICK_REQUESTS if bench.quick else REQUESTS
        for lot in lots:
            before = cpu_seconds(plant.process)
            taken = one_by_one(caller, lot, lot.serials, requests)
            after = cpu_seconds(plant.process)
            yield from percentiles(f"a pack of {len(lot.serials):,}", taken, "ms", P95)
            if before is not None and after is not None:
                name = f"a pack of {len(lot.serials):,}, the gateway's CPU time"
                yield Figure(name, (after - before) * 1000 / requests, "ms")
        rate = _together(plant, lots[-1], QUICK_SECONDS if bench.quick else SECONDS)
        yield Figure(f"{CLIENTS} clients, packs of {len(lots[-1].serials):,}", rate, "verdicts/s")
        taken = _meanwhile(plant, caller, lots[-1])
        yield from percentiles(f"while {len(lots[-1].serials):,} are captured", taken, "ms")
    with TwoNodes(bench.folder / "two nodes") as plant:
        caller = Caller(plant.maker)
        lot = plant.commission(caller, QUICK_SIZES[0])
        plant.release([lot])
        one_by_one(caller, lot, lot.serials, WARM_UP)
        plant.preferred.become("hang")
        taken = one_by_one(caller, lot, lot.serials, requests)
        yield Figure("the preferred of two nodes hangs: the slowest verdict", max(taken), "ms")
        yield from percentiles("the preferred of two nodes hangs", taken, "ms")


class TwoNodes(Plant):
    """A maker with two nodes; the preferred one can be told how to fail."""

    def configure(self) -> None:
        url = self.network.devnet.url
        self.preferred = Proxy(url).__enter__()
        file = self.maker.folder / FILE_NAME
        lines = [line for line in file.read_text().splitlines() if not line.startswith("node = ")]
        file.write_text("\n".join([*lines, f'node = ["{self.preferred.url}", "{url}"]', ""]))

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.preferred.__exit__(None, None, None)


def one_by_one(caller: Caller, lot: Lot, serials: list[str], requests: int) -> list[float]:
    """Milliseconds of each request, for random serials."""
    taken = []
    for serial in random.choices(serials, k=requests):
        question = lot.question(serial)
        begun = time.perf_counter()
        answer = caller.post("/verify", question)
        taken.append((time.perf_counter() - begun) * 1000)
        check(answer)
    return taken


def check(answer: bytes) -> None:
    """A quick answer that is wrong would count for nothing."""
    headline = orjson.loads(answer)["verdict"]["headline"]
    assert headline == GOOD, answer[:2000]


def _together(plant: Plant, lot: Lot, seconds: float) -> float:
    """Verdicts a second that all clients get together."""
    counts = [0] * CLIENTS
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        caller = Caller(plant.maker)
        while time.perf_counter() < end:
            check(caller.post("/verify", lot.question(random.choice(lot.serials))))
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def _meanwhile(plant: Plant, caller: Caller, lot: Lot) -> list[float]:
    """Milliseconds of each request, one after the other, while another lot of the same size is captured."""
    body = new_lot(len(lot.serials)).commissioning()
    capture = threading.Thread(target=Caller(plant.maker).post, args=("/capture", body))
    capture.start()
    taken: list[float] = []
    while capture.is_alive() or not taken:
        taken += one_by_one(caller, lot, lot.serials, 1)
    return taken
