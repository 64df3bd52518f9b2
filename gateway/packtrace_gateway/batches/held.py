"""Batches of this company's products that others commission for it: what its own people of quality do with them.

They are known from the followed chain; what is in them, from the data that their maker handed over. A release consents
to those very items, so it waits for the data.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import not_, select
from sqlmodel import Session

from packtrace.errors import LifecycleError
from packtrace.facts import batch_number, party_of_batch
from packtrace.rules import RULE
from packtrace_gateway.access.models import Caller
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.events.store import stored_header
from packtrace_gateway.exchange.models import HeldBatch
from packtrace_gateway.ledger import service as ledger
from packtrace_gateway.ledger.models import BatchRow, BatchState
from packtrace_gateway.outbox.models import IN_FLIGHT, OutboxRow, State
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.settings import Settings

MAX_LISTED = 200
DOING = {"release": "releasing", "withdraw": "withdrawing"}


class HeldBatches:
    """What others commissioned for this company."""

    def __init__(self, settings: Settings, database: Database, outbox: Outbox) -> None:
        self._settings = settings
        self._database = database
        self._outbox = outbox

    def all(self) -> list[dict[str, Any]]:
        """The newest ones, as people see them."""
        party = self._settings.party
        own: Any = BatchRow.batch.between(batch_number(party, 0), batch_number(party + 1, 0) - 1)  # type: ignore[attr-defined]
        theirs = (BatchRow.mah == self._settings.company, not_(own))
        newest = (BatchRow.block_number.desc(), BatchRow.log_index.desc())  # type: ignore[attr-defined]
        with self._database.read() as session:
            query = select(BatchRow).where(*theirs).order_by(*newest).limit(MAX_LISTED)  # type: ignore[arg-type]
            return list(self._views(session, list(session.execute(query).scalars())))

    def release(self, number: int, caller: Caller) -> dict[str, Any]:
        """Our qualified person releases it: the very items that its maker told of.

        Raises NotFoundError where it is not of this company, LifecycleError where it is not proposed, or its data are
        not here.
        """
        return self._decide(number, "release", caller)

    def withdraw(self, number: int, caller: Caller) -> dict[str, Any]:
        """Our people of quality take the proposal back. Raises as `release` does; its data are not needed."""
        return self._decide(number, "withdraw", caller)

    def _decide(self, number: int, function: str, caller: Caller) -> dict[str, Any]:
        with self._database.write() as session:
            row = session.get(BatchRow, number)
            if row is None or row.mah != self._settings.company or party_of_batch(number) == self._settings.party:
                raise NotFoundError("this batch was not commissioned here", field="number", value=number)
            (view,) = self._views(session, [row])
            if view["state"] != BatchState.PROPOSED:
                message = f"this batch is {view['state']}; only a proposed one is released or withdrawn"
                raise LifecycleError(message, field="number", value=number, rule=RULE)
            items = []
            if function == "release":
                held = session.get(HeldBatch, number)
                if held is None:
                    message = "what is in this batch is not (all) known here yet: its maker hands the data over"
                    raise LifecycleError(message, field="number", value=number, rule=RULE)
                items = [stored_header(session.get_one(StoredEvent, held.event).header).item_root]
            self._outbox.enqueue(
                session,
                contract="PackLedger",
                function=function,
                args=[number, *items],
                key="quality",
                reference=f"batch:{number}",
                caller=caller,
            )
            return view | {"state": DOING[function], "error": None}

    def _views(self, session: Session, rows: list[BatchRow]) -> Iterator[dict[str, Any]]:
        for row in rows:
            held = session.get(HeldBatch, row.batch)
            core = stored_header(session.get_one(StoredEvent, held.event).header).core if held else {}
            product = core.get("product") or {}
            state, error = self._state(session, row.batch)
            yield {
                "number": row.batch,
                "maker": party_of_batch(row.batch),
                "gtin": product.get("gtin"),
                "lot": product.get("lot"),
                "expiry": date.fromisoformat(product["expiry"]).isoformat() if product else None,
                "count": row.count,
                "held": held is not None,
                "state": state,
                "error": error,
            }

    def _state(self, session: Session, number: int) -> tuple[str, str | None]:
        """By the followed chain, or what is on its way to it; and why the newest call of ours was refused."""
        query = select(OutboxRow).where(OutboxRow.reference == f"batch:{number}")  # type: ignore[arg-type]
        last = session.execute(query.order_by(OutboxRow.id.desc()).limit(1)).scalar()  # type: ignore[union-attr]
        state = ledger.batch_state(session, number) or BatchState.PROPOSED
        if last is None or state is not BatchState.PROPOSED:
            return state.value, None
        if last.state is State.REVERTED:
            return state.value, f"{last.error_name}: {last.error_text}"
        waiting = last.state in (State.QUEUED, *IN_FLIGHT, State.INCLUDED)
        return (DOING[last.function], None) if waiting else (state.value, None)
