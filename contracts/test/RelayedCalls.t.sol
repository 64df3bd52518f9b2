// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {ISignedCalls} from "../interfaces/ISignedCalls.sol";
import {Consent, Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice A call that a relayer carries does exactly what the same call does that its signer sends; and a signature is
/// good for one function.
contract RelayedCallsTest is Fixture {
    uint64 private batch;
    uint64 private box = custodyNumber(PLANT, 1);
    uint64 private sent = custodyNumber(PLANT, 2);
    uint64 private pallet = custodyNumber(PLANT, 3);

    function setUp() public override {
        super.setUp();
        batch = released(1);
        propose(LINE_KEY, proposalOf(batch + 1));
        register(LINE_KEY, box, new uint64[](0));
        register(LINE_KEY, sent, new uint64[](0));
        register(LINE_KEY, custodyNumber(PLANT, 4), new uint64[](0));
        register(LINE_KEY, pallet, listed(custodyNumber(PLANT, 4)));
        ship(LINE_KEY, listed(sent, pallet), TRADER);
    }

    /// @param seed chooses who, and sound or unsound arguments
    function consented(uint256 kind, uint256 seed)
        private
        view
        returns (address target, bytes memory data, Consent memory consent)
    {
        uint256[5] memory keys = [LINE_KEY, TRADER_KEY, PHARMACY_KEY, MAKER_KEY, QP_KEY];
        uint256 key = keys[seed % 5];
        uint64 odd = uint64(seed >> 8) % 2;
        if (kind == 0) {
            consent = consentOf(
                key,
                address(eventLog),
                "Append(uint64 lane,uint64 sequence,bytes32 root,uint32 count,address signer,uint256 nonce,uint48 deadline)",
                abi.encode(3, odd, bytes32(seed), 7)
            );
            return (address(eventLog), abi.encodeCall(eventLog.append, (3, odd, bytes32(seed), 7, consent)), consent);
        }
        if (kind == 1) {
            bytes32 root = proposalOf(batch + odd).itemRoot;
            consent = consentOf(
                key,
                address(ledger),
                "Release(uint64 batch,bytes32 itemRoot,address signer,uint256 nonce,uint48 deadline)",
                abi.encode(batch + odd, root)
            );
            return (address(ledger), abi.encodeCall(ledger.release, (batch + odd, root, consent)), consent);
        }
        if (kind == 2) {
            Status to = Status((seed >> 16) % 9);
            bytes memory units = packed(unitNumber(batch, 5), unitNumber(batch + odd, 6));
            consent = consentOf(
                key,
                address(ledger),
                "ChangeStatus(uint8 to,bytes units,bytes32 openings,address signer,uint256 nonce,uint48 deadline)",
                abi.encode(to, keccak256(units), OPENINGS)
            );
            return (address(ledger), abi.encodeCall(ledger.changeStatus, (to, units, OPENINGS, consent)), consent);
        }
        if (kind == 3) {
            uint64[] memory numbers = listed(odd == 0 ? box : sent);
            consent = consentOf(
                key,
                address(custody),
                "Ship(uint64[] numbers,uint32 to,address signer,uint256 nonce,uint48 deadline)",
                abi.encode(hashOf(numbers), TRADER)
            );
            return (address(custody), abi.encodeCall(custody.ship, (numbers, TRADER, consent)), consent);
        }
        if (kind == 4) {
            uint64[] memory missing = listed(odd == 0 ? custodyNumber(PLANT, 4) : box);
            consent = consentOf(
                key,
                address(custody),
                "ReceivePartly(uint64 number,uint64[] missing,address signer,uint256 nonce,uint48 deadline)",
                abi.encode(pallet, hashOf(missing))
            );
            return (address(custody), abi.encodeCall(custody.receivePartly, (pallet, missing, consent)), consent);
        }
        if (kind == 5) {
            IRecallBoard.Kind grave = IRecallBoard.Kind((seed >> 16) % 3);
            consent = consentOf(
                key,
                address(board),
                "RecallLot(uint32 mah,bytes32 lotKey,uint8 kind,bytes32 reason,address signer,uint256 nonce,uint48 deadline)",
                abi.encode(MAKER, LOT, grave, bytes32("notice"))
            );
            return (address(board), abi.encodeCall(board.recallLot, (MAKER, LOT, grave, "notice", consent)), consent);
        }
        consent = consentOf(
            key,
            address(registry),
            "AuthoriseLine(bytes32 productKey,uint32 party,uint40 until,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(PRODUCT, TRADER + odd, LATEST)
        );
        data = abi.encodeCall(registry.authoriseLine, (PRODUCT, TRADER + uint32(odd), LATEST, consent));
        return (address(registry), data, consent);
    }

    /// The same call with an empty signature: the consent is its last argument, the signature the last of that.
    function unsigned(bytes memory data) private pure returns (bytes memory direct) {
        // … ‖ length (32 bytes) ‖ signature of 65 bytes, padded to 96
        direct = new bytes(data.length - 96);
        for (uint256 i = 0; i < direct.length - 32; ++i) {
            direct[i] = data[i];
        }
    }

    function carriedOut(address target, bytes memory data, address sender) private returns (bool done, bytes32 effects) {
        vm.recordLogs();
        bytes memory result;
        vm.prank(sender);
        (done, result) = target.call(data);
        effects = keccak256(abi.encode(result, vm.getRecordedLogs(), state()));
    }

    /// What the contracts say of all that the calls above can change.
    function state() private view returns (bytes memory) {
        (IRecallBoard.Kind kind, uint40 since) = board.recallOf(MAKER, LOT, batch);
        return abi.encode(
            abi.encode(kind, since, ledger.batchOf(batch), ledger.batchOf(batch + 1)),
            abi.encode(ledger.statusOf(unitNumber(batch, 5)), ledger.statusOf(unitNumber(batch + 1, 6))),
            abi.encode(custody.unitOf(box), custody.unitOf(sent), custody.unitOf(pallet)),
            abi.encode(custody.unitOf(custodyNumber(PLANT, 4))),
            abi.encode(eventLog.entryOf(MAKER, 3, 0), eventLog.entryOf(PLANT, 3, 0), eventLog.entryOf(PHARMACY, 3, 0))
        );
    }

    function testFuzz_relayed_equals_direct(uint256 kind, uint256 seed) external {
        (address target, bytes memory data, Consent memory consent) = consented(kind % 7, seed);
        uint256 before = vm.snapshotState();
        (bool relayed, bytes32 first) = carriedOut(target, data, address(0xbeef));
        vm.revertToState(before);
        (bool direct, bytes32 second) = carriedOut(target, unsigned(data), consent.signer);
        assertTrue(relayed == direct, "done");
        assertEq(first, second, "result, events or state");
    }

    function test_both_ways_do_something() external {
        // the fuzz test above would also pass if every call were refused
        for (uint256 kind = 0; kind < 7; ++kind) {
            bool any;
            for (uint256 key = 0; key < 5; ++key) {
                for (uint256 odd = 0; odd < 2; ++odd) {
                    (address target, bytes memory data,) = consented(kind, key + 256 * odd + (1 << 16));
                    uint256 before = vm.snapshotState();
                    (bool done,) = carriedOut(target, data, address(0xbeef));
                    any = any || done;
                    vm.revertToState(before);
                }
            }
            assertTrue(any, decimal(kind));
        }
    }

    // ---- one signature, one function ----

    function test_consent_to_one_of_the_custody_calls_is_none_to_another() external {
        string[5] memory names = ["CancelShipment", "ReceiveShipment", "RefuseShipment", "Unpack", "TakeOut"];
        uint64[] memory numbers = listed(sent);
        for (uint256 i = 0; i < 5; ++i) {
            Consent memory consent = listConsent(TRADER_KEY, names[i], numbers);
            bytes[5] memory calls = [
                abi.encodeCall(custody.cancelShipment, (numbers, consent)),
                abi.encodeCall(custody.receiveShipment, (numbers, consent)),
                abi.encodeCall(custody.refuseShipment, (numbers, consent)),
                abi.encodeCall(custody.unpack, (numbers, consent)),
                abi.encodeCall(custody.takeOut, (numbers, consent))
            ];
            for (uint256 j = 0; j < 5; ++j) {
                uint256 before = vm.snapshotState();
                (bool done, bytes memory reason) = address(custody).call(calls[j]);
                bool invalid = keccak256(reason)
                    == keccak256(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, consent.signer));
                assertTrue(i == j ? !invalid : !done && invalid, string.concat(names[i], " as ", names[j]));
                vm.revertToState(before);
            }
        }
    }
}
