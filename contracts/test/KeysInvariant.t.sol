// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EventLog} from "../EventLog.sol";
import {PartyRegistry} from "../PartyRegistry.sol";
import {Consent, Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice The authority adds, suspends, revokes and replaces keys of one pharmacy, keys rotate themselves and run out,
/// and all of them write logs, suspect packs, and show old signatures again, beside a model that knows the rules in plain
/// words. A strict handler tries only what the model allows, and each of its calls must succeed; the other one tries
/// anything, and what succeeds must be exactly what the model allows.
contract KeysHandler is Fixture {
    uint256 private constant MOST = 14;
    uint256 private constant LANES = 2;

    struct Ghost {
        uint256 until;
        bool suspended;
        bool revoked;
    }

    /// @dev A call that was carried out, as it can be shown again.
    struct Past {
        address target;
        bytes data;
    }

    bool private immutable STRICT;

    uint256[] private keys;
    mapping(uint256 key => Ghost) private ghosts;
    Past[] private past;
    bytes32[] private roots; // of lane 0 and lane 1, one after the other
    uint64[LANES] private lengths;
    uint64 private unit;

    uint256 public surprises; // calls that succeeded or failed against the model
    uint256 public replays; // signatures that worked twice
    uint256 public done;

    constructor(bool strict) {
        STRICT = strict;
        setUp();
        released(1);
        keys.push(PHARMACY_KEY);
        ghosts[PHARMACY_KEY].until = LATEST;
    }

    function target() external view returns (EventLog, PartyRegistry) {
        return (eventLog, registry);
    }

    function length(uint64 logLane) external view returns (uint64) {
        return lengths[logLane];
    }

    // ---- keys ----

    function doSuspend(uint256 which) external {
        uint256 key = keys[which % keys.length];
        registry.suspendKey(vm.addr(key));
        ghosts[key].suspended = true;
    }

    function doReinstate(uint256 which) external {
        uint256 key = keys[which % keys.length];
        registry.reinstateKey(vm.addr(key));
        ghosts[key].suspended = false;
    }

    function doRevoke(uint256 which, uint40 since) external {
        uint256 key = keys[which % keys.length];
        if (keys.length < 4) return; // some life is left
        registry.revokeKey(vm.addr(key), uint40(since % (block.timestamp + 1)));
        ghosts[key].revoked = true;
    }

    function doAdd(uint8 days_) external {
        if (keys.length >= MOST) return;
        uint256 key = uint256(keccak256(abi.encode("key", keys.length)));
        uint256 until = block.timestamp + 1 + uint256(days_) * 1 hours;
        registry.addKey(PHARMACY, vm.addr(key), OPERATE, 0, uint40(until));
        keys.push(key);
        ghosts[key].until = until;
    }

    function doRotate(uint256 which, uint256 starter) external {
        if (keys.length >= MOST) return;
        uint256 key = pick(which);
        uint256 by = starter % 4 == 0 ? pick(starter / 4) : key; // another key of the same party has no say
        uint256 next = uint256(keccak256(abi.encode("key", keys.length)));
        if (tried(by == key && isValid(key), abi.encodeCall(this.rotateFor, (by, key, next)))) {
            ghosts[key].revoked = true;
            ghosts[next].until = ghosts[key].until;
            keys.push(next);
        }
    }

    function doReplace(uint256 which, uint8 days_) external {
        if (keys.length >= MOST) return;
        uint256 key = keys[which % keys.length];
        uint256 next = uint256(keccak256(abi.encode("key", keys.length)));
        uint256 until = block.timestamp + 1 + uint256(days_) * 1 hours;
        if (tried(!ghosts[key].revoked, abi.encodeCall(this.replaceFor, (key, next, uint40(until))))) {
            ghosts[key].revoked = true;
            ghosts[next].until = until;
            keys.push(next);
        }
    }

    function doWait(uint16 hours_) external {
        vm.warp(block.timestamp + uint256(hours_ % 48) * 1 hours);
    }

    // ---- what they do ----

    function doAppend(uint256 which, uint64 logLane, uint8 off) external {
        uint256 key = pick(which);
        logLane %= uint64(LANES);
        uint64 sequence = lengths[logLane] + (off % 4 == 0 ? (off / 4) % 3 : 0);
        bytes32 root = keccak256(abi.encode(roots.length));
        bool allowed = isValid(key) && sequence == lengths[logLane];
        if (tried(allowed, abi.encodeCall(this.appendFor, (key, logLane, sequence, root)))) {
            ++lengths[logLane];
            roots.push(root);
        }
    }

    function doSuspect(uint256 which) external {
        uint256 key = pick(which);
        if (tried(isValid(key), abi.encodeCall(this.suspectFor, (key, unitNumber(batchNumber(PLANT, 1), unit))))) ++unit;
    }

    /// Anybody shows a call again that was carried out.
    function doReplay(uint256 which) external {
        if (past.length == 0) return;
        Past storage old = past[which % past.length];
        (bool again,) = old.target.call(old.data);
        if (again) ++replays;
    }

    // ---- the model ----

    function isValid(uint256 key) private view returns (bool) {
        Ghost storage ghost = ghosts[key];
        return block.timestamp < ghost.until && !ghost.suspended && !ghost.revoked;
    }

    /// Mostly a valid key, so that much succeeds; else any.
    function pick(uint256 seed) private view returns (uint256 key) {
        for (uint256 i = 0; i < keys.length; ++i) {
            key = keys[(seed / 4 + i) % keys.length];
            if (seed % 4 == 0 || isValid(key)) return key;
        }
    }

    function tried(bool allowed, bytes memory call) private returns (bool succeeded) {
        if (STRICT && !allowed) return false;
        bytes memory reason;
        (succeeded, reason) = address(this).call(call);
        if (succeeded != allowed) ++surprises;
        if (succeeded) ++done;
        if (!succeeded && STRICT) {
            assembly ("memory-safe") {
                revert(add(reason, 0x20), mload(reason))
            }
        }
    }

    function rotateFor(uint256 starter, uint256 key, uint256 next) external {
        Consent memory first = rotationConsent(starter, key, next);
        Consent memory second = rotationConsent(next, key, next);
        carry(address(registry), abi.encodeCall(registry.rotateKey, (vm.addr(key), vm.addr(next), first, second)));
    }

    function replaceFor(uint256 key, uint256 next, uint40 until) external {
        Consent memory possession = replacement(key, next, until);
        carry(address(registry), abi.encodeCall(registry.replaceKey, (vm.addr(key), vm.addr(next), until, possession)));
    }

    function appendFor(uint256 key, uint64 logLane, uint64 sequence, bytes32 root) external {
        Consent memory consent = consentOf(
            key,
            address(eventLog),
            "Append(uint64 lane,uint64 sequence,bytes32 root,uint32 count,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(logLane, sequence, root, 1)
        );
        carry(address(eventLog), abi.encodeCall(eventLog.append, (logLane, sequence, root, 1, consent)));
    }

    function suspectFor(uint256 key, uint64 number) external {
        bytes memory units = packed(number);
        Consent memory consent = consentOf(
            key,
            address(ledger),
            "ChangeStatus(uint8 to,bytes units,bytes32 openings,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(Status.SUSPECT, keccak256(units), OPENINGS)
        );
        carry(address(ledger), abi.encodeCall(ledger.changeStatus, (Status.SUSPECT, units, OPENINGS, consent)));
    }

    function carry(address to, bytes memory data) private {
        (bool succeeded, bytes memory reason) = to.call(data);
        if (succeeded) {
            past.push(Past(to, data));
            return;
        }
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    // ---- for the invariants ----

    /// @return whether every entry is still what was appended, in some order of the lanes
    function logsAreWhole() external view returns (bool) {
        if (lengths[0] + lengths[1] != roots.length) return false;
        uint64[LANES] memory next;
        for (uint256 i = 0; i < roots.length; ++i) {
            bool first = eventLog.entryOf(PHARMACY, 0, next[0]).root == roots[i];
            if (!first && eventLog.entryOf(PHARMACY, 1, next[1]).root != roots[i]) return false;
            ++next[first ? 0 : 1];
        }
        return true;
    }

    /// @return whether no unit is SUSPECT but those of calls that were allowed
    function nothingElseChanged() external view returns (bool) {
        uint64 batch = batchNumber(PLANT, 1);
        if (unit != 0 && ledger.statusOf(unitNumber(batch, unit - 1)) != Status.SUSPECT) return false;
        return ledger.statusOf(unitNumber(batch, unit)) == Status.ACTIVE;
    }
}

abstract contract KeysInvariants {
    KeysHandler internal handler;

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
        selectors[0] = handler.doAppend.selector;
        selectors[1] = handler.doAppend.selector;
        selectors[2] = handler.doAppend.selector;
        selectors[3] = handler.doSuspect.selector;
        selectors[4] = handler.doSuspend.selector;
        selectors[5] = handler.doReinstate.selector;
        selectors[6] = handler.doRevoke.selector;
        selectors[7] = handler.doAdd.selector;
        selectors[8] = handler.doRotate.selector;
        selectors[9] = handler.doReplace.selector;
        selectors[10] = handler.doReplay.selector;
        selectors[11] = handler.doWait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_revoked_suspended_or_expired_key_changes_nothing() external view {
        require(handler.surprises() == 0, "surprise");
        require(handler.nothingElseChanged(), "status");
    }

    function invariant_log_grows_by_one_and_never_changes() external view {
        (EventLog log,) = handler.target();
        for (uint64 lane = 0; lane < 2; ++lane) {
            require(log.nextSequence(3001, lane) == handler.length(lane), "length");
        }
        require(handler.logsAreWhole(), "entries");
    }

    function invariant_signature_works_once() external view {
        require(handler.replays() == 0, "replay");
    }
}

contract KeysInvariantTest is KeysInvariants {
    function setUp() external {
        handler = new KeysHandler(false);
    }
}

contract KeysStrictInvariantTest is KeysInvariants {
    function setUp() external {
        handler = new KeysHandler(true);
    }
}
