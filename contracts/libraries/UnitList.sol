// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Unit numbers packed one after the other, 8 bytes each, big-endian.
library UnitList {
    uint256 internal constant SIZE = 8;

    /// @dev Only for `i` within the list.
    function unitAt(bytes calldata units, uint256 i) internal pure returns (uint64) {
        return uint64(bytes8(units[i * SIZE:]));
    }

    /// @dev Only for `i` within the list.
    function put(bytes memory units, uint256 i, uint64 unit) internal pure {
        for (uint256 k = 0; k < SIZE; ++k) {
            units[i * SIZE + k] = bytes1(uint8(unit >> (8 * (SIZE - 1 - k))));
        }
    }
}
