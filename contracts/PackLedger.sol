// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IPackLedger} from "./interfaces/IPackLedger.sol";
import {IPartyRegistry} from "./interfaces/IPartyRegistry.sol";
import {IRecallBoard} from "./interfaces/IRecallBoard.sol";
import {Consent, Refusal, Status} from "./interfaces/Types.sol";
import {ItemTree} from "./libraries/ItemTree.sol";
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
        "Propose(uint64 batch,bytes32 productKey,bytes32 lotKey,bytes32 itemRoot,uint32 count,uint40 expiresAt,address signer,uint256 nonce,uint48 deadline)"
    );
    bytes32 private constant RELEASE =
        keccak256("Release(uint64 batch,bytes32 itemRoot,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant WITHDRAW = keccak256("Withdraw(uint64 batch,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant CHANGE_STATUS =
        keccak256("ChangeStatus(uint8 to,bytes units,bytes32 openings,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant REVERSE_STATUS =
        keccak256("ReverseStatus(bytes32 id,bytes positions,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant LIFT_STATUS =
        keccak256("LiftStatus(bytes units,bool duplicates,address signer,uint256 nonce,uint48 deadline)");
    bytes32 private constant RESTORE_STATUS = keccak256(
        "RestoreStatus(bytes32 id,bytes positions,uint8 ground,address signer,uint256 nonce,uint48 deadline)"
    );

    uint256 public constant MAX_UNITS = 256;
    uint256 public constant MAX_SUSPECTS_PER_DAY = 256;
    uint40 public constant REVERSAL_PERIOD = 10 days;
    uint256 public constant MAX_URI = 128;

    /// @dev In a receipt's outcomes: this unit was refused; the low bits are the `Refusal`.
    uint8 private constant REFUSED = 0x80;

    IPartyRegistry public immutable REGISTRY;
    IRecallBoard public immutable RECALL_BOARD;

    mapping(uint64 batch => Batch) private _batches;
    mapping(uint256 key => Word) private _words;
    mapping(bytes32 id => bytes32) private _receipts;
    mapping(bytes32 id => uint256) private _reversed;
    mapping(address key => Allowance) private _allowances;
    /// @dev Not 0: the unit is flagged, and this one has its serial. A flagged unit is never ACTIVE.
    mapping(uint64 unit => uint64 twin) private _twins;
    /// @dev Pairs that were proven once: the same proof does not undo a lift.
    mapping(uint64 unit => mapping(uint64 twin => bool)) private _proven;

    /// @param day      days since 1970 (UTC)
    /// @param suspects units that the key asked to be SUSPECT on that day
    /// @param changes  units that it asked to change at all, counted for a key with a daily cap
    struct Allowance {
        uint64 day;
        uint64 suspects;
        uint64 changes;
    }

    struct Word {
        StatusWord units;
    }

    /// @dev One call that changes units: who made it, to which status, under which rule.
    /// @param id the call's EIP-712 digest
    struct Call {
        bytes32 id;
        uint32 party;
        uint32 company;
        uint16 roles;
        uint16 dailyCap;
        Status to;
        StatusRules.Rule rule;
    }

    /// @dev What the batch at hand means for the units of a call. Number 0 is no batch.
    /// @param early refusal of any unit, whatever its status
    /// @param late  refusal of a unit whose status would allow the change
    /// @param flagged the call is one that leads to ACTIVE, and some of the batch's units are flagged
    struct Lot {
        uint64 batch;
        uint32 count;
        Refusal early;
        Refusal late;
        bool flagged;
    }

    constructor(address initialAuthority, IPartyRegistry registry, IRecallBoard recallBoard)
        AccessManaged(initialAuthority)
    {
        REGISTRY = registry;
        RECALL_BOARD = recallBoard;
    }

    // ---- batches ----

    function propose(Proposal calldata proposal, Consent calldata consent) external whenNotPaused {
        _accept(abi.encode(PROPOSE, proposal), consent);
        (uint32 party, uint32 product, uint32 mah, uint24 proposer) =
            REGISTRY.lineAuthority(consent.signer, proposal.productKey);
        uint64 batch = proposal.batch;
        if (batch.proposerOf() != party) revert BatchNumberNotYours(batch, party);
        if (_batches[batch].state != BatchState.NONE) revert BatchExists(batch);
        if (proposal.count == 0 || proposal.count > UnitNumber.MAX_COUNT) revert InvalidCount(proposal.count);
        uint40 expiryDay = proposal.expiresAt / 1 days;
        if (
            proposal.expiresAt <= block.timestamp || proposal.expiresAt % 1 days != 0
                || expiryDay > type(uint16).max
        ) revert InvalidExpiry(proposal.expiresAt);
        _batches[batch] = Batch({
            itemRoot: proposal.itemRoot,
            lotKey: proposal.lotKey,
            product: product,
            mah: uint24(mah), // party numbers have 22 bits
            count: uint24(proposal.count),
            expiryDay: uint16(expiryDay),
            proposedAt: uint40(block.timestamp),
            releasedAt: 0,
            state: BatchState.PROPOSED,
            duplicates: 0,
            proposer: proposer,
            releaser: 0
        });
        emit BatchProposed(batch, mah, proposal.lotKey, product, proposal.count);
    }

    function release(uint64 batch, bytes32 itemRoot, Consent calldata consent) external whenNotPaused {
        _accept(abi.encode(RELEASE, batch, itemRoot), consent);
        Batch storage data = _batches[batch];
        if (data.state != BatchState.PROPOSED) revert BatchNotProposed(batch);
        if (data.itemRoot != itemRoot) revert WrongItemRoot(batch, data.itemRoot);
        (, data.releaser) = REGISTRY.qualityAuthority(consent.signer, data.product);
        data.state = BatchState.RELEASED;
        data.releasedAt = uint40(block.timestamp);
        emit BatchReleased(batch, consent.signer);
    }

    function withdraw(uint64 batch, Consent calldata consent) external whenNotPaused {
        _accept(abi.encode(WITHDRAW, batch), consent);
        Batch storage data = _batches[batch];
        _requireWithdrawer(consent.signer, batch, data.mah);
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
        uint256 count = _countOf(units);
        id = _accept(abi.encode(CHANGE_STATUS, to, keccak256(units), openings), consent);
        Call memory call = _callBy(consent.signer, id, to, StatusRules.ruleOf(to));
        if (to == Status.SUSPECT || call.dailyCap != 0) _useAllowance(consent.signer, count, call);
        bytes memory outcomes = _changeAll(units, call);
        _receipts[id] =
            keccak256(abi.encode(Receipt(id, call.party, to, uint40(block.timestamp), openings, units, outcomes)));
        emit StatusChanged(id, call.party, to, openings, units, outcomes);
    }

    function reverseStatus(Receipt calldata receipt, bytes calldata positions, Consent calldata consent)
        external
        whenNotPaused
    {
        bytes32 id = receipt.id;
        bytes32 digest = _accept(abi.encode(REVERSE_STATUS, id, keccak256(positions)), consent);
        _checkReceipt(receipt, positions);
        Call memory call = _callBy(consent.signer, digest, Status.ACTIVE, StatusRules.reversalOf(receipt.to));
        if (call.party != receipt.party) revert NotReceiptHolder(id, call.party);
        if (!StatusRules.reversible(receipt.to)) revert NotReversible(receipt.to);
        uint40 until = receipt.time + REVERSAL_PERIOD;
        if (block.timestamp > until) revert ReversalTooLate(id, until);
        (bytes memory units, bytes memory outcomes) = _undoAll(receipt, positions, call, false);
        emit StatusReversed(id, call.party, units, outcomes);
    }

    function liftStatus(bytes calldata units, bool duplicates, Consent calldata mah, Consent calldata regulator)
        external
        whenNotPaused
    {
        _countOf(units);
        bytes memory members = abi.encode(LIFT_STATUS, keccak256(units), duplicates);
        (Call memory call, uint32 second) = _acceptBoth(members, mah, regulator, StatusRules.lift());
        bytes memory outcomes = _liftAll(units, call, duplicates);
        emit StatusLifted(call.id, call.party, second, units, outcomes);
    }

    function restoreStatus(
        Receipt calldata receipt,
        bytes calldata positions,
        Ground ground,
        Consent calldata mah,
        Consent calldata regulator
    ) external whenNotPaused {
        bytes memory members = abi.encode(RESTORE_STATUS, receipt.id, keccak256(positions), ground);
        (Call memory call, uint32 second) =
            _acceptBoth(members, mah, regulator, StatusRules.restorationOf(receipt.to));
        _checkReceipt(receipt, positions);
        (bytes memory units, bytes memory outcomes) = _undoAll(receipt, positions, call, true);
        emit StatusRestored(receipt.id, call.party, second, ground, units, outcomes);
    }

    // ---- duplicates ----

    function proveDuplicate(bytes calldata uri, Opening calldata unit, Opening calldata twin) external whenNotPaused {
        if (unit.unit >= twin.unit) revert UnitsNotSorted(unit.unit, twin.unit);
        if (uri.length == 0 || uri.length > MAX_URI) revert InvalidUri(uri.length);
        uint32 product = _productOpened(uri, unit);
        if (_productOpened(uri, twin) != product) revert DifferentProducts(unit.unit, twin.unit);
        if (_proven[unit.unit][twin.unit]) return;
        _proven[unit.unit][twin.unit] = true;
        Status found = _flag(unit.unit, twin.unit);
        Status twinFound = _flag(twin.unit, unit.unit);
        emit DuplicateProven(unit.unit, twin.unit, found, twinFound, uri);
    }

    // ---- read by anybody ----

    function statusOf(uint64 unit) public view returns (Status) {
        return _words[statusWordOf(unit)].units.statusAt(unit);
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
        returns (
            Status status,
            Batch memory batch,
            uint8 recall,
            uint40 recalledAt,
            uint64 twin,
            BatchSigner memory proposer,
            BatchSigner memory releaser
        )
    {
        status = statusOf(unit);
        uint64 number = unit.batchOf();
        batch = _batches[number];
        if (batch.state == BatchState.NONE) return (status, batch, 0, 0, 0, proposer, releaser);
        twin = _twins[unit];
        (proposer, releaser) = (_signerOf(batch.proposer), _signerOf(batch.releaser));
        IRecallBoard.Kind kind;
        (kind, recalledAt) = RECALL_BOARD.recallOf(batch.mah, batch.lotKey, number);
        recall = uint8(kind);
    }

    // ---- inside: one call ----

    /// @param number of a key in the registry
    function _signerOf(uint24 number) private view returns (BatchSigner memory signer) {
        (signer.key, signer.compromisedSince) = REGISTRY.numberedKey(number);
    }

    /// @dev Which of the two purposes it takes follows from who the key speaks for.
    function _requireWithdrawer(address key, uint64 batch, uint32 mah) private view {
        if (batch.proposerOf() == REGISTRY.keyOf(key).party) {
            REGISTRY.authority(key, Purposes.LINE);
            return;
        }
        (uint32 party, uint32 company,) = REGISTRY.authority(key, Purposes.QUALITY);
        if (company != mah) revert NotProposer(batch, party);
    }

    function _countOf(bytes calldata units) private pure returns (uint256 count) {
        count = units.length / UnitList.SIZE;
        if (count == 0 || count > MAX_UNITS || units.length % UnitList.SIZE != 0) revert InvalidUnits(units.length);
    }

    function _callBy(address key, bytes32 id, Status to, StatusRules.Rule memory rule)
        private
        view
        returns (Call memory call)
    {
        (call.party, call.company, call.roles, call.dailyCap) = REGISTRY.statusAuthority(key);
        call.id = id;
        call.to = to;
        call.rule = rule;
    }

    /// @dev A call of the marketing authorisation holder with a regulator's consent. That the first is the holder of a
    /// unit's batch is for each unit to say.
    /// @return call of the holder
    /// @return second the regulator's party
    function _acceptBoth(
        bytes memory members,
        Consent calldata mah,
        Consent calldata regulator,
        StatusRules.Rule memory rule
    ) private returns (Call memory call, uint32 second) {
        call = _callBy(mah.signer, _accept(members, mah), Status.ACTIVE, rule);
        Call memory other = _callBy(regulator.signer, _accept(members, regulator), Status.ACTIVE, rule);
        if (other.roles & Roles.REGULATOR == 0) revert NotRegulator(other.party);
        if (call.company == other.company) revert NotMah(call.party);
        second = other.party;
    }

    function _checkReceipt(Receipt calldata receipt, bytes calldata positions) private view {
        if (_receipts[receipt.id] != keccak256(abi.encode(receipt))) revert NotReceipt(receipt.id);
        if (positions.length == 0 || positions.length > MAX_UNITS) revert InvalidPositions(positions.length);
    }

    function _useAllowance(address key, uint256 units, Call memory call) private {
        Allowance memory allowance = _allowances[key];
        uint64 today = uint64(block.timestamp / 1 days);
        if (allowance.day != today) allowance = Allowance(today, 0, 0);
        if (call.to == Status.SUSPECT) {
            allowance.suspects += uint64(units);
            if (allowance.suspects > MAX_SUSPECTS_PER_DAY) revert TooManySuspects(key, MAX_SUSPECTS_PER_DAY);
        }
        if (call.dailyCap != 0) {
            allowance.changes += uint64(units);
            if (allowance.changes > call.dailyCap) revert TooManyChanges(key, call.dailyCap);
        }
        _allowances[key] = allowance;
    }

    // ---- inside: the units of a call ----

    function _changeAll(bytes calldata units, Call memory call) private returns (bytes memory outcomes) {
        outcomes = new bytes(units.length / UnitList.SIZE);
        Lot memory lot;
        for (uint256 i = 0; i < outcomes.length; ++i) {
            uint64 unit = units.unitAt(i);
            if (lot.batch != unit.batchOf()) lot = _lotOf(unit.batchOf(), call);
            outcomes[i] = _settle(unit, lot, call, call.to, Refusal.NONE);
        }
    }

    function _liftAll(bytes calldata units, Call memory call, bool duplicates) private returns (bytes memory outcomes) {
        outcomes = new bytes(units.length / UnitList.SIZE);
        Lot memory lot;
        for (uint256 i = 0; i < outcomes.length; ++i) {
            uint64 unit = units.unitAt(i);
            if (lot.batch != unit.batchOf()) lot = _lotOf(unit.batchOf(), call);
            bool flagged = lot.flagged && _twins[unit] != 0;
            Refusal refusal = flagged && !duplicates ? Refusal.DUPLICATE : Refusal.NONE;
            outcomes[i] = _settle(unit, lot, call, Status.ACTIVE, refusal);
            if (flagged && _isChanged(outcomes[i])) {
                delete _twins[unit];
                --_batches[lot.batch].duplicates;
            }
        }
    }

    /// @dev Reversal and restoration: each unit back to the status that the receipt's call found.
    /// @param together it is a restoration, by two companies
    /// @return units the receipt's at these positions
    /// @return outcomes of a reversal: the statuses found; of a restoration: those that the units have again
    function _undoAll(Receipt calldata receipt, bytes calldata positions, Call memory call, bool together)
        private
        returns (bytes memory units, bytes memory outcomes)
    {
        units = new bytes(positions.length * UnitList.SIZE);
        outcomes = new bytes(positions.length);
        uint256 done = _reversed[receipt.id];
        Lot memory lot;
        for (uint256 i = 0; i < outcomes.length; ++i) {
            uint8 position = uint8(positions[i]);
            if (position >= receipt.outcomes.length) revert InvalidPositions(position);
            uint64 unit = receipt.units.unitAt(position);
            units.put(i, unit);
            if (lot.batch != unit.batchOf()) lot = _lotOf(unit.batchOf(), call);
            (Status to, Refusal refusal) = _backTo(receipt, position, done, lot.flagged && _twins[unit] != 0, together);
            outcomes[i] = _settle(unit, lot, call, to, refusal);
            if (!_isChanged(outcomes[i])) continue;
            done |= 1 << position;
            if (together) outcomes[i] = bytes1(uint8(to));
        }
        _reversed[receipt.id] = done;
    }

    /// @param done    bits of the receipt's units that were reversed or restored
    /// @param flagged the unit is flagged
    /// @return to the status that the unit goes back to
    /// @return refusal why it does not, as far as the receipt and the flag say
    function _backTo(Receipt calldata receipt, uint8 position, uint256 done, bool flagged, bool together)
        private
        pure
        returns (Status to, Refusal refusal)
    {
        uint8 outcome = uint8(receipt.outcomes[position]);
        if (outcome & REFUSED != 0) return (Status.ACTIVE, Refusal.NOT_CHANGED_HERE);
        to = Status(outcome);
        if (done & (1 << position) != 0) return (to, Refusal.ALREADY_REVERSED);
        if (!flagged || to != Status.ACTIVE) return (to, Refusal.NONE);
        if (!together || receipt.to == Status.SUSPECT) return (to, Refusal.DUPLICATE);
        to = Status.SUSPECT;
    }

    function _isChanged(bytes1 outcome) private pure returns (bool) {
        return uint8(outcome) & REFUSED == 0;
    }

    function _lotOf(uint64 number, Call memory call) private view returns (Lot memory lot) {
        Batch storage batch = _batches[number];
        lot.batch = number;
        lot.count = batch.count;
        lot.flagged = call.to == Status.ACTIVE && batch.duplicates != 0;
        BatchState state = batch.state;
        if (state != BatchState.RELEASED && !(state == BatchState.PROPOSED && call.rule.beforeRelease)) {
            lot.early = Refusal.NOT_RELEASED;
        } else if (call.rule.marketable && block.timestamp >= uint256(batch.expiryDay) * 1 days) {
            lot.late = Refusal.EXPIRED;
        } else if (call.rule.marketable && _isRecalled(number, batch)) {
            lot.late = Refusal.RECALLED;
        } else if (!call.rule.permits(call.roles, call.company == batch.mah)) {
            lot.late = Refusal.NOT_ALLOWED;
        }
    }

    function _isRecalled(uint64 number, Batch storage batch) private view returns (bool) {
        (IRecallBoard.Kind kind,) = RECALL_BOARD.recallOf(batch.mah, batch.lotKey, number);
        return kind != IRecallBoard.Kind.NONE;
    }

    /// @notice Write the unit's status, or leave it and record the conflict.
    /// @param refusal NONE, or why the unit is refused whatever its batch and status
    /// @return outcome as in `Receipt.outcomes`
    function _settle(uint64 unit, Lot memory lot, Call memory call, Status to, Refusal refusal)
        private
        returns (bytes1 outcome)
    {
        Word storage word = _words[statusWordOf(unit)];
        StatusWord units = word.units;
        Status found = units.statusAt(unit);
        if (refusal == Refusal.NONE) refusal = _refusalOf(unit, found, lot, call);
        if (refusal == Refusal.NONE) {
            word.units = units.withStatus(unit, to);
            return bytes1(uint8(found));
        }
        emit Conflict(unit, call.party, call.id, to, found, refusal);
        return bytes1(REFUSED | uint8(refusal));
    }

    function _refusalOf(uint64 unit, Status found, Lot memory lot, Call memory call) private pure returns (Refusal) {
        if (unit.indexOf() >= lot.count) return Refusal.UNKNOWN_UNIT;
        if (lot.early != Refusal.NONE) return lot.early;
        if (!call.rule.allows(found)) return Refusal.WRONG_STATUS;
        return lot.late;
    }

    // ---- inside: duplicates ----

    /// @return product of the unit's batch, which is released and in which the unit is shown to have this serial
    function _productOpened(bytes calldata uri, Opening calldata opening) private view returns (uint32 product) {
        uint64 number = opening.unit.batchOf();
        Batch storage batch = _batches[number];
        if (batch.state != BatchState.RELEASED) revert BatchNotReleased(number);
        bytes32 leaf = ItemTree.leafHash(opening.salt, uri);
        bool holds = ItemTree.holds(batch.itemRoot, batch.count, opening.unit.indexOf(), leaf, opening.path);
        if (!holds) revert NotOpened(opening.unit);
        return batch.product;
    }

    /// @return found the unit's status before
    function _flag(uint64 unit, uint64 twin) private returns (Status found) {
        Word storage word = _words[statusWordOf(unit)];
        found = word.units.statusAt(unit);
        if (found == Status.ACTIVE) word.units = word.units.withStatus(unit, Status.SUSPECT);
        if (_twins[unit] == 0) ++_batches[unit.batchOf()].duplicates;
        _twins[unit] = twin;
    }
}
