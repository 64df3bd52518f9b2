"""Questions to the index: what happened to a unit, a batch, a logistic unit, a lot.

The index is as good as the node it was read from, and as old as `indexed` says. A verdict asks the chain itself.
"""

from dataclasses import dataclass

from sqlmodel import Session, col, or_, select

from packtrace.facts import Refusal, Status
from packtrace_gateway.ledger.models import (
    BatchEventRow,
    BatchRow,
    BatchState,
    CallKind,
    ConflictRow,
    CustodyRow,
    DuplicateRow,
    EntryRow,
    RecallRow,
    StatusCallRow,
    StatusUnitRow,
)

REFUSED = 0x80
MAX_LISTED = 1_000  # rows of one answer


@dataclass(frozen=True, slots=True)
class UnitCall:
    """What one call did to one unit: `found` is the status that it changed, or None where it was refused.

    Of a restoration, `to` is the status that the unit has again and `found` the one that was undone; where it was
    refused, `to` is the status that was to be undone.
    """

    kind: CallKind
    call: bytes
    position: int
    party: int
    to: Status
    found: Status | None
    refusal: Refusal
    time: int
    block_number: int
    tx_hash: bytes
    second_party: int | None = None  # of a lift or restoration: the regulator


def history(session: Session, unit: int) -> list[UnitCall]:
    """All calls that named the unit, the newest first: those that changed it, and those that were refused."""
    query = (
        select(StatusCallRow, StatusUnitRow.position)
        .join(StatusUnitRow, col(StatusUnitRow.call_id) == StatusCallRow.id)
        .where(StatusUnitRow.unit == unit)
        .order_by(col(StatusCallRow.block_number).desc(), col(StatusCallRow.log_index).desc())
        .limit(MAX_LISTED)
    )
    return [_unit_call(session, call, position) for call, position in session.exec(query)]


def undone(session: Session, unit: int, call: bytes) -> UnitCall | None:
    """What took back, last of all, that a call changed the unit: its reversal or restoration, or a later lift."""
    for later in history(session, unit):
        if later.kind is CallKind.CHANGED and later.call == call:
            return None
        of_it = later.call == call if later.kind in (CallKind.REVERSED, CallKind.RESTORED) else True
        if later.found is not None and later.kind is not CallKind.CHANGED and of_it:
            return later
    return None


def conflicts(session: Session, unit: int) -> list[ConflictRow]:
    """The refused attempts on the unit, the newest first."""
    query = select(ConflictRow).where(ConflictRow.unit == unit)
    order = (col(ConflictRow.block_number).desc(), col(ConflictRow.log_index).desc())
    return list(session.exec(query.order_by(*order).limit(MAX_LISTED)))


def duplicates(session: Session, unit: int) -> list[DuplicateRow]:
    """The proofs that another unit has this one's serial, the newest first."""
    query = select(DuplicateRow).where(or_(DuplicateRow.unit == unit, DuplicateRow.twin == unit))
    order = (col(DuplicateRow.block_number).desc(), col(DuplicateRow.log_index).desc())
    return list(session.exec(query.order_by(*order).limit(MAX_LISTED)))


def receipt(session: Session, number: bytes) -> dict[str, object] | None:
    """The receipt of a call that changed status, as `IPackLedger.reverseStatus` takes it; None where there is none."""
    query = select(StatusCallRow).where(StatusCallRow.call == number, StatusCallRow.kind == CallKind.CHANGED)
    call = session.exec(query).first()
    if call is None:
        return None
    return {
        "id": call.call,
        "party": call.party,
        "to": call.to,
        "time": call.time,
        "openings": call.openings,
        "units": call.units,
        "outcomes": call.outcomes,
    }


def batch_state(session: Session, number: int) -> BatchState | None:
    """The batch's state by its newest event; None where it was never proposed."""
    if session.get(BatchRow, number) is None:
        return None
    query = select(BatchEventRow).where(BatchEventRow.batch == number)
    order = (col(BatchEventRow.block_number).desc(), col(BatchEventRow.log_index).desc())
    last = session.exec(query.order_by(*order).limit(1)).first()
    return last.state if last else BatchState.PROPOSED


def recalls(session: Session, mah: int, lot_key: bytes, batch: int | None = None) -> list[RecallRow]:
    """The entries of a lot, and of one of its batches, the newest first."""
    subjects = [RecallRow.subject == lot_key]
    if batch is not None:
        subjects.append(RecallRow.subject == batch.to_bytes(32))
    query = select(RecallRow).where(RecallRow.mah == mah, or_(*subjects))
    order = (col(RecallRow.block_number).desc(), col(RecallRow.log_index).desc())
    return list(session.exec(query.order_by(*order).limit(MAX_LISTED)))


def custody(session: Session, number: int) -> list[CustodyRow]:
    """What happened to a logistic unit, the newest first."""
    query = select(CustodyRow).where(CustodyRow.number == number)
    order = (col(CustodyRow.block_number).desc(), col(CustodyRow.log_index).desc())
    return list(session.exec(query.order_by(*order).limit(MAX_LISTED)))


def entry(session: Session, party: int, lane: int, sequence: int) -> EntryRow | None:
    """One entry of a party's event log."""
    query = select(EntryRow).where(EntryRow.party == party, EntryRow.lane == lane, EntryRow.sequence == sequence)
    return session.exec(query).first()


def _unit_call(session: Session, call: StatusCallRow, position: int) -> UnitCall:
    outcome = call.outcomes[position]
    refused = outcome >= REFUSED
    to, found = Status(call.to), None if refused else Status(outcome)
    if call.kind is CallKind.RESTORED:
        query = select(StatusCallRow.to).where(StatusCallRow.call == call.call, StatusCallRow.kind == CallKind.CHANGED)
        undone = Status(session.exec(query).first() or 0)
        to, found = (found, undone) if found is not None else (undone, None)
    return UnitCall(
        kind=call.kind,
        call=call.call,
        position=position,
        party=call.party,
        to=to,
        found=found,
        refusal=Refusal(outcome - REFUSED) if refused else Refusal.NONE,
        time=call.time,
        block_number=call.block_number,
        tx_hash=call.tx_hash,
        second_party=call.second_party,
    )
