"""RFC 9162 trees: roots against the RFC's own recursive definition, proofs against every way to spoil one."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrace.commit import merkle
from packtrace.errors import EvidenceError

# Certificate Transparency's known answers (RFC 6962 test data, also valid for RFC 9162).
LEAVES = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43", b"\x50\x51\x52\x53\x54\x55\x56\x57"]
LEAVES.append(bytes(range(0x60, 0x70)))
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def rfc_root(data: list[bytes]) -> bytes:
    """MTH exactly as RFC 9162, section 2.1.1, writes it."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    k = 1
    while k * 2 < len(data):
        k *= 2
    return sha256(b"\x01" + rfc_root(data[:k]) + rfc_root(data[k:])).digest()


def leaves(count: int) -> list[bytes]:
    return [merkle.leaf_hash(str(number).encode()) for number in range(count)]


def tiles(hashes: list[bytes]) -> merkle.TiledTree:
    levels = {0: hashes}
    level, nodes = 0, hashes
    while len(nodes) > 1:
        nodes = [merkle.tile_root(nodes[at : at + 256]) for at in range(0, len(nodes), 256)]
        level += 8
        levels[level] = nodes
    return merkle.TiledTree(len(hashes), lambda level, number: levels[level][number * 256 : number * 256 + 256])


@pytest.mark.parametrize("count", ROOTS)
def test_root_is_the_known_answer(count: int) -> None:
    assert merkle.root([merkle.leaf_hash(leaf) for leaf in LEAVES[:count]]).hex() == ROOTS[count]


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_root_follows_the_rfcs_recursion(data: list[bytes]) -> None:
    assert merkle.root([merkle.leaf_hash(leaf) for leaf in data]) == rfc_root(data)


@st.composite
def subsets(draw: st.DrawFn, largest: int = 700) -> tuple[int, list[int]]:
    size = draw(st.integers(1, largest))
    return size, sorted(draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=12)))


@given(subsets())
def test_multiproof_of_any_subset_gives_the_root(case: tuple[int, list[int]]) -> None:
    size, indices = case
    hashes = leaves(size)
    proof = tiles(hashes).multiproof(indices)
    assert merkle.root_from_multiproof(size, indices, [hashes[i] for i in indices], proof) == merkle.root(hashes)


@given(subsets(), st.data())
def test_known_tree_proves_any_part_of_what_it_was_shown(case: tuple[int, list[int]], data: st.DataObject) -> None:
    size, indices = case
    hashes = leaves(size)
    known = merkle.KnownTree(size, indices, [hashes[i] for i in indices], tiles(hashes).multiproof(indices))
    part = sorted(data.draw(st.sets(st.sampled_from(indices), min_size=1)))
    assert known.root == merkle.root(hashes)
    assert known.multiproof(part) == tiles(hashes).multiproof(part), "the same canonical proof as the owner's"


@given(subsets(), subsets())
def test_known_trees_of_one_tree_absorb_each_other(one: tuple[int, list[int]], other: tuple[int, list[int]]) -> None:
    size = max(one[0], other[0])
    hashes, both = leaves(size), sorted({*one[1], *other[1]})
    known, more = (
        merkle.KnownTree(size, part, [hashes[i] for i in part], tiles(hashes).multiproof(part))
        for part in (one[1], other[1])
    )
    known.absorb(more)
    assert known.multiproof(both) == tiles(hashes).multiproof(both)


@given(subsets(), st.data())
def test_multiproof_spoiled_anywhere_is_refused(case: tuple[int, list[int]], data: st.DataObject) -> None:
    size, indices = case
    hashes = leaves(size)
    shown = [hashes[i] for i in indices]
    proof = tiles(hashes).multiproof(indices)
    root = merkle.root(hashes)
    at = data.draw(st.integers(0, len(shown) - 1))
    assert merkle.root_from_multiproof(size, indices, [*shown[:at], bytes(32), *shown[at + 1 :]], proof) != root
    with pytest.raises(EvidenceError, match="not needed"):
        merkle.root_from_multiproof(size, indices, shown, [*proof, bytes(32)])
    if proof:
        spoil = data.draw(st.integers(0, len(proof) - 1))
        assert (
            merkle.root_from_multiproof(size, indices, shown, [*proof[:spoil], bytes(32), *proof[spoil + 1 :]]) != root
        )
        with pytest.raises(EvidenceError, match="too few"):
            merkle.root_from_multiproof(size, indices, shown, proof[:-1])


@pytest.mark.parametrize("indices", [[], [1, 1], [2, 1], [-1], [5]])
def test_multiproof_with_unsorted_or_foreign_indices_is_refused(indices: list[int]) -> None:
    hashes = leaves(5)
    with pytest.raises(EvidenceError, match=r"sorted, unique and below 5|no leaf"):
        merkle.root_from_multiproof(5, indices, [hashes[0]] * len(indices), [])


@pytest.mark.parametrize("size", [0, -1, merkle.MAX_SIZE + 1, 1 << 400])
def test_a_tree_of_a_size_that_no_tree_has_is_refused(size: int) -> None:
    with pytest.raises(EvidenceError, match="1 to 2\\^32 leaves"):
        merkle.root_from_path(size, 0, bytes(32), [bytes(32)] * 400)


def test_an_inner_node_cannot_pass_for_a_leaf() -> None:
    """Second-preimage attack: a tree of 4 shown as a tree of 2 whose leaves are inner nodes."""
    hashes = leaves(4)
    upper = merkle.level_above(hashes)
    data = hashes[0] + hashes[1]
    assert merkle.root(hashes) == merkle.root_from_path(2, 0, upper[0], [upper[1]])
    assert merkle.leaf_hash(data) != upper[0], "domain separation: no leaf data hashes to an inner node"


def test_inclusion_path_is_the_multiproof_of_one() -> None:
    hashes = leaves(300)
    for index in (0, 1, 127, 255, 256, 298, 299):
        assert merkle.inclusion_path(hashes, index) == tiles(hashes).multiproof([index])


def test_tile_of_the_wrong_length_is_noticed() -> None:
    tree = merkle.TiledTree(300, lambda level, number: leaves(17))
    with pytest.raises(EvidenceError, match="wrong number"):
        tree.multiproof([3])
