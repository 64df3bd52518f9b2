// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {Refusal, Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Tree} from "./Tree.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice Batches with real item trees, and openings of their units.
abstract contract Openings is Fixture {
    /// @notice The serial of a unit, unless `serialOf` says that it is another unit's.
    mapping(uint64 unit => uint64) private _copies;
    mapping(uint64 batch => uint64) private _counts;

    function copy(uint64 unit, uint64 of_) internal {
        _copies[unit] = of_;
    }

    function uriOf(uint64 unit) internal view returns (bytes memory) {
        if (_copies[unit] != 0) unit = _copies[unit];
        return bytes(string.concat("https://id.gs1.org/01/09506000134352/21/S", decimal(unit)));
    }

    function saltOf(uint64 unit) internal pure returns (bytes16) {
        return bytes16(keccak256(abi.encode("salt", unit)));
    }

    function leavesOf(uint64 batch) internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](_counts[batch]);
        for (uint64 i = 0; i < leaves.length; ++i) {
            leaves[i] = Tree.leafHash(1, saltOf(unitNumber(batch, i)), uriOf(unitNumber(batch, i)));
        }
    }

    function commission(uint256 line, bytes32 product, uint64 batch, uint64 count) internal {
        _counts[batch] = count;
        propose(
            line, IPackLedger.Proposal(batch, product, LOT, Tree.rootOf(leavesOf(batch)), uint32(count), EXPIRES)
        );
    }

    function put(uint256 line, uint256 qp, bytes32 product, uint64 batch, uint64 count) internal {
        commission(line, product, batch, count);
        release(qp, batch, Tree.rootOf(leavesOf(batch)));
    }

    function openingOf(uint64 unit) internal view returns (IPackLedger.Opening memory) {
        uint64 batch = unit >> 20;
        return IPackLedger.Opening(unit, saltOf(unit), Tree.pathOf(leavesOf(batch), unit & ((1 << 20) - 1)));
    }

    function prove(uint64 unit, uint64 twin) internal {
        IPackLedger.Opening memory first = openingOf(unit);
        IPackLedger.Opening memory second = openingOf(twin);
        bytes memory uri = uriOf(unit);
        vm.recordLogs();
        arm();
        ledger.proveDuplicate(uri, first, second);
    }

    function twinOf(uint64 unit) internal view returns (uint64 twin) {
        (,,,, twin,,) = ledger.factsOf(unit);
    }
}

contract PackLedgerDuplicatesTest is Openings {
    uint64 private batch = batchNumber(PLANT, 1);
    uint64 private other = batchNumber(PLANT, 2);
    uint64 private third = batchNumber(PLANT, 3);
    uint64 private unit = unitNumber(batch, 2);
    uint64 private twin = unitNumber(other, 4);

    function setUp() public override {
        super.setUp();
        copy(twin, unit);
        copy(unitNumber(other, 6), unitNumber(other, 5)); // two in one batch
        copy(unitNumber(third, 0), unit);
        put(LINE_KEY, QP_KEY, PRODUCT, batch, 5);
        put(LINE_KEY, QP_KEY, PRODUCT, other, 7);
        put(LINE_KEY, QP_KEY, PRODUCT, third, 1);
    }

    function assertFlagged(uint64 one, uint64 by) private view {
        assertEq(twinOf(one), by, "twin");
    }

    function test_two_openings_of_one_serial_flag_both() external {
        vm.warp(NOW + 10);
        bytes memory uri = uriOf(unit);
        IPackLedger.Opening memory first = openingOf(unit);
        IPackLedger.Opening memory second = openingOf(twin);
        vm.expectEmit(address(ledger));
        emit IPackLedger.DuplicateProven(unit, twin, Status.ACTIVE, Status.ACTIVE, uri);
        vm.prank(address(0xbeef)); // anybody: no key, no licence
        ledger.proveDuplicate(uri, first, second);
        assertStatus(unit, Status.SUSPECT);
        assertStatus(twin, Status.SUSPECT);
        assertFlagged(unit, twin);
        assertFlagged(twin, unit);
        assertEq(ledger.batchOf(batch).duplicates, 1, "of the first batch");
        assertEq(ledger.batchOf(other).duplicates, 1, "of the second");
        for (uint64 i = 0; i < 7; ++i) {
            if (i != 2) assertStatus(unitNumber(batch, i), Status.ACTIVE);
            if (i != 4) assertStatus(unitNumber(other, i), Status.ACTIVE);
            if (i != 2) assertFlagged(unitNumber(batch, i), 0);
            if (i != 4) assertFlagged(unitNumber(other, i), 0);
        }
    }

    function test_two_in_one_batch_are_flagged() external {
        prove(unitNumber(other, 5), unitNumber(other, 6));
        assertStatus(unitNumber(other, 5), Status.SUSPECT);
        assertStatus(unitNumber(other, 6), Status.SUSPECT);
        assertEq(ledger.batchOf(other).duplicates, 2, "both");
    }

    function test_any_statuses_of_the_twins_stay_but_active() external {
        uint256 before = vm.snapshotState();
        for (uint8 found = 0; found < 9; ++found) {
            for (uint8 twinFound = 0; twinFound < 9; ++twinFound) {
                if (found != 0) change(setterOf(found), Status(found), packed(unit));
                if (twinFound != 0) change(setterOf(twinFound), Status(twinFound), packed(twin));
                vm.expectEmit(address(ledger));
                emit IPackLedger.DuplicateProven(unit, twin, Status(found), Status(twinFound), uriOf(unit));
                this.proveFor(unit, twin);
                assertStatus(unit, found == 0 ? Status.SUSPECT : Status(found));
                assertStatus(twin, twinFound == 0 ? Status.SUSPECT : Status(twinFound));
                assertFlagged(unit, twin);
                assertFlagged(twin, unit);
                vm.revertToState(before);
            }
        }
    }

    function proveFor(uint64 one, uint64 another) external {
        prove(one, another);
    }

    function setterOf(uint8 to) private pure returns (uint256) {
        return to == uint8(Status.SUPPLIED) ? PHARMACY_KEY : MAKER_KEY;
    }

    function test_proving_again_does_nothing_so_that_nobody_is_stopped_by_being_overtaken() external {
        prove(unit, twin);
        assertEq(vm.getRecordedLogs().length, 1, "first");
        prove(unit, twin);
        assertEq(vm.getRecordedLogs().length, 0, "second");
        assertEq(ledger.batchOf(batch).duplicates, 1, "counted once");
    }

    function test_expired_and_recalled_packs_are_flagged_too() external {
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        vm.warp(EXPIRES);
        prove(unit, twin);
        assertFlagged(unit, twin);
    }

    // ---- while flagged ----

    function test_flagged_unit_is_not_dispensed() external {
        prove(unit, twin);
        bytes memory outcomes = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1)).outcomes;
        assertEq(outcomes, abi.encodePacked(refusal(Refusal.WRONG_STATUS), hex"00"), "outcomes");
    }

    function test_flagged_unit_is_locked_stolen_or_destroyed_as_any_other() external {
        for (uint8 to = uint8(Status.DESTROYED); to <= uint8(Status.LOCKED); ++to) {
            if (to >= uint8(Status.EXPORTED) && to <= uint8(Status.FREE_SAMPLE)) continue;
            uint256 before = vm.snapshotState();
            prove(unit, twin);
            assertEq(change(MAKER_KEY, Status(to), packed(unit)).outcomes, hex"08", "found suspect");
            assertFlagged(unit, twin);
            vm.revertToState(before);
        }
    }

    function test_flagged_unit_is_not_reversed() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1));
        prove(unit, twin);
        assertStatus(unit, Status.SUPPLIED);
        bytes memory outcomes = reverse(PHARMACY_KEY, receipt, hex"0001");
        assertEq(outcomes, abi.encodePacked(refusal(Refusal.DUPLICATE), hex"01"), "outcomes");
        assertStatus(unit, Status.SUPPLIED);
        assertStatus(unit + 1, Status.ACTIVE);
        assertEq(ledger.reversedOf(receipt.id), 2, "the neighbour alone");
    }

    function test_restored_unit_is_suspect_while_it_is_flagged() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1));
        prove(unit, twin);
        assertEq(restore(MAKER_KEY, AGENCY_KEY, receipt, hex"0001"), hex"0800", "outcomes");
        assertStatus(unit, Status.SUSPECT);
        assertFlagged(unit, twin);
        assertEq(restore(MAKER_KEY, AGENCY_KEY, receipt, hex"00")[0], refusal(Refusal.ALREADY_REVERSED), "once");
    }

    function test_restored_to_another_status_than_active_keeps_the_flag() external {
        change(MAKER_KEY, Status.LOCKED, packed(unit));
        IPackLedger.Receipt memory receipt = change(MAKER_KEY, Status.DESTROYED, packed(unit));
        prove(unit, twin);
        assertEq(restore(MAKER_KEY, AGENCY_KEY, receipt, hex"00"), hex"07", "outcome");
        assertFlagged(unit, twin);
    }

    function test_report_of_a_suspect_is_not_restored_while_it_is_flagged() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUSPECT, packed(unit));
        prove(unit, twin);
        bytes memory outcomes = restore(MAKER_KEY, AGENCY_KEY, receipt, hex"00");
        assertEq(outcomes, abi.encodePacked(refusal(Refusal.DUPLICATE)), "outcome");
        assertStatus(unit, Status.SUSPECT);
        assertEq(ledger.reversedOf(receipt.id), 0, "open");
    }

    // ---- the lift ----

    function test_lift_takes_the_flag_only_where_both_said_so() external {
        prove(unit, twin);
        change(PHARMACY_KEY, Status.SUSPECT, packed(unit + 1));
        bytes memory units = packed(unit, unit + 1);
        bytes memory outcomes = lift(MAKER_KEY, AGENCY_KEY, units);
        assertEq(outcomes, abi.encodePacked(refusal(Refusal.DUPLICATE), hex"08"), "without");
        assertStatus(unit, Status.SUSPECT);
        assertFlagged(unit, twin);
        assertEq(lift(MAKER_KEY, AGENCY_KEY, packed(unit), true), hex"08", "with");
        assertStatus(unit, Status.ACTIVE);
        assertFlagged(unit, 0);
        assertFlagged(twin, unit); // whatever is decided of the other one is decided of it
        assertEq(ledger.batchOf(batch).duplicates, 0, "counted down");
        assertEq(ledger.batchOf(other).duplicates, 1, "not the other batch");
    }

    function test_locked_duplicate_is_lifted_and_counted_down_once() external {
        prove(unitNumber(other, 5), unitNumber(other, 6));
        bytes memory units = packed(unitNumber(other, 5), unitNumber(other, 5), unitNumber(other, 6));
        change(MAKER_KEY, Status.LOCKED, packed(unitNumber(other, 5)));
        bytes memory outcomes = lift(MAKER_KEY, AGENCY_KEY, units, true);
        assertEq(outcomes, abi.encodePacked(hex"07", refusal(Refusal.WRONG_STATUS), hex"08"), "outcomes");
        assertEq(ledger.batchOf(other).duplicates, 0, "both");
    }

    function test_refused_lift_leaves_the_flag() external {
        change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        prove(unit, twin);
        assertEq(lift(MAKER_KEY, AGENCY_KEY, packed(unit), true)[0], refusal(Refusal.WRONG_STATUS), "supplied");
        assertEq(lift(RIVAL_KEY, AGENCY_KEY, packed(twin), true)[0], refusal(Refusal.NOT_ALLOWED), "another holder");
        assertFlagged(unit, twin);
        assertFlagged(twin, unit);
        assertEq(ledger.batchOf(batch).duplicates, 1, "count");
    }

    function test_same_proof_does_not_undo_a_lift_and_a_new_one_does() external {
        prove(unit, twin);
        lift(MAKER_KEY, AGENCY_KEY, packed(unit), true);
        prove(unit, twin);
        assertStatus(unit, Status.ACTIVE);
        assertFlagged(unit, 0);
        prove(unit, unitNumber(third, 0));
        assertStatus(unit, Status.SUSPECT);
        assertFlagged(unit, unitNumber(third, 0));
    }

    function test_third_unit_with_the_serial_is_named_and_counted_once() external {
        prove(unit, twin);
        prove(unit, unitNumber(third, 0));
        assertFlagged(unit, unitNumber(third, 0));
        assertFlagged(twin, unit);
        assertEq(ledger.batchOf(batch).duplicates, 1, "one unit");
    }

    // ---- what proves nothing ----

    function provenFalse(bytes memory uri, IPackLedger.Opening memory first, IPackLedger.Opening memory second, uint64 bad)
        private
    {
        vm.expectRevert(abi.encodeWithSelector(IPackLedger.NotOpened.selector, bad));
        ledger.proveDuplicate(uri, first, second);
    }

    function test_one_unit_twice_proves_nothing() external {
        refused(IPackLedger.UnitsNotSorted.selector, unit, unit);
        prove(unit, unit);
        refused(IPackLedger.UnitsNotSorted.selector, twin, unit);
        prove(twin, unit);
    }

    function test_units_of_two_serials_prove_nothing() external {
        refused(IPackLedger.NotOpened.selector, twin + 1);
        prove(unit, twin + 1);
    }

    function test_anything_else_than_the_true_openings_proves_nothing() external {
        bytes memory uri = uriOf(unit);
        IPackLedger.Opening memory good = openingOf(twin);
        IPackLedger.Opening memory bad = openingOf(unit);
        bad.salt ^= bytes16(uint128(1));
        provenFalse(uri, bad, good, unit);
        bad = openingOf(unit);
        bad.path[1] ^= bytes32(uint256(1));
        provenFalse(uri, bad, good, unit);
        bad = openingOf(unit);
        bad.path = Tree.appended(bad.path, "more");
        provenFalse(uri, bad, good, unit);
        bad = openingOf(unit);
        bad.unit += 1;
        provenFalse(uri, bad, good, unit + 1);
        bad = openingOf(unit);
        bad.unit = unitNumber(batch, 5); // beyond the count
        provenFalse(uri, bad, good, bad.unit);
        bad = openingOf(unit);
        good.path[0] ^= bytes32(uint256(1));
        provenFalse(uri, bad, good, twin);
        provenFalse(abi.encodePacked(uri, "0"), bad, openingOf(twin), unit);
    }

    /// Only what was commissioned counts: a case's child, or what was consumed, may well be named twice.
    function test_item_of_another_role_proves_nothing() external {
        for (uint8 role = 0; role < 6; ++role) {
            uint64 number = batchNumber(PLANT, 10 + role);
            uint64 one = unitNumber(number, 0);
            bytes32 root = Tree.leafHash(role, saltOf(one), uriOf(unit));
            propose(LINE_KEY, IPackLedger.Proposal(number, PRODUCT, LOT, root, 1, EXPIRES));
            release(QP_KEY, number, root);
            IPackLedger.Opening memory shown = IPackLedger.Opening(one, saltOf(one), new bytes32[](0));
            bytes memory uri = uriOf(unit);
            IPackLedger.Opening memory first = openingOf(unit);
            if (role != 1) vm.expectRevert(abi.encodeWithSelector(IPackLedger.NotOpened.selector, one));
            ledger.proveDuplicate(uri, first, shown);
        }
    }

    function test_uri_has_one_to_128_bytes() external {
        assertEq(ledger.MAX_URI(), 128, "constant");
        refused(IPackLedger.InvalidUri.selector, 0);
        arm();
        ledger.proveDuplicate("", openingOfNothing(1), openingOfNothing(2));
        refused(IPackLedger.InvalidUri.selector, 129);
        arm();
        ledger.proveDuplicate(new bytes(129), openingOfNothing(1), openingOfNothing(2));
        refused(IPackLedger.BatchNotReleased.selector, 0);
        arm();
        ledger.proveDuplicate(new bytes(128), openingOfNothing(1), openingOfNothing(2));
    }

    function openingOfNothing(uint64 one) private pure returns (IPackLedger.Opening memory opening) {
        opening.unit = one;
    }

    // ---- who cannot freeze the market ----

    function test_stolen_line_key_alone_freezes_nothing() external {
        uint64 made = batchNumber(PLANT, 9);
        copy(unitNumber(made, 0), unit);
        commission(LINE_KEY, PRODUCT, made, 1); // it knows the serial, and proposes it again
        refused(IPackLedger.BatchNotReleased.selector, made);
        prove(unit, unitNumber(made, 0));
        withdraw(LINE_KEY, made);
        refused(IPackLedger.BatchNotReleased.selector, made);
        prove(unit, unitNumber(made, 0));
        assertStatus(unit, Status.ACTIVE);
    }

    function test_rival_that_commits_to_our_serials_freezes_nothing() external {
        uint64 made = batchNumber(RIVAL, 1);
        copy(unitNumber(made, 0), unit);
        put(RIVAL_KEY, RIVAL_KEY, RIVAL_PRODUCT, made, 1);
        refused(IPackLedger.DifferentProducts.selector, unit, unitNumber(made, 0));
        prove(unit, unitNumber(made, 0));
        assertStatus(unit, Status.ACTIVE);
    }

    function test_paused_ledger_takes_no_proof_and_takes_it_later() external {
        ledger.pause();
        refused(abi.encodeWithSignature("EnforcedPause()"));
        prove(unit, twin);
        ledger.unpause();
        prove(unit, twin);
    }

    function testFuzz_twins_anywhere_in_batches_of_any_size_are_proven(uint8 a, uint8 b, uint8 sizes) external {
        uint64 first = batchNumber(PLANT, 20);
        uint64 second = batchNumber(PLANT, 21);
        (uint64 m, uint64 n) = (1 + sizes % 16, 1 + sizes / 16);
        uint64 one = unitNumber(first, a % m);
        uint64 two = unitNumber(second, b % n);
        copy(two, one);
        put(LINE_KEY, QP_KEY, PRODUCT, first, m);
        put(LINE_KEY, QP_KEY, PRODUCT, second, n);
        prove(one, two);
        assertFlagged(one, two);
        assertFlagged(two, one);
        assertEq(ledger.batchOf(first).duplicates, 1, "first");
        assertEq(ledger.batchOf(second).duplicates, 1, "second");
    }
}
