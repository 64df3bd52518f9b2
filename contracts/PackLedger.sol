// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IPackLedger} from "./interfaces/IPackLedger.sol";
import {IPartyRegistry} from "./interfaces/IPartyRegistry.sol";
import {IRecallBoard} from "./interfaces/IRecallBoard.sol";
import {Consent, Refusal, Status} from "./interfaces/Types.sol";
import {Purposes, Roles} from "./libraries/Roles.sol";
import {StatusRules} from "./libraries/StatusRules.sol";
import {StatusWord, statusWordOf} from "./libraries/StatusWord.sol";
import {UnitList} from "./libraries/UnitList.sol";
import {UnitNumber} from "./libraries/UnitNumber.sol";
import {PausableCalls} from "./PausableCalls.sol";
import {SignedCalls} from "./SignedCalls.sol";

/// @notice See `IPackLedger`.
contract PackLedger is IPackLedger, SignedCalls, PausableCalls {
    using StatusRules for StatusRules.Rule;
    using UnitList for bytes;
    using UnitNumber for uint64;

    bytes32 private constant PROPOSE = keccak256(
        "Propose(uint64 batch,bytes32 productKey,bytes32 lotKey,bytes32 itemRoot,uint32 count,uint40 expiresAt,uint256 nonce,uint48 deadline)"
    );
    bytes32 private constant RELEASE = keccak256("Release(uint64 batch,uint256 nonce,uint48 deadline)");
    bytes32 private constant WITHDRAW = keccak256("Withdraw(uint64 batch,uint256 nonce,uint48 deadline)");
    bytes32 private constant CHANGE_STATUS =
        keccak256("ChangeStatus(uint8 to,bytes units,bytes32 openings,uint256 nonce,uint48 deadline)");
    bytes32 private constant REVERSE_STATUS =
        keccak256("ReverseStatus(bytes32 id,bytes positions,uint256 nonce,uint48 deadline)");
    bytes32 private constant LIFT_STATUS = keccak256("LiftStatus(bytes units,uint256 nonce,uint48 deadline)");

    uint256 public constant MAX_UNITS = 256;
    uint256 public constant MAX_SUSPECTS_PER_DAY = 256;
    uint40 public constant REVERSAL_PERIOD = 10 days;

    /// @dev In a receipt's outcomes: this unit was refused; the low bits are the `Refusal`.
    uint8 private constant REFUSED = 0x80;

    IPartyRegistry public immutable REGISTRY;
    IRecallBoard public immutable RECALL_BOARD;

    /// @dev Three slots: itemRoot; lotKey; all the rest.
    mapping(uint64 batch => Batch) private _batches;
    mapping(uint256 key => StatusWord) private _words;
    mapping(bytes32 id => bytes32) private _receipts;
    mapping(bytes32 id => uint256) private _reversed;
    mapping(address key => Allowance) private _suspects;

    /// @param day  days since 1970 (UTC)
    /// @param used units that the key asked to be SUSPECT on that day
    struct Allowance {
        uint128 day;
        uint128 used;
    }

    /// @dev What the loop over a call's units needs to know about the batch of the unit at hand.
    struct Lot {
        uint64 batch;
        BatchState state;
        uint32 mah;
        uint32 count;
        bool expired;
        bool recalled;
    }

    /// @dev Who made a call, and which.
    struct Caller {
        bytes32 call;
        uint32 party;
        uint32 company;
        uint16 roles;
    }

    constructor(address initialAuthority, IPartyRegistry registry, IRecallBoard recallBoard)
        AccessManaged(initialAuthority)
    {
        REGISTRY = registry;
        RECALL_BOARD = recallBoard;
    }

    // ---- batches ----

    function propose(Proposal calldata proposal, Consent calldata consent) external whenNotPaused {
        _accept(
            keccak256(
                abi.encode(
                    PROPOSE,
                    proposal.batch,
                    proposal.productKey,
                    proposal.lotKey,
                    proposal.itemRoot,
                    proposal.count,
                    proposal.expiresAt,
                    consent.nonce,
                    consent.deadline
                )
            ),
            consent
        );
        (uint32 party, uint32 product, uint32 mah) = REGISTRY.lineAuthority(consent.signer, proposal.productKey);
        uint64 batch = proposal.batch;
        if (batch.proposerOf() != party) revert BatchNumberNotYours(batch, party);
        if (_batches[batch].state != BatchState.NONE) revert BatchExists(batch);
        if (proposal.count == 0 || proposal.count > UnitNumber.MAX_COUNT) revert InvalidCount(proposal.count);
        if (proposal.expiresAt <= block.timestamp || proposal.expiresAt % 1 days != 0) {
            revert InvalidExpiry(proposal.expiresAt);
        }
        _batches[batch] = Batch({
            itemRoot: proposal.itemRoot,
            lotKey: proposal.lotKey,
            product: product,
            mah: mah,
            count: proposal.count,
            expiresAt: proposal.expiresAt,
            proposedAt: uint40(block.timestamp),
            releasedAt: 0,
            state: BatchState.PROPOSED
        });
        emit BatchProposed(batch, mah, proposal.lotKey, product, proposal.count);
    }

    function release(uint64 batch, Consent calldata consent) external whenNotPaused {
        _accept(keccak256(abi.encode(RELEASE, batch, consent.nonce, consent.deadline)), consent);
        Batch storage data = _batches[batch];
        if (data.state != BatchState.PROPOSED) revert BatchNotProposed(batch);
        REGISTRY.qualityAuthority(consent.signer, data.product);
        data.state = BatchState.RELEASED;
        data.releasedAt = uint40(block.timestamp);
        emit BatchReleased(batch, consent.signer);
    }

    function withdraw(uint64 batch, Consent calldata consent) external whenNotPaused {
        _accept(keccak256(abi.encode(WITHDRAW, batch, consent.nonce, consent.deadline)), consent);
        (uint32 party,,) = REGISTRY.authority(consent.signer, Purposes.LINE);
        if (batch.proposerOf() != party) revert NotProposer(batch, party);
        Batch storage data = _batches[batch];
        if (data.state != BatchState.PROPOSED) revert BatchNotProposed(batch);
        data.state = BatchState.WITHDRAWN;
        data.releasedAt = uint40(block.timestamp);
        emit BatchWithdrawn(batch);
    }

    // ---- status of units ----

    function changeStatus(Status to, bytes calldata units, bytes32 openings, Consent calldata consent)
        external
        whenNotPaused
        returns (bytes32 id)
    {
        if (to == Status.ACTIVE) revert InvalidStatus(to);
        uint256 length = _lengthOf(units);
        id = _accept(
            keccak256(abi.encode(CHANGE_STATUS, to, keccak256(units), openings, consent.nonce, consent.deadline)),
            consent
        );
        Caller memory caller = _callerOf(id, consent.signer);
        if (to == Status.SUSPECT) _useAllowance(consent.signer, length);

        StatusRules.Rule memory rule = StatusRules.ruleOf(to);
        bytes memory outcomes = new bytes(length);
        Lot memory lot;
        for (uint256 i = 0; i < length; ++i) {
            uint64 unit = units.unitAt(i);
            lot = _lotOf(unit, lot, rule.marketable);
            Status found = statusOf(unit);
            outcomes[i] = _settle(unit, found, to, _refusalOf(rule, caller, lot, unit, found), caller);
        }

        _receipts[id] = keccak256(
            abi.encode(Receipt(id, caller.party, to, uint40(block.timestamp), openings, units, outcomes))
        );
        emit StatusChanged(id, caller.party, to, openings, units, outcomes);
    }

    function reverseStatus(Receipt calldata receipt, bytes calldata positions, Consent calldata consent)
        external
        whenNotPaused
    {
        bytes32 id = receipt.id;
        if (_receipts[id] != keccak256(abi.encode(receipt))) revert NotReceipt(id);
        if (positions.length == 0 || positions.length > MAX_UNITS) revert InvalidPositions(positions.length);
        Caller memory caller = _callerOf(
            _accept(
                keccak256(
                    abi.encode(REVERSE_STATUS, id, keccak256(positions), consent.nonce, consent.deadline)
                ),
                consent
            ),
            consent.signer
        );
        if (caller.party != receipt.party) revert NotReceiptHolder(id, caller.party);
        if (!StatusRules.reversible(receipt.to)) revert NotReversible(receipt.to);
        uint40 until = receipt.time + REVERSAL_PERIOD;
        if (block.timestamp > until) revert ReversalTooLate(id, until);

        _reverse(receipt, positions, caller);
    }

    function liftStatus(bytes calldata units, Consent calldata mah, Consent calldata regulator)
        external
        whenNotPaused
    {
        uint256 length = _lengthOf(units);
        Caller memory caller = _acceptLift(units, mah);
        Caller memory second = _acceptLift(units, regulator);
        if (second.roles & Roles.REGULATOR == 0) revert NotRegulator(second.party);
        if (caller.company == second.company) revert NotMah(caller.party);

        bytes memory outcomes = new bytes(length);
        Lot memory lot;
        for (uint256 i = 0; i < length; ++i) {
            uint64 unit = units.unitAt(i);
            lot = _lotOf(unit, lot, false);
            Status found = statusOf(unit);
            outcomes[i] = _settle(unit, found, Status.ACTIVE, _liftRefusalOf(caller, lot, unit, found), caller);
        }
        emit StatusLifted(caller.call, caller.party, second.party, units, outcomes);
    }

    // ---- read by anybody ----

    function statusOf(uint64 unit) public view returns (Status) {
        return _words[statusWordOf(unit)].statusAt(unit);
    }

    function batchOf(uint64 batch) external view returns (Batch memory) {
        return _batches[batch];
    }

    function receiptHash(bytes32 id) external view returns (bytes32) {
        return _receipts[id];
    }

    function reversedOf(bytes32 id) external view returns (uint256) {
        return _reversed[id];
    }

    function factsOf(uint64 unit)
        external
        view
        returns (Status status, Batch memory batch, uint8 recall, uint40 recalledAt)
    {
        status = statusOf(unit);
        uint64 number = unit.batchOf();
        batch = _batches[number];
        if (batch.state == BatchState.NONE) return (status, batch, 0, 0);
        IRecallBoard.Kind kind;
        (kind, recalledAt) = RECALL_BOARD.recallOf(batch.mah, batch.lotKey, number);
        recall = uint8(kind);
    }

    // ---- inside: one call ----

    function _lengthOf(bytes calldata units) private pure returns (uint256 length) {
        length = units.length / UnitList.SIZE;
        if (length == 0 || length > MAX_UNITS || units.length % UnitList.SIZE != 0) revert InvalidUnits(units.length);
    }

    function _callerOf(bytes32 call, address key) private view returns (Caller memory caller) {
        caller.call = call;
        (caller.party, caller.company, caller.roles) = REGISTRY.authority(key, Purposes.OPERATE);
    }

    function _acceptLift(bytes calldata units, Consent calldata consent) private returns (Caller memory) {
        bytes32 structHash = keccak256(abi.encode(LIFT_STATUS, keccak256(units), consent.nonce, consent.deadline));
        return _callerOf(_accept(structHash, consent), consent.signer);
    }

    function _useAllowance(address key, uint256 units) private {
        Allowance memory allowance = _suspects[key];
        uint128 today = uint128(block.timestamp / 1 days);
        if (allowance.day != today) allowance = Allowance(today, 0);
        allowance.used += uint128(units);
        if (allowance.used > MAX_SUSPECTS_PER_DAY) revert TooManySuspects(key, MAX_SUSPECTS_PER_DAY);
        _suspects[key] = allowance;
    }

    function _reverse(Receipt calldata receipt, bytes calldata positions, Caller memory caller) private {
        bytes memory units = new bytes(positions.length * UnitList.SIZE);
        bytes memory outcomes = new bytes(positions.length);
        uint256 reversed = _reversed[receipt.id];
        Lot memory lot;
        for (uint256 i = 0; i < positions.length; ++i) {
            uint8 position = uint8(positions[i]);
            if (position >= receipt.outcomes.length) revert InvalidPositions(position);
            uint64 unit = receipt.units.unitAt(position);
            units.put(i, unit);
            lot = _lotOf(unit, lot, true);
            Status found = statusOf(unit);
            Refusal refusal = _reversalRefusalOf(receipt, position, reversed, lot, found);
            if (refusal == Refusal.NONE) reversed |= 1 << position;
            outcomes[i] = _settle(unit, found, Status.ACTIVE, refusal, caller);
        }
        _reversed[receipt.id] = reversed;
        emit StatusReversed(receipt.id, caller.party, units, outcomes);
    }

    // ---- inside: one unit ----

    /// @return what is known about the batch of `unit`: `last` itself while the batch stays the same
    function _lotOf(uint64 unit, Lot memory last, bool askRecall) private view returns (Lot memory) {
        uint64 number = unit.batchOf();
        if (last.state != BatchState.NONE && last.batch == number) return last;
        Batch storage batch = _batches[number];
        Lot memory lot = Lot({
            batch: number,
            state: batch.state,
            mah: batch.mah,
            count: batch.count,
            expired: block.timestamp >= batch.expiresAt,
            recalled: false
        });
        if (askRecall && lot.state != BatchState.NONE) {
            (IRecallBoard.Kind kind,) = RECALL_BOARD.recallOf(lot.mah, batch.lotKey, number);
            lot.recalled = kind != IRecallBoard.Kind.NONE;
        }
        return lot;
    }

    function _refusalOf(
        StatusRules.Rule memory rule,
        Caller memory caller,
        Lot memory lot,
        uint64 unit,
        Status found
    ) private pure returns (Refusal) {
        if (unit.indexOf() >= lot.count) return Refusal.UNKNOWN_UNIT;
        if (lot.state != BatchState.RELEASED && !(rule.beforeRelease && lot.state == BatchState.PROPOSED)) {
            return Refusal.NOT_RELEASED;
        }
        if (!rule.allows(found)) return Refusal.WRONG_STATUS;
        if (rule.marketable && lot.expired) return Refusal.EXPIRED;
        if (rule.marketable && lot.recalled) return Refusal.RECALLED;
        if (!rule.permits(caller.roles, caller.company == lot.mah)) return Refusal.NOT_ALLOWED;
        return Refusal.NONE;
    }

    function _reversalRefusalOf(
        Receipt calldata receipt,
        uint8 position,
        uint256 reversed,
        Lot memory lot,
        Status found
    ) private pure returns (Refusal) {
        if (uint8(receipt.outcomes[position]) & REFUSED != 0) return Refusal.NOT_CHANGED_HERE;
        if (reversed & (1 << position) != 0) return Refusal.ALREADY_REVERSED;
        if (lot.state == BatchState.WITHDRAWN) return Refusal.NOT_RELEASED;
        if (found != receipt.to) return Refusal.WRONG_STATUS;
        if (lot.expired) return Refusal.EXPIRED;
        if (lot.recalled) return Refusal.RECALLED;
        return Refusal.NONE;
    }

    function _liftRefusalOf(Caller memory caller, Lot memory lot, uint64 unit, Status found)
        private
        pure
        returns (Refusal)
    {
        if (unit.indexOf() >= lot.count) return Refusal.UNKNOWN_UNIT;
        if (lot.state == BatchState.WITHDRAWN) return Refusal.NOT_RELEASED;
        if (!StatusRules.liftable(found)) return Refusal.WRONG_STATUS;
        if (caller.company != lot.mah) return Refusal.NOT_ALLOWED;
        return Refusal.NONE;
    }

    /// @notice Write the unit's status, or leave it and record the conflict.
    /// @return outcome as in `Receipt.outcomes`
    function _settle(uint64 unit, Status found, Status to, Refusal refusal, Caller memory caller)
        private
        returns (bytes1 outcome)
    {
        if (refusal == Refusal.NONE) {
            uint256 word = statusWordOf(unit);
            _words[word] = _words[word].withStatus(unit, to);
            return bytes1(uint8(found));
        }
        emit Conflict(unit, caller.party, caller.call, to, found, refusal);
        return bytes1(REFUSED | uint8(refusal));
    }
}
