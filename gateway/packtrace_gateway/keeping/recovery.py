"""What a restored gateway finds out before it goes on: how far the chain came without it, and what it lost.

Between the backup and the loss this gateway may have given out numbers, sealed events and changed packs. The chain has
all that; this database has not. So until the two were compared no number is given out and nothing is sealed. Then the
numbers go on behind those that were used, and entries of the log whose events are still here are recognised: no event
is anchored twice. What only the chain has is listed, for people; its data are gone, unless a partner has them.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlmodel import Session, col, func, select

from packtrace.chain.facts import ChainReader
from packtrace.commit.seal import seal_root
from packtrace.facts import BATCH_BITS, LOGISTIC_BITS, Status, batch_number, logistic_number
from packtrace.receipt import UNIT_BYTES
from packtrace.verdict import case_number
from packtrace_gateway.capture.sealer import LANE, Sealer
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import CommissionedBatch, LogisticUnit
from packtrace_gateway.events.store import EventStore
from packtrace_gateway.keeping.models import Restoration
from packtrace_gateway.ledger.follower import indexed
from packtrace_gateway.ledger.models import BatchRow, CallKind, CustodyRow, EntryRow, StatusCallRow
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.models import ON_CHAIN, OutboxRow
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.settings import Settings
from packtrace_gateway.status.models import Operation

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
IDLE_SECONDS = 3600.0
# Numbers that are passed over, for those that were given out and had not reached the chain: minutes of work at most.
BATCHES_SKIPPED = 64
LOGISTIC_SKIPPED = 1 << 20
MOST_LISTED = 1000


class Recovery:
    """Compares a restored database with the chain, once. Give `run_once` to the gateway's workers."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: EventStore,
        sealer: Sealer,
        reader: ChainReader,
        outbox: Outbox,
    ) -> None:
        self._party = settings.party
        self._database = database
        self._store = store
        self._sealer = sealer
        self._reader = reader
        self._outbox = outbox
        self._target: int | None = None  # the newest block when this gateway started

    def run_once(self) -> float:
        """One look; the seconds until the next. Waits until the index and the outbox have seen the chain of today."""
        with self._database.read() as session:
            if not self._store.restored(session):
                return IDLE_SECONDS
        view = self._reader.view()
        if self._target is None:
            self._target = view.block.number
        with self._database.write() as session:
            known = indexed(session)
            if known is None or known.number < self._target:
                return LOOK_SECONDS
            head, final = self._outbox.compared or (-1, -1)
            entries = self._new_entries(session)
            # What the outbox cannot account for once it is final, it never will. It has to have looked, though.
            if head < self._target or (final < self._target and not all(row for _, row in entries)):
                self._outbox.compared = None
                return LOOK_SECONDS
            lost = list(self._adopted(session, entries))
            self._go_on(session, entries)
            lost += self._lost(session)
            for row in session.exec(select(Restoration).where(col(Restoration.done_at).is_(None))):
                row.done_at, row.lost = int(time.time()), orjson.dumps(lost[:MOST_LISTED]).decode()
                session.add(row)
        log.warning("restored from a backup and compared with the chain: %d things are lost", len(lost))
        for line in lost[:MOST_LISTED]:
            log.warning("lost: %s", line)
        return IDLE_SECONDS

    # ---- the log ----

    def _new_entries(self, session: Session) -> list[tuple[EntryRow, OutboxRow | None]]:
        """Entries of our log that this database made no seal for, and the outbox's rows of those calls."""
        known = self._store.last_number(session, self._sealer.series)
        query = select(EntryRow).where(EntryRow.party == self._party, EntryRow.lane == LANE)
        entries = [entry for entry in session.exec(query) if entry.sequence >= known]
        rows = {
            (args[1], args[2]): row
            for row in session.exec(select(OutboxRow).where(OutboxRow.recovered, OutboxRow.function == "append"))
            if (args := calls.load(row.args))[0] == LANE and row.state in ON_CHAIN
        }
        ordered = sorted(entries, key=lambda entry: entry.sequence)
        return [(entry, rows.get((entry.sequence, entry.root))) for entry in ordered]

    def _adopted(self, session: Session, entries: Sequence[tuple[EntryRow, OutboxRow | None]]) -> Iterator[str]:
        """Give events that wait for a seal the entries that they are in already; says which entries are of others.

        Events are sealed in the order in which they were captured, so those of a lost seal stand first.
        """
        waiting = self._sealer.unsealed(session)
        for entry, row in entries:
            first, rest = waiting[: entry.count], waiting[entry.count :]
            if row is not None and seal_root([digest for _, digest in first]) == entry.root:
                self._sealer.adopt(session, row, entry.sequence, first)
                waiting = rest
            else:
                yield f"entry {entry.sequence} of the log: {entry.count} events that are not, or not all, here"

    # ---- numbers ----

    def _go_on(self, session: Session, entries: Sequence[tuple[EntryRow, OutboxRow | None]]) -> None:
        store, party = self._store, self._party
        batches = self._highest(session, BatchRow.batch, batch_number(party, 0), batch_number(party + 1, 0))
        units = self._highest(session, CustodyRow.number, logistic_number(party, 0), logistic_number(party + 1, 0))
        for series, highest, bits, skipped in (
            ("batch", batches, BATCH_BITS, BATCHES_SKIPPED),
            ("logistic", units, LOGISTIC_BITS, LOGISTIC_SKIPPED),
        ):
            own = -1 if highest is None else highest % (1 << bits)
            store.go_on_from(session, series, max(store.last_number(session, series), own + 1) + skipped)
        if entries:
            store.go_on_from(session, self._sealer.series, entries[-1][0].sequence + 1)

    def _highest(self, session: Session, column: Any, first: int, after: int) -> int | None:
        """The highest number of this party on chain. A party's numbers are all below, or all above, 2^63."""
        highest: int | None = session.exec(select(func.max(column)).where(column.between(first, after - 1))).one()
        return highest

    # ---- what only the chain has ----

    def _lost(self, session: Session) -> Iterator[str]:
        party = self._party
        for batch in session.exec(select(BatchRow).where(BatchRow.batch.between(*_range(batch_number, party)))):  # type: ignore[attr-defined]
            if session.get(CommissionedBatch, batch.batch) is None:
                yield f"batch {batch.batch} of {batch.count} packs: its serial numbers, secrets and proofs"
        units = select(CustodyRow).where(
            CustodyRow.event == "Registered",
            CustodyRow.number.between(*_range(logistic_number, party)),  # type: ignore[attr-defined]
        )
        known = set(session.exec(select(LogisticUnit.number).where(col(LogisticUnit.number).is_not(None))))
        for unit in session.exec(units):
            if str(unit.number) not in known:
                yield f"logistic unit {unit.number}, packed with {unit.count} items: what was in it"
        operations = set(session.exec(select(Operation.receipt).where(col(Operation.receipt).is_not(None))))
        changes = select(StatusCallRow).where(StatusCallRow.party == party, StatusCallRow.kind == CallKind.CHANGED)
        for call in session.exec(changes):
            if call.call not in operations:
                packs, to = len(call.units) // UNIT_BYTES, Status(call.to).name.lower().replace("_", " ")
                yield f"case {case_number(call.call)}: {packs} packs set to {to}; the chain has their status"


def _range(number: Any, party: int) -> tuple[int, int]:
    """The first and the last of a party's numbers."""
    return number(party, 0), number(party + 1, 0) - 1
