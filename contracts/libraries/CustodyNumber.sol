// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice The number of a logistic unit.
///
///      63          42 41                       0
///     ┌──────────────┬──────────────────────────┐
///     │ party        │ own number               │
///     └──────────────┴──────────────────────────┘
library CustodyNumber {
    uint256 private constant OWN_NUMBER_BITS = 42;

    function creatorOf(uint64 number) internal pure returns (uint64 party) {
        return number >> OWN_NUMBER_BITS;
    }
}
