"""Goods on their way to a counter where people scan, and codes as its scanner sends them."""

from typing import Any

from packtrace.gs1 import split_sgtin_uri, sscc_of_uri

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
