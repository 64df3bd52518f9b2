// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IEventLog} from "./interfaces/IEventLog.sol";
import {IPartyRegistry} from "./interfaces/IPartyRegistry.sol";
import {Consent} from "./interfaces/Types.sol";
import {Purposes} from "./libraries/Roles.sol";
import {PausableCalls} from "./PausableCalls.sol";
import {SignedCalls} from "./SignedCalls.sol";

/// @notice See `IEventLog`.
contract EventLog is IEventLog, SignedCalls, PausableCalls {
    bytes32 private constant APPEND =
        keccak256("Append(uint64 lane,uint64 sequence,bytes32 root,uint32 count,address signer,uint256 nonce,uint48 deadline)");

    IPartyRegistry public immutable REGISTRY;

    mapping(uint32 party => mapping(uint64 lane => Entry[])) private _entries;

    constructor(address initialAuthority, IPartyRegistry registry) AccessManaged(initialAuthority) {
        REGISTRY = registry;
    }

    function append(uint64 lane, uint64 sequence, bytes32 root, uint32 count, Consent calldata consent)
        external
        whenNotPaused
    {
        if (count == 0) revert EmptyBatch();
        _accept(abi.encode(APPEND, lane, sequence, root, count), consent);
        (uint32 party,,) = REGISTRY.authority(consent.signer, Purposes.OPERATE);
        Entry[] storage entries = _entries[party][lane];
        if (sequence != entries.length) revert WrongSequence(uint64(entries.length), sequence);
        entries.push(Entry(root, count, uint40(block.timestamp), consent.signer));
        emit Appended(party, lane, sequence, root, count);
    }

    function entryOf(uint32 party, uint64 lane, uint64 sequence) external view returns (Entry memory entry) {
        Entry[] storage entries = _entries[party][lane];
        if (sequence < entries.length) entry = entries[sequence];
    }

    function nextSequence(uint32 party, uint64 lane) external view returns (uint64) {
        return uint64(_entries[party][lane].length);
    }
}
