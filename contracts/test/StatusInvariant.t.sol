// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {PackLedger} from "../PackLedger.sol";
import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice Everybody does anything to a few units, in any order, for weeks. The ghosts count departures from ACTIVE and
/// returns to it, from what the receipts say.
contract StatusHandler is Fixture {
    uint64 private constant UNITS = 6;

    uint64[] private units;
    IPackLedger.Receipt[] private receipts;
    uint256[] private keys; // that signed each receipt's call

    mapping(uint64 unit => uint256) public departures;
    mapping(uint64 unit => uint256) public returns_;
    mapping(bytes32 id => mapping(uint256 position => uint256)) public reversals;
    uint256 public twice; // reversals of one position beyond the first
    uint256 public early; // units that left ACTIVE by a call that found another status
    uint256 public foreign; // units brought back by another premises than the one that set the status
    uint256 public late; // … or after the period

    constructor() {
        setUp();
        uint64 first = released(1);
        uint64 second = released(2);
        // side by side, over the border of two words, and in two batches
        for (uint64 i = 0; i < UNITS; ++i) {
            units.push(i < 4 ? unitNumber(first, 62 + i) : unitNumber(second, i));
        }
    }

    function all() external view returns (uint64[] memory) {
        return units;
    }

    function target() external view returns (PackLedger) {
        return ledger;
    }

    function keyOf(uint256 seed) private pure returns (uint256) {
        uint256[6] memory known =
            [PHARMACY_KEY, OTHER_PHARMACY_KEY, TRADER_KEY, MAKER_KEY, AGENCY_KEY, RIVAL_KEY];
        return known[seed % 6];
    }

    function doChange(uint256 who, uint8 to, uint256 first, uint256 second) external {
        bool dispensing = to % 4 != 0; // the commonest change
        uint256 key = keyOf(dispensing ? who % 2 : who);
        Status status = dispensing ? Status.SUPPLIED : Status(1 + (to / 4) % 7); // SUSPECT would meet its daily cap
        bytes memory list = packed(units[first % UNITS], units[second % UNITS]);
        IPackLedger.Receipt memory receipt = change(key, status, list);
        receipts.push(receipt);
        keys.push(key);
        note(list, receipt.outcomes, false);
    }

    function doSuspect(uint256 who, uint256 first) external {
        vm.warp(block.timestamp + 1 days);
        bytes memory list = packed(units[first % UNITS]);
        note(list, change(keyOf(who), Status.SUSPECT, list).outcomes, false);
    }

    function doReverse(uint256 which, uint256 who, uint8 position, bool byAnother) external {
        if (receipts.length == 0) return;
        uint256 last = which % 2 == 0 || receipts.length < 6 ? receipts.length : 6; // any, or one of the last six
        which = receipts.length - 1 - (which / 2) % last;
        IPackLedger.Receipt memory receipt = receipts[which];
        uint256 key = byAnother ? keyOf(who) : keys[which];
        bytes memory positions = abi.encodePacked(position % 2, uint8(0));
        // any refusal of the whole call is right here: what counts is what it changes
        try this.reverseFor(key, receipt, positions) returns (bytes memory outcomes) {
            bytes memory list = packed(unitAt(receipt.units, position % 2), unitAt(receipt.units, 0));
            note(list, outcomes, true);
            for (uint256 i = 0; i < 2; ++i) {
                if (uint8(outcomes[i]) >= 0x80) continue;
                if (++reversals[receipt.id][uint8(positions[i])] > 1) ++twice;
                if (key != keys[which]) ++foreign;
                if (block.timestamp > receipt.time + 10 days) ++late;
            }
        } catch {}
    }

    function reverseFor(uint256 key, IPackLedger.Receipt calldata receipt, bytes calldata positions)
        external
        returns (bytes memory)
    {
        return reverse(key, receipt, positions);
    }

    function doLift(uint256 first, uint256 second) external {
        bytes memory list = packed(units[first % UNITS], units[second % UNITS]);
        note(list, lift(MAKER_KEY, AGENCY_KEY, list), true);
    }

    function doRecall(uint8 seed) external {
        (IRecallBoard.Kind kind,) = board.recallOf(MAKER, LOT, 0);
        if (kind != IRecallBoard.Kind.NONE) liftRecall(AGENCY_KEY, MAKER, LOT);
        else if (seed % 4 == 0) recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
    }

    function doWait(uint16 hours_) external {
        vm.warp(block.timestamp + uint256(hours_ % 96) * 1 hours);
    }

    function note(bytes memory list, bytes memory outcomes, bool back) private {
        for (uint256 i = 0; i < outcomes.length; ++i) {
            if (uint8(outcomes[i]) >= 0x80) continue;
            uint64 unit = unitAt(list, i);
            bool wasActive = uint8(outcomes[i]) == uint8(Status.ACTIVE);
            if (back) {
                ++returns_[unit];
                if (wasActive) ++early;
            } else if (wasActive) {
                ++departures[unit];
            }
        }
    }

    function unitAt(bytes memory list, uint256 i) private pure returns (uint64 unit) {
        for (uint256 k = 0; k < 8; ++k) {
            unit = (unit << 8) | uint8(list[8 * i + k]);
        }
    }
}

contract StatusInvariantTest {
    StatusHandler private handler;

    function setUp() external {
        handler = new StatusHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = handler.doChange.selector;
        selectors[1] = handler.doChange.selector; // the commonest call
        selectors[2] = handler.doReverse.selector;
        selectors[3] = handler.doReverse.selector;
        selectors[4] = handler.doSuspect.selector;
        selectors[5] = handler.doLift.selector;
        selectors[6] = handler.doRecall.selector;
        selectors[7] = handler.doWait.selector;
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
        require(handler.early() == 0, "came back without having left");
    }

    function invariant_reversal_is_once_in_time_and_by_the_same_premises() external view {
        require(handler.twice() == 0 && handler.foreign() == 0 && handler.late() == 0, "reversal");
    }

    function invariant_neighbours_are_never_touched() external view {
        uint64[] memory units = handler.all();
        require(handler.target().statusOf(units[0] - 1) == Status.ACTIVE, "below the first batch's");
        require(handler.target().statusOf(units[3] + 1) == Status.ACTIVE, "above them");
        require(handler.target().statusOf(units[4] - 1) == Status.ACTIVE, "below the second's");
        require(handler.target().statusOf(units[5] + 1) == Status.ACTIVE, "above them");
    }
}
