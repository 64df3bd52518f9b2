// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";
import {ISignedCalls} from "../interfaces/ISignedCalls.sol";
import {Consent, Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice The life of a key: in the place of another, suspended, capped, at its end.
contract KeysTest is Fixture {
    uint256 private constant NEW_KEY = uint256(keccak256("new"));
    address private immutable NEW = vm.addr(NEW_KEY);
    address private immutable OLD = vm.addr(PHARMACY_KEY);

    function notValid(address key) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IPartyRegistry.KeyNotValid.selector, key);
    }

    function assertKey(address key, IPartyRegistry.Key memory wanted) private view {
        assertEq(abi.encode(registry.keyOf(key)), abi.encode(wanted), "key");
    }

    // ---- rotation ----

    function test_key_is_rotated_by_itself_and_the_new_one() external {
        registry.setDailyCap(OLD, 7);
        vm.warp(NOW + 50);
        vm.expectEmit(address(registry));
        emit IPartyRegistry.KeyRevoked(PHARMACY, OLD, 0);
        vm.expectEmit(address(registry));
        emit IPartyRegistry.KeyAdded(PHARMACY, NEW, OPERATE, NOW + 50, LATEST);
        vm.expectEmit(address(registry));
        emit IPartyRegistry.KeyReplaced(PHARMACY, OLD, NEW);
        this.rotateFor(PHARMACY_KEY, PHARMACY_KEY, NEW_KEY);
        assertKey(OLD, IPartyRegistry.Key(PHARMACY, OPERATE, 0, LATEST, NOW + 50, 0, false, 0, 7));
        assertKey(NEW, IPartyRegistry.Key(PHARMACY, OPERATE, NOW + 50, LATEST, 0, 0, false, 0, 7));
        append(NEW_KEY, 0, 0, "root", 1);
        refused(notValid(OLD));
        append(PHARMACY_KEY, 0, 1, "root", 1);
    }

    function rotateFor(uint256 starter, uint256 oldKey, uint256 newKey) external {
        rotateKey(starter, oldKey, newKey);
    }

    function test_manage_key_rotates_the_keys_of_its_company() external {
        rotateKey(MAKER_KEY, LINE_KEY, NEW_KEY); // of another premises
        registry.lineAuthority(NEW, PRODUCT);
        uint256 next = uint256(keccak256("next"));
        rotateKey(MAKER_KEY, MAKER_KEY, next); // its own
        rotateKey(next, NEW_KEY, uint256(keccak256("third")));
        refused(notValid(vm.addr(MAKER_KEY)));
        rotateKey(MAKER_KEY, next, uint256(keccak256("fourth")));
    }

    function test_manage_key_of_another_company_rotates_nothing() external {
        refused(abi.encodeWithSelector(IPartyRegistry.KeyOfAnotherCompany.selector, OLD, RIVAL));
        rotateKey(RIVAL_KEY, PHARMACY_KEY, NEW_KEY);
    }

    function test_key_without_manage_rotates_itself_only() external {
        addKey(PHARMACY, STRANGER_KEY, OPERATE | LINE | QUALITY);
        bytes memory lacking =
            abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(STRANGER_KEY), MANAGE);
        refused(lacking);
        rotateKey(STRANGER_KEY, PHARMACY_KEY, NEW_KEY);
        refused(abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, NEW));
        rotateKey(NEW_KEY, PHARMACY_KEY, NEW_KEY); // the new key alone
    }

    function test_rotation_needs_the_new_keys_consent() external {
        Consent memory starter = rotationConsent(PHARMACY_KEY, PHARMACY_KEY, NEW_KEY);
        Consent memory possession = rotationConsent(STRANGER_KEY, PHARMACY_KEY, NEW_KEY);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.NotPossessed.selector, NEW));
        registry.rotateKey(OLD, NEW, starter, possession);
        possession.signer = NEW; // signed by another key
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, NEW));
        registry.rotateKey(OLD, NEW, starter, possession);
        possession = rotationConsent(NEW_KEY, LINE_KEY, NEW_KEY); // to the place of another key
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, NEW));
        registry.rotateKey(OLD, NEW, starter, possession);
        assertEq(registry.keyOf(NEW).party, 0, "nothing was registered");
        assertEq(registry.nonces(OLD, lane), starter.nonce, "and no consent used up");
    }

    function test_rotation_needs_the_starters_consent() external {
        Consent memory possession = rotationConsent(NEW_KEY, PHARMACY_KEY, NEW_KEY);
        Consent memory starter = rotationConsent(STRANGER_KEY, PHARMACY_KEY, NEW_KEY);
        starter.signer = OLD;
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, OLD));
        registry.rotateKey(OLD, NEW, starter, possession);
    }

    function test_new_key_is_nobodys_yet() external {
        address taken = vm.addr(TRADER_KEY);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyExists.selector, taken));
        rotateKey(PHARMACY_KEY, PHARMACY_KEY, TRADER_KEY);
        registry.revokeKey(taken, 0);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyExists.selector, taken));
        rotateKey(PHARMACY_KEY, PHARMACY_KEY, TRADER_KEY);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyExists.selector, OLD));
        rotateKey(MAKER_KEY, MAKER_KEY, PHARMACY_KEY);
    }

    function test_rotation_makes_no_key_live_longer() external {
        registry.addKey(TRADER, vm.addr(STRANGER_KEY), OPERATE, 0, NOW + 100);
        rotateKey(STRANGER_KEY, STRANGER_KEY, NEW_KEY);
        assertKey(NEW, IPartyRegistry.Key(TRADER, OPERATE, NOW, NOW + 100, 0, 0, false, 0, 0));
    }

    /// Nobody rotates himself out of what the authority decided, and no manager his company's key.
    function test_key_that_is_not_valid_is_not_rotated() external {
        address line = vm.addr(LINE_KEY);
        registry.suspendKey(line);
        refused(notValid(line));
        rotateKey(LINE_KEY, LINE_KEY, NEW_KEY);
        refused(notValid(line));
        rotateKey(MAKER_KEY, LINE_KEY, NEW_KEY);
        registry.reinstateKey(line);
        registry.suspend(PLANT);
        refused(IPartyRegistry.NotLicensed.selector, PLANT);
        rotateKey(MAKER_KEY, LINE_KEY, NEW_KEY);
        registry.reinstate(PLANT);
        registry.suspend(MAKER);
        refused(IPartyRegistry.NotLicensed.selector, MAKER);
        rotateKey(LINE_KEY, LINE_KEY, NEW_KEY);
        registry.reinstate(MAKER);
        registry.revokeKey(line, 0);
        refused(notValid(line));
        rotateKey(MAKER_KEY, LINE_KEY, NEW_KEY);
        registry.addKey(PLANT, vm.addr(STRANGER_KEY), LINE, 0, NOW + 10);
        vm.warp(NOW + 10);
        refused(notValid(vm.addr(STRANGER_KEY)));
        rotateKey(MAKER_KEY, STRANGER_KEY, NEW_KEY);
    }

    function test_qualified_persons_new_key_must_be_authorised_again() external {
        rotateKey(QP_KEY, QP_KEY, NEW_KEY);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.QualityNotAuthorised.selector, 1, NEW));
        registry.qualityAuthority(NEW, 1);
        authoriseQuality(MAKER_KEY, PRODUCT, NEW, LATEST);
        registry.qualityAuthority(NEW, 1);
    }

    /// What the old key proposed or released stays the old key's, whatever becomes of the new one.
    function test_rotated_line_key_gets_a_number_of_its_own() external {
        rotateKey(LINE_KEY, LINE_KEY, NEW_KEY);
        assertEq(registry.keyOf(vm.addr(LINE_KEY)).number, 1, "old");
        assertEq(registry.keyOf(NEW).number, 6, "new");
        (address key,) = registry.numberedKey(1);
        assertTrue(key == vm.addr(LINE_KEY), "old by number");
    }

    function test_rotation_happens_once() external {
        Consent memory starter = rotationConsent(MAKER_KEY, LINE_KEY, NEW_KEY);
        Consent memory possession = rotationConsent(NEW_KEY, LINE_KEY, NEW_KEY);
        registry.rotateKey(vm.addr(LINE_KEY), NEW, starter, possession);
        vm.expectRevert(abi.encodeWithSignature("InvalidAccountNonce(address,uint256)", starter.signer, starter.nonce + 1));
        registry.rotateKey(vm.addr(LINE_KEY), NEW, starter, possession);
    }

    function test_authority_replaces_a_key_that_was_lost_suspended_or_has_expired() external {
        registry.addKey(TRADER, vm.addr(STRANGER_KEY), OPERATE, 0, NOW + 10);
        registry.setDailyCap(vm.addr(STRANGER_KEY), 9);
        registry.suspendKey(vm.addr(STRANGER_KEY));
        vm.warp(NOW + 20);
        vm.expectEmit(address(registry));
        emit IPartyRegistry.KeyReplaced(TRADER, vm.addr(STRANGER_KEY), NEW);
        this.replaceFor(STRANGER_KEY, NEW_KEY, NOW + 1000);
        assertKey(NEW, IPartyRegistry.Key(TRADER, OPERATE, NOW + 20, NOW + 1000, 0, 0, false, 0, 9));
        assertEq(registry.keyOf(vm.addr(STRANGER_KEY)).revokedAt, NOW + 20, "revoked");
    }

    function replaceFor(uint256 oldKey, uint256 newKey, uint40 until) external {
        replaceKey(oldKey, newKey, until);
    }

    function test_authority_replaces_nothing_without_the_new_key() external {
        Consent memory possession = replacement(PHARMACY_KEY, STRANGER_KEY, LATEST);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.NotPossessed.selector, NEW));
        registry.replaceKey(OLD, NEW, LATEST, possession);
        possession.signer = NEW;
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, NEW));
        registry.replaceKey(OLD, NEW, LATEST, possession);
        possession = rotationConsent(NEW_KEY, PHARMACY_KEY, NEW_KEY); // a rotation is another call
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, NEW));
        registry.replaceKey(OLD, NEW, LATEST, possession);
    }

    function test_replacement_that_makes_no_sense_is_refused() external {
        refused(abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, vm.addr(STRANGER_KEY)));
        replaceKey(STRANGER_KEY, NEW_KEY, LATEST);
        refused(IPartyRegistry.InvalidPeriod.selector, NOW, NOW);
        replaceKey(PHARMACY_KEY, NEW_KEY, NOW);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyExists.selector, vm.addr(TRADER_KEY)));
        replaceKey(PHARMACY_KEY, TRADER_KEY, LATEST);
        registry.revokeKey(OLD, 0);
        refused(notValid(OLD));
        replaceKey(PHARMACY_KEY, NEW_KEY, LATEST);
    }

    // ---- suspension and revocation ----

    function test_suspended_key_has_no_authority_until_it_is_reinstated() external {
        vm.expectEmit(address(registry));
        emit IPartyRegistry.KeySuspended(PHARMACY, OLD);
        registry.suspendKey(OLD);
        vm.warp(NOW + 100);
        registry.suspendKey(OLD);
        assertTrue(registry.keyOf(OLD).suspended, "suspended");
        refused(notValid(OLD));
        append(PHARMACY_KEY, 0, 0, "root", 1);
        append(OTHER_PHARMACY_KEY, 0, 0, "root", 1); // its party's other keys go on, as do others' of course
        addKey(PHARMACY, NEW_KEY, OPERATE);
        append(NEW_KEY, 0, 0, "root", 1);
        vm.expectEmit(address(registry));
        emit IPartyRegistry.KeyReinstated(PHARMACY, OLD);
        registry.reinstateKey(OLD);
        append(PHARMACY_KEY, 0, 1, "root", 1);
    }

    function test_revocation_is_for_good() external {
        registry.suspendKey(OLD);
        registry.revokeKey(OLD, NOW);
        registry.reinstateKey(OLD);
        refused(notValid(OLD));
        append(PHARMACY_KEY, 0, 0, "root", 1);
        assertEq(registry.keyOf(OLD).compromisedSince, NOW, "compromised since");
    }

    function test_unknown_key_is_neither_suspended_nor_reinstated_nor_capped() external {
        bytes memory unknown = abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, NEW);
        vm.expectRevert(unknown);
        registry.suspendKey(NEW);
        vm.expectRevert(unknown);
        registry.reinstateKey(NEW);
        vm.expectRevert(unknown);
        registry.setDailyCap(NEW, 1);
    }

    /// Whatever the words in the slot are, the packed reading agrees with the struct's.
    function testFuzz_key_speaks_exactly_while_nothing_forbids_it(uint40 from, uint40 until, uint8 stops, uint40 time)
        external
    {
        from %= type(uint40).max;
        if (until <= from) until = from + 1;
        registry.addKey(TRADER, NEW, OPERATE, from, until);
        registry.setDailyCap(NEW, type(uint16).max);
        if (stops & 1 != 0) registry.suspendKey(NEW);
        if (stops & 2 != 0) registry.revokeKey(NEW, NOW);
        if (stops & 4 != 0) registry.reinstateKey(NEW);
        bool stopped = stops & 2 != 0 || stops & 5 == 1;
        vm.warp(time);
        if (stopped || time < from || time >= until) {
            vm.expectRevert(notValid(NEW));
            registry.authority(NEW, OPERATE);
        } else {
            (uint32 party, uint32 company, uint16 roles, uint16 cap) = registry.statusAuthority(NEW);
            assertTrue(party == TRADER && company == TRADER && roles == WHOLESALER, "authority");
            assertEq(cap, type(uint16).max, "cap");
        }
    }

    // ---- the daily cap ----

    function units(uint64 first, uint64 count) private pure returns (bytes memory list) {
        for (uint64 i = 0; i < count; ++i) {
            list = abi.encodePacked(list, unitNumber(batchNumber(PLANT, 1), first + i));
        }
    }

    function tooMany(uint256 cap) private view returns (bytes memory) {
        return abi.encodeWithSelector(IPackLedger.TooManyChanges.selector, OLD, cap);
    }

    function test_daily_cap_bounds_what_a_key_asks_for_in_a_day() external {
        released(1);
        vm.expectEmit(address(registry));
        emit IPartyRegistry.DailyCapChanged(PHARMACY, OLD, 3);
        registry.setDailyCap(OLD, 3);
        change(PHARMACY_KEY, Status.SUPPLIED, units(0, 2));
        refused(tooMany(3));
        change(PHARMACY_KEY, Status.SUPPLIED, units(2, 2));
        change(PHARMACY_KEY, Status.SUPPLIED, units(0, 1)); // refused by the ledger, and counted
        refused(tooMany(3));
        change(PHARMACY_KEY, Status.SUPPLIED, units(2, 1));
        change(OTHER_PHARMACY_KEY, Status.SUPPLIED, units(2, 1)); // another key has no such cap
        assertStatus(unitNumber(batchNumber(PLANT, 1), 3), Status.ACTIVE);
    }

    function test_daily_cap_begins_anew_at_midnight_utc() external {
        released(1);
        registry.setDailyCap(OLD, 1);
        change(PHARMACY_KEY, Status.SUPPLIED, units(0, 1));
        vm.warp((NOW / 1 days + 1) * 1 days - 1);
        refused(tooMany(1));
        change(PHARMACY_KEY, Status.SUPPLIED, units(1, 1));
        vm.warp((NOW / 1 days + 1) * 1 days);
        change(PHARMACY_KEY, Status.SUPPLIED, units(1, 1));
    }

    function test_daily_cap_counts_suspects_too_and_beside_their_own() external {
        released(1);
        registry.setDailyCap(OLD, 300);
        change(PHARMACY_KEY, Status.SUSPECT, units(0, 200));
        refused(abi.encodeWithSelector(IPackLedger.TooManySuspects.selector, OLD, 256));
        change(PHARMACY_KEY, Status.SUSPECT, units(200, 57));
        refused(tooMany(300));
        change(PHARMACY_KEY, Status.SUPPLIED, units(200, 101));
        change(PHARMACY_KEY, Status.SUPPLIED, units(200, 100));
    }

    function test_cap_is_taken_off_with_0() external {
        released(1);
        registry.setDailyCap(OLD, 1);
        registry.setDailyCap(OLD, 0);
        change(PHARMACY_KEY, Status.SUPPLIED, units(0, 2));
    }

    // ---- premises under a company: the unit of authority ----

    function test_key_of_one_premises_is_nothing_at_another_of_the_same_company() external {
        uint32 depot = 1003;
        registerParty(depot, MAKER, MANUFACTURER);
        addKey(depot, NEW_KEY, LINE | OPERATE);
        uint64 batch = batchNumber(PLANT, 1);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.LineNotAuthorised.selector, 1, depot));
        registry.lineAuthority(NEW, PRODUCT);
        authoriseLine(MAKER_KEY, PRODUCT, depot, LATEST);
        refused(IPackLedger.BatchNumberNotYours.selector, batch, depot);
        propose(NEW_KEY, proposalOf(batch));
        propose(LINE_KEY, proposalOf(batch));
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, NEW, QUALITY)); // not its own line
        withdraw(NEW_KEY, batch);
        append(LINE_KEY, 0, 0, "root", 1);
        assertEq(eventLog.nextSequence(depot, 0), 0, "each premises has a log of its own");
        registry.suspend(PLANT);
        append(NEW_KEY, 0, 0, "root", 1); // the other goes on
    }
}
