"""Capturing events: all of a document or nothing of it.

The heavy part (reading, hashing, building trees) runs before the database's write lock is taken. One transaction then
checks the lifecycle, stores the events and queues their calls to the chain; only after it is a capture acknowledged.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select
from sqlmodel import Session

from packtrace.commit import salts
from packtrace.commit.event import Custody, Ledger, commit
from packtrace.commit.history import RECORDED_AHEAD
from packtrace.epcis.model import ErrorDeclaration, Event
from packtrace.epcis.reading import Document, read_document
from packtrace.errors import DocumentError, LifecycleError, PacktraceError
from packtrace.facts import batch_number, logistic_number
from packtrace.gs1 import sscc_of_uri
from packtrace.product import Product
from packtrace.rules import RULE, ItemState, Movement, Place, check, items_to_know, movement
from packtrace_gateway.access.models import Caller, Role
from packtrace_gateway.capture.corrections import Corrections, emptying, said_of
from packtrace_gateway.capture.ledger import LedgerCalls
from packtrace_gateway.capture.movements import HandOver, Movements
from packtrace_gateway.capture.preparing import Prepared, Preparing, written
from packtrace_gateway.capture.roles import check_roles
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import CommissionedBatch, Seal, StoredEvent
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.partners.service import PartnerService
from packtrace_gateway.problems import NotFoundError, TooLargeError
from packtrace_gateway.products.service import ProductService
from packtrace_gateway.settings import Settings

# Events of one document: half a minute in which nothing else is written, which others wait for (`db.WRITE_TIMEOUT`).
MOST_EVENTS = 10_000
SSCC_SALT_BYTES = 16
HANDLED = (Movement.PACK, Movement.UNPACK, Movement.TAKE_OUT, Movement.SHIP)


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
        self._movements = Movements(store, hand_over)
        self.preparing = Preparing(clock)
        self._clock = clock

    def capture(
        self, document: bytes, roles: Collection[Role] = frozenset(Role), caller: Caller | None = None
    ) -> list[Captured]:
        """Capture an EPCIS document (or a bare event) in JSON, for a caller with these roles.

        Raises DocumentError, TooLargeError, ForbiddenError or LifecycleError, and then stores nothing.
        """
        prepared = self.prepare(document, roles)
        with self._database.write() as session:
            return self.store(session, prepared, caller)

    def prepare(self, document: bytes, roles: Collection[Role], field: str = "") -> list[Prepared]:
        """The events of a document (or a bare event), with all that needs no lock, for `store`.

        `field` is the document's own path with a dot, empty for one that stands by itself. Raises DocumentError,
        TooLargeError, ForbiddenError, or LifecycleError for what no declaration takes back.
        """
        try:
            read = read_document(document)
        except PacktraceError as error:
            error.field = f"{field}{error.field}" if error.field else error.field
            raise
        if _is_bare(read):
            return [self._allowed(read.events[0], field, roles)]
        if len(read.events) > MOST_EVENTS:
            raise TooLargeError(
                f"a document has at most {MOST_EVENTS} events here; send it in parts",
                field=f"{field}epcisBody.eventList",
                value=len(read.events),
                rule="packtrace: events of a document (GS1-EPCIS-Capture-Limit)",
            )
        return [
            self._allowed(event, f"{field}epcisBody.eventList[{number}].", roles)
            for number, event in enumerate(read.events)
        ]

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
        prepared = self._allowed(read.events[0], "", roles)
        with self._database.write() as session:
            (captured,) = self.store(session, [prepared], caller)
        return captured

    def _allowed(self, event: Event, field: str, roles: Collection[Role]) -> Prepared:
        check_roles(event, roles, field)
        return self.preparing.prepare(event, field)

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
                emptied = emptying(unit, entry.event.read_point, written(self._clock()))
                self._store_one(session, self.preparing.unchecked(emptied, entry.field), calls)
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
        number, _ = self._add(session, self.preparing.unchecked(named, ""), Ledger(party=self._settings.party))
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
        self._movements.move(session, entry, what, ledger, number, calls)
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
        return max(written(now), min(newest, written(now + RECORDED_AHEAD)))

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
            self._movements.check_on_chain(session, entry)
            partner = self._partners.receiver(session, entry.event, entry.field)
            if partner.company != self._settings.company:
                self._movements.check_released(session, entry)
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


def _is_bare(document: Document) -> bool:
    """Whether it is an event without a document around it."""
    return document.creation_date is None
