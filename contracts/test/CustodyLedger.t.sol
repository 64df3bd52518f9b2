// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICustodyLedger} from "../interfaces/ICustodyLedger.sol";
import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

contract CustodyLedgerTest is Fixture {
    uint64 private box = custodyNumber(PLANT, 1);
    uint64 private box2 = custodyNumber(PLANT, 2);
    uint64 private pallet = custodyNumber(PLANT, 10);
    uint64 private container = custodyNumber(PLANT, 20);

    function none() private pure returns (uint64[] memory) {
        return new uint64[](0);
    }

    function assertUnit(uint64 number, ICustodyLedger.State state, uint32 holder, uint32 receiver, uint64 parent)
        private
        view
    {
        ICustodyLedger.Unit memory unit = custody.unitOf(number);
        assertEq(uint256(unit.state), uint256(state), "state");
        assertEq(unit.holder, holder, "holder");
        assertEq(unit.receiver, receiver, "receiver");
        assertEq(unit.parent, parent, "parent");
    }

    function assertHeld(uint64 number, uint32 holder, uint64 parent) private view {
        assertUnit(number, ICustodyLedger.State.HELD, holder, 0, parent);
    }

    /// Two boxes on a pallet.
    function packedPallet() private {
        register(LINE_KEY, box, none());
        register(LINE_KEY, box2, none());
        register(LINE_KEY, pallet, listed(box, box2));
    }

    function handOver(uint64 number) private {
        ship(LINE_KEY, listed(number), TRADER);
        receiveShipment(TRADER_KEY, listed(number));
    }

    // ---- registration ----

    function test_unit_is_held_by_its_creator() external {
        ICustodyLedger.Registration memory data = registrationOf(box, none());
        vm.expectEmit(address(custody));
        emit ICustodyLedger.Registered(box, PLANT, data.ssccCommitment, data.contentRoot, data.count);
        this.registerFor(box);
        assertHeld(box, PLANT, 0);
        assertEq(custody.unitOf(box).since, NOW, "since");
        assertEq(
            custody.contentOf(box), keccak256(abi.encode(data.ssccCommitment, data.contentRoot, data.count)), "content"
        );
        assertUnit(box2, ICustodyLedger.State.NONE, 0, 0, 0);
        assertEq(custody.contentOf(box2), 0, "none");
    }

    function registerFor(uint64 number) external {
        register(LINE_KEY, number, none());
    }

    function test_number_is_the_creators_own() external {
        refused(abi.encodeWithSelector(ICustodyLedger.NumberNotYours.selector, box, MAKER));
        register(MAKER_KEY, box, none());
        refused(abi.encodeWithSelector(ICustodyLedger.NumberNotYours.selector, 0, PLANT));
        register(LINE_KEY, 0, none());
    }

    function test_number_is_used_once_and_for_ever() external {
        register(LINE_KEY, box, none());
        refused(ICustodyLedger.UnitExists.selector, box);
        register(LINE_KEY, box, none());
        unpack(LINE_KEY, listed(box));
        refused(ICustodyLedger.UnitExists.selector, box);
        register(LINE_KEY, box, none());
    }

    function test_same_number_twice_in_a_call_is_refused() external {
        ICustodyLedger.Registration[] memory two = new ICustodyLedger.Registration[](2);
        (two[0], two[1]) = (registrationOf(box, none()), registrationOf(box, none()));
        refused(ICustodyLedger.UnitExists.selector, box);
        register(LINE_KEY, two);
        assertUnit(box, ICustodyLedger.State.NONE, 0, 0, 0);
    }

    function test_case_and_its_pallet_are_registered_in_one_call() external {
        ICustodyLedger.Registration[] memory two = new ICustodyLedger.Registration[](2);
        (two[0], two[1]) = (registrationOf(box, none()), registrationOf(pallet, listed(box)));
        register(LINE_KEY, two);
        assertHeld(box, PLANT, pallet);
    }

    function test_children_are_the_callers_own_held_and_free() external {
        refused(ICustodyLedger.UnknownUnit.selector, box);
        register(LINE_KEY, pallet, listed(box));
        refused(ICustodyLedger.UnknownUnit.selector, pallet); // itself
        register(LINE_KEY, pallet, listed(pallet));
        uint64 foreign = custodyNumber(TRADER, 1);
        register(TRADER_KEY, foreign, none());
        refused(abi.encodeWithSelector(ICustodyLedger.NotHolder.selector, foreign, PLANT));
        register(LINE_KEY, pallet, listed(foreign));
        register(LINE_KEY, box, none());
        refused(ICustodyLedger.InsideParent.selector, box, pallet);
        register(LINE_KEY, pallet, listed(box, box)); // the same child twice
        register(LINE_KEY, pallet, listed(box));
        refused(ICustodyLedger.InsideParent.selector, box, pallet);
        register(LINE_KEY, container, listed(box));
        register(LINE_KEY, box2, none());
        ship(LINE_KEY, listed(box2), TRADER);
        refused(
            abi.encodeWithSelector(ICustodyLedger.WrongState.selector, box2, ICustodyLedger.State.IN_TRANSIT)
        );
        register(LINE_KEY, container, listed(box2));
        cancelShipment(LINE_KEY, listed(box2));
        unpack(LINE_KEY, listed(box2));
        refused(abi.encodeWithSelector(ICustodyLedger.WrongState.selector, box2, ICustodyLedger.State.UNPACKED));
        register(LINE_KEY, container, listed(box2));
    }

    function test_a_receiver_packs_what_it_received_under_a_number_of_its_own() external {
        register(LINE_KEY, box, none());
        handOver(box);
        uint64 tote = custodyNumber(TRADER, 1);
        vm.expectEmit(address(custody));
        emit ICustodyLedger.Packed(box, tote);
        this.packFor(tote, box);
        assertHeld(box, TRADER, tote);
    }

    function packFor(uint64 parent, uint64 child) external {
        register(TRADER_KEY, parent, listed(child));
    }

    function test_nesting_is_bounded() external {
        uint8 most = custody.MAX_NESTING();
        register(LINE_KEY, 100 + box, none());
        for (uint64 level = 1; level <= most; ++level) {
            register(LINE_KEY, 100 + box + level, listed(100 + box + level - 1));
        }
        uint64 top = 100 + box + most;
        refused(ICustodyLedger.NestedTooDeep.selector, top + 1);
        register(LINE_KEY, top + 1, listed(top));
        register(LINE_KEY, 99 + box, none());
        refused(ICustodyLedger.NestedTooDeep.selector, top + 1);
        register(LINE_KEY, top + 1, listed(top, 99 + box)); // the highest child counts, not the last
        handOver(top);
        assertHeld(100 + box, TRADER, 101 + box); // the innermost
    }

    function test_256_units_and_children_in_a_call_at_most() external {
        ICustodyLedger.Registration[] memory many = new ICustodyLedger.Registration[](255);
        for (uint64 i = 0; i < 255; ++i) {
            many[i] = registrationOf(custodyNumber(PLANT, 1000 + i), none());
        }
        many[254].children = listed(many[0].number, many[1].number); // 257 in all
        refused(ICustodyLedger.TooManyUnits.selector, 257);
        register(LINE_KEY, many);
        many[254].children = listed(many[0].number);
        register(LINE_KEY, many);
        refused(ICustodyLedger.TooManyUnits.selector, 257);
        ship(LINE_KEY, new uint64[](257), TRADER);
        refused(ICustodyLedger.TooManyUnits.selector, 257);
        unpack(LINE_KEY, new uint64[](257));
        assertEq(custody.MAX_UNITS(), 256, "constant");
    }

    function test_call_that_names_nothing_is_refused() external {
        bytes memory nothing = abi.encodeWithSelector(ICustodyLedger.NothingNamed.selector);
        refused(nothing);
        register(LINE_KEY, new ICustodyLedger.Registration[](0));
        refused(nothing);
        ship(LINE_KEY, none(), TRADER);
        refused(nothing);
        receiveShipment(TRADER_KEY, none());
    }

    // ---- handover ----

    function test_handover_needs_both_sides() external {
        register(LINE_KEY, box, none());
        vm.warp(NOW + 10);
        ship(LINE_KEY, listed(box), TRADER);
        assertUnit(box, ICustodyLedger.State.IN_TRANSIT, PLANT, TRADER, 0);
        assertEq(custody.unitOf(box).since, NOW + 10, "since");
        vm.warp(NOW + 20);
        receiveShipment(TRADER_KEY, listed(box));
        assertHeld(box, TRADER, 0);
        assertEq(custody.unitOf(box).since, NOW + 20, "since");
    }

    function test_handover_is_recorded() external {
        register(LINE_KEY, box, none());
        vm.expectEmit(address(custody));
        emit ICustodyLedger.Shipped(box, PLANT, TRADER);
        vm.expectEmit(address(custody));
        emit ICustodyLedger.Received(box, PLANT, TRADER);
        this.handOverFor(box);
        vm.expectEmit(address(custody));
        emit ICustodyLedger.Shipped(box, TRADER, PHARMACY);
        vm.expectEmit(address(custody));
        emit ICustodyLedger.ShipmentCancelled(box, TRADER, PHARMACY);
        vm.expectEmit(address(custody));
        emit ICustodyLedger.Shipped(box, TRADER, PHARMACY);
        vm.expectEmit(address(custody));
        emit ICustodyLedger.Refused(box, TRADER, PHARMACY);
        vm.expectEmit(address(custody));
        emit ICustodyLedger.Unpacked(box, TRADER);
        this.fourMoreFor(box);
    }

    function handOverFor(uint64 number) external {
        handOver(number);
    }

    function fourMoreFor(uint64 number) external {
        ship(TRADER_KEY, listed(number), PHARMACY);
        cancelShipment(TRADER_KEY, listed(number));
        ship(TRADER_KEY, listed(number), PHARMACY);
        refuseShipment(PHARMACY_KEY, listed(number));
        unpack(TRADER_KEY, listed(number));
    }

    function test_only_the_named_receiver_receives_or_refuses() external {
        register(LINE_KEY, box, none());
        ship(LINE_KEY, listed(box), TRADER);
        uint256[3] memory keys = [LINE_KEY, PHARMACY_KEY, MAKER_KEY];
        uint32[3] memory parties = [PLANT, PHARMACY, MAKER];
        for (uint256 i = 0; i < keys.length; ++i) {
            refused(ICustodyLedger.NotReceiver.selector, box, parties[i]);
            receiveShipment(keys[i], listed(box));
            refused(ICustodyLedger.NotReceiver.selector, box, parties[i]);
            refuseShipment(keys[i], listed(box));
        }
    }

    function test_refused_goods_are_held_by_the_sender_again() external {
        register(LINE_KEY, box, none());
        ship(LINE_KEY, listed(box), TRADER);
        refuseShipment(TRADER_KEY, listed(box));
        assertHeld(box, PLANT, 0);
        handOver(box);
    }

    function test_sender_cancels_until_the_goods_are_received() external {
        register(LINE_KEY, box, none());
        ship(LINE_KEY, listed(box), TRADER);
        refused(ICustodyLedger.NotHolder.selector, box, TRADER);
        cancelShipment(TRADER_KEY, listed(box));
        cancelShipment(LINE_KEY, listed(box));
        assertHeld(box, PLANT, 0);
        refused(abi.encodeWithSelector(ICustodyLedger.WrongState.selector, box, ICustodyLedger.State.HELD));
        receiveShipment(TRADER_KEY, listed(box));
        handOver(box);
        refused(abi.encodeWithSelector(ICustodyLedger.WrongState.selector, box, ICustodyLedger.State.HELD));
        cancelShipment(LINE_KEY, listed(box));
    }

    function test_only_the_holder_ships_unpacks_and_takes_out() external {
        packedPallet();
        refused(ICustodyLedger.NotHolder.selector, pallet, TRADER);
        ship(TRADER_KEY, listed(pallet), PHARMACY);
        refused(ICustodyLedger.NotHolder.selector, pallet, TRADER);
        unpack(TRADER_KEY, listed(pallet));
        refused(ICustodyLedger.NotHolder.selector, pallet, TRADER);
        takeOut(TRADER_KEY, listed(box));
        refused(ICustodyLedger.NotHolder.selector, pallet, MAKER); // another premises of the same company
        ship(MAKER_KEY, listed(pallet), PHARMACY);
    }

    function test_goods_in_transit_stay_as_they_are() external {
        packedPallet();
        ship(LINE_KEY, listed(pallet), TRADER);
        bytes memory moving =
            abi.encodeWithSelector(ICustodyLedger.WrongState.selector, pallet, ICustodyLedger.State.IN_TRANSIT);
        refused(moving);
        ship(LINE_KEY, listed(pallet), PHARMACY);
        refused(moving);
        unpack(LINE_KEY, listed(pallet));
        refused(moving);
        takeOut(LINE_KEY, listed(box));
    }

    function test_one_bad_unit_stops_the_whole_handover() external {
        register(LINE_KEY, box, none());
        refused(ICustodyLedger.UnknownUnit.selector, box2);
        ship(LINE_KEY, listed(box, box2), TRADER);
        assertHeld(box, PLANT, 0);
        refused(abi.encodeWithSelector(ICustodyLedger.WrongState.selector, box, ICustodyLedger.State.IN_TRANSIT));
        ship(LINE_KEY, listed(box, box), TRADER);
        assertHeld(box, PLANT, 0);
    }

    function test_unknown_unit_is_refused_everywhere() external {
        bytes memory unknown = abi.encodeWithSelector(ICustodyLedger.UnknownUnit.selector, box);
        refused(unknown);
        ship(LINE_KEY, listed(box), TRADER);
        refused(unknown);
        cancelShipment(LINE_KEY, listed(box));
        refused(unknown);
        receiveShipment(TRADER_KEY, listed(box));
        refused(unknown);
        refuseShipment(TRADER_KEY, listed(box));
        refused(unknown);
        unpack(LINE_KEY, listed(box));
        refused(unknown);
        takeOut(LINE_KEY, listed(box));
    }

    function test_receiver_is_licensed() external {
        register(LINE_KEY, box, none());
        refused(ICustodyLedger.ReceiverNotLicensed.selector, 7);
        ship(LINE_KEY, listed(box), 7);
        registry.suspend(TRADER);
        refused(ICustodyLedger.ReceiverNotLicensed.selector, TRADER);
        ship(LINE_KEY, listed(box), TRADER);
        registry.reinstate(TRADER);
        ship(LINE_KEY, listed(box), TRADER);
        registry.suspend(TRADER);
        refused(IPartyRegistry.NotLicensed.selector, TRADER);
        receiveShipment(TRADER_KEY, listed(box));
        cancelShipment(LINE_KEY, listed(box));
    }

    function test_caller_without_authority_is_refused_with_the_registrys_error() external {
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(QP_KEY), OPERATE));
        register(QP_KEY, box, none());
        refused(abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, vm.addr(STRANGER_KEY)));
        ship(STRANGER_KEY, listed(box), TRADER);
    }

    // ---- inside a parent ----

    function test_child_has_its_parents_holder_and_state() external {
        packedPallet();
        assertHeld(box, PLANT, pallet);
        register(LINE_KEY, container, listed(pallet));
        ship(LINE_KEY, listed(container), TRADER);
        assertUnit(box, ICustodyLedger.State.IN_TRANSIT, PLANT, TRADER, pallet);
        assertUnit(pallet, ICustodyLedger.State.IN_TRANSIT, PLANT, TRADER, container);
        receiveShipment(TRADER_KEY, listed(container));
        assertHeld(box, TRADER, pallet);
        assertHeld(pallet, TRADER, container);
    }

    function test_child_does_not_travel_on_its_own() external {
        packedPallet();
        refused(ICustodyLedger.InsideParent.selector, box, pallet);
        ship(LINE_KEY, listed(box), TRADER);
        refused(ICustodyLedger.InsideParent.selector, box, pallet);
        unpack(LINE_KEY, listed(box));
        ship(LINE_KEY, listed(pallet), TRADER);
        refused(ICustodyLedger.InsideParent.selector, box, pallet);
        receiveShipment(TRADER_KEY, listed(box));
        refused(ICustodyLedger.InsideParent.selector, box, pallet);
        refuseShipment(TRADER_KEY, listed(box));
        refused(ICustodyLedger.InsideParent.selector, box, pallet);
        cancelShipment(LINE_KEY, listed(box));
    }

    function test_outermost_unit_is_opened_first() external {
        packedPallet();
        register(LINE_KEY, container, listed(pallet));
        refused(ICustodyLedger.InsideParent.selector, pallet, container);
        unpack(LINE_KEY, listed(pallet));
        refused(ICustodyLedger.InsideParent.selector, pallet, container);
        takeOut(LINE_KEY, listed(box));
        takeOut(LINE_KEY, listed(pallet));
        takeOut(LINE_KEY, listed(box));
        assertHeld(box, PLANT, 0);
        assertHeld(box2, PLANT, pallet);
    }

    function test_unpacked_children_are_free_with_the_holder_at_that_time() external {
        packedPallet();
        handOver(pallet);
        unpack(TRADER_KEY, listed(pallet));
        assertUnit(pallet, ICustodyLedger.State.UNPACKED, TRADER, 0, 0);
        assertHeld(box, TRADER, 0);
        refused(ICustodyLedger.NotHolder.selector, box, PLANT);
        ship(LINE_KEY, listed(box), TRADER);
        ship(TRADER_KEY, listed(box), PHARMACY);
        receiveShipment(PHARMACY_KEY, listed(box));
        assertHeld(box, PHARMACY, 0);
        assertHeld(box2, TRADER, 0);
    }

    function test_unpacking_level_by_level_frees_one_level_at_a_time() external {
        packedPallet();
        register(LINE_KEY, container, listed(pallet));
        handOver(container);
        unpack(TRADER_KEY, listed(container));
        assertHeld(pallet, TRADER, 0);
        assertHeld(box, TRADER, pallet);
        ship(TRADER_KEY, listed(pallet), PHARMACY);
        receiveShipment(PHARMACY_KEY, listed(pallet));
        assertHeld(box, PHARMACY, pallet);
        unpack(PHARMACY_KEY, listed(pallet));
        assertHeld(box, PHARMACY, 0);
    }

    function test_freed_child_is_packed_again_elsewhere() external {
        packedPallet();
        handOver(pallet);
        unpack(TRADER_KEY, listed(pallet));
        uint64 tote = custodyNumber(TRADER, 1);
        register(TRADER_KEY, tote, listed(box));
        assertHeld(box, TRADER, tote);
        assertHeld(box2, TRADER, 0);
        ship(TRADER_KEY, listed(tote), PHARMACY);
        receiveShipment(PHARMACY_KEY, listed(tote));
        assertHeld(box, PHARMACY, tote);
        assertHeld(box2, TRADER, 0);
    }

    function test_unpacked_unit_is_at_its_end() external {
        register(LINE_KEY, box, none());
        unpack(LINE_KEY, listed(box));
        bytes memory ended =
            abi.encodeWithSelector(ICustodyLedger.WrongState.selector, box, ICustodyLedger.State.UNPACKED);
        refused(ended);
        ship(LINE_KEY, listed(box), TRADER);
        refused(ended);
        unpack(LINE_KEY, listed(box));
        refused(ended);
        receiveShipment(TRADER_KEY, listed(box));
    }

    function test_child_taken_out_inherits_the_holder_and_the_parent_goes_on() external {
        packedPallet();
        handOver(pallet);
        vm.expectEmit(address(custody));
        emit ICustodyLedger.TakenOut(box, pallet);
        this.takeOutFor(box);
        assertHeld(box, TRADER, 0);
        assertHeld(box2, TRADER, pallet);
        ship(TRADER_KEY, listed(box), PHARMACY);
        assertHeld(pallet, TRADER, 0);
    }

    function takeOutFor(uint64 number) external {
        takeOut(TRADER_KEY, listed(number));
    }

    function test_only_what_is_inside_is_taken_out() external {
        packedPallet();
        refused(ICustodyLedger.NotInside.selector, pallet);
        takeOut(LINE_KEY, listed(pallet));
        takeOut(LINE_KEY, listed(box));
        refused(ICustodyLedger.NotInside.selector, box);
        takeOut(LINE_KEY, listed(box));
        unpack(LINE_KEY, listed(pallet));
        refused(ICustodyLedger.NotInside.selector, box2);
        takeOut(LINE_KEY, listed(box2));
    }

    // ---- partial receipt ----

    function test_what_is_missing_stays_the_senders_and_the_rest_is_the_receivers() external {
        packedPallet();
        ship(LINE_KEY, listed(pallet), TRADER);
        vm.warp(NOW + 100);
        vm.expectEmit(address(custody));
        emit ICustodyLedger.Missing(box, pallet, PLANT);
        vm.expectEmit(address(custody));
        emit ICustodyLedger.Received(pallet, PLANT, TRADER);
        this.receivePartlyFor(TRADER_KEY, pallet, listed(box));
        assertHeld(box, PLANT, 0);
        assertEq(custody.unitOf(box).since, NOW + 100, "since");
        assertHeld(box2, TRADER, pallet);
        assertHeld(pallet, TRADER, 0);
        ship(LINE_KEY, listed(box), TRADER); // found: sent after
        receiveShipment(TRADER_KEY, listed(box));
        unpack(TRADER_KEY, listed(pallet));
        assertHeld(box, TRADER, 0);
    }

    function receivePartlyFor(uint256 key, uint64 number, uint64[] calldata missing) external {
        receivePartly(key, number, missing);
    }

    function test_a_case_may_be_missing_at_any_level_and_a_pallet_with_all_of_its_cases() external {
        packedPallet();
        register(LINE_KEY, container, listed(pallet));
        ship(LINE_KEY, listed(container), TRADER);
        uint256 before = vm.snapshotState();
        receivePartly(TRADER_KEY, container, listed(box));
        assertHeld(box, PLANT, 0);
        assertHeld(box2, TRADER, pallet);
        assertHeld(pallet, TRADER, container);
        vm.revertToState(before);
        receivePartly(TRADER_KEY, container, listed(pallet));
        assertHeld(pallet, PLANT, 0);
        assertHeld(box, PLANT, pallet);
        assertHeld(container, TRADER, 0);
        vm.revertToState(before);
        receivePartly(TRADER_KEY, container, listed(box, pallet)); // the box fell from the pallet, and both are missing
        assertHeld(box, PLANT, 0);
        assertHeld(pallet, PLANT, 0);
        vm.revertToState(before);
        refused(ICustodyLedger.NotInsideOf.selector, box, container);
        receivePartly(TRADER_KEY, container, listed(pallet, box)); // it is not in the container any more
    }

    function test_only_what_is_inside_can_be_missing() external {
        packedPallet();
        uint64 other = custodyNumber(PLANT, 30);
        register(LINE_KEY, other, none());
        ship(LINE_KEY, listed(pallet, other), TRADER);
        uint64[4] memory strange = [pallet, other, 0, container];
        for (uint256 i = 0; i < strange.length; ++i) {
            if (i < 2) refused(ICustodyLedger.NotInsideOf.selector, strange[i], pallet);
            else refused(ICustodyLedger.UnknownUnit.selector, strange[i]);
            receivePartly(TRADER_KEY, pallet, listed(strange[i]));
        }
        refused(ICustodyLedger.NotInsideOf.selector, box, pallet);
        receivePartly(TRADER_KEY, pallet, listed(box, box));
        refused(ICustodyLedger.NotInsideOf.selector, box, other);
        receivePartly(TRADER_KEY, other, listed(box)); // in another unit that comes
        assertUnit(box, ICustodyLedger.State.IN_TRANSIT, PLANT, TRADER, pallet);
    }

    function test_what_was_freed_before_is_not_missing() external {
        packedPallet();
        takeOut(LINE_KEY, listed(box));
        register(LINE_KEY, container, listed(pallet));
        unpack(LINE_KEY, listed(container));
        ship(LINE_KEY, listed(pallet), TRADER);
        refused(ICustodyLedger.NotInsideOf.selector, box, pallet);
        receivePartly(TRADER_KEY, pallet, listed(box));
        receivePartly(TRADER_KEY, pallet, listed(box2));
        assertHeld(box2, PLANT, 0);
    }

    function test_partial_receipt_is_the_named_receivers_and_names_something() external {
        packedPallet();
        bytes memory held =
            abi.encodeWithSelector(ICustodyLedger.WrongState.selector, pallet, ICustodyLedger.State.HELD);
        refused(held);
        receivePartly(TRADER_KEY, pallet, listed(box));
        ship(LINE_KEY, listed(pallet), TRADER);
        refused(ICustodyLedger.NotReceiver.selector, pallet, PHARMACY);
        receivePartly(PHARMACY_KEY, pallet, listed(box));
        refused(ICustodyLedger.NotReceiver.selector, pallet, PLANT);
        receivePartly(LINE_KEY, pallet, listed(box));
        refused(abi.encodeWithSelector(ICustodyLedger.NothingNamed.selector));
        receivePartly(TRADER_KEY, pallet, none());
        refused(ICustodyLedger.TooManyUnits.selector, 257);
        receivePartly(TRADER_KEY, pallet, new uint64[](257));
        registry.suspend(TRADER);
        refused(IPartyRegistry.NotLicensed.selector, TRADER);
        receivePartly(TRADER_KEY, pallet, listed(box));
    }

    // ---- a shipment that nobody received in time ----

    function test_shipment_is_received_within_30_days_and_not_after() external {
        packedPallet();
        ship(LINE_KEY, listed(pallet), TRADER);
        uint40 until = NOW + custody.HANDOVER_PERIOD();
        assertEq(until, NOW + 30 days, "period");
        vm.warp(until + 1);
        refused(ICustodyLedger.ShipmentExpired.selector, pallet, until);
        receiveShipment(TRADER_KEY, listed(pallet));
        refused(ICustodyLedger.ShipmentExpired.selector, pallet, until);
        receivePartly(TRADER_KEY, pallet, listed(box));
        assertUnit(pallet, ICustodyLedger.State.IN_TRANSIT, PLANT, TRADER, 0); // nothing changes by itself
        vm.warp(until);
        receiveShipment(TRADER_KEY, listed(pallet));
    }

    function test_sender_takes_an_expired_shipment_back_and_may_send_it_again() external {
        packedPallet();
        ship(LINE_KEY, listed(pallet), TRADER);
        vm.warp(NOW + 31 days);
        cancelShipment(LINE_KEY, listed(pallet));
        assertHeld(box, PLANT, pallet);
        handOver(pallet);
        assertHeld(box, TRADER, pallet);
    }

    function test_receiver_can_refuse_an_expired_shipment() external {
        packedPallet();
        ship(LINE_KEY, listed(pallet), TRADER);
        vm.warp(NOW + 365 days);
        refuseShipment(TRADER_KEY, listed(pallet));
        assertHeld(pallet, PLANT, 0);
    }

    // ---- who and what else is refused ----

    function test_unknown_and_unlicensed_partners_get_nothing_and_say_nothing() external {
        register(LINE_KEY, box, none());
        registry.setLicence(TRADER, WHOLESALER, 0, NOW);
        refused(ICustodyLedger.ReceiverNotLicensed.selector, TRADER);
        ship(LINE_KEY, listed(box), TRADER);
        registry.setLicence(TRADER, WHOLESALER, NOW + 1, LATEST);
        refused(ICustodyLedger.ReceiverNotLicensed.selector, TRADER);
        ship(LINE_KEY, listed(box), TRADER);
        refused(ICustodyLedger.ReceiverNotLicensed.selector, 0);
        ship(LINE_KEY, listed(box), 0);
        vm.warp(NOW + 1);
        ship(LINE_KEY, listed(box), TRADER);
        registry.suspend(TRADER);
        refused(IPartyRegistry.NotLicensed.selector, TRADER);
        receiveShipment(TRADER_KEY, listed(box));
        refused(IPartyRegistry.NotLicensed.selector, TRADER);
        refuseShipment(TRADER_KEY, listed(box));
        registry.reinstate(TRADER);
        registry.suspend(PLANT); // goods on the way arrive, whatever became of their sender
        receiveShipment(TRADER_KEY, listed(box));
    }

    function test_same_sscc_after_a_year_is_another_unit() external {
        ICustodyLedger.Registration[] memory first = new ICustodyLedger.Registration[](1);
        ICustodyLedger.Registration[] memory again = new ICustodyLedger.Registration[](1);
        (first[0], again[0]) = (registrationOf(box, none()), registrationOf(box2, none()));
        register(LINE_KEY, first);
        handOver(box);
        unpack(TRADER_KEY, listed(box));
        vm.warp(NOW + 366 days);
        again[0].ssccCommitment = sha256("the same SSCC, another salt");
        register(LINE_KEY, again);
        assertHeld(box2, PLANT, 0);
        assertUnit(box, ICustodyLedger.State.UNPACKED, TRADER, 0, 0);
    }

    function test_consent_to_receive_is_no_consent_to_refuse() external {
        register(LINE_KEY, box, none());
        ship(LINE_KEY, listed(box), TRADER);
        refused(abi.encodeWithSignature("InvalidConsent(address)", vm.addr(TRADER_KEY)));
        this.refuseWithConsentToReceive(box);
    }

    function refuseWithConsentToReceive(uint64 number) external {
        uint64[] memory numbers = listed(number);
        bytes memory data =
            abi.encodeCall(custody.refuseShipment, (numbers, listConsent(TRADER_KEY, "ReceiveShipment", numbers)));
        arm();
        (bool ok,) = address(custody).call(data);
        ok; // judged by what was expected
    }

    function testFuzz_every_consented_number_counts(uint64 other) external {
        vm.assume(other != box);
        register(LINE_KEY, box, none());
        uint64[] memory numbers = listed(box);
        bytes memory data = abi.encodeCall(custody.unpack, (listed(other), listConsent(LINE_KEY, "Unpack", numbers)));
        vm.expectRevert(abi.encodeWithSignature("InvalidConsent(address)", vm.addr(LINE_KEY)));
        (bool ok,) = address(custody).call(data);
        ok;
    }
}
