"""Goods on their way to a counter where people scan, and codes as its scanner sends them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from packtrace.gs1 import split_sgtin_uri, sscc_of_uri
from packtrace_scanner.answers import Said
from packtrace_scanner.reading import meaning_of_text
from packtrace_scanner.sender import OFFLINE_SECONDS
from packtrace_scanner.verifier import Verified
from packtrace_scanner.work import Parts, Work

PLANT, WHOLESALER, PHARMACY, SHOP = 11, 20, 30, 31
PATIENCE = 120.0  # seconds


def as_scanned(code: str) -> str:
    sscc, pack = sscc_of_uri(code), split_sgtin_uri(code)
    if sscc:
        return f"]C100{sscc}"
    return f"]d201{pack[0]}17310531" + f"10L1\x1d21{pack[1]}" if pack else code


def delivered(world: Any, party: int, count: int) -> list[str]:
    """Packs that are at a pharmacy, unpacked, and whose way there is on chain."""
    pallet, (case,), packs = world.pallet(packs=count, cases=1)
    world.deliver(PLANT, party, pallet)
    world[party].capture(world[party].unpack(pallet), world[party].unpack(case))
    world.wait(lambda: headline(world, party, packs[0]) == "authentic, available")
    return list(packs)


def headline(world: Any, party: int, pack: str) -> str:
    return str(world[party].verify(pack, lot="L1", expiry="2031-05-31")["headline"])


def arrived(world: Any, *, cases: int = 2) -> tuple[str, list[str]]:
    """A pallet that the wholesaler expects, with its cases."""
    pallet, boxes, _ = world.pallet(packs=cases, cases=cases)
    world[PLANT].capture(world[PLANT].ship(WHOLESALER, [pallet]))
    world[WHOLESALER].wait_arrival(pallet)
    return pallet, boxes


@dataclass
class Counter:
    """One counter: its work, and everything that it said."""

    work: Work
    parts: Parts
    said: list[Said] = field(default_factory=list)
    verdicts: list[Verified] = field(default_factory=list)

    def scan(self, *codes: str) -> Said:
        """Scan URIs, commands or raw text; the last answer."""
        for code in codes:
            self.work.take(meaning_of_text(as_scanned(code)))
        return self.said[-1]

    def sent(self) -> list[Said]:
        """Send everything; what was said of it."""
        before, limit = len(self.said), time.monotonic() + PATIENCE
        while self.parts.journal.next() is not None and self.parts.sender.step() != OFFLINE_SECONDS:
            assert time.monotonic() < limit
            time.sleep(0.05)
        return self.said[before:]


Make = Callable[..., Counter]
