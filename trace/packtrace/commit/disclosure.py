"""A disclosure: the part of an event that a partner is shown, with the proof that it is part of it.

It holds the header (core open, other fields open or closed), some of the items with their salts and one multiproof, and
the proof that the event was sealed. It reveals the number of items, the positions of those shown and their rank, and
nothing else of the others. Whoever has one can disclose any part of it onward without asking back.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from packtrace.commit import header as headers
from packtrace.commit import items, merkle
from packtrace.commit.declaration import Declaration, declaration_of
from packtrace.commit.header import Header
from packtrace.commit.items import Role
from packtrace.commit.merkle import TILE_HEIGHT, KnownTree
from packtrace.commit.salts import SALT_BYTES
from packtrace.commit.seal import MAX_EVENTS, MAX_LOG_NUMBER, SealProof
from packtrace.errors import DocumentError, EvidenceError, IdentifierError
from packtrace.gs1 import canonical_uris

# The longest URI of a GS1 key is far below this; other identifiers (verbatim URIs) may be longer.
MAX_URI = 1024


@dataclass(frozen=True, slots=True)
class ShownItems:
    """Items of one event: sorted positions, 16-byte salts (joined), URIs, and the canonical multiproof."""

    indices: tuple[int, ...]
    salts: bytes
    uris: tuple[str, ...]
    nodes: tuple[bytes, ...]

    def salt(self, at: int) -> bytes:
        return self.salts[at * SALT_BYTES : (at + 1) * SALT_BYTES]

    def leaves(self, counts: items.Counts) -> list[bytes]:
        """Leaf hashes; each item's role follows from its position."""
        return [
            items.shown_leaf_hash(items.role_at(counts, index), self.salt(at), uri)
            for at, (index, uri) in enumerate(zip(self.indices, self.uris, strict=True))
        ]


NO_ITEMS = ShownItems((), b"", (), ())


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Part of one event, provable. `seal` is None only for an event that its own gateway has not sealed yet."""

    header: Header
    shown: ShownItems
    seal: SealProof | None

    @property
    def digest(self) -> bytes:
        return self.header.digest

    def verify(self) -> "VerifiedEvent":
        """Check everything that needs no chain. Raises EvidenceError naming the link that does not hold.

        What remains for the caller: that the log entry `seal` names has `seal_root` and the seal's count on chain. An
        event without a seal is its party's word only.
        """
        header = headers.check_received(self.header.fields)
        try:
            digest = header.digest
        except DocumentError as error:
            raise EvidenceError(error.message, rule="header", field=error.field) from error
        shown = self.shown
        if not len(shown.uris) == len(shown.indices) == len(shown.salts) / SALT_BYTES:
            raise EvidenceError("items, positions and salts differ in number", rule="item proof", field=_name(digest))
        if any(len(node) != merkle.HASH_BYTES for node in shown.nodes):
            raise EvidenceError("a proof node has 32 bytes", rule="item proof", field=_name(digest))
        if any(not isinstance(uri, str) or len(uri) > MAX_URI for uri in shown.uris):
            raise EvidenceError(
                f"an item's URI has at most {MAX_URI} characters", rule="item proof", field=_name(digest)
            )
        if not _is_canonical(shown.uris):
            raise EvidenceError(
                "an item's URI is not in its canonical form: one item has one URI",
                rule="item proof",
                field=_name(digest),
            )
        if declaration_of(header.core) and shown.indices:
            raise EvidenceError("an error declaration shows no items", rule="declaration", field=_name(digest))
        counts = header.counts
        size = sum(counts.values())
        if shown.indices:
            merkle.check_indices(size, shown.indices)
            computed = merkle.root_from_multiproof(size, shown.indices, shown.leaves(counts), shown.nodes)
            if computed != header.item_root:
                raise EvidenceError(
                    "the items shown are not those of the event", rule="item proof", field=_name(digest)
                )
        elif shown.nodes:
            raise EvidenceError("the proof has a node that is not needed", rule="item proof", field=_name(digest))
        seal = self.seal
        if seal is not None and seal.party != header.core["party"]:
            raise EvidenceError(
                "the event is sealed by another party than recorded it", rule="seal", field=_name(digest)
            )
        if seal is not None and not (
            0 < seal.count <= MAX_EVENTS and seal.lane < MAX_LOG_NUMBER and seal.sequence < MAX_LOG_NUMBER
        ):
            raise EvidenceError("a seal of 1 to 2^20 events, in a lane and sequence of 64 bits", rule="seal")
        by_role: dict[Role, dict[str, int]] = {}
        before = (0, "")
        for index, uri in zip(shown.indices, shown.uris, strict=True):
            role = items.role_at(counts, index)
            if before >= (role, uri):
                raise EvidenceError(
                    "items stand in the order of their URIs, each once", rule="item proof", field=_name(digest)
                )
            before = (role, uri)
            by_role.setdefault(role, {})[uri] = index
        return VerifiedEvent(header, digest, by_role, seal, seal.root(digest) if seal else None)

    def part(self, uris: Collection[str], fields: Collection[str] = ()) -> "Disclosure":
        """This disclosure with only those of its items, and of its opened fields, that are named."""
        return Disclosure(self.header.closed_but(fields), part_of(self.header, self.shown, uris), self.seal)


@dataclass(frozen=True, slots=True)
class VerifiedEvent:
    """A disclosure that proved itself, up to the log entry on chain; `items` are those shown, with their positions."""

    header: Header
    digest: bytes
    items: Mapping[Role, Mapping[str, int]]
    seal: SealProof | None
    seal_root: bytes | None

    @property
    def party(self) -> int:
        """The party that recorded the event."""
        return int(self.header.core["party"])

    @property
    def declares(self) -> Declaration | None:
        """What is erroneous by this event; None for any event but an error declaration."""
        return declaration_of(self.header.core)


def part_of(header: Header, shown: ShownItems, uris: Collection[str]) -> ShownItems:
    """The items named, out of those shown, with the multiproof that is theirs."""
    return part_at(header, shown, {index for index, uri in zip(shown.indices, shown.uris, strict=True) if uri in uris})


def part_at(header: Header, shown: ShownItems, indices: Collection[int]) -> ShownItems:
    """The items at these positions, out of those shown, with the multiproof that is theirs."""
    kept = [at for at, index in enumerate(shown.indices) if index in indices]
    if not kept:
        return NO_ITEMS
    if len(kept) == len(shown.uris):
        return shown
    counts = header.counts
    known = KnownTree(sum(counts.values()), shown.indices, shown.leaves(counts), shown.nodes)
    return _select(shown, kept, known)


def by_neighbourhood(header: Header, shown: ShownItems) -> dict[int, ShownItems]:
    """The items in groups that each prove themselves: one for every 256 positions of the tree.

    So a receiver who keeps a million items can later prove one of them from one small group.
    """
    counts = header.counts
    known = KnownTree(sum(counts.values()), shown.indices, shown.leaves(counts), shown.nodes)
    groups: dict[int, list[int]] = {}
    for at, index in enumerate(shown.indices):
        groups.setdefault(index >> TILE_HEIGHT, []).append(at)
    return {number: _select(shown, kept, known) for number, kept in groups.items()}


def together(header: Header, parts: Sequence[ShownItems]) -> ShownItems:
    """Items of the same event that came in several parts, with one multiproof."""
    if len(parts) == 1:
        return parts[0]
    counts = header.counts
    size = sum(counts.values())
    known: KnownTree | None = None
    entries: dict[int, tuple[bytes, str]] = {}
    for part in parts:
        tree = KnownTree(size, part.indices, part.leaves(counts), part.nodes)
        if known is None:
            known = tree
        else:
            known.absorb(tree)
        entries |= {index: (part.salt(at), part.uris[at]) for at, index in enumerate(part.indices)}
    if known is None:
        return NO_ITEMS
    indices = sorted(entries)
    return ShownItems(
        tuple(indices),
        b"".join(entries[index][0] for index in indices),
        tuple(entries[index][1] for index in indices),
        tuple(known.multiproof(indices)),
    )


def _select(shown: ShownItems, kept: Sequence[int], known: KnownTree) -> ShownItems:
    indices = tuple(shown.indices[at] for at in kept)
    return ShownItems(
        indices,
        b"".join(shown.salt(at) for at in kept),
        tuple(shown.uris[at] for at in kept),
        tuple(known.multiproof(indices)),
    )


def _is_canonical(uris: Sequence[str]) -> bool:
    try:
        return canonical_uris(uris) == list(uris)
    except IdentifierError:
        return False


def _name(digest: bytes) -> str:
    return f"event {digest.hex()[:12]}"


__all__ = [
    "NO_ITEMS",
    "Disclosure",
    "ShownItems",
    "VerifiedEvent",
    "by_neighbourhood",
    "part_at",
    "part_of",
    "together",
]
