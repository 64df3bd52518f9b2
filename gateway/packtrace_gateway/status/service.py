"""Status changes as people order them: submitted to the chain, whose answer `outcomes` keeps.

One is shown as done only when the included call changed this very pack.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import select
from sqlmodel import Session

from packtrace.commit import merkle
from packtrace.epcis.model import Event
from packtrace.errors import LifecycleError
from packtrace.facts import Status
from packtrace.gs1 import sgln_uri, sgtin_uri
from packtrace.receipt import MAX_UNITS, UNIT_BYTES
from packtrace.rules import RULE, ItemState, Place
from packtrace.scan import Scan
from packtrace.verdict import Headline
from packtrace_gateway.access.models import Caller
from packtrace_gateway.capture.service import CaptureService
from packtrace_gateway.db import Database
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.ledger.models import CallKind
from packtrace_gateway.ledger.service import UnitCall, undone
from packtrace_gateway.outbox.models import OutboxRow
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.settings import Settings
from packtrace_gateway.status.models import Operation, OperationUnit
from packtrace_gateway.status.outcomes import GONE, Changed, Outcomes, Reversed, is_changed, operation_of, receipt_of
from packtrace_gateway.verify.service import Verified, VerifyService

# Headlines with which a change is not sent: the code in hand is not the pack whose status would change.
NEVER = (Headline.EVIDENCE_BROKEN, Headline.WRONG_DATA, Headline.UNKNOWN_SERIAL)
# Headlines that a person may override, naming them.
ON_ACKNOWLEDGEMENT = (Headline.CUSTODY_GAP, Headline.NOT_VERIFIED)


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
        outcomes = Outcomes(settings.gln, store, capture)
        outbox.register("PackLedger", "changeStatus", Changed(outcomes))
        outbox.register("PackLedger", "reverseStatus", Reversed(outcomes))

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
        if (operation.to, [unit.uri for unit in operation_of(session, number)[1]]) != (int(to), list(uris)):
            message = f"operation {number} has this name, and is another; give each request a name of its own"
            raise LifecycleError(message, field="request", value=request, rule=RULE)
        return number

    def reverse(self, number: int, caller: Caller) -> int:
        """Take a dispense (export, sample) back, for every pack that it changed; the new operation's id.

        The caller declares with it that the packs were not given to the public (Delegated Regulation 2016/161, Art.
        13).
        """
        with self._database.write() as session:
            operation, units = operation_of(session, number)
            if operation.state != "done" or operation.reverses is not None:
                raise NotReversibleError(
                    "only a change that is done can be reversed", field="id", value=operation.state, rule=RULE
                )
            changed = [unit for unit in units if is_changed(unit)]
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
            return operation_of(session, number)

    def named(self, request: str) -> int:
        """The id of the operation that a client submitted under this name. Raises NotFoundError."""
        with self._database.read() as session:
            number: int | None = session.execute(select(Operation.id).where(Operation.request == request)).scalar()  # type: ignore
        if number is None:
            raise NotFoundError("nothing was submitted under this name", field="request", value=request)
        return number

    def undone(self, operation: Operation, units: Sequence[OperationUnit]) -> dict[int, UnitCall]:
        """By unit: what took back what this operation did, by the followed chain: reversal, restoration or lift."""
        if operation.receipt is None:
            return {}
        with self._database.read() as session:
            found = {unit.unit: undone(session, unit.unit, operation.receipt) for unit in units if is_changed(unit)}
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
        found = [operation_of(session, reversal) for reversal in session.execute(query).scalars()]
        return {
            unit.uri for reversal, units in found for unit in units if reversal.state == "pending" or is_changed(unit)
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
