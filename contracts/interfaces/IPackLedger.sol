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
///
/// | to | by | from |
/// | --- | --- | --- |
/// | SUPPLIED | dispenser; wholesaler where Art. 23 of Regulation 2016/161 applies | ACTIVE; not if expired or recalled |
/// | EXPORTED | wholesaler, MAH | ACTIVE; not if expired or recalled: no market gets what this one may not have |
/// | FREE_SAMPLE | MAH, regulator | ACTIVE; not if expired or recalled: it is given to a patient |
/// | SAMPLED | MAH, regulator | ACTIVE; also if expired or recalled, and before release |
/// | DESTROYED | MAH, wholesaler | ACTIVE, LOCKED, SUSPECT; also if expired or recalled, and before release |
/// | STOLEN | MAH, regulator | any but DESTROYED and STOLEN |
/// | LOCKED | MAH, regulator | ACTIVE, SUSPECT; also before release |
/// | SUSPECT | any licensed party, capped for each key and day; a proof of a duplicate | ACTIVE |
/// | ACTIVE | `reverseStatus`: the premises that set it | SUPPLIED, EXPORTED, SAMPLED, FREE_SAMPLE |
/// | ACTIVE | `liftStatus`: MAH and regulator together | LOCKED, SUSPECT |
/// | as before a call | `restoreStatus`: MAH and regulator together | what that call set |
///
/// MAH: any premises of the company that holds the marketing authorisation of the unit's batch.
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
    /// @param expiresAt unix time from which the lot is expired: 00:00 UTC of the day after the printed date; in the future,
    /// and before the year 2149 (`Batch.expiryDay`)
    struct Proposal {
        uint64 batch;
        bytes32 productKey;
        bytes32 lotKey;
        bytes32 itemRoot;
        uint32 count;
        uint40 expiresAt;
    }

    /// @notice Three slots; all after `lotKey` fills the third one to the last bit.
    struct Batch {
        bytes32 itemRoot;
        bytes32 lotKey;
        uint32 product;
        uint24 mah; // company number of the marketing authorisation holder
        uint24 count;
        uint16 expiryDay; // days since 1970 (UTC): expired from this one's first second
        uint40 proposedAt;
        uint40 releasedAt; // or withdrawnAt
        BatchState state;
        uint24 duplicates; // units that are flagged now, see `proveDuplicate`
        uint24 proposer; // the LINE key that proposed it (`IPartyRegistry.Key.number`)
        uint24 releaser; // the QUALITY key that released it, or 0
    }

    /// @notice Who signed for a batch. What a leaked key signed at or after `compromisedSince` is not to be believed.
    /// @param compromisedSince unix time, 0 for never
    struct BatchSigner {
        address key;
        uint40 compromisedSince;
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

    /// @notice Why a call's changes are restored.
    enum Ground {
        NOT_OPENED, // its party could not, or would not, open the leaf hashes that the call committed to
        KEY_COMPROMISED,
        OTHER
    }

    /// @notice Shows which serial a unit has: its leaf in the item tree, and the way from there to the batch's root.
    /// @param salt the leaf's; its data are "packtrace/item/v1" ‖ role 0x01 (epc) ‖ salt ‖ canonical URI
    /// @param path inclusion path, lowest node first (RFC 9162, section 2.1.3), 20 nodes at most
    struct Opening {
        uint64 unit;
        bytes16 salt;
        bytes32[] path;
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
    /// @param id the receipt of the call whose changes were restored
    /// @param outcomes one byte for each of `units`: the status that it has again, else 0x80 | Refusal
    event StatusRestored(
        bytes32 indexed id, uint32 indexed mah, uint32 indexed regulator, Ground ground, bytes units, bytes outcomes
    );
    /// @notice Two units have one serial; both are flagged from here on.
    /// @param found, twinFound their statuses before; ACTIVE became SUSPECT, any other stays
    /// @param uri the serial, as canonical GS1 Digital Link URI
    event DuplicateProven(uint64 indexed unit, uint64 indexed twin, Status found, Status twinFound, bytes uri);
    /// @param call the EIP-712 digest of the MAH's consent
    event StatusLifted(bytes32 indexed call, uint32 indexed mah, uint32 indexed regulator, bytes units, bytes outcomes);
    /// @notice One for each unit that a call could not change; `found` is the status that it keeps, `to` the one that the
    /// call asked for (ACTIVE by a reversal or a lift, by a restoration the one that it had before).
    /// @param call the EIP-712 digest of the call; of the MAH's consent to a lift or a restoration
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
    /// @notice Neither the proposing premises nor of the company that holds the marketing authorisation.
    error NotProposer(uint64 batch, uint32 party);
    error NotReceipt(bytes32 id);
    error NotReceiptHolder(bytes32 id, uint32 party);
    error ReversalTooLate(bytes32 id, uint40 until);
    error NotReversible(Status status);
    error InvalidPositions(uint256 length);
    error NotRegulator(uint32 party);
    error NotMah(uint32 party);
    error UnitsNotSorted(uint64 unit, uint64 twin);
    error BatchNotReleased(uint64 batch);
    error DifferentProducts(uint64 unit, uint64 twin);
    error InvalidUri(uint256 length);
    /// @notice The opening does not lead to the root of the unit's batch.
    error NotOpened(uint64 unit);
    error TooManySuspects(address key, uint256 cap);
    /// @notice The licensing authority gave this key a daily cap (`IPartyRegistry.Key.dailyCap`), and it is reached.
    error TooManyChanges(address key, uint256 cap);

    /// @notice Units in one call, at most.
    function MAX_UNITS() external view returns (uint256); // 256
    /// @notice Units that one key can ask to be SUSPECT in one UTC day, at most. A call beyond it reverts.
    function MAX_SUSPECTS_PER_DAY() external view returns (uint256); // 256
    /// @notice A dispense, export or sample can be reversed this long (Delegated Regulation 2016/161, Art. 13).
    function REVERSAL_PERIOD() external view returns (uint40); // 10 days
    /// @notice Bytes of a serial's URI, at most; an SGTIN's has 100 (20 characters of a serial, each percent-encoded).
    function MAX_URI() external view returns (uint256); // 128

    /// @dev typed data: Propose(uint64 batch,bytes32 productKey,bytes32 lotKey,bytes32 itemRoot,uint32 count,uint40 expiresAt,address signer,uint256 nonce,uint48 deadline)
    function propose(Proposal calldata proposal, Consent calldata consent) external;
    /// @notice Release a proposal, by a qualified person of its product, who consents to the very items: a reorganisation
    /// could put another proposal under the same number.
    /// @dev typed data: Release(uint64 batch,bytes32 itemRoot,address signer,uint256 nonce,uint48 deadline)
    /// @param itemRoot the proposal's, else WrongItemRoot
    function release(uint64 batch, bytes32 itemRoot, Consent calldata consent) external;
    /// @notice Withdraw a proposal that was not released: by a LINE key of the proposing premises, or by a QUALITY key of
    /// another premises of the marketing authorisation holder's company (which may have no other hold on a contract
    /// manufacturer's line whose key was stolen).
    /// @dev typed data: Withdraw(uint64 batch,address signer,uint256 nonce,uint48 deadline)
    function withdraw(uint64 batch, Consent calldata consent) external;

    /// @dev typed data: ChangeStatus(uint8 to,bytes units,bytes32 openings,address signer,uint256 nonce,uint48 deadline)
    /// @notice Every unit named counts towards the daily cap of the signer's key, where it has one, refused or not.
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
    /// @notice Bring LOCKED or SUSPECT units back to ACTIVE; MAH and regulator, two companies, together. This alone takes
    /// the flag of a proven duplicate away, and only where both said that they mean it: a proof that reaches the chain
    /// between their signatures and the call must not be swept away unseen.
    /// @dev typed data, signed by both: LiftStatus(bytes units,bool duplicates,address signer,uint256 nonce,uint48 deadline), each with its own nonce
    /// @param duplicates also flagged units, whose flag goes; else these are refused (DUPLICATE)
    function liftStatus(bytes calldata units, bool duplicates, Consent calldata mah, Consent calldata regulator) external;
    /// @notice Undo what one call of `changeStatus` changed, because it cannot be opened or its key was compromised; MAH of
    /// the units' batches and regulator, two companies, together, at any time, whatever the status, STOLEN and DESTROYED
    /// included. Each unit gets the status back that the call found, if it still has the one that the call set; a flagged
    /// one gets SUSPECT instead of ACTIVE, as if the proof had found it ACTIVE. Once for each unit of a receipt: what was
    /// reversed is not restored, nor the other way round.
    ///
    /// Of several calls that changed one unit the newest is restored first; the older ones are conflicts until then.
    /// Where a lift came between (LOCKED or SUSPECT, lifted, and set again), the older receipt fits too: it gives the unit
    /// no status that those two companies could not give it by another lift.
    /// @dev typed data, signed by both: RestoreStatus(bytes32 id,bytes positions,uint8 ground,address signer,uint256 nonce,uint48 deadline), each with its own nonce
    /// @param positions one byte each: which of the receipt's units
    function restoreStatus(
        Receipt calldata receipt,
        bytes calldata positions,
        Ground ground,
        Consent calldata mah,
        Consent calldata regulator
    ) external;
    /// @notice Show that two units have one serial, and flag both. By anybody: no key, no licence, no consent. Both must be
    /// of one product and of released batches, so that who commits to a rival's serials, or has stolen a line's key only,
    /// cannot freeze what is on the market. ACTIVE becomes SUSPECT, any other status stays; while a unit is flagged, no
    /// reversal makes it ACTIVE. It publishes the serial. Doing it again does nothing, also after a lift.
    /// @param uri canonical GS1 Digital Link URI of the serial, 1 to MAX_URI bytes
    /// @param unit the unit with the lower number
    function proveDuplicate(bytes calldata uri, Opening calldata unit, Opening calldata twin) external;

    function statusOf(uint64 unit) external view returns (Status);
    function batchOf(uint64 batch) external view returns (Batch memory);
    /// @notice keccak256(abi.encode(receipt)), or 0
    function receiptHash(bytes32 id) external view returns (bytes32);
    /// @notice Bit i set: the receipt's unit i was reversed or restored.
    function reversedOf(bytes32 id) external view returns (uint256);
    /// @notice All that a verdict needs about one unit, in one call.
    /// @return status of the unit; says nothing unless its index is below the batch's count
    /// @return batch all zero where there is none
    /// @return recall 0 none, else IRecallBoard.Kind of lot or batch, the graver of the two
    /// @return recalledAt unix time of that entry
    /// @return twin 0, or, while the unit is flagged, the unit that was proven to have the same serial (the last one)
    /// @return proposer who proposed the batch, as the registry says now
    /// @return releaser who released it, all zero where nobody has
    function factsOf(uint64 unit)
        external
        view
        returns (
            Status status,
            Batch memory batch,
            uint8 recall,
            uint40 recalledAt,
            uint64 twin,
            BatchSigner memory proposer,
            BatchSigner memory releaser
        );
}
