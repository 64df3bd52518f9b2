"""Writing events, and keeping up where every item is."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import cbor2
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from packtrace.commit.declaration import declaration_of
from packtrace.commit.disclosure import NO_ITEMS, Disclosure, ShownItems, VerifiedEvent, by_neighbourhood, together
from packtrace.commit.event import Commitment
from packtrace.commit.header import Header
from packtrace.commit.items import Role, role_ranges
from packtrace.commit.merkle import TILE_WIDTH
from packtrace.commit.pedigree import Pedigree
from packtrace.commit.seal import SealProof
from packtrace.epcis.model import Event
from packtrace.errors import LifecycleError
from packtrace.gs1 import sgtin_uri, split_sgtin_uri, sscc_of_uri
from packtrace.rules import RULE, ItemState, Place
from packtrace_gateway.db import DatabaseRestoredError
from packtrace_gateway.events import bulk
from packtrace_gateway.events.keys import Key, Prefixes, split
from packtrace_gateway.events.models import (
    Counter,
    ItemGroup,
    ItemTile,
    LogisticUnit,
    Participation,
    StoredEvent,
    Unit,
)
from packtrace_gateway.keeping.models import Restoration

# Levels of units inside a unit (ICustodyLedger): a case on a pallet in a container is two.
MAX_NESTING = 8
REFUSED_CALLS = {
    "register": "its registration",
    "takeOut": "that it was taken out",
    "unpack": "that it was unpacked",
}
"""Custody calls that are proposed again when the chain refused them, in words."""

_RESTORATION = bulk.table_of(Restoration).c
_RESTORED = select(_RESTORATION.id).where(_RESTORATION.done_at.is_(None)).limit(1)
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


class EventStore:
    """The events of one gateway. Every method works in the caller's database transaction."""

    def __init__(self) -> None:
        self.prefixes = Prefixes()

    # ---- events ----

    def add_own(self, session: Session, event: Event, commitment: Commitment, *, cbv_hash: str) -> int:
        """Store an event that was captured here; its items' places are for `move` and `commission` to keep."""
        tree = commitment.tree
        stored = _row(commitment.header, commitment.digest)
        stored.cbv_hash = cbv_hash
        if stored.declares is None:  # a declaration has the ID of the event that it takes back, and that is found by it
            stored.event_id = event.event_id or cbv_hash
        stored.parent, stored.secret = event.parent, commitment.secret
        session.add(stored)
        session.flush()
        number = _id(stored)
        leaves = (
            (number, 0, at // TILE_WIDTH, "\n".join(tree.uris[at : at + TILE_WIDTH]).encode())
            for at in range(0, tree.size, TILE_WIDTH)
        )
        upper = ((number, level, tile, nodes) for (level, tile), nodes in tree.tiles.items())
        bulk.insert(session, ItemTile, ("event", "level", "number", "data"), [*leaves, *upper])
        # Packs are found by their own table; a declaration moves nothing, and is found by the event that it takes back.
        if stored.declares is None and "product" not in commitment.header.core:
            participants = (
                (uri, role, position)
                for role, first, last in role_ranges(tree.counts, 0, tree.size)
                for position, uri in enumerate(tree.uris[first:last], first)
            )
            self._participate(session, number, participants)
        return number

    def add_received(self, session: Session, disclosure: Disclosure, verified: VerifiedEvent) -> int:
        """Store a partner's disclosure that verified; what was received of the same event before is kept too."""
        stored = session.execute(select(StoredEvent).where(StoredEvent.digest == verified.digest)).scalar()  # type: ignore[arg-type]
        if stored is None:
            stored = _row(disclosure.header, verified.digest)
        elif stored.secret is not None:  # it is our own event, come home
            return _id(stored)
        # The newest counts: a reorganisation can make its party seal an event again, and the old seal is nowhere then.
        stored.seal = _seal_bytes(disclosure.seal) or stored.seal
        stored.parent = stored.parent or next(iter(verified.items.get(Role.PARENT, {})), None)
        session.add(stored)
        session.flush()
        number = _id(stored)
        known = self._add_groups(session, number, disclosure)
        new = [
            (uri, role, position)
            for role, items in verified.items.items()
            for uri, position in items.items()
            if position not in known
        ]
        if verified.header.core.get("product"):
            new = [entry for entry in new if not split_sgtin_uri(entry[0])]
        self._participate(session, number, new, twice="keep")
        return number

    def _add_groups(self, session: Session, event: int, disclosure: Disclosure) -> set[int]:
        """Store the items by neighbourhood; returns the positions that were stored before."""
        if not disclosure.shown.indices:
            return set()
        groups = by_neighbourhood(disclosure.header, disclosure.shown)
        before: dict[int, ItemGroup] = {}
        for chunk in bulk.chunks(list(groups)):
            query = select(ItemGroup).where(ItemGroup.event == event, ItemGroup.number.in_(chunk))  # type: ignore
            before |= {row.number: row for row in session.execute(query).scalars()}
        known: set[int] = set()
        for number, row in before.items():
            earlier = group_items(row.data)
            known |= set(earlier.indices)
            row.data = group_bytes(together(disclosure.header, [earlier, groups[number]]))
            session.add(row)
        new = [(event, number, group_bytes(shown)) for number, shown in groups.items() if number not in before]
        bulk.insert(session, ItemGroup, ("event", "number", "data"), new)
        return known

    def _participate(
        self,
        session: Session,
        event: int,
        entries: Iterable[tuple[str, Role, int]],
        twice: Literal["refuse", "keep"] = "refuse",
    ) -> None:
        """An item that a partner's event names twice, as no honest one does, keeps the place that was shown first."""
        listed = [(*split(uri), role, position) for uri, role, position in entries]
        numbers = self.prefixes.stored(session, {prefix for prefix, *_ in listed})
        # An item with two roles in one event (an odd one) is found by the first.
        rows: dict[Key, tuple[int, str, int, int, int]] = {}
        for prefix, suffix, role, position in listed:
            rows.setdefault((numbers[prefix], suffix), (numbers[prefix], suffix, event, int(role), position))
        columns = ("prefix", "suffix", "event", "role", "position")
        bulk.insert(session, Participation, columns, sorted(rows.values()), twice)

    def restored(self, session: Session) -> bool:
        """Whether the database was restored from a backup and not compared with the chain since."""
        return bool(bulk.rows(session, _RESTORED))

    def last_number(self, session: Session, series: str) -> int:
        """How many numbers of a series this database has given out."""
        counter = session.get(Counter, series)
        return 0 if counter is None else counter.next

    def next_number(self, session: Session, series: str) -> int:
        """The next number of a series, from 0 on. Raises DatabaseRestoredError where it may have been used before."""
        if self.restored(session):
            raise DatabaseRestoredError(
                "this gateway was restored from a backup and is still asking the chain which numbers were used since; "
                "send it again in a while"
            )
        counter = session.get(Counter, series)
        if counter is None:
            counter = Counter(name=series, next=0)
        number = counter.next
        counter.next += 1
        session.add(counter)
        session.flush()
        return number

    def go_on_from(self, session: Session, series: str, number: int) -> None:
        """Let the series go on from `number`."""
        session.merge(Counter(name=series, next=number))
        session.flush()

    # ---- where items are ----

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


_PLAIN = {"synchronize_session": False}


def header_bytes(header: Header) -> bytes:
    return Pedigree((Disclosure(header, NO_ITEMS, None),)).to_cbor()


def stored_header(data: bytes) -> Header:
    return Pedigree.from_cbor(data).disclosures[0].header


def group_bytes(shown: ShownItems) -> bytes:
    return Pedigree((Disclosure(Header(()), shown, None),)).to_cbor()


def group_items(data: bytes) -> ShownItems:
    return Pedigree.from_cbor(data).disclosures[0].shown


def stored_seal(data: bytes | None) -> SealProof | None:
    if data is None:
        return None
    party, lane, sequence, count, index, path = cbor2.loads(data)
    return SealProof(party, lane, sequence, count, index, tuple(path))


def seal_bytes(seal: SealProof) -> bytes:
    return cbor2.dumps([seal.party, seal.lane, seal.sequence, seal.count, seal.index, list(seal.path)])


def _seal_bytes(seal: SealProof | None) -> bytes | None:
    return None if seal is None else seal_bytes(seal)


def _row(header: Header, digest: bytes) -> StoredEvent:
    core: Mapping[str, Any] = header.core
    declaration = declaration_of(core)
    return StoredEvent(
        digest=digest,
        party=core["party"],
        type=core["type"],
        action=core["action"],
        biz_step=core["bizStep"],
        event_time=core["eventTime"],
        record_time=core["recordTime"],
        item_count=sum(header.counts.values()),
        header=header_bytes(header),
        declares=declaration.event if declaration else None,
    )


def _id(row: StoredEvent) -> int:
    assert row.id is not None
    return row.id
