"""How a row moves from state to state. Each function runs in the caller's transaction, the feature's handler too."""

import time
from collections.abc import Sequence

import sqlalchemy
from sqlmodel import Session, col, select

from packtrace.chain.contracts import Event
from packtrace.chain.typed_data import Consent
from packtrace_gateway.outbox.models import IN_FLIGHT, Attempt, OutboxRow, Outcome, State
from packtrace_gateway.outbox.service import Handler, Outbox

MAX_TEXT = 500
MAX_WAITING = 300


def consented(session: Session, row: OutboxRow, consent: Consent, digest: bytes, head: int) -> None:
    """The party's consent is there: it is stored before anybody else sees it."""
    row.signer, row.deadline, row.signature, row.digest = consent.signer, consent.deadline, consent.signature, digest
    row.position = consent.nonce % (1 << 64)
    row.signed_block = head
    _to(session, row, State.SIGNED)


def unsigned(session: Session, row: OutboxRow) -> None:
    """The consent can provably not be carried out any more: the row is signed anew when its turn comes."""
    row.signer = row.position = row.deadline = row.signature = row.digest = row.signed_block = None
    row.retracted = False
    for attempt in attempts(session, row):
        if attempt.outcome == Outcome.OPEN:
            attempt.outcome = Outcome.REPLACED
            session.add(attempt)
    _to(session, row, State.QUEUED)


def sent(session: Session, row: OutboxRow) -> None:
    """A node took the transaction."""
    _to(session, row, State.BROADCAST)


def unsent(session: Session, row: OutboxRow, waiting: str | None) -> None:
    """No transaction can carry the consent as it stands: it needs another one."""
    _to(session, row, State.SIGNED, waiting)


def included(
    session: Session,
    outbox: Outbox,
    row: OutboxRow,
    *,
    tx_hash: bytes,
    block: tuple[int, bytes, int],
    events: Sequence[Event],
) -> None:
    """The call's own event is in `block` (number, hash, time), by the transaction `tx_hash`."""
    row.tx_hash = tx_hash
    row.block_number, row.block_hash, row.block_time = block
    row.included_at = time.time()
    row.error_name = row.error_text = None
    _to(session, row, State.INCLUDED)
    for attempt in attempts(session, row):
        if attempt.tx_hash == tx_hash:
            attempt.outcome = Outcome.INCLUDED
        elif attempt.outcome == Outcome.OPEN:
            attempt.outcome = Outcome.REPLACED
        session.add(attempt)
    handler(outbox, row).on_included(session, row, events)


def final(session: Session, outbox: Outbox, row: OutboxRow, events: Sequence[Event]) -> None:
    row.final_at = time.time()
    row.settled = True
    _to(session, row, State.FINAL)
    handler(outbox, row).on_final(session, row, events)


def reverted(session: Session, outbox: Outbox, row: OutboxRow, name: str, text: str) -> None:
    """A contract refused the call, for a reason that does not pass."""
    row.error_name, row.error_text = name[:80], text[:MAX_TEXT]
    row.settled = row.signature is None
    _to(session, row, State.REVERTED)
    handler(outbox, row).on_reverted(session, row)


def retracted(session: Session, outbox: Outbox, row: OutboxRow) -> None:
    """The block that included the call is not in the chain any more: back to the same bytes."""
    handler(outbox, row).on_retracted(session, row)
    row.retracted, row.settled = True, False
    row.tx_hash = row.block_number = row.block_hash = row.block_time = row.included_at = row.final_at = None
    known = attempts(session, row)
    nonces = {(a.relayer, a.tx_nonce) for a in known if a.outcome == Outcome.INCLUDED}
    again = [attempt for attempt in known if (attempt.relayer, attempt.tx_nonce) in nonces]
    for attempt in again:
        attempt.outcome = Outcome.OPEN
        session.add(attempt)
    _to(session, row, State.BROADCAST if again else State.SIGNED)


def waits(session: Session, row: OutboxRow, why: str | None) -> None:
    """Say why the row does not move, or that it does."""
    why = shortened(why)
    if row.waiting != why:
        row.waiting = why
        session.add(row)


def shortened(why: str | None) -> str | None:
    """As it fits into the row."""
    return why and why[:MAX_WAITING]


def consent(row: OutboxRow) -> Consent:
    """The stored consent of a signed row."""
    signer, deadline, signature = row.signer, row.deadline, row.signature
    if signer is None or deadline is None or signature is None:
        raise ValueError(f"outbox row {row.id} is not signed")
    return Consent(signer, row.nonce, deadline, signature)


def attempts(session: Session, row: OutboxRow) -> Sequence[Attempt]:
    """The transactions signed for the row, the oldest first."""
    return session.exec(select(Attempt).where(Attempt.row_id == row.id).order_by(col(Attempt.id))).all()


def under_way(session: Session, *states: State) -> list[tuple[OutboxRow, list[Attempt]]]:
    """The rows in these states, in order, each with its transactions that a block may include, the oldest first."""
    rows = session.exec(select(OutboxRow).where(col(OutboxRow.state).in_(states)).order_by(col(OutboxRow.id))).all()
    query = (
        select(Attempt)
        .join(OutboxRow, col(OutboxRow.id) == Attempt.row_id)
        .where(col(OutboxRow.state).in_(states), Attempt.outcome == Outcome.OPEN)
        .order_by(col(Attempt.id))
    )
    open_: dict[int, list[Attempt]] = {}
    for attempt in session.exec(query):
        open_.setdefault(attempt.row_id, []).append(attempt)
    return [(row, open_.get(row.number, [])) for row in rows]


def unfinished(session: Session) -> set[State]:
    """The states of the rows that are not at their end yet; a refused one whose consent is still valid is not."""
    consent_lives = (OutboxRow.state == State.REVERTED, col(OutboxRow.settled).is_(False))
    conditions = {state: (OutboxRow.state == state,) for state in (State.QUEUED, *IN_FLIGHT, State.INCLUDED)}
    there = [select(OutboxRow.id).where(*one).exists() for one in (*conditions.values(), consent_lives)]
    found = session.execute(sqlalchemy.select(*there)).one()
    return {state for state, is_there in zip((*conditions, State.REVERTED), found, strict=True) if is_there}


def handler(outbox: Outbox, row: OutboxRow) -> Handler:
    """Who hears about the row; nobody about one that this database did not queue."""
    return Handler() if row.recovered else outbox.handler(row.contract, row.function)


def _to(session: Session, row: OutboxRow, state: State, waiting: str | None = None) -> None:
    row.state, row.waiting, row.updated_at = state, shortened(waiting), time.time()
    session.add(row)
