// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {Consent, Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice Batches: proposed, released, withdrawn.
contract PackLedgerBatchesTest is Fixture {
    uint64 private batch = batchNumber(PLANT, 1);

    function proposeFor(IPackLedger.Proposal calldata proposal) external {
        propose(LINE_KEY, proposal);
    }

    function releaseFor(uint64 number) external {
        release(QP_KEY, number);
    }

    function withdrawFor(uint64 number) external {
        withdraw(LINE_KEY, number);
    }

    function test_proposal_is_kept_whole() external {
        IPackLedger.Proposal memory proposal = proposalOf(batch);
        vm.expectEmit(address(ledger));
        emit IPackLedger.BatchProposed(batch, MAKER, LOT, 1, 10_000);
        this.proposeFor(proposal);
        IPackLedger.Batch memory kept = ledger.batchOf(batch);
        IPackLedger.Batch memory wanted = IPackLedger.Batch(
            proposal.itemRoot,
            LOT,
            1,
            uint24(MAKER),
            10_000,
            uint16(EXPIRES / 1 days),
            NOW,
            0,
            IPackLedger.BatchState.PROPOSED,
            0,
            1, // the line's key
            0
        );
        assertEq(abi.encode(kept), abi.encode(wanted), "batch");
    }

    function testFuzz_largest_and_smallest_values_do_not_touch_each_other(uint32 count, uint16 day, bytes32 root, bytes32 lot)
        external
    {
        uint16 today = uint16(NOW / 1 days);
        day = today + 1 + day % (type(uint16).max - today);
        IPackLedger.Proposal memory proposal = proposalOf(batch);
        proposal.count = count % (1 << 20) + 1;
        proposal.expiresAt = uint40(uint256(day) * 1 days);
        proposal.itemRoot = root;
        proposal.lotKey = lot;
        propose(LINE_KEY, proposal);
        vm.warp(NOW + 7);
        release(QP_KEY, batch, root);
        IPackLedger.Batch memory wanted = IPackLedger.Batch(
            root,
            lot,
            1,
            uint24(MAKER),
            uint24(proposal.count),
            day,
            NOW,
            NOW + 7,
            IPackLedger.BatchState.RELEASED,
            0,
            1, // the line's key
            2 // the qualified person's
        );
        assertEq(abi.encode(ledger.batchOf(batch)), abi.encode(wanted), "batch");
    }

    function test_batch_is_released_by_a_qualified_person_once() external {
        propose(LINE_KEY, proposalOf(batch));
        vm.warp(NOW + 10);
        vm.expectEmit(address(ledger));
        emit IPackLedger.BatchReleased(batch, vm.addr(QP_KEY));
        this.releaseFor(batch);
        assertTrue(ledger.batchOf(batch).state == IPackLedger.BatchState.RELEASED, "state");
        assertEq(ledger.batchOf(batch).releasedAt, NOW + 10, "time");
        refused(IPackLedger.BatchNotProposed.selector, batch);
        release(QP_KEY, batch);
    }

    function test_other_items_than_those_signed_are_not_released() external {
        propose(LINE_KEY, proposalOf(batch));
        refused(abi.encodeWithSelector(IPackLedger.WrongItemRoot.selector, batch, rootOf(batch)));
        release(QP_KEY, batch, rootOf(batch + 1));
        assertTrue(ledger.batchOf(batch).state == IPackLedger.BatchState.PROPOSED, "state");
    }

    /// The qualified person signed when another proposal stood under the number: a reorganisation has put this one there.
    function test_release_signed_for_a_proposal_that_was_reorganised_away_is_refused() external {
        uint256 before = vm.snapshotState();
        propose(LINE_KEY, proposalOf(batch));
        Consent memory consent = consentOf(
            QP_KEY,
            address(ledger),
            "Release(uint64 batch,bytes32 itemRoot,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(batch, rootOf(batch))
        );
        vm.revertToState(before);
        IPackLedger.Proposal memory other = proposalOf(batch);
        other.itemRoot = "other items";
        propose(LINE_KEY, other);
        vm.expectRevert(abi.encodeWithSelector(IPackLedger.WrongItemRoot.selector, batch, bytes32("other items")));
        ledger.release(batch, rootOf(batch), consent);
    }

    function test_line_cannot_release() external {
        propose(LINE_KEY, proposalOf(batch));
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(LINE_KEY), QUALITY));
        release(LINE_KEY, batch);
    }

    function test_qualified_person_of_another_product_cannot_release() external {
        propose(LINE_KEY, proposalOf(batch));
        refused(abi.encodeWithSelector(IPartyRegistry.QualityNotAuthorised.selector, 1, vm.addr(RIVAL_KEY)));
        release(RIVAL_KEY, batch);
    }

    function test_quality_key_cannot_propose() external {
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(QP_KEY), LINE));
        propose(QP_KEY, proposalOf(batch));
    }

    function test_line_of_another_product_cannot_propose() external {
        IPackLedger.Proposal memory proposal = proposalOf(batch);
        proposal.productKey = RIVAL_PRODUCT;
        refused(IPartyRegistry.LineNotAuthorised.selector, 2, PLANT);
        propose(LINE_KEY, proposal);
    }

    function test_line_of_a_suspended_party_cannot_propose() external {
        registry.suspend(PLANT);
        refused(IPartyRegistry.NotLicensed.selector, PLANT);
        propose(LINE_KEY, proposalOf(batch));
    }

    function test_batch_number_is_the_proposers_own() external {
        uint64 foreign = batchNumber(RIVAL, 1);
        refused(IPackLedger.BatchNumberNotYours.selector, foreign, PLANT);
        propose(LINE_KEY, proposalOf(foreign));
        uint64 tooLong = (uint64(1) << 44) | batch; // would be the batch of other units
        refused(IPackLedger.BatchNumberNotYours.selector, tooLong, PLANT);
        propose(LINE_KEY, proposalOf(tooLong));
    }

    function test_batch_number_is_used_once() external {
        propose(LINE_KEY, proposalOf(batch));
        refused(IPackLedger.BatchExists.selector, batch);
        propose(LINE_KEY, proposalOf(batch));
        withdraw(LINE_KEY, batch);
        refused(IPackLedger.BatchExists.selector, batch);
        propose(LINE_KEY, proposalOf(batch));
    }

    function test_count_is_one_to_two_to_the_twenty() external {
        IPackLedger.Proposal memory proposal = proposalOf(batch);
        proposal.count = 0;
        refused(IPackLedger.InvalidCount.selector, 0);
        propose(LINE_KEY, proposal);
        proposal.count = (1 << 20) + 1;
        refused(IPackLedger.InvalidCount.selector, (1 << 20) + 1);
        propose(LINE_KEY, proposal);
        proposal.count = 1 << 20;
        propose(LINE_KEY, proposal);
    }

    function test_expiry_is_a_midnight_in_the_future() external {
        IPackLedger.Proposal memory proposal = proposalOf(batch);
        proposal.expiresAt = EXPIRES + 1;
        refused(IPackLedger.InvalidExpiry.selector, EXPIRES + 1);
        propose(LINE_KEY, proposal);
        vm.warp(EXPIRES);
        proposal.expiresAt = EXPIRES;
        refused(IPackLedger.InvalidExpiry.selector, EXPIRES);
        propose(LINE_KEY, proposal);
        vm.warp(EXPIRES - 1);
        propose(LINE_KEY, proposal);
    }

    /// A batch keeps the day in 16 bits; and a unit of the last one can be dispensed, until then.
    function test_expiry_is_before_2149_06_08() external {
        uint40 last = uint40(uint256(type(uint16).max) * 1 days);
        IPackLedger.Proposal memory proposal = proposalOf(batch);
        proposal.expiresAt = last + 1 days;
        refused(IPackLedger.InvalidExpiry.selector, last + 1 days);
        propose(LINE_KEY, proposal);
        proposal.expiresAt = last;
        propose(LINE_KEY, proposal);
        release(QP_KEY, batch);
        change(PHARMACY_KEY, Status.SUPPLIED, packed(unitNumber(batch, 0)));
        assertStatus(unitNumber(batch, 0), Status.SUPPLIED);
    }

    function test_proposal_is_withdrawn_by_a_line_of_its_premises() external {
        propose(LINE_KEY, proposalOf(batch));
        refused(IPackLedger.NotProposer.selector, batch, RIVAL);
        withdraw(RIVAL_KEY, batch);
        refused(abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, vm.addr(STRANGER_KEY)));
        withdraw(STRANGER_KEY, batch);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(QP_KEY), LINE));
        withdraw(QP_KEY, batch);
        vm.warp(NOW + 10);
        vm.expectEmit(address(ledger));
        emit IPackLedger.BatchWithdrawn(batch);
        this.withdrawFor(batch);
        assertTrue(ledger.batchOf(batch).state == IPackLedger.BatchState.WITHDRAWN, "state");
        assertEq(ledger.batchOf(batch).releasedAt, NOW + 10, "time");
    }

    function test_proposal_of_a_contract_manufacturer_is_withdrawn_by_the_holder_too() external {
        registerParty(7001, 7001, MANUFACTURER);
        addKey(7001, STRANGER_KEY, LINE | QUALITY);
        authoriseLine(MAKER_KEY, PRODUCT, 7001, LATEST);
        for (uint64 own = 1; own < 4; ++own) {
            propose(STRANGER_KEY, proposalOf(batchNumber(7001, own)));
        }
        withdraw(STRANGER_KEY, batchNumber(7001, 1)); // its line
        withdraw(QP_KEY, batchNumber(7001, 2)); // quality of the holder's company, wherever its premises
        registry.setLicence(7001, MANUFACTURER, 0, NOW); // the contract has ended
        withdraw(MAKER_KEY, batchNumber(7001, 3));
        for (uint64 own = 1; own < 4; ++own) {
            assertTrue(ledger.batchOf(batchNumber(7001, own)).state == IPackLedger.BatchState.WITHDRAWN, "state");
        }
    }

    function test_several_lines_and_qualified_persons_work_for_one_product() external {
        registerParty(7001, 7001, MANUFACTURER);
        uint256 otherQp = uint256(keccak256("another qualified person"));
        addKey(7001, STRANGER_KEY, LINE);
        addKey(7001, otherQp, QUALITY);
        authoriseLine(MAKER_KEY, PRODUCT, 7001, LATEST);
        authoriseQuality(MAKER_KEY, PRODUCT, vm.addr(otherQp), LATEST);
        uint64 foreign = batchNumber(7001, 1);
        propose(LINE_KEY, proposalOf(batch));
        propose(STRANGER_KEY, proposalOf(foreign));
        release(otherQp, batch);
        release(QP_KEY, foreign);
        assertEq(ledger.batchOf(foreign).mah, MAKER, "holder, not the contract manufacturer");
        authoriseLine(MAKER_KEY, PRODUCT, 7001, 0);
        authoriseQuality(MAKER_KEY, PRODUCT, vm.addr(otherQp), 0);
        refused(IPartyRegistry.LineNotAuthorised.selector, 1, 7001);
        propose(STRANGER_KEY, proposalOf(batchNumber(7001, 2)));
        propose(LINE_KEY, proposalOf(batchNumber(PLANT, 2)));
        refused(abi.encodeWithSelector(IPartyRegistry.QualityNotAuthorised.selector, 1, vm.addr(otherQp)));
        release(otherQp, batchNumber(PLANT, 2));
        release(QP_KEY, batchNumber(PLANT, 2));
    }

    function test_only_a_proposal_is_released_or_withdrawn() external {
        refused(IPackLedger.BatchNotProposed.selector, batch);
        release(QP_KEY, batch);
        refused(IPackLedger.BatchNotProposed.selector, batch);
        withdraw(LINE_KEY, batch);
        propose(LINE_KEY, proposalOf(batch));
        withdraw(LINE_KEY, batch);
        refused(IPackLedger.BatchNotProposed.selector, batch);
        release(QP_KEY, batch);
        refused(IPackLedger.BatchNotProposed.selector, batch);
        withdraw(LINE_KEY, batch);
        uint64 other = released(2);
        refused(IPackLedger.BatchNotProposed.selector, other);
        withdraw(LINE_KEY, other);
    }

    function test_facts_of_a_unit_come_in_one_call() external {
        released(1);
        uint64 unit = unitNumber(batch, 5);
        change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        (Status status, IPackLedger.Batch memory data, uint8 recall, uint40 recalledAt, uint64 twin,,) =
            ledger.factsOf(unit);
        assertTrue(status == Status.SUPPLIED && recall == 0 && recalledAt == 0 && twin == 0, "facts");
        assertEq(abi.encode(data), abi.encode(ledger.batchOf(batch)), "batch");
        vm.warp(NOW + 10);
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        (,, recall, recalledAt,,,) = ledger.factsOf(unit);
        assertTrue(recall == 2 && recalledAt == NOW + 10, "recall");
    }

    function test_facts_of_a_unit_that_nobody_made_are_all_zero() external {
        recallBatch(AGENCY_KEY, 0, 0, IRecallBoard.Kind.RECALLED); // unit 77 would be of batch 0, and its holder nobody
        (
            Status status,
            IPackLedger.Batch memory data,
            uint8 recall,
            uint40 recalledAt,
            uint64 twin,
            IPackLedger.BatchSigner memory proposer,
            IPackLedger.BatchSigner memory releaser
        ) = ledger.factsOf(77);
        assertTrue(status == Status.ACTIVE && recall == 0 && recalledAt == 0 && twin == 0, "facts");
        assertEq(abi.encode(data), new bytes(12 * 32), "batch");
        assertEq(abi.encode(proposer, releaser), new bytes(4 * 32), "signers");
    }

    function signersOf(uint64 number)
        private
        view
        returns (IPackLedger.BatchSigner memory proposer, IPackLedger.BatchSigner memory releaser)
    {
        (,,,,, proposer, releaser) = ledger.factsOf(unitNumber(number, 0));
    }

    function test_who_signed_for_a_batch_stays_known() external {
        propose(LINE_KEY, proposalOf(batch));
        (IPackLedger.BatchSigner memory proposer, IPackLedger.BatchSigner memory releaser) = signersOf(batch);
        assertTrue(proposer.key == vm.addr(LINE_KEY) && proposer.compromisedSince == 0, "proposed");
        assertTrue(releaser.key == address(0), "not released");
        release(QP_KEY, batch);
        rotateKey(LINE_KEY, LINE_KEY, uint256(keccak256("new line")));
        (proposer, releaser) = signersOf(batch);
        assertTrue(proposer.key == vm.addr(LINE_KEY), "the key that signed, not the one of today");
        assertTrue(releaser.key == vm.addr(QP_KEY) && releaser.compromisedSince == 0, "released");
    }

    function test_facts_say_since_when_a_batchs_signers_are_compromised() external {
        released(1);
        vm.warp(NOW + 10);
        registry.revokeKey(vm.addr(LINE_KEY), NOW - 1);
        registry.revokeKey(vm.addr(QP_KEY), NOW + 10);
        (IPackLedger.BatchSigner memory proposer, IPackLedger.BatchSigner memory releaser) = signersOf(batch);
        assertTrue(proposer.compromisedSince == NOW - 1 && releaser.compromisedSince == NOW + 10, "since");
    }

    function test_withdrawal_names_no_releaser() external {
        propose(LINE_KEY, proposalOf(batch));
        withdraw(LINE_KEY, batch);
        (, IPackLedger.BatchSigner memory releaser) = signersOf(batch);
        assertTrue(releaser.key == address(0), "nobody released it");
    }
}
