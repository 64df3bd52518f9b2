"""Where every item is, and what it is inside of: packs and logistic units, kept up movement by movement."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from packtrace.commit.items import Role
from packtrace.errors import LifecycleError
from packtrace.gs1 import sgtin_uri, sscc_of_uri
from packtrace.rules import RULE, ItemState, Place
from packtrace_gateway.events import bulk
from packtrace_gateway.events.keys import Prefixes, split
from packtrace_gateway.events.models import LogisticUnit, Participation, StoredEvent, Unit

# Levels of units inside a unit (ICustodyLedger): a case on a pallet in a container is two.
MAX_NESTING = 8
REFUSED_CALLS = {
    "register": "its registration",
    "takeOut": "that it was taken out",
    "unpack": "that it was unpacked",
}
"""Custody calls that are proposed again when the chain refused them, in words."""

_UNIT = bulk.table_of(Unit).c
_UNITS = select(_UNIT.suffix, _UNIT.event, _UNIT.position, _UNIT.place, _UNIT.parent).where(
    _UNIT.prefix == bindparam("prefix"), _UNIT.suffix.in_(bindparam("suffixes", expanding=True))
)

_EVENT, _PART = (bulk.table_of(model).c for model in (StoredEvent, Participation))
_EMPTIED = (
    select(_EVENT.record_time, _EVENT.id)
    .join_from(bulk.table_of(Participation), bulk.table_of(StoredEvent), _PART.event == _EVENT.id)
    .where(_PART.prefix == bindparam("prefix"), _PART.suffix == bindparam("suffix"))
    .where(_PART.role == int(Role.PARENT), _EVENT.action == "DELETE", _EVENT.item_count == 1)
)
_FILLED = (
    select(_EVENT.record_time, _EVENT.id)
    .join_from(bulk.table_of(Participation), bulk.table_of(StoredEvent), _PART.event == _EVENT.id)
    .where(_PART.prefix == bindparam("prefix"), _PART.suffix == bindparam("suffix"))
    .where(_PART.role == int(Role.PARENT), _EVENT.action == "ADD")
)
_USED = (
    select(_EVENT.event_time)
    .join_from(bulk.table_of(Participation), bulk.table_of(StoredEvent), _PART.event == _EVENT.id)
    .where(_PART.prefix == bindparam("prefix"), _PART.suffix == bindparam("suffix"))
)
_PLAIN = {"synchronize_session": False}


class Places:
    """Where the items of one gateway are. Every method works in the caller's database transaction."""

    def __init__(self) -> None:
        self.prefixes = Prefixes()

    def commission(self, session: Session, event: int, uris: Sequence[str], field: str, given: Sequence[str]) -> None:
        """Packs come into being. `uris` are in tree order, `given` in the document's.

        Raises LifecycleError naming the first serial number that was commissioned before.
        """
        prefix, _ = split(uris[0])
        number = self.prefixes.stored(session, [prefix])[prefix]
        start, place = len(prefix), int(Place.HERE)
        rows = [(number, uri[start:], event, position, place) for position, uri in enumerate(uris)]
        try:
            bulk.insert(session, Unit, ("prefix", "suffix", "event", "position", "place"), rows)
        except IntegrityError:
            twice = self._first_known(session, number, event, [row[1] for row in rows])
            uri = f"{prefix}{twice}"
            raise LifecycleError(
                "this serial number was commissioned before; a serial number is used once for ever",
                field=f"{field}epcList[{given.index(uri)}]",
                value=uri,
                rule=RULE,
            ) from None

    def _first_known(self, session: Session, prefix: int, event: int, suffixes: Sequence[str]) -> str:
        """The first serial number that another event holds; rows of the failed insert itself may stand beside it."""
        for chunk in bulk.chunks(suffixes):
            statement = select(Unit.suffix).where(Unit.prefix == prefix, Unit.event != event, Unit.suffix.in_(chunk))  # type: ignore
            found = session.execute(statement.limit(1)).scalar()
            if found is not None:
                return str(found)
        raise AssertionError("an insert failed for a key that nobody holds")

    def states(self, session: Session, uris: Collection[str]) -> dict[str, ItemState]:
        """What is recorded of items; an item inside another is where the outermost one is."""
        states: dict[str, ItemState] = {}
        outer: dict[int, LogisticUnit] = {}

        def outermost(number: int) -> LogisticUnit:
            for _ in range(MAX_NESTING + 1):
                if number not in outer:
                    outer[number] = session.get_one(LogisticUnit, number)
                if outer[number].parent is None:
                    return outer[number]
                number = outer[number].parent or 0
            raise LifecycleError(f"logistic units are nested deeper than {MAX_NESTING}", value=outer[number].uri)

        def state(place: int, parent: int | None, filled: bool) -> ItemState:
            if parent is None:
                return ItemState(Place(place), None, filled)
            return ItemState(Place(outermost(parent).place), session.get_one(LogisticUnit, parent).uri, filled)

        for unit in self.logistic_units(session, [uri for uri in uris if sscc_of_uri(uri)]).values():
            states[unit.uri] = state(unit.place, unit.parent, unit.filled_by is not None)
            if unit.place == Place.UNPACKED:
                ended = max((time for time, _ in self.unpackings(session, unit.uri)), default=None)
                states[unit.uri] = replace(states[unit.uri], ended=ended)
        for uri, (_, _, place, parent) in self.units(session, uris).items():
            states[uri] = state(place, parent, False)
        return states

    def last_use(self, session: Session, uri: str) -> str | None:
        """When a logistic unit that was filled here last took part in an event, as that says; None for any other."""
        unit = self.logistic_units(session, [uri]).get(uri)
        if unit is None or unit.filled_by is None or session.get_one(StoredEvent, unit.filled_by).secret is None:
            return None
        times = [
            time
            for prefix, suffix in self.prefixes.keys(session, [uri]).values()
            for (time,) in bulk.rows(session, _USED, prefix=prefix, suffix=suffix)
        ]
        return max(times, default=None)

    def unpackings(self, session: Session, uri: str) -> list[tuple[str, int]]:
        """When a logistic unit was unpacked as a whole, every time: the record time, and the event's number here."""
        return [
            (time, number)
            for prefix, suffix in self.prefixes.keys(session, [uri]).values()
            for time, number in bulk.rows(session, _EMPTIED, prefix=prefix, suffix=suffix)
        ]

    def fillings(self, session: Session, uri: str) -> list[tuple[str, int]]:
        """When a logistic unit was filled, every time; see `unpackings`."""
        return [
            (time, number)
            for prefix, suffix in self.prefixes.keys(session, [uri]).values()
            for time, number in bulk.rows(session, _FILLED, prefix=prefix, suffix=suffix)
        ]

    def units(self, session: Session, uris: Iterable[str]) -> dict[str, tuple[int, int, int, int | None]]:
        """Packs that are known: (commissioning event, position, place, parent) by URI."""
        found: dict[str, tuple[int, int, int, int | None]] = {}
        for prefix, suffixes in self._by_prefix(session, uris).items():
            text = self.prefixes.text(session, prefix)
            for chunk in bulk.chunks(suffixes):
                for suffix, *where in bulk.rows(session, _UNITS, prefix=prefix, suffixes=chunk):
                    found[text + suffix] = tuple(where)
        return found

    def known_serials(self, session: Session, gtin: str, serials: Sequence[str]) -> list[str]:
        """Which of these serial numbers of a GTIN (14 digits) were commissioned, or came, here before."""
        by_uri = {sgtin_uri(gtin, serial): serial for serial in serials}
        return [by_uri[uri] for uri in self.units(session, by_uri)]

    def _by_prefix(self, session: Session, uris: Iterable[str]) -> dict[int, list[str]]:
        groups: dict[int, list[str]] = {}
        for prefix, suffix in self.prefixes.keys(session, uris).values():
            groups.setdefault(prefix, []).append(suffix)
        return groups

    def logistic_units(self, session: Session, uris: Sequence[str]) -> dict[str, LogisticUnit]:
        """Logistic units that are known, by URI."""
        found: dict[str, LogisticUnit] = {}
        for chunk in bulk.chunks(uris):
            rows = session.execute(select(LogisticUnit).where(LogisticUnit.uri.in_(chunk))).scalars()  # type: ignore
            found |= {row.uri: row for row in rows}
        return found

    def logistic_unit(self, session: Session, uri: str) -> LogisticUnit:
        """The logistic unit, made when it is new."""
        unit = self.logistic_units(session, [uri]).get(uri)
        if unit is None:
            unit = LogisticUnit(uri=uri, place=int(Place.HERE))
            session.add(unit)
            session.flush()
        return unit

    def too_deep(self, session: Session, units: Iterable[LogisticUnit]) -> LogisticUnit | None:
        """One of `units` that has as many levels inside as there may be, so that nothing can be around it."""
        roots = {unit.id: unit for unit in units}
        for _ in range(MAX_NESTING):
            inner: dict[int | None, LogisticUnit] = {}
            for chunk in bulk.chunks(list(roots)):
                query = select(LogisticUnit.id, LogisticUnit.parent).where(LogisticUnit.parent.in_(chunk))  # type: ignore
                inner |= {number: roots[parent] for number, parent in session.execute(query)}
            roots = inner
        return next(iter(roots.values()), None)

    def units_inside(self, session: Session, unit: int) -> list[LogisticUnit]:
        """The logistic units inside one, at every depth, the outer ones first."""
        found: list[LogisticUnit] = []
        level: list[int | None] = [unit]
        while level:
            inner: list[LogisticUnit] = []
            for chunk in bulk.chunks(level):
                inner += session.execute(select(LogisticUnit).where(LogisticUnit.parent.in_(chunk))).scalars()  # type: ignore
            found += inner
            level = [one.id for one in inner]
        return found

    def commissionings_inside(self, session: Session, uri: str) -> set[int]:
        """The events that commissioned the packs inside a logistic unit, at every depth."""
        parents = [unit.id for unit in self.logistic_units(session, [uri]).values()]
        events: set[int] = set()
        while parents:
            inner: list[int | None] = []
            for chunk in bulk.chunks(parents):
                packs = select(Unit.event).where(Unit.parent.in_(chunk)).distinct()  # type: ignore
                events |= set(session.execute(packs).scalars())
                units = select(LogisticUnit.id).where(LogisticUnit.parent.in_(chunk))  # type: ignore
                inner += session.execute(units).scalars()
            parents = inner
        return events

    def refused(self, session: Session, uri: str) -> LogisticUnit | None:
        """The unit, or one inside it, of which the chain refused a call that was not proposed again."""
        anything = select(LogisticUnit.id).where(LogisticUnit.refused.is_not(None)).limit(1)  # type: ignore
        if session.execute(anything).first() is None:
            return None
        level = list(self.logistic_units(session, [uri]).values())
        while level:
            found = next((unit for unit in level if unit.refused is not None), None)
            if found is not None:
                return found
            parents, level = [unit.id for unit in level], []
            for chunk in bulk.chunks(parents):
                level += session.execute(select(LogisticUnit).where(LogisticUnit.parent.in_(chunk))).scalars()  # type: ignore
        return None

    def put_inside(self, session: Session, uris: Iterable[str], parent: LogisticUnit | None, place: Place) -> None:
        """Packs and logistic units are inside `parent` from now on, or inside nothing, at `place`."""
        uris = list(uris)
        inside = None if parent is None else parent.id
        for unit in self.logistic_units(session, [uri for uri in uris if sscc_of_uri(uri)]).values():
            unit.parent, unit.place = inside, int(place)
            session.add(unit)
        session.flush()
        for prefix, suffixes in self._by_prefix(session, uris).items():
            for chunk in bulk.chunks(suffixes):
                statement = update(Unit).where(Unit.prefix == prefix, Unit.suffix.in_(chunk))  # type: ignore
                session.execute(statement.values(parent=inside, place=int(place)), execution_options=_PLAIN)

    def leave_behind(self, session: Session, parents: Sequence[int], but: Collection[int] = ()) -> None:
        """What is recorded as being inside these units stayed elsewhere; not so the units in `but`."""
        for chunk in bulk.chunks(parents):
            packs = update(Unit).where(Unit.parent.in_(chunk))  # type: ignore
            session.execute(packs.values(parent=None, place=int(Place.SHIPPED)), execution_options=_PLAIN)
            query = select(LogisticUnit).where(LogisticUnit.parent.in_(chunk), LogisticUnit.id.not_in(but))  # type: ignore
            for unit in session.execute(query).scalars():
                unit.parent, unit.place = None, int(Place.SHIPPED)
                session.add(unit)

    def empty(self, session: Session, parent: LogisticUnit) -> None:
        """All that is inside `parent` is inside nothing from now on, and here."""
        packs = update(Unit).where(Unit.parent == parent.id)  # type: ignore[arg-type]
        session.execute(packs.values(parent=None, place=int(Place.HERE)), execution_options=_PLAIN)
        for unit in session.execute(select(LogisticUnit).where(LogisticUnit.parent == parent.id)).scalars():  # type: ignore[arg-type]
            unit.parent, unit.place = None, int(Place.HERE)
            session.add(unit)
        parent.place = int(Place.UNPACKED)
        session.add(parent)
