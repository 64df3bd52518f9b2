"""Events: headers, digests, item trees, proofs, seals, and the columns that repeat what the header says."""

from collections.abc import Iterator
from typing import Any

from sqlmodel import Session, select

from packtrace.commit import items
from packtrace.commit.declaration import declaration_of
from packtrace.commit.disclosure import Disclosure, VerifiedEvent
from packtrace.commit.event import event_of
from packtrace.commit.header import Header
from packtrace.commit.items import Role
from packtrace.commit.merkle import TILE_WIDTH
from packtrace.epcis.cbv_hash import event_hash
from packtrace.errors import PacktraceError
from packtrace_gateway.events.models import ItemGroup, ItemTile, Seal, StoredEvent
from packtrace_gateway.events.store import group_items, stored_header, stored_seal
from packtrace_gateway.fsck.report import Checked, Finding

# Columns of an event that stand in its core too.
COLUMNS = {
    "party": "party",
    "type": "type",
    "action": "action",
    "biz_step": "bizStep",
    "event_time": "eventTime",
    "record_time": "recordTime",
}


def name(event: StoredEvent) -> str:
    """An event as people find it."""
    return f"event {event.id} ({event.digest.hex()[:12]})"


def verified(event: StoredEvent) -> VerifiedEvent:
    """The event with its parent, if it has one, and no other item; raises where it cannot be read."""
    parents = {Role.PARENT: {event.parent: 0}} if event.parent else {}
    proof = stored_seal(event.seal)
    return VerifiedEvent(
        stored_header(event.header), event.digest, parents, proof, proof.root(event.digest) if proof else None
    )


def all_events(session: Session, *conditions: Any) -> Iterator[StoredEvent]:
    """Events one at a time: a header may be large."""
    for number in session.exec(select(StoredEvent.id).where(*conditions).order_by(StoredEvent.id)).all():  # type: ignore[arg-type]
        event = session.get_one(StoredEvent, number)
        yield event
        session.expunge(event)


def check_events(session: Session, checked: Checked, party: int) -> Iterator[Finding]:
    """Every event, by itself."""
    for event in all_events(session):
        checked.note("events")
        try:
            header = stored_header(event.header)
            for what in _event(session, event, header, checked, party):
                yield Finding(name(event), what)
        except (PacktraceError, ValueError, KeyError, TypeError, IndexError) as error:
            yield Finding(name(event), f"it cannot be read: {error}")


def _event(session: Session, event: StoredEvent, header: Header, checked: Checked, party: int) -> Iterator[str]:
    if header.digest != event.digest:
        yield "its header has another digest"
    for column, field in COLUMNS.items():
        if getattr(event, column) != header.core[field]:
            yield f"{column} is {getattr(event, column)!r}, its header says {header.core[field]!r}"
    declaration = declaration_of(header.core)
    if event.declares != (declaration and declaration.event):
        yield "declares is not the digest of the event that its header declares erroneous"
    if event.item_count != sum(header.counts.values()):
        yield f"item_count is {event.item_count}, its header says {sum(header.counts.values())}"
    own = header.core["party"] == party
    if own != (event.secret is not None):
        yield "its secret is missing" if own else "it has a secret, and is another party's"
    elif own:
        yield from _own(session, event, header, checked)
    else:
        yield from _received(session, event, header, checked)
    yield from _seal(session, event, own)


def _own(session: Session, event: StoredEvent, header: Header, checked: Checked) -> Iterator[str]:
    """The whole event is here: its tree is built again from its items, its hash computed again from its fields."""
    assert event.secret is not None
    stored = {
        (tile.level, tile.number): tile.data
        for tile in session.exec(select(ItemTile).where(ItemTile.event == event.id))
    }
    leaves = sorted(number for level, number in stored if level == 0)
    uris = [uri for number in leaves for uri in stored[0, number].decode().split("\n")]
    checked.note("items", len(uris))
    if leaves != list(range(len(leaves))) or len(uris) != sum(header.counts.values()):
        yield "its items are not all here"
        return
    by_role = {role: uris[first:last] for role, first, last in items.role_ranges(header.counts, 0, len(uris))}
    tree = items.build(by_role, event.secret)
    if tree.root != header.item_root or tree.uris != uris:
        yield "its items are not those that it committed to"
    if tree.tiles != {key: data for key, data in stored.items() if key[0]}:
        yield "the stored nodes of its item tree are not those of its items"
    if header.core["type"] == "AggregationEvent" and event.parent != next(iter(by_role.get(Role.PARENT, ())), None):
        yield f"parent is {event.parent!r}, which it does not name"
    again = event_hash(event_of(header, uris))
    if not again == event.cbv_hash == header.opened.get("cbvHash"):
        yield f"its CBV hash is {again}, {event.cbv_hash} is stored"
    event_id = None if event.declares is not None else header.opened.get("eventID", event.cbv_hash)
    if event.event_id != event_id:
        yield f"event_id is {event.event_id!r}, its header says {header.opened.get('eventID')!r}"


def _received(session: Session, event: StoredEvent, header: Header, checked: Checked) -> Iterator[str]:
    """Each group of its items proves itself."""
    for group in session.exec(select(ItemGroup).where(ItemGroup.event == event.id)):
        shown = group_items(group.data)
        checked.note("items", len(shown.indices))
        if any(index // TILE_WIDTH != group.number for index in shown.indices):
            yield f"item group {group.number} holds items of other positions"
        try:
            verified = Disclosure(header, shown, None).verify()
        except PacktraceError as error:
            yield f"item group {group.number}: {error}"
            continue
        if event.parent is not None and any(uri != event.parent for uri in verified.items.get(Role.PARENT, ())):
            yield f"parent is {event.parent!r}, which it does not name"


def _seal(session: Session, event: StoredEvent, own: bool) -> Iterator[str]:
    proof = stored_seal(event.seal)
    if proof is None:
        if event.seal_id is not None or not own:
            yield "its proof of having been sealed is missing"
        return
    if proof.party != event.party:
        yield f"it is sealed by party {proof.party}"
    root = proof.root(event.digest)
    if not own:
        return
    seal = session.get(Seal, event.seal_id) if event.seal_id is not None else None
    if seal is None:
        yield "it has a proof, and no seal"
    elif (seal.lane, seal.sequence, seal.count, seal.root) != (proof.lane, proof.sequence, proof.count, root):
        yield f"its proof does not lead to seal {seal.sequence} of lane {seal.lane}"


def items_here(session: Session, event: StoredEvent, header: Header) -> Iterator[tuple[Role, int, str]]:
    """Role, position and URI of every item of an event that is here, in order."""
    if event.secret is not None:
        tiles = select(ItemTile).where(ItemTile.event == event.id, ItemTile.level == 0).order_by(ItemTile.number)  # type: ignore[arg-type]
        for tile in session.exec(tiles):
            for at, uri in enumerate(tile.data.decode().split("\n"), tile.number * TILE_WIDTH):
                yield items.role_at(header.counts, at), at, uri
    else:
        groups = select(ItemGroup).where(ItemGroup.event == event.id).order_by(ItemGroup.number)  # type: ignore[arg-type]
        for group in session.exec(groups):
            shown = group_items(group.data)
            for at, uri in zip(shown.indices, shown.uris, strict=True):
                yield items.role_at(header.counts, at), at, uri
