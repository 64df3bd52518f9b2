"""The library alone: trees, hashes, identifiers. No gateway, no chain."""

from collections.abc import Iterator

from benchmarks.measuring import Bench, Figure, at_least, median, seconds
from benchmarks.plant import new_lot
from packtrace.commit import items
from packtrace.commit.items import Role
from packtrace.commit.salts import new_secret
from packtrace.epcis.cbv_hash import event_hash
from packtrace.epcis.reading import read_document
from packtrace.gs1 import parse_scan
from packtrace.gs1.serials import draw
from packtrace_gateway.demo.companies import GTIN

ITEMS, QUICK_ITEMS = 1_000_000, 5_000
CODES, QUICK_CODES = 100_000, 1_000
REPEATS = 3
STRICT = at_least(100_000)


def measure(bench: Bench) -> Iterator[Figure]:
    size = QUICK_ITEMS if bench.quick else ITEMS
    repeats = 1 if bench.quick else REPEATS
    lot = new_lot(size)
    document = lot.commissioning()
    (event,) = read_document(document).events
    works = {
        f"draw {size:,} serial numbers": lambda: draw(size),
        f"read and check a document of {size:,}": lambda: read_document(document),
        f"CBV 2.0 hash of an event of {size:,}": lambda: event_hash(event),
        f"item tree over {size:,}": lambda: items.build({Role.EPC: event.epcs}, new_secret()),
    }
    for name, work in works.items():
        yield Figure(name, median(seconds(work, repeats)), "s")
    codes = [f"]d201{GTIN}1729103110L2026A\x1d21{serial}" for serial in draw(QUICK_CODES if bench.quick else CODES)]
    taken = median(seconds(lambda: [parse_scan(code) for code in codes], repeats))
    yield Figure("element strings of packs, parsed and checked", len(codes) / taken, "codes/s", STRICT)
