// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice The numbers of batches and units.
///
///      63          42 41        20 19          0
///     ┌──────────────┬────────────┬─────────────┐
///     │ party        │ own number │ index       │   unit, 64 bits
///     └──────────────┴────────────┴─────────────┘
///      └──── batch, 44 bits ─────┘
///
/// A batch number on its own is the upper 44 bits moved down, so every uint64 is some unit's number, but not every
/// uint64 is a batch's: one with bits above 43 belongs to no party (party numbers are below 2^22).
library UnitNumber {
    uint256 private constant INDEX_BITS = 20;
    uint256 private constant OWN_NUMBER_BITS = 22;

    /// @notice Units in a batch, at most.
    uint32 internal constant MAX_COUNT = 1 << 20;

    function batchOf(uint64 unit) internal pure returns (uint64) {
        return unit >> INDEX_BITS;
    }

    function indexOf(uint64 unit) internal pure returns (uint64) {
        return unit & (MAX_COUNT - 1);
    }

    function proposerOf(uint64 batch) internal pure returns (uint64 party) {
        return batch >> OWN_NUMBER_BITS;
    }
}
