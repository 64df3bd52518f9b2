"""From the acknowledgement of a capture until it is anchored, and final.

A devnet with a block every second, a gateway that seals every second (the default is every five); captures come at
random moments. The chain's own `finalized` block is two behind the newest here.
"""

import random
import time
import uuid
from collections.abc import Iterator

import orjson

from benchmarks.measuring import Bench, Figure, percentiles
from benchmarks.plant import LOT_EXPIRY, Caller, Plant
from packtrace.errors import PacktraceError
from packtrace.gs1 import sgtin_uri
from packtrace.gs1.serials import draw
from packtrace_gateway.demo import documents
from packtrace_gateway.demo.companies import GTIN, MAKER

CAPTURES, QUICK_CAPTURES = 20, 3
PACKS = 100
MOST_PAUSE = 2.0  # seconds between two captures
POLL = 0.02
PATIENCE = 60.0
STATES = ("anchored", "final")


def measure(bench: Bench) -> Iterator[Figure]:
    count = QUICK_CAPTURES if bench.quick else CAPTURES
    with Plant(bench.folder / "network") as plant:
        taken = _follow(Caller(plant.maker), count)
    for state in STATES:
        yield from percentiles(f"{state}, {count} captures", taken[state], "s")


def _follow(caller: Caller, count: int) -> dict[str, list[float]]:
    """Seconds from each capture's acknowledgement to each state."""
    due = [0.0]
    for _ in range(count - 1):
        due.append(due[-1] + random.uniform(0, MOST_PAUSE))
    begun = time.monotonic()
    acknowledged: dict[str, float] = {}
    taken: dict[str, dict[str, float]] = {state: {} for state in STATES}
    while len(taken[STATES[-1]]) < count:
        now = time.monotonic() - begun
        if now > due[-1] + PATIENCE:
            raise PacktraceError("a capture did not become final", value=str(taken))
        if len(acknowledged) < count and now >= due[len(acknowledged)]:
            event = _capture(caller)
            acknowledged[event] = time.monotonic()
        for event in acknowledged.keys() - taken[STATES[-1]].keys():
            proof = caller.get(f"/events/{event}")["proof"]
            reached = STATES[: STATES.index(proof) + 1] if proof in STATES else ()
            for state in reached:
                taken[state].setdefault(event, time.monotonic() - acknowledged[event])
        time.sleep(POLL)
    return {state: list(times.values()) for state, times in taken.items()}


def _capture(caller: Caller) -> str:
    """A small lot is commissioned; the event's ID."""
    packs = [sgtin_uri(GTIN, serial) for serial in draw(PACKS)]
    event = documents.commissioning(MAKER, packs, f"A{time.time_ns() % 10**12}", LOT_EXPIRY)
    event["eventID"] = f"urn:uuid:{uuid.uuid4()}"
    caller.post("/capture", orjson.dumps(documents.document(event)))
    return str(event["eventID"])
