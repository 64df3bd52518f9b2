"""Capturing events: all of a document or nothing of it.

The heavy part (reading, hashing, building trees) runs before the database's write lock is taken. One transaction then
checks the lifecycle, stores the events and queues their calls to the chain; only after it is a capture acknowledged.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import func, select
from sqlmodel import Session

from packtrace.commit import items, salts
from packtrace.commit.event import Custody, Ledger, commit
from packtrace.commit.history import RECORDED_AHEAD
from packtrace.commit.items import ItemTree
from packtrace.epcis.cbv_hash import event_hash
from packtrace.epcis.commissioning import ProductData, product_data
from packtrace.epcis.model import ErrorDeclaration, Event
from packtrace.epcis.reading import Document, read_document
from packtrace.errors import DocumentError, LifecycleError
from packtrace.facts import batch_number, logistic_number
from packtrace.gs1 import expires_at, sscc_of_uri
from packtrace.product import Product, sscc_commitment
from packtrace.rules import RULE, ItemState, Movement, Place, check, items_to_know, movement
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.capture.corrections import Corrections, Goods, check_declared, emptying, said_of
from packtrace_gateway.capture.ledger import MOST_NUMBERS, LedgerCalls
from packtrace_gateway.capture.roles import check_roles
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import CommissionedBatch, LogisticUnit, Seal, StoredEvent
from packtrace_gateway.events.store import MAX_NESTING, REFUSED_CALLS, EventStore
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.partners.service import PartnerService
from packtrace_gateway.problems import NotFoundError, TooLargeError
from packtrace_gateway.products.service import ProductService
from packtrace_gateway.settings import Settings

# A unit's index has 20 bits on chain (IPackLedger).
MAX_BATCH = 1 << 20
# Events of one document: half a minute in which nothing else is written, which others wait for (`db.WRITE_TIMEOUT`).
MOST_EVENTS = 10_000
SSCC_SALT_BYTES = 16
HANDLED = (Movement.PACK, Movement.UNPACK, Movement.TAKE_OUT, Movement.SHIP)
# Devices' clocks are off by minutes; an hour is a wrong time zone.
CLOCK_TOLERANCE = timedelta(minutes=30)


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


@dataclass(frozen=True, slots=True)
class Captured:
    """One event of a capture. `already` says that the same event was captured before, and not stored twice.

    `declares` is the digest of the event that this one declares erroneous; `erroneous` says that the same event,
    captured before, was declared erroneous since.
    """

    event_id: str
    cbv_hash: str
    digest: bytes
    batch: int | None = None
    already: bool = False
    declares: bytes | None = None
    erroneous: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event with all that can be computed of it without the database."""

    event: Event
    field: str
    cbv_hash: str
    product: ProductData | None
    secret: bytes
    tree: ItemTree


class CaptureService:
    """Captures events for one gateway."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: EventStore,
        outbox: Outbox,
        partners: PartnerService,
        products: ProductService,
        hand_over: HandOver,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._outbox = outbox
        self._partners = partners
        self._products = products
        self._hand_over = hand_over
        self._corrections = Corrections(store, hand_over)
        self._clock = clock

    def capture(
        self, document: bytes, roles: Collection[Role] = frozenset(Role), caller: Caller | None = None
    ) -> list[Captured]:
        """Capture an EPCIS document (or a bare event) in JSON, for a caller with these roles.

        Raises DocumentError, TooLargeError, ForbiddenError or LifecycleError, and then stores nothing.
        """
        read = read_document(document)
        if _is_bare(read):
            return [self._capture_event(read.events[0], roles, caller)]
        if len(read.events) > MOST_EVENTS:
            raise TooLargeError(
                f"a document has at most {MOST_EVENTS} events here; send it in parts",
                field="epcisBody.eventList",
                value=len(read.events),
                rule="packtrace: events of a document (GS1-EPCIS-Capture-Limit)",
            )
        prepared = [
            self._allowed(event, f"epcisBody.eventList[{number}].", roles) for number, event in enumerate(read.events)
        ]
        with self._database.write() as session:
            return self.store(session, prepared, caller)

    def capture_event(
        self, document: bytes, roles: Collection[Role] = frozenset(Role), caller: Caller | None = None
    ) -> Captured:
        """Capture one bare event. Raises like `capture`."""
        read = read_document(document)
        if not _is_bare(read):
            raise DocumentError(
                "this is a document, not an event: send it to /capture",
                field="type",
                value="EPCISDocument",
                rule="EPCIS 2.0, REST binding",
            )
        return self._capture_event(read.events[0], roles, caller)

    def _capture_event(self, event: Event, roles: Collection[Role], caller: Caller | None) -> Captured:
        prepared = self._allowed(event, "", roles)
        with self._database.write() as session:
            (captured,) = self.store(session, [prepared], caller)
        return captured

    def _allowed(self, event: Event, field: str, roles: Collection[Role]) -> Prepared:
        check_roles(event, roles, field)
        return self.prepare(event, field)

    def prepare(self, event: Event, field: str) -> Prepared:
        """The part that needs no lock. Raises DocumentError, or LifecycleError for what no declaration takes back."""
        latest = _written(self._clock() + CLOCK_TOLERANCE)
        if event.error_declaration is not None:
            check_declared(event, event.error_declaration, field, latest)
        if event.event_time > latest:
            raise DocumentError(
                "this event has not happened yet: set the clock of the device that recorded it",
                field=f"{field}eventTime",
                value=event.event_time,
                rule=f"at most {CLOCK_TOLERANCE} ahead of this gateway's clock",
            )
        return self._prepare(event, field)

    def _prepare(self, event: Event, field: str) -> Prepared:
        try:
            product = product_data(event)
        except DocumentError as error:
            error.field = f"{field}{error.field}"
            raise
        if product is not None and len(event.epcs) > MAX_BATCH:
            raise DocumentError(
                f"a batch has at most {MAX_BATCH} packs; commission them in several events",
                field=f"{field}epcList",
                value=len(event.epcs),
                rule="packtrace: units of a batch",
            )
        if product is not None and expires_at(product.expiry) <= self._clock().timestamp():
            raise DocumentError(
                "these packs are expired already, and the chain takes no such batch: correct the date",
                field=f"{field}ilmd.cbvmda:itemExpirationDate",
                value=product.expiry.isoformat(),
                rule="packtrace: expiry in the future (IPackLedger)",
            )
        secret = salts.new_secret()
        return Prepared(event, field, event_hash(event), product, secret, items.build(items.items_of(event), secret))

    def store(self, session: Session, prepared: Sequence[Prepared], caller: Caller | None = None) -> list[Captured]:
        """Check, store and queue, in the caller's transaction; `caller` is who sent it, where it came from outside."""
        calls = LedgerCalls(self._outbox, session, caller)
        captured: dict[int, Captured] = {}
        declared: list[tuple[int, Prepared, ErrorDeclaration, StoredEvent]] = []
        for at, entry in enumerate(prepared):
            said = entry.event.error_declaration
            if said is None:
                captured[at] = self._store_one(session, entry, calls)
            else:
                declared.append((at, entry, said, self._take_back(session, entry, calls)))
        for at, entry, said, erroneous in declared:  # what stands in its place may come after it in the document
            captured[at] = self._declare(session, entry, said, erroneous)
        calls.flush()
        return [captured[at] for at in range(len(prepared))]

    def _take_back(self, session: Session, entry: Prepared, calls: LedgerCalls) -> StoredEvent:
        """The event that is declared erroneous; what it did here is undone."""
        erroneous = self._corrections.erroneous(session, entry.event, entry.cbv_hash, entry.field)
        if self._corrections.declared(session, erroneous) is None:
            unit = self._corrections.take_back(session, entry.event, erroneous, entry.field)
            if unit is not None:
                emptied = emptying(unit, entry.event.read_point, _written(self._clock()))
                self._store_one(session, self._prepare(emptied, entry.field), calls)
        return erroneous

    def _declare(self, session: Session, entry: Prepared, said: ErrorDeclaration, erroneous: StoredEvent) -> Captured:
        event_id = erroneous.event_id or entry.cbv_hash
        before = self._corrections.declared(session, erroneous)
        if before is not None:
            self._corrections.check_again(before, said, entry.field)
            return Captured(event_id, entry.cbv_hash, before.digest, already=True, declares=erroneous.digest)
        declares = self._corrections.declaration(session, erroneous, said, entry.field)
        number, digest = self._add(session, entry, Ledger(party=self._settings.party, declares=declares))
        self._hand_over.declared(session, number)
        return Captured(event_id, entry.cbv_hash, digest, declares=erroneous.digest)

    def record(self, session: Session, event: Event) -> int:
        """Record an event that the gateway itself witnessed on chain (a dispense that is final); moves nothing.

        It gets an ID of its own: a pack may be dispensed, given back and dispensed again in blocks of one second.
        """
        named = replace(event, event_id=f"urn:uuid:{uuid4()}")
        number, _ = self._add(session, self._prepare(named, ""), Ledger(party=self._settings.party))
        return number

    def state(self, event_id: str) -> dict[str, Any]:
        """How far an own event has come. Raises NotFoundError."""
        query = select(StoredEvent, Seal).outerjoin(Seal, StoredEvent.seal_id == Seal.id)  # type: ignore[arg-type]
        with self._database.read() as session:
            found = session.execute(query.where(StoredEvent.event_id == event_id)).first()  # type: ignore[arg-type]
            declaration = None if found is None else self._corrections.declared(session, found[0])
        if found is None:
            raise NotFoundError("no such event was captured here", field="eventID", value=event_id)
        event, seal = found
        return {
            "eventID": event.event_id,
            "cbvHash": event.cbv_hash,
            "digest": event.digest.hex(),
            "recordTime": event.record_time,
            "proof": seal.state if seal else "captured",
            "seal": {"lane": seal.lane, "sequence": seal.sequence, "count": seal.count} if seal else None,
            "declared": declaration and said_of(declaration),
        }

    def _store_one(self, session: Session, entry: Prepared, calls: LedgerCalls) -> Captured:
        event = entry.event
        before = self._captured_before(session, entry)
        if before is not None:
            return before
        states = self._states(session, event)
        what = check(event, states, entry.field)
        if what in HANDLED:
            for earlier in self._hand_over.before(session, [uri for uri in items_to_know(event) if sscc_of_uri(uri)]):
                self.record(session, earlier)
        ledger = self._ledger(session, entry, what)
        number, digest = self._add(session, entry, ledger)
        self._move(session, entry, what, ledger, number, calls)
        return Captured(event.event_id or entry.cbv_hash, entry.cbv_hash, digest, ledger.batch)

    def _states(self, session: Session, event: Event) -> dict[str, ItemState]:
        states = self._store.states(session, items_to_know(event))
        parent = event.parent or ""
        if movement(event) is Movement.PACK and parent in states and states[parent].place is Place.SHIPPED:
            states[parent] = replace(states[parent], ended=self._store.last_use(session, parent))
        return states

    def _add(self, session: Session, entry: Prepared, ledger: Ledger) -> tuple[int, bytes]:
        """Commit to the event and store it: its number here, and its digest."""
        commitment = commit(
            entry.event,
            entry.tree,
            ledger=ledger,
            record_time=self._record_time(session),
            cbv_hash=entry.cbv_hash,
            secret=entry.secret,
            public_place=self._settings.public_places,
        )
        number = self._store.add_own(session, entry.event, commitment, cbv_hash=entry.cbv_hash)
        return number, commitment.digest

    def _record_time(self, session: Session) -> str:
        """Now, and not before anything that is recorded here: verifiers follow an item in the order of recording.

        So a clock that is set back, or a partner's that is ahead, does not turn that order round. It is followed as far
        as partners would believe it.
        """
        newest: str = session.execute(select(func.max(StoredEvent.record_time))).scalar() or ""
        now = self._clock()
        return max(_written(now), min(newest, _written(now + RECORDED_AHEAD)))

    def _captured_before(self, session: Session, entry: Prepared) -> Captured | None:
        """A line that lost the answer sends the same event again: it is acknowledged again, not stored twice."""
        event_id = entry.event.event_id or entry.cbv_hash
        row = session.execute(select(StoredEvent).where(StoredEvent.event_id == event_id)).scalar()  # type: ignore[arg-type]
        if row is None:
            return None
        if row.cbv_hash != entry.cbv_hash:
            raise LifecycleError(
                "an event with this ID but other content was captured before; an event's ID is its own",
                field=f"{entry.field}eventID",
                value=event_id,
                rule="EPCIS 2.0, section 7.4.1",
            )
        batch = session.execute(select(CommissionedBatch.number).where(CommissionedBatch.event == row.id)).scalar()  # type: ignore
        erroneous = self._corrections.declared(session, row) is not None
        return Captured(event_id, entry.cbv_hash, row.digest, batch, already=True, erroneous=erroneous)

    def _ledger(self, session: Session, entry: Prepared, what: Movement) -> Ledger:
        """What ties the event to the contracts: the numbers it gets there."""
        party = self._settings.party
        if entry.product is not None:
            data = entry.product
            secret = self._products.secret(session, data.gtin, f"{entry.field}epcList")
            product = Product(data.gtin, data.lot, data.expiry, secret)
            batch = batch_number(party, self._store.next_number(session, "batch"))
            return Ledger(party=party, product=product, batch=batch)
        if what is Movement.PACK:
            number = logistic_number(party, self._store.next_number(session, "logistic"))
            return Ledger(party=party, custody=Custody(number, salts.new_secret()[:SSCC_SALT_BYTES]))
        if what is Movement.SHIP:
            self._check_on_chain(session, entry)
            partner = self._partners.receiver(session, entry.event, entry.field)
            if partner.company != self._settings.company:
                self._check_released(session, entry)
            return Ledger(party=party, receiver=partner.party)
        if what is Movement.REMOVE:
            raise LifecycleError(
                "the status of packs is changed on chain: use /dispense or /status, which record the event",
                field=f"{entry.field}bizStep",
                value=entry.event.biz_step,
                rule=RULE,
            )
        if entry.event.biz_step == "void_shipping" and (entry.event.epcs or entry.event.children):
            raise LifecycleError(
                "a shipment is cancelled under /shipments, and what is missing in an arrival is said under /arrivals, "
                "on chain too; that records the event",
                field=f"{entry.field}bizStep",
                value=entry.event.biz_step,
                rule=RULE,
            )
        return Ledger(party=party)

    def _check_on_chain(self, session: Session, entry: Prepared) -> None:
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

    def _check_released(self, session: Session, entry: Prepared) -> None:
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

    def _move(
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


def _is_bare(document: Document) -> bool:
    """Whether it is an event without a document around it."""
    return document.creation_date is None


def _written(time: datetime) -> str:
    """UTC with milliseconds, as in an event."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
