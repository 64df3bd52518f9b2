"""The queue of hand-overs: what is to be handed to a partner, in the transaction that makes it necessary."""

import time
from collections.abc import Sequence

import orjson
from sqlmodel import Session

from packtrace_gateway.exchange.models import HandOver, HandOverState


def add_hand_over(
    session: Session, kind: str, event: int, receiver: int, uris: Sequence[str], rows: Sequence[int]
) -> int:
    """Queue a hand-over; its id."""
    now = time.time()
    row = HandOver(
        kind=kind,
        event=event,
        receiver=receiver,
        units=orjson.dumps(list(uris)).decode(),
        ship_rows=orjson.dumps(list(rows)).decode(),
        state=HandOverState.WAITING,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id
