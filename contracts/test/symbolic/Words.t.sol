// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPartyRegistry} from "../../interfaces/IPartyRegistry.sol";
import {Status} from "../../interfaces/Types.sol";
import {KeyWord, keyWordOf} from "../../libraries/KeyWord.sol";
import {PartyWord, partyWordOf} from "../../libraries/PartyWord.sol";
import {StatusWord, shiftOf, statusWordOf} from "../../libraries/StatusWord.sol";
import {UnitNumber} from "../../libraries/UnitNumber.sol";
import {vm} from "../Vm.sol";

/// @notice Packed words, for all their values (halmos): what is put into a field is what comes out of it, and no field
/// reaches into another.
contract StatusWordCheck {
    using UnitNumber for uint64;

    function check_status_set_is_the_units_nibble_and_no_other_bit(uint256 bits, uint64 unit, Status to) external pure {
        uint256 place = 4 * (uint256(unit) % 64);
        uint256 after_ = StatusWord.unwrap(StatusWord.wrap(bits).withStatus(unit, to));
        assert((after_ >> place) % 16 == uint256(to));
        assert((after_ ^ bits) & ~(uint256(15) << place) == 0);
    }

    function check_status_read_is_the_units_nibble(uint256 bits, uint64 unit) external pure {
        uint256 nibble = (bits >> (4 * (uint256(unit) % 64))) % 16;
        vm.assume(nibble <= uint256(type(Status).max)); // no other nibble is ever written: the check above
        assert(uint256(StatusWord.wrap(bits).statusAt(unit)) == nibble);
    }

    function check_status_read_is_the_one_set_and_a_neighbours_is_as_it_was(
        uint256 bits,
        uint64 unit,
        uint64 other,
        Status to
    ) external pure {
        vm.assume(other % 64 != unit % 64);
        vm.assume((bits >> (4 * (uint256(other) % 64))) % 16 <= uint256(type(Status).max));
        StatusWord before = StatusWord.wrap(bits);
        StatusWord word = before.withStatus(unit, to);
        assert(word.statusAt(unit) == to);
        assert(word.statusAt(other) == before.statusAt(other));
    }

    function check_status_has_a_place_of_its_own_for_each_unit(uint64 unit, uint64 other) external pure {
        assert(shiftOf(unit) <= 252 && shiftOf(unit) % 4 == 0);
        assert(unit == other || statusWordOf(unit) != statusWordOf(other) || shiftOf(unit) != shiftOf(other));
    }

    function check_status_word_holds_units_of_one_batch(uint64 unit, uint64 other) external pure {
        assert(unit.batchOf() == other.batchOf() || statusWordOf(unit) != statusWordOf(other));
    }
}

/// @notice What is read from a key's word is what the compiler reads from the struct in its slot.
contract KeyWordCheck {
    IPartyRegistry.Key private key;

    function check_key_word_is_the_struct_in_its_slot(IPartyRegistry.Key calldata data, uint8 purposes) external {
        key = data;
        KeyWord word = keyWordOf(key);
        assert(word.partyOf() == data.party);
        assert(word.numberOf() == data.number);
        assert(word.dailyCapOf() == data.dailyCap);
        assert(word.mayAll(purposes) == (data.purposes & purposes == purposes));
    }

    function check_key_is_valid_in_its_period_unless_revoked_or_suspended(
        IPartyRegistry.Key calldata data,
        uint256 time
    ) external {
        key = data;
        bool valid = data.revokedAt == 0 && !data.suspended && data.validFrom <= time && time < data.validUntil;
        assert(keyWordOf(key).validAt(time) == valid);
    }

    function check_key_is_all_of_its_slot_and_no_other(IPartyRegistry.Key calldata data) external {
        key = data;
        uint256 word = uint256(data.party) | (uint256(data.purposes) << 32) | (uint256(data.validFrom) << 40)
            | (uint256(data.validUntil) << 80) | (uint256(data.revokedAt) << 120)
            | (uint256(data.compromisedSince) << 160) | (uint256(data.suspended ? 1 : 0) << 200)
            | (uint256(data.number) << 208) | (uint256(data.dailyCap) << 232);
        assert(KeyWord.unwrap(keyWordOf(key)) == word);
        assert(sizeOfKey() == 1);
    }

    IPartyRegistry.Key private next;

    function sizeOfKey() private pure returns (uint256 slots) {
        assembly ("memory-safe") {
            slots := sub(next.slot, key.slot)
        }
    }
}

/// @notice The same for a party's.
contract PartyWordCheck {
    IPartyRegistry.Party private party;

    function check_party_word_is_the_struct_in_its_slot(IPartyRegistry.Party calldata data) external {
        party = data;
        PartyWord word = partyWordOf(party);
        assert(word.companyOf() == data.company);
        assert(word.rolesOf() == data.roles);
        uint256 bits = uint256(data.company) | (uint256(data.roles) << 32) | (uint256(data.licensedFrom) << 48)
            | (uint256(data.licensedUntil) << 88) | (uint256(data.suspendedSince) << 128);
        assert(PartyWord.unwrap(word) == bits);
    }

    function check_party_is_licensed_in_its_period_unless_suspended(IPartyRegistry.Party calldata data, uint256 time)
        external
    {
        party = data;
        bool licensed = data.suspendedSince == 0 && data.licensedFrom <= time && time < data.licensedUntil;
        assert(partyWordOf(party).licensedAt(time) == licensed);
    }
}
