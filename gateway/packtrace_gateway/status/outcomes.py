"""What became of status changes: as the chain says, pack by pack, and in words."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from sqlalchemy import select
from sqlmodel import Session

from packtrace.chain.contracts import Event as ChainEvent
from packtrace.epcis.model import Event
from packtrace.facts import Refusal, Status
from packtrace.gs1 import sgln_uri
from packtrace.receipt import REFUSED, UNIT_BYTES, Receipt
from packtrace.rules import Place
from packtrace.verdict import STATUS_WORDS
from packtrace_gateway.capture.service import CaptureService
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.models import OutboxRow
from packtrace_gateway.outbox.service import Handler
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.status.models import Operation, OperationUnit

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


class Outcomes:
    """Keeps what calls did, in the transaction of whoever follows them; `gln` is the premises where it is recorded."""

    def __init__(self, gln: str, store: EventStore, capture: CaptureService) -> None:
        self._gln = gln
        self._store = store
        self._capture = capture

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
        _, units = operation_of(session, operation.id or 0)
        operation.state = "refused" if error else "pending" if outcomes is None else "done"
        operation.error, operation.time = error, row.block_time
        if operation.reverses is None:
            operation.receipt = None if outcomes is None else row.digest
        before = {unit.uri for unit in units if is_changed(unit)}
        for unit in units:
            unit.outcome = None if outcomes is None else outcomes[unit.position]
            unit.found = found.get(unit.unit)
            session.add(unit)
        session.add(operation)
        after = {unit.uri for unit in units if is_changed(unit)}
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
        _, units = operation_of(session, operation.id or 0)
        changed = [unit.uri for unit in units if is_changed(unit)]
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
            read_point=sgln_uri(self._gln),
            epcs=changed,
        )
        operation.event = self._capture.record(session, event)
        session.add(operation)


class Changed(Handler):
    """What becomes of `changeStatus`."""

    event = "StatusChanged"

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    def on_included(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:
        self._settle(session, row, events)

    def on_final(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:
        self._outcomes.record(session, self._settle(session, row, events))

    def _settle(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> Operation:
        own = next(entry for entry in events if entry.event == self.event and self._is_ours(entry, row))
        found = {entry.args["unit"]: entry.args["found"] for entry in events if entry.event == "Conflict"}
        return self._outcomes.settle(session, row, own.args["outcomes"], found)

    def on_retracted(self, session: Session, row: OutboxRow) -> None:
        self._outcomes.settle(session, row, None)

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        self._outcomes.settle(session, row, None, error=f"{row.error_name}: {row.error_text}")

    def _is_ours(self, entry: ChainEvent, row: OutboxRow) -> bool:
        return bool(entry.args["id"] == row.digest)


class Reversed(Changed):
    """What becomes of `reverseStatus`: its event names the receipt that was reversed."""

    event = "StatusReversed"

    def _is_ours(self, entry: ChainEvent, row: OutboxRow) -> bool:
        (number, *_), *_ = calls.load(row.args)
        return bool(entry.args["id"] == number)


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


def operation_of(session: Session, number: int) -> tuple[Operation, list[OperationUnit]]:
    """An operation with its packs, in their order. Raises NotFoundError."""
    operation = session.get(Operation, number)
    if operation is None:
        raise NotFoundError("there is no such operation", field="id", value=number)
    query = select(OperationUnit).where(OperationUnit.operation == number).order_by(OperationUnit.position)  # type: ignore[arg-type]
    return operation, list(session.execute(query).scalars())


def is_changed(unit: OperationUnit) -> bool:
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
