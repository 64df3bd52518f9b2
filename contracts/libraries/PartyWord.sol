// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";

/// @notice `IPartyRegistry.Party` as it lies in its one storage slot (see `KeyWord`).
///
///      255    168 167            128 127           88 87           48 47    32 31      0
///     ┌──────────┬──────────────────┬───────────────┬──────────────┬────────┬─────────┐
///     │ 0        │ suspendedSince   │ licensedUntil │ licensedFrom │ roles  │ company │
///     └──────────┴──────────────────┴───────────────┴──────────────┴────────┴─────────┘
type PartyWord is uint256;

using {companyOf, rolesOf, licensedAt} for PartyWord global;

uint256 constant SUSPENDED = uint256(type(uint40).max) << 128;

function partyWordOf(IPartyRegistry.Party storage data) view returns (PartyWord word) {
    assembly ("memory-safe") {
        word := sload(data.slot)
    }
}

function companyOf(PartyWord word) pure returns (uint32) {
    return uint32(PartyWord.unwrap(word));
}

function rolesOf(PartyWord word) pure returns (uint16) {
    return uint16(PartyWord.unwrap(word) >> 32);
}

/// @return whether the party's own licence holds at that time; its company's is another's
function licensedAt(PartyWord word, uint256 time) pure returns (bool) {
    uint256 bits = PartyWord.unwrap(word);
    return bits & SUSPENDED == 0 && time >= uint40(bits >> 48) && time < uint40(bits >> 88);
}
