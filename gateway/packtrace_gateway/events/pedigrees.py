"""Reading pedigrees out of the store: the events of items and of what carried them, while it carried them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlmodel import Session

from packtrace.commit import items, salts
from packtrace.commit.disclosure import NO_ITEMS, Disclosure, ShownItems, part_at, together
from packtrace.commit.header import Header
from packtrace.commit.items import Role
from packtrace.commit.merkle import TILE_HEIGHT, TILE_WIDTH
from packtrace.gs1 import sscc_of_uri
from packtrace_gateway.events import bulk
from packtrace_gateway.events.declarations import Known, beside, declared_by, known
from packtrace_gateway.events.keys import Key
from packtrace_gateway.events.models import ItemGroup, ItemTile, LogisticUnit, Participation, StoredEvent, Unit
from packtrace_gateway.events.store import EventStore, group_items, stored_header, stored_seal

# When an event was recorded, and its number here, which decides between those of the same millisecond. This order is
# the one in which the lifecycle was checked; the times at which things happened are what devices claim.
Moment = tuple[str, int]
_FIRST: Moment = ("", 0)
_EVER: Moment = ("9999", 0)

_EVENT, _TILE, _GROUP = (bulk.table_of(model).c for model in (StoredEvent, ItemTile, ItemGroup))
_PART = bulk.table_of(Participation).c
_EVENTS = select(
    _EVENT.id, _EVENT.record_time, _EVENT.type, _EVENT.action, _EVENT.parent, _EVENT.item_count, _EVENT.header,
    _EVENT.secret, _EVENT.seal, _EVENT.digest, _EVENT.party,
).where(_EVENT.id.in_(bindparam("numbers", expanding=True)))  # fmt: skip
_PARTS = select(_PART.suffix, _PART.event, _PART.role, _PART.position).where(
    _PART.prefix == bindparam("prefix"), _PART.suffix.in_(bindparam("suffixes", expanding=True))
)
_TILES = select(_TILE.number, _TILE.data).where(
    _TILE.event == bindparam("event"),
    _TILE.level == bindparam("level"),
    _TILE.number.in_(bindparam("numbers", expanding=True)),
)
_GROUPS = select(_GROUP.data).where(
    _GROUP.event == bindparam("event"), _GROUP.number.in_(bindparam("numbers", expanding=True))
)


class Recorded(NamedTuple):
    """What a pedigree needs of a stored event; see `StoredEvent`."""

    id: int
    record_time: str
    type: str
    action: str
    parent: str | None
    item_count: int
    header: bytes
    secret: bytes | None
    seal: bytes | None
    digest: bytes
    party: int


@dataclass(frozen=True, slots=True)
class Part:
    """An item's part in an event other than its commissioning."""

    event: int
    role: Role
    position: int


@dataclass(frozen=True, slots=True)
class Window:
    """While something was inside: from the event that put it in to the one that took it out, both included."""

    start: Moment
    end: Moment


class PedigreeReader:
    """Pedigrees of packs and logistic units, out of one database transaction."""

    def __init__(self, store: EventStore, session: Session) -> None:
        self._store = store
        self._session = session
        self._events: dict[int, Recorded] = {}
        self._unpackings: dict[str, list[Moment]] = {}

    def contents(self, uris: Collection[str]) -> list[str]:
        """All that is inside these logistic units now, at every depth, the units themselves included."""
        found = list(uris)
        parents = [unit.id for unit in self._store.logistic_units(self._session, list(uris)).values()]
        while parents:
            inner: list[tuple[int, str]] = []
            for chunk in bulk.chunks(parents):
                packs = select(Unit.prefix, Unit.suffix).where(Unit.parent.in_(chunk))  # type: ignore
                found += self._store.prefixes.uris(self._session, self._session.execute(packs))
                units = select(LogisticUnit.id, LogisticUnit.uri).where(LogisticUnit.parent.in_(chunk))  # type: ignore
                inner += [(number, uri) for number, uri in self._session.execute(units)]
            found += [uri for _, uri in inner]
            parents = [number for number, _ in inner]
        return found

    def of(self, uris: Collection[str]) -> tuple[Disclosure, ...]:
        """The disclosures that follow these items to here, in the order of their recording."""
        wanted: dict[int, dict[str, int]] = {}
        for uri, (event, position, _, _) in self._store.units(self._session, uris).items():
            wanted.setdefault(event, {})[uri] = position
        windows = self._windows(uris)
        todo = windows
        while todo:
            parts = self._participations(todo)
            self._load({part.event for entries in parts.values() for part in entries})
            carriers: dict[str, Window] = {}
            for uri, entries in parts.items():
                self._follow(uri, entries, todo[uri], wanted, carriers)
            todo = {}
            for uri, window in carriers.items():
                wider = _union(windows.get(uri), window)
                if wider != windows.get(uri):
                    windows[uri] = todo[uri] = wider
        self._load(wanted)
        recorded = (self._events[number] for number in wanted)
        said = beside(self._session, [Known(event.id, event.digest, event.party) for event in recorded])
        return self._ordered(wanted | {number: {} for number in said - wanted.keys()})

    def declaration(self, event: int) -> tuple[Disclosure, ...]:
        """An error declaration, and what stands in the erroneous event's place; no items."""
        row = self._session.get_one(StoredEvent, event)
        there = known(self._session, declared_by(row.header).corrections)
        others = (entry.id for entry in there if entry.party == row.party)
        return self._ordered({number: {} for number in (event, *others)})

    def _ordered(self, wanted: dict[int, dict[str, int]]) -> tuple[Disclosure, ...]:
        """Events with the items that are wanted of each, in the order of their recording."""
        self._load(wanted)
        ordered = sorted(wanted, key=self._moment)
        return tuple(self._disclosure(self._events[number], wanted[number]) for number in ordered)

    def _windows(self, uris: Collection[str]) -> dict[str, Window]:
        """Packs from their beginning on, logistic units from when they were filled: their SSCCs may be used again."""
        units = self._store.logistic_units(self._session, [uri for uri in uris if sscc_of_uri(uri)])
        filled = {uri: unit.filled_by for uri, unit in units.items() if unit.filled_by is not None}
        self._load(filled.values())
        return {uri: Window(self._moment(filled[uri]) if uri in filled else _FIRST, _EVER) for uri in uris}

    def commissioning(self, uri: str) -> Disclosure | None:
        """A pack's commissioning, with no other item; None where the pack is not known here."""
        unit = self._store.units(self._session, [uri]).get(uri)
        if unit is None:
            return None
        event, position, _, _ = unit
        self._load([event])
        return self._disclosure(self._events[event], {uri: position})

    def commissioned(self, event: int, start: int, stop: int) -> Disclosure:
        """A commissioning that was recorded here, with its packs from position `start` to before `stop`."""
        self._load([event])
        tiles = self._tiles_of(event, range(start >> TILE_HEIGHT, ((stop - 1) >> TILE_HEIGHT) + 1))
        first = start >> TILE_HEIGHT << TILE_HEIGHT
        wanted = {uri: position for position, uri in enumerate(tiles, first) if start <= position < stop}
        return self._disclosure(self._events[event], wanted)

    def _tiles_of(self, event: int, numbers: Sequence[int]) -> list[str]:
        """The items of neighbouring tiles."""
        found: dict[int, bytes] = {}
        for chunk in bulk.chunks(numbers):
            rows = bulk.rows(self._session, _TILES, event=event, level=0, numbers=chunk)
            found |= {row.number: row.data for row in rows}
        return [uri for number in numbers for uri in found[number].decode().split("\n")]

    def header(self, event: int) -> Disclosure:
        """An event without its items."""
        stored = self._session.get_one(StoredEvent, event)
        return Disclosure(stored_header(stored.header).closed_but(()), NO_ITEMS, stored_seal(stored.seal))

    def _participations(self, uris: Collection[str]) -> dict[str, list[Part]]:
        keys = self._store.prefixes.keys(self._session, uris)
        groups: dict[int, list[str]] = {}
        for prefix, suffix in keys.values():
            groups.setdefault(prefix, []).append(suffix)
        rows: dict[Key, list[Part]] = {}
        for prefix, suffixes in groups.items():
            for chunk in bulk.chunks(suffixes):
                for suffix, event, role, position in bulk.rows(self._session, _PARTS, prefix=prefix, suffixes=chunk):
                    rows.setdefault((prefix, suffix), []).append(Part(event, Role(role), position))
        return {uri: rows[key] for uri, key in keys.items() if key in rows}

    def _load(self, numbers: Iterable[int]) -> None:
        missing = [number for number in numbers if number not in self._events]
        for chunk in bulk.chunks(missing):
            rows = bulk.rows(self._session, _EVENTS, numbers=chunk)
            self._events |= {row.id: Recorded(*row) for row in rows}

    def _follow(
        self,
        uri: str,
        parts: list[Part],
        window: Window,
        wanted: dict[int, dict[str, int]],
        carriers: dict[str, Window],
    ) -> None:
        """Take the item's events inside its window, and note in what it was carried meanwhile, and how long."""
        inside: dict[str, Moment] = {}

        def leave(parent: str, start: Moment, end: Moment) -> None:
            carriers[parent] = _union(carriers.get(parent), Window(start, end))

        for part in sorted(parts, key=lambda part: self._moment(part.event)):
            event, moment = self._events[part.event], self._moment(part.event)
            if not window.start <= moment <= window.end:
                continue
            wanted.setdefault(part.event, {})[uri] = part.position
            if part.role is Role.CHILD and event.parent is not None:
                if event.action == "ADD":
                    inside[event.parent] = moment
                elif event.action == "DELETE" and event.parent in inside:
                    leave(event.parent, inside.pop(event.parent), moment)
        for parent, start in inside.items():
            leave(parent, start, min(window.end, self._emptied(parent, start)))

    def _emptied(self, parent: str, start: Moment) -> Moment:
        """When `parent` was unpacked as a whole after `start`, or just before its SSCC was another unit's."""
        if parent not in self._unpackings:  # asked for each of its children
            again = [(time, number - 1) for time, number in self._store.fillings(self._session, parent)]
            self._unpackings[parent] = self._store.unpackings(self._session, parent) + again
        return min((moment for moment in self._unpackings[parent] if moment > start), default=_EVER)

    def _moment(self, number: int) -> Moment:
        return self._events[number].record_time, number

    # ---- disclosures ----

    def _disclosure(self, event: Recorded, wanted: dict[str, int]) -> Disclosure:
        header = stored_header(event.header)
        if not wanted:
            shown = NO_ITEMS
        elif event.secret is not None:
            shown = self._own_items(event, header, event.secret, wanted)
        else:
            shown = self._received_items(event, header, wanted)
        return Disclosure(header.closed_but(()), shown, stored_seal(event.seal))

    def _own_items(self, event: Recorded, header: Header, secret: bytes, wanted: dict[str, int]) -> ShownItems:
        ordered = sorted((position, uri) for uri, position in wanted.items())
        tiles = self._tiles(event, header, [position for position, _ in ordered])
        tree = items.tiled_tree(
            header.counts,
            secret,
            lambda number: tiles[0, number].decode().split("\n"),
            lambda level, number: tiles[level, number],
        )
        indices = tuple(position for position, _ in ordered)
        shown_salts = b"".join(salts.salts(secret, salts.ITEMS, position, 1) for position in indices)
        return ShownItems(indices, shown_salts, tuple(uri for _, uri in ordered), tuple(tree.multiproof(indices)))

    def _tiles(self, event: Recorded, header: Header, positions: Sequence[int]) -> dict[tuple[int, int], bytes]:
        """The tiles, by level and number, that a proof of these positions reads."""
        tiles: dict[tuple[int, int], bytes] = {}
        level, width = 0, sum(header.counts.values())
        while level == 0 or width > 1:
            numbers = sorted({position >> level + TILE_HEIGHT for position in positions})
            for chunk in bulk.chunks(numbers):
                rows = bulk.rows(self._session, _TILES, event=event.id, level=level, numbers=chunk)
                tiles |= {(level, number): data for number, data in rows}
            level += TILE_HEIGHT
            width = (width + TILE_WIDTH - 1) >> TILE_HEIGHT
        return tiles

    def _received_items(self, event: Recorded, header: Header, wanted: dict[str, int]) -> ShownItems:
        numbers = sorted({position >> TILE_HEIGHT for position in wanted.values()})
        groups = [
            group_items(data)
            for chunk in bulk.chunks(numbers)
            for (data,) in bulk.rows(self._session, _GROUPS, event=event.id, numbers=chunk)
        ]
        return part_at(header, together(header, groups), set(wanted.values())) if groups else NO_ITEMS


def _union(one: Window | None, other: Window) -> Window:
    return other if one is None else Window(min(one.start, other.start), max(one.end, other.end))
