// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice The bits of `IPartyRegistry.Party.roles`.
library Roles {
    uint16 internal constant REGULATOR = 1;
    uint16 internal constant MAH = 2;
    uint16 internal constant MANUFACTURER = 4;
    uint16 internal constant WHOLESALER = 8;
    uint16 internal constant DISPENSER = 16;
    uint16 internal constant SUPPLYING_WHOLESALER = 32;
    uint16 internal constant ALL = 63;
}

/// @notice The bits of `IPartyRegistry.Key.purposes`.
library Purposes {
    uint8 internal constant OPERATE = 1;
    uint8 internal constant LINE = 2;
    uint8 internal constant QUALITY = 4;
    uint8 internal constant MANAGE = 8;
    uint8 internal constant ALL = 15;
}
