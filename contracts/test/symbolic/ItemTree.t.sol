// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ItemTree} from "../../libraries/ItemTree.sol";
import {vm} from "../Vm.sol";

/// @notice The Merkle verifier for all leaves, nodes, roots and indices (halmos; SHA-256 is any function at all), against
/// RFC 9162's recursive definition, which goes from the root down where the verifier goes from the leaf up.
contract ItemTreeCheck {
    function leafHash(bytes16 salt, bytes calldata uri) external pure returns (bytes32) {
        return ItemTree.leafHash(salt, uri);
    }

    function holds(bytes32 root, uint64 count, uint64 index, bytes32 leaf, bytes32[] calldata path)
        external
        pure
        returns (bool)
    {
        return ItemTree.holds(root, count, index, leaf, path);
    }

    // ---- the definition ----

    function splitOf(uint64 count) private pure returns (uint64 power) {
        power = 1;
        while (2 * power < count) power *= 2;
    }

    /// @dev Section 2.1.3.1, PATH(m, D[n]) read backwards: the root that `leaf` and the first `length` nodes of `path` give.
    /// @return root of the tree of `count` leaves
    /// @return fits the path has as many nodes as such a tree asks for
    function rootOf(uint64 count, uint64 index, bytes32 leaf, bytes32[] memory path, uint256 length)
        private
        pure
        returns (bytes32 root, bool fits)
    {
        if (count == 1) return (leaf, length == 0);
        if (length == 0) return (0, false);
        uint64 split = splitOf(count);
        bytes32 sibling = path[length - 1];
        if (index < split) {
            (root, fits) = rootOf(split, index, leaf, path, length - 1);
            return (nodeHash(root, sibling), fits);
        }
        (root, fits) = rootOf(count - split, index - split, leaf, path, length - 1);
        return (nodeHash(sibling, root), fits);
    }

    function nodeHash(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(bytes.concat(hex"01", left, right));
    }

    // ---- the checks ----

    /// For each leaf, place, size and path there is exactly one root, or none.
    function check_path_holds_exactly_for_the_root_of_rfc_9162(
        bytes32 root,
        uint64 count,
        uint64 index,
        bytes32 leaf,
        bytes32[] memory path
    ) external view {
        vm.assume(index < count && count <= 64);
        (bytes32 wanted, bool fits) = rootOf(count, index, leaf, path, path.length);
        assert(this.holds(root, count, index, leaf, path) == (fits && root == wanted));
    }

    /// The largest trees, and those whose right edge is a single leaf, or has a gap at every other level.
    function check_path_of_a_large_tree_holds_exactly_for_its_root(
        bytes32 root,
        uint8 size,
        uint8 place,
        bytes32 leaf,
        bytes32[] memory largePath
    ) external view {
        uint64 count = size == 0 ? 2 ** 20 : size == 1 ? 2 ** 20 - 1 : size == 2 ? 2 ** 19 + 1 : 0xaaaab;
        uint64 index = place == 0 ? 0 : place == 1 ? count / 3 : place == 2 ? splitOf(count) : count - 1;
        if (index >= count) index = count - 2;
        (bytes32 wanted, bool fits) = rootOf(count, index, leaf, largePath, largePath.length);
        assert(this.holds(root, count, index, leaf, largePath) == (fits && root == wanted));
    }

    function check_index_that_is_not_below_the_count_is_refused(
        bytes32 root,
        uint64 count,
        uint64 index,
        bytes32 leaf,
        bytes32[] memory path
    ) external view {
        vm.assume(index >= count);
        assert(!this.holds(root, count, index, leaf, path));
    }

    function check_path_of_more_than_twenty_nodes_is_refused(
        bytes32 root,
        uint64 count,
        uint64 index,
        bytes32 leaf,
        bytes32[] memory tooLongPath
    ) external view {
        assert(!this.holds(root, count, index, leaf, tooLongPath));
    }

    /// Who shows two leaves in one place of one tree has found two preimages of one SHA-256.
    function check_two_leaves_in_one_place_are_a_collision(
        bytes32 root,
        uint64 count,
        uint64 index,
        bytes32 leaf,
        bytes32 other,
        bytes32[] memory shortPath,
        bytes32[] memory otherPath
    ) external view {
        vm.assume(leaf != other && count <= 8);
        if (!this.holds(root, count, index, leaf, shortPath)) return;
        if (!this.holds(root, count, index, other, otherPath)) return;
        assert(shortPath.length == otherPath.length);
        (,, bool collision) = walk(count, index, leaf, other, shortPath, otherPath, shortPath.length);
        assert(collision);
    }

    /// @return node       that the first leaf gives
    /// @return otherNode  that the other one gives
    /// @return collision  on the way to them two different pairs of nodes had the same hash
    function walk(
        uint64 count,
        uint64 index,
        bytes32 leaf,
        bytes32 other,
        bytes32[] memory path,
        bytes32[] memory otherPath,
        uint256 length
    ) private pure returns (bytes32 node, bytes32 otherNode, bool collision) {
        if (count == 1) return (leaf, other, false);
        uint64 split = splitOf(count);
        bool left = index < split;
        (uint64 size, uint64 place) = left ? (split, index) : (count - split, index - split);
        (node, otherNode, collision) = walk(size, place, leaf, other, path, otherPath, length - 1);
        (bytes32 sibling, bytes32 otherSibling) = (path[length - 1], otherPath[length - 1]);
        bool differ = node != otherNode || sibling != otherSibling;
        (node, otherNode) = left
            ? (nodeHash(node, sibling), nodeHash(otherNode, otherSibling))
            : (nodeHash(sibling, node), nodeHash(otherSibling, otherNode));
        collision = collision || (differ && node == otherNode);
    }

    function check_leaf_hash_is_that_of_a_commissioned_item(bytes16 salt, bytes calldata uri) external view {
        bytes memory data = bytes.concat(hex"00", "packtrace/item/v1", hex"01", salt, uri);
        assert(this.leafHash(salt, uri) == sha256(data));
    }
}
