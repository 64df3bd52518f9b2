"""Consents of ours that were carried out without this table knowing how.

Anybody may carry a consent to the chain, and a database that was restored from a backup has forgotten what was sent
since. Both show in the same way: the chain's counter of a lane is ahead of the table. Nothing is signed on that lane
until every position in between is accounted for: by the row whose call it was, or by a new row, marked `recovered`,
that says what this database lost.
"""

import logging
import time
from collections.abc import Iterator, Sequence

import cbor2
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from packtrace.chain.node import MAX_LOG_BLOCKS, Block, Receipt, Transaction
from packtrace.chain.typed_data import digest
from packtrace_gateway.outbox import calls, moves
from packtrace_gateway.outbox.calls import Carried
from packtrace_gateway.outbox.context import Context, View
from packtrace_gateway.outbox.effects import happened
from packtrace_gateway.outbox.lanes import POSITIONS, Lane, carried_out, positions
from packtrace_gateway.outbox.models import ON_CHAIN, OutboxRow, State

log = logging.getLogger(__name__)

REFERENCE = "found on chain, not in this database"
UNKNOWN = "unknown"
CHUNK = 200  # transactions that are asked for in one request


def reconcile(context: Context, view: View, lane: Lane, chain: int) -> None:
    """Account for every position of `lane` below `chain`, the chain's own counter in the newest block."""
    with context.database.read() as session:
        known = carried_out(session, lane)
        start = _start(session, lane, known, context.deployment.block)
    missing = set(range(known, chain))
    log.warning("%d calls of %s on %s were carried out by others", len(missing), lane.signer, lane.contract)
    indirect: list[Transaction] = []
    for transaction in _transactions(context, lane, start, view.head.number):
        found = _direct(context, lane, transaction)
        if found is None:
            indirect.append(transaction)
        elif (position := found.consent.nonce % POSITIONS) in missing and _adopt(context, lane, found, transaction):
            missing.discard(position)
        if not missing:
            return
    missing = {position for position in missing if not _adopt_indirect(context, lane, position, indirect)}
    if missing:
        _give_up(context, view, lane, missing)


def _start(session: Session, lane: Lane, known: int, first: int) -> int:
    """The oldest block in which position `known` may have been used."""
    rows = session.exec(_in_lane(lane)).all()
    before = [row.block_number for row in rows if row.position == known - 1 and row.state in ON_CHAIN]
    signed = [row.signed_block for row in rows if row.position == known]
    bounds = (before, signed)
    return max([first, *(min(number for number in some if number is not None) for some in bounds if any(some))])


def _transactions(context: Context, lane: Lane, first: int, last: int) -> Iterator[Transaction]:
    """The transactions of the blocks `first` to `last` in which the lane's contract did something, in order."""
    for start in range(first, last + 1, MAX_LOG_BLOCKS):
        end = min(start + MAX_LOG_BLOCKS - 1, last)
        logs = context.node.logs(context.deployment, start, end, contract=lane.contract)
        hashes = list(dict.fromkeys(log_.transaction_hash for log_ in logs))
        for offset in range(0, len(hashes), CHUNK):
            part = hashes[offset : offset + CHUNK]
            yield from filter(None, context.node.transactions(part))


def _direct(context: Context, lane: Lane, transaction: Transaction) -> Carried | None:
    """The lane's call that is the transaction's own call; None for any other, and where a contract made the call."""
    address = context.deployment.address(lane.contract)
    if transaction.to is None or transaction.to.lower() != address.lower():
        return None
    found = calls.carried(lane.contract, transaction.data, lane.signer)
    return found if found and found.consent.nonce >> 64 == lane.lane else None


def _adopt(context: Context, lane: Lane, found: Carried, transaction: Transaction) -> bool:
    """Give the execution to its row. False where the transaction failed, or is in no block any more."""
    receipt = context.node.receipt(transaction.hash)
    if receipt is None or not receipt.succeeded:
        return False
    block = context.node.block(receipt.block_hash)
    values = calls.signed_part(found.contract, found.function, found.args)
    consent = found.consent
    call = digest(
        context.deployment, found.contract, found.function, values, consent.signer, consent.nonce, consent.deadline
    )
    with context.write() as session:
        row = _row_of(session, lane, found) or _new_row(session, context, lane, found.function, found.args)
        moves.consented(session, row, consent, call, block.number)
        _included(session, context, row, receipt, block)
    return True


def _adopt_indirect(context: Context, lane: Lane, position: int, candidates: Sequence[Transaction]) -> bool:
    """Give a position that was used from inside another contract's call to the row whose consent that call carries."""
    with context.database.read() as session:
        rows = [row for row in session.exec(_in_lane(lane)) if row.position == position and row.state not in ON_CHAIN]
    for row in rows:
        for transaction in candidates:
            if row.signature is None or row.signature not in transaction.data:
                continue
            receipt = context.node.receipt(transaction.hash)
            if receipt is None or not receipt.succeeded:
                continue
            if happened(row.contract, row.function, row.args, row.digest, receipt.events(context.deployment)):
                block = context.node.block(receipt.block_hash)
                with context.write() as session:
                    _included(session, context, session.get_one(OutboxRow, row.id), receipt, block)
                return True
    return False


def _give_up(context: Context, view: View, lane: Lane, missing: set[int]) -> None:
    """Positions whose calls cannot be found: noted as used once that is final. Until then the lane waits.

    A node's index of events may be behind its state, and what it does not show yet may be a row's own call.
    """
    if view.final is None or positions(context, [lane], view.final)[lane] <= max(missing):
        log.warning("lane %d of %s on %s waits: what used its nonces is not found yet", lane.lane, *lane[:2])
        return
    with context.write() as session:
        for position in sorted(missing):
            log.error("position %d of %s on %s was used by a call that cannot be found", position, *lane[:2])
            row = _new_row(session, context, lane, UNKNOWN, cbor2.dumps([]))
            row.signer, row.position, row.state, row.settled = lane.signer, position, State.FINAL, True
            session.add(row)


def _included(session: Session, context: Context, row: OutboxRow, receipt: Receipt, block: Block) -> None:
    moves.included(
        session,
        context.outbox,
        row,
        tx_hash=receipt.transaction_hash,
        block=(block.number, block.hash, block.timestamp),
        events=receipt.events(context.deployment),
    )


def _in_lane(lane: Lane) -> SelectOfScalar[OutboxRow]:
    return select(OutboxRow).where(
        OutboxRow.contract == lane.contract, OutboxRow.signer == lane.signer, OutboxRow.lane == lane.lane
    )


def _row_of(session: Session, lane: Lane, found: Carried) -> OutboxRow | None:
    """The row whose consent this is; else the first one waiting for exactly this call (its database was restored)."""
    same = session.exec(_in_lane(lane).where(OutboxRow.signature == found.consent.signature)).first()
    if same is not None:
        return same
    waiting = select(OutboxRow).where(
        OutboxRow.contract == lane.contract,
        OutboxRow.function == found.function,
        OutboxRow.args == found.args,
        OutboxRow.lane == lane.lane,
        col(OutboxRow.state).in_((State.QUEUED, State.SIGNED, State.BROADCAST)),
    )
    return session.exec(waiting.order_by(col(OutboxRow.id))).first()


def _new_row(session: Session, context: Context, lane: Lane, function: str, args: bytes) -> OutboxRow:
    now = time.time()
    purposes = (purpose for purpose, signer in context.signers.items() if str(signer.address) == lane.signer)
    row = OutboxRow(
        contract=lane.contract,
        function=function,
        args=args,
        key=next(purposes, ""),
        lane=lane.lane,
        reference=REFERENCE,
        recovered=True,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    return row
