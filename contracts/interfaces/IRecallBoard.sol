// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Consent} from "./Types.sol";

/// @title What is recalled: by lot or by batch.
/// @notice Entries live under the marketing authorisation holder's company number, so that nobody can recall, or squat,
/// what is not theirs. A QUALITY key of the MAH or of a regulator writes them; only a regulator lifts them. An entry can
/// be made graver, never weaker. There is no pause here: a recall can always be written.
interface IRecallBoard {
    enum Kind {
        NONE,
        WITHDRAWN, // taken off the market, packs with patients may stay
        RECALLED
    }

    event Recalled(uint32 indexed mah, bytes32 indexed subject, Kind kind, uint32 by, bytes32 reason);
    event RecallLifted(uint32 indexed mah, bytes32 indexed subject, uint32 by, bytes32 reason);

    error NotMahOrRegulator(uint32 party, uint32 mah);
    error NotRegulator(uint32 party);
    error NotRecalled(uint32 mah, bytes32 subject);
    error InvalidKind();
    /// @notice The entry is graver already; a regulator would have to lift it first.
    error AlreadyGraver(uint32 mah, bytes32 subject, Kind kind);

    /// @dev typed data: RecallLot(uint32 mah,bytes32 lotKey,uint8 kind,bytes32 reason,address signer,uint256 nonce,uint48 deadline)
    /// @param reason SHA-256 of the recall notice. A second call of the same kind keeps the entry's time and is recorded
    /// as an event.
    function recallLot(uint32 mah, bytes32 lotKey, Kind kind, bytes32 reason, Consent calldata consent) external;
    /// @dev typed data: RecallBatch(uint32 mah,uint64 batch,uint8 kind,bytes32 reason,address signer,uint256 nonce,uint48 deadline)
    function recallBatch(uint32 mah, uint64 batch, Kind kind, bytes32 reason, Consent calldata consent) external;
    /// @dev typed data: LiftRecall(uint32 mah,bytes32 subject,bytes32 reason,address signer,uint256 nonce,uint48 deadline)
    /// @param subject the lot key, or bytes32(uint256(batch))
    function liftRecall(uint32 mah, bytes32 subject, bytes32 reason, Consent calldata consent) external;

    /// @return kind the graver of lot and batch
    /// @return since unix time of that entry; the earlier one where both are of that kind
    function recallOf(uint32 mah, bytes32 lotKey, uint64 batch) external view returns (Kind kind, uint40 since);
}
