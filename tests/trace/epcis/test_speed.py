"""How fast 100,000 serial numbers are read and hashed: printed for whoever runs the tests with -s, never asserted."""

import random
from time import perf_counter
from typing import Any

import orjson
import pytest

from packtrace.epcis import event_hash, product_data, read_document

COUNT = 100_000


@pytest.mark.parametrize(
    "start",
    ["urn:epc:id:sgtin:4012345.012345.", "https://id.gs1.org/01/04012345123456/21/"],
    ids=["URN", "Digital Link"],
)
def test_a_large_commissioning_event_is_read_and_hashed(commissioning: dict[str, Any], start: str) -> None:
    chance = random.Random(1)
    commissioning["epcList"] = [f"{start}{chance.getrandbits(64):016X}" for _ in range(COUNT)]
    data = orjson.dumps(commissioning)
    begun = perf_counter()
    (event,) = read_document(data).events
    read = perf_counter()
    found = event_hash(event)
    hashed = perf_counter()
    assert len(event.epcs) == COUNT
    assert found.startswith("ni:///sha-256;")
    assert product_data(event) is not None
    print(f"{COUNT} EPCs: read in {read - begun:.3f} s, hashed in {hashed - read:.3f} s")
