"""RFC 9162 Merkle trees over SHA-256: roots, single proofs and multiproofs (RFC 9162, section 2.1).

A tree is handled level by level: level 0 holds the leaf hashes, and each level above joins neighbours; a last node
without a neighbour moves up unchanged. That gives exactly the RFC's recursive definition. Large trees are cut into
*tiles* of 2^8 nodes: only the nodes at every eighth level are kept, so that a proof reads a few tiles, never the tree.

A multiproof for sorted, unique leaf indices is the list of the nodes that cannot be computed from the leaves shown,
from the lowest level up, each level from left to right. There is exactly one such list: no node is missing, none
unused.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from packtrace.errors import EvidenceError

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
EMPTY_ROOT = sha256(b"").digest()
# A tree's size is attacker-chosen until it is compared with the chain; 2^32 leaves bound every loop below.
MAX_SIZE = 1 << 32


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf: SHA-256(0x00 ‖ data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def level_above(nodes: Sequence[bytes]) -> list[bytes]:
    """Join neighbours; an odd last node moves up unchanged."""
    pairs = iter(nodes)
    above = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
    if len(nodes) & 1:
        above.append(nodes[-1])
    return above


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Root over leaf hashes; SHA-256("") for none."""
    if not leaf_hashes:
        return EMPTY_ROOT
    nodes = leaf_hashes
    while len(nodes) > 1:
        nodes = level_above(nodes)
    return nodes[0]


def tile_root(nodes: Sequence[bytes]) -> bytes:
    """The node eight levels above up to 256 neighbouring nodes."""
    return root(nodes)


def inclusion_path(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of one leaf (RFC 9162, section 2.1.3), lowest node first."""
    path = []
    nodes = leaf_hashes
    while len(nodes) > 1:
        if index ^ 1 < len(nodes):
            path.append(nodes[index ^ 1])
        nodes = level_above(nodes)
        index >>= 1
    return path


def root_from_path(size: int, index: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Root of the tree of `size` leaves in which `leaf` (a leaf hash) stands at `index`.

    Raises EvidenceError when the path does not have exactly the nodes that such a tree asks for.
    """
    return root_from_multiproof(size, [index], [leaf], path)


def root_from_multiproof(size: int, indices: Sequence[int], leaves: Sequence[bytes], nodes: Sequence[bytes]) -> bytes:
    """Root of the tree of `size` leaves in which `leaves` (leaf hashes) stand at `indices`.

    Raises EvidenceError for indices that are unsorted, repeated or out of range, and for a proof with a node too few or
    too many.
    """
    check_indices(size, indices)
    if len(leaves) != len(indices):
        raise EvidenceError("the proof shows a different number of leaves and indices", rule="RFC 9162 multiproof")
    known = [(index, leaf) for index, leaf in zip(indices, leaves, strict=True)]
    supply = iter(nodes)
    width = size
    try:
        while width > 1:
            known = _climb(known, width, supply)
            width = (width + 1) >> 1
    except StopIteration:
        raise EvidenceError("the proof has a node too few", rule="RFC 9162 multiproof") from None
    if next(supply, None) is not None:
        raise EvidenceError("the proof has a node that is not needed", rule="RFC 9162 multiproof")
    return known[0][1]


def _climb(known: list[tuple[int, bytes]], width: int, supply: Iterable[bytes]) -> list[tuple[int, bytes]]:
    take = iter(supply).__next__
    above = []
    position, count = 0, len(known)
    while position < count:
        index, node = known[position]
        position += 1
        if index & 1:
            node = sha256(b"\x01" + take() + node).digest()
        elif index + 1 < width:
            if position < count and known[position][0] == index + 1:
                node = sha256(b"\x01" + node + known[position][1]).digest()
                position += 1
            else:
                node = sha256(b"\x01" + node + take()).digest()
        above.append((index >> 1, node))
    return above


def check_indices(size: int, indices: Sequence[int]) -> None:
    """Raise EvidenceError unless `indices` are sorted, unique, at least one, and inside a tree of `size` leaves."""
    if not 0 < size <= MAX_SIZE:
        raise EvidenceError("a tree has 1 to 2^32 leaves here", value=size, rule="RFC 9162 multiproof")
    if not indices:
        raise EvidenceError("the proof shows no leaf", rule="RFC 9162 multiproof")
    previous = -1
    for index in indices:
        if not previous < index < size:
            raise EvidenceError(
                f"leaf indices must be sorted, unique and below {size}", value=index, rule="RFC 9162 multiproof"
            )
        previous = index


class TiledTree:
    """A tree whose nodes are read from tiles, for building proofs.

    `tile(level, number)` gives the up to 256 nodes of that level from 256·number on; it is asked only for the levels 0,
    8, 16, … and only for tiles that a proof touches.
    """

    def __init__(self, size: int, tile: Callable[[int, int], Sequence[bytes]]) -> None:
        self.size = size
        self._tile = tile

    def multiproof(self, indices: Sequence[int]) -> list[bytes]:
        """The canonical multiproof for sorted, unique `indices`."""
        check_indices(self.size, indices)
        proof: list[bytes] = []
        level, wanted, width = 0, list(indices), self.size
        while width > 1:
            proof += self._tile_row(level, wanted, width)
            wanted = sorted({index >> TILE_HEIGHT for index in wanted})
            level += TILE_HEIGHT
            width = (width + TILE_WIDTH - 1) >> TILE_HEIGHT
        return proof

    def _tile_row(self, level: int, wanted: list[int], width: int) -> Iterable[bytes]:
        """The proof's nodes of eight levels, lowest level first, from the tiles that hold `wanted`."""
        by_level: list[list[bytes]] = [[] for _ in range(TILE_HEIGHT)]
        by_tile: dict[int, list[int]] = {}
        for index in wanted:
            by_tile.setdefault(index >> TILE_HEIGHT, []).append(index & (TILE_WIDTH - 1))
        for number in sorted(by_tile):
            nodes: Sequence[bytes] = self._tile(level, number)
            if len(nodes) != min(TILE_WIDTH, width - (number << TILE_HEIGHT)):
                raise EvidenceError("a stored tile has the wrong number of nodes", value=(level, number, len(nodes)))
            inside = by_tile[number]
            for height in range(TILE_HEIGHT):
                if len(nodes) == 1:
                    break
                shown = set(inside)
                by_level[height] += [
                    nodes[index ^ 1] for index in inside if index ^ 1 < len(nodes) and index ^ 1 not in shown
                ]
                nodes = level_above(nodes)
                inside = sorted({index >> 1 for index in inside})
        return [node for nodes_of_level in by_level for node in nodes_of_level]


class KnownTree:
    """The part of a tree that a multiproof shows: from it, a proof for any subset of its leaves can be made."""

    def __init__(self, size: int, indices: Sequence[int], leaves: Sequence[bytes], nodes: Sequence[bytes]) -> None:
        check_indices(size, indices)
        self.size = size
        self._levels: list[dict[int, bytes]] = []
        supply = iter(nodes)
        known = dict(zip(indices, leaves, strict=True))
        width = size
        while width > 1:
            above: dict[int, bytes] = {}
            for index in list(known):
                sibling = index ^ 1
                if sibling < width and sibling not in known:
                    known[sibling] = next(supply)
            self._levels.append(known)
            for index in sorted(known):
                if not index & 1:
                    above[index >> 1] = node_hash(known[index], known[index + 1]) if index + 1 < width else known[index]
            known = above
            width = (width + 1) >> 1
        self._levels.append(known)

    @property
    def root(self) -> bytes:
        """The tree's root, computed from what was shown."""
        return self._levels[-1][0]

    def multiproof(self, indices: Sequence[int]) -> list[bytes]:
        """The canonical multiproof for a subset of the leaves shown. Raises EvidenceError for any other leaf."""
        check_indices(self.size, indices)
        proof = []
        wanted = list(indices)
        width = self.size
        for known in self._levels[:-1]:
            shown = set(wanted)
            for index in wanted:
                if index not in known:
                    raise EvidenceError("this leaf was not shown, so no proof can be made for it", value=index)
                sibling = index ^ 1
                if sibling < width and sibling not in shown:
                    proof.append(known[sibling])
            wanted = sorted({index >> 1 for index in wanted})
            width = (width + 1) >> 1
        return proof

    def absorb(self, other: "KnownTree") -> None:
        """Add what another part of the same tree shows. Raises EvidenceError when it is not the same tree."""
        if (self.size, self.root) != (other.size, other.root):
            raise EvidenceError("two parts of different trees cannot be put together")
        for mine, theirs in zip(self._levels, other._levels, strict=True):
            mine.update(theirs)
