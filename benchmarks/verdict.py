"""Verdict on random packs, the node's answers included.

`POST /verify` at the maker's gateway, for random serial numbers of released batches of different sizes that lie in one
database; one request after the other on one connection, then four clients at once. Measured at the client, so HTTP is
in it.
"""

import random
import threading
import time
from collections.abc import Iterator

import orjson

from benchmarks.measuring import Bench, Figure, at_most, percentiles
from benchmarks.plant import Caller, Lot, Plant

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
        for lot in lots:
            taken = one_by_one(caller, lot, lot.serials, QUICK_REQUESTS if bench.quick else REQUESTS)
            yield from percentiles(f"a pack of {len(lot.serials):,}", taken, "ms", P95)
        rate = _together(plant, lots[-1], QUICK_SECONDS if bench.quick else SECONDS)
        yield Figure(f"{CLIENTS} clients, packs of {len(lots[-1].serials):,}", rate, "verdicts/s")


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
