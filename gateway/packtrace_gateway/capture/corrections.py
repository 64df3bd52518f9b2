"""Error declarations: that an event recorded here is wrong (EPCIS 2.0, 7.4.1.2 and 7.4.1.3).

A declaration undoes nothing on chain: what was commissioned, handed over or dispensed stays so, whatever is said of the
record of it. So an event that moved goods is declared erroneous once its movement is out of the way: taken back here,
where only this gateway knows of it, or undone by what the chain can follow.
"""

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import select
from sqlmodel import Session

from packtrace.commit.declaration import MAX_REASON, MOST_CORRECTIONS, Declaration
from packtrace.epcis.model import ErrorDeclaration, Event
from packtrace.errors import DocumentError, LifecycleError
from packtrace.gs1 import sscc_of_uri
from packtrace.rules import PACKS, RULE, Movement, Place, movement
from packtrace_gateway.events.declarations import Known, Taken, declarations, declared_by
from packtrace_gateway.events.models import LogisticUnit, StoredEvent
from packtrace_gateway.events.store import EventStore, stored_header

OPENED = "by the chain its unit has ended, or what was in it is out: pack that into another unit instead"
# Movements that no declaration takes back, and what is done instead.
NEVER = {
    Movement.UNPACK: OPENED,
    Movement.TAKE_OUT: OPENED,
    Movement.REMOVE: "the chain has the status of the packs: reverse it (POST /operations/{id}/reverse) if it can be",
}
COMMISSIONED = (
    "the chain has the batch, and a serial number is used once for ever: withdraw the batch before it is released, "
    "recall the lot after, and destroy the packs"
)
VOIDED = "the chain has it that these goods were not shipped, or not received: ship them again"
# Where a unit is that was not received.
NOT_HERE = (Place.UNKNOWN, Place.EXPECTED)


class Goods(Protocol):
    """What is asked of the exchange with partners."""

    def shipment_stands(self, session: Session, event: int) -> bool:
        """Whether something that this event shipped is on its way, or has gone."""

    def not_received(self, session: Session, unit: LogisticUnit) -> None:
        """A unit that waits in quarantine for its data did not come: it is again where it was before."""


def check_declared(event: Event, said: ErrorDeclaration, field: str, latest: str) -> None:
    """What can be refused at once. Raises DocumentError; LifecycleError for what no declaration takes back."""
    path = f"{field}errorDeclaration"
    if said.declaration_time > latest:
        raise DocumentError(
            "this was not declared yet: set the clock of the device that declared it",
            field=f"{path}.declarationTime",
            value=said.declaration_time,
            rule="not ahead of this gateway's clock",
        )
    if len(said.corrective_event_ids) > MOST_CORRECTIONS:
        raise DocumentError(
            f"at most {MOST_CORRECTIONS} events stand in the place of one",
            field=f"{path}.correctiveEventIDs",
            value=len(said.corrective_event_ids),
            rule="packtrace: corrections of an event",
        )
    if len(said.reason or "") > MAX_REASON:
        raise DocumentError(
            f"a reason has at most {MAX_REASON} characters",
            field=f"{path}.reason",
            value=said.reason,
            rule="CBV 2.0, 7.5",
        )
    what = movement(event)
    instead = NEVER.get(what)
    if what is Movement.COMMISSION and any(uri.startswith(PACKS) for uri in event.epcs):
        instead = COMMISSIONED
    if event.biz_step == "void_shipping" and (event.epcs or event.children):
        instead = VOIDED
    if instead is not None:
        raise _refusal(instead, field, event)


class Corrections:
    """Events recorded here that are declared erroneous. Works in the caller's database transaction."""

    def __init__(self, store: EventStore, goods: Goods) -> None:
        self._store = store
        self._goods = goods

    def erroneous(self, session: Session, event: Event, cbv_hash: str, field: str) -> StoredEvent:
        """The event that is declared erroneous. Raises LifecycleError where it is not one of ours."""
        event_id = event.event_id or cbv_hash
        row: StoredEvent | None = session.execute(
            select(StoredEvent).where(StoredEvent.event_id == event_id)  # type: ignore[arg-type]
        ).scalar()
        if row is None:
            raise LifecycleError(
                "no such event was recorded here, and only who recorded an event takes it back; a declaration repeats "
                "the event as it was recorded, eventID included",
                field=f"{field}errorDeclaration",
                value=event_id,
                rule="EPCIS 2.0, section 7.4.1.2",
            )
        if row.cbv_hash != cbv_hash:
            raise LifecycleError(
                "the event with this ID is another; a declaration repeats the erroneous event as it was recorded",
                field=f"{field}eventID",
                value=event_id,
                rule="EPCIS 2.0, section 7.4.1.2",
            )
        return row

    def declared(self, session: Session, erroneous: StoredEvent) -> Taken | None:
        """The declaration about an event, where it was declared erroneous before."""
        found = declarations(session, [Known(erroneous.id or 0, erroneous.digest, erroneous.party)])
        return found[0] if found else None

    def check_again(self, before: Taken, said: ErrorDeclaration, field: str) -> None:
        """One declaration for an event; saying the same once more is no other one. Raises LifecycleError."""
        told = stored_header(before.header).opened["errorDeclaration"]
        if (told["reason"], told["correctiveEventIDs"]) != (said.reason, list(said.corrective_event_ids)):
            raise LifecycleError(
                f"this event was declared erroneous on {told['declarationTime']}, with another reason or other "
                "corrective events; it is declared once",
                field=f"{field}errorDeclaration",
                value=said.reason,
                rule=RULE,
            )

    def declaration(self, session: Session, erroneous: StoredEvent, said: ErrorDeclaration, field: str) -> Declaration:
        """What the core of the declaration says. Raises LifecycleError for corrective events that are not here."""
        digests = []
        for number, event_id in enumerate(said.corrective_event_ids):
            query = select(StoredEvent).where(StoredEvent.event_id == event_id)  # type: ignore[arg-type]
            row = session.execute(query).scalar()
            wrong = None
            if row is None:
                wrong = "this corrective event was not recorded here; send it before, or in the same document"
            elif row.id == erroneous.id:
                wrong = "an erroneous event does not stand in its own place: the corrective event has an ID of its own"
            elif "product" in stored_header(row.header).core:
                wrong = "packs are commissioned once: their commissioning stands in no other event's place"
            if row is None or wrong is not None:
                path = f"{field}errorDeclaration.correctiveEventIDs[{number}]"
                raise LifecycleError(wrong or "", field=path, value=event_id, rule="EPCIS 2.0, section 7.4.1.3")
            digests.append(row.digest)
        return Declaration(erroneous.digest, said.declaration_time, said.reason, tuple(sorted(set(digests))))

    def take_back(self, session: Session, event: Event, erroneous: StoredEvent, field: str) -> str | None:
        """Take back what the event did here; a logistic unit that is to be emptied for it, on chain too.

        Raises LifecycleError where the chain, or a later event, stands on it, and says what to do instead.
        """
        match movement(event):
            case Movement.COMMISSION:
                self._never_named(session, event, field)
            case Movement.PACK:
                return self._filled(session, event, erroneous, field)
            case Movement.SHIP:
                if self._goods.shipment_stands(session, erroneous.id or 0):
                    instead = (
                        "the chain has the shipment: cancel it (POST /shipments/{id}/cancel), or have the goods "
                        "refused and sent back, and then declare it"
                    )
                    raise _refusal(instead, field, event)
            case Movement.RECEIVE:
                self._not_received(session, event, field)
        return None

    def _never_named(self, session: Session, event: Event, field: str) -> None:
        """A logistic unit that was named and not used: it is unknown again."""
        for unit in self._units(session, event.epcs):
            if unit.place == Place.UNKNOWN:
                continue
            if unit.place != Place.HERE or unit.parent is not None or unit.filled_by is not None:
                raise _refusal(f"{unit.uri} was used since: what was done with it stands", field, event)
            unit.place = int(Place.UNKNOWN)
            session.add(unit)

    def _filled(self, session: Session, event: Event, erroneous: StoredEvent, field: str) -> str | None:
        for unit in self._units(session, [event.parent or ""]):
            if unit.filled_by != erroneous.id or unit.place == Place.UNPACKED:
                continue  # nothing is in it any more that this event put there
            if unit.parent is not None:
                around = session.get_one(LogisticUnit, unit.parent).uri
                raise _refusal(f"the unit is inside {around}: take it out first", field, event)
            if unit.place != Place.HERE:
                raise _refusal("the unit is not here: cancel its shipment, or have it sent back, first", field, event)
            return unit.uri
        return None

    def _not_received(self, session: Session, event: Event, field: str) -> None:
        for unit in self._units(session, event.epcs):
            if unit.place == Place.QUARANTINED:
                self._goods.not_received(session, unit)
            elif unit.place not in NOT_HERE:
                raise _refusal(f"the chain has {unit.uri} as received: ship it back instead", field, event)

    def _units(self, session: Session, uris: Sequence[str]) -> list[LogisticUnit]:
        return list(self._store.logistic_units(session, [uri for uri in uris if sscc_of_uri(uri)]).values())


def emptying(unit: str, read_point: str | None, time: str) -> Event:
    """A unit that should not have been filled is emptied by an event that everybody can follow.

    It has no business step: nobody has opened anything.
    """
    return Event(
        type="AggregationEvent",
        action="DELETE",
        event_time=time,
        event_time_zone_offset="+00:00",
        event_id=f"urn:uuid:{uuid4()}",
        read_point=read_point,
        parent=unit,
    )


def said_of(declaration: Taken) -> dict[str, Any]:
    """A declaration for people."""
    plain = declared_by(declaration.header).to_json()
    return {name: plain[name] for name in ("time", "reason", "corrections")} | {"digest": declaration.digest.hex()}


def _refusal(instead: str, field: str, event: Event) -> LifecycleError:
    message = f"this event cannot be declared erroneous as things are: {instead}"
    return LifecycleError(message, field=f"{field}errorDeclaration", value=event.event_id, rule=RULE)
