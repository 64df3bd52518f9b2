"""How much one gateway gets to the chain: events sealed and anchored, and status changes, a second.

A devnet with a block every second, a gateway that seals every second. Events are inspections of single packs, in
documents of 100; changes of status are sent 200 packs a call, then one pack a call. Beside each rate stands what the
gateway spent on it: seconds in which its database was held for writing, and seconds in which a node was asked. Calls of
one key go to the chain one after the other, so a call a block is the most for them.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence

import orjson

from benchmarks.measuring import Bench, Figure
from benchmarks.plant import LOT_EXPIRY, Caller, Lot, Plant
from packtrace.errors import PacktraceError
from packtrace.gs1 import sgtin_uri
from packtrace_gateway.demo import documents
from packtrace_gateway.demo.companies import GTIN, MAKER

EVENTS, QUICK_EVENTS = 5_000, 200
IN_A_DOCUMENT = 100
CALLS, QUICK_CALLS = 10, 2
IN_A_CALL = 200
PATIENCE = 300.0
POLL = 0.05
UNCONFIRMED = 'state="queued"', 'state="signed"', 'state="broadcast"'


def measure(bench: Bench) -> Iterator[Figure]:
    events = QUICK_EVENTS if bench.quick else EVENTS
    calls = QUICK_CALLS if bench.quick else CALLS
    with Plant(bench.folder / "network") as plant:
        caller = Caller(plant.maker)
        lot = plant.commission(caller, max(IN_A_DOCUMENT, calls * (IN_A_CALL + 1)))
        plant.release([lot])
        yield from _events(caller, lot, events)
        packs = iter(random.sample(lot.serials, len(lot.serials)))
        for size in (IN_A_CALL, 1):
            groups = [[next(packs) for _ in range(size)] for _ in range(calls)]
            yield from _changes(caller, lot, groups)


def _events(caller: Caller, lot: Lot, count: int) -> Iterator[Figure]:
    bodies = []
    for number in range(0, count, IN_A_DOCUMENT):
        serials = random.choices(lot.serials, k=min(IN_A_DOCUMENT, count - number))
        bodies.append(orjson.dumps(documents.document(*(_inspection(serial, number) for serial in serials))))
    before = _spent(caller)
    begun = time.perf_counter()
    for body in bodies:
        caller.post("/capture", body)
    acknowledged = time.perf_counter() - begun
    _until(caller, lambda text: not _sum(text, "packtrace_events_unsealed") + _waiting(text))
    anchored = time.perf_counter() - begun
    yield Figure(f"{count:,} events captured and acknowledged", count / acknowledged, "events/s")
    yield Figure(f"{count:,} events captured, sealed and anchored", count / anchored, "events/s")
    yield from _shares(f"{count:,} events", before, _spent(caller))


def _changes(caller: Caller, lot: Lot, groups: Sequence[Sequence[str]]) -> Iterator[Figure]:
    size, count = len(groups[0]), sum(map(len, groups))
    code = {"gtin": GTIN, "lot": lot.number, "expiry": LOT_EXPIRY}
    before = _spent(caller)
    begun = time.perf_counter()
    for serials in groups:
        packs = [{**code, "serial": serial} for serial in serials]
        caller.post("/status", orjson.dumps({"to": "sampled", "packs": packs}))
    accepted = time.perf_counter() - begun
    _until(caller, lambda text: not _waiting(text))
    done = time.perf_counter() - begun
    name = f"{len(groups)} calls of {size} packs"
    yield Figure(f"{name}: verified and queued", count / accepted, "changes/s")
    yield Figure(f"{name}: changed on chain", count / done, "changes/s")
    yield from _shares(name, before, _spent(caller))


def _inspection(serial: str, number: int) -> dict[str, object]:
    event = documents.receiving(MAKER, [sgtin_uri(GTIN, serial)])
    return event | {"bizStep": "inspecting", "eventTime": f"2026-01-05T08:00:00.{number % 1000:03}Z"}


def _shares(name: str, before: tuple[float, float], after: tuple[float, float]) -> Iterator[Figure]:
    for part, one, other in zip(("database held for writing", "nodes asked"), before, after, strict=True):
        yield Figure(f"{name}: {part}", other - one, "s")


def _spent(caller: Caller) -> tuple[float, float]:
    text = _metrics(caller)
    database = _sum(text, "packtrace_database_write_seconds_total")
    return database, _sum(text, "packtrace_node_request_seconds_total")


def _waiting(text: str) -> float:
    """Calls that are in no block yet."""
    return sum(_sum(text, "packtrace_outbox_rows", state) for state in UNCONFIRMED)


def _sum(text: str, name: str, label: str = "") -> float:
    pattern = rf"^{name}(?:\{{([^}}]*)\}})? (\S+)$"
    return sum(float(value) for labels, value in re.findall(pattern, text, re.M) if label in labels)


def _metrics(caller: Caller) -> str:
    return caller.text("/metrics")


def _until(caller: Caller, done: Callable[[str], bool]) -> None:
    limit = time.perf_counter() + PATIENCE
    while not done(_metrics(caller)):
        if time.perf_counter() > limit:
            raise PacktraceError("not everything reached the chain", value=caller.get("/outbox"))
        time.sleep(POLL)
