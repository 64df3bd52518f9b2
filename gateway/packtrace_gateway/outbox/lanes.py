"""Lanes: consents of one key to one contract, in the order of their nonces.

The chain's own counter decides which position is next. The table knows what was carried out before; where the two
differ, somebody else carried one of our consents, or this database was restored from a backup (`recovery`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlmodel import Session, col, select

from packtrace.chain.node import Block, Call
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.context import Context
from packtrace_gateway.outbox.models import ON_CHAIN, OutboxRow

POSITIONS = 1 << 64


class Lane(NamedTuple):
    """One sequence of consents."""

    contract: str
    signer: str
    lane: int


def lane_of(row: OutboxRow) -> Lane:
    assert row.signer is not None
    return Lane(row.contract, row.signer, row.lane)


def positions(context: Context, lanes: Iterable[Lane], block: Block) -> dict[Lane, int]:
    """The next position of each lane in the state after `block`, as the contracts count."""
    wanted = list(lanes)
    asked = [Call(lane.contract, "nonces", [lane.signer, lane.lane]) for lane in wanted]
    found = context.node.calls(context.deployment, asked, block) if asked else []
    return {lane: nonce % POSITIONS for lane, nonce in zip(wanted, found, strict=True)}


def carried_out(session: Session, lane: Lane) -> int:
    """The next position as the table knows it: one after the last call that is on chain."""
    query = (
        select(OutboxRow.position)
        .where(
            OutboxRow.contract == lane.contract,
            OutboxRow.signer == lane.signer,
            OutboxRow.lane == lane.lane,
            col(OutboxRow.position).is_not(None),
            col(OutboxRow.state).in_(ON_CHAIN),
        )
        .order_by(col(OutboxRow.position).desc())
        .limit(1)
    )
    last = session.exec(query).first()
    return 0 if last is None else last + 1


def exchanges(session: Session) -> list[tuple[str, str, OutboxRow]]:
    """Keys that were, or are being, exchanged for another on chain: old, new, and the row of that call."""
    query = select(OutboxRow).where(OutboxRow.contract == "PartyRegistry", OutboxRow.function == "rotateKey")
    return [(*calls.load(row.args)[:2], row) for row in session.exec(query)]
