// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A party's consent to one call: typed data (EIP-712) of that call, signed by `signer`.
/// Anybody may carry it to the chain. A call that `signer` sends itself may leave `signature` empty.
/// @param signer    the key (or ERC-1271 account) that consents
/// @param nonce     keyed nonce (OpenZeppelin NoncesKeyed): lane in the upper 192 bits, position in the lower 64
/// @param deadline  unix time after which the consent is void
/// @param signature over the function's typed data, whose last three members are always `signer`, `nonce` and `deadline`:
/// so two parties' consents to the same call have two digests, and an account's owner signs for that account only
struct Consent {
    address signer;
    uint256 nonce;
    uint48 deadline;
    bytes signature;
}

/// @notice Status of one unit, a nibble on chain. A unit that was never touched is ACTIVE.
enum Status {
    ACTIVE,
    SUPPLIED,
    DESTROYED,
    EXPORTED,
    SAMPLED,
    FREE_SAMPLE,
    STOLEN,
    LOCKED,
    SUSPECT
}

/// @notice Why a unit's status was left as it is (see `IPackLedger.Conflict`): the first that applies, in this order,
/// save that a call that takes statuses back (reversal, lift, restoration) asks the last three first.
enum Refusal {
    NONE,
    UNKNOWN_UNIT, // no such batch, or index not below its count
    NOT_RELEASED, // proposed only, or withdrawn
    WRONG_STATUS, // the table has no way from the unit's status to the one asked for
    EXPIRED,
    RECALLED,
    NOT_ALLOWED, // this party may not set this status on this unit
    NOT_CHANGED_HERE, // reversal, restoration: that receipt did not change this unit
    ALREADY_REVERSED, // … or restored: once for each unit of a receipt
    DUPLICATE // back to ACTIVE: the unit is flagged, another one was proven to have its serial
}
