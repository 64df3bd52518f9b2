// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {Status} from "../interfaces/Types.sol";
import {PausableCalls} from "../PausableCalls.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

contract PausableCallsTest is Fixture {
    function paused() private {
        refused(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
    }

    function test_only_the_authority_pauses_and_unpauses() external {
        PausableCalls[3] memory targets = [PausableCalls(ledger), custody, eventLog];
        address stranger = vm.addr(AGENCY_KEY);
        bytes memory unauthorised =
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger);
        for (uint256 i = 0; i < targets.length; ++i) {
            vm.expectRevert(unauthorised);
            vm.prank(stranger);
            targets[i].pause();
            targets[i].pause();
            vm.expectRevert(unauthorised);
            vm.prank(stranger);
            targets[i].unpause();
            targets[i].unpause();
            assertTrue(!targets[i].paused(), "unpaused");
        }
    }

    function test_paused_pack_ledger_takes_no_party_call_and_answers_all_questions() external {
        uint64 batch = released(1);
        uint64 unit = unitNumber(batch, 1);
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        ledger.pause();
        paused();
        propose(LINE_KEY, proposalOf(batchNumber(PLANT, 2)));
        paused();
        release(QP_KEY, batch);
        paused();
        withdraw(LINE_KEY, batch);
        paused();
        change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        paused();
        reverse(PHARMACY_KEY, receipt, hex"00");
        paused();
        lift(MAKER_KEY, AGENCY_KEY, packed(unit));
        paused();
        restore(MAKER_KEY, AGENCY_KEY, receipt, hex"00");
        assertStatus(unit, Status.SUPPLIED);
        (Status status,,,,,,) = ledger.factsOf(unit);
        assertTrue(status == Status.SUPPLIED && ledger.batchOf(batch).count != 0, "facts");
        assertTrue(ledger.receiptHash(receipt.id) != 0 && ledger.reversedOf(receipt.id) == 0, "receipt");
        ledger.unpause();
        reverse(PHARMACY_KEY, receipt, hex"00");
    }

    function test_paused_custody_ledger_takes_no_party_call_and_answers_all_questions() external {
        uint64 number = custodyNumber(PLANT, 1);
        register(LINE_KEY, number, new uint64[](0));
        custody.pause();
        paused();
        register(LINE_KEY, number + 1, new uint64[](0));
        paused();
        ship(LINE_KEY, listed(number), TRADER);
        paused();
        cancelShipment(LINE_KEY, listed(number));
        paused();
        receiveShipment(LINE_KEY, listed(number));
        paused();
        receivePartly(LINE_KEY, number, listed(number + 1));
        paused();
        refuseShipment(LINE_KEY, listed(number));
        paused();
        unpack(LINE_KEY, listed(number));
        paused();
        takeOut(LINE_KEY, listed(number));
        assertEq(custody.unitOf(number).holder, PLANT, "holder");
        assertTrue(custody.contentOf(number) != 0, "content");
    }

    function test_paused_event_log_takes_no_entry_and_answers_all_questions() external {
        append(MAKER_KEY, 0, 0, "root", 1);
        eventLog.pause();
        paused();
        append(MAKER_KEY, 0, 1, "root", 1);
        assertEq(eventLog.nextSequence(MAKER, 0), 1, "next");
        assertEq(eventLog.entryOf(MAKER, 0, 0).root, "root", "entry");
    }

    function test_registry_works_while_all_else_is_paused() external {
        ledger.pause();
        custody.pause();
        eventLog.pause();
        registry.suspend(TRADER);
        authoriseLine(MAKER_KEY, PRODUCT, PLANT, 0);
    }
}
