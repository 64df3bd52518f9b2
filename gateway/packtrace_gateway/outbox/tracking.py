"""What became of the calls: included, final, taken back by a reorganisation, reverted.

Nothing here signs or sends. A receipt is believed only with the call's own event in it, and only while its block is
part of the chain.
"""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, or_, select, update
from sqlmodel.sql.expression import SelectOfScalar

from packtrace.chain.contracts import Event
from packtrace.chain.node import Block, Receipt
from packtrace.chain.nodes import CONTESTED
from packtrace.errors import ChainError, ChainUnreachable
from packtrace_gateway.outbox import calls, moves, refusals
from packtrace_gateway.outbox.context import Context, View
from packtrace_gateway.outbox.effects import happened
from packtrace_gateway.outbox.models import IN_FLIGHT, Attempt, OutboxRow, Outcome, State
from packtrace_gateway.outbox.refusals import Meaning

log = logging.getLogger(__name__)

CHUNK = 100  # blocks that are asked for in one request
MAX_FAILURES = 3  # transactions that fail without a reason, until the call is given up
OUT_OF_GAS = "ran out of gas, or failed for a reason that the node does not give"

BlockKey = tuple[int, bytes]


def look(context: Context) -> View:
    """The chain's newest block and its newest final one."""
    with context.database.read() as session:
        last_row = session.exec(select(func.max(OutboxRow.id))).one() or 0
    head = context.node.block("latest")
    final = _newest_final(context, head)
    return View(head, final and context.node.settled(final), last_row)


def _newest_final(context: Context, head: Block) -> Block | None:
    finality = context.policy.finality
    if finality != "finalized":
        return context.node.block(head.number - finality) if head.number >= finality else None
    try:
        return context.node.block("finalized")
    except ChainUnreachable:
        raise
    except ChainError:  # a young chain has no final block yet
        return None


# ---- reorganisations ----


def take_back(context: Context) -> None:
    """Return every row to `broadcast` whose block is not part of the chain any more."""
    with context.database.read() as session:
        included = session.exec(_blocks(State.INCLUDED)).all()
    lost = _lost(context, included)
    final = _lost_final(context)
    if final and context.node.confirm():  # where nodes disagree about what is final, nothing that was final moves
        lost |= final
    for number, block_hash in sorted(lost):
        with context.database.read() as session:
            rows = session.exec(
                select(OutboxRow)
                .where(OutboxRow.block_number == number, OutboxRow.block_hash == block_hash)
                .order_by(col(OutboxRow.id))
            ).all()
        for row in rows:
            level = logging.ERROR if row.state == State.FINAL else logging.WARNING
            log.log(level, "the chain lost block %d, with outbox row %d (%s)", number, row.number, row.state)
            context.move(row, lambda session, stored: moves.retracted(session, context.outbox, stored))


def _lost_final(context: Context) -> set[BlockKey]:
    """Blocks that were final and are gone: a chain that broke its promise, or was restored from a backup.

    The newest final block of ours is looked at; only when it is gone, those before.
    """
    lost: set[BlockKey] = set()
    limit, below = 1, None
    while True:
        query = _blocks(State.FINAL).order_by(col(OutboxRow.block_number).desc()).limit(limit)
        if below is not None:
            query = query.where(col(OutboxRow.block_number) < below)
        with context.database.read() as session:
            blocks = session.exec(query).all()
        gone = _lost(context, blocks)
        lost |= gone
        if len(gone) < len(blocks) or not blocks:
            return lost
        limit, below = CHUNK, blocks[-1][0]


def _blocks(state: State) -> "SelectOfScalar[BlockKey]":
    query: Any = select(OutboxRow.block_number, OutboxRow.block_hash).distinct()
    found: SelectOfScalar[BlockKey] = query.where(OutboxRow.state == state, col(OutboxRow.block_number).is_not(None))
    return found


def _lost(context: Context, blocks: Iterable[BlockKey]) -> set[BlockKey]:
    """Those of `blocks` that are not part of the chain."""
    wanted = list(blocks)
    found = context.node.headers([number for number, _ in wanted])
    return {known for known, block in zip(wanted, found, strict=True) if block is None or block.hash != known[1]}


# ---- receipts ----


def collect(context: Context, view: View) -> None:
    """Look for the receipts of all transactions that a block may include."""
    with context.database.read() as session:
        under_way = moves.under_way(session, *IN_FLIGHT)
    # The counts first: a nonce that was used by then, and no receipt after, means another transaction.
    relayers = {attempt.relayer for _, attempts in under_way for attempt in attempts}
    counts = {relayer: context.node.transaction_count(relayer, view.head) for relayer in sorted(relayers)}
    hashes = [attempt.tx_hash for _, attempts in under_way for attempt in attempts]
    receipts = dict(zip(hashes, context.node.receipts(hashes) if hashes else [], strict=True))
    for row, attempts in under_way:
        mined = [receipt for receipt in (receipts[attempt.tx_hash] for attempt in attempts) if receipt]
        succeeded = next((receipt for receipt in mined if receipt.succeeded), None)
        if succeeded:
            _succeeded(context, row, succeeded)
        elif mined:
            _failed(context, row, mined[-1])
        elif attempts:
            _replaced(context, row, [a for a in attempts if a.tx_nonce < counts[a.relayer]])


def _succeeded(context: Context, row: OutboxRow, receipt: Receipt) -> None:
    events = receipt.events(context.deployment)
    if not happened(row.contract, row.function, row.args, row.digest, events):
        log.error("transaction %s succeeded without the event of row %d", receipt.transaction_hash.hex(), row.id)
        context.waits(row, "its transaction succeeded without the call's own event: check the deployment file")
        return
    block = context.node.block(receipt.block_hash)
    context.move(
        row,
        lambda session, stored: moves.included(
            session,
            context.outbox,
            stored,
            tx_hash=receipt.transaction_hash,
            block=(block.number, block.hash, block.timestamp),
            events=events,
        ),
    )


def _failed(context: Context, row: OutboxRow, receipt: Receipt) -> None:
    """A block includes the transaction, and the contract refused it: its custom error decides."""
    error = _replayed(context, row, receipt)

    def decide(session: Session, stored: OutboxRow) -> None:
        failures = 0
        for attempt in moves.attempts(session, stored):
            if attempt.tx_hash == receipt.transaction_hash:
                attempt.outcome = Outcome.REVERTED
                session.add(attempt)
            failures += attempt.outcome == Outcome.REVERTED
        if error is None:
            if failures >= MAX_FAILURES:
                moves.reverted(session, context.outbox, stored, refusals.UNEXPLAINED, OUT_OF_GAS)
            else:
                moves.unsent(session, stored, None)
        elif refusals.meaning(session, stored, error, receipt.block_number) is Meaning.REFUSED:
            moves.reverted(session, context.outbox, stored, refusals.name(error), str(error))
        elif not _open_attempts(session, stored):
            moves.unsent(session, stored, str(error))

    context.move(row, decide)


def _replayed(context: Context, row: OutboxRow, receipt: Receipt) -> ChainError | None:
    """The call once more, in the state after the block that refused it; None when it would succeed there."""
    data = calls.call_data(row.contract, row.function, row.args, moves.consent(row))
    transaction = {
        "from": row.relayer,
        "to": context.deployment.address(row.contract),
        "data": "0x" + data.hex(),
    }
    try:
        context.node.simulate(transaction, receipt.block_hash)
    except ChainUnreachable:
        raise
    except ChainError as error:
        return error
    return None


def _replaced(context: Context, row: OutboxRow, gone: Sequence[Attempt]) -> None:
    """Another transaction of the same account used the nonce: the consent is carried by a new one."""
    if not gone:
        return
    hashes = {attempt.tx_hash for attempt in gone}

    def drop(session: Session, stored: OutboxRow) -> None:
        for attempt in moves.attempts(session, stored):
            if attempt.tx_hash in hashes:
                attempt.outcome = Outcome.REPLACED
                session.add(attempt)
        if not _open_attempts(session, stored):
            moves.unsent(session, stored, None)

    context.move(row, drop)


def _open_attempts(session: Session, row: OutboxRow) -> Sequence[Attempt]:
    return [attempt for attempt in moves.attempts(session, row) if attempt.outcome == Outcome.OPEN]


# ---- finality ----


def finalise(context: Context, final: Block) -> None:
    """Rows whose block is final; and consents that can no longer be carried out."""
    with context.database.read() as session:
        query = select(OutboxRow).where(OutboxRow.state == State.INCLUDED, col(OutboxRow.block_number) <= final.number)
        rows = session.exec(query.order_by(col(OutboxRow.id))).all()
    receipts = context.node.receipts([row.tx_hash for row in rows if row.tx_hash]) if rows else []
    for row, receipt in zip(rows, receipts, strict=True):
        if receipt and receipt.block_hash == row.block_hash:
            events = receipt.events(context.deployment)
            context.move(row, partial(_final, context, events))
    _settle(context, final)


def contest(context: Context) -> None:
    """Say at the rows that wait for finality that the nodes disagree about it, or that they do no longer."""
    why = moves.shortened(context.node.disagreement)
    rows: list[Any] = [OutboxRow.state == State.INCLUDED]
    rows.append(col(OutboxRow.waiting).is_distinct_from(why) if why else col(OutboxRow.waiting).startswith(CONTESTED))
    with context.database.read() as session:
        found = session.exec(select(OutboxRow.id).where(*rows).limit(1)).first()
    if found is not None:
        with context.write() as session:
            session.exec(update(OutboxRow).where(*rows).values(waiting=why))


def _final(context: Context, events: Sequence[Event], session: Session, row: OutboxRow) -> None:
    moves.final(session, context.outbox, row, events)


def _settle(context: Context, final: Block) -> None:
    """A reverted row's consent is dead when its deadline has passed, or another took its position, for good."""
    other = aliased(OutboxRow)
    taken = select(other.id).where(
        other.contract == OutboxRow.contract,
        other.signer == OutboxRow.signer,
        other.lane == OutboxRow.lane,
        other.position == OutboxRow.position,
        other.state == State.FINAL,
    )
    unsettled: list[Any] = [OutboxRow.state == State.REVERTED, col(OutboxRow.settled).is_(False)]
    dead = or_(col(OutboxRow.deadline) < final.timestamp, taken.exists())
    with context.database.read() as session:
        found = session.exec(select(OutboxRow.id).where(*unsettled, dead).limit(1)).first()
    if found is not None:
        with context.write() as session:
            session.exec(update(OutboxRow).where(*unsettled, dead).values(settled=True))
