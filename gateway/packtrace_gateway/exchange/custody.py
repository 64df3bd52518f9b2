"""Goods and chain: what becomes of shipments, receipts, refusals and cancellations in the custody ledger."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import select
from sqlmodel import Session

from packtrace.chain.facts import ChainReader, View
from packtrace.errors import LifecycleError
from packtrace.facts import CustodyState, LogisticFacts
from packtrace.rules import Place
from packtrace_gateway.access.models import Caller
from packtrace_gateway.capture.ledger import LedgerCalls
from packtrace_gateway.capture.service import CaptureService
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import LogisticUnit
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.exchange import outcomes, voids
from packtrace_gateway.exchange.goods import TOO_LATE, GoodsService
from packtrace_gateway.exchange.missing import MissingUnits, comes_here
from packtrace_gateway.exchange.models import ON_THE_WAY, Arrival, ArrivalUnit, Goods, HandOver, ShippedUnit
from packtrace_gateway.exchange.outcomes import Row, keep, of_call, rows_where
from packtrace_gateway.outbox.models import ON_CHAIN, OutboxRow
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.settings import Settings

log = logging.getLogger(__name__)

EVERY_SECONDS = 3.0
MOST_LOOKED_AT = 500  # units on their way that one pass asks the chain about
RETRY_SECONDS = 60.0  # between two receive calls of one unit that the chain refused
MOST_SIGHTINGS = 100_000  # units whose last sighting is remembered: those that were looked at last
NOT_RECEIVED = (
    "it was not received in 30 days, and the chain lets nobody receive it any more: cancel the shipment, then keep it "
    "or ship it again"
)
CANCELLED_BY_SENDER = "the chain does not show it on its way any more: its sender has cancelled the shipment"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the chain said of a unit, and the block that it first said so in."""

    facts: LogisticFacts | None
    block: int


class CustodyService:
    """Keeps the goods' state here in step with the chain, and lets people cancel and refuse shipments."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: EventStore,
        outbox: Outbox,
        reader: ChainReader,
        goods: GoodsService,
        capture: CaptureService,
        missing: MissingUnits,
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._outbox = outbox
        self._reader = reader
        self._goods = goods
        self._capture = capture
        self._missing = missing
        self._sightings: dict[int, Sighting] = {}
        self._after = {ShippedUnit: 0, ArrivalUnit: 0}
        outbox.register("CustodyLedger", "ship", outcomes.Shipped())
        outbox.register("CustodyLedger", "cancelShipment", outcomes.Cancelled(self.record_cancellation))
        for function in ("receiveShipment", "receivePartly"):
            outbox.register("CustodyLedger", function, outcomes.Received())
        outbox.register("CustodyLedger", "refuseShipment", outcomes.Refused())

    # ---- what people do ----

    def cancel(self, number: int, caller: Caller | None = None) -> None:
        """Take a shipment back that nobody has received. Raises NotFoundError, LifecycleError."""
        with self._database.write() as session:
            if session.get(HandOver, number) is None:
                raise NotFoundError("there is no such shipment", field="id", value=number)
            going = ShippedUnit.goods.in_(ON_THE_WAY)  # type: ignore[attr-defined]
            rows = rows_where(session, ShippedUnit, ShippedUnit.hand_over == number, going)
            if not rows:
                raise LifecycleError("nothing of this shipment is on its way", field="id", value=number)
            self._call(session, "cancelShipment", rows, Goods.CANCELLING, caller)

    def refuse(self, number: int, caller: Caller | None = None) -> None:
        """Turn a shipment away, be its data accepted or in quarantine. Raises NotFoundError, LifecycleError."""
        with self._database.read() as session:
            arrival = session.get(Arrival, number)
        if arrival is None:
            raise NotFoundError("there is no such arrival", field="id", value=number)
        units: dict[str, int] = orjson.loads(arrival.units)
        known = self._reader.logistic_units(units.values())
        party = self._settings.party
        coming = [uri for uri, on_chain in units.items() if comes_here(known.get(on_chain), arrival.sender, party)]
        with self._database.write() as session:
            rows = self._rows_to_refuse(session, number, {uri: units[uri] for uri in coming})
            if not rows:
                raise LifecycleError(
                    "nothing of this shipment is on its way to here by the chain, so there is nothing to refuse",
                    field="id",
                    value=number,
                )
            self._call(session, "refuseShipment", rows, Goods.REFUSING, caller)

    def _rows_to_refuse(self, session: Session, arrival: int, coming: Mapping[str, int]) -> list[ArrivalUnit]:
        """A row for each unit; of a package in quarantine nothing was stored yet, not even these."""
        rows = []
        for uri, on_chain in coming.items():
            unit = self._store.logistic_units(session, [uri]).get(uri)
            if unit is None:
                unit = LogisticUnit(uri=uri, place=int(Place.UNKNOWN))
                session.add(unit)
                session.flush()
            unit.number = unit.number or str(on_chain)
            row = session.get(ArrivalUnit, (arrival, unit.id))
            row = row or ArrivalUnit(arrival=arrival, unit=unit.id or 0, goods=Goods.IN_TRANSIT)
            if row.goods in ON_THE_WAY and unit.number == str(on_chain):
                rows.append(row)
        return rows

    def _call(self, session: Session, function: str, rows: Sequence[Row], goods: Goods, caller: Caller | None) -> None:
        ledger = LedgerCalls(self._outbox, session, caller)
        for row in rows:
            (row.outbox,) = ledger.custody(function, [session.get_one(LogisticUnit, row.unit)], reference=function)
            row.goods = goods
            session.add(row)

    def record_cancellation(self, session: Session, row: OutboxRow) -> None:
        """The cancellation is final: an event says that the goods did not leave (CBV 2.0, void_shipping)."""
        shipped, time_ = of_call(session, ShippedUnit, row), row.block_time or 0
        uris = [session.get_one(LogisticUnit, entry.unit).uri for entry in shipped]
        uris = [uri for uri in uris if not voids.is_recorded(session, uri, time_)]
        if uris:
            self._capture.record(session, voids.not_shipped(self._settings.gln, time_, uris))
        for entry in shipped:
            entry.outbox = None  # recorded: once is enough
            session.add(entry)

    # ---- what the chain says ----

    def run_once(self) -> float:
        """Compare the goods that are on their way with the chain; the seconds until the next time."""
        with self._database.read() as session:
            going, coming = self._page(session, ShippedUnit), self._page(session, ArrivalUnit)
        if not going and not coming:
            return EVERY_SECONDS
        view = self._reader.view()
        units = {unit.id or 0: unit for _, unit in [*going, *coming]}
        known = self._reader.logistic_units((int(unit.number) for unit in units.values() if unit.number), view)
        settled = self._settled(view, known, units)
        final = view.final.timestamp
        gone = [shipped for shipped, _ in going if _ended(shipped, settled.get(shipped.unit), final)]
        here = [row for row, unit in coming if _waits(row, unit) or _ended(row, settled.get(row.unit), final)]
        if gone or here:
            left = self._left(view, [*gone, *here], settled, units)
            with self._database.write() as session:
                for shipped in gone:
                    self._went(session, shipped, settled[shipped.unit], view, left)
                for row in here:
                    self._came(session, row, known, settled, view, left)
        return EVERY_SECONDS

    def _left(
        self,
        view: View,
        rows: Iterable[ShippedUnit | ArrivalUnit],
        settled: Mapping[int, LogisticFacts | None],
        units: Mapping[int, LogisticUnit],
    ) -> dict[int, dict[int, int]]:
        """What was left with its sender of the units that were received by now (`MissingUnits.left`)."""
        own, received = self._settings.party, {}
        for row in rows:
            facts = settled.get(row.unit)
            if facts is not None and facts.state is not CustodyState.IN_TRANSIT:
                if isinstance(row, ShippedUnit) and facts.holder != own:
                    received[row.unit] = own
                elif isinstance(row, ArrivalUnit) and facts.holder == own:
                    received[row.unit] = units[row.unit].partner or 0
        return self._missing.left(received, view)

    def _page(self, session: Session, model: type[Row]) -> list[tuple[Row, LogisticUnit]]:
        """Some of the units that are on their way: the next ones each time, and round again."""
        query = (
            select(model, LogisticUnit)
            .join(LogisticUnit, LogisticUnit.id == model.unit)  # type: ignore[arg-type]
            .where(model.goods.in_(ON_THE_WAY), model.unit > self._after[model])  # type: ignore
            .order_by(model.unit)  # type: ignore[arg-type]
        )
        found = [(row, unit) for row, unit in session.execute(query.limit(MOST_LOOKED_AT))]
        self._after[model] = found[-1][1].id if len(found) == MOST_LOOKED_AT else 0
        return found

    def _settled(
        self, view: View, known: Mapping[int, LogisticFacts], units: Mapping[int, LogisticUnit]
    ) -> dict[int, LogisticFacts | None]:
        """Facts of those units of which the chain has said the same until it was final."""
        settled = {}
        for number, unit in units.items():
            facts = known.get(int(unit.number or 0))
            sighting = self._sightings.pop(number, None)
            if sighting is None or sighting.facts != facts:
                sighting = Sighting(facts, view.block.number)
            self._sightings[number] = sighting
            if view.final.number >= sighting.block:
                settled[number] = facts
        for number in list(self._sightings)[: -MOST_SIGHTINGS or None]:
            del self._sightings[number]
        return settled

    def _went(
        self,
        session: Session,
        row: ShippedUnit,
        facts: LogisticFacts | None,
        view: View,
        left: Mapping[int, Mapping[int, int]],
    ) -> None:
        """A unit that we shipped: received, refused and ours again, or on its way for too long."""
        stored, unit = session.get_one(ShippedUnit, (row.hand_over, row.unit)), session.get_one(LogisticUnit, row.unit)
        if facts is None or stored.goods not in ON_THE_WAY or not self._on_chain(session, stored):
            return
        if facts.state is CustodyState.IN_TRANSIT:
            _time(stored, unit, facts.expired(view.final.timestamp), NOT_RECEIVED)
        elif facts.holder != self._settings.party:
            if row.unit not in left:
                return  # next time: there was too much to look at
            stored.goods = Goods.RECEIVED
            self._missing.at_sender(session, stored, left[row.unit])
        elif unit.place == Place.QUARANTINED:
            stored.goods, unit.place, unit.note = Goods.RETURNED, int(Place.HERE), None
        else:
            stored.goods, unit.note = Goods.REFUSED, f"refused by party {unit.partner}: receive it when it is back"
        keep(session, stored, unit)

    def _on_chain(self, session: Session, row: ShippedUnit) -> bool:
        """Whether the shipment itself is on chain; before, the unit is ours of course."""
        hand_over = session.get_one(HandOver, row.hand_over)
        return all(session.get_one(OutboxRow, number).state in ON_CHAIN for number in orjson.loads(hand_over.ship_rows))

    def _came(
        self,
        session: Session,
        row: ArrivalUnit,
        known: Mapping[int, LogisticFacts],
        settled: Mapping[int, LogisticFacts | None],
        view: View,
        left: Mapping[int, Mapping[int, int]],
    ) -> None:
        """A unit whose data are accepted: to be received again, received already, or not coming any more.

        Whether it can still be received is the chain's time to say: that of a final block ends the shipment, that of
        the newest one the tries.
        """
        stored, unit = session.get_one(ArrivalUnit, (row.arrival, row.unit)), session.get_one(LogisticUnit, row.unit)
        if stored.goods not in ON_THE_WAY:
            return
        newest, facts = known.get(int(unit.number or 0)), settled.get(row.unit)
        if newest is not None and comes_here(newest, unit.partner or 0, self._settings.party):
            if facts is not None and _ended(stored, facts, view.final.timestamp):
                _time(stored, unit, facts.expired(view.final.timestamp), TOO_LATE)
                stored.note = unit.note
                keep(session, stored, unit)
            elif _waits(stored, unit) and not newest.expired(view.block.timestamp):
                self._try_again(session, stored, unit)
            return
        if facts is None:
            return
        if facts.holder == self._settings.party:
            if row.unit not in left:
                return
            stored.goods, unit.place, unit.note = Goods.RECEIVED, int(Place.HERE), None
            self._missing.at_receiver(session, stored, left[row.unit])
        else:
            for lacking in self._goods.missing_with(session, stored):
                lacking.goods, lacking.note = Goods.CANCELLED, CANCELLED_BY_SENDER
                session.add(lacking)
            stored.goods, unit.note = Goods.CANCELLED, CANCELLED_BY_SENDER
            if unit.place == Place.EXPECTED:
                unit.place = int(Place.UNKNOWN)
        keep(session, stored, unit)

    def _try_again(self, session: Session, row: ArrivalUnit, unit: LogisticUnit) -> None:
        if not 0 <= time.time() - row.tried_at <= RETRY_SECONDS:
            row.tried_at = time.time()
            self._goods.accept(session, [unit], [row])


def _waits(row: ArrivalUnit, unit: LogisticUnit) -> bool:
    """Whether a unit that the chain shows on its way is here: it was received before its data were, or the chain
    refused the receipt (and people may have unpacked it since)."""
    here = unit.place == Place.QUARANTINED or (row.outbox is not None and unit.place == Place.UNPACKED)
    return here and row.goods == Goods.IN_TRANSIT


def _ended(row: Row, facts: LogisticFacts | None, time: int) -> bool:
    """Whether the chain shows a unit not on its way any more, or another answer to whether it is too late at `time`."""
    if facts is None or facts.state is not CustodyState.IN_TRANSIT:
        return facts is not None
    return facts.expired(time) != (row.goods == Goods.EXPIRED)


def _time(row: Row, unit: LogisticUnit, late: bool, note: str) -> None:
    """It is too late to receive a unit; or it is not, where the node that said so was behind or the chain went back."""
    row.goods, unit.note = (Goods.EXPIRED, note) if late else (Goods.IN_TRANSIT, None)
    log.warning("%s, partner %s: %s", unit.uri, unit.partner, unit.note or "it can be received after all")
