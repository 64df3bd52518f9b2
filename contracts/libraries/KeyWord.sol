// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";

/// @notice `IPartyRegistry.Key` as it lies in its one storage slot: every call of every contract asks whether its key is
/// valid, and a word is looked at for 200 gas less than a struct in memory.
///
///      247      232 231   208 207     200 199        160 159    120 119     80 79       40 39      32 31   0
///     ┌────────────┬─────────┬───────────┬──────────────┬──────────┬──────────┬───────────┬──────────┬──────┐
///     │ dailyCap   │ number  │ suspended │ compromised… │ revoked… │ validUn… │ validFrom │ purposes │ party│
///     └────────────┴─────────┴───────────┴──────────────┴──────────┴──────────┴───────────┴──────────┴──────┘
type KeyWord is uint256;

using {partyOf, validAt, mayAll, numberOf, dailyCapOf} for KeyWord global;

uint256 constant REVOKED_OR_SUSPENDED = (uint256(type(uint40).max) << 120) | (uint256(type(uint8).max) << 200);

function keyWordOf(IPartyRegistry.Key storage data) view returns (KeyWord word) {
    assembly ("memory-safe") {
        word := sload(data.slot)
    }
}

function partyOf(KeyWord word) pure returns (uint32) {
    return uint32(KeyWord.unwrap(word));
}

/// @return whether the key speaks for its party at that time, as far as it is known now
function validAt(KeyWord word, uint256 time) pure returns (bool) {
    uint256 bits = KeyWord.unwrap(word);
    return bits & REVOKED_OR_SUSPENDED == 0 && time >= uint40(bits >> 40) && time < uint40(bits >> 80);
}

/// @return whether the key has all of these purposes
function mayAll(KeyWord word, uint8 purposes) pure returns (bool) {
    return uint8(KeyWord.unwrap(word) >> 32) & purposes == purposes;
}

function numberOf(KeyWord word) pure returns (uint24) {
    return uint24(KeyWord.unwrap(word) >> 208);
}

function dailyCapOf(KeyWord word) pure returns (uint16) {
    return uint16(KeyWord.unwrap(word) >> 232);
}
