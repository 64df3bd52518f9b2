"""Packs and logistic units: each must be in the events that it came from, and each item of an event in the tables."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import select as rows_of
from sqlmodel import Session, col, select

from packtrace.commit.header import Header
from packtrace.commit.history import Containment
from packtrace.commit.items import Role
from packtrace.gs1 import split_sgtin_uri
from packtrace.rules import Place
from packtrace_gateway.events import bulk
from packtrace_gateway.events.models import LogisticUnit, Participation, StoredEvent, Unit, UriPrefix
from packtrace_gateway.events.places import MAX_NESTING
from packtrace_gateway.events.store import stored_header
from packtrace_gateway.fsck.events import all_events, items_here, name
from packtrace_gateway.fsck.report import Checked, Finding

Row = tuple[Any, ...]


def check_items(session: Session, checked: Checked) -> Iterator[Finding]:
    """Both ways between an event's items and the rows by which they are found."""
    prefixes = _prefixes(session)
    units = _by_event(session, prefixes, Unit, "position")
    parts = _by_event(session, prefixes, Participation, "position", "role")
    known: set[int] = set()
    for event in all_events(session):
        number = event.id or 0
        known.add(number)
        header = stored_header(event.header)
        packs, others = _expected(session, event, header)
        checked.note("packs", len(packs))
        yield from _compared(name(event), "pack", packs, units.get(number, {}))
        yield from _compared(name(event), "item", others, parts.get(number, {}))
    for number in (units.keys() | parts.keys()) - known:
        yield Finding(f"event {number}", "items are recorded of it, and it is not here")


def _expected(session: Session, event: StoredEvent, header: Header) -> tuple[dict[str, Row], dict[str, Row]]:
    """Packs that the event commissioned (their positions); and other items that took part in it (position, role)."""
    packs: dict[str, Row] = {}
    others: dict[str, Row] = {}
    if event.declares is not None:  # it repeats what was done, and does nothing
        return packs, others
    commissions = "product" in header.core
    for role, position, uri in items_here(session, event, header):
        if commissions and (event.secret is not None or split_sgtin_uri(uri)):
            packs.setdefault(uri, (position,))
        else:
            others.setdefault(uri, (position, int(role)))
    return packs, others


def _by_event(
    session: Session, prefixes: dict[int, str], model: type[Unit | Participation], *columns: str
) -> dict[int, dict[str, Row]]:
    """Rows of a table by event and URI."""
    query = rows_of(*_columns(model, "event", "prefix", "suffix", *columns))
    found: dict[int, dict[str, Row]] = {}
    for event, prefix, suffix, *values in session.execute(query):
        found.setdefault(event, {})[prefixes.get(prefix, "?") + suffix] = tuple(values)
    return found


def _compared(where: str, what: str, expected: dict[str, Row], found: dict[str, Row]) -> Iterator[Finding]:
    if expected == found:
        return
    for uri in sorted(expected.keys() - found.keys()):
        yield Finding(where, f"its {what} {uri} is not in the table of {what}s")
    for uri in sorted(found.keys() - expected.keys()):
        yield Finding(where, f"{what} {uri} is recorded of it, and it does not name it")
    for uri in sorted(expected.keys() & found.keys()):
        if expected[uri] != found[uri]:
            yield Finding(where, f"{what} {uri} is recorded at {found[uri]}, and stands at {expected[uri]}")


def check_containment(session: Session, checked: Checked) -> Iterator[Finding]:
    """What is inside what, followed again through all aggregations in the order of their recording."""
    inside = Containment()
    ever: set[tuple[str, str]] = set()
    query = select(StoredEvent).where(StoredEvent.type == "AggregationEvent", col(StoredEvent.declares).is_(None))
    for event in session.exec(query.order_by(StoredEvent.record_time, StoredEvent.id)):  # type: ignore[arg-type]
        header = stored_header(event.header)
        items = {
            role: [uri for _, _, uri in group]
            for role, group in groupby(items_here(session, event, header), itemgetter(0))
        }
        if header.core["action"] == "ADD":  # a unit is filled once: an SSCC that is filled again is another unit's
            for filled in items.get(Role.PARENT, ()):
                inside.use_again(filled)
        inside.follow(header, items)
        ever |= {(child, parent) for parent in items.get(Role.PARENT, ()) for child in items.get(Role.CHILD, ())}
    units = {unit.id or 0: unit for unit in session.exec(select(LogisticUnit))}
    for uri, parent in _parents(session):
        checked.note("places")
        if parent is not None and parent not in units:
            yield Finding(uri, f"it is inside logistic unit {parent}, which is not here")
        elif parent is not None and _went(units, parent):
            # What its receiver has done with it since is not for here to record.
            if (uri, units[parent].uri) not in ever:
                yield Finding(uri, f"it went inside {units[parent].uri}, and was never packed into that")
        elif inside.parents.get(uri) != (units[parent].uri if parent is not None else None):
            stored, known = units[parent].uri if parent is not None else "nothing", inside.parents.get(uri, "nothing")
            yield Finding(uri, f"it is inside {stored} here, and by the events inside {known}")


def _went(units: dict[int, LogisticUnit], number: int) -> bool:
    """Whether the outermost unit around this one was shipped."""
    for _ in range(MAX_NESTING + 1):
        parent = units[number].parent
        if parent is None or parent not in units:
            return units[number].place == Place.SHIPPED
        number = parent
    return False


def _parents(session: Session) -> Iterable[tuple[str, int | None]]:
    prefixes = _prefixes(session)
    for prefix, suffix, parent in session.execute(rows_of(*_columns(Unit, "prefix", "suffix", "parent"))):
        yield prefixes.get(prefix, "?") + suffix, parent
    for uri, parent in session.execute(rows_of(*_columns(LogisticUnit, "uri", "parent"))):
        yield uri, parent


def _prefixes(session: Session) -> dict[int, str]:
    return {row.id or 0: row.text for row in session.exec(select(UriPrefix))}


def _columns(model: Any, *names: str) -> list[Any]:
    table = bulk.table_of(model)
    return [table.c[column] for column in names]
