// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

contract RecallBoardTest is Fixture {
    uint64 private batch = batchNumber(PLANT, 1);

    function assertRecall(uint32 mah, bytes32 lotKey, uint64 number, IRecallBoard.Kind wanted, uint40 since) private view {
        (IRecallBoard.Kind kind, uint40 time) = board.recallOf(mah, lotKey, number);
        assertEq(uint256(kind), uint256(wanted), "kind");
        assertEq(time, since, "since");
    }

    function test_lot_is_recalled_by_its_holder() external {
        vm.expectEmit(address(board));
        emit IRecallBoard.Recalled(MAKER, LOT, IRecallBoard.Kind.RECALLED, MAKER, "notice");
        this.recallLotFor(MAKER_KEY, IRecallBoard.Kind.RECALLED);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.RECALLED, NOW);
        assertRecall(MAKER, "other lot", batch, IRecallBoard.Kind.NONE, 0);
    }

    function recallLotFor(uint256 key, IRecallBoard.Kind kind) external {
        recallLot(key, MAKER, LOT, kind);
    }

    function test_batch_is_recalled_by_its_holder() external {
        recallBatch(MAKER_KEY, MAKER, batch, IRecallBoard.Kind.WITHDRAWN);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.WITHDRAWN, NOW);
        assertRecall(MAKER, LOT, batch + 1, IRecallBoard.Kind.NONE, 0);
    }

    function test_premises_of_the_holder_and_regulators_recall_too() external {
        recallLot(QP_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        recallBatch(AGENCY_KEY, RIVAL, batch, IRecallBoard.Kind.RECALLED);
        assertRecall(RIVAL, LOT, batch, IRecallBoard.Kind.RECALLED, NOW);
    }

    function test_nobody_recalls_what_is_not_theirs() external {
        refused(IRecallBoard.NotMahOrRegulator.selector, RIVAL, MAKER);
        recallLot(RIVAL_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        refused(IRecallBoard.NotMahOrRegulator.selector, RIVAL, MAKER);
        recallBatch(RIVAL_KEY, MAKER, batch, IRecallBoard.Kind.RECALLED);
    }

    function test_same_lot_key_under_another_holder_is_another_entry() external {
        recallLot(RIVAL_KEY, RIVAL, LOT, IRecallBoard.Kind.RECALLED);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.NONE, 0);
    }

    function test_recall_needs_a_quality_key() external {
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(LINE_KEY), QUALITY));
        recallLot(LINE_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(TRADER_KEY), QUALITY));
        liftRecall(TRADER_KEY, MAKER, LOT);
    }

    function test_recall_of_no_kind_is_refused() external {
        refused(abi.encodeWithSelector(IRecallBoard.InvalidKind.selector));
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.NONE);
    }

    function test_graver_of_lot_and_batch_counts() external {
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.WITHDRAWN);
        vm.warp(NOW + 10);
        recallBatch(MAKER_KEY, MAKER, batch, IRecallBoard.Kind.RECALLED);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.RECALLED, NOW + 10);
        assertRecall(MAKER, LOT, batch + 1, IRecallBoard.Kind.WITHDRAWN, NOW);
        vm.warp(NOW + 20);
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.RECALLED, NOW + 10);
        assertRecall(MAKER, LOT, batch + 1, IRecallBoard.Kind.RECALLED, NOW + 20);
    }

    function test_of_two_recalls_of_one_kind_the_first_counts() external {
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        vm.warp(NOW + 10);
        recallBatch(MAKER_KEY, MAKER, batch, IRecallBoard.Kind.RECALLED);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.RECALLED, NOW);
    }

    function test_recall_grows_graver_and_never_weaker() external {
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.WITHDRAWN);
        vm.warp(NOW + 10);
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        refused(abi.encodeWithSelector(IRecallBoard.AlreadyGraver.selector, MAKER, LOT, IRecallBoard.Kind.RECALLED));
        recallLot(AGENCY_KEY, MAKER, LOT, IRecallBoard.Kind.WITHDRAWN);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.RECALLED, NOW + 10);
    }

    function test_second_recall_of_a_kind_keeps_the_time_and_is_recorded() external {
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        vm.warp(NOW + 10);
        vm.expectEmit(address(board));
        emit IRecallBoard.Recalled(MAKER, LOT, IRecallBoard.Kind.RECALLED, AGENCY, "notice");
        this.recallLotFor(AGENCY_KEY, IRecallBoard.Kind.RECALLED);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.RECALLED, NOW);
    }

    function test_only_a_regulator_lifts() external {
        recallLot(AGENCY_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        recallBatch(MAKER_KEY, MAKER, batch, IRecallBoard.Kind.RECALLED);
        refused(IRecallBoard.NotRegulator.selector, MAKER);
        liftRecall(MAKER_KEY, MAKER, LOT);
        liftRecall(AGENCY_KEY, MAKER, LOT);
        assertRecall(MAKER, LOT, batch + 1, IRecallBoard.Kind.NONE, 0);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.RECALLED, NOW);
        vm.expectEmit(address(board));
        emit IRecallBoard.RecallLifted(MAKER, bytes32(uint256(batch)), AGENCY, "all clear");
        this.liftBatchFor(AGENCY_KEY);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.NONE, 0);
        refused(abi.encodeWithSelector(IRecallBoard.NotRecalled.selector, MAKER, LOT));
        liftRecall(AGENCY_KEY, MAKER, LOT);
    }

    function liftBatchFor(uint256 key) external {
        liftRecall(key, MAKER, bytes32(uint256(batch)));
    }

    function test_recall_is_written_while_all_else_is_paused() external {
        ledger.pause();
        custody.pause();
        eventLog.pause();
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        recallBatch(MAKER_KEY, MAKER, batch, IRecallBoard.Kind.RECALLED);
        liftRecall(AGENCY_KEY, MAKER, LOT);
        assertRecall(MAKER, LOT, batch, IRecallBoard.Kind.RECALLED, NOW);
    }
}
