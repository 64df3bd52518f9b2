"""Writing events: own ones, and what partners disclose of theirs."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import cbor2
from sqlalchemy import select
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
from packtrace.gs1 import split_sgtin_uri
from packtrace_gateway.db import DatabaseRestoredError
from packtrace_gateway.events import bulk
from packtrace_gateway.events.keys import Key, split
from packtrace_gateway.events.models import Counter, ItemGroup, ItemTile, Participation, StoredEvent
from packtrace_gateway.events.places import Places
from packtrace_gateway.keeping.models import Restoration

_RESTORATION = bulk.table_of(Restoration).c
_RESTORED = select(_RESTORATION.id).where(_RESTORATION.done_at.is_(None)).limit(1)


class EventStore(Places):
    """The events of one gateway, and where their items are. Every method works in the caller's database transaction."""

    def add_own(self, session: Session, event: Event, commitment: Commitment, *, cbv_hash: str) -> int:
        """Store an event that was captured here; where its items are then is for `Places` to keep."""
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
