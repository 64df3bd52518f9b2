"""The sealer: every few seconds, the events captured since go under one root into the party's log on chain."""

import time
from collections.abc import Sequence

from sqlalchemy import Select, select, update
from sqlmodel import Session

from packtrace.chain.contracts import Event as ChainEvent
from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Node
from packtrace.commit.seal import SealProof, seal_paths, seal_root
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import Seal, StoredEvent
from packtrace_gateway.events.store import EventStore, seal_bytes
from packtrace_gateway.outbox.models import OutboxRow, State
from packtrace_gateway.outbox.service import Handler, Outbox
from packtrace_gateway.settings import Settings

LANE = 0
MOST_EVENTS = 4096  # in one seal: a path of at most 12 nodes
REFUSED_PAUSE = 5.0  # seconds until the next try after the chain refused a seal (no licence now, say)


class Sealer(Handler):
    """Seals own events in the order in which they were recorded."""

    series = f"seal:{LANE}"

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: EventStore,
        outbox: Outbox,
        node: Node,
        deployment: Deployment,
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._outbox = outbox
        self._node = node
        self._deployment = deployment
        self._not_before = 0.0
        self._in_step = True  # our next sequence number is the log's
        outbox.register("EventLog", "append", self)

    def run_once(self) -> float:
        """Seal what waits; the seconds until the next time."""
        pause = self._not_before - time.monotonic()
        if pause > 0:
            return pause
        with self._database.read() as session:
            waits = session.execute(_unsealed().limit(1)).first()
            restored = self._store.restored(session)
        if waits is None or restored:
            return self._settings.seal_every
        if not self._in_step and not self._catch_up():
            return REFUSED_PAUSE
        with self._database.write() as session:
            sealed = self.seal(session)
        return 0.0 if sealed == MOST_EVENTS else self._settings.seal_every

    def _catch_up(self) -> bool:
        """Go on from the log's own next number, once no seal is under way; whether that was possible."""
        numbers = [self._settings.party, LANE]
        expected = self._node.call(self._deployment, "EventLog", "nextSequence", numbers)
        with self._database.write() as session:
            if session.execute(select(Seal.id).where(Seal.state == "signed").limit(1)).first():  # type: ignore[call-overload]
                return False
            self._store.go_on_from(session, self.series, expected)
        self._in_step = True
        return True

    def seal(self, session: Session) -> int:
        """Seal up to MOST_EVENTS events, and queue the log entry, in the caller's transaction; how many."""
        rows = self.unsealed(session, MOST_EVENTS)
        if not rows:
            return 0
        digests = [digest for _, digest in rows]
        sequence = self._store.next_number(session, self.series)
        root, count = seal_root(digests), len(digests)
        outbox = self._outbox.enqueue(
            session,
            contract="EventLog",
            function="append",
            args=[LANE, sequence, root, count],
            key="operate",
            reference=_reference(sequence),
        )
        self._keep(session, outbox, sequence, rows, "signed")
        return count

    def unsealed(self, session: Session, most: int | None = None) -> list[tuple[int, bytes]]:
        """Own events without a seal, in the order in which they will be sealed: number and digest."""
        return [(number, digest) for number, digest in session.execute(_unsealed().limit(most))]

    def adopt(self, session: Session, row: OutboxRow, sequence: int, rows: Sequence[tuple[int, bytes]]) -> None:
        """Take an entry of the log, found on chain with the call that made it, as the seal of these events."""
        row.recovered, row.reference = False, _reference(sequence)
        session.add(row)
        self._keep(session, row.number, sequence, rows, "final" if row.state == State.FINAL else "anchored")

    def _keep(
        self, session: Session, outbox: int, sequence: int, rows: Sequence[tuple[int, bytes]], state: str
    ) -> None:
        digests = [digest for _, digest in rows]
        root, count = seal_root(digests), len(digests)
        seal = Seal(lane=LANE, sequence=sequence, root=root, count=count, outbox=outbox, state=state)
        session.add(seal)
        session.flush()
        for index, ((number, _), path) in enumerate(zip(rows, seal_paths(digests), strict=True)):
            proof = SealProof(self._settings.party, LANE, sequence, count, index, path)
            statement = update(StoredEvent).where(StoredEvent.id == number)  # type: ignore[arg-type]
            session.execute(statement.values(seal=seal_bytes(proof), seal_id=seal.id))

    def on_included(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:  # noqa: ARG002
        self._set(session, row, "anchored")

    def on_final(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:  # noqa: ARG002
        self._set(session, row, "final")

    def on_retracted(self, session: Session, row: OutboxRow) -> None:
        self._set(session, row, "signed")

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        """The log took nothing: the events are free to be sealed again.

        A seal that was queued behind this one is refused too, for its number, and comes back in the same way; the log
        itself then says with which number to go on.
        """
        seal = session.execute(select(Seal).where(Seal.outbox == row.id)).scalar_one()  # type: ignore[arg-type]
        freed = update(StoredEvent).where(StoredEvent.seal_id == seal.id)
        session.execute(freed.values(seal=None, seal_id=None))
        session.delete(seal)
        self._in_step = False
        self._not_before = time.monotonic() + REFUSED_PAUSE

    def _set(self, session: Session, row: OutboxRow, state: str) -> None:
        session.execute(update(Seal).where(Seal.outbox == row.id).values(state=state))  # type: ignore[arg-type]


def _reference(sequence: int) -> str:
    return f"seal:{sequence}"


def _unsealed() -> Select[tuple[int, bytes]]:
    query: Select[tuple[int, bytes]] = select(StoredEvent.id, StoredEvent.digest)  # type: ignore[call-overload]
    unsealed = (StoredEvent.seal_id.is_(None), StoredEvent.secret.isnot(None))  # type: ignore[union-attr]
    return query.where(*unsealed).order_by(StoredEvent.id)  # type: ignore[arg-type]
