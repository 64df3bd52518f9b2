// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CustodyNumber} from "../../libraries/CustodyNumber.sol";
import {UnitList} from "../../libraries/UnitList.sol";
import {UnitNumber} from "../../libraries/UnitNumber.sol";
import {vm} from "../Vm.sol";

/// @notice Numbers of batches, units and logistic units, and packed lists of them, for all their values (halmos).
contract NumbersCheck {
    using CustodyNumber for uint64;
    using UnitList for bytes;
    using UnitNumber for uint64;

    function check_unit_number_is_party_own_number_and_index(uint64 party, uint64 own, uint64 index) external pure {
        vm.assume(party < 2 ** 22 && own < 2 ** 22 && index < 2 ** 20);
        uint64 unit = party * 2 ** 42 + own * 2 ** 20 + index;
        assert(unit.batchOf().proposerOf() == party);
        assert(unit.batchOf() % 2 ** 22 == own);
        assert(unit.indexOf() == index);
    }

    function check_unit_number_is_made_of_nothing_else(uint64 unit) external pure {
        uint64 batch = unit.batchOf();
        assert(batch.proposerOf() < 2 ** 22 && batch < 2 ** 44);
        assert(unit.indexOf() < UnitNumber.MAX_COUNT);
        assert(batch.proposerOf() * 2 ** 42 + batch % 2 ** 22 * 2 ** 20 + unit.indexOf() == unit);
    }

    function check_number_with_bits_above_a_batchs_belongs_to_no_party(uint64 batch) external pure {
        assert((batch >= 2 ** 44) == (batch.proposerOf() >= 2 ** 22));
    }

    function check_custody_number_is_party_and_own_number(uint64 party, uint64 own) external pure {
        vm.assume(party < 2 ** 22 && own < 2 ** 42);
        uint64 number = party * 2 ** 42 + own;
        assert(number.creatorOf() == party);
        assert(number.creatorOf() * 2 ** 42 + number % 2 ** 42 == number);
    }

    function check_unit_put_is_eight_bytes_at_its_place_and_no_other(bytes32 before, uint64 unit) external view {
        for (uint256 place = 0; place < 4; ++place) {
            bytes memory list = bytes.concat(before);
            list.put(place, unit);
            uint256 shift = 192 - 64 * place;
            uint256 wanted = (uint256(before) & ~(uint256(type(uint64).max) << shift)) | (uint256(unit) << shift);
            assert(list.length == 32 && bytes32(list) == bytes32(wanted));
            assert(this.unitAt(list, place) == unit);
        }
    }

    function check_unit_read_is_the_eight_bytes_at_its_place(bytes32 list) external view {
        for (uint256 place = 0; place < 4; ++place) {
            assert(this.unitAt(bytes.concat(list), place) == uint64(uint256(list) >> (192 - 64 * place)));
        }
    }

    function unitAt(bytes calldata list, uint256 i) external pure returns (uint64) {
        return list.unitAt(i);
    }
}
