"""Giving out consents: who signs next on each lane, with which nonce, and when a consent may be replaced.

One call of a lane is under way at a time; the next is signed when the one before is in a block. So a call that is
refused leaves no gap in the nonces behind it, and no consent of ours lies about that another has made useless.
"""

import time
from collections.abc import Mapping

from sqlalchemy import func
from sqlmodel import Session, col, or_, select

from packtrace.chain.node import Block
from packtrace.chain.typed_data import Consent, digest, keyed_nonce, sign
from packtrace.errors import ChainError, ChainUnreachable
from packtrace_gateway.outbox import calls, moves
from packtrace_gateway.outbox.context import Context, View
from packtrace_gateway.outbox.lanes import POSITIONS, Lane, carried_out, exchanges, lane_of, positions
from packtrace_gateway.outbox.models import IN_FLIGHT, LANES, ON_CHAIN, OutboxRow, State

BEFORE_REVERTED = "BeforeReverted"
NO_KEY = "this gateway has no key for this purpose: add one, or restore it from the backup"


def busy_lanes(context: Context, *, all_of_them: bool) -> set[Lane]:
    """The lanes whose counter on chain matters now: with calls to sign, under way, or reverted and still valid.

    `all_of_them` adds every lane ever used, and every lane of every key: after a start, to see what was forgotten here.
    """
    with context.database.read() as session:
        heads = _heads(session)
        live = or_(
            col(OutboxRow.state).in_(IN_FLIGHT),
            (col(OutboxRow.state) == State.REVERTED) & col(OutboxRow.settled).is_(False),
            all_of_them,
        )
        query = select(OutboxRow.contract, OutboxRow.signer, OutboxRow.lane).distinct()
        used = session.exec(query.where(col(OutboxRow.signer).is_not(None), live)).all()
    lanes = {Lane(contract, signer, lane) for contract, signer, lane in used if signer is not None}
    lanes |= {lane for row in heads if (lane := _lane(context, row))}
    if all_of_them:
        signers = {str(signer.address) for signer in context.signers.values()}
        contracts = calls.SIGNED_CONTRACTS
        lanes |= {Lane(contract, signer, lane) for contract in contracts for signer in signers for lane in range(LANES)}
    return lanes


def sign_due(context: Context, view: View, chain: Mapping[Lane, int]) -> None:
    """Sign the next call of every lane where nothing is under way. `chain`: the lanes' counters in the newest block."""
    with context.database.read() as session:
        under_way = session.exec(select(OutboxRow).where(col(OutboxRow.state).in_(IN_FLIGHT))).all()
        heads = _heads(session)
    taken = {lane_of(row) for row in under_way}
    # A call that was signed with a key that is exchanged since comes before what the new one signs.
    held = {(row.contract, row.key, row.lane) for row in under_way}
    for row in heads:
        lane = _lane(context, row)
        if lane is None:
            context.waits(row, NO_KEY)
        elif (row.contract, row.key, row.lane) in held or lane in taken:
            continue
        elif lane in chain and row.number <= view.last_row and _turn(context, view, row):
            with context.database.read() as session:
                accounted = carried_out(session, lane) == chain[lane]
            if accounted and _sign(context, view, row, chain[lane]):
                taken.add(lane)


def drop_dead(context: Context, view: View, chain: Mapping[Lane, int]) -> None:
    """Take the consent from every row whose consent can provably not be carried out any more: it is signed anew.

    That is: its deadline has passed in a final block, or its key was exchanged in one, or a final block holds another
    call at its position.
    """
    final = view.final
    if final is None:
        return
    with context.database.read() as session:
        rows = session.exec(select(OutboxRow).where(col(OutboxRow.state).in_(IN_FLIGHT))).all()
        signers = {str(signer.address) for signer in context.signers.values()}
        foreign = any(row.signer not in signers for row in rows)
        ended = {old for old, _, row in exchanges(session) if row.state == State.FINAL} if foreign else set()
    for row in rows:
        late = (row.deadline or 0) < final.timestamp or row.signer in ended
        passed = row.nonce % POSITIONS < chain.get(lane_of(row), 0)
        if (late and not passed and _unused(context, row, final)) or (passed and _taken(context, row, final.number)):
            context.move(row, moves.unsigned)


def _heads(session: Session) -> list[OutboxRow]:
    """The first waiting row of each lane, in the order in which they were queued."""
    first = (
        select(func.min(OutboxRow.id))
        .where(OutboxRow.state == State.QUEUED)
        .group_by(col(OutboxRow.contract), col(OutboxRow.key), col(OutboxRow.lane))
    )
    return list(session.exec(select(OutboxRow).where(col(OutboxRow.id).in_(first)).order_by(col(OutboxRow.id))))


def _lane(context: Context, row: OutboxRow) -> Lane | None:
    signer = context.signers.get(row.key)
    return Lane(row.contract, str(signer.address), row.lane) if signer else None


def _turn(context: Context, view: View, row: OutboxRow) -> bool:
    """Whether the call that this one waits for is on chain. Where that was refused, so is this one."""
    if row.after is None:
        return True
    before = context.outbox.row(row.after)
    if before.state in ON_CHAIN:
        return before.block_number is None or before.block_number <= view.head.number
    if before.state in (State.REVERTED, State.SUPERSEDED):
        why = f"outbox row {before.id} was not carried out: {before.error_name or before.state}"
        context.move(row, lambda s, stored: moves.reverted(s, context.outbox, stored, BEFORE_REVERTED, why))
    return False


def _sign(context: Context, view: View, row: OutboxRow, position: int) -> bool:
    values = calls.signed_part(row.contract, row.function, row.args)
    nonce = keyed_nonce(row.lane, position)
    # The later of the two clocks: one of them may be wrong, and an idle chain's newest block may be old.
    deadline = max(view.head.timestamp, int(time.time())) + context.policy.consent_seconds
    signer = context.signers[row.key]
    consent: Consent = sign(signer, context.deployment, row.contract, row.function, values, nonce, deadline)
    call = digest(context.deployment, row.contract, row.function, values, consent.signer, nonce, deadline)
    return context.move(row, lambda s, stored: moves.consented(s, stored, consent, call, view.head.number))


def _unused(context: Context, row: OutboxRow, final: Block) -> bool:
    """Whether the row's position was not used in the state after `final`."""
    try:
        return positions(context, [lane_of(row)], final)[lane_of(row)] <= row.nonce % POSITIONS
    except ChainUnreachable:
        raise
    except ChainError as error:  # a node that keeps no states that old
        context.waits(row, str(error))
        return False


def _taken(context: Context, row: OutboxRow, final: int) -> bool:
    """Whether another row was carried out at this row's position, in a final block."""
    query = select(OutboxRow.id).where(
        OutboxRow.contract == row.contract,
        OutboxRow.signer == row.signer,
        OutboxRow.lane == row.lane,
        OutboxRow.position == row.position,
        col(OutboxRow.state).in_(ON_CHAIN),
        or_(col(OutboxRow.block_number).is_(None), col(OutboxRow.block_number) <= final),
    )
    with context.database.read() as session:
        return session.exec(query.limit(1)).first() is not None
