"""Capture of one commissioning event through HTTP into SQLite.

Each document goes to a fresh gateway, which validates it, computes the CBV hash and the item tree, stores and syncs all
of it, and then acknowledges. The client is another process and has the body ready.
"""

import time
from collections.abc import Iterator

from benchmarks.measuring import Bench, Figure, at_least, at_most, median, peak_memory
from benchmarks.plant import Caller, Plant, new_lot

SIZES = (10_000, 100_000, 1_000_000)
QUICK_SIZES = (500, 5_000)
REPEATS = 3
RATE, RATE_FROM = at_least(80_000), 100_000  # units a second, on two cores, from this size on
MEMORY = at_most(1_000)  # MB
LINEAR = at_least(0.9)


def measure(bench: Bench) -> Iterator[Figure]:
    rates: list[float] = []
    for size in QUICK_SIZES if bench.quick else SIZES:
        found = [_capture(bench, size, number) for number in range(1 if bench.quick else REPEATS)]
        rates.append(median([size / taken for taken, _ in found]))
        yield Figure(f"{size:,} serials", rates[-1], "units/s", RATE if size >= RATE_FROM else None)
        memory = [peak for _, peak in found if peak is not None]
        if memory:
            yield Figure(f"{size:,} serials, the gateway's peak memory", max(memory), "MB", MEMORY)
    yield Figure("rate of the largest, to that of the second largest", rates[-1] / rates[-2], "", LINEAR)


def _capture(bench: Bench, size: int, number: int) -> tuple[float, float | None]:
    """Seconds until the acknowledgement, and the gateway's peak memory."""
    body = new_lot(size).commissioning()
    with Plant(bench.folder / f"{size}-{number}") as plant:
        caller = Caller(plant.maker)
        caller.get("/health")  # connected
        begun = time.perf_counter()
        caller.post("/capture", body)
        taken = time.perf_counter() - begun
        return taken, peak_memory(plant.process)
