// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Status} from "../interfaces/Types.sol";

/// @notice The status of 64 units in one storage slot, a nibble each. A batch's 2^20 units fill whole words, so that no
/// word holds units of two batches.
///
///      255     252         7       4 3       0
///     ┌───────────┬───────┬─────────┬─────────┐
///     │ unit 63   │ …     │ unit 1  │ unit 0  │   unit n: the one whose number ends in n (mod 64)
///     └───────────┴───────┴─────────┴─────────┘
type StatusWord is uint256;

using {statusAt, withStatus} for StatusWord global;

/// @return the key of the word that holds `unit`
function statusWordOf(uint64 unit) pure returns (uint256) {
    return unit >> 6;
}

function statusAt(StatusWord word, uint64 unit) pure returns (Status) {
    return Status((StatusWord.unwrap(word) >> shiftOf(unit)) & 0xf);
}

/// @return the word with this unit's status replaced, and no other's
function withStatus(StatusWord word, uint64 unit, Status status) pure returns (StatusWord) {
    uint256 shift = shiftOf(unit);
    return StatusWord.wrap((StatusWord.unwrap(word) & ~(uint256(0xf) << shift)) | (uint256(status) << shift));
}

function shiftOf(uint64 unit) pure returns (uint256) {
    return (unit & 63) * 4;
}
