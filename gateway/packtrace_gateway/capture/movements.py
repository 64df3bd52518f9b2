"""What an event moves: where items are here, and the calls that tell the chain the same."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy import select
from sqlmodel import Session

from packtrace.commit.event import Ledger
from packtrace.epcis.model import Event
from packtrace.errors import LifecycleError
from packtrace.gs1 import expires_at, sscc_of_uri
from packtrace.product import sscc_commitment
from packtrace.rules import RULE, Movement, Place, items_to_know
from packtrace_gateway.access.models import Caller
from packtrace_gateway.capture.corrections import Goods
from packtrace_gateway.capture.ledger import MOST_NUMBERS, LedgerCalls
from packtrace_gateway.capture.preparing import Prepared
from packtrace_gateway.events.models import CommissionedBatch, LogisticUnit
from packtrace_gateway.events.places import MAX_NESTING, REFUSED_CALLS
from packtrace_gateway.events.store import EventStore


class HandOver(Goods, Protocol):
    """What capture asks of the exchange with partners."""

    def before(self, session: Session, uris: Sequence[str]) -> list[Event]:
        """What is to be recorded of these logistic units before anything else is done with them."""

    def check_gone(self, session: Session, unit: LogisticUnit, field: str) -> None:
        """A unit that was shipped has arrived, so that its SSCC can be another's. Raises LifecycleError."""

    def shipped(self, session: Session, uris: Sequence[str], receiver: int, ship_rows: Sequence[int]) -> None:
        """The units were shipped: their pedigrees are to be handed to the receiver."""

    def received(self, session: Session, units: Sequence[LogisticUnit], caller: Caller | None) -> None:
        """The units arrived: accept them, or put them in quarantine until their pedigrees are here."""

    def declared(self, session: Session, declaration: int) -> None:
        """An event was declared erroneous: everybody to whom it was disclosed is told."""


class Movements:
    """Carries movements out, in the caller's transaction."""

    def __init__(self, store: EventStore, hand_over: HandOver) -> None:
        self._store = store
        self._hand_over = hand_over

    def check_on_chain(self, session: Session, entry: Prepared) -> None:
        """What the chain does not have as it is recorded here cannot be handed over there."""
        for number, uri in enumerate(entry.event.epcs):
            unit = self._store.refused(session, uri)
            if unit is not None and unit.refused is not None:
                sscc = sscc_of_uri(unit.uri)
                raise LifecycleError(
                    f"of {unit.uri} the chain refused {REFUSED_CALLS[unit.refused]} ({unit.refusal}); when the cause "
                    f"is gone, propose it again (POST /logistic-units/{sscc}/propose), then ship",
                    field=f"{entry.field}epcList[{number}]",
                    value=uri,
                    rule=RULE,
                )

    def check_released(self, session: Session, entry: Prepared) -> None:
        """Before release a batch moves only inside its company."""
        for number, uri in enumerate(entry.event.epcs):
            events = self._store.commissionings_inside(session, uri)
            query = select(CommissionedBatch).where(CommissionedBatch.event.in_(events))  # type: ignore[attr-defined]
            for batch in session.execute(query.where(CommissionedBatch.state != "released")).scalars():  # type: ignore[arg-type]
                raise LifecycleError(
                    f"this holds packs of lot {batch.lot}, batch {batch.number}, which is {batch.state}, not "
                    "released; it cannot leave the company before",
                    field=f"{entry.field}epcList[{number}]",
                    value=uri,
                    rule=RULE,
                )

    def move(
        self, session: Session, entry: Prepared, what: Movement, ledger: Ledger, number: int, calls: LedgerCalls
    ) -> None:
        """Carry the movement out, here and (queued) on chain."""
        event, store = entry.event, self._store
        match what:
            case Movement.COMMISSION:
                self._commission(session, entry, ledger, number, calls)
            case Movement.PACK:
                self._pack(session, entry, ledger, number, calls)
            case Movement.UNPACK:
                parent = store.logistic_unit(session, event.parent or "")
                store.empty(session, parent)
                if parent.refused is None:  # else the chain hears of it with what is proposed again
                    calls.custody("unpack", [parent], reference=f"event:{number}")
            case Movement.TAKE_OUT:
                store.put_inside(session, event.children, None, Place.HERE)
                units = store.logistic_units(session, [uri for uri in event.children if sscc_of_uri(uri)])
                if store.logistic_unit(session, event.parent or "").refused != "register":
                    calls.custody("takeOut", list(units.values()), reference=f"event:{number}")
            case Movement.SHIP:
                units = store.logistic_units(session, event.epcs)
                for unit in units.values():
                    unit.place, unit.partner, unit.note = int(Place.SHIPPED), ledger.receiver, None
                    session.add(unit)
                rows = calls.custody("ship", list(units.values()), ledger.receiver, reference=f"event:{number}")
                self._hand_over.shipped(session, event.epcs, ledger.receiver or 0, rows)
            case Movement.RECEIVE:
                calls.flush()
                self._hand_over.received(
                    session, [store.logistic_unit(session, uri) for uri in event.epcs], calls.caller
                )

    def _commission(self, session: Session, entry: Prepared, ledger: Ledger, number: int, calls: LedgerCalls) -> None:
        event, product, batch = entry.event, ledger.product, ledger.batch
        for uri in items_to_know(event):
            if sscc_of_uri(uri):
                self._store.logistic_unit(session, uri)
        if product is None or batch is None:
            return
        self._store.commission(session, number, entry.tree.uris, entry.field, event.epcs)
        row = calls.propose(batch, product, entry.tree.root, entry.tree.size, expires_at(product.expiry))
        session.add(
            CommissionedBatch(
                number=batch,
                event=number,
                gtin=product.gtin,
                lot=product.lot,
                expiry=product.expiry.isoformat(),
                count=entry.tree.size,
                state="proposing",
                outbox=row,
            )
        )

    def _pack(self, session: Session, entry: Prepared, ledger: Ledger, number: int, calls: LedgerCalls) -> None:
        event, custody = entry.event, ledger.custody
        sscc = sscc_of_uri(event.parent or "")
        assert custody is not None and sscc is not None and event.parent is not None  # noqa: PT018
        inner = self._store.logistic_units(session, [uri for uri in event.children if sscc_of_uri(uri)])
        self._check_inner(session, entry, inner)
        parent = self._store.logistic_unit(session, event.parent)
        if parent.place == Place.SHIPPED or parent.parent is not None:  # an SSCC may be used again
            self._hand_over.check_gone(session, parent, f"{entry.field}parentID")
            self._store.leave_behind(session, [parent.id or 0])
        parent.number, parent.filled_by = str(custody.number), number
        parent.place, parent.partner, parent.note, parent.parent = int(Place.HERE), None, None, None
        session.add(parent)
        session.flush()
        self._store.put_inside(session, event.children, parent, Place.HERE)
        unknown = next((unit for unit in inner.values() if unit.refused is not None), None)
        if unknown is not None:  # it would be refused too, and with it all that is registered in one call with it
            parent.refused, parent.refusal = "register", f"it holds {unknown.uri}, about which a call was refused"
            return
        children = [int(unit.number) for unit in inner.values() if unit.number is not None]
        commitment = sscc_commitment(custody.salt, sscc)
        calls.register(custody.number, commitment, entry.tree.root, entry.tree.size, children)

    def _check_inner(self, session: Session, entry: Prepared, inner: Mapping[str, LogisticUnit]) -> None:
        """What the chain would refuse."""
        if len(inner) > MOST_NUMBERS:
            raise LifecycleError(
                f"a logistic unit holds at most {MOST_NUMBERS} others; nest them",
                field=f"{entry.field}childEPCs",
                value=len(inner),
                rule=RULE,
            )
        deep = self._store.too_deep(session, inner.values())
        if deep is not None:
            raise LifecycleError(
                f"this unit holds others at {MAX_NESTING} levels, which is all that there may be; unpack some",
                field=f"{entry.field}childEPCs[{entry.event.children.index(deep.uri)}]",
                value=deep.uri,
                rule=RULE,
            )
