"""Gateways without a network: real databases, capture, sealer and goods; packages are carried from one to the other."""

import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update
from sqlmodel import Session

from packtrace.chain.deployment import CONTRACTS, Deployment
from packtrace.chain.facts import ChainReader
from packtrace.chain.node import Node
from packtrace.commit.pedigree import Pedigree
from packtrace.epcis.model import Event, Typed
from packtrace.gs1 import pgln_uri, sgtin_uri, sscc_uri, with_check_digit
from packtrace_gateway import settings
from packtrace_gateway.capture.sealer import Sealer
from packtrace_gateway.capture.service import Captured, CaptureService
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import CommissionedBatch
from packtrace_gateway.events.pedigrees import PedigreeReader
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.exchange import check
from packtrace_gateway.exchange.accepted import AcceptedData
from packtrace_gateway.exchange.goods import GoodsService
from packtrace_gateway.exchange.models import Arrival, ArrivalState
from packtrace_gateway.exchange.package import SHIPMENT, Package
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.partners.models import Partner
from packtrace_gateway.partners.service import PartnerService
from packtrace_gateway.products.service import ProductService

GTIN = "09506000134352"
LOT = "{urn:epcglobal:cbv:mda:}lotNumber"
EXPIRY = "{urn:epcglobal:cbv:mda:}itemExpirationDate"
TIME = "2026-01-05T08:00:00.000Z"
NO_NODE = Node("http://127.0.0.1:9", 1)


def pack_uri(number: int) -> str:
    return sgtin_uri(GTIN, f"SN{number:05}")


def unit_uri(number: int) -> str:
    return sscc_uri(with_check_digit(f"0950600{number:010}"))


def gln(party: int) -> str:
    return with_check_digit(f"9506000{party:05}")


@dataclass
class Clock:
    """A gateway's clock, which goes wrong by `ahead`."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class House:
    """One company's gateway: everything of it but its web and its chain."""

    party: int
    database: Database
    store: EventStore
    outbox: Outbox
    capture: CaptureService
    products: ProductService
    data: AcceptedData
    sealer: Sealer
    clock: "Clock"
    arrivals: Iterator[int] = field(default_factory=itertools.count)

    def record(self, *events: Event) -> list[Captured]:
        """Capture events as one document does."""
        prepared = [self.capture.preparing.prepare(event, "") for event in events]
        with self.database.write() as session:
            return self.capture.store(session, prepared)

    def commission(self, uris: Sequence[str], lot: str = "L1", time: str = TIME) -> Captured:
        ilmd = {LOT: lot, EXPIRY: "2031-05-31"}
        made = event("ObjectEvent", "ADD", "commissioning", time, epcs=list(uris), ilmd=ilmd)
        (captured,) = self.record(made)
        with self.database.write() as session:  # as after the quality key's call
            session.execute(update(CommissionedBatch).values(state="released"))
        return captured

    def pack(self, parent: str, children: Sequence[str], time: str = TIME) -> Captured:
        (captured,) = self.record(packing(parent, children, time))
        return captured

    def unpack(self, parent: str, children: Sequence[str] = (), time: str = TIME) -> Captured:
        (captured,) = self.record(unpacking(parent, children, time))
        return captured

    def ship(self, units: Sequence[str], to: "House", time: str = TIME) -> Captured:
        (captured,) = self.record(shipping(units, to.party, time))
        return captured

    def receive(self, units: Sequence[str], time: str = TIME) -> Captured:
        (captured,) = self.record(receiving(units, time))
        return captured

    def seal(self) -> None:
        with self.database.write() as session:
            self.sealer.seal(session)

    def read(self, session: Session) -> PedigreeReader:
        return PedigreeReader(self.store, session)

    def pedigree(self, *uris: str) -> Pedigree:
        with self.database.read() as session:
            return Pedigree(self.read(session).of(uris))

    def package(self, units: Sequence[str], shipping: Captured, to: "House") -> Package:
        """What is handed over with the goods, as after its seals are on chain."""
        self.seal()
        with self.database.read() as session:
            reader = self.read(session)
            pedigree = Pedigree(reader.of(reader.contents(units)))
            numbers = {
                uri: int(unit.number or 0) for uri, unit in self.store.logistic_units(session, list(units)).items()
            }
        return Package(SHIPMENT, self.party, to.party, shipping.digest, numbers, pedigree.to_cbor())

    def accept(self, package: Package) -> None:
        """Keep a partner's package, after all checks that need no chain."""
        contents = check.opened(package)
        assert not contents.broken, contents.broken
        number = next(self.arrivals)
        with self.database.write() as session:
            arrival = Arrival(
                sender=package.sender,
                digest=number.to_bytes(32),
                size=1,
                state=ArrivalState.ACCEPTED,
                announcement="{}",
                created_at=0,
            )
            session.add(arrival)
            session.flush()
            self.data.arrived(session, arrival, contents)


def event(kind: Any, action: Any, step: str | None, time: str, **fields: Any) -> Event:
    return Event(type=kind, action=action, biz_step=step, event_time=time, event_time_zone_offset="+00:00", **fields)


def packing(parent: str, children: Sequence[str], time: str = TIME) -> Event:
    return event("AggregationEvent", "ADD", "packing", time, parent=parent, children=list(children))


def unpacking(parent: str, children: Sequence[str] = (), time: str = TIME) -> Event:
    return event("AggregationEvent", "DELETE", "unpacking", time, parent=parent, children=list(children))


def shipping(units: Sequence[str], to: int, time: str = TIME) -> Event:
    destination = Typed(type="possessing_party", id=pgln_uri(gln(to)))
    return event("ObjectEvent", "OBSERVE", "shipping", time, epcs=list(units), destinations=(destination,))


def receiving(units: Sequence[str], time: str = TIME) -> Event:
    return event("ObjectEvent", "OBSERVE", "receiving", time, epcs=list(units))


class Town:
    """Makes houses: few at a time, each with a database of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._numbers = itertools.count()
        self._open = ExitStack()
        self._deployment = Deployment(31337, 1, dict.fromkeys(CONTRACTS, "0x" + "11" * 20))
        self._empty = root / "empty.db"
        database = Database(f"sqlite:///{self._empty}")
        database.migrate()
        database.close()

    def houses(self, *parties: int) -> list[House]:
        """New houses with these party numbers, all partners of each other; those made before are closed."""
        self.close()
        return [self._house(party, parties, self._root / str(next(self._numbers))) for party in parties]

    def close(self) -> None:
        self._open.close()

    def _house(self, party: int, parties: Sequence[int], folder: Path) -> House:
        folder.mkdir()
        own = settings.from_values(
            {"party": party, "company": party, "name": f"House {party}", "gln": gln(party), "gln_salt": "00" * 16},
            folder=folder,
        )
        shutil.copy(self._empty, folder / "gateway.db")
        database = Database(own.database_url)
        self._open.callback(shutil.rmtree, folder)
        self._open.callback(database.close)
        store, outbox = EventStore(), Outbox(database)
        products = ProductService(database, outbox)
        goods = GoodsService(own.gln, store, outbox)
        partners = PartnerService(database, ChainReader(NO_NODE, self._deployment))
        clock = Clock()
        capture = CaptureService(own, database, store, outbox, partners, products, goods, clock.now)
        products.add(GTIN, bytes(range(32)))
        with database.write() as session:
            for other in parties:
                if other != party:
                    session.add(Partner(gln=gln(other), party=other, company=other, salt=bytes(16), name="Partner"))
        sealer = Sealer(own, database, store, outbox, NO_NODE, self._deployment)
        return House(party, database, store, outbox, capture, products, AcceptedData(store, goods), sealer, clock)
