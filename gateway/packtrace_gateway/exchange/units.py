"""Logistic units whose calls the chain refused: said where the goods are, and proposed again when the cause is gone.

Filling a unit, emptying it and taking something out of it are facts before the chain is told. When it refuses to hear
of one (the licence was suspended at that moment, say), the records here are right and the chain is behind: the unit
says so, is not shipped, and the call can be made again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session

from packtrace.chain.contracts import Event as ChainEvent
from packtrace.chain.facts import ChainReader
from packtrace.errors import LifecycleError
from packtrace.facts import CustodyState, LogisticFacts
from packtrace.gs1 import sscc_of_uri, sscc_uri
from packtrace.product import sscc_commitment
from packtrace.rules import RULE, Place
from packtrace_gateway.access.models import Caller
from packtrace_gateway.capture.ledger import LedgerCalls
from packtrace_gateway.db import Database
from packtrace_gateway.events import bulk
from packtrace_gateway.events.models import LogisticUnit, StoredEvent, Unit
from packtrace_gateway.events.places import REFUSED_CALLS
from packtrace_gateway.events.store import EventStore, stored_header
from packtrace_gateway.exchange.models import ArrivalUnit
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.models import OutboxRow
from packtrace_gateway.outbox.service import Handler, Outbox
from packtrace_gateway.problems import NotFoundError

MOST_AT_ONCE = 500  # units, with all around and inside them, that one request proposes again
# Refusals that are only the consequence of another: what was never registered is neither opened nor emptied.
CONSEQUENCES = frozenset({("takeOut", "NotInside"), ("unpack", "UnknownUnit")})


@dataclass(frozen=True, slots=True)
class UnitService:
    """The logistic units of one gateway, as people ask for them."""

    party: int
    database: Database
    store: EventStore
    outbox: Outbox
    reader: ChainReader

    def __post_init__(self) -> None:
        """Hear what becomes of the calls that filling, emptying and taking out make."""
        for function in REFUSED_CALLS:
            self.outbox.register("CustodyLedger", function, _Proposed())

    def one(self, sscc: str) -> tuple[LogisticUnit, str | None]:
        """A logistic unit, and the URI of what it is inside of. Raises IdentifierError, NotFoundError."""
        with self.database.read() as session:
            unit = self._one(session, sscc)
            return unit, _uri(session, unit.parent)

    def arrival(self, unit: LogisticUnit) -> int | None:
        """The newest arrival whose data tell of a unit; None where none does."""
        query = select(func.max(ArrivalUnit.arrival)).where(ArrivalUnit.unit == unit.id)  # type: ignore[arg-type]
        with self.database.read() as session:
            found: int | None = session.execute(query).scalar()
        return found

    def all(self, refused: bool, before: int | None, limit: int) -> list[tuple[LogisticUnit, str | None]]:
        """Logistic units, the newest first, each with the URI of what it is inside of."""
        query = select(LogisticUnit).order_by(LogisticUnit.id.desc()).limit(limit)  # type: ignore[union-attr]
        if refused:
            query = query.where(LogisticUnit.refused.is_not(None))  # type: ignore[union-attr]
        if before is not None:
            query = query.where(LogisticUnit.id < before)  # type: ignore
        with self.database.read() as session:
            units = list(session.execute(query).scalars())
            return [(unit, _uri(session, unit.parent)) for unit in units]

    def contents(self, sscc: str) -> list[tuple[str, str]]:
        """What is inside a unit, at every depth: URI, and the URI of what it lies in. Packs and logistic units.

        By what is recorded here: of goods on their way here, by their sender's data. The database is asked for each
        level, not for each unit. Raises IdentifierError, NotFoundError.
        """
        with self.database.read() as session:
            level = [self._one(session, sscc)]
            found: list[tuple[str, str]] = []
            while level:
                uris = {unit.id: unit.uri for unit in level}
                level = self._inside(session, list(uris))
                found += self._packs(session, uris)
                found += [(unit.uri, uris[unit.parent]) for unit in level]
        return found

    def _packs(self, session: Session, uris: Mapping[int | None, str]) -> Iterator[tuple[str, str]]:
        """The packs directly inside some units (their URIs by number), each with what it lies in."""
        for chunk in bulk.chunks(list(uris)):
            packs = select(Unit.prefix, Unit.suffix, Unit.parent).where(Unit.parent.in_(chunk))  # type: ignore
            for prefix, suffix, parent in session.execute(packs.order_by(Unit.parent, Unit.prefix, Unit.suffix)):
                yield self.store.prefixes.text(session, prefix) + suffix, uris[parent]

    def propose(self, sscc: str, caller: Caller | None = None) -> None:
        """Make the refused calls about a unit again, and about all around and inside it.

        Raises NotFoundError, LifecycleError when nothing of it was refused, ChainError when the node does not answer.
        """
        with self.database.read() as session:
            unit = self._one(session, sscc)
            trees = self._trees(session, [unit])
        if not self._again(trees, caller):
            raise LifecycleError(
                "the chain refused no call about this unit; there is nothing to propose again",
                field="sscc",
                value=sscc,
                rule=RULE,
            )

    def propose_all(self, caller: Caller | None = None) -> list[str]:
        """Make the refused calls of all units again, MOST_AT_ONCE at most; the URIs of the units."""
        refused = select(LogisticUnit).where(LogisticUnit.refused.is_not(None))  # type: ignore[union-attr]
        with self.database.read() as session:
            units = list(session.execute(refused.order_by(LogisticUnit.id).limit(MOST_AT_ONCE)).scalars())  # type: ignore
            trees = self._trees(session, units)
        return self._again(trees, caller)

    def _one(self, session: Session, sscc: str) -> LogisticUnit:
        uri = sscc_uri(sscc)
        unit = self.store.logistic_units(session, [uri]).get(uri)
        if unit is None:
            raise NotFoundError("no such logistic unit is known here", field="sscc", value=sscc)
        return unit

    # ---- proposing again ----

    def _trees(self, session: Session, units: Iterable[LogisticUnit]) -> list[list[LogisticUnit]]:
        """Each of `units` with all logistic units around and inside it, the innermost first."""
        roots: dict[int | None, LogisticUnit] = {}
        for unit in units:
            outer = unit
            while outer.parent is not None:
                outer = session.get_one(LogisticUnit, outer.parent)
            roots[outer.id] = outer
        return [self._tree(session, root) for root in roots.values()]

    def _tree(self, session: Session, root: LogisticUnit) -> list[LogisticUnit]:
        found, level = [root], [root]
        while level:
            level = self._inside(session, [unit.id for unit in level])
            found += level
        return found[::-1]

    def _inside(self, session: Session, parents: Sequence[int | None]) -> list[LogisticUnit]:
        found: list[LogisticUnit] = []
        for chunk in bulk.chunks(parents):
            query = select(LogisticUnit).where(LogisticUnit.parent.in_(chunk))  # type: ignore[union-attr]
            found += session.execute(query.order_by(LogisticUnit.id)).scalars()  # type: ignore[arg-type]
        return found

    def _again(self, trees: Sequence[Sequence[LogisticUnit]], caller: Caller | None) -> list[str]:
        """Queue what the chain lacks; the URIs of the units that it was about. Each tree has calls of its own."""
        numbers = {int(unit.number) for tree in trees for unit in tree if unit.refused and unit.number}
        known = self.reader.logistic_units(numbers) if numbers else {}
        proposed: list[str] = []
        with self.database.write() as session:
            for tree in trees:
                ledger = LedgerCalls(self.outbox, session, caller)
                for seen in tree:
                    unit = session.get_one(LogisticUnit, seen.id)
                    if unit.refused is None or unit.number is None:
                        continue  # somebody else was quicker
                    self._call(session, ledger, unit, known)
                    unit.refused = unit.refusal = None
                    session.add(unit)
                    proposed.append(unit.uri)
                ledger.flush()
        return proposed

    def _call(
        self, session: Session, ledger: LedgerCalls, unit: LogisticUnit, known: Mapping[int, LogisticFacts]
    ) -> None:
        """What the chain lacks to have the unit as it is recorded here; nothing where it has it so by now."""
        facts = known.get(int(unit.number or 0))
        if facts is None:  # also when it was unpacked since: those who get its packs look for it on chain
            self._register(session, ledger, unit)
        elif facts.parent and str(facts.parent) != _number(session, unit.parent):
            ledger.custody("takeOut", [unit], reference="again")
        ours = facts is None or (facts.state is CustodyState.HELD and facts.holder == self.party)
        if unit.place == Place.UNPACKED and ours:
            ledger.custody("unpack", [unit], reference="again")

    def _register(self, session: Session, ledger: LedgerCalls, unit: LogisticUnit) -> None:
        """As when it was filled; of the units inside, those that are inside now."""
        header = stored_header(session.get_one(StoredEvent, unit.filled_by).header)
        sscc = sscc_of_uri(unit.uri)
        assert sscc is not None and unit.number is not None  # noqa: PT018
        commitment = sscc_commitment(bytes.fromhex(header.core["custody"]["salt"]), sscc)
        children = [int(inner.number) for inner in self._inside(session, [unit.id]) if inner.number is not None]
        ledger.register(int(unit.number), commitment, header.item_root, sum(header.counts.values()), children)


class _Proposed(Handler):
    """A refused call is noted at its units; one that is carried out after all is struck out.

    A call that a reorganisation takes back is on its way again, as the units without a note are.
    """

    def on_included(self, session: Session, row: OutboxRow, events: Sequence[ChainEvent]) -> None:  # noqa: ARG002
        for unit in _units_of(session, row):
            if unit.refused == row.function:
                unit.refused = unit.refusal = None
                session.add(unit)

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        if (row.function, row.error_name) in CONSEQUENCES:
            return
        for unit in _units_of(session, row):
            if unit.refused is None:
                unit.refused, unit.refusal = row.function, row.error_text
                session.add(unit)


def _units_of(session: Session, row: OutboxRow) -> list[LogisticUnit]:
    named, *_ = calls.load(row.args)
    numbers = [str(entry[0] if row.function == "register" else entry) for entry in named]
    return list(session.execute(select(LogisticUnit).where(LogisticUnit.number.in_(numbers))).scalars())  # type: ignore


def _uri(session: Session, unit: int | None) -> str | None:
    return None if unit is None else session.get_one(LogisticUnit, unit).uri


def _number(session: Session, unit: int | None) -> str | None:
    return None if unit is None else session.get_one(LogisticUnit, unit).number


def remark(unit: LogisticUnit) -> str | None:
    """What there is to say about a unit, in words."""
    if unit.refused is None:
        return unit.note
    return f"the chain refused {REFUSED_CALLS[unit.refused]} ({unit.refusal}); when the cause is gone, propose it again"
