"""Hand-over of a pallet: its pedigree made, verified and stored, and a pack's verdict at the receiver.

Packs of one batch are packed into cases of 100 on a pallet and shipped from the maker's gateway to the wholesaler's:
once packs scattered over the whole batch at random, once neighbours. The package is the one that really was handed
over; making and verifying it are measured again in this process, with the gateway's own functions on the gateway's own
database.
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from sqlalchemy import select

from benchmarks.measuring import Bench, Figure, at_most, median, percentiles, seconds
from benchmarks.plant import LOT_EXPIRY, PATIENCE, Caller, Lot, Plant
from benchmarks.verdict import P95, QUICK_REQUESTS, REQUESTS, one_by_one
from packtrace.chain.facts import ChainReader
from packtrace.commit.pedigree import Pedigree
from packtrace.errors import PacktraceError
from packtrace.evidence import examine
from packtrace.gs1 import sgtin_uri, sscc_uri
from packtrace.gs1.keys import make_sscc
from packtrace.material import Material
from packtrace.scan import Scan
from packtrace_gateway.db import Database
from packtrace_gateway.demo import documents
from packtrace_gateway.demo.companies import COMPANY_PREFIX, GTIN, MAKER, WHOLESALE
from packtrace_gateway.events.pedigrees import PedigreeReader
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.exchange import package as packages
from packtrace_gateway.exchange.check import compared, gathered, opened
from packtrace_gateway.exchange.models import HandOver, HandOverPiece

BATCH, QUICK_BATCH = 1_000_000, 20_000
PACKS, QUICK_PACKS = 5_000, 500
IN_A_CASE = 100
REPEATS = 5
SIZE = at_most(2.0)  # MB
VERIFY = at_most(1.0)  # s
CLIENT = at_most(5.0)  # ms


@dataclass(frozen=True, slots=True)
class Pallet:
    """A pallet that was handed over: its packs, and seconds from the shipping's acknowledgement to the acceptance."""

    uri: str
    serials: list[str]
    taken: float


def measure(bench: Bench) -> Iterator[Figure]:
    size, packs = (QUICK_BATCH, QUICK_PACKS) if bench.quick else (BATCH, PACKS)
    with Plant(bench.folder / "network", WHOLESALE) as plant:
        lot = plant.commission(Caller(plant.maker), size)
        plant.release([lot])
        ordered = sorted(lot.serials)
        middle = size // 2
        chosen = {
            "scattered": random.sample(ordered[:middle] + ordered[middle + packs :], packs),
            "neighbours": ordered[middle : middle + packs],
        }
        for number, (name, serials) in enumerate(chosen.items()):
            pallet = _hand_over(plant, serials, number * 1_000)
            yield from _measure_package(bench, plant, pallet, f"{packs:,} of {size:,}, {name}")
        yield from _measure_receiver(bench, plant, lot, pallet)


def _hand_over(plant: Plant, serials: Sequence[str], first: int) -> Pallet:
    """Pack, ship, and wait until the receiver has accepted the data."""
    maker, wholesaler = Caller(plant.maker), plant.network.of(WHOLESALE).client
    pallet, *cases = [
        sscc_uri(make_sscc(COMPANY_PREFIX, first + number)) for number in range(1 + len(serials) // IN_A_CASE)
    ]
    packs = [sgtin_uri(GTIN, serial) for serial in serials]
    cased = [
        documents.packing(MAKER, case, packs[number * IN_A_CASE : (number + 1) * IN_A_CASE])
        for number, case in enumerate(cases)
    ]
    piled = documents.packing(MAKER, pallet, cases)
    maker.post("/capture", orjson.dumps(documents.document(*cased, piled)))
    maker.post("/capture", orjson.dumps(documents.document(documents.shipping(MAKER, WHOLESALE, [pallet]))))
    begun = time.perf_counter()
    wholesaler.wait(
        "/arrivals", lambda arrivals: any(_accepted(arrival, pallet) for arrival in arrivals), patience=PATIENCE
    )
    return Pallet(pallet, list(serials), time.perf_counter() - begun)


def _accepted(arrival: dict[str, Any], pallet: str) -> bool:
    return arrival["state"] == "accepted" and pallet in (unit["uri"] for unit in arrival["units"])


def _measure_package(bench: Bench, plant: Plant, pallet: Pallet, name: str) -> Iterator[Figure]:
    repeats = 1 if bench.quick else REPEATS
    database, store = Database(plant.maker.settings.database_url), EventStore()
    data = _package(database, pallet.uri)
    yield Figure(f"{name}: package", len(data) / 1e6, "MB", SIZE)

    def make() -> bytes:
        with database.read() as session:
            reader = PedigreeReader(store, session)
            return Pedigree(reader.of(reader.contents([pallet.uri]))).to_cbor()

    yield Figure(f"{name}: made", median(seconds(make, repeats)), "s")
    database.close()
    alone = seconds(lambda: opened(packages.from_cbor(data)), repeats)
    yield Figure(f"{name}: verified, without the chain", median(alone), "s", VERIFY)
    reader = ChainReader(plant.network.devnet.node, plant.network.deployment)

    def verify() -> None:
        contents = opened(packages.from_cbor(data))
        findings = compared(contents, gathered(reader, contents))
        if contents.broken or findings.broken or findings.missing:
            raise PacktraceError("the package does not verify", value=str(findings))

    yield Figure(f"{name}: verified, chain included", median(seconds(verify, repeats)), "s", VERIFY)
    yield Figure(f"{name}: from shipping to the receiver's acceptance", pallet.taken, "s")


def _package(database: Database, pallet: str) -> bytes:
    """The bytes that were handed over."""
    with database.read() as session:
        hand_over = session.execute(
            select(HandOver).where(HandOver.units == orjson.dumps([pallet]).decode())  # type: ignore[arg-type]
        ).scalar_one()
        pieces = select(HandOverPiece.data).where(HandOverPiece.hand_over == hand_over.id)  # type: ignore[call-overload]
        return b"".join(session.execute(pieces.order_by(HandOverPiece.number)).scalars())


def _measure_receiver(bench: Bench, plant: Plant, lot: Lot, pallet: Pallet) -> Iterator[Figure]:
    """The goods arrive; then verdicts on them there, and what a client's own verification costs."""
    running = plant.network.of(WHOLESALE)
    caller = Caller(running)
    for event in (documents.receiving(WHOLESALE, [pallet.uri]), documents.unpacking(WHOLESALE, pallet.uri)):
        caller.post("/capture", orjson.dumps(documents.document(event)))
    running.client.wait(
        "/outbox",
        lambda answer: all(call["state"] in ("included", "final") for call in answer["calls"]),
        patience=PATIENCE,
    )
    taken = one_by_one(caller, lot, pallet.serials, QUICK_REQUESTS if bench.quick else REQUESTS)
    yield from percentiles("verdict on a pack at the receiver's gateway", taken, "ms", P95)
    serial = random.choice(pallet.serials)
    answer = caller.post("/verify?material=true", lot.question(serial))
    scan = Scan(GTIN, serial, lot.number, date.fromisoformat(LOT_EXPIRY))

    network = plant.network.deployment.network

    def verify() -> None:
        evidence = examine(scan, Material.from_json(orjson.loads(answer)["material"], network, scan).disclosures)
        if evidence.broken:
            raise PacktraceError("the pedigree does not verify", value=evidence.broken)

    steps = len(orjson.loads(answer)["verdict"]["history"])
    yield Figure(f"one pack's pedigree of {steps} events", len(answer) / 1e3, "kB")
    yield Figure("… read and verified in Python", median(seconds(verify, 100)) * 1000, "ms", CLIENT)
