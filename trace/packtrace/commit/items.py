"""The item tree: every identified thing in an event, with its role, under one root.

Leaf data is tag ‖ role ‖ 16-byte salt ‖ canonical URI. Items stand sorted by role and, within a role, by URI, so that
an item's role follows from its position and the counts, and that something is *not* in the event can be shown too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from itertools import pairwise

from packtrace.commit import merkle
from packtrace.commit.merkle import TILE_HEIGHT, TILE_WIDTH, TiledTree
from packtrace.commit.salts import ITEMS, SALT_BYTES, salts
from packtrace.epcis.model import Event
from packtrace.errors import DocumentError, EvidenceError

TAG = b"packtrace/item/v1"


class Role(IntEnum):
    """What an item is in its event (EPCIS 2.0, section 7.4)."""

    EPC = 1
    PARENT = 2
    CHILD = 3
    INPUT = 4
    OUTPUT = 5


Counts = dict[Role, int]


def items_of(event: Event) -> dict[Role, list[str]]:
    """The event's identified things by role."""
    roles = {
        Role.EPC: event.epcs,
        Role.PARENT: [event.parent] if event.parent else [],
        Role.CHILD: event.children,
    }
    return {role: uris for role, uris in roles.items() if uris}


@dataclass(frozen=True, slots=True)
class ItemTree:
    """An event's item tree as its owner keeps it.

    `uris` is every item in tree order; `counts` how many of each role, in role order; `tiles` the stored nodes: for
    (level, number) with level 8, 16, … up to 256 nodes of 32 bytes, joined.
    """

    size: int
    root: bytes
    counts: Counts
    uris: list[str]
    tiles: dict[tuple[int, int], bytes]


def build(items: Mapping[Role, Sequence[str]], secret: bytes) -> ItemTree:
    """The item tree over `items`, salted from the event's secret.

    Raises DocumentError when a role names one URI twice.
    """
    counts = {role: len(items[role]) for role in sorted(items) if items[role]}
    uris: list[str] = []
    for role in counts:
        ordered = sorted(items[role])
        if len(set(ordered)) != len(ordered):
            twice = next(a for a, b in pairwise(ordered) if a == b)
            raise DocumentError("an event names the same item twice; name it once", field=role.name, value=twice)
        uris += ordered
    nodes = [
        merkle.tile_root(leaf_hashes(uris[start : start + TILE_WIDTH], start, counts, secret))
        for start in range(0, len(uris), TILE_WIDTH)
    ]
    tiles: dict[tuple[int, int], bytes] = {}
    level = TILE_HEIGHT
    while len(nodes) > 1:
        groups = [nodes[start : start + TILE_WIDTH] for start in range(0, len(nodes), TILE_WIDTH)]
        tiles |= {(level, number): b"".join(group) for number, group in enumerate(groups)}
        nodes = [merkle.tile_root(group) for group in groups]
        level += TILE_HEIGHT
    return ItemTree(len(uris), nodes[0] if nodes else merkle.EMPTY_ROOT, counts, uris, tiles)


def leaf_hashes(uris: Sequence[str], start: int, counts: Counts, secret: bytes) -> list[bytes]:
    """Leaf hashes of consecutive items, the first of which stands at position `start`."""
    stream = salts(secret, ITEMS, start, len(uris))
    hashes: list[bytes] = []
    for role, first, last in role_ranges(counts, start, start + len(uris)):
        head = b"\x00" + TAG + bytes((role,))
        encoded = "\n".join(uris[first - start : last - start]).encode().split(b"\n")
        offset = (first - start) * SALT_BYTES
        hashes += [
            sha256(head + stream[at : at + SALT_BYTES] + uri).digest()
            for at, uri in zip(range(offset, offset + len(encoded) * SALT_BYTES, SALT_BYTES), encoded, strict=True)
        ]
    return hashes


def role_ranges(counts: Counts, start: int, stop: int) -> list[tuple[Role, int, int]]:
    """(role, first, last) for the positions start … stop - 1; `last` is exclusive."""
    ranges = []
    at = 0
    for role, count in counts.items():
        first, last = max(start, at), min(stop, at + count)
        if first < last:
            ranges.append((role, first, last))
        at += count
    return ranges


def role_at(counts: Counts, index: int) -> Role:
    """The role of the item at a position. Raises EvidenceError past the end."""
    at = 0
    for role, count in counts.items():
        at += count
        if index < at:
            return role
    raise EvidenceError("there is no item at this position", value=index)


def shown_leaf_hash(role: Role, salt: bytes, uri: str) -> bytes:
    """Leaf hash of an item that was disclosed with its salt."""
    return sha256(b"\x00" + TAG + bytes((role,)) + salt + uri.encode()).digest()


def tiled_tree(
    counts: Counts, secret: bytes, uris: Callable[[int], Sequence[str]], nodes: Callable[[int, int], bytes]
) -> TiledTree:
    """The owner's tree for building proofs.

    `uris(number)` gives the up to 256 items from position 256·number on, `nodes(level, number)` a stored tile as in
    `ItemTree.tiles`.
    """

    def tile(level: int, number: int) -> Sequence[bytes]:
        if level == 0:
            return leaf_hashes(uris(number), number << TILE_HEIGHT, counts, secret)
        joined = nodes(level, number)
        return [joined[at : at + merkle.HASH_BYTES] for at in range(0, len(joined), merkle.HASH_BYTES)]

    return TiledTree(sum(counts.values()), tile)
