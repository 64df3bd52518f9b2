"""Drawing serial numbers, and remembering for ever which were drawn."""

import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from sqlmodel import Session, SQLModel, desc, func, insert, select

from packtrace.errors import IdentifierError
from packtrace.gs1 import SerialPolicy, draw
from packtrace.gs1.keys import gtin as gtin14
from packtrace.gs1.serials import GUESS_RULE
from packtrace_gateway.db import Database
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.serials.models import DrawnSerial, GtinPolicy, SerialBlock

MAX_BLOCK = 100_000  # serial numbers in one block: about a second, in which nothing else is written
LOOKUP = 10_000  # fingerprints asked for in one statement; SQLite takes 32,766 parameters, PostgreSQL 65,535

DRAWN = SQLModel.metadata.tables["serial_drawn"]

Commissioned = Callable[[Session, str, Sequence[str]], Iterable[str]]
"""Which of these serial numbers of a GTIN were commissioned already, by whatever way they were made."""


class SerialService:
    def __init__(self, database: Database, commissioned: Commissioned | None = None) -> None:
        self._database = database
        self._commissioned = commissioned

    def set_policy(self, gtin: str, length: int, alphabet: str) -> GtinPolicy:
        """How serial numbers of `gtin` are made from now on; `IdentifierError` where they could be guessed."""
        policy = SerialPolicy(length, alphabet)
        if policy.most < 1:
            message = "such serial numbers are too few; make them longer"
            raise IdentifierError(message, field="length", value=length, rule=GUESS_RULE)
        row = GtinPolicy(gtin=_gtin(gtin), length=length, alphabet=alphabet, changed_at=int(time.time()))
        with self._database.write() as session:
            return session.merge(row)

    def policies(self) -> list[GtinPolicy]:
        with self._database.read() as session:
            return list(session.exec(select(GtinPolicy).order_by(GtinPolicy.gtin)))

    def draw(self, gtin: str, count: int, drawn_by: str) -> tuple[SerialBlock, list[str]]:
        """A block of `count` new serial numbers for `gtin`, on record before they are given out.

        `drawn_by` is the id of the API key. Raises NotFoundError where the GTIN has no policy, and IdentifierError
        where so many could be guessed.
        """
        gtin = _gtin(gtin)
        if not 1 <= count <= MAX_BLOCK:
            raise IdentifierError(
                "draw fewer at a time", field="count", value=count, rule=f"1 to {MAX_BLOCK} in a block"
            )
        with self._database.write() as session:
            row = session.get(GtinPolicy, gtin)
            if row is None:
                raise NotFoundError(
                    "this GTIN has no policy for serial numbers; an admin sets it with PUT /serials/policies/{gtin}",
                    field="gtin",
                    value=gtin,
                )
            issued = session.exec(select(func.sum(SerialBlock.count)).where(SerialBlock.gtin == gtin)).one() or 0
            serials = draw(
                count,
                SerialPolicy(row.length, row.alphabet),
                issued=issued,
                taken=lambda candidates: self._taken(session, gtin, candidates),
            )
            rows = [{"gtin": int(gtin), "fingerprint": mark} for mark in sorted(set(map(fingerprint, serials)))]
            session.connection().execute(insert(DRAWN), rows)  # Core: the ORM's own way takes twice as long
            block = SerialBlock(gtin=gtin, count=count, drawn_at=int(time.time()), drawn_by=drawn_by)
            session.add(block)
        return block, serials

    def blocks(self, limit: int, before: int | None = None) -> list[SerialBlock]:
        """The newest blocks, at most `limit`, only those with an id below `before`."""
        query = select(SerialBlock).order_by(desc(SerialBlock.id)).limit(limit)
        if before is not None:
            query = query.where(SerialBlock.id < before)  # type: ignore[operator]
        with self._database.read() as session:
            return list(session.exec(query))

    def _taken(self, session: Session, gtin: str, candidates: list[str]) -> set[str]:
        """Those of `candidates` that were drawn before, or commissioned without having been drawn here."""
        marked = {fingerprint(serial): serial for serial in candidates}
        taken: set[str] = set()
        marks = list(marked)
        for start in range(0, len(marks), LOOKUP):
            found = select(DrawnSerial.fingerprint).where(
                DrawnSerial.gtin == int(gtin),
                DrawnSerial.fingerprint.in_(marks[start : start + LOOKUP]),  # type: ignore[attr-defined]
            )
            taken.update(marked[mark] for mark in session.exec(found))
        if self._commissioned is not None:
            taken.update(self._commissioned(session, gtin, candidates))
        return taken


def fingerprint(serial: str) -> int:
    """The first 8 bytes of the serial number's SHA-256, as a signed integer."""
    return int.from_bytes(sha256(serial.encode()).digest()[:8], signed=True)


def _gtin(text: str) -> str:
    try:
        return gtin14(text)
    except IdentifierError as error:
        error.field = "gtin"
        raise
