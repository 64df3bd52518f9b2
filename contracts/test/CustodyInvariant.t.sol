// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CustodyLedger} from "../CustodyLedger.sol";
import {ICustodyLedger} from "../interfaces/ICustodyLedger.sol";
import {Fixture} from "./Fixture.sol";

/// @notice Four parties pack, ship, receive, refuse, open … anything at random. After each call every unit is looked at:
/// a holder may have changed only if the outermost unit was received, by the receiver named when it was shipped.
contract CustodyHandler is Fixture {
    uint64 private constant MOST = 12;

    uint64[] private numbers;
    mapping(uint64 number => uint32) private holders;
    mapping(uint64 number => ICustodyLedger.State) private states;
    mapping(uint64 number => uint32) private named; // by the last successful shipment of that unit

    uint256 public strays; // holders that changed otherwise
    uint256 public split; // children whose holder is not their parent's
    uint256 public risen; // unpacked units that were anything else afterwards
    uint256 public alone; // units that moved or were opened while inside a parent

    constructor() {
        setUp();
        for (uint64 i = 1; i <= 4; ++i) {
            uint64 number = custodyNumber(PLANT, i);
            register(LINE_KEY, number, new uint64[](0));
            numbers.push(number);
        }
        look(0, 0);
    }

    function target() external view returns (CustodyLedger) {
        return custody;
    }

    function who(uint256 seed) private pure returns (uint256 key, uint32 party) {
        uint256[4] memory keys = [LINE_KEY, TRADER_KEY, PHARMACY_KEY, MAKER_KEY];
        uint32[4] memory parties = [PLANT, TRADER, PHARMACY, MAKER];
        return (keys[seed % 4], parties[seed % 4]);
    }

    /// Mostly the party that can act on that unit, so that much succeeds; else anybody.
    function actor(uint256 seed, uint64 number, bool asReceiver) private view returns (uint256 key, uint32 party) {
        if (seed % 4 == 0) return who(seed / 4);
        ICustodyLedger.Unit memory unit = custody.unitOf(number);
        uint32 wanted = asReceiver ? unit.receiver : unit.holder;
        for (uint256 i = 0; i < 4; ++i) {
            (key, party) = who(i);
            if (party == wanted) return (key, party);
        }
    }

    function doPack(uint256 seed, uint256 first, uint256 second, bool empty) external {
        if (numbers.length >= MOST) return;
        uint64 child = pick(first, ICustodyLedger.State.HELD);
        (uint256 key, uint32 party) = actor(seed, child, false);
        uint64 number = custodyNumber(party, 100 + uint64(numbers.length));
        uint64[] memory children = empty ? new uint64[](0) : listed(child, pick(second, ICustodyLedger.State.HELD));
        if (!empty && children[0] == children[1]) children = listed(children[0]);
        try this.registerFor(key, number, children) {
            numbers.push(number);
            (holders[number], states[number]) = (party, ICustodyLedger.State.HELD);
        } catch {}
        look(0, 0);
    }

    function doShip(uint256 seed, uint256 which, uint256 to) external {
        uint64 number = pick(which, ICustodyLedger.State.HELD);
        (uint256 key,) = actor(seed, number, false);
        (, uint32 receiver) = who(to);
        bool inside = isInside(number);
        try this.shipFor(key, listed(number), receiver) {
            named[number] = receiver;
            if (inside) ++alone;
        } catch {}
        look(0, 0);
    }

    function doReceive(uint256 seed, uint256 which) external {
        uint64 number = pick(which, ICustodyLedger.State.IN_TRANSIT);
        (uint256 key, uint32 party) = actor(seed, number, true);
        bool inside = isInside(number);
        try this.receiveFor(key, listed(number)) {
            if (inside) ++alone;
            if (named[number] != party) ++strays;
            look(number, party);
        } catch {
            look(0, 0);
        }
    }

    function doCancel(uint256 seed, uint256 which) external {
        uint64 number = pick(which, ICustodyLedger.State.IN_TRANSIT);
        (uint256 key,) = actor(seed, number, false);
        try this.cancelFor(key, listed(number)) {} catch {}
        look(0, 0);
    }

    function doRefuse(uint256 seed, uint256 which) external {
        uint64 number = pick(which, ICustodyLedger.State.IN_TRANSIT);
        (uint256 key,) = actor(seed, number, true);
        try this.refuseFor(key, listed(number)) {} catch {}
        look(0, 0);
    }

    function doUnpack(uint256 seed, uint256 which) external {
        uint64 number = pick(which, ICustodyLedger.State.HELD);
        (uint256 key,) = actor(seed, number, false);
        bool inside = isInside(number);
        try this.unpackFor(key, listed(number)) {
            if (inside) ++alone;
        } catch {}
        look(0, 0);
    }

    function doTakeOut(uint256 seed, uint256 which) external {
        uint64 number = numbers[which % numbers.length];
        (uint256 key,) = actor(seed, number, false);
        try this.takeOutFor(key, listed(number)) {} catch {}
        look(0, 0);
    }

    /// Mostly a unit that is in this state and free to move, so that much succeeds; else any.
    function pick(uint256 seed, ICustodyLedger.State state) private view returns (uint64 number) {
        for (uint256 i = 0; i < numbers.length; ++i) {
            number = numbers[(seed / 4 + i) % numbers.length];
            if (seed % 4 == 0 || (custody.unitOf(number).state == state && !isInside(number))) return number;
        }
    }

    function isInside(uint64 number) private view returns (bool) {
        return custody.unitOf(number).parent != 0;
    }

    /// @param received the unit that was just received, by `party`; 0 for none
    function look(uint64 received, uint32 party) private {
        for (uint256 i = 0; i < numbers.length; ++i) {
            uint64 number = numbers[i];
            ICustodyLedger.Unit memory unit = custody.unitOf(number);
            if (unit.parent != 0 && custody.unitOf(unit.parent).holder != unit.holder) ++split;
            if (states[number] == ICustodyLedger.State.UNPACKED && unit.state != ICustodyLedger.State.UNPACKED) ++risen;
            bool known = holders[number] != 0;
            bool handedOver = received != 0 && outermost(number) == received && unit.holder == party;
            if (known && unit.holder != holders[number] && !handedOver) ++strays;
            (holders[number], states[number]) = (unit.holder, unit.state);
        }
    }

    function outermost(uint64 number) private view returns (uint64) {
        for (uint64 parent = custody.unitOf(number).parent; parent != 0; parent = custody.unitOf(number).parent) {
            number = parent;
        }
        return number;
    }

    // ---- as calls that can be refused ----

    function registerFor(uint256 key, uint64 number, uint64[] calldata children) external {
        register(key, number, children);
    }

    function shipFor(uint256 key, uint64[] calldata list, uint32 to) external {
        ship(key, list, to);
    }

    function receiveFor(uint256 key, uint64[] calldata list) external {
        receiveShipment(key, list);
    }

    function cancelFor(uint256 key, uint64[] calldata list) external {
        cancelShipment(key, list);
    }

    function refuseFor(uint256 key, uint64[] calldata list) external {
        refuseShipment(key, list);
    }

    function unpackFor(uint256 key, uint64[] calldata list) external {
        unpack(key, list);
    }

    function takeOutFor(uint256 key, uint64[] calldata list) external {
        takeOut(key, list);
    }
}

contract CustodyInvariantTest {
    CustodyHandler private handler;

    function setUp() external {
        handler = new CustodyHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](9);
        selectors[0] = handler.doPack.selector;
        selectors[1] = handler.doShip.selector;
        selectors[2] = handler.doShip.selector;
        selectors[3] = handler.doReceive.selector;
        selectors[4] = handler.doReceive.selector;
        selectors[5] = handler.doCancel.selector;
        selectors[6] = handler.doRefuse.selector;
        selectors[7] = handler.doUnpack.selector;
        selectors[8] = handler.doTakeOut.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_holder_changes_only_by_the_named_receivers_own_consent() external view {
        require(handler.strays() == 0, "stray");
    }

    function invariant_child_has_its_parents_holder() external view {
        require(handler.split() == 0, "split");
    }

    function invariant_unit_inside_a_parent_does_not_move_on_its_own() external view {
        require(handler.alone() == 0, "alone");
    }

    function invariant_unpacked_unit_never_comes_back() external view {
        require(handler.risen() == 0, "risen");
    }
}
