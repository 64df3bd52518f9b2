"""The goods beside the data: shipped, received, in quarantine until both are here.

Everything works in the caller's database transaction.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlmodel import Session

from packtrace.epcis.model import Event
from packtrace.errors import LifecycleError
from packtrace.rules import RULE, Place
from packtrace_gateway.access.models import Caller
from packtrace_gateway.capture.ledger import MOST_NUMBERS, LedgerCalls
from packtrace_gateway.events import bulk
from packtrace_gateway.events.models import LogisticUnit, Participation, StoredEvent
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.exchange import corrections, voids
from packtrace_gateway.exchange.models import (
    ArrivalUnit,
    Goods,
    ShippedUnit,
)
from packtrace_gateway.exchange.package import MOST_UNITS, SHIPMENT
from packtrace_gateway.exchange.queue import add_hand_over
from packtrace_gateway.outbox.service import Outbox

NOT_TAKEN = (Goods.REFUSED, Goods.MISSING)
TOO_LATE = (
    "it was shipped more than 30 days ago, and the chain lets nobody receive it any more: refuse the shipment, or ask "
    "its sender to cancel it; when the sender ships it again, it can be received"
)
NOT_OURS = (
    "it was missing in what was received, so it is its sender's: it waits until that ships it again, or goes back"
)
NO_DATA = "its data are not here yet: it waits in quarantine for the sender's gateway"


class GoodsService:
    """What capture asks of the exchange (`packtrace_gateway.capture.service.HandOver`), and what accepted data do."""

    def __init__(self, gln: str, store: EventStore, outbox: Outbox) -> None:
        self._gln = gln
        self._store = store
        self._outbox = outbox

    # ---- going out ----

    def before(self, session: Session, uris: Sequence[str]) -> list[Event]:
        """What is to be recorded of these units before anything else is done with them."""
        return voids.cancelled_before(session, self._gln, list(self._store.logistic_units(session, uris).values()))

    def shipped(self, session: Session, uris: Sequence[str], receiver: int, ship_rows: Sequence[int]) -> None:
        """The units were shipped: their pedigrees are to be handed to the receiver."""
        units = self._store.logistic_units(session, uris)
        event = self._newest_event(session, uris[0])
        for at in range(0, len(uris), MOST_UNITS):
            part = uris[at : at + MOST_UNITS]
            number = add_hand_over(session, SHIPMENT, event, receiver, part, ship_rows)
            for uri in part:
                session.add(ShippedUnit(hand_over=number, unit=_id(units[uri]), goods=Goods.IN_TRANSIT))
        session.flush()

    def check_gone(self, session: Session, unit: LogisticUnit, field: str) -> None:
        """A unit that was shipped has arrived, so that its SSCC can be another's. Raises LifecycleError."""
        outer = unit
        while outer.parent is not None:
            outer = session.get_one(LogisticUnit, outer.parent)
        query = select(ShippedUnit).where(ShippedUnit.unit.in_((unit.id, outer.id)))  # type: ignore[attr-defined]
        last = session.execute(query.order_by(ShippedUnit.hand_over.desc()).limit(1)).scalar()  # type: ignore
        if last is not None and last.goods != Goods.RECEIVED:
            why = f"its last shipment ({last.hand_over}) is {last.goods}: end that, then use the SSCC again"
            raise LifecycleError(why, field=field, value=unit.uri, rule=RULE)

    def _newest_event(self, session: Session, uri: str) -> int:
        """The shipping event itself: it was stored a moment ago, in this transaction."""
        prefix, suffix = self._store.prefixes.keys(session, [uri])[uri]
        mine = (Participation.prefix == prefix, Participation.suffix == suffix)
        query = select(func.max(Participation.event)).where(*mine)  # type: ignore[arg-type]
        return int(session.execute(query).scalar_one())

    def declared(self, session: Session, declaration: int) -> None:
        """An event was declared erroneous: everybody to whom it was disclosed is told."""
        corrections.tell(session, session.get_one(StoredEvent, declaration))

    def shipment_stands(self, session: Session, event: int) -> bool:
        """Whether something that this event shipped is on its way, or has gone."""
        return corrections.shipment_stands(session, event)

    def not_received(self, session: Session, unit: LogisticUnit) -> None:
        """A unit that waits in quarantine for its data did not come: it is again where it was before."""
        corrections.not_received(session, unit)

    # ---- coming in: the goods ----

    def received(self, session: Session, units: Sequence[LogisticUnit], caller: Caller | None) -> None:
        """The units are here, says `caller`: they are accepted, or wait in quarantine until their data are here too."""
        expected = {row.unit: row for row in self.rows(session, units, Goods.IN_TRANSIT)}
        notes = {row.unit: TOO_LATE for row in self.rows(session, units, Goods.EXPIRED)}
        notes |= {row.unit: NOT_OURS for row in self.rows(session, units, Goods.MISSING)}
        for unit in units:
            if _id(unit) in expected:
                continue
            if self._came_back(session, unit):
                unit.place, unit.partner, unit.note = int(Place.HERE), None, None
                session.add(unit)
            else:
                self.quarantine(session, unit, notes.get(_id(unit), NO_DATA))
        here = [unit for unit in units if _id(unit) in expected]
        self.accept(session, here, list(expected.values()), caller=caller)

    def rows(self, session: Session, units: Collection[LogisticUnit], goods: Goods) -> list[ArrivalUnit]:
        found: list[ArrivalUnit] = []
        for chunk in bulk.chunks([_id(unit) for unit in units]):
            query = select(ArrivalUnit).where(ArrivalUnit.unit.in_(chunk), ArrivalUnit.goods == goods)  # type: ignore
            found += session.execute(query).scalars()
        return found

    def _came_back(self, session: Session, unit: LogisticUnit) -> bool:
        """Whether the receiver refused it, or did not find it, so that it was ours on chain all the time."""
        query = select(ShippedUnit).where(ShippedUnit.unit == unit.id, ShippedUnit.goods.in_(NOT_TAKEN))  # type: ignore
        rows = session.execute(query).scalars().all()
        for row in rows:
            row.goods = Goods.RETURNED
            session.add(row)
        return bool(rows)

    def accept(
        self,
        session: Session,
        units: Sequence[LogisticUnit],
        arrivals: Sequence[ArrivalUnit],
        missing: Sequence[ArrivalUnit] = (),
        *,
        caller: Caller | None = None,
    ) -> None:
        """Goods and data are here: the chain is told. `arrivals` are the rows of the same units.

        `missing` are those of what is not in the only one, beside what was told before, and was refused.
        """
        if not units:
            return
        for unit in units:
            unit.note = None
            if unit.place != Place.UNPACKED:
                unit.place = int(Place.HERE)
            session.add(unit)
        rows = {row.unit: row for row in arrivals}
        calls = LedgerCalls(self._outbox, session, caller)
        whole = []
        for unit in units:
            lacking = [*self.missing_with(session, rows[_id(unit)]), *missing]
            if lacking:
                self._accept_partly(session, calls, unit, [rows[_id(unit)], *lacking])
            else:
                whole.append(unit)
        for at in range(0, len(whole), MOST_NUMBERS):
            part = whole[at : at + MOST_NUMBERS]
            (number,) = calls.custody("receiveShipment", part, reference="receive")
            for unit in part:
                rows[_id(unit)].goods, rows[_id(unit)].outbox = Goods.RECEIVING, number
                session.add(rows[_id(unit)])

    def missing_with(self, session: Session, row: ArrivalUnit) -> list[ArrivalUnit]:
        """What the last call about a unit named as missing in it."""
        if row.outbox is None:
            return []
        mine = (ArrivalUnit.outbox == row.outbox, ArrivalUnit.goods == Goods.MISSING)
        return list(session.execute(select(ArrivalUnit).where(*mine)).scalars())  # type: ignore[arg-type]

    def _accept_partly(
        self, session: Session, calls: LedgerCalls, unit: LogisticUnit, rows: Sequence[ArrivalUnit]
    ) -> None:
        """`rows` are the unit's own, and those of what is missing in it."""
        missing = [session.get_one(LogisticUnit, row.unit) for row in rows[1:]]
        number = calls.receive_partly(unit, missing, reference="receive")
        rows[0].goods = Goods.RECEIVING
        for row in rows:
            row.outbox = number
            session.add(row)

    def quarantine(self, session: Session, unit: LogisticUnit, note: str) -> None:
        unit.place, unit.note = int(Place.QUARANTINED), note
        session.add(unit)


def _id(unit: LogisticUnit) -> int:
    assert unit.id is not None
    return unit.id
