// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

contract PartyRegistryTest is Fixture {
    IPartyRegistry.Profile private nameless;

    // ---- written by the licensing authority only ----

    function test_only_the_authority_writes() external {
        bytes[13] memory calls = [
            abi.encodeCall(
                registry.registerParty, (5, IPartyRegistry.Party(5, 0, 0, LATEST, 0), IPartyRegistry.Profile("", "", 0))
            ),
            abi.encodeCall(registry.setProfile, (MAKER, "", "")),
            abi.encodeCall(registry.setLicence, (MAKER, MAH, 0, LATEST)),
            abi.encodeCall(registry.suspend, (MAKER)),
            abi.encodeCall(registry.reinstate, (MAKER)),
            abi.encodeCall(registry.addKey, (MAKER, address(1), OPERATE, 0, LATEST)),
            abi.encodeCall(registry.suspendKey, (vm.addr(MAKER_KEY))),
            abi.encodeCall(registry.reinstateKey, (vm.addr(MAKER_KEY))),
            abi.encodeCall(registry.setDailyCap, (vm.addr(MAKER_KEY), 5)),
            abi.encodeCall(
                registry.replaceKey,
                (vm.addr(MAKER_KEY), vm.addr(STRANGER_KEY), LATEST, replacement(MAKER_KEY, STRANGER_KEY, LATEST))
            ),
            abi.encodeCall(registry.revokeKey, (vm.addr(MAKER_KEY), 0)),
            abi.encodeCall(registry.registerProduct, ("p", MAKER)),
            abi.encodeCall(registry.listGtin, ("g", MAKER))
        ];
        bytes memory unauthorised =
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, vm.addr(MAKER_KEY));
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(vm.addr(MAKER_KEY));
            (bool ok, bytes memory data) = address(registry).call(calls[i]);
            assertTrue(!ok, "written");
            assertEq(data, unauthorised, "reason");
            (ok,) = address(registry).call(calls[i]);
            assertTrue(ok, "the authority itself");
        }
    }

    // ---- parties ----

    function test_party_and_profile_are_kept() external {
        IPartyRegistry.Profile memory profile = IPartyRegistry.Profile("Name", "https://example.org", "commitment");
        vm.expectEmit(address(registry));
        emit IPartyRegistry.PartyRegistered(7, MAKER, MANUFACTURER, "commitment");
        vm.expectEmit(address(registry));
        emit IPartyRegistry.ProfileChanged(7, "Name", "https://example.org");
        vm.expectEmit(address(registry));
        emit IPartyRegistry.LicenceChanged(7, MANUFACTURER, 10, 20);
        registry.registerParty(7, IPartyRegistry.Party(MAKER, MANUFACTURER, 10, 20, 99), profile);
        IPartyRegistry.Party memory party = registry.partyOf(7);
        assertEq(
            abi.encode(party), abi.encode(IPartyRegistry.Party(MAKER, MANUFACTURER, 10, 20, 0)), "starts unsuspended"
        );
        assertEq(abi.encode(registry.profileOf(7)), abi.encode(profile), "profile");
        vm.expectEmit(address(registry));
        emit IPartyRegistry.ProfileChanged(7, "New", "");
        registry.setProfile(7, "New", "");
        assertEq(abi.encode(registry.profileOf(7)), abi.encode(IPartyRegistry.Profile("New", "", "commitment")), "new");
    }

    function expectRefusedParty(uint32 party, IPartyRegistry.Party memory data, bytes memory reason) private {
        vm.expectRevert(reason);
        registry.registerParty(party, data, nameless);
    }

    function test_party_numbers_fit_the_packed_numbers() external {
        IPartyRegistry.Party memory data = IPartyRegistry.Party(1 << 22, 0, 0, LATEST, 0);
        expectRefusedParty(1 << 22, data, abi.encodeWithSelector(IPartyRegistry.PartyNumberTooLarge.selector, 1 << 22));
        registerParty((1 << 22) - 1, (1 << 22) - 1, MAH);
        expectRefusedParty(0, data, abi.encodeWithSelector(IPartyRegistry.UnknownParty.selector, 0));
    }

    function test_party_is_registered_once() external {
        expectRefusedParty(
            MAKER,
            IPartyRegistry.Party(MAKER, 0, 0, LATEST, 0),
            abi.encodeWithSelector(IPartyRegistry.PartyExists.selector, MAKER)
        );
    }

    function test_company_of_a_party_is_a_registered_company() external {
        expectRefusedParty(
            7,
            IPartyRegistry.Party(8, 0, 0, LATEST, 0),
            abi.encodeWithSelector(IPartyRegistry.UnknownParty.selector, 8)
        );
        expectRefusedParty(
            7,
            IPartyRegistry.Party(PLANT, 0, 0, LATEST, 0),
            abi.encodeWithSelector(IPartyRegistry.NotACompany.selector, PLANT)
        );
    }

    function test_licence_has_known_roles_and_a_period() external {
        expectRefusedParty(
            7,
            IPartyRegistry.Party(7, 64, 0, LATEST, 0),
            abi.encodeWithSelector(IPartyRegistry.InvalidRoles.selector, 64)
        );
        expectRefusedParty(
            7,
            IPartyRegistry.Party(7, 0, 10, 10, 0),
            abi.encodeWithSelector(IPartyRegistry.InvalidPeriod.selector, 10, 10)
        );
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.InvalidRoles.selector, 64));
        registry.setLicence(MAKER, 64, 0, LATEST);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.InvalidPeriod.selector, 10, 9));
        registry.setLicence(MAKER, 1, 10, 9);
        registry.setLicence(MAKER, 63, 0, LATEST);
        assertEq(registry.partyOf(MAKER).roles, 63, "all roles that there are");
    }

    function test_unknown_party_cannot_be_written_to() external {
        bytes memory unknown = abi.encodeWithSelector(IPartyRegistry.UnknownParty.selector, 7);
        vm.expectRevert(unknown);
        registry.setProfile(7, "", "");
        vm.expectRevert(unknown);
        registry.setLicence(7, 0, 0, 1);
        vm.expectRevert(unknown);
        registry.suspend(7);
        vm.expectRevert(unknown);
        registry.reinstate(7);
        vm.expectRevert(unknown);
        registry.addKey(7, address(1), OPERATE, 0, 1);
    }

    function test_licence_holds_from_its_first_second_to_before_its_last() external {
        vm.expectEmit(address(registry));
        emit IPartyRegistry.LicenceChanged(PLANT, MANUFACTURER, NOW + 10, NOW + 20);
        registry.setLicence(PLANT, MANUFACTURER, NOW + 10, NOW + 20);
        assertTrue(!registry.isLicensed(PLANT), "before");
        vm.warp(NOW + 10);
        assertTrue(registry.isLicensed(PLANT), "from");
        vm.warp(NOW + 19);
        registry.authority(vm.addr(LINE_KEY), OPERATE);
        vm.warp(NOW + 20);
        assertTrue(!registry.isLicensed(PLANT), "until");
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.NotLicensed.selector, PLANT));
        registry.authority(vm.addr(LINE_KEY), OPERATE);
    }

    function test_premises_are_licensed_only_while_their_company_is() external {
        registry.suspend(MAKER);
        assertTrue(!registry.isLicensed(PLANT), "suspended company");
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.NotLicensed.selector, MAKER));
        registry.authority(vm.addr(LINE_KEY), OPERATE);
        registry.reinstate(MAKER);
        registry.setLicence(MAKER, MAH, 0, NOW);
        assertTrue(!registry.isLicensed(PLANT), "licence of the company has ended");
        assertTrue(!registry.isLicensed(7), "unknown party");
    }

    function test_suspension_keeps_its_first_time_and_ends() external {
        vm.expectEmit(address(registry));
        emit IPartyRegistry.Suspended(PLANT);
        registry.suspend(PLANT);
        vm.warp(NOW + 100);
        registry.suspend(PLANT);
        assertEq(registry.partyOf(PLANT).suspendedSince, NOW, "since");
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.NotLicensed.selector, PLANT));
        registry.authority(vm.addr(LINE_KEY), OPERATE);
        vm.expectEmit(address(registry));
        emit IPartyRegistry.Reinstated(PLANT);
        registry.reinstate(PLANT);
        registry.authority(vm.addr(LINE_KEY), OPERATE);
    }

    // ---- keys ----

    function test_key_is_kept() external {
        vm.expectEmit(address(registry));
        emit IPartyRegistry.KeyAdded(PLANT, address(1), LINE, 10, 20);
        registry.addKey(PLANT, address(1), LINE, 10, 20);
        IPartyRegistry.Key memory wanted = IPartyRegistry.Key(PLANT, LINE, 10, 20, 0, 0, false, 6, 0);
        assertEq(abi.encode(registry.keyOf(address(1))), abi.encode(wanted), "key");
    }

    /// A batch keeps the number of who signed for it; what becomes of that key later is told under the number.
    function test_keys_that_sign_for_batches_are_numbered() external {
        assertEq(registry.keyOf(vm.addr(LINE_KEY)).number, 1, "line");
        assertEq(registry.keyOf(vm.addr(QP_KEY)).number, 2, "quality");
        assertEq(registry.keyOf(vm.addr(PHARMACY_KEY)).number, 0, "neither");
        (address key, uint40 since) = registry.numberedKey(2);
        assertTrue(key == vm.addr(QP_KEY) && since == 0, "by number");
        registry.revokeKey(key, NOW - 5);
        (key, since) = registry.numberedKey(2);
        assertTrue(key == vm.addr(QP_KEY) && since == NOW - 5, "compromised");
        (key, since) = registry.numberedKey(0);
        assertTrue(key == address(0) && since == 0, "nobody's");
        (key, since) = registry.numberedKey(6);
        assertTrue(key == address(0) && since == 0, "nobody's yet");
    }

    function test_key_that_makes_no_sense_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, address(0)));
        registry.addKey(PLANT, address(0), LINE, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.InvalidPurposes.selector, 0));
        registry.addKey(PLANT, address(1), 0, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.InvalidPurposes.selector, 16));
        registry.addKey(PLANT, address(1), 16, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.InvalidPeriod.selector, 1, 1));
        registry.addKey(PLANT, address(1), LINE, 1, 1);
    }

    function test_address_is_a_key_once_and_for_ever() external {
        bytes memory exists = abi.encodeWithSelector(IPartyRegistry.KeyExists.selector, vm.addr(LINE_KEY));
        vm.expectRevert(exists);
        registry.addKey(RIVAL, vm.addr(LINE_KEY), OPERATE, 0, LATEST);
        registry.revokeKey(vm.addr(LINE_KEY), 0);
        vm.expectRevert(exists);
        registry.addKey(PLANT, vm.addr(LINE_KEY), LINE, 0, LATEST);
    }

    function test_key_is_valid_from_its_first_second_to_before_its_last() external {
        registry.addKey(PLANT, address(1), LINE, NOW + 10, NOW + 20);
        bytes memory invalid = abi.encodeWithSelector(IPartyRegistry.KeyNotValid.selector, address(1));
        vm.expectRevert(invalid);
        registry.authority(address(1), LINE);
        vm.warp(NOW + 10);
        registry.authority(address(1), LINE);
        vm.warp(NOW + 19);
        registry.authority(address(1), LINE);
        vm.warp(NOW + 20);
        vm.expectRevert(invalid);
        registry.authority(address(1), LINE);
    }

    function test_revoked_key_has_no_authority() external {
        address key = vm.addr(LINE_KEY);
        vm.expectEmit(address(registry));
        emit IPartyRegistry.KeyRevoked(PLANT, key, NOW - 500);
        registry.revokeKey(key, NOW - 500);
        IPartyRegistry.Key memory kept = registry.keyOf(key);
        assertEq(kept.revokedAt, NOW, "revoked at");
        assertEq(kept.compromisedSince, NOW - 500, "compromised since");
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.KeyNotValid.selector, key));
        registry.authority(key, OPERATE);
    }

    function test_compromise_can_be_told_later_and_not_taken_back() external {
        address key = vm.addr(LINE_KEY);
        registry.revokeKey(key, 0);
        vm.warp(NOW + 100);
        registry.revokeKey(key, NOW - 1);
        registry.revokeKey(key, 0);
        assertEq(registry.keyOf(key).revokedAt, NOW, "first revocation");
        assertEq(registry.keyOf(key).compromisedSince, NOW - 1, "compromised since");
    }

    function test_revocation_that_makes_no_sense_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, address(1)));
        registry.revokeKey(address(1), 0);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.InvalidPeriod.selector, NOW + 1, NOW));
        registry.revokeKey(vm.addr(LINE_KEY), NOW + 1);
    }

    function testFuzz_key_has_its_purposes_and_no_other(uint8 purposes, uint8 asked) external {
        purposes = purposes % 15 + 1;
        registry.addKey(PLANT, address(1), purposes, 0, LATEST);
        if (purposes & asked != asked) {
            vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, address(1), asked));
        }
        registry.authority(address(1), asked);
    }

    function test_authority_names_party_company_and_the_premises_own_roles() external {
        (uint32 party, uint32 company, uint16 roles) = registry.authority(vm.addr(LINE_KEY), LINE);
        assertTrue(party == PLANT && company == MAKER && roles == MANUFACTURER, "authority");
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, address(1)));
        registry.authority(address(1), LINE);
    }

    // ---- products ----

    function test_product_is_kept_under_a_small_number() external {
        vm.expectEmit(address(registry));
        emit IPartyRegistry.ProductRegistered(3, "p", MAKER);
        assertEq(registry.registerProduct("p", MAKER), 3, "number");
        (uint32 product, uint32 mah) = registry.productOf("p");
        assertTrue(product == 3 && mah == MAKER, "product");
        bytes32 productKey;
        (productKey, mah) = registry.productKeyOf(3);
        assertTrue(productKey == "p" && mah == MAKER, "key");
        (product, mah) = registry.productOf("q");
        assertTrue(product == 0 && mah == 0, "none");
    }

    function test_product_that_makes_no_sense_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.ProductExists.selector, PRODUCT));
        registry.registerProduct(PRODUCT, RIVAL);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.UnknownProduct.selector, bytes32(0)));
        registry.registerProduct(0, MAKER);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.UnknownParty.selector, 7));
        registry.registerProduct("p", 7);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.NotACompany.selector, PLANT));
        registry.registerProduct("p", PLANT);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.LacksRole.selector, TRADER, MAH));
        registry.registerProduct("p", TRADER);
    }

    function test_gtin_leads_to_its_holder() external {
        assertEq(registry.mahOfGtin("g"), 0, "not listed");
        vm.expectEmit(address(registry));
        emit IPartyRegistry.GtinListed("g", MAKER);
        registry.listGtin("g", MAKER);
        assertEq(registry.mahOfGtin("g"), MAKER, "listed");
        registry.listGtin("g", 0);
        assertEq(registry.mahOfGtin("g"), 0, "taken off");
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.LacksRole.selector, TRADER, MAH));
        registry.listGtin("g", TRADER);
    }

    // ---- lines and qualified persons ----

    function test_line_authority_names_party_product_and_holder() external view {
        (uint32 party, uint32 product, uint32 mah, uint24 number) = registry.lineAuthority(vm.addr(LINE_KEY), PRODUCT);
        assertTrue(party == PLANT && product == 1 && mah == MAKER && number == 1, "line");
        (party, number) = registry.qualityAuthority(vm.addr(QP_KEY), 1);
        assertTrue(party == PLANT && number == 2, "quality");
    }

    function test_authorisation_is_recorded() external {
        vm.expectEmit(address(registry));
        emit IPartyRegistry.LineAuthorised(1, TRADER, NOW + 5);
        this.authoriseLineFor(TRADER, NOW + 5);
        vm.expectEmit(address(registry));
        emit IPartyRegistry.QualityAuthorised(1, vm.addr(TRADER_KEY), NOW + 5);
        this.authoriseQualityFor(vm.addr(TRADER_KEY), NOW + 5);
    }

    function authoriseLineFor(uint32 party, uint40 until) external {
        authoriseLine(MAKER_KEY, PRODUCT, party, until);
    }

    function authoriseQualityFor(address key, uint40 until) external {
        authoriseQuality(MAKER_KEY, PRODUCT, key, until);
    }

    function test_authorisation_ends_and_can_be_withdrawn() external {
        authoriseLine(MAKER_KEY, PRODUCT, PLANT, NOW + 10);
        authoriseQuality(MAKER_KEY, PRODUCT, vm.addr(QP_KEY), NOW + 10);
        vm.warp(NOW + 9);
        registry.lineAuthority(vm.addr(LINE_KEY), PRODUCT);
        registry.qualityAuthority(vm.addr(QP_KEY), 1);
        vm.warp(NOW + 10);
        bytes memory noLine = abi.encodeWithSelector(IPartyRegistry.LineNotAuthorised.selector, 1, PLANT);
        bytes memory noQuality =
            abi.encodeWithSelector(IPartyRegistry.QualityNotAuthorised.selector, 1, vm.addr(QP_KEY));
        vm.expectRevert(noLine);
        registry.lineAuthority(vm.addr(LINE_KEY), PRODUCT);
        vm.expectRevert(noQuality);
        registry.qualityAuthority(vm.addr(QP_KEY), 1);
        authoriseLine(MAKER_KEY, PRODUCT, PLANT, LATEST);
        authoriseLine(MAKER_KEY, PRODUCT, PLANT, 0);
        authoriseQuality(MAKER_KEY, PRODUCT, vm.addr(QP_KEY), LATEST);
        authoriseQuality(MAKER_KEY, PRODUCT, vm.addr(QP_KEY), 0);
        vm.expectRevert(noLine);
        registry.lineAuthority(vm.addr(LINE_KEY), PRODUCT);
        vm.expectRevert(noQuality);
        registry.qualityAuthority(vm.addr(QP_KEY), 1);
    }

    function test_only_the_holder_of_a_product_authorises() external {
        refused(IPartyRegistry.NotHolderOfProduct.selector, 2, MAKER);
        authoriseLine(MAKER_KEY, RIVAL_PRODUCT, PLANT, LATEST);
        refused(IPartyRegistry.NotHolderOfProduct.selector, 2, MAKER);
        authoriseQuality(MAKER_KEY, RIVAL_PRODUCT, vm.addr(QP_KEY), LATEST);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(LINE_KEY), MANAGE));
        authoriseLine(LINE_KEY, PRODUCT, PLANT, LATEST);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(QP_KEY), MANAGE));
        authoriseQuality(QP_KEY, PRODUCT, vm.addr(QP_KEY), LATEST);
    }

    function test_what_is_authorised_exists() external {
        refused(abi.encodeWithSelector(IPartyRegistry.UnknownProduct.selector, bytes32("p")));
        authoriseLine(MAKER_KEY, "p", PLANT, LATEST);
        refused(IPartyRegistry.UnknownParty.selector, 7);
        authoriseLine(MAKER_KEY, PRODUCT, 7, LATEST);
        refused(abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, address(1)));
        authoriseQuality(MAKER_KEY, PRODUCT, address(1), LATEST);
    }

    function test_line_is_a_manufacturers() external {
        addKey(TRADER, STRANGER_KEY, LINE);
        authoriseLine(MAKER_KEY, PRODUCT, TRADER, LATEST);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.LacksRole.selector, TRADER, MANUFACTURER));
        registry.lineAuthority(vm.addr(STRANGER_KEY), PRODUCT);
    }

    function test_line_of_an_unknown_product_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.UnknownProduct.selector, bytes32("p")));
        registry.lineAuthority(vm.addr(LINE_KEY), "p");
    }

    function test_contract_manufacturer_works_only_while_the_holder_is_licensed() external {
        authoriseLine(MAKER_KEY, PRODUCT, RIVAL, LATEST);
        authoriseQuality(MAKER_KEY, PRODUCT, vm.addr(RIVAL_KEY), LATEST);
        registry.lineAuthority(vm.addr(RIVAL_KEY), PRODUCT);
        registry.qualityAuthority(vm.addr(RIVAL_KEY), 1);
        registry.suspend(MAKER);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.NotLicensed.selector, MAKER));
        registry.lineAuthority(vm.addr(RIVAL_KEY), PRODUCT);
        vm.expectRevert(abi.encodeWithSelector(IPartyRegistry.NotLicensed.selector, MAKER));
        registry.qualityAuthority(vm.addr(RIVAL_KEY), 1);
    }

    function test_holder_that_is_no_longer_one_makes_nothing_new() external {
        registry.setLicence(MAKER, WHOLESALER, 0, LATEST);
        bytes memory lacking = abi.encodeWithSelector(IPartyRegistry.LacksRole.selector, MAKER, MAH);
        vm.expectRevert(lacking);
        registry.lineAuthority(vm.addr(LINE_KEY), PRODUCT);
        vm.expectRevert(lacking);
        registry.qualityAuthority(vm.addr(QP_KEY), 1);
    }

    function test_bits_of_roles_and_purposes() external view {
        assertTrue(
            registry.ROLE_REGULATOR() == 1 && registry.ROLE_MAH() == 2 && registry.ROLE_MANUFACTURER() == 4
                && registry.ROLE_WHOLESALER() == 8 && registry.ROLE_DISPENSER() == 16
                && registry.ROLE_SUPPLYING_WHOLESALER() == 32,
            "roles"
        );
        assertTrue(
            registry.PURPOSE_OPERATE() == 1 && registry.PURPOSE_LINE() == 2 && registry.PURPOSE_QUALITY() == 4
                && registry.PURPOSE_MANAGE() == 8,
            "purposes"
        );
    }
}
