"""What was declared erroneous: finding the declarations of events, and what stands in their place."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import bindparam, select
from sqlmodel import Session

from packtrace.commit.declaration import Declaration, declaration_of
from packtrace_gateway.events import bulk
from packtrace_gateway.events.models import StoredEvent
from packtrace_gateway.events.store import stored_header

_EVENT = bulk.table_of(StoredEvent).c
_COLUMNS = (_EVENT.id, _EVENT.digest, _EVENT.party)
_KNOWN = select(*_COLUMNS).where(_EVENT.digest.in_(bindparam("digests", expanding=True)))
_DECLARED = select(*_COLUMNS, _EVENT.declares, _EVENT.header).where(
    _EVENT.declares.in_(bindparam("digests", expanding=True))
)


class Known(NamedTuple):
    """An event that is here."""

    id: int
    digest: bytes
    party: int


class Taken(NamedTuple):
    """A declaration that is here: `declares` is the digest of the erroneous event."""

    id: int
    digest: bytes
    party: int
    declares: bytes
    header: bytes


def declared_by(header: bytes) -> Declaration:
    """What the stored header of a declaration says."""
    said = declaration_of(stored_header(header).core)
    assert said is not None
    return said


def declarations(session: Session, events: Collection[Known]) -> list[Taken]:
    """Those that count: who recorded an event alone can take it back."""
    party = {event.digest: event.party for event in events}
    found = [Taken(*row) for chunk in bulk.chunks(list(party)) for row in bulk.rows(session, _DECLARED, digests=chunk)]
    return [entry for entry in sorted(found) if entry.party == party[entry.declares]]


def known(session: Session, digests: Collection[bytes]) -> list[Known]:
    """Those of the events that are here."""
    return [Known(*row) for chunk in bulk.chunks(list(digests)) for row in bulk.rows(session, _KNOWN, digests=chunk)]


def beside(session: Session, events: Collection[Known]) -> set[int]:
    """The events that say of these that they are erroneous, and what stands in their place, as far as they are here."""
    found: set[int] = set()
    todo = list(events)
    while todo:
        taken = [entry for entry in declarations(session, todo) if entry.id not in found]
        named = {(entry.party, digest) for entry in taken for digest in declared_by(entry.header).corrections}
        there = known(session, {digest for _, digest in named})
        others = [entry for entry in there if (entry.party, entry.digest) in named]
        todo = [entry for entry in others if entry.id not in found]
        found |= {entry.id for entry in taken} | {entry.id for entry in others}
    return found
