"""Status changes: submitted to the chain, and shown as done only when the included call changed this very pack."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import ClassVar

from sqlalchemy import select
from sqlmodel import Session

from packtrace.chain.contracts import Event as ChainEvent
from packtrace.commit import merkle
from packtrace.epcis.model import Event
from packtrace.errors import LifecycleError
from packtrace.facts import Refusal, Status
from packtrace.gs1 import sgln_uri, sgtin_uri
from packtrace.receipt import MAX_UNITS, REFUSED, UNIT_BYTES, Receipt
from packtrace.rules import RULE, ItemState, Place
from packtrace.scan import Scan
from packtrace.verdict import STATUS_WORDS, Headline
from packtrace_gateway.access.models import Caller
from packtrace_gateway.capture.service import CaptureService
from packtrace_gateway.db import Database
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.ledger.models import CallKind
from packtrace_gateway.ledger.service import UnitCall, undone
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.models import OutboxRow
from packtrace_gateway.outbox.service import Handler, Outbox
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.settings import Settings
from packtrace_gateway.status.models import Operation, OperationUnit
from packtrace_gateway.verify.service import Verified, VerifyService

# Headlines with which a change is not sent: the code in hand is not the pack whose status would change.
NEVER = (Headline.EVIDENCE_BROKEN, Headline.WRONG_DATA, Headline.UNKNOWN_SERIAL)
# Headlines that a person may override, naming them.
ON_ACKNOWLEDGEMENT = (Headline.CUSTODY_GAP, Headline.NOT_VERIFIED)
# What the packs' EPCIS event says (CBV 2.0, sections 7.1 and 7.2).
STEPS = {
    Status.SUPPLIED: ("dispensing", "dispensed"),
    Status.DESTROYED: ("destroying", "destroyed"),
    Status.EXPORTED: ("shipping", "inactive"),
    Status.SAMPLED: ("sampling", "inactive"),
    Status.FREE_SAMPLE: ("sampling", "inactive"),
    Status.STOLEN: ("inspecting", "stolen"),
    Status.LOCKED: ("holding", "unavailable"),
    Status.SUSPECT: ("inspecting", "non_sellable_other"),
}
REVERSED = ("stocking", "sellable_accessible")
"""The pack was not given away: it is on the shelf."""
# After these the pack is not there any more.
GONE = (Status.SUPPLIED, Status.DESTROYED, Status.EXPORTED, Status.SAMPLED, Status.FREE_SAMPLE)


@dataclass(frozen=True, slots=True)
class Subject:
    """A pack that an operation is about: its number on chain and its leaf in the item tree."""

    uri: str
    unit: int
    leaf: bytes


class NotSubmitted(LifecycleError):
    """The verdict forbids the change; `verified` says why."""

    problem_type: ClassVar = "packtrace:verdict"

    def __init__(self, message: str, field: str, verified: Verified) -> None:
        verdict = verified.verdict
        super().__init__(message, field=field, value=verdict.words, rule="; ".join(verdict.reasons))
        self.verified = verified


class PackedError(LifecycleError):
    """The pack is in a sealed case."""

    problem_type: ClassVar = "packtrace:packed"


class NotReceivedError(LifecycleError):
    """The pack's shipment was not received here, or is in quarantine."""

    problem_type: ClassVar = "packtrace:not-received"


class NotReversibleError(LifecycleError):
    """A change that cannot be taken back, or not any more."""

    problem_type: ClassVar = "packtrace:not-reversible"


class StatusService:
    """Operations on packs, for one gateway."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: EventStore,
        outbox: Outbox,
        capture: CaptureService,
        verify: VerifyService,
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._outbox = outbox
        self._capture = capture
        self._verify = verify
        outbox.register("PackLedger", "changeStatus", _Changed(self))
        outbox.register("PackLedger", "reverseStatus", _Reversed(self))

    def change(
        self, scans: Sequence[Scan], to: Status, caller: Caller, acknowledged: str | None, request: str | None = None
    ) -> tuple[int, list[Verified]]:
        """Submit a change; the operation's id, and the verdicts that it was submitted on.

        `request` is the client's own name for it: a client that lost the answer asks again, and what was submitted
        under this name is not submitted twice. It would be a conflict with itself, and a false alarm everywhere.

        A change that the chain will refuse is submitted all the same: its Conflict is the evidence of a clone. Raises
        NotSubmitted when a code is not that of a pack whose status could change, or a finding was not acknowledged.
        """
        if not 0 < len(scans) <= MAX_UNITS:
            raise LifecycleError(
                f"name 1 to {MAX_UNITS} packs in one call", field="packs", value=len(scans), rule="IPackLedger"
            )
        _check_unique(scans)
        uris = [sgtin_uri(scan.gtin, scan.serial) for scan in scans]
        with self._database.read() as session:
            before = self._requested(session, request, to, uris)
        if before is not None:
            return before, []
        verified = self._verify.verify_all(scans)
        subjects = [self._subject(entry, f"packs[{at}]", acknowledged) for at, entry in enumerate(verified)]
        openings = merkle.root([subject.leaf for subject in subjects])
        units = b"".join(subject.unit.to_bytes(UNIT_BYTES, "big") for subject in subjects)
        with self._database.write() as session:
            before = self._requested(session, request, to, uris)
            if before is not None:
                return before, []
            if to in GONE:
                self._check_reachable(session, uris)
            row = self._outbox.enqueue(
                session,
                contract="PackLedger",
                function="changeStatus",
                args=[int(to), units, openings],
                key="operate",
                reference=f"status:{to.name}",
                lane=self._lane(session, uris),
                caller=caller,
            )
            operation = Operation(
                to=int(to), outbox=row, state="pending", openings=openings, caller=caller.name, request=request
            )
            number = self._add(session, operation, [(subject.uri, subject.unit) for subject in subjects])
        return number, verified

    def _requested(self, session: Session, request: str | None, to: Status, uris: Sequence[str]) -> int | None:
        """The operation that was submitted under this name; None where there is none, or no name."""
        if request is None:
            return None
        operation = session.execute(select(Operation).where(Operation.request == request)).scalar()  # type: ignore[arg-type]
        if operation is None:
            return None
        number: int = operation.id or 0
        if (operation.to, [unit.uri for unit in self._operation(session, number)[1]]) != (int(to), list(uris)):
            message = f"operation {number} has this name, and is another; give each request a name of its own"
            raise LifecycleError(message, field="request", value=request, rule=RULE)
        return number

    def reverse(self, number: int, caller: Caller) -> int:
        """Take a dispense (export, sample) back, for every pack that it changed; the new operation's id.

        The caller declares with it that the packs were not given to the public (Delegated Regulation 2016/161, Art.
        13).
        """
        with self._database.write() as session:
            operation, units = self._operation(session, number)
            if operation.state != "done" or operation.reverses is not None:
                raise NotReversibleError(
                    "only a change that is done can be reversed", field="id", value=operation.state, rule=RULE
                )
            changed = [unit for unit in units if _is_changed(unit)]
            if not changed:
                raise NotReversibleError(
                    "this operation changed no pack; there is nothing to reverse", field="id", value=number, rule=RULE
                )
            reversed_ = self._reversed(session, number)
            changed = [unit for unit in changed if unit.uri not in reversed_]
            if not changed:
                raise NotReversibleError(
                    "this operation was reversed, or is being; once is all", field="id", value=number, rule=RULE
                )
            undone_ = {unit.uri: undone(session, unit.unit, operation.receipt or b"") for unit in changed}
            changed = [unit for unit in changed if (call := undone_[unit.uri]) is None or call.kind is CallKind.LIFTED]
            if not changed:
                raise NotReversibleError(
                    "holder and regulator have undone this operation", field="id", value=number, rule=RULE
                )
            receipt = receipt_of(self._settings.party, operation, units)
            row = self._outbox.enqueue(
                session,
                contract="PackLedger",
                function="reverseStatus",
                args=[receipt.arguments(), bytes(unit.position for unit in changed)],
                key="operate",
                reference=f"reverse:{number}",
                lane=self._lane(session, [unit.uri for unit in changed]),
                caller=caller,
            )
            reversal = Operation(
                to=int(Status.ACTIVE),
                reverses=number,
                outbox=row,
                state="pending",
                openings=bytes(32),
                caller=caller.name,
            )
            return self._add(session, reversal, [(unit.uri, unit.unit) for unit in changed])

    def operation(self, number: int) -> tuple[Operation, list[OperationUnit]]:
        """An operation as it stands. Raises NotFoundError."""
        with self._database.read() as session:
            return self._operation(session, number)

    def undone(self, operation: Operation, units: Sequence[OperationUnit]) -> dict[int, UnitCall]:
        """By unit: what took back what this operation did, by the followed chain: reversal, restoration or lift."""
        if operation.receipt is None:
            return {}
        with self._database.read() as session:
            found = {unit.unit: undone(session, unit.unit, operation.receipt) for unit in units if _is_changed(unit)}
        return {unit: call for unit, call in found.items() if call is not None}

    def found(self, number: int, uris: Sequence[str]) -> None:
        """Packs that an operation took away, and that holder and regulator made available again, are here.

        A person has them in hand. Raises LifecycleError for one of which that is not so.
        """
        operation, units = self.operation(number)
        undone = self.undone(operation, units)
        by_uri = {unit.uri: undone.get(unit.unit) for unit in units}
        with self._database.write() as session:
            states = self._store.states(session, uris)
            for at, uri in enumerate(uris):
                call, place = by_uri.get(uri), states.get(uri, ItemState()).place
                if call is None or call.kind is not CallKind.RESTORED or call.to is not Status.ACTIVE:
                    message = "that this operation took the pack away was not undone by holder and regulator"
                elif place is not Place.GONE:
                    message = "this pack is not recorded as gone"
                else:
                    continue
                raise LifecycleError(message, field=f"packs[{at}]", value=uri, rule=RULE)
            self._store.put_inside(session, uris, None, Place.HERE)
            time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            event = Event(
                type="ObjectEvent",
                action="OBSERVE",
                event_time=time,
                event_time_zone_offset="+00:00",
                biz_step="inspecting",
                disposition="sellable_accessible",
                read_point=sgln_uri(self._settings.gln),
                epcs=list(dict.fromkeys(uris)),
            )
            self._capture.record(session, event)

    def _reversed(self, session: Session, number: int) -> set[str]:
        """The packs of an operation that were given back, or are about to be."""
        query = select(Operation.id).where(Operation.reverses == number, Operation.state != "refused")  # type: ignore
        found = [self._operation(session, reversal) for reversal in session.execute(query).scalars()]
        return {
            unit.uri for reversal, units in found for unit in units if reversal.state == "pending" or _is_changed(unit)
        }

    def _lane(self, session: Session, uris: Sequence[str]) -> int:
        """Changes of different packs do not wait for each other; those of one pack keep their order."""
        query = (
            select(OutboxRow.lane)  # type: ignore[call-overload]
            .join(Operation, Operation.outbox == OutboxRow.id)
            .join(OperationUnit, OperationUnit.operation == Operation.id)
            .where(OperationUnit.uri.in_(uris), Operation.state == "pending")  # type: ignore[attr-defined]
            .order_by(Operation.id.desc())  # type: ignore[union-attr]
        )
        lane = session.execute(query.limit(1)).scalar()
        return self._outbox.freest_lane(session, contract="PackLedger", key="operate") if lane is None else lane

    def _subject(self, verified: Verified, field: str, acknowledged: str | None) -> Subject:
        verdict, evidence = verified.verdict, verified.evidence
        event, unit = evidence.commissioned, evidence.unit
        if verdict.headline in NEVER or event is None or unit is None:
            raise NotSubmitted(f"this is no pack that could be changed: {verdict.words}", field, verified)
        if verdict.headline in ON_ACKNOWLEDGEMENT and acknowledged != verdict.headline:
            raise NotSubmitted(
                f'the verdict is "{verdict.words}": quarantine the pack, or acknowledge the finding to go on',
                field,
                verified,
            )
        for disclosure in verified.material.disclosures:
            if disclosure.digest == event.digest:
                leaves = disclosure.shown.leaves(disclosure.header.counts)
                return Subject(evidence.uri, unit, leaves[disclosure.shown.uris.index(evidence.uri)])
        raise AssertionError("the commissioning is among the disclosures that it was found in")

    def _check_reachable(self, session: Session, uris: Sequence[str]) -> None:
        """A pack in a sealed case cannot be in anybody's hand."""
        states = self._store.states(session, uris)
        for number, uri in enumerate(uris):
            state = states.get(uri, ItemState())
            if state.parent is not None and state.place is Place.HERE:
                message = f"this pack is inside {state.parent}; unpack that first"
                raise PackedError(message, field=f"packs[{number}]", value=uri, rule=RULE)
            if state.place in (Place.EXPECTED, Place.QUARANTINED):
                message = "this pack's shipment has not been received here, or is in quarantine"
                raise NotReceivedError(message, field=f"packs[{number}]", value=uri, rule=RULE)

    def _add(self, session: Session, operation: Operation, units: Sequence[tuple[str, int]]) -> int:
        session.add(operation)
        session.flush()
        assert operation.id is not None
        for position, (uri, unit) in enumerate(units):
            session.add(OperationUnit(operation=operation.id, position=position, uri=uri, unit=unit))
        return operation.id

    def _operation(self, session: Session, number: int) -> tuple[Operation, list[OperationUnit]]:
        operation = session.get(Operation, number)
        if operation is None:
            raise NotFoundError("there is no such operation", field="id", value=number)
        query = select(OperationUnit).where(OperationUnit.operation == number).order_by(OperationUnit.position)  # type: ignore[arg-type]
        return operation, list(session.execute(query).scalars())

    # ---- what became of it; called by the handlers, in their transaction ----

    def settle(
        self,
        session: Session,
        row: OutboxRow,
        outcomes: bytes | None,
        found: Mapping[int, int] = MappingProxyType({}),
        error: str | None = None,
    ) -> Operation:
        """Keep what the call did (None: nothing yet); `found` are the statuses that refused units keep."""
        query = select(Operation).where(Operation.outbox == row.id)  # type: ignore[arg-type]
        operation: Operation = session.execute(query).scalar_one()
        _, units = self._operation(session, operation.id or 0)
        operation.state = "refused" if error else "pending" if outcomes is None else "done"
        operation.error, operation.time = error, row.block_time
        if operation.reverses is None:
            operation.receipt = None if outcomes is None else row.digest
        before = {unit.uri for unit in units if _is_changed(unit)}
        for unit in units:
            unit.outcome = None if outcomes is None else outcomes[unit.position]
            unit.found = found.get(unit.unit)
            session.add(unit)
        session.add(operation)
        after = {unit.uri for unit in units if _is_changed(unit)}
        if operation.reverses is not None:
            self._move(session, after - before, Place.GONE, Place.HERE)
            self._move(session, before - after, Place.HERE, Place.GONE)
        elif Status(operation.to) in GONE:
            self._move(session, after - before, Place.HERE, Place.GONE)
            self._move(session, before - after, Place.GONE, Place.HERE)
        return operation

    def _move(self, session: Session, uris: Collection[str], start: Place, end: Place) -> None:
        """Those of the packs that are recorded at `start` are loose at `end` from now on."""
        moved = [uri for uri, state in self._store.states(session, uris).items() if state.place is start]
        self._store.put_inside(session, moved, None, end)

    def record(self, session: Session, operation: Operation) -> None:
        """The change is final: record it as an EPCIS event of the packs that were changed."""
        _, units = self._operation(session, operation.id or 0)
        changed = [unit.uri for unit in units if _is_changed(unit)]
        if not changed or operation.event is not None:
            return
        step = REVERSED if operation.reverses else STEPS[Status(operation.to)]
        time = datetime.fromtimestamp(operation.time or 0, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        event = Event(
            type="ObjectEvent",
            action="DELETE" if Status(operation.to) in GONE else "OBSERVE",
            event_time=time,
            event_time_zone_offset="+00:00",
            biz_step=step[0],
            disposition=step[1],
            read_point=sgln_uri(self._settings.gln),
            epcs=changed,
        )
        operation.event = self._capture.record(session, event)
        session.add(operation)


def receipt_of(party: int, operation: Operation, units: Sequence[OperationUnit]) -> Receipt:
    """The receipt of an operation that is done, as the chain has its hash; `units` in their order."""
    assert operation.receipt is not None and operation.time is not None  # noqa: PT018
    return Receipt(
        operation.receipt,
        party,
        Status(operation.to),
        operation.time,
        operation.openings,
        b"".join(unit.unit.to_bytes(UNIT_BYTES, "big") for unit in units),
        bytes(unit.outcome or 0 for unit in units),
    )


class _Changed(Handler):
    """What becomes of `changeStatus`."""

    event = "StatusChanged"

    def __init__(self, service: StatusService) -> None:
        self._service = service

    def on_included(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:
        self._settle(session, row, events)

    def on_final(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:
        self._service.record(session, self._settle(session, row, events))

    def _settle(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> Operation:
        own = next(entry for entry in events if entry.event == self.event and self._is_ours(entry, row))
        found = {entry.args["unit"]: entry.args["found"] for entry in events if entry.event == "Conflict"}
        return self._service.settle(session, row, own.args["outcomes"], found)

    def on_retracted(self, session: Session, row: OutboxRow) -> None:
        self._service.settle(session, row, None)

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        self._service.settle(session, row, None, error=f"{row.error_name}: {row.error_text}")

    def _is_ours(self, entry: ChainEvent, row: OutboxRow) -> bool:
        return bool(entry.args["id"] == row.digest)


class _Reversed(_Changed):
    """What becomes of `reverseStatus`: its event names the receipt that was reversed."""

    event = "StatusReversed"

    def _is_ours(self, entry: ChainEvent, row: OutboxRow) -> bool:
        (number, *_), *_ = calls.load(row.args)
        return bool(entry.args["id"] == number)


def _check_unique(scans: Sequence[Scan]) -> None:
    """One pack twice in a call would be a conflict with itself, and a false alarm."""
    known: set[tuple[str, str]] = set()
    for at, scan in enumerate(scans):
        if (scan.gtin, scan.serial) in known:
            raise LifecycleError(
                "this pack is named twice; name it once",
                field=f"packs[{at}]",
                value=sgtin_uri(scan.gtin, scan.serial),
                rule=RULE,
            )
        known.add((scan.gtin, scan.serial))


def _is_changed(unit: OperationUnit) -> bool:
    """Whether the included call changed this pack."""
    return unit.outcome is not None and unit.outcome < REFUSED


def refusal_of(unit: OperationUnit) -> tuple[Refusal, Status | None]:
    """Why the included call left the pack as it was, and the status that it found where that is why."""
    if unit.outcome is None or unit.outcome < REFUSED:
        return Refusal.NONE, None
    refusal = Refusal(unit.outcome & ~REFUSED)
    if refusal is Refusal.WRONG_STATUS and unit.found is not None:
        return refusal, Status(unit.found)
    return refusal, None


def outcome_words(unit: OperationUnit, operation: Operation) -> str:
    """What became of one pack, in words."""
    to = Status(operation.to)
    if unit.outcome is None:
        return "refused: the whole call was turned away" if operation.state == "refused" else "pending"
    refusal, found = refusal_of(unit)
    if refusal is Refusal.NONE:
        words = {Status.SUPPLIED: "dispensed", Status.ACTIVE: "available again"}
        return words.get(to, to.name.lower().replace("_", " "))
    return f"refused: {REFUSAL_WORDS[refusal] if found is None else STATUS_WORDS.get(found, 'active')}"


REFUSAL_WORDS = {
    Refusal.WRONG_STATUS: "its status does not allow this",
    Refusal.UNKNOWN_UNIT: "the chain does not know this pack",
    Refusal.NOT_RELEASED: "the batch is not released",
    Refusal.EXPIRED: "the pack is expired",
    Refusal.RECALLED: "the lot is recalled",
    Refusal.NOT_ALLOWED: "this party may not do this",
    Refusal.NOT_CHANGED_HERE: "this operation did not change the pack",
    Refusal.ALREADY_REVERSED: "it was reversed, or restored, before",
    Refusal.DUPLICATE: "another pack has its serial",
}
