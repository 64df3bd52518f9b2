// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ItemTree} from "../libraries/ItemTree.sol";
import {Tree} from "./Tree.sol";

/// @notice The verifier against RFC 9162's recursive definitions.
contract ItemTreeTest {
    function leafHash(bytes16 salt, bytes calldata uri) external pure returns (bytes32) {
        return ItemTree.leafHash(salt, uri);
    }

    function holds(bytes32 root, uint64 count, uint64 index, bytes32 leaf, bytes32[] calldata path)
        public
        pure
        returns (bool)
    {
        return ItemTree.holds(root, count, index, leaf, path);
    }

    function leavesOf(uint256 seed, uint256 count) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
    }

    function shorter(bytes32[] memory path) private pure returns (bytes32[] memory cut) {
        cut = new bytes32[](path.length - 1);
        for (uint256 i = 0; i < cut.length; ++i) {
            cut[i] = path[i];
        }
    }

    function testFuzz_leaf_hash_is_that_of_a_commissioned_item(bytes16 salt, bytes calldata uri) external view {
        require(this.leafHash(salt, uri) == Tree.leafHash(1, salt, uri));
    }

    function test_every_leaf_of_every_small_tree_is_shown_at_its_place_and_at_no_other() external view {
        for (uint64 count = 1; count <= 17; ++count) {
            bytes32[] memory leaves = leavesOf(7, count);
            bytes32 root = Tree.rootOf(leaves);
            for (uint64 index = 0; index < count; ++index) {
                bytes32[] memory path = Tree.pathOf(leaves, index);
                for (uint64 place = 0; place <= count; ++place) {
                    require(this.holds(root, count, place, leaves[index], path) == (place == index), "place");
                }
            }
        }
    }

    function testFuzz_path_is_taken_as_it_is_and_in_no_other_way(uint256 seed, uint16 size, uint64 index, uint8 bit)
        external
        view
    {
        uint64 count = 2 + size % 200;
        index %= count;
        bytes32[] memory leaves = leavesOf(seed, count);
        bytes32 root = Tree.rootOf(leaves);
        bytes32[] memory path = Tree.pathOf(leaves, index);
        require(this.holds(root, count, index, leaves[index], path), "true path");
        require(!this.holds(root, count, index, leaves[(index + 1) % count], path), "another leaf");
        require(!this.holds(root ^ bytes32(uint256(1) << bit), count, index, leaves[index], path), "another root");
        require(!this.holds(root, count, index, leaves[index], Tree.appended(path, root)), "a node too many");
        require(!this.holds(root, count, index, leaves[index], shorter(path)), "a node too few");
        bytes32[] memory longer = Tree.appended(path, "more");
        require(!this.holds(Tree.nodeHash("more", root), count, index, leaves[index], longer), "a tree above, left");
        require(!this.holds(Tree.nodeHash(root, "more"), count, index, leaves[index], longer), "a tree above, right");
        path[uint256(keccak256(abi.encode(seed))) % path.length] ^= bytes32(uint256(1) << bit);
        require(!this.holds(root, count, index, leaves[index], path), "another node");
    }

    function test_inner_node_is_no_leaf() external view {
        bytes32[] memory leaves = leavesOf(1, 4);
        bytes32 root = Tree.rootOf(leaves);
        bytes32[] memory path = new bytes32[](1);
        path[0] = Tree.nodeHash(leaves[2], leaves[3]);
        // it would be the leaf of a tree of two; the count on chain is four
        require(this.holds(root, 2, 0, Tree.nodeHash(leaves[0], leaves[1]), path), "of two");
        require(!this.holds(root, 4, 0, Tree.nodeHash(leaves[0], leaves[1]), path), "of four");
    }

    function test_index_beyond_the_count_is_refused() external view {
        bytes32[] memory none = new bytes32[](0);
        require(this.holds("leaf", 1, 0, "leaf", none), "the only leaf is the root");
        require(!this.holds("leaf", 1, 1, "leaf", none), "index");
        require(!this.holds("leaf", 0, 0, "leaf", none), "empty tree");
    }

    function test_path_has_at_most_twenty_nodes() external view {
        bytes32[] memory path = new bytes32[](20);
        bytes32 node = "leaf";
        for (uint256 i = 0; i < 20; ++i) {
            path[i] = keccak256(abi.encode(i));
            node = Tree.nodeHash(node, path[i]);
        }
        require(this.holds(node, 1 << 20, 0, "leaf", path), "twenty");
        path = Tree.appended(path, "more");
        require(!this.holds(Tree.nodeHash(node, "more"), 1 << 21, 0, "leaf", path), "twenty-one");
    }
}
