"""What a declaration that an event was erroneous does among partners, and to goods that are on their way.

Everything works in the caller's database transaction.
"""

from sqlalchemy import and_, or_, select
from sqlmodel import Session

from packtrace.rules import Place
from packtrace_gateway.events.declarations import known
from packtrace_gateway.events.models import LogisticUnit, StoredEvent
from packtrace_gateway.exchange.models import (
    ON_THE_WAY,
    ArrivalUnit,
    DisclosedEvent,
    Goods,
    HandOver,
    HandOverState,
    ShippedUnit,
)
from packtrace_gateway.exchange.package import CORRECTION
from packtrace_gateway.exchange.queue import add_hand_over

# Shipments that moved nothing in the end.
ENDED = (Goods.CANCELLED, Goods.RETURNED)


def tell(session: Session, declaration: StoredEvent) -> None:
    """Queue the declaration for everybody who was shown the erroneous event."""
    for receiver in untold(session, declaration):
        add_hand_over(session, CORRECTION, declaration.id or 0, receiver, [], [])


def untold(session: Session, declaration: StoredEvent) -> list[int]:
    """Who was shown the erroneous event, and neither has the declaration nor gets it; its maker knows by himself."""
    erroneous = select(StoredEvent.id).where(StoredEvent.digest == declaration.declares)  # type: ignore
    has_erroneous = DisclosedEvent.event.in_(erroneous)  # type: ignore[attr-defined]
    told = set(_receivers(session, DisclosedEvent.event == declaration.id))
    mine = (HandOver.kind == CORRECTION, HandOver.event == declaration.id)
    told |= set(session.execute(select(HandOver.receiver).where(*mine)).scalars())  # type: ignore
    return sorted(set(_receivers(session, has_erroneous)) - told - {declaration.party})


def _receivers(session: Session, *conditions: object) -> list[int]:
    """Who was sent, or will be sent, a package that is made."""
    sent = or_(HandOver.state != HandOverState.ENDED, HandOver.sent > 0)  # type: ignore
    query = select(HandOver.receiver).join(DisclosedEvent, DisclosedEvent.hand_over == HandOver.id)  # type: ignore
    return list(session.execute(query.where(and_(sent, *conditions)).distinct()).scalars())  # type: ignore


def stored(session: Session, digest: bytes) -> StoredEvent | None:
    """The event with this digest, where it is here."""
    found = known(session, [digest])
    return session.get_one(StoredEvent, found[0].id) if found else None


def shipment_stands(session: Session, event: int) -> bool:
    """Whether something that this event shipped is on its way, or has gone."""
    going = select(ShippedUnit.unit).join(HandOver, HandOver.id == ShippedUnit.hand_over)  # type: ignore
    query = going.where(HandOver.event == event, ShippedUnit.goods.not_in(ENDED))  # type: ignore
    return session.execute(query.limit(1)).first() is not None


def not_received(session: Session, unit: LogisticUnit) -> None:
    """A unit that waits in quarantine for its data did not come: it is again where it was before."""
    coming = select(ArrivalUnit.unit).where(ArrivalUnit.unit == unit.id, ArrivalUnit.goods.in_(ON_THE_WAY))  # type: ignore
    gone = select(ShippedUnit.unit).where(ShippedUnit.unit == unit.id, ShippedUnit.goods.not_in(ENDED))  # type: ignore
    if session.execute(coming).first() is not None:
        place = Place.EXPECTED
    else:
        place = Place.SHIPPED if session.execute(gone).first() is not None else Place.UNKNOWN
    unit.place, unit.note = int(place), None
    session.add(unit)
