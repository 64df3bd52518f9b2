"""What becomes of our own custody calls: each moves the goods that it is about, and back if the chain takes it back."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import select
from sqlmodel import Session

from packtrace.chain.contracts import Event as ChainEvent
from packtrace.rules import Place
from packtrace_gateway.events.models import LogisticUnit
from packtrace_gateway.exchange.models import ArrivalUnit, Goods, HandOver, HandOverState, ShippedUnit
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.models import OutboxRow
from packtrace_gateway.outbox.service import Handler

Row = TypeVar("Row", ShippedUnit, ArrivalUnit)


class Shipped(Handler):
    """A shipment that the chain refuses leaves the goods here, and ends its hand-over."""

    def on_included(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:  # noqa: ARG002
        for hand_over, shipped, unit in self._units(session, row):
            if shipped.goods == Goods.CANCELLED and unit.place == Place.HERE:  # refused before, and now not
                shipped.goods, unit.place, unit.partner = Goods.IN_TRANSIT, int(Place.SHIPPED), hand_over.receiver
                unit.note = None
                hand_over.state = HandOverState.WAITING if hand_over.receipt is None else hand_over.state
                keep(session, hand_over, shipped, unit)

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        for hand_over, shipped, unit in self._units(session, row):
            if shipped.goods in (Goods.IN_TRANSIT, Goods.CANCELLING) and unit.place == Place.SHIPPED:
                shipped.goods, unit.place, unit.partner = Goods.CANCELLED, int(Place.HERE), None
                unit.note = f"the chain refused the shipment: {row.error_text}"
                hand_over.state, hand_over.error = HandOverState.ENDED, unit.note
                keep(session, hand_over, shipped, unit)

    def _units(self, session: Session, row: OutboxRow) -> list[tuple[HandOver, ShippedUnit, LogisticUnit]]:
        event = int(row.reference.removeprefix("event:"))
        numbers = {str(number) for number in calls.load(row.args)[0]}
        query = (
            select(HandOver, ShippedUnit, LogisticUnit)
            .join(ShippedUnit, ShippedUnit.hand_over == HandOver.id)  # type: ignore[arg-type]
            .join(LogisticUnit, LogisticUnit.id == ShippedUnit.unit)  # type: ignore[arg-type]
            .where(HandOver.event == event)  # type: ignore[arg-type]
        )
        return [(h, s, unit) for h, s, unit in session.execute(query) if unit.number in numbers]


class Cancelled(Handler):
    """The unit is moved only by its newest shipment: it may have been shipped again before a reorganisation."""

    def __init__(self, record: Callable[[Session, OutboxRow], None]) -> None:
        self._record = record

    def on_included(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:  # noqa: ARG002
        for shipped, unit in self._units(session, row):
            shipped.goods = Goods.CANCELLED
            if unit is not None:
                unit.place, unit.partner, unit.note = int(Place.HERE), None, None
                session.add(unit)
            session.add(shipped)
            self._end(session, shipped.hand_over)

    def _units(self, session: Session, row: OutboxRow) -> list[tuple[ShippedUnit, LogisticUnit | None]]:
        """The shipments that were cancelled, and their units where they were not shipped since."""
        found = []
        for shipped in of_call(session, ShippedUnit, row):
            later = (ShippedUnit.unit == shipped.unit, ShippedUnit.hand_over > shipped.hand_over)
            unit = None if rows_where(session, ShippedUnit, *later) else session.get_one(LogisticUnit, shipped.unit)
            found.append((shipped, unit))
        return found

    def _end(self, session: Session, number: int) -> None:
        """Nothing is left to hand over when everything was cancelled."""
        session.flush()
        left = rows_where(session, ShippedUnit, ShippedUnit.hand_over == number, ShippedUnit.goods != Goods.CANCELLED)
        hand_over = session.get_one(HandOver, number)
        if not left and hand_over.receipt is None:
            hand_over.state, hand_over.error = HandOverState.ENDED, "the shipment was cancelled"
            session.add(hand_over)

    def on_final(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:  # noqa: ARG002
        self._record(session, row)

    def on_retracted(self, session: Session, row: OutboxRow) -> None:
        for shipped, unit in self._units(session, row):
            shipped.goods = Goods.CANCELLING
            session.add(shipped)
            if unit is not None and unit.place == Place.HERE:
                unit.place = int(Place.SHIPPED)
                session.add(unit)

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        for shipped, unit in self._units(session, row):
            if shipped.goods != Goods.CANCELLING:
                continue  # the shipment itself was refused, so the goods never left
            shipped.goods = Goods.IN_TRANSIT
            session.add(shipped)
            if unit is not None:
                unit.note = f"it could not be cancelled: {row.error_text}"
                session.add(unit)


class Received(Handler):
    """What is missing in a unit that was received has a row too; it is where it was said to be, whatever comes."""

    def on_included(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:  # noqa: ARG002
        for arrived in self._came(session, row):
            unit = session.get_one(LogisticUnit, arrived.unit)
            arrived.goods, arrived.note = Goods.RECEIVED, None
            if unit.place == Place.QUARANTINED:
                unit.place, unit.note = int(Place.HERE), None
            keep(session, arrived, unit)

    def _came(self, session: Session, row: OutboxRow) -> list[ArrivalUnit]:
        return [arrived for arrived in of_call(session, ArrivalUnit, row) if arrived.goods != Goods.MISSING]

    def on_retracted(self, session: Session, row: OutboxRow) -> None:
        for arrived in self._came(session, row):
            arrived.goods = Goods.RECEIVING
            session.add(arrived)

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        for arrived in self._came(session, row):
            unit = session.get_one(LogisticUnit, arrived.unit)
            arrived.goods, arrived.note = Goods.IN_TRANSIT, f"the chain refused the receipt: {row.error_text}"
            if unit.place == Place.HERE:
                unit.place = int(Place.QUARANTINED)
            unit.note = arrived.note
            keep(session, arrived, unit)


class Refused(Handler):
    def on_included(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:  # noqa: ARG002
        for arrived in of_call(session, ArrivalUnit, row):
            unit = session.get_one(LogisticUnit, arrived.unit)
            arrived.goods, unit.place, unit.note = Goods.REFUSED, int(Place.SHIPPED), "refused: send it back"
            keep(session, arrived, unit)

    def on_retracted(self, session: Session, row: OutboxRow) -> None:
        for arrived in of_call(session, ArrivalUnit, row):
            arrived.goods = Goods.REFUSING
            session.add(arrived)

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        for arrived in of_call(session, ArrivalUnit, row):
            unit = session.get_one(LogisticUnit, arrived.unit)
            arrived.goods, arrived.note = Goods.IN_TRANSIT, f"it could not be refused: {row.error_text}"
            unit.note = arrived.note
            keep(session, arrived, unit)


def of_call(session: Session, model: type[Row], row: OutboxRow) -> list[Row]:
    """The units that a call of ours is about."""
    return rows_where(session, model, model.outbox == row.id)


def rows_where(session: Session, model: type[Row], *conditions: Any) -> list[Row]:
    return list(session.execute(select(model).where(*conditions)).scalars())


def keep(session: Session, *rows: Any) -> None:
    session.add_all(rows)
