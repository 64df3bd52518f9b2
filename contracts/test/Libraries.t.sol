// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Status} from "../interfaces/Types.sol";
import {CustodyNumber} from "../libraries/CustodyNumber.sol";
import {StatusWord, statusWordOf} from "../libraries/StatusWord.sol";
import {UnitList} from "../libraries/UnitList.sol";
import {UnitNumber} from "../libraries/UnitNumber.sol";

contract LibrariesTest {
    using CustodyNumber for uint64;
    using UnitList for bytes;
    using UnitNumber for uint64;

    function test_status_word_is_a_nibble_for_each_unit() external pure {
        StatusWord word = StatusWord.wrap(0).withStatus(0, Status.SUPPLIED).withStatus(63, Status.SUSPECT);
        word = word.withStatus(64 + 2, Status.LOCKED); // the place of unit 2 in its own word
        require(StatusWord.unwrap(word) == (8 << 252) | (7 << 8) | 1);
        require(statusWordOf(63) == 0 && statusWordOf(64) == 1);
    }

    function testFuzz_status_word_changes_one_unit_and_no_neighbour(uint256 seed, uint64 unit, uint8 to) external pure {
        uint256 valid; // 64 random nibbles of 0 to 8
        for (uint256 i = 0; i < 64; ++i) {
            valid = (valid << 4) | (uint256(keccak256(abi.encode(seed, i))) % 9);
        }
        StatusWord before = StatusWord.wrap(valid);
        StatusWord word = before.withStatus(unit, Status(to % 9));
        for (uint64 other = 0; other < 64; ++other) {
            Status wanted = other == unit % 64 ? Status(to % 9) : before.statusAt(other);
            require(word.statusAt(other) == wanted, "neighbour");
        }
    }

    function testFuzz_unit_number_is_party_own_number_and_index(uint32 party, uint32 own, uint32 index) external pure {
        (uint64 p, uint64 o, uint64 i) = (party % (1 << 22), own % (1 << 22), index % (1 << 20));
        uint64 unit = uint64(uint256(p) * 2 ** 42 + uint256(o) * 2 ** 20 + i);
        require(unit.batchOf() == p * 2 ** 22 + o, "batch");
        require(unit.indexOf() == i, "index");
        require(unit.batchOf().proposerOf() == p, "party");
    }

    function testFuzz_custody_number_is_party_and_own_number(uint32 party, uint64 own) external pure {
        uint64 p = party % (1 << 22);
        require((p * 2 ** 42 + own % 2 ** 42).creatorOf() == p);
    }

    function testFuzz_unit_list_gives_what_was_put(uint64[] calldata numbers) external view {
        bytes memory list = new bytes(numbers.length * 8);
        bytes memory wanted;
        for (uint256 i = 0; i < numbers.length; ++i) {
            list.put(i, numbers[i]);
            wanted = abi.encodePacked(wanted, numbers[i]);
        }
        require(keccak256(list) == keccak256(wanted), "put");
        for (uint256 i = 0; i < numbers.length; ++i) {
            require(this.unitAt(list, i) == numbers[i], "at");
        }
    }

    function unitAt(bytes calldata list, uint256 i) external pure returns (uint64) {
        return list.unitAt(i);
    }
}
