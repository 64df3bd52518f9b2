"""What was scanned, on disk before it is answered for: it survives a power cut, and waits for the gateway.

A job is what one person does in one go: receiving a delivery, dispensing a pack. It is written down with every scan;
when it is finished it is *ready*, and the gateway gets it as soon as it can be reached, in the order of their numbers:
what is shipped has to be received first. A job that the gateway does not take holds up those behind it, until somebody
sets it *aside*; it is kept, and comes back to its place when it is to be sent again.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from packtrace.errors import PacktraceError

KEPT_SECONDS = 90 * 86_400.0
"""Jobs that have ended are kept so long, for the question whether this counter has seen a pack before."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL, answer TEXT,
    created REAL NOT NULL, updated REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS job_state ON job (state, updated, id);
CREATE TABLE IF NOT EXISTS pack (code TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (code, job)) WITHOUT ROWID;
"""

_INSERT = "INSERT INTO job (kind, state, body, answer, created, updated) VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE = "UPDATE job SET kind = ?, state = ?, body = ?, answer = ?, created = ?, updated = ? WHERE id = ?"
_UNFINISHED = "SELECT kind, body, state, answer, id, created FROM job WHERE state = ? ORDER BY id DESC LIMIT 1"
_NEXT = (
    "SELECT kind, body, state, answer, id, created FROM job WHERE state IN (?, ?) "
    "ORDER BY state = 'ready' DESC, id LIMIT 1"
)
_SENT = "SELECT kind, body, state, answer, id, created FROM job WHERE state = ? ORDER BY id > ? DESC, id LIMIT 1"
_ALL = "SELECT kind, body, state, answer, id, created FROM job WHERE state = ? ORDER BY id"
_MOVE = "UPDATE job SET state = ?, updated = ? WHERE state = ? AND id = ifnull(?, id)"
_OF_PACK = (
    "SELECT kind, body, state, answer, id, created FROM job WHERE id IN (SELECT job FROM pack WHERE code = ?) "
    "AND kind = ? AND state NOT IN (?, ?) ORDER BY id DESC LIMIT 1"
)


class JournalError(PacktraceError):
    """The journal cannot be used; the message says what to do."""


class State(StrEnum):
    """How far a job is."""

    OPEN = "open"  # being scanned
    READY = "ready"  # finished here; the gateway does not have it yet
    ASIDE = "aside"  # finished here; not sent until somebody says so
    SENT = "sent"  # the gateway has it; its outcome is not known yet
    DONE = "done"
    REFUSED = "refused"


ENDED = (State.DONE, State.REFUSED)


@dataclass(slots=True)
class Job:
    """One job: its kind and what belongs to it, as JSON can hold it. `answer` is what the gateway said."""

    kind: str
    body: dict[str, Any] = field(default_factory=dict)
    state: State = State.OPEN
    answer: dict[str, Any] | None = None
    id: int | None = None
    created: float = 0.0


class Journal:
    """The jobs of one counter. One program at a time; its threads may share it. Raises JournalError."""

    def __init__(self, file: Path) -> None:
        try:
            self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=1.0)
            # One program only: two would send the same jobs.
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.executescript(_SCHEMA)
            self._connection.execute("BEGIN IMMEDIATE")
            old = (*ENDED, time.time() - KEPT_SECONDS)
            self._connection.execute(
                "DELETE FROM pack WHERE job IN (SELECT id FROM job WHERE state IN (?, ?) AND updated < ?)", old
            )
            self._connection.execute("DELETE FROM job WHERE state IN (?, ?) AND updated < ?", old)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            message = (
                f"this journal cannot be used ({error}): is its folder there, is another scanner's program using it, "
                "is the disk full?"
            )
            raise JournalError(message, field="journal", value=str(file)) from error
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def write(self, job: Job) -> None:
        """Store a job as it is now. After this call it is on disk."""
        now = time.time()
        job.created = job.created or now
        values = (job.kind, job.state, _text(job.body), _text(job.answer) if job.answer else None, job.created, now)
        with self._writing():
            if job.id is None:
                number = self._connection.execute(_INSERT, values).lastrowid
            else:
                number = job.id
                self._connection.execute(_UPDATE, (*values, number))
            for code in job.body.get("packs", ()):
                self._connection.execute("INSERT OR IGNORE INTO pack VALUES (?, ?)", (code, number))
        job.id = number

    def drop(self, job: Job) -> None:
        """Forget a job that is not finished."""
        with self._writing():
            gone = self._connection.execute("DELETE FROM job WHERE id = ? AND state = ?", (job.id, State.OPEN))
            if gone.rowcount:
                self._connection.execute("DELETE FROM pack WHERE job = ?", (job.id,))
                job.id = None

    def unfinished(self) -> Job | None:
        """The job that was being scanned when the program ended."""
        return self._first(_UNFINISHED, State.OPEN)

    def next(self) -> Job | None:
        """The job that the gateway gets next; where it has them all, one whose outcome is to be asked for."""
        return self._first(_NEXT, State.READY, State.SENT)

    def sent(self, asked: int) -> Job | None:
        """A job whose outcome is to be asked for: the one after number `asked`, or the first."""
        return self._first(_SENT, State.SENT, asked)

    def waiting(self) -> int:
        """How many jobs the gateway does not have yet."""
        ((count,),) = self._rows("SELECT count(*) FROM job WHERE state = ?", State.READY)
        return int(count)

    def all(self, state: State) -> list[Job]:
        """The jobs in a state, the oldest first."""
        return self._jobs(_ALL, state)

    def set_aside(self, job: Job) -> bool:
        """Take a job that is ready out of the line; whether it was still in it."""
        return self._move(State.READY, State.ASIDE, job.id) > 0

    def send_again(self) -> int:
        """Put what was set aside back to its place in the line; how many jobs."""
        return self._move(State.ASIDE, State.READY)

    def _move(self, old: State, new: State, number: int | None = None) -> int:
        """One job or all go from one state to another, unless they have left it already; how many went."""
        with self._writing():
            return self._connection.execute(_MOVE, (new, time.time(), old, number)).rowcount

    def of_pack(self, code: str, kind: str) -> Job | None:
        """The newest job of a kind that a pack was part of, here, and that was not refused."""
        return self._first(_OF_PACK, code, kind, State.OPEN, State.REFUSED)

    def _first(self, query: str, *values: str | int) -> Job | None:
        return next(iter(self._jobs(query, *values)), None)

    def _jobs(self, query: str, *values: str | int) -> list[Job]:
        return [
            Job(kind, orjson.loads(body), State(state), orjson.loads(answer) if answer else None, number, created)
            for kind, body, state, answer, number, created in self._rows(query, *values)
        ]

    def _rows(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"this journal cannot be read ({error}): is its disk still there?") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, on disk when it ends without an error. Raises JournalError."""
        try:
            with self._lock:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:  # a full disk ends it by itself
                        self._connection.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise JournalError(f"nothing can be written down here ({error}): is the disk full?") from error


def _text(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()
