// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CustodyLedger} from "../CustodyLedger.sol";
import {ICustodyLedger} from "../interfaces/ICustodyLedger.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice Four parties pack, ship, receive, refuse, open … anything at random, for months, beside a model that knows the
/// rules in plain words. A strict handler tries only what the model allows, and each of its calls must succeed; the other
/// one tries anything, and what succeeds must be exactly what the model allows.
contract CustodyHandler is Fixture {
    uint64 private constant MOST = 12;
    ICustodyLedger.State private constant HELD = ICustodyLedger.State.HELD;
    ICustodyLedger.State private constant IN_TRANSIT = ICustodyLedger.State.IN_TRANSIT;
    ICustodyLedger.State private constant UNPACKED = ICustodyLedger.State.UNPACKED;

    /// @dev What a unit is, as long as it is in no other; inside one, it is what that one is.
    struct Ghost {
        ICustodyLedger.State state;
        uint32 holder;
        uint32 receiver;
        uint64 parent;
        uint256 shippedAt;
    }

    bool private immutable STRICT;

    uint64[] private numbers;
    mapping(uint64 number => Ghost) private ghosts;
    mapping(uint64 number => uint32) private holders; // after the last call

    uint256 public surprises; // calls that succeeded or failed against the model
    uint256 public differences; // units that are not what the model says
    uint256 public strays; // holders that changed otherwise than to the named receiver of what was received
    uint256 public handovers;
    uint256 public shortfalls;

    constructor(bool strict) {
        STRICT = strict;
        setUp();
        for (uint64 i = 1; i <= 4; ++i) {
            uint64 number = custodyNumber(PLANT, i);
            register(LINE_KEY, number, new uint64[](0));
            add(number, PLANT);
        }
        uint64 pallet = custodyNumber(PLANT, 5);
        register(LINE_KEY, pallet, listed(numbers[0], numbers[1]));
        add(pallet, PLANT);
        (ghosts[numbers[0]].parent, ghosts[numbers[1]].parent) = (pallet, pallet);
    }

    function target() external view returns (CustodyLedger) {
        return custody;
    }

    function all() external view returns (uint64[] memory) {
        return numbers;
    }

    // ---- what is done ----

    function doPack(uint256 seed, uint256 first, uint256 second, uint8 count) external {
        if (numbers.length >= MOST) return;
        uint64[] memory children = new uint64[](count % 3);
        if (children.length > 0) children[0] = pick(first, HELD);
        if (children.length > 1) children[1] = pick(second, HELD);
        (uint256 key, uint32 party) = actor(seed, children.length > 0 ? ghosts[children[0]].holder : PLANT);
        uint64 number = custodyNumber(party, 100 + uint64(numbers.length));
        bool allowed = children.length < 2 || children[0] != children[1];
        for (uint256 i = 0; i < children.length; ++i) {
            allowed = allowed && isHeld(children[i], party);
        }
        if (tried(allowed, abi.encodeCall(this.registerFor, (key, number, children)))) {
            for (uint256 i = 0; i < children.length; ++i) {
                ghosts[children[i]].parent = number;
            }
            add(number, party);
        }
        look(0, 0);
    }

    function doShip(uint256 seed, uint256 which, uint256 to) external {
        uint64 number = pick(which, HELD);
        (uint256 key, uint32 party) = actor(seed, ghosts[number].holder);
        (, uint32 receiver) = who(to / 8);
        if (to % 8 == 7) receiver = 7; // nobody
        if (tried(isHeld(number, party) && receiver != 7, abi.encodeCall(this.shipFor, (key, number, receiver)))) {
            Ghost storage ghost = ghosts[number];
            (ghost.state, ghost.receiver, ghost.shippedAt) = (IN_TRANSIT, receiver, block.timestamp);
        }
        look(0, 0);
    }

    function doReceive(uint256 seed, uint256 which) external {
        uint64 number = pick(which, IN_TRANSIT);
        (uint256 key, uint32 party) = actor(seed, ghosts[number].receiver);
        if (tried(arrives(number, party), abi.encodeCall(this.receiveFor, (key, number)))) {
            settle(number, party);
            ++handovers;
            look(number, party);
        } else {
            look(0, 0);
        }
    }

    function doReceivePartly(uint256 seed, uint256 which, uint256 lost) external {
        uint64 number = pick(which, IN_TRANSIT);
        (uint256 key, uint32 party) = actor(seed, ghosts[number].receiver);
        uint64 missing = pickInside(lost, number);
        bool allowed = arrives(number, party) && missing != number && outermost(missing) == number;
        if (tried(allowed, abi.encodeCall(this.receivePartlyFor, (key, number, missing)))) {
            ghosts[missing].parent = 0;
            settle(missing, ghosts[number].holder);
            settle(number, party);
            ++handovers;
            ++shortfalls;
            look(number, party);
        } else {
            look(0, 0);
        }
    }

    function doCancel(uint256 seed, uint256 which) external {
        uint64 number = pick(which, IN_TRANSIT);
        Ghost storage ghost = ghosts[number];
        (uint256 key, uint32 party) = actor(seed, ghost.holder);
        bool allowed = ghost.parent == 0 && ghost.state == IN_TRANSIT && ghost.holder == party;
        if (tried(allowed, abi.encodeCall(this.cancelFor, (key, number)))) settle(number, party);
        look(0, 0);
    }

    function doRefuse(uint256 seed, uint256 which) external {
        uint64 number = pick(which, IN_TRANSIT);
        Ghost storage ghost = ghosts[number];
        (uint256 key, uint32 party) = actor(seed, ghost.receiver);
        bool allowed = ghost.parent == 0 && ghost.state == IN_TRANSIT && ghost.receiver == party;
        if (tried(allowed, abi.encodeCall(this.refuseFor, (key, number)))) settle(number, ghost.holder);
        look(0, 0);
    }

    function doUnpack(uint256 seed, uint256 which) external {
        uint64 number = pick(which, HELD);
        (uint256 key, uint32 party) = actor(seed, ghosts[number].holder);
        if (tried(isHeld(number, party), abi.encodeCall(this.unpackFor, (key, number)))) {
            for (uint256 i = 0; i < numbers.length; ++i) {
                if (ghosts[numbers[i]].parent != number) continue;
                ghosts[numbers[i]].parent = 0;
                settle(numbers[i], party);
            }
            ghosts[number].state = UNPACKED;
        }
        look(0, 0);
    }

    function doTakeOut(uint256 seed, uint256 which) external {
        uint64 number = numbers[which % numbers.length];
        uint64 parent = ghosts[number].parent;
        (uint256 key, uint32 party) = actor(seed, ghosts[parent].holder);
        if (tried(parent != 0 && isHeld(parent, party), abi.encodeCall(this.takeOutFor, (key, number)))) {
            ghosts[number].parent = 0;
            settle(number, party);
        }
        look(0, 0);
    }

    function doWait(uint8 days_) external {
        vm.warp(block.timestamp + uint256(days_ % 20) * 1 days);
    }

    // ---- the model ----

    function add(uint64 number, uint32 party) private {
        numbers.push(number);
        ghosts[number] = Ghost(HELD, party, 0, 0, 0);
        holders[number] = party;
    }

    function settle(uint64 number, uint32 holder) private {
        Ghost storage ghost = ghosts[number];
        (ghost.state, ghost.holder, ghost.receiver) = (HELD, holder, 0);
    }

    function isHeld(uint64 number, uint32 party) private view returns (bool) {
        Ghost storage ghost = ghosts[number];
        return ghost.parent == 0 && ghost.state == HELD && ghost.holder == party;
    }

    function arrives(uint64 number, uint32 party) private view returns (bool) {
        Ghost storage ghost = ghosts[number];
        return ghost.parent == 0 && ghost.state == IN_TRANSIT && ghost.receiver == party
            && block.timestamp <= ghost.shippedAt + 30 days;
    }

    function outermost(uint64 number) private view returns (uint64) {
        while (ghosts[number].parent != 0) {
            number = ghosts[number].parent;
        }
        return number;
    }

    /// @param received the unit that was just received, by `party`; 0 for none
    function look(uint64 received, uint32 party) private {
        for (uint256 i = 0; i < numbers.length; ++i) {
            uint64 number = numbers[i];
            ICustodyLedger.Unit memory unit = custody.unitOf(number);
            Ghost storage top = ghosts[outermost(number)];
            bool same = unit.state == top.state && unit.holder == top.holder && unit.receiver == top.receiver
                && unit.parent == ghosts[number].parent;
            if (!same) ++differences;
            bool handedOver = received != 0 && outermost(number) == received && unit.holder == party;
            if (unit.holder != holders[number] && !handedOver) ++strays;
            holders[number] = unit.holder;
        }
    }

    // ---- who and what ----

    function who(uint256 seed) private pure returns (uint256 key, uint32 party) {
        uint256[4] memory keys = [LINE_KEY, TRADER_KEY, PHARMACY_KEY, MAKER_KEY];
        uint32[4] memory parties = [PLANT, TRADER, PHARMACY, MAKER];
        return (keys[seed % 4], parties[seed % 4]);
    }

    /// Mostly the party that is wanted, so that much succeeds; else anybody.
    function actor(uint256 seed, uint32 wanted) private pure returns (uint256 key, uint32 party) {
        for (uint256 i = 0; i < 4; ++i) {
            (key, party) = who(i);
            if (party == wanted && seed % 8 != 0) return (key, party);
        }
        return who(seed / 8);
    }

    /// Mostly a unit that is in this state and free to move, so that much succeeds; else any.
    function pick(uint256 seed, ICustodyLedger.State state) private view returns (uint64 number) {
        for (uint256 i = 0; i < numbers.length; ++i) {
            number = numbers[(seed / 8 + i) % numbers.length];
            if (seed % 8 == 0 || (ghosts[number].parent == 0 && ghosts[number].state == state)) return number;
        }
    }

    /// Mostly a unit inside the other one.
    function pickInside(uint256 seed, uint64 outer) private view returns (uint64 number) {
        for (uint256 i = 0; i < numbers.length; ++i) {
            number = numbers[(seed / 4 + i) % numbers.length];
            if (seed % 4 == 0 || (number != outer && outermost(number) == outer)) return number;
        }
    }

    // ---- trying it ----

    function tried(bool allowed, bytes memory call) private returns (bool done) {
        if (STRICT && !allowed) return false;
        bytes memory reason;
        (done, reason) = address(this).call(call);
        if (done != allowed) ++surprises;
        if (!done && STRICT) {
            assembly ("memory-safe") {
                revert(add(reason, 0x20), mload(reason))
            }
        }
    }

    function registerFor(uint256 key, uint64 number, uint64[] calldata children) external {
        register(key, number, children);
    }

    function shipFor(uint256 key, uint64 number, uint32 to) external {
        ship(key, listed(number), to);
    }

    function receiveFor(uint256 key, uint64 number) external {
        receiveShipment(key, listed(number));
    }

    function receivePartlyFor(uint256 key, uint64 number, uint64 missing) external {
        receivePartly(key, number, listed(missing));
    }

    function cancelFor(uint256 key, uint64 number) external {
        cancelShipment(key, listed(number));
    }

    function refuseFor(uint256 key, uint64 number) external {
        refuseShipment(key, listed(number));
    }

    function unpackFor(uint256 key, uint64 number) external {
        unpack(key, listed(number));
    }

    function takeOutFor(uint256 key, uint64 number) external {
        takeOut(key, listed(number));
    }
}

abstract contract CustodyInvariants {
    CustodyHandler internal handler;

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](12);
        selectors[0] = handler.doPack.selector;
        selectors[1] = handler.doPack.selector;
        selectors[2] = handler.doShip.selector;
        selectors[3] = handler.doShip.selector;
        selectors[4] = handler.doReceive.selector;
        selectors[5] = handler.doReceivePartly.selector;
        selectors[6] = handler.doReceivePartly.selector;
        selectors[7] = handler.doCancel.selector;
        selectors[8] = handler.doRefuse.selector;
        selectors[9] = handler.doUnpack.selector;
        selectors[10] = handler.doTakeOut.selector;
        selectors[11] = handler.doWait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_one_holder_changed_only_by_the_named_receiver() external view {
        require(handler.strays() == 0, "stray");
    }

    function invariant_in_transit_exactly_when_a_receiver_is_named() external view {
        uint64[] memory numbers = handler.all();
        for (uint256 i = 0; i < numbers.length; ++i) {
            ICustodyLedger.Unit memory unit = handler.target().unitOf(numbers[i]);
            require((unit.state == ICustodyLedger.State.IN_TRANSIT) == (unit.receiver != 0), "receiver");
            require(unit.holder != 0 && unit.state != ICustodyLedger.State.NONE, "holder");
        }
    }

    function invariant_child_has_its_parents_holder_and_state() external view {
        uint64[] memory numbers = handler.all();
        for (uint256 i = 0; i < numbers.length; ++i) {
            ICustodyLedger.Unit memory unit = handler.target().unitOf(numbers[i]);
            if (unit.parent == 0) continue;
            ICustodyLedger.Unit memory parent = handler.target().unitOf(unit.parent);
            require(unit.holder == parent.holder && unit.state == parent.state, "split");
        }
    }

    function invariant_what_succeeds_is_what_the_rules_allow_and_the_units_are_as_they_say() external view {
        require(handler.surprises() == 0, "surprise");
        require(handler.differences() == 0, "difference");
    }
}

contract CustodyInvariantTest is CustodyInvariants {
    function setUp() external {
        handler = new CustodyHandler(false);
    }
}

contract CustodyStrictInvariantTest is CustodyInvariants {
    function setUp() external {
        handler = new CustodyHandler(true);
    }
}
