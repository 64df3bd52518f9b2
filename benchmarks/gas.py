"""Gas, as the relayer's receipts show it.

Read from contracts/gas-snapshot.json: a test measures every call on a devnet and fails when that file is out of date
(tests/contracts/test_gas.py).
"""

from collections.abc import Iterator
from pathlib import Path

import orjson

from benchmarks.measuring import Bench, Figure, at_most

SNAPSHOT = Path(__file__).resolve().parent.parent / "contracts" / "gas-snapshot.json"
TRANSACTION = at_most(16_777_215)  # EIP-7825: below 2^24
BATCH = 10_000
CALL = 200


def measure(_bench: Bench) -> Iterator[Figure]:
    calls: dict[str, int] = orjson.loads(SNAPSHOT.read_bytes())
    commissioning = (calls["propose"] + calls["release"]) / BATCH
    yield Figure(f"commissioning of {BATCH:,}, released, per unit", commissioning, "gas", at_most(20))
    changes = {
        f"status change, {CALL} in a call, {CALL} slots in use, per unit": ("dispense 200, 200 slots in use", 8_000),
        f"status change, {CALL} in a call, 4 slots in use, per unit": ("dispense 200, 4 slots in use", None),
    }
    for name, (call, limit) in changes.items():
        yield Figure(name, calls[call] / CALL, "gas", at_most(limit) if limit else None)
    yield Figure("a single dispense into a fresh slot", calls["dispense one, fresh slot"], "gas", at_most(120_000))
    for name, used in calls.items():
        yield Figure(f"call: {name}", used, "gas", TRANSACTION)
