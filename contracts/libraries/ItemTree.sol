// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice The item tree of a commissioning: an RFC 9162 Merkle tree over SHA-256. Leaf data of an item:
///
///     ┌─────────────────────┬──────┬─────────────┬───────────────┐
///     │ "packtrace/item/v1" │ role │ salt        │ canonical URI │
///     └─────────────────────┴──────┴─────────────┴───────────────┘
///       17 bytes              1      16            the rest
library ItemTree {
    /// @notice Nodes of an inclusion path, at most: a batch has at most 2^20 items.
    uint256 internal constant MAX_PATH = 20;
    /// @dev Role of a commissioned item (EPCIS: epcList); never parent, child, input or output.
    uint8 private constant EPC = 1;

    /// @notice Hash of the leaf of a commissioned item.
    function leafHash(bytes16 salt, bytes calldata uri) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), "packtrace/item/v1", EPC, salt, uri));
    }

    /// @notice Whether `leaf` stands at `index` in the tree of `count` leaves with this root (RFC 9162, section 2.1.3.2).
    /// @param path exactly the nodes that such a tree asks for, lowest first; one too few or too many is refused
    function holds(bytes32 root, uint64 count, uint64 index, bytes32 leaf, bytes32[] calldata path)
        internal
        pure
        returns (bool)
    {
        if (index >= count || path.length > MAX_PATH) return false;
        (uint64 fn, uint64 sn) = (index, count - 1);
        bytes32 node = leaf;
        for (uint256 i = 0; i < path.length; ++i) {
            if (sn == 0) return false;
            if (fn & 1 == 1 || fn == sn) {
                node = _nodeHash(path[i], node);
                // a last node without a neighbour moves up unchanged
                while (fn & 1 == 0 && fn != 0) (fn, sn) = (fn >> 1, sn >> 1);
            } else {
                node = _nodeHash(node, path[i]);
            }
            (fn, sn) = (fn >> 1, sn >> 1);
        }
        return sn == 0 && node == root;
    }

    function _nodeHash(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }
}
