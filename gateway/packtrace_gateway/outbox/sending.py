"""Carrying consents to the chain in transactions of the relayers' accounts.

A transaction is stored before it is first sent, and sent again as it is until a block includes it: with every new
block, and every few seconds where no block comes. That heals a node that lost its pool, a reorganisation and a chain
that lost its newest blocks alike.
"""

import logging
import time
import zlib
from typing import Any

from eth_account.signers.local import LocalAccount
from sqlmodel import Session, col, select

from packtrace.chain.node import NodeError
from packtrace.errors import ChainError, ChainUnreachable
from packtrace_gateway.outbox import calls, moves, refusals
from packtrace_gateway.outbox.context import Context, View
from packtrace_gateway.outbox.fees import Fee, FeeCapError, bumped, offered
from packtrace_gateway.outbox.models import IN_FLIGHT, Attempt, OutboxRow, Outcome, State
from packtrace_gateway.outbox.refusals import Meaning

log = logging.getLogger(__name__)

MAX_GAS = 1 << 24  # of one transaction (EIP-7825)
GAS_MARGIN = 1.25  # what the chain's state may change until the block
GAS_SPARE = 20_000


def send_due(context: Context, view: View, *, all_of_them: bool) -> int:
    """Give every signed row a transaction and send it; the number sent. Rows that wait are tried if `all_of_them`."""
    with context.database.read() as session:
        signed = moves.under_way(session, State.SIGNED)
    sent = 0
    for row, attempts in signed:
        if row.waiting and not all_of_them:
            continue
        attempt = attempts[-1] if attempts else None
        if attempt is None and (transaction := _prepared(context, view, row)):
            relayer, gas, fee = transaction
            attempt = _store(context, row, relayer, _next_nonce(context, relayer.address), gas, fee)
        if attempt is not None:
            sent += _send(context, view, row, attempt)
    return sent


def send_again(context: Context, view: View) -> None:
    """Send what no block includes yet, the newest transaction of each row, in the order of their nonces."""
    _fill_gaps(context, view)
    with context.database.read() as session:
        waiting = [(row, attempts[-1]) for row, attempts in moves.under_way(session, State.BROADCAST) if attempts]
    for row, attempt in sorted(waiting, key=lambda pair: (pair[1].relayer, pair[1].tx_nonce)):
        better = _bump(context, row, attempt) if _slow(context, view, attempt) else None
        _send(context, view, row, better or attempt)


# ---- one transaction ----


def _prepared(context: Context, view: View, row: OutboxRow) -> tuple[LocalAccount, int, Fee] | None:
    """Who sends the row's call, with how much gas and at what fee; None while it cannot be sent.

    The call is carried out in a simulation first, so that one that would be refused is decided without being sent.
    """
    relayer = context.relayers[zlib.crc32(f"{row.contract}{row.signer}{row.lane}".encode()) % len(context.relayers)]
    transaction = _draft(context, row, relayer)
    try:
        context.node.simulate(transaction, view.head)
        estimate = context.node.estimate_gas(transaction)
        fee = offered(context.node, context.policy.max_fee)
    except FeeCapError as error:
        context.waits(row, str(error))
        return None
    except ChainUnreachable:
        raise
    except ChainError as error:
        _refused(context, view, row, error)
        return None
    failures = sum(attempt.outcome == Outcome.REVERTED for attempt in context.outbox.attempts(row.number))
    gas = int(estimate * GAS_MARGIN ** (1 + failures)) + GAS_SPARE
    return relayer, min(gas, MAX_GAS), fee


def _draft(context: Context, row: OutboxRow, relayer: LocalAccount) -> dict[str, str]:
    """The call as a node simulates it."""
    return {
        "from": relayer.address,
        "to": context.deployment.address(row.contract),
        "data": "0x" + calls.call_data(row.contract, row.function, row.args, moves.consent(row)).hex(),
    }


def _refused(context: Context, view: View, row: OutboxRow, error: ChainError) -> None:
    def decide(session: Session, stored: OutboxRow) -> None:
        if refusals.meaning(session, stored, error, view.head.number) is Meaning.REFUSED:
            moves.reverted(session, context.outbox, stored, refusals.name(error), str(error))
        else:
            moves.waits(session, stored, str(error))

    context.move(row, decide)


def _next_nonce(context: Context, relayer: str) -> int:
    """The lowest nonce of the account that no transaction, ours or another's, is waiting to use."""
    latest = context.node.transaction_count(relayer)
    pending = context.node.transaction_count(relayer, "pending")
    occupied = _occupied(context, relayer, Outcome.OPEN, Outcome.REPLACED)
    nonce = latest
    while nonce in occupied or nonce < pending:
        nonce += 1
    return nonce


def _store(context: Context, row: OutboxRow, relayer: LocalAccount, nonce: int, gas: int, fee: Fee) -> Attempt | None:
    """Sign a transaction and store it; None where the row has moved meanwhile."""
    data = calls.call_data(row.contract, row.function, row.args, moves.consent(row))
    transaction: dict[str, Any] = {
        "chainId": context.deployment.chain_id,
        "nonce": nonce,
        "to": context.deployment.address(row.contract),
        "value": 0,
        "gas": gas,
        "data": data,
        **fee.fields(),
    }
    signed = relayer.sign_transaction(transaction)
    attempt = Attempt(
        row_id=row.number,
        relayer=relayer.address,
        tx_nonce=nonce,
        tx_hash=bytes(signed.hash),
        raw=bytes(signed.raw_transaction),
        gas=gas,
        max_fee=str(fee.maximum),
        tip=None if fee.tip is None else str(fee.tip),
        created_at=time.time(),
    )

    def store(session: Session, stored: OutboxRow) -> None:
        nonlocal attempt
        # After a reorganisation the same transaction may be due again.
        known = session.exec(select(Attempt).where(Attempt.tx_hash == attempt.tx_hash)).first()
        if known is not None:
            known.outcome = Outcome.OPEN
            attempt = known
        stored.relayer, stored.tx_nonce = relayer.address, nonce
        session.add_all((stored, attempt))

    return attempt if context.move(row, store) else None


def _send(context: Context, view: View, row: OutboxRow, attempt: Attempt) -> bool:
    """Hand the stored bytes to the node."""
    try:
        context.node.send_raw(attempt.raw)
    except NodeError as error:
        if error.kind == "nonce too low":  # included, or its nonce was used by another: the receipts will tell
            return True
        if error.kind != "already known":
            _not_taken(context, row, attempt, error)
            return False

    if row.state == State.BROADCAST and attempt.first_block is not None and not row.waiting:
        return True

    def taken(session: Session, stored: OutboxRow) -> None:
        known = session.get_one(Attempt, attempt.id)
        if known.first_block is None:
            known.first_block = view.head.number
            session.add(known)
        if stored.state == State.SIGNED:
            moves.sent(session, stored)
        else:
            moves.waits(session, stored, None)

    return context.move(row, taken)


def _not_taken(context: Context, row: OutboxRow, attempt: Attempt, error: NodeError) -> None:
    """The node did not take the transaction: another one is made where that helps, at the same nonce if it can be.

    It is sent with the next block, or after a while: fees must not rise with every pass.
    """
    if error.kind == "replacement underpriced":  # another process's transaction has this nonce: the next one is taken

        def drop(session: Session, stored: OutboxRow) -> None:
            known = session.get_one(Attempt, attempt.id)
            known.outcome = Outcome.REPLACED
            session.add(known)
            moves.unsent(session, stored, None)

        if attempt.first_block is None:
            context.move(row, drop)
        return
    try:
        if error.kind == "underpriced":
            _bumped(context, row, attempt)
    except FeeCapError as cap:
        context.waits(row, str(cap))
        return
    if error.kind in ("gas too low", "gas too high"):
        _other_gas(context, row, attempt, error)
    context.waits(row, str(error))


def _other_gas(context: Context, row: OutboxRow, attempt: Attempt, error: NodeError) -> None:
    """Store the same call with another gas limit: more, or without any margin; nothing where that is no other."""
    relayer = context.relayer(attempt.relayer)
    if relayer is None:
        return
    if error.kind == "gas too low":
        gas = min(int(attempt.gas * GAS_MARGIN), MAX_GAS)
    else:
        gas = min(attempt.gas, context.node.estimate_gas(_draft(context, row, relayer)))
    if gas != attempt.gas:
        _store(context, row, relayer, attempt.tx_nonce, gas, _fee(attempt))


# ---- fees and gaps ----


def _slow(context: Context, view: View, attempt: Attempt) -> bool:
    blocks = 0 if attempt.first_block is None else view.head.number - attempt.first_block
    return blocks >= context.policy.bump_after_blocks


def _bump(context: Context, row: OutboxRow, attempt: Attempt) -> Attempt | None:
    """As `_bumped`; where the chain's fee is above the cap, the row says so."""
    try:
        return _bumped(context, row, attempt)
    except FeeCapError as error:
        context.waits(row, str(error))
        return None


def _bumped(context: Context, row: OutboxRow, attempt: Attempt) -> Attempt | None:
    """The same call at the same nonce for a higher fee, stored; None where the fee cannot rise."""
    relayer = context.relayer(attempt.relayer)
    fee = bumped(_fee(attempt), offered(context.node, context.policy.max_fee), context.policy.max_fee)
    if relayer is None or fee is None:
        return None
    return _store(context, row, relayer, attempt.tx_nonce, attempt.gas, fee)


def _fee(attempt: Attempt) -> Fee:
    return Fee(int(attempt.max_fee), None if attempt.tip is None else int(attempt.tip))


def _fill_gaps(context: Context, view: View) -> None:
    """Where an account's next nonce is in nobody's transaction, all after it wait: the first of ours moves there.

    Its transaction at the old nonce then fails in its turn, because the consent is used, and leaves no gap.
    """
    for relayer in context.relayers:
        ours = _occupied(context, relayer.address, Outcome.OPEN)
        if not ours:
            continue
        latest = context.node.transaction_count(relayer.address, view.head)
        if min(ours) <= latest or context.node.transaction_count(relayer.address, "pending") > latest:
            continue
        row, attempt = ours[min(ours)]
        log.warning("nonce %d of %s is unused: outbox row %d fills it", latest, relayer.address, row.number)
        filling = _store(context, row, relayer, latest, attempt.gas, _fee(attempt))
        if filling is not None:
            _send(context, view, row, filling)


def _occupied(context: Context, relayer: str, *outcomes: Outcome) -> dict[int, tuple[OutboxRow, Attempt]]:
    """The account's nonces in transactions of rows under way."""
    query = (
        select(OutboxRow, Attempt)
        .join(Attempt, col(Attempt.row_id) == OutboxRow.id)
        .where(Attempt.relayer == relayer, col(Attempt.outcome).in_(outcomes), col(OutboxRow.state).in_(IN_FLIGHT))
        .order_by(col(Attempt.id))
    )
    with context.database.read() as session:
        return {attempt.tx_nonce: (row, attempt) for row, attempt in session.exec(query)}
