"""Batches and recalls: what people of quality do, and what became of it on chain."""

import time
from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import select, update
from sqlmodel import Session

from packtrace.chain.contracts import Event as ChainEvent
from packtrace.commit.header import Header
from packtrace.errors import LifecycleError
from packtrace.facts import Recall
from packtrace.gs1 import expires_at
from packtrace.product import Product, lot_key
from packtrace.rules import RULE
from packtrace_gateway.access.models import Caller
from packtrace_gateway.batches.models import RecallNotice
from packtrace_gateway.capture.ledger import LedgerCalls
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import CommissionedBatch, StoredEvent
from packtrace_gateway.events.store import stored_header
from packtrace_gateway.ledger.models import BatchRow
from packtrace_gateway.outbox.models import OutboxRow
from packtrace_gateway.outbox.service import Handler, Outbox
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.products.service import ProductService
from packtrace_gateway.settings import Settings

MAX_LISTED = 1000
Scope = Literal["lot", "batch"]
UPON_PROPOSAL = ("releasing", "withdrawing")


class _States(Handler):
    """Keeps a batch's state up as one of its calls moves.

    Only where that call is what the batch waits for: a proposal that is included while its release is queued already
    changes nothing. `ends` are the other states that a refusal ends.
    """

    def __init__(self, pending: str, done: str, refused: str, ends: Sequence[str] = ()) -> None:
        self._pending, self._done, self._refused, self._ends = pending, done, refused, ends

    def on_included(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:  # noqa: ARG002
        self._set(session, row, (self._pending, self._refused), self._done, None)

    def on_retracted(self, session: Session, row: OutboxRow) -> None:
        self._set(session, row, (self._done,), self._pending, None)

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        self._set(session, row, (self._pending, *self._ends), self._refused, f"{row.error_name}: {row.error_text}")

    def _set(self, session: Session, row: OutboxRow, states: Sequence[str], state: str, error: str | None) -> None:
        number = int(row.reference.removeprefix("batch:"))
        mine = (CommissionedBatch.number == number, CommissionedBatch.state.in_(states))  # type: ignore[attr-defined]
        session.execute(update(CommissionedBatch).where(*mine).values(state=state, error=error))  # type: ignore[arg-type]


class BatchService:
    """The batches that were commissioned here, and recalls."""

    def __init__(self, settings: Settings, database: Database, outbox: Outbox, products: ProductService) -> None:
        self._settings = settings
        self._database = database
        self._outbox = outbox
        self._products = products
        outbox.register("PackLedger", "propose", _States("proposing", "proposed", "refused", UPON_PROPOSAL))
        outbox.register("PackLedger", "release", _States("releasing", "released", "proposed"))
        outbox.register("PackLedger", "withdraw", _States("withdrawing", "withdrawn", "proposed"))

    def all(self, gtin: str | None, lot: str | None) -> list[CommissionedBatch]:
        """Batches, the newest first."""
        query = select(CommissionedBatch).order_by(CommissionedBatch.number.desc())  # type: ignore[attr-defined]
        if gtin is not None:
            query = query.where(CommissionedBatch.gtin == gtin)  # type: ignore[arg-type]
        if lot is not None:
            query = query.where(CommissionedBatch.lot == lot)  # type: ignore[arg-type]
        with self._database.read() as session:
            return list(session.execute(query.limit(MAX_LISTED)).scalars())

    def commissioned(self, number: int) -> bool:
        """Whether the batch was commissioned here."""
        with self._database.read() as session:
            return session.get(CommissionedBatch, number) is not None

    def orders(self, numbers: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
        """By batch: what was ordered of it and when (unix time), the newest first, with the API key's id and name."""
        references = {f"batch:{number}": number for number in numbers}
        query = select(OutboxRow).where(OutboxRow.reference.in_(references), OutboxRow.caller_id.is_not(None))  # type: ignore
        found: dict[int, list[dict[str, Any]]] = {}
        with self._database.read() as session:
            for row in session.execute(query.order_by(OutboxRow.id.desc())).scalars():  # type: ignore[union-attr]
                order = {"what": row.function, "key": row.caller_id, "name": row.caller, "at": int(row.created_at)}
                found.setdefault(references[row.reference], []).append(order)
        return found

    def propose(self, number: int, caller: Caller) -> CommissionedBatch:
        """Propose a batch again that the chain refused (the line was not authorised, say).

        Its serial numbers are used for ever, so without this its packs could never be released. Raises LifecycleError
        unless it was refused.
        """
        with self._database.write() as session:
            batch = self._batch(session, number)
            if batch.state != "refused":
                raise LifecycleError(
                    f"this batch is {batch.state}; only a refused one is proposed again",
                    field="number",
                    value=number,
                    rule=RULE,
                )
            header = _commissioning(session, batch)
            product = Product.from_json(header.core["product"])
            calls = LedgerCalls(self._outbox, session, caller)
            row = calls.propose(number, product, header.item_root, batch.count, expires_at(product.expiry))
            batch.state, batch.error, batch.outbox = "proposing", None, row
            session.add(batch)
            return batch

    def release(self, number: int, caller: Caller) -> CommissionedBatch:
        """A qualified person's release, of these very items. Raises LifecycleError unless the batch is proposed and not
        released.
        """
        return self._decide(number, "release", "quality", "releasing", "released", caller)

    def withdraw(self, number: int, caller: Caller) -> CommissionedBatch:
        """The line takes its proposal back. Raises LifecycleError when it was released."""
        return self._decide(number, "withdraw", "line", "withdrawing", "withdrawn", caller)

    def _decide(
        self, number: int, function: str, key: str, pending: str, done: str, caller: Caller
    ) -> CommissionedBatch:
        with self._database.write() as session:
            batch = self._batch(session, number)
            if batch.state not in ("proposing", "proposed"):
                detail = f" ({batch.error})" if batch.error else ""
                raise LifecycleError(
                    f"this batch is {batch.state}{detail}; it cannot be {done}", field="number", value=number, rule=RULE
                )
            items = [_commissioning(session, batch).item_root] if function == "release" else []
            self._outbox.enqueue(
                session,
                contract="PackLedger",
                function=function,
                args=[number, *items],
                key=key,
                reference=f"batch:{number}",
                after=batch.outbox,
                caller=caller,
            )
            batch.state, batch.error = pending, None
            session.add(batch)
            return batch

    def _batch(self, session: Session, number: int) -> CommissionedBatch:
        batch = session.get(CommissionedBatch, number)
        if batch is None:
            raise NotFoundError("this batch was not commissioned here", field="number", value=number)
        return batch

    def recall(self, gtin: str, lot: str, kind: Recall, notice: str, caller: Caller) -> int:
        """Recall (or withdraw) a lot of this company; the outbox row's id. `notice` is kept here, its hash on chain."""
        with self._database.write() as session:
            key = lot_key(self._products.secret(session, gtin, "gtin"), gtin, lot)
            args = [self._settings.company, key, int(kind)]
            row = self._notify(session, "recallLot", args, notice, f"recall:{gtin}:{lot}", caller)
            kept = RecallNotice(outbox=row, kind=kind.name.lower(), notice=notice, time=_now(), caller=caller.name)
            kept.gtin, kept.lot = gtin, lot
            session.add(kept)
            return row

    def recall_batch(self, batch: int, scope: Scope, kind: Recall | None, notice: str, caller: Caller) -> int:
        """Recall (or withdraw) one batch, or the whole lot that it is of: for its holder, or a regulator; the row's id.

        Without a `kind` what was said is lifted: for a regulator alone. Raises NotFoundError where the followed chain
        has no such batch.
        """
        with self._database.write() as session:
            known = session.get(BatchRow, batch)
            if known is None:
                raise NotFoundError("the followed chain has no such batch", field="batch", value=batch)
            if kind is None:
                function, subject = "liftRecall", known.lot_key if scope == "lot" else batch.to_bytes(32)
                args: list[Any] = [known.mah, subject]
            elif scope == "lot":
                function, args = "recallLot", [known.mah, known.lot_key, int(kind)]
            else:
                function, args = "recallBatch", [known.mah, batch, int(kind)]
            row = self._notify(session, function, args, notice, f"recall:{batch}", caller)
            said = kind.name.lower() if kind else "lifted"
            kept = RecallNotice(outbox=row, kind=said, notice=notice, time=_now(), caller=caller.name)
            kept.batch, kept.scope = batch, scope
            session.add(kept)
            return row

    def _notify(
        self, session: Session, function: str, args: Sequence[Any], notice: str, reference: str, caller: Caller
    ) -> int:
        return self._outbox.enqueue(
            session,
            contract="RecallBoard",
            function=function,
            args=[*args, sha256(notice.encode()).digest()],
            key="quality",
            reference=reference,
            caller=caller,
        )

    def recalls(self) -> list[tuple[RecallNotice, OutboxRow]]:
        """The recalls that were ordered here, the newest first, and their calls to the chain."""
        query = select(RecallNotice, OutboxRow).join(OutboxRow, OutboxRow.id == RecallNotice.outbox)  # type: ignore
        with self._database.read() as session:
            found = session.execute(query.order_by(RecallNotice.outbox.desc()).limit(MAX_LISTED))  # type: ignore[attr-defined]
            return [(notice, row) for notice, row in found]


def _now() -> int:
    return int(time.time())


def _commissioning(session: Session, batch: CommissionedBatch) -> Header:
    return stored_header(session.get_one(StoredEvent, batch.event).header)


def view(batch: CommissionedBatch) -> dict[str, str | int | None]:
    """A batch as people see it."""
    return {
        "number": batch.number,
        "gtin": batch.gtin,
        "lot": batch.lot,
        "expiry": date.fromisoformat(batch.expiry).isoformat(),
        "count": batch.count,
        "state": batch.state,
        "error": batch.error,
    }
