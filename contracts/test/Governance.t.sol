// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {CustodyLedger} from "../CustodyLedger.sol";
import {EventLog} from "../EventLog.sol";
import {PackLedger} from "../PackLedger.sol";
import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IPausableCalls} from "../interfaces/IPausableCalls.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice What the licensing authority can stop, and what it cannot; how contracts end.
contract GovernanceTest is Fixture {
    function paused() private {
        refused(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
    }

    function targets() private view returns (IPausableCalls[3] memory) {
        return [IPausableCalls(address(ledger)), IPausableCalls(address(custody)), IPausableCalls(address(eventLog))];
    }

    function successors() private returns (address[3] memory) {
        return [
            address(new PackLedger(address(manager), registry, board)),
            address(new CustodyLedger(address(manager), registry)),
            address(new EventLog(address(manager), registry))
        ];
    }

    // ---- recall and reading go on ----

    function test_recalls_are_written_lifted_and_read_while_all_is_paused_and_closed() external {
        uint64 batch = released(1);
        uint64 unit = unitNumber(batch, 1);
        for (uint256 i = 0; i < 3; ++i) {
            targets()[i].pause();
            manager.setTargetClosed(address(targets()[i]), true);
        }
        manager.setTargetClosed(address(registry), true);
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.WITHDRAWN);
        recallBatch(AGENCY_KEY, MAKER, batch, IRecallBoard.Kind.RECALLED);
        (Status status, IPackLedger.Batch memory found, uint8 recall, uint40 since,,,) = ledger.factsOf(unit);
        assertTrue(status == Status.ACTIVE && found.count != 0 && recall == 2 && since == NOW, "facts");
        liftRecall(AGENCY_KEY, MAKER, bytes32(uint256(batch)));
        liftRecall(AGENCY_KEY, MAKER, LOT);
        (,, recall,,,,) = ledger.factsOf(unit);
        assertEq(recall, 0, "lifted");
    }

    function test_recall_stands_when_the_pause_has_ended() external {
        uint64 batch = released(1);
        ledger.pause();
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        ledger.unpause();
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unitNumber(batch, 1)));
        assertTrue(uint8(receipt.outcomes[0]) >= 0x80, "not supplied");
    }

    function test_keys_are_revoked_and_replaced_while_all_is_paused() external {
        for (uint256 i = 0; i < 3; ++i) {
            targets()[i].pause();
        }
        registry.revokeKey(vm.addr(TRADER_KEY), NOW);
        rotateKey(PHARMACY_KEY, PHARMACY_KEY, STRANGER_KEY);
    }

    // ---- succession ----

    function test_contract_ends_in_one_act_and_for_good() external {
        address[3] memory next = successors();
        for (uint256 i = 0; i < 3; ++i) {
            IPausableCalls target = targets()[i];
            assertTrue(target.successor() == address(0), "in force");
            vm.expectEmit(address(target));
            emit IPausableCalls.Succeeded(next[i]);
            target.succeed(next[i]);
            assertTrue(target.successor() == next[i], "successor");
            assertTrue(Pausable(address(target)).paused(), "stopped");
            bytes memory ended = abi.encodeWithSelector(IPausableCalls.HasSuccessor.selector, next[i]);
            vm.expectRevert(ended);
            target.unpause();
            vm.expectRevert(ended);
            target.succeed(address(registry));
        }
        paused();
        append(MAKER_KEY, 0, 0, "root", 1);
    }

    function test_paused_contract_can_be_succeeded_without_a_moment_in_force() external {
        address[3] memory next = successors();
        ledger.pause();
        ledger.succeed(next[0]);
        assertTrue(ledger.paused() && ledger.successor() == next[0], "ended");
    }

    function test_successor_is_a_contract_and_another_one() external {
        vm.expectRevert(abi.encodeWithSelector(IPausableCalls.NoContract.selector, address(0)));
        ledger.succeed(address(0));
        vm.expectRevert(abi.encodeWithSelector(IPausableCalls.NoContract.selector, vm.addr(MAKER_KEY)));
        ledger.succeed(vm.addr(MAKER_KEY));
        vm.expectRevert(abi.encodeWithSelector(IPausableCalls.NoContract.selector, address(ledger)));
        ledger.succeed(address(ledger));
        assertTrue(!ledger.paused(), "in force");
    }

    function test_only_the_authority_names_a_successor() external {
        address[3] memory next = successors();
        address stranger = vm.addr(MAKER_KEY);
        for (uint256 i = 0; i < 3; ++i) {
            IPausableCalls target = targets()[i];
            vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
            vm.prank(stranger);
            target.succeed(next[i]);
        }
    }

    /// What is written in docs/governance.md: the old contracts stay as they ended, the new ones go on beside them.
    function test_the_old_is_read_as_it_ended_and_the_new_takes_over() external {
        uint64 unit = unitNumber(released(1), 1);
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        append(MAKER_KEY, 0, 0, "root", 1);
        register(LINE_KEY, custodyNumber(PLANT, 1), new uint64[](0));
        (PackLedger oldLedger, CustodyLedger oldCustody, EventLog oldLog) = (ledger, custody, eventLog);
        address[3] memory next = successors();
        for (uint256 i = 0; i < 3; ++i) {
            targets()[i].succeed(next[i]);
        }
        (ledger, custody, eventLog) = (PackLedger(next[0]), CustodyLedger(next[1]), EventLog(next[2]));
        assertTrue(oldLedger.statusOf(unit) == Status.SUPPLIED && oldLedger.receiptHash(receipt.id) != 0, "status");
        assertEq(oldCustody.unitOf(custodyNumber(PLANT, 1)).holder, PLANT, "holder");
        assertEq(oldLog.entryOf(MAKER, 0, 0).root, "root", "entry");
        append(MAKER_KEY, 0, 0, "next", 1); // under the same registry and the same recalls
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        uint64 batch = released(2);
        (,, uint8 recall,,,,) = ledger.factsOf(unitNumber(batch, 0));
        assertEq(recall, 2, "recalled in the new one");
        (,, recall,,,,) = oldLedger.factsOf(unit);
        assertEq(recall, 2, "and in the old one");
    }
}
