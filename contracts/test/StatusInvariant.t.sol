// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {PackLedger} from "../PackLedger.sol";
import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {Status} from "../interfaces/Types.sol";
import {Openings} from "./PackLedgerDuplicates.t.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice Everybody does anything to a few units, in any order, for weeks. The ghosts are a status for each unit, kept
/// from what the receipts and events say alone, and counts of departures from ACTIVE and returns to it. A strict handler
/// reverses and proves only what may be, and each of these calls must succeed; the other one tries anything.
contract StatusHandler is Openings {
    uint64 private constant UNITS = 8;
    uint64 private constant FIRST = 61; // over the border of two words

    bool private immutable STRICT;

    uint64[] private units;
    IPackLedger.Receipt[] private receipts;
    uint256[] private keys; // that signed each receipt's call

    mapping(uint64 unit => Status) public model;
    mapping(uint64 unit => uint64) public twins;
    mapping(uint64 unit => uint256) public departures;
    mapping(uint64 unit => uint256) public returns_;
    mapping(uint64 batch => uint256) public accepted; // changes of status …
    mapping(uint64 batch => uint256) public undone; // … and those that were reversed, restored, or lifted
    mapping(bytes32 id => mapping(uint256 position => uint256)) public undoings;
    mapping(bytes32 what => uint256) public wrong; // by name; each must stay 0

    constructor(bool strict) {
        STRICT = strict;
        setUp();
        (uint64 first, uint64 second) = (batchNumber(PLANT, 1), batchNumber(PLANT, 2));
        for (uint64 i = 0; i < UNITS; ++i) {
            units.push(i < 5 ? unitNumber(first, FIRST + i) : unitNumber(second, i - 5));
        }
        copy(units[6], units[2]);
        copy(units[4], units[3]);
        copy(units[7], units[2]);
        put(LINE_KEY, QP_KEY, PRODUCT, first, FIRST + 6);
        put(LINE_KEY, QP_KEY, PRODUCT, second, 4);
    }

    function all() external view returns (uint64[] memory) {
        return units;
    }

    function target() external view returns (PackLedger) {
        return ledger;
    }

    function keyOf(uint256 seed) private pure returns (uint256) {
        uint256[6] memory known = [PHARMACY_KEY, OTHER_PHARMACY_KEY, TRADER_KEY, MAKER_KEY, AGENCY_KEY, RIVAL_KEY];
        return known[seed % 6];
    }

    // ---- what everybody does ----

    function doChange(uint256 who, uint8 to, uint256 first, uint256 second) external {
        bool dispensing = to % 3 == 0; // the commonest change
        uint256 key = keyOf(dispensing ? who % 2 : who);
        Status status = dispensing ? Status.SUPPLIED : Status(1 + (to / 3) % 7); // SUSPECT would meet its daily cap
        changed(key, status, packed(units[first % UNITS], units[second % UNITS]));
    }

    function doSuspect(uint256 who, uint256 first) external {
        vm.warp(block.timestamp + 1 days);
        changed(keyOf(who), Status.SUSPECT, packed(units[first % UNITS]));
    }

    function changed(uint256 key, Status to, bytes memory list) private {
        IPackLedger.Receipt memory receipt = change(key, to, list);
        receipts.push(receipt);
        keys.push(key);
        for (uint256 i = 0; i < receipt.outcomes.length; ++i) {
            if (uint8(receipt.outcomes[i]) >= 0x80) continue;
            Status found = Status(uint8(receipt.outcomes[i]));
            if (!inTable(found, to)) ++wrong["way outside the table"];
            // What was supplied before its recall, and is restored, is supplied.
            (IRecallBoard.Kind kind,) = board.recallOf(MAKER, LOT, unitAt(list, i) >> 20);
            if (to == Status.SUPPLIED && kind != IRecallBoard.Kind.NONE) ++wrong["supplied although recalled"];
            moved(unitAt(list, i), found, to);
        }
    }

    function doReverse(uint256 which, uint256 who, uint8 position, bool byAnother) external {
        if (receipts.length == 0) return;
        which = recent(which);
        IPackLedger.Receipt memory receipt = receipts[which];
        bool may = reversible(receipt.to) && block.timestamp <= receipt.time + 10 days;
        if (STRICT && !may) return;
        uint256 key = byAnother && !STRICT ? keyOf(who) : keys[which];
        bytes memory positions = positionsOf(receipt, position);
        try this.reverseFor(key, receipt, positions) returns (bytes memory outcomes) {
            for (uint256 i = 0; i < outcomes.length; ++i) {
                if (uint8(outcomes[i]) >= 0x80) continue;
                if (key != keys[which]) ++wrong["reversed by another"];
                if (block.timestamp > receipt.time + 10 days) ++wrong["reversed too late"];
                if (uint8(outcomes[i]) != uint8(receipt.to)) ++wrong["reversed another status"];
                undo(receipt, uint8(positions[i]), Status.ACTIVE);
            }
            if (!may) ++wrong["reversed although it may not be"];
        } catch {
            if (may && key == keys[which]) ++wrong["reversal refused"];
        }
    }

    function reverseFor(uint256 key, IPackLedger.Receipt calldata receipt, bytes calldata positions)
        external
        returns (bytes memory)
    {
        return reverse(key, receipt, positions);
    }

    function doRestore(uint256 which, uint8 position) external {
        if (receipts.length == 0) return;
        IPackLedger.Receipt memory receipt = receipts[recent(which)];
        bytes memory positions = positionsOf(receipt, position);
        bytes memory outcomes = restore(MAKER_KEY, AGENCY_KEY, receipt, positions);
        for (uint256 i = 0; i < outcomes.length; ++i) {
            if (uint8(outcomes[i]) >= 0x80) continue;
            Status to = Status(uint8(outcomes[i]));
            uint8 found = uint8(receipt.outcomes[uint8(positions[i])]);
            bool flagged = twins[unitAt(receipt.units, uint8(positions[i]))] != 0;
            if (to != (found == 0 && flagged ? Status.SUSPECT : Status(found))) ++wrong["restored to another status"];
            undo(receipt, uint8(positions[i]), to);
        }
    }

    function doLift(uint256 first, uint256 second, bool duplicates) external {
        bytes memory list = packed(units[first % UNITS], units[second % UNITS]);
        bytes memory outcomes = lift(MAKER_KEY, AGENCY_KEY, list, duplicates);
        for (uint256 i = 0; i < outcomes.length; ++i) {
            if (uint8(outcomes[i]) >= 0x80) continue;
            uint64 unit = unitAt(list, i);
            if (twins[unit] != 0 && !duplicates) ++wrong["flag lifted unasked"];
            Status found = Status(uint8(outcomes[i]));
            if (found != Status.LOCKED && found != Status.SUSPECT) ++wrong["lifted another status"];
            delete twins[unit];
            ++undone[unit >> 20];
            moved(unit, found, Status.ACTIVE);
        }
    }

    function doProve(uint8 which) external {
        uint8[2][5] memory pairs = [[2, 6], [3, 4], [2, 7], [6, 7], [0, 1]]; // the last two share nothing
        if (STRICT && which % 5 == 4) return;
        uint8[2] memory pair = pairs[which % 5];
        (uint64 unit, uint64 twin) = (units[pair[0]], units[pair[1]]);
        try this.proveFor(unit, twin) {
            if (which % 5 == 4) ++wrong["proven of two serials"];
            Vm.Log[] memory logs = vm.getRecordedLogs();
            if (logs.length == 0) return; // proven before
            (Status found, Status twinFound,) = abi.decode(logs[0].data, (Status, Status, bytes));
            (twins[unit], twins[twin]) = (twin, unit);
            if (found == Status.ACTIVE) moved(unit, found, Status.SUSPECT);
            if (twinFound == Status.ACTIVE) moved(twin, twinFound, Status.SUSPECT);
        } catch {
            if (which % 5 != 4) ++wrong["proof refused"];
        }
    }

    function proveFor(uint64 unit, uint64 twin) external {
        prove(unit, twin);
    }

    function doRecall(uint8 seed) external {
        (IRecallBoard.Kind kind,) = board.recallOf(MAKER, LOT, 0);
        if (kind != IRecallBoard.Kind.NONE) liftRecall(AGENCY_KEY, MAKER, LOT);
        else if (seed % 4 == 0) recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
    }

    function doWait(uint16 hours_) external {
        vm.warp(block.timestamp + uint256(hours_ % 96) * 1 hours);
    }

    // ---- ghosts ----

    function moved(uint64 unit, Status found, Status to) private {
        if (model[unit] != found) ++wrong["another status found"];
        model[unit] = to;
        if (found == Status.ACTIVE) ++departures[unit];
        if (to == Status.ACTIVE) ++returns_[unit];
        if (found == Status.ACTIVE) ++accepted[unit >> 20];
    }

    function undo(IPackLedger.Receipt memory receipt, uint8 position, Status to) private {
        if (uint8(receipt.outcomes[position]) >= 0x80) ++wrong["undone what was not done"];
        if (++undoings[receipt.id][position] > 1) ++wrong["undone twice"];
        uint64 unit = unitAt(receipt.units, position);
        if (to == Status.ACTIVE) ++undone[unit >> 20];
        if (to == Status.ACTIVE && twins[unit] != 0) ++wrong["flagged unit active"];
        moved(unit, receipt.to, to);
    }

    /// design.md's table, as `PackLedgerMatrixTest` has it.
    function inTable(Status found, Status to) private pure returns (bool) {
        if (to == Status.STOLEN) return found != Status.DESTROYED && found != Status.STOLEN;
        if (found == Status.ACTIVE) return true;
        if (to == Status.DESTROYED) return found == Status.LOCKED || found == Status.SUSPECT;
        return to == Status.LOCKED && found == Status.SUSPECT;
    }

    function reversible(Status set) private pure returns (bool) {
        return set == Status.SUPPLIED || set == Status.EXPORTED || set == Status.SAMPLED || set == Status.FREE_SAMPLE;
    }

    /// Any receipt, or one of the last six.
    function recent(uint256 which) private view returns (uint256) {
        uint256 last = which % 2 == 0 || receipts.length < 6 ? receipts.length : 6;
        return receipts.length - 1 - (which / 2) % last;
    }

    function positionsOf(IPackLedger.Receipt memory receipt, uint8 position) private pure returns (bytes memory) {
        return abi.encodePacked(uint8(position % receipt.outcomes.length), uint8(0));
    }

    function unitAt(bytes memory list, uint256 i) private pure returns (uint64 unit) {
        for (uint256 k = 0; k < 8; ++k) {
            unit = (unit << 8) | uint8(list[8 * i + k]);
        }
    }
}

abstract contract StatusInvariants {
    StatusHandler internal handler;

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](10);
        selectors[0] = handler.doChange.selector;
        selectors[1] = handler.doChange.selector; // the commonest call
        selectors[2] = handler.doReverse.selector;
        selectors[3] = handler.doReverse.selector;
        selectors[4] = handler.doSuspect.selector;
        selectors[5] = handler.doLift.selector;
        selectors[6] = handler.doRestore.selector;
        selectors[7] = handler.doProve.selector;
        selectors[8] = handler.doRecall.selector;
        selectors[9] = handler.doWait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_unit_leaves_active_at_most_once_between_valid_returns() external view {
        uint64[] memory units = handler.all();
        for (uint256 i = 0; i < units.length; ++i) {
            uint256 away = handler.departures(units[i]) - handler.returns_(units[i]);
            require(away <= 1, "left ACTIVE twice");
            require((away == 1) == (handler.target().statusOf(units[i]) != Status.ACTIVE), "status");
        }
    }

    function invariant_statuses_are_those_that_receipts_and_events_tell() external view {
        uint64[] memory units = handler.all();
        for (uint256 i = 0; i < units.length; ++i) {
            require(handler.target().statusOf(units[i]) == handler.model(units[i]), "status");
        }
    }

    function invariant_what_was_undone_was_done_and_once_in_time_by_whom_it_may() external view {
        bytes32[13] memory names = [
            bytes32("way outside the table"),
            "reversal refused",
            "reversed although it may not be",
            "reversed by another",
            "reversed too late",
            "reversed another status",
            "restored to another status",
            "flag lifted unasked",
            "lifted another status",
            "undone what was not done",
            "undone twice",
            "another status found",
            "supplied although recalled"
        ];
        for (uint256 i = 0; i < names.length; ++i) {
            require(handler.wrong(names[i]) == 0, string(abi.encodePacked(names[i])));
        }
    }

    function invariant_units_away_are_departures_less_returns_and_no_more_than_there_are() external view {
        uint64[] memory units = handler.all();
        uint64[2] memory batches = [units[0] >> 20, units[7] >> 20];
        for (uint256 b = 0; b < 2; ++b) {
            IPackLedger.Batch memory batch = handler.target().batchOf(batches[b]);
            uint256 away;
            for (uint64 i = 0; i < batch.count; ++i) {
                if (handler.target().statusOf((batches[b] << 20) | i) != Status.ACTIVE) ++away;
            }
            require(away == handler.accepted(batches[b]) - handler.undone(batches[b]), "count");
            require(away <= batch.count, "more than there are");
        }
    }

    function invariant_flagged_unit_is_never_active_and_each_batch_counts_its_own() external view {
        uint64[] memory units = handler.all();
        uint256[2] memory flagged;
        for (uint256 i = 0; i < units.length; ++i) {
            (Status status,,,, uint64 twin,,) = handler.target().factsOf(units[i]);
            require(twin == handler.twins(units[i]), "twin");
            require(twin == 0 || status != Status.ACTIVE, "flagged and active");
            if (twin != 0) ++flagged[units[i] >> 20 == units[0] >> 20 ? 0 : 1];
        }
        require(handler.target().batchOf(units[0] >> 20).duplicates == flagged[0], "first");
        require(handler.target().batchOf(units[7] >> 20).duplicates == flagged[1], "second");
        require(handler.wrong("flagged unit active") == 0, "undone");
        require(handler.wrong("proof refused") == 0, "proof refused");
        require(handler.wrong("proven of two serials") == 0, "proven of two serials");
    }

    function invariant_neighbours_are_never_touched() external view {
        uint64[] memory units = handler.all();
        for (uint64 i = 0; i < 61; ++i) {
            require(handler.target().statusOf((units[0] & ~uint64(127)) | i) == Status.ACTIVE, "below the first batch's");
        }
        require(handler.target().statusOf(units[4] + 1) == Status.ACTIVE, "above them");
        require(handler.target().statusOf(units[7] + 1) == Status.ACTIVE, "above the second's");
        require(handler.target().statusOf(units[5] - 1) == Status.ACTIVE, "below them, in another batch");
    }
}

contract StatusInvariantTest is StatusInvariants {
    function setUp() external {
        handler = new StatusHandler(false);
    }
}

contract StatusStrictInvariantTest is StatusInvariants {
    function setUp() external {
        handler = new StatusHandler(true);
    }
}
