"""The outbox as the features see it: queue a call with their own data, and be told what became of it."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import event, func
from sqlmodel import Session, col, select

from packtrace.chain.contracts import Event
from packtrace.errors import PacktraceError
from packtrace_gateway.access.models import Caller
from packtrace_gateway.db import Database
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.models import IN_FLIGHT, LANES, Attempt, OutboxRow, State
from packtrace_gateway.problems import NotFoundError

MAX_REFERENCE = 200  # characters
MAX_PAGE = 500
KEYS = ("operate", "line", "quality", "manage")


class OutboxError(PacktraceError):
    """A call that cannot be queued."""


class Handler:
    """What a feature does when one of its calls moves; each method runs in the transaction that moves the row.

    A row that was `on_included` can come back as `on_retracted` (a reorganisation), and then as `on_included`
    again with other events, or as `on_reverted`. After `on_final` only a chain that broke its promise retracts.
    A row that was `on_reverted` can still be included while its consent is valid: anybody may carry a consent to
    the chain.
    """

    def on_included(self, session: Session, row: OutboxRow, events: Sequence[Event]) -> None:
        """The call's own event is in a block; `events` are all of our contracts' in that transaction."""

    def on_final(self, session: Session, row: OutboxRow, events: Sequence[Event]) -> None:
        """That block is final."""

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        """A contract refused the call; `row.error_name` and `row.error_text` say why."""

    def on_retracted(self, session: Session, row: OutboxRow) -> None:
        """The block is not part of the chain any more; the call is sent again."""


class Outbox:
    """Queues calls, and knows who wants to hear about which."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._listeners: list[Callable[[], None]] = []
        self.trouble: str | None = None
        """Why nothing moves at the moment (the node does not answer, another process owns the outbox), or None."""
        self.compared: tuple[int, int] | None = None
        """The newest and the newest final block (-1: none is) when every lane was last compared with the chain.

        None until that is done; set to None, it is done again.
        """

    def register(self, contract: str, function: str, handler: Handler) -> None:
        """Let `handler` hear about the rows of one function."""
        if (contract, function) in self._handlers:
            raise ValueError(f"{contract}.{function} has a handler already")
        self._handlers[contract, function] = handler

    def handler(self, contract: str, function: str) -> Handler:
        return self._handlers.get((contract, function), _SILENT)

    def on_queued(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each transaction that queued something: to wake the worker."""
        self._listeners.append(listener)

    def enqueue(
        self,
        session: Session,
        *,
        contract: str,
        function: str,
        args: Sequence[Any],
        key: str,
        reference: str,
        lane: int = 0,
        after: int | None = None,
        caller: Caller | None = None,
    ) -> int:
        """Queue a call within the caller's transaction; its row's id.

        `args` stand in the function's order without the consent. `key` is the purpose of the key that signs. Calls of
        one contract, key and lane go to the chain in this order, one after the other; `after` names a row of another
        lane (or contract, or key) that must be on chain before; `caller` is the API key that ordered it. Raises
        `ChainError` where the arguments do not fit, `OutboxError` where the rest does not.
        """
        if not 0 <= lane < LANES:
            raise OutboxError("a lane is a number from 0", field="lane", value=lane, rule=f"below {LANES}")
        if key not in KEYS:
            raise OutboxError("no such key", field="key", value=key, rule=", ".join(KEYS))
        if len(reference) > MAX_REFERENCE:
            raise OutboxError("the reference is too long", field="reference", value=reference, rule="200 characters")
        if after is not None and session.get(OutboxRow, after) is None:
            raise OutboxError("there is no such row to wait for", field="after", value=after)
        now = time.time()
        row = OutboxRow(
            contract=contract,
            function=function,
            args=calls.dump(contract, function, args),
            key=key,
            lane=lane,
            after=after,
            reference=reference,
            caller=caller.name if caller else None,
            caller_id=caller.key_id if caller else None,
            created_at=now,
            updated_at=now,
        )
        session.add(row)
        session.flush()
        for listener in self._listeners:
            event.listen(session, "after_commit", lambda _session, wake=listener: wake(), once=True)
        return row.number

    def freest_lane(self, session: Session, *, contract: str, key: str) -> int:
        """The lane with the fewest calls that are in no block yet: for a call that need not wait for any other."""
        query = (
            select(OutboxRow.lane, func.count())
            .where(OutboxRow.contract == contract, OutboxRow.key == key)
            .where(col(OutboxRow.state).in_((State.QUEUED, *IN_FLIGHT)))
            .group_by(col(OutboxRow.lane))
        )
        waiting = dict(session.exec(query).all())
        return min(range(LANES), key=lambda lane: waiting.get(lane, 0))

    def cancel(self, session: Session, number: int) -> bool:
        """Take a call back; only possible until it is signed. False when it is too late."""
        row = session.get(OutboxRow, number)
        if row is None or row.state != State.QUEUED or row.signature is not None:
            return False
        row.state, row.settled, row.updated_at = State.SUPERSEDED, True, time.time()
        session.add(row)
        return True

    def row(self, number: int) -> OutboxRow:
        """One row as it stands now; `NotFoundError` where there is none."""
        with self._database.read() as session:
            found = session.get(OutboxRow, number)
        if found is None:
            raise NotFoundError("there is no such call in the outbox", field="id", value=number)
        return found

    def attempts(self, number: int) -> list[Attempt]:
        """The transactions that were signed for a row, the oldest first."""
        with self._database.read() as session:
            query = select(Attempt).where(Attempt.row_id == number).order_by(col(Attempt.id))
            return list(session.exec(query))

    def rows(
        self,
        *,
        state: State | None = None,
        contract: str | None = None,
        reference: str | None = None,
        recovered: bool | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[OutboxRow]:
        """Rows, the newest first; `before` is the id of the last one of the page before."""
        query = select(OutboxRow).order_by(col(OutboxRow.id).desc()).limit(min(limit, MAX_PAGE))
        wanted = {"state": state, "contract": contract, "reference": reference, "recovered": recovered}
        for name, value in wanted.items():
            if value is not None:
                query = query.where(getattr(OutboxRow, name) == value)
        if before is not None:
            query = query.where(col(OutboxRow.id) < before)
        with self._database.read() as session:
            return list(session.exec(query))


_SILENT = Handler()
