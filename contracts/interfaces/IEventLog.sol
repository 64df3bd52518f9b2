// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Consent} from "./Types.sol";

/// @title The notary: each party's own append-only log of sealed event batches.
/// @notice An entry is the root of an RFC 9162 tree over event digests. A party has as many lanes as it likes; within a
/// lane the sequence starts at 0 and grows by one.
interface IEventLog {
    struct Entry {
        bytes32 root;
        uint32 count;
        uint40 time;
        address key; // that signed it
    }

    event Appended(uint32 indexed party, uint64 indexed lane, uint64 indexed sequence, bytes32 root, uint32 count);

    error WrongSequence(uint64 expected, uint64 given);
    error EmptyBatch();

    /// @dev typed data: Append(uint64 lane,uint64 sequence,bytes32 root,uint32 count,address signer,uint256 nonce,uint48 deadline)
    function append(uint64 lane, uint64 sequence, bytes32 root, uint32 count, Consent calldata consent) external;

    /// @return the entry, all zero where there is none
    function entryOf(uint32 party, uint64 lane, uint64 sequence) external view returns (Entry memory);
    function nextSequence(uint32 party, uint64 lane) external view returns (uint64);
}
