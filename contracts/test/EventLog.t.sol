// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEventLog} from "../interfaces/IEventLog.sol";
import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

contract EventLogTest is Fixture {
    function test_append_keeps_root_count_time_and_key() external {
        vm.expectEmit(address(eventLog));
        emit IEventLog.Appended(MAKER, 7, 0, "root", 100);
        this.appendFor(MAKER_KEY, 7, 0, "root", 100);
        IEventLog.Entry memory entry = eventLog.entryOf(MAKER, 7, 0);
        assertEq(entry.root, "root", "root");
        assertEq(entry.count, 100, "count");
        assertEq(entry.time, NOW, "time");
        assertTrue(entry.key == vm.addr(MAKER_KEY), "key");
        assertEq(eventLog.nextSequence(MAKER, 7), 1, "next");
    }

    function test_sequence_has_no_gap_and_no_repetition() external {
        refused(IEventLog.WrongSequence.selector, 0, 1);
        append(MAKER_KEY, 7, 1, "root", 1);
        append(MAKER_KEY, 7, 0, "root", 1);
        refused(IEventLog.WrongSequence.selector, 1, 0);
        append(MAKER_KEY, 7, 0, "root", 1);
        append(MAKER_KEY, 7, 1, "next", 1);
        assertEq(eventLog.entryOf(MAKER, 7, 0).root, "root", "first");
        assertEq(eventLog.entryOf(MAKER, 7, 1).root, "next", "second");
    }

    function test_lanes_and_parties_count_apart() external {
        append(MAKER_KEY, 0, 0, "a", 1);
        append(MAKER_KEY, 1, 0, "b", 1);
        append(LINE_KEY, 0, 0, "c", 1);
        assertEq(eventLog.entryOf(MAKER, 0, 0).root, "a", "lane 0");
        assertEq(eventLog.entryOf(MAKER, 1, 0).root, "b", "lane 1");
        assertEq(eventLog.entryOf(PLANT, 0, 0).root, "c", "plant");
    }

    function test_keys_of_one_party_share_its_lanes() external {
        addKey(MAKER, STRANGER_KEY, OPERATE);
        append(MAKER_KEY, 0, 0, "a", 1);
        append(STRANGER_KEY, 0, 1, "b", 1);
        assertTrue(eventLog.entryOf(MAKER, 0, 1).key == vm.addr(STRANGER_KEY), "key");
    }

    function test_entry_that_is_not_there_is_all_zero() external view {
        IEventLog.Entry memory entry = eventLog.entryOf(MAKER, 0, 0);
        assertTrue(entry.root == 0 && entry.count == 0 && entry.time == 0 && entry.key == address(0), "zero");
    }

    function test_empty_batch_is_refused() external {
        refused(abi.encodeWithSelector(IEventLog.EmptyBatch.selector));
        append(MAKER_KEY, 0, 0, "root", 0);
    }

    function test_key_without_authority_is_refused_with_the_registrys_error() external {
        refused(abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, vm.addr(STRANGER_KEY)));
        append(STRANGER_KEY, 0, 0, "root", 1);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(QP_KEY), OPERATE));
        append(QP_KEY, 0, 0, "root", 1);
        registry.suspend(MAKER);
        refused(IPartyRegistry.NotLicensed.selector, MAKER);
        append(MAKER_KEY, 0, 0, "root", 1);
    }

    function testFuzz_sequence_is_the_number_of_entries(uint8 count) external {
        for (uint64 i = 0; i < count % 16; ++i) {
            append(MAKER_KEY, 3, i, bytes32(uint256(i)), uint32(i + 1));
        }
        assertEq(eventLog.nextSequence(MAKER, 3), count % 16, "next");
    }

    function appendFor(uint256 key, uint64 logLane, uint64 sequence, bytes32 root, uint32 count) external {
        append(key, logLane, sequence, root, count);
    }
}
