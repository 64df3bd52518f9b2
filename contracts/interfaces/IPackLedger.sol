// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Consent, Refusal, Status} from "./Types.sol";

/// @title The status of each unit.
/// @notice A batch commits to the item tree of one commissioning event: root, count, product, lot and expiry. A line
/// proposes it, a qualified person releases it. A unit is (batch, index); its number packs both:
///
///     unit (64 bits) = batch (44 bits) ‖ index (20 bits)
///     batch (44 bits) = party number of the proposing premises (22 bits) ‖ that premises' own number (22 bits)
///
/// so that a batch's number is known, and signed, before any block contains it, and no reorganisation can change it.
/// Status changes come in packed lists and never revert for one bad unit: that unit is left as it is and a `Conflict`
/// says who tried what. A conflict is the evidence of a clone and must not be lost.
interface IPackLedger {
    enum BatchState {
        NONE,
        PROPOSED,
        RELEASED,
        WITHDRAWN
    }

    /// @param lotKey    HMAC-SHA-256(product secret, "packtrace/lot/v1" ‖ GTIN-14 ‖ lot)
    /// @param itemRoot  root of the commissioning event's item tree (RFC 9162, SHA-256)
    /// @param count     number of units, 1 to 2^20
    /// @param expiresAt unix time from which the lot is expired: 00:00 UTC of the day after the printed date; in the future
    struct Proposal {
        uint64 batch;
        bytes32 productKey;
        bytes32 lotKey;
        bytes32 itemRoot;
        uint32 count;
        uint40 expiresAt;
    }

    struct Batch {
        bytes32 itemRoot;
        bytes32 lotKey;
        uint32 product;
        uint32 mah; // company number of the marketing authorisation holder
        uint32 count;
        uint40 expiresAt;
        uint40 proposedAt;
        uint40 releasedAt; // or withdrawnAt
        BatchState state;
    }

    /// @notice What one `changeStatus` call did. The chain keeps its hash; the event carries all of it.
    /// @param id       the call's EIP-712 digest, unlike that of any other call: the signer and its nonce are in it
    /// @param openings root of the RFC 9162 tree over the leaf hashes of the call's units, in the call's order
    /// @param units    8 bytes each, big-endian unit numbers
    /// @param outcomes 1 byte each: the status found (0x00 to 0x0f) where the unit was changed, else 0x80 | Refusal
    struct Receipt {
        bytes32 id;
        uint32 party;
        Status to;
        uint40 time;
        bytes32 openings;
        bytes units;
        bytes outcomes;
    }

    event BatchProposed(uint64 indexed batch, uint32 indexed mah, bytes32 indexed lotKey, uint32 product, uint32 count);
    event BatchReleased(uint64 indexed batch, address indexed key);
    event BatchWithdrawn(uint64 indexed batch);
    event StatusChanged(
        bytes32 indexed id, uint32 indexed party, Status indexed to, bytes32 openings, bytes units, bytes outcomes
    );
    /// @param id the receipt of the reversed call
    /// @param outcomes as in `Receipt`, one byte for each of `units`
    event StatusReversed(bytes32 indexed id, uint32 indexed party, bytes units, bytes outcomes);
    /// @param call the EIP-712 digest of the MAH's consent
    event StatusLifted(bytes32 indexed call, uint32 indexed mah, uint32 indexed regulator, bytes units, bytes outcomes);
    /// @notice One for each unit that a call could not change; `found` is the status that it keeps, `to` the one that the
    /// call asked for (ACTIVE by a reversal or a lift).
    /// @param call the EIP-712 digest of the call; of the MAH's consent to a lift
    event Conflict(
        uint64 indexed unit, uint32 indexed party, bytes32 indexed call, Status to, Status found, Refusal refusal
    );

    error BatchNumberNotYours(uint64 batch, uint32 party);
    error BatchExists(uint64 batch);
    error BatchNotProposed(uint64 batch);
    /// @notice The batch that stands under this number has other items: `onChain` is the root of its item tree.
    error WrongItemRoot(uint64 batch, bytes32 onChain);
    error InvalidCount(uint32 count);
    error InvalidExpiry(uint40 expiresAt);
    error InvalidUnits(uint256 length);
    error InvalidStatus(Status to);
    error NotProposer(uint64 batch, uint32 party);
    error NotReceipt(bytes32 id);
    error NotReceiptHolder(bytes32 id, uint32 party);
    error ReversalTooLate(bytes32 id, uint40 until);
    error NotReversible(Status status);
    error InvalidPositions(uint256 length);
    error NotRegulator(uint32 party);
    error NotMah(uint32 party);
    error TooManySuspects(address key, uint256 cap);

    /// @notice Units in one call, at most.
    function MAX_UNITS() external view returns (uint256); // 256
    /// @notice Units that one key can ask to be SUSPECT in one UTC day, at most. A call beyond it reverts.
    function MAX_SUSPECTS_PER_DAY() external view returns (uint256); // 256
    /// @notice A dispense, export or sample can be reversed this long (Delegated Regulation 2016/161, Art. 13).
    function REVERSAL_PERIOD() external view returns (uint40); // 10 days

    /// @dev typed data: Propose(uint64 batch,bytes32 productKey,bytes32 lotKey,bytes32 itemRoot,uint32 count,uint40 expiresAt,address signer,uint256 nonce,uint48 deadline)
    function propose(Proposal calldata proposal, Consent calldata consent) external;
    /// @notice Release a proposal, by a qualified person of its product, who consents to the very items: a reorganisation
    /// could put another proposal under the same number.
    /// @dev typed data: Release(uint64 batch,bytes32 itemRoot,address signer,uint256 nonce,uint48 deadline)
    /// @param itemRoot the proposal's, else WrongItemRoot
    function release(uint64 batch, bytes32 itemRoot, Consent calldata consent) external;
    /// @notice Withdraw a proposal that was not released; by a LINE key of the proposing premises.
    /// @dev typed data: Withdraw(uint64 batch,address signer,uint256 nonce,uint48 deadline)
    function withdraw(uint64 batch, Consent calldata consent) external;

    /// @dev typed data: ChangeStatus(uint8 to,bytes units,bytes32 openings,address signer,uint256 nonce,uint48 deadline)
    /// @param units 8 bytes each, big-endian, 1 to MAX_UNITS of them
    /// @return id the receipt's: this call's EIP-712 digest
    function changeStatus(Status to, bytes calldata units, bytes32 openings, Consent calldata consent)
        external
        returns (bytes32 id);
    /// @notice Take a dispense, export or sample back, declaring that the pack was not given to the public. Only by the
    /// premises that set it, within REVERSAL_PERIOD, only for units that the call changed, once for each.
    /// @dev typed data: ReverseStatus(bytes32 id,bytes positions,address signer,uint256 nonce,uint48 deadline)
    /// @param positions one byte each: which of the receipt's units
    function reverseStatus(Receipt calldata receipt, bytes calldata positions, Consent calldata consent) external;
    /// @notice Bring LOCKED or SUSPECT units back to ACTIVE; MAH and regulator, two companies, together.
    /// @dev typed data, signed by both: LiftStatus(bytes units,address signer,uint256 nonce,uint48 deadline), each with its own nonce
    function liftStatus(bytes calldata units, Consent calldata mah, Consent calldata regulator) external;

    function statusOf(uint64 unit) external view returns (Status);
    function batchOf(uint64 batch) external view returns (Batch memory);
    /// @notice keccak256(abi.encode(receipt)), or 0
    function receiptHash(bytes32 id) external view returns (bytes32);
    /// @notice Bit i set: the receipt's unit i was reversed.
    function reversedOf(bytes32 id) external view returns (uint256);
    /// @notice All that a verdict needs about one unit, in one call.
    /// @return status of the unit; says nothing unless its index is below the batch's count
    /// @return batch all zero where there is none
    /// @return recall 0 none, else IRecallBoard.Kind of lot or batch, the graver of the two
    /// @return recalledAt unix time of that entry
    function factsOf(uint64 unit) external view returns (Status status, Batch memory batch, uint8 recall, uint40 recalledAt);
}
