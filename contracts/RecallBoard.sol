// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPartyRegistry} from "./interfaces/IPartyRegistry.sol";
import {IRecallBoard} from "./interfaces/IRecallBoard.sol";
import {Consent} from "./interfaces/Types.sol";
import {Purposes, Roles} from "./libraries/Roles.sol";
import {SignedCalls} from "./SignedCalls.sol";

/// @notice See `IRecallBoard`.
contract RecallBoard is IRecallBoard, SignedCalls {
    bytes32 private constant RECALL_LOT =
        keccak256("RecallLot(uint32 mah,bytes32 lotKey,uint8 kind,bytes32 reason,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant RECALL_BATCH =
        keccak256("RecallBatch(uint32 mah,uint64 batch,uint8 kind,bytes32 reason,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant LIFT_RECALL =
        keccak256("LiftRecall(uint32 mah,bytes32 subject,bytes32 reason,address signer,uint256 nonce,uint48 deadline)");

    IPartyRegistry public immutable REGISTRY;

    struct Entry {
        Kind kind;
        uint40 since;
    }

    mapping(uint32 mah => mapping(bytes32 subject => Entry)) private _entries;

    constructor(IPartyRegistry registry) {
        REGISTRY = registry;
    }

    function recallLot(uint32 mah, bytes32 lotKey, Kind kind, bytes32 reason, Consent calldata consent) external {
        _accept(abi.encode(RECALL_LOT, mah, lotKey, kind, reason), consent);
        _recall(mah, lotKey, kind, reason, consent.signer);
    }

    function recallBatch(uint32 mah, uint64 batch, Kind kind, bytes32 reason, Consent calldata consent) external {
        _accept(abi.encode(RECALL_BATCH, mah, batch, kind, reason), consent);
        _recall(mah, _subjectOf(batch), kind, reason, consent.signer);
    }

    function liftRecall(uint32 mah, bytes32 subject, bytes32 reason, Consent calldata consent) external {
        _accept(abi.encode(LIFT_RECALL, mah, subject, reason), consent);
        (uint32 party,, uint16 roles) = REGISTRY.authority(consent.signer, Purposes.QUALITY);
        if (roles & Roles.REGULATOR == 0) revert NotRegulator(party);
        if (_entries[mah][subject].kind == Kind.NONE) revert NotRecalled(mah, subject);
        delete _entries[mah][subject];
        emit RecallLifted(mah, subject, party, reason);
    }

    function recallOf(uint32 mah, bytes32 lotKey, uint64 batch) external view returns (Kind kind, uint40 since) {
        Entry memory lot = _entries[mah][lotKey];
        Entry memory single = _entries[mah][_subjectOf(batch)];
        bool lotFirst = lot.kind == single.kind ? lot.since <= single.since : lot.kind > single.kind;
        return lotFirst ? (lot.kind, lot.since) : (single.kind, single.since);
    }

    function _recall(uint32 mah, bytes32 subject, Kind kind, bytes32 reason, address key) private {
        if (kind == Kind.NONE) revert InvalidKind();
        (uint32 party, uint32 company, uint16 roles) = REGISTRY.authority(key, Purposes.QUALITY);
        if (company != mah && roles & Roles.REGULATOR == 0) revert NotMahOrRegulator(party, mah);
        Entry storage entry = _entries[mah][subject];
        if (entry.kind > kind) revert AlreadyGraver(mah, subject, entry.kind);
        if (entry.kind < kind) _entries[mah][subject] = Entry(kind, uint40(block.timestamp));
        emit Recalled(mah, subject, kind, party, reason);
    }

    /// @dev Cannot meet a lot key, an HMAC whose upper 192 bits are zero with probability 2^-192.
    function _subjectOf(uint64 batch) private pure returns (bytes32) {
        return bytes32(uint256(batch));
    }
}
