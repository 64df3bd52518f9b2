// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {ISignedCalls} from "../interfaces/ISignedCalls.sol";
import {Consent, Refusal, Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice What one call changed, undone by the marketing authorisation holder and a regulator together.
contract PackLedgerRestorationTest is Fixture {
    uint64 private batch;
    uint64 private unit;

    function setUp() public override {
        super.setUp();
        batch = released(1);
        unit = unitNumber(batch, 7);
    }

    function restored(IPackLedger.Receipt memory receipt, bytes memory positions) private returns (bytes memory) {
        return restore(MAKER_KEY, AGENCY_KEY, receipt, positions);
    }

    function assertRefused(bytes memory outcomes, Refusal why) private pure {
        assertEq(outcomes, abi.encodePacked(refusal(why)), "outcome");
    }

    function setterOf(Status to) private pure returns (uint256 key) {
        return to == Status.SUPPLIED ? PHARMACY_KEY : MAKER_KEY;
    }

    function test_every_status_is_restored_stolen_and_destroyed_included_however_late() external {
        for (uint8 to = 1; to < 9; ++to) {
            uint64 mine = unitNumber(batch, 100 + to);
            IPackLedger.Receipt memory receipt = change(setterOf(Status(to)), Status(to), packed(mine));
            vm.warp(block.timestamp + 365 days);
            assertEq(restored(receipt, hex"00"), hex"00", decimal(to));
            assertStatus(mine, Status.ACTIVE);
            assertEq(ledger.reversedOf(receipt.id), 1, "bit");
            if (to == uint8(Status.SUSPECT)) break;
            vm.warp(NOW);
        }
    }

    function test_status_goes_back_to_what_the_call_found_the_newest_call_first() external {
        IPackLedger.Receipt memory suspect = change(PHARMACY_KEY, Status.SUSPECT, packed(unit));
        IPackLedger.Receipt memory locked = change(MAKER_KEY, Status.LOCKED, packed(unit));
        IPackLedger.Receipt memory stolen = change(AGENCY_KEY, Status.STOLEN, packed(unit));
        assertRefused(restored(suspect, hex"00"), Refusal.WRONG_STATUS);
        assertRefused(restored(locked, hex"00"), Refusal.WRONG_STATUS);
        assertEq(ledger.reversedOf(locked.id), 0, "a refusal leaves the restoration open");
        assertEq(restored(stolen, hex"00"), hex"07", "locked again");
        assertRefused(restored(suspect, hex"00"), Refusal.WRONG_STATUS);
        assertEq(restored(locked, hex"00"), hex"08", "suspect again");
        assertEq(restored(suspect, hex"00"), hex"00", "active again");
        assertStatus(unit, Status.ACTIVE);
    }

    function test_supplied_pack_reported_stolen_is_supplied_again_and_not_dispensed_twice() external {
        IPackLedger.Receipt memory supplied = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        IPackLedger.Receipt memory stolen = change(MAKER_KEY, Status.STOLEN, packed(unit));
        assertEq(restored(stolen, hex"00"), hex"01", "supplied");
        assertRefused(change(OTHER_PHARMACY_KEY, Status.SUPPLIED, packed(unit)).outcomes, Refusal.WRONG_STATUS);
        assertEq(reverse(PHARMACY_KEY, supplied, hex"00"), hex"01", "and its own premises can still reverse");
    }

    function test_restoration_is_recorded_with_its_ground() external {
        IPackLedger.Receipt memory receipt =
            change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unitNumber(batch, 10_000), unit + 1));
        bytes memory positions = hex"0201";
        IPackLedger.Ground ground = IPackLedger.Ground.NOT_OPENED;
        Consent memory mah = restoreConsent(MAKER_KEY, receipt.id, positions, ground);
        Consent memory regulator = restoreConsent(AGENCY_KEY, receipt.id, positions, ground);
        bytes32 digest = digestOf(
            address(ledger),
            structHashOf(RESTORE, abi.encode(receipt.id, keccak256(positions), ground), mah.signer, mah.nonce)
        );
        vm.expectEmit(address(ledger));
        emit IPackLedger.Conflict(
            unitNumber(batch, 10_000), MAKER, digest, Status.ACTIVE, Status.ACTIVE, Refusal.NOT_CHANGED_HERE
        );
        vm.expectEmit(address(ledger));
        emit IPackLedger.StatusRestored(
            receipt.id,
            MAKER,
            AGENCY,
            ground,
            packed(unit + 1, unitNumber(batch, 10_000)),
            abi.encodePacked(hex"00", refusal(Refusal.NOT_CHANGED_HERE))
        );
        ledger.restoreStatus(receipt, positions, ground, mah, regulator);
        assertEq(ledger.reversedOf(receipt.id), 4, "bit 2 alone");
        assertStatus(unit, Status.SUPPLIED);
        assertStatus(unit + 1, Status.ACTIVE);
    }

    function test_conflict_names_the_status_that_the_unit_would_have_got() external {
        change(PHARMACY_KEY, Status.SUSPECT, packed(unit));
        IPackLedger.Receipt memory locked = change(MAKER_KEY, Status.LOCKED, packed(unit));
        change(TRADER_KEY, Status.DESTROYED, packed(unit));
        IPackLedger.Ground ground = IPackLedger.Ground.OTHER;
        Consent memory mah = restoreConsent(MAKER_KEY, locked.id, hex"00", ground);
        Consent memory regulator = restoreConsent(AGENCY_KEY, locked.id, hex"00", ground);
        bytes32 digest = digestOf(
            address(ledger),
            structHashOf(RESTORE, abi.encode(locked.id, keccak256(hex"00"), ground), mah.signer, mah.nonce)
        );
        vm.expectEmit(address(ledger));
        emit IPackLedger.Conflict(unit, MAKER, digest, Status.SUSPECT, Status.DESTROYED, Refusal.WRONG_STATUS);
        ledger.restoreStatus(locked, hex"00", ground, mah, regulator);
    }

    function test_ground_is_part_of_what_both_signed() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        Consent memory mah = restoreConsent(MAKER_KEY, receipt.id, hex"00", IPackLedger.Ground.NOT_OPENED);
        Consent memory regulator = restoreConsent(AGENCY_KEY, receipt.id, hex"00", IPackLedger.Ground.NOT_OPENED);
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, mah.signer));
        ledger.restoreStatus(receipt, hex"00", IPackLedger.Ground.OTHER, mah, regulator);
    }

    function test_unit_is_restored_once_and_not_reversed_then() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1));
        assertEq(restored(receipt, hex"0000"), abi.encodePacked(hex"00", refusal(Refusal.ALREADY_REVERSED)), "twice");
        change(OTHER_PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        assertRefused(restored(receipt, hex"00"), Refusal.ALREADY_REVERSED);
        assertRefused(reverse(PHARMACY_KEY, receipt, hex"00"), Refusal.ALREADY_REVERSED);
        assertStatus(unit, Status.SUPPLIED);
        assertEq(reverse(PHARMACY_KEY, receipt, hex"01"), hex"01", "the other one is reversed");
        assertRefused(restored(receipt, hex"01"), Refusal.ALREADY_REVERSED);
    }

    function test_unit_that_the_call_did_not_change_is_not_restored() external {
        change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        IPackLedger.Receipt memory loser = change(OTHER_PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1));
        assertEq(
            restored(loser, hex"0001"), abi.encodePacked(refusal(Refusal.NOT_CHANGED_HERE), hex"00"), "outcomes"
        );
        assertStatus(unit, Status.SUPPLIED);
    }

    function test_key_that_was_compromised_need_not_be_valid_any_more() external {
        IPackLedger.Receipt memory receipt = change(TRADER_KEY, Status.DESTROYED, packed(unit));
        registry.revokeKey(vm.addr(TRADER_KEY), NOW);
        registry.suspend(TRADER);
        assertEq(restored(receipt, hex"00"), hex"00", "outcome");
    }

    function test_expired_or_recalled_units_are_restored_and_stay_unsaleable() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1));
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        assertEq(restored(receipt, hex"00"), hex"00", "recalled");
        vm.warp(EXPIRES);
        assertEq(restored(receipt, hex"01"), hex"00", "expired");
        assertRefused(change(PHARMACY_KEY, Status.SUPPLIED, packed(unit)).outcomes, Refusal.EXPIRED);
    }

    function test_pack_that_was_supplied_before_its_recall_is_restored_to_supplied() external {
        change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        IPackLedger.Receipt memory receipt = change(MAKER_KEY, Status.STOLEN, packed(unit));
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        assertEq(restored(receipt, hex"00"), hex"01", "outcome");
        assertStatus(unit, Status.SUPPLIED);
    }

    function test_units_of_a_proposal_are_restored_unless_it_was_withdrawn() external {
        uint64 proposed = batchNumber(PLANT, 2);
        propose(LINE_KEY, proposalOf(proposed));
        bytes memory units = packed(unitNumber(proposed, 0), unitNumber(proposed, 1));
        IPackLedger.Receipt memory receipt = change(MAKER_KEY, Status.DESTROYED, units);
        assertEq(restored(receipt, hex"00"), hex"00", "proposed");
        withdraw(LINE_KEY, proposed);
        assertRefused(restored(receipt, hex"01"), Refusal.NOT_RELEASED);
    }

    function test_one_company_cannot_restore() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        refused(IPackLedger.NotRegulator.selector, PHARMACY);
        restore(MAKER_KEY, PHARMACY_KEY, receipt, hex"00");
        refused(IPackLedger.NotRegulator.selector, PLANT);
        restore(MAKER_KEY, LINE_KEY, receipt, hex"00");
        addKey(AGENCY, STRANGER_KEY, OPERATE);
        refused(IPackLedger.NotMah.selector, AGENCY);
        restore(AGENCY_KEY, STRANGER_KEY, receipt, hex"00");
        registerParty(4000, MAKER, REGULATOR); // a registry that made a company its own regulator
        addKey(4000, uint256(keccak256("own regulator")), OPERATE);
        refused(IPackLedger.NotMah.selector, MAKER);
        restore(MAKER_KEY, uint256(keccak256("own regulator")), receipt, hex"00");
        assertStatus(unit, Status.SUPPLIED);
    }

    function test_holder_of_another_product_cannot_restore() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        assertRefused(restore(RIVAL_KEY, AGENCY_KEY, receipt, hex"00"), Refusal.NOT_ALLOWED);
        assertStatus(unit, Status.SUPPLIED);
        assertEq(restore(LINE_KEY, AGENCY_KEY, receipt, hex"00"), hex"00", "any premises of the holder can");
    }

    function test_call_over_two_holders_units_is_restored_by_each_its_own() external {
        uint64 foreign = batchNumber(RIVAL, 1);
        IPackLedger.Proposal memory proposal = proposalOf(foreign);
        proposal.productKey = RIVAL_PRODUCT;
        propose(RIVAL_KEY, proposal);
        release(RIVAL_KEY, foreign);
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unitNumber(foreign, 0)));
        assertEq(restored(receipt, hex"0001"), abi.encodePacked(hex"00", refusal(Refusal.NOT_ALLOWED)), "first's");
        assertEq(restore(RIVAL_KEY, AGENCY_KEY, receipt, hex"01"), hex"00", "second's");
    }

    function test_forged_receipt_and_wrong_positions_are_refused() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1));
        refused(IPackLedger.InvalidPositions.selector, 0);
        restored(receipt, "");
        refused(IPackLedger.InvalidPositions.selector, 257);
        restored(receipt, new bytes(257));
        refused(IPackLedger.InvalidPositions.selector, 2);
        restored(receipt, hex"0002");
        receipt.outcomes = hex"0107";
        refused(abi.encodeWithSelector(IPackLedger.NotReceipt.selector, receipt.id));
        restored(receipt, hex"00");
    }

    /// A lift leaves no mark in receipts: what it brought back can be undone by an older receipt too, when the unit was
    /// locked again. The two companies could have lifted it just as well.
    function test_older_receipt_after_a_lift_has_no_more_power_than_a_lift() external {
        IPackLedger.Receipt memory older = change(MAKER_KEY, Status.LOCKED, packed(unit));
        lift(MAKER_KEY, AGENCY_KEY, packed(unit));
        IPackLedger.Receipt memory newer = change(AGENCY_KEY, Status.LOCKED, packed(unit));
        assertEq(restored(older, hex"00"), hex"00", "outcome");
        assertStatus(unit, Status.ACTIVE);
        assertRefused(restored(newer, hex"00"), Refusal.WRONG_STATUS);
    }

    function testFuzz_a_full_receipt_is_restored_in_any_parts(uint256 chosen, uint8 set) external {
        Status to = Status(1 + set % 7);
        bytes memory units;
        bytes memory positions;
        for (uint64 i = 0; i < 256; ++i) {
            units = abi.encodePacked(units, unitNumber(batch, i));
            if ((chosen >> i) & 1 == 1) positions = abi.encodePacked(positions, uint8(i));
        }
        vm.assume(positions.length != 0);
        IPackLedger.Receipt memory receipt = change(setterOf(to), to, units);
        restored(receipt, positions);
        assertEq(ledger.reversedOf(receipt.id), chosen, "bits");
        for (uint64 i = 0; i < 256; ++i) {
            assertStatus(unitNumber(batch, i), (chosen >> i) & 1 == 1 ? Status.ACTIVE : to);
        }
    }
}
