// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Item trees for tests, by the recursive definitions of RFC 9162: another way than the contract's.
library Tree {
    /// @param role 1 for a commissioned item (packtrace.commit.items.Role)
    function leafHash(uint8 role, bytes16 salt, bytes memory uri) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(0), "packtrace/item/v1", role, salt, uri));
    }

    function nodeHash(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(1), left, right));
    }

    function rootOf(bytes32[] memory leaves) internal pure returns (bytes32) {
        return rootOf(leaves, 0, leaves.length);
    }

    /// @dev Section 2.1.1: MTH(D[n]).
    function rootOf(bytes32[] memory leaves, uint256 from, uint256 to) internal pure returns (bytes32) {
        if (to - from == 1) return leaves[from];
        uint256 split = from + splitOf(to - from);
        return nodeHash(rootOf(leaves, from, split), rootOf(leaves, split, to));
    }

    /// @dev Section 2.1.3.1: PATH(m, D[n]).
    function pathOf(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory) {
        return pathOf(leaves, 0, leaves.length, index);
    }

    function pathOf(bytes32[] memory leaves, uint256 from, uint256 to, uint256 index)
        internal
        pure
        returns (bytes32[] memory path)
    {
        if (to - from == 1) return path;
        uint256 split = from + splitOf(to - from);
        bool left = index < split;
        path = left ? pathOf(leaves, from, split, index) : pathOf(leaves, split, to, index);
        return appended(path, left ? rootOf(leaves, split, to) : rootOf(leaves, from, split));
    }

    /// @return the largest power of two below `count`
    function splitOf(uint256 count) private pure returns (uint256) {
        uint256 power = 1;
        while (power * 2 < count) power *= 2;
        return power;
    }

    function appended(bytes32[] memory list, bytes32 last) internal pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) {
            longer[i] = list[i];
        }
        longer[list.length] = last;
    }
}
