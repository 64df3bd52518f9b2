// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {Refusal, Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice Back to ACTIVE by the premises that set the status (Delegated Regulation 2016/161, Art. 13).
contract PackLedgerReversalTest is Fixture {
    uint64 private batch;
    uint64 private unit;

    function setUp() public override {
        super.setUp();
        batch = released(1);
        unit = unitNumber(batch, 7);
    }

    function dispensed() private returns (IPackLedger.Receipt memory) {
        return change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
    }

    function assertRefused(bytes memory outcomes, Refusal why) private pure {
        assertEq(outcomes, abi.encodePacked(refusal(why)), "outcome");
    }

    function test_dispense_is_reversed_by_the_same_premises() external {
        IPackLedger.Receipt memory receipt = dispensed();
        assertEq(reverse(PHARMACY_KEY, receipt, hex"00"), hex"01", "found supplied");
        assertStatus(unit, Status.ACTIVE);
        assertEq(ledger.reversedOf(receipt.id), 1, "bit");
        assertEq(change(OTHER_PHARMACY_KEY, Status.SUPPLIED, packed(unit)).outcomes, hex"00", "dispensed again");
    }

    function test_reversal_is_recorded_under_the_receipt() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1, unit + 2));
        vm.expectEmit(address(ledger));
        emit IPackLedger.StatusReversed(receipt.id, PHARMACY, packed(unit + 2, unit), hex"0101");
        this.reverseFor(receipt, hex"0200");
        assertEq(ledger.reversedOf(receipt.id), 5, "bits 0 and 2");
        assertStatus(unit, Status.ACTIVE);
        assertStatus(unit + 1, Status.SUPPLIED);
        assertStatus(unit + 2, Status.ACTIVE);
    }

    function reverseFor(IPackLedger.Receipt calldata receipt, bytes calldata positions) external {
        reverse(PHARMACY_KEY, receipt, positions);
    }

    function test_another_key_of_the_premises_can_reverse() external {
        IPackLedger.Receipt memory receipt = dispensed();
        addKey(PHARMACY, STRANGER_KEY, OPERATE);
        registry.revokeKey(vm.addr(PHARMACY_KEY), NOW);
        assertEq(reverse(STRANGER_KEY, receipt, hex"00"), hex"01", "outcome");
    }

    function test_other_premises_cannot_reverse() external {
        IPackLedger.Receipt memory receipt = dispensed();
        uint256[4] memory others = [OTHER_PHARMACY_KEY, MAKER_KEY, AGENCY_KEY, LINE_KEY];
        uint32[4] memory parties = [OTHER_PHARMACY, MAKER, AGENCY, PLANT];
        for (uint256 i = 0; i < others.length; ++i) {
            refused(abi.encodeWithSelector(IPackLedger.NotReceiptHolder.selector, receipt.id, parties[i]));
            reverse(others[i], receipt, hex"00");
        }
    }

    function test_other_premises_of_the_same_company_cannot_reverse() external {
        IPackLedger.Receipt memory receipt = change(MAKER_KEY, Status.SAMPLED, packed(unit));
        refused(abi.encodeWithSelector(IPackLedger.NotReceiptHolder.selector, receipt.id, PLANT));
        reverse(LINE_KEY, receipt, hex"00");
    }

    function test_key_without_authority_cannot_reverse() external {
        IPackLedger.Receipt memory receipt = dispensed();
        registry.suspend(PHARMACY);
        refused(IPartyRegistry.NotLicensed.selector, PHARMACY);
        reverse(PHARMACY_KEY, receipt, hex"00");
    }

    function test_four_statuses_are_reversible_and_no_other() external {
        for (uint8 to = 1; to < 9; ++to) {
            uint64 mine = unitNumber(batch, 100 + to);
            uint256 key = to == uint8(Status.SUPPLIED) ? PHARMACY_KEY : MAKER_KEY;
            IPackLedger.Receipt memory receipt = change(key, Status(to), packed(mine));
            bool reversible = to == uint8(Status.SUPPLIED) || to == uint8(Status.EXPORTED)
                || to == uint8(Status.SAMPLED) || to == uint8(Status.FREE_SAMPLE);
            if (!reversible) refused(IPackLedger.NotReversible.selector, to);
            reverse(key, receipt, hex"00");
            assertStatus(mine, reversible ? Status.ACTIVE : Status(to));
        }
    }

    function test_reversal_period_ends_after_ten_days() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1));
        assertEq(ledger.REVERSAL_PERIOD(), 10 days, "period");
        vm.warp(NOW + 10 days + 1);
        refused(abi.encodeWithSelector(IPackLedger.ReversalTooLate.selector, receipt.id, NOW + 10 days));
        reverse(PHARMACY_KEY, receipt, hex"00");
        vm.warp(NOW + 10 days);
        assertEq(reverse(PHARMACY_KEY, receipt, hex"00"), hex"01", "last second");
    }

    function test_unit_is_reversed_once_for_each_receipt() external {
        IPackLedger.Receipt memory receipt = dispensed();
        reverse(PHARMACY_KEY, receipt, hex"00");
        assertRefused(reverse(PHARMACY_KEY, receipt, hex"00"), Refusal.ALREADY_REVERSED);
        // … also when the unit was supplied again, by whom ever: the old receipt has no power over that
        change(OTHER_PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        assertRefused(reverse(PHARMACY_KEY, receipt, hex"00"), Refusal.ALREADY_REVERSED);
        assertStatus(unit, Status.SUPPLIED);
        IPackLedger.Receipt memory third = dispensed();
        assertRefused(third.outcomes, Refusal.WRONG_STATUS);
    }

    function test_same_position_twice_in_a_call_is_reversed_once() external {
        IPackLedger.Receipt memory receipt = dispensed();
        bytes memory outcomes = reverse(PHARMACY_KEY, receipt, hex"0000");
        assertEq(outcomes, abi.encodePacked(hex"01", refusal(Refusal.ALREADY_REVERSED)), "outcomes");
    }

    function test_unit_that_the_call_did_not_change_is_refused() external {
        dispensed();
        // the loser of a race, and the same unit listed twice: neither receipt changed it
        IPackLedger.Receipt memory loser = change(OTHER_PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1));
        assertRefused(reverse(OTHER_PHARMACY_KEY, loser, hex"00"), Refusal.NOT_CHANGED_HERE);
        assertStatus(unit, Status.SUPPLIED);
        IPackLedger.Receipt memory doubled = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit + 2, unit + 2));
        assertRefused(reverse(PHARMACY_KEY, doubled, hex"01"), Refusal.NOT_CHANGED_HERE);
        assertStatus(unit + 2, Status.SUPPLIED);
    }

    function test_refused_unit_is_a_conflict_and_blocks_no_other() external {
        dispensed();
        IPackLedger.Receipt memory receipt =
            change(OTHER_PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1, unit + 2));
        uint256 nonce = ledger.nonces(vm.addr(OTHER_PHARMACY_KEY), lane);
        bytes32 digest = digestOf(
            address(ledger),
            structHashOf(
                "ReverseStatus(bytes32 id,bytes positions,address signer,uint256 nonce,uint48 deadline)",
                abi.encode(receipt.id, keccak256(hex"010002")),
                vm.addr(OTHER_PHARMACY_KEY),
                nonce
            )
        );
        vm.expectEmit(address(ledger));
        emit IPackLedger.Conflict(
            unit, OTHER_PHARMACY, digest, Status.ACTIVE, Status.SUPPLIED, Refusal.NOT_CHANGED_HERE
        );
        this.reverseForOther(receipt, hex"010002");
        assertStatus(unit + 1, Status.ACTIVE);
        assertStatus(unit + 2, Status.ACTIVE);
    }

    function reverseForOther(IPackLedger.Receipt calldata receipt, bytes calldata positions) external {
        reverse(OTHER_PHARMACY_KEY, receipt, positions);
    }

    function test_stolen_or_destroyed_unit_stays_so() external {
        IPackLedger.Receipt memory receipt = dispensed();
        change(AGENCY_KEY, Status.STOLEN, packed(unit));
        assertRefused(reverse(PHARMACY_KEY, receipt, hex"00"), Refusal.WRONG_STATUS);
        assertStatus(unit, Status.STOLEN);
    }

    function test_expired_unit_is_not_reversed() external {
        vm.warp(EXPIRES - 1);
        IPackLedger.Receipt memory receipt = dispensed();
        vm.warp(EXPIRES);
        assertRefused(reverse(PHARMACY_KEY, receipt, hex"00"), Refusal.EXPIRED);
        assertStatus(unit, Status.SUPPLIED);
    }

    function test_recalled_unit_is_not_reversed() external {
        IPackLedger.Receipt memory receipt = dispensed();
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        assertRefused(reverse(PHARMACY_KEY, receipt, hex"00"), Refusal.RECALLED);
        liftRecall(AGENCY_KEY, MAKER, LOT);
        recallBatch(MAKER_KEY, MAKER, batch, IRecallBoard.Kind.WITHDRAWN);
        assertRefused(reverse(PHARMACY_KEY, receipt, hex"00"), Refusal.RECALLED);
        assertStatus(unit, Status.SUPPLIED);
    }

    function test_sample_taken_before_release_is_reversed_unless_the_batch_was_withdrawn() external {
        uint64 proposed = batchNumber(PLANT, 2);
        propose(LINE_KEY, proposalOf(proposed));
        bytes memory units = packed(unitNumber(proposed, 0), unitNumber(proposed, 1));
        IPackLedger.Receipt memory receipt = change(MAKER_KEY, Status.SAMPLED, units);
        assertEq(reverse(MAKER_KEY, receipt, hex"00"), hex"04", "proposed");
        withdraw(LINE_KEY, proposed);
        assertRefused(reverse(MAKER_KEY, receipt, hex"01"), Refusal.NOT_RELEASED);
    }

    function test_refusal_that_passes_leaves_the_reversal_open() external {
        IPackLedger.Receipt memory receipt = dispensed();
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        reverse(PHARMACY_KEY, receipt, hex"00");
        liftRecall(AGENCY_KEY, MAKER, LOT);
        assertEq(reverse(PHARMACY_KEY, receipt, hex"00"), hex"01", "outcome");
    }

    function test_forged_receipt_is_refused() external {
        IPackLedger.Receipt memory receipt = dispensed();
        bytes memory notReceipt = abi.encodeWithSelector(IPackLedger.NotReceipt.selector, receipt.id);
        IPackLedger.Receipt[7] memory forged;
        for (uint256 i = 0; i < 7; ++i) {
            forged[i] = abi.decode(abi.encode(receipt), (IPackLedger.Receipt));
        }
        forged[0].party = OTHER_PHARMACY;
        forged[1].to = Status.EXPORTED;
        forged[2].time += 1;
        forged[3].openings = "other";
        forged[4].units = packed(unit + 1);
        forged[5].outcomes = hex"0000";
        forged[6].units = packed(unit, unit + 1);
        for (uint256 i = 0; i < 7; ++i) {
            refused(notReceipt);
            reverse(i == 0 ? OTHER_PHARMACY_KEY : PHARMACY_KEY, forged[i], hex"00");
        }
        receipt.id = "none";
        refused(abi.encodeWithSelector(IPackLedger.NotReceipt.selector, bytes32("none")));
        reverse(PHARMACY_KEY, receipt, hex"00");
    }

    function test_positions_name_one_to_256_units_of_the_receipt() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit, unit + 1));
        refused(IPackLedger.InvalidPositions.selector, 0);
        reverse(PHARMACY_KEY, receipt, "");
        refused(IPackLedger.InvalidPositions.selector, 257);
        reverse(PHARMACY_KEY, receipt, new bytes(257));
        refused(IPackLedger.InvalidPositions.selector, 2);
        reverse(PHARMACY_KEY, receipt, hex"0002");
        assertStatus(unit, Status.SUPPLIED);
    }

    function testFuzz_a_full_receipt_is_reversed_in_any_parts(uint256 chosen) external {
        bytes memory units;
        bytes memory positions;
        for (uint64 i = 0; i < 256; ++i) {
            units = abi.encodePacked(units, unitNumber(batch, i));
            if ((chosen >> i) & 1 == 1) positions = abi.encodePacked(positions, uint8(i));
        }
        vm.assume(positions.length != 0);
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, units);
        reverse(PHARMACY_KEY, receipt, positions);
        assertEq(ledger.reversedOf(receipt.id), chosen, "bits");
        for (uint64 i = 0; i < 256; ++i) {
            assertStatus(unitNumber(batch, i), (chosen >> i) & 1 == 1 ? Status.ACTIVE : Status.SUPPLIED);
        }
    }
}

/// @notice Back to ACTIVE by the marketing authorisation holder and a regulator together.
contract PackLedgerLiftTest is Fixture {
    uint64 private batch;
    uint64 private unit;

    function setUp() public override {
        super.setUp();
        batch = released(1);
        unit = unitNumber(batch, 7);
    }

    function test_locked_and_suspect_units_are_lifted() external {
        change(MAKER_KEY, Status.LOCKED, packed(unit));
        change(PHARMACY_KEY, Status.SUSPECT, packed(unit + 1));
        assertEq(lift(MAKER_KEY, AGENCY_KEY, packed(unit, unit + 1)), hex"0708", "outcomes");
        assertStatus(unit, Status.ACTIVE);
        assertStatus(unit + 1, Status.ACTIVE);
    }

    function test_expired_or_recalled_units_are_lifted_and_stay_unsaleable() external {
        change(MAKER_KEY, Status.LOCKED, packed(unit, unit + 1));
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        assertEq(lift(MAKER_KEY, AGENCY_KEY, packed(unit)), hex"07", "recalled");
        vm.warp(EXPIRES);
        assertEq(lift(MAKER_KEY, AGENCY_KEY, packed(unit + 1)), hex"07", "expired");
        bytes memory outcomes = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit + 1)).outcomes;
        assertEq(outcomes, abi.encodePacked(refusal(Refusal.EXPIRED)), "supplied");
    }

    function test_lift_is_recorded_under_the_holders_consent() external {
        change(MAKER_KEY, Status.LOCKED, packed(unit));
        bytes memory units = packed(unit, unit + 1);
        bytes32 digest = digestOf(
            address(ledger),
            structHashOf(
                LIFT,
                abi.encode(keccak256(units), false),
                vm.addr(MAKER_KEY),
                ledger.nonces(vm.addr(MAKER_KEY), lane)
            )
        );
        vm.expectEmit(address(ledger));
        emit IPackLedger.Conflict(unit + 1, MAKER, digest, Status.ACTIVE, Status.ACTIVE, Refusal.WRONG_STATUS);
        vm.expectEmit(address(ledger));
        emit IPackLedger.StatusLifted(
            digest, MAKER, AGENCY, units, abi.encodePacked(hex"07", refusal(Refusal.WRONG_STATUS))
        );
        this.liftFor(units);
    }

    function liftFor(bytes calldata units) external {
        lift(MAKER_KEY, AGENCY_KEY, units);
    }

    function test_no_other_status_is_lifted() external {
        for (uint8 to = 1; to < 9; ++to) {
            if (to == uint8(Status.LOCKED) || to == uint8(Status.SUSPECT)) continue;
            uint64 mine = unitNumber(batch, 100 + to);
            change(to == uint8(Status.SUPPLIED) ? PHARMACY_KEY : MAKER_KEY, Status(to), packed(mine));
            bytes memory outcomes = lift(MAKER_KEY, AGENCY_KEY, packed(mine));
            assertEq(outcomes, abi.encodePacked(refusal(Refusal.WRONG_STATUS)), decimal(to));
            assertStatus(mine, Status(to));
        }
    }

    function test_holder_of_another_product_cannot_lift() external {
        change(MAKER_KEY, Status.LOCKED, packed(unit));
        bytes memory outcomes = lift(RIVAL_KEY, AGENCY_KEY, packed(unit));
        assertEq(outcomes, abi.encodePacked(refusal(Refusal.NOT_ALLOWED)), "outcome");
        assertStatus(unit, Status.LOCKED);
    }

    function test_premises_of_the_holder_can_lift() external {
        change(MAKER_KEY, Status.LOCKED, packed(unit));
        assertEq(lift(LINE_KEY, AGENCY_KEY, packed(unit)), hex"07", "outcome");
    }

    function test_lift_needs_a_regulator() external {
        change(MAKER_KEY, Status.LOCKED, packed(unit));
        refused(IPackLedger.NotRegulator.selector, PHARMACY);
        lift(MAKER_KEY, PHARMACY_KEY, packed(unit));
        refused(IPackLedger.NotRegulator.selector, PLANT);
        lift(MAKER_KEY, LINE_KEY, packed(unit));
    }

    function test_lift_needs_two_companies() external {
        change(MAKER_KEY, Status.LOCKED, packed(unit));
        addKey(AGENCY, uint256(keccak256("another key")), OPERATE);
        refused(IPackLedger.NotMah.selector, AGENCY);
        lift(AGENCY_KEY, uint256(keccak256("another key")), packed(unit));
        registerParty(4000, MAKER, REGULATOR); // a registry that made a company its own regulator
        addKey(4000, STRANGER_KEY, OPERATE);
        refused(IPackLedger.NotMah.selector, MAKER);
        lift(MAKER_KEY, STRANGER_KEY, packed(unit));
    }

    function test_one_consent_for_both_is_refused() external {
        change(MAKER_KEY, Status.LOCKED, packed(unit));
        refused(nonceUsed(AGENCY_KEY));
        lift(AGENCY_KEY, AGENCY_KEY, packed(unit));
    }

    function nonceUsed(uint256 key) private view returns (bytes memory) {
        return abi.encodeWithSignature(
            "InvalidAccountNonce(address,uint256)", vm.addr(key), ledger.nonces(vm.addr(key), lane) + 1
        );
    }

    function test_unknown_and_withdrawn_units_are_refused() external {
        uint64 proposed = batchNumber(PLANT, 2);
        propose(LINE_KEY, proposalOf(proposed));
        bytes memory units = packed(unitNumber(proposed, 0), unitNumber(proposed, 1));
        change(MAKER_KEY, Status.LOCKED, units);
        assertEq(lift(MAKER_KEY, AGENCY_KEY, packed(unitNumber(proposed, 0))), hex"07", "proposed");
        withdraw(LINE_KEY, proposed);
        bytes memory outcomes = lift(MAKER_KEY, AGENCY_KEY, packed(unitNumber(proposed, 1), unitNumber(batch, 10_000)));
        assertEq(
            outcomes, abi.encodePacked(refusal(Refusal.NOT_RELEASED), refusal(Refusal.UNKNOWN_UNIT)), "outcomes"
        );
    }

    function test_units_are_whole_and_one_to_256() external {
        refused(IPackLedger.InvalidUnits.selector, 0);
        lift(MAKER_KEY, AGENCY_KEY, "");
        refused(IPackLedger.InvalidUnits.selector, 9);
        lift(MAKER_KEY, AGENCY_KEY, new bytes(9));
    }
}
