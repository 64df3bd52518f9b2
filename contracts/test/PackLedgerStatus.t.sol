// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {Refusal, Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice The whole authority matrix: every status found × every status asked for × every role, of the batch's company
/// and of another × every state of the batch. What is expected is written from design.md's table, as text.
contract PackLedgerMatrixTest is Fixture {
    uint32 private constant FIRST_CALLER = 5000;
    uint16[7] private roles = [0, REGULATOR, MAH, MANUFACTURER, WHOLESALER, DISPENSER, SUPPLYING_WHOLESALER];

    enum Condition {
        RELEASED,
        PROPOSED,
        WITHDRAWN,
        EXPIRED,
        LOT_RECALLED,
        BATCH_TAKEN_BACK
    }

    uint64 private batch = batchNumber(PLANT, 1);

    function setUp() public override {
        super.setUp();
        for (uint32 i = 0; i < 14; ++i) {
            registerParty(FIRST_CALLER + i, i % 2 == 0 ? FIRST_CALLER + i : MAKER, roles[i / 2]);
            addKey(FIRST_CALLER + i, keyOf(i), OPERATE);
        }
    }

    function keyOf(uint32 caller) private pure returns (uint256) {
        return uint256(keccak256(abi.encode("caller", caller)));
    }

    /// Columns: status found, in the order of `Status`.
    function wayTo(Status to) private pure returns (bytes memory) {
        //                                 ASDEPFTLQ  (Active Supplied Destroyed Exported samPled Free sTolen Locked suspeQt)
        if (to == Status.SUPPLIED) return "x........";
        if (to == Status.DESTROYED) return "x......xx";
        if (to == Status.EXPORTED) return "x........";
        if (to == Status.SAMPLED) return "x........";
        if (to == Status.FREE_SAMPLE) return "x........";
        if (to == Status.STOLEN) return "xx.xxx.xx";
        if (to == Status.LOCKED) return "x.......x";
        return "x........";
    }

    function may(Status to, uint16 role, bool mah) private pure returns (bool) {
        if (to == Status.SUPPLIED) return role == DISPENSER || role == SUPPLYING_WHOLESALER;
        if (to == Status.EXPORTED || to == Status.DESTROYED) return mah || role == WHOLESALER;
        if (to == Status.SUSPECT) return true;
        return mah || role == REGULATOR;
    }

    function expectation(Condition condition, Status to, Status found, uint16 role, bool mah)
        private
        pure
        returns (Refusal)
    {
        bool early = to == Status.SAMPLED || to == Status.DESTROYED || to == Status.LOCKED;
        if (condition == Condition.WITHDRAWN || (condition == Condition.PROPOSED && !early)) return Refusal.NOT_RELEASED;
        if (wayTo(to)[uint256(found)] != "x") return Refusal.WRONG_STATUS;
        bool market = to == Status.SUPPLIED || to == Status.EXPORTED || to == Status.FREE_SAMPLE;
        if (market && condition == Condition.EXPIRED) return Refusal.EXPIRED;
        if (market && uint8(condition) >= uint8(Condition.LOT_RECALLED)) return Refusal.RECALLED;
        return may(to, role, mah) ? Refusal.NONE : Refusal.NOT_ALLOWED;
    }

    /// @return found the statuses that one unit each now has, from index 0
    function prepare(Condition condition) private returns (Status[] memory found) {
        bool early = condition == Condition.PROPOSED || condition == Condition.WITHDRAWN;
        found = new Status[](early ? 4 : 9);
        if (early) {
            propose(LINE_KEY, proposalOf(batch));
            (found[1], found[2], found[3]) = (Status.SAMPLED, Status.DESTROYED, Status.LOCKED);
        } else {
            released(1);
            for (uint8 i = 1; i < 9; ++i) {
                found[i] = Status(i);
            }
        }
        for (uint64 i = 1; i < found.length; ++i) {
            bool supplied = found[i] == Status.SUPPLIED;
            change(supplied ? PHARMACY_KEY : MAKER_KEY, found[i], packed(unitNumber(batch, i)));
        }
        if (condition == Condition.WITHDRAWN) withdraw(LINE_KEY, batch);
        if (condition == Condition.EXPIRED) vm.warp(EXPIRES);
        if (condition == Condition.LOT_RECALLED) recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        if (condition == Condition.BATCH_TAKEN_BACK) recallBatch(AGENCY_KEY, MAKER, batch, IRecallBoard.Kind.WITHDRAWN);
    }

    function checkMatrix(Condition condition) private {
        Status[] memory found = prepare(condition);
        bytes memory units;
        for (uint64 i = 0; i < found.length; ++i) {
            units = abi.encodePacked(units, unitNumber(batch, i));
        }
        uint256 before = vm.snapshotState();
        for (uint8 to = 1; to < 9; ++to) {
            for (uint32 caller = 0; caller < 14; ++caller) {
                bytes memory outcomes = change(keyOf(caller), Status(to), units).outcomes;
                for (uint64 i = 0; i < found.length; ++i) {
                    Refusal wanted = expectation(condition, Status(to), found[i], roles[caller / 2], caller % 2 == 1);
                    bool changed = wanted == Refusal.NONE;
                    string memory where = string.concat(
                        decimal(uint256(found[i])), " to ", decimal(to), " by caller ", decimal(caller)
                    );
                    assertEq(uint8(outcomes[i]), changed ? uint8(found[i]) : uint8(refusal(wanted)), where);
                    Status now_ = ledger.statusOf(unitNumber(batch, i));
                    assertTrue(now_ == (changed ? Status(to) : found[i]), where);
                }
                vm.revertToState(before);
            }
        }
    }

    function test_matrix_of_a_released_batch() external {
        checkMatrix(Condition.RELEASED);
    }

    function test_matrix_of_a_proposed_batch() external {
        checkMatrix(Condition.PROPOSED);
    }

    function test_matrix_of_a_withdrawn_batch() external {
        checkMatrix(Condition.WITHDRAWN);
    }

    function test_matrix_of_an_expired_batch() external {
        checkMatrix(Condition.EXPIRED);
    }

    function test_matrix_of_a_recalled_lot() external {
        checkMatrix(Condition.LOT_RECALLED);
    }

    function test_matrix_of_a_batch_taken_off_the_market() external {
        checkMatrix(Condition.BATCH_TAKEN_BACK);
    }
}

/// @notice One call of `changeStatus`: its receipt, its conflicts, its limits.
contract PackLedgerStatusTest is Fixture {
    uint64 private batch;
    uint64 private other;

    function setUp() public override {
        super.setUp();
        batch = released(1);
        other = released(2);
    }

    function test_dispensed_once_and_not_twice() external {
        uint64 unit = unitNumber(batch, 7);
        assertEq(change(PHARMACY_KEY, Status.SUPPLIED, packed(unit)).outcomes, hex"00", "first");
        bytes memory second = change(OTHER_PHARMACY_KEY, Status.SUPPLIED, packed(unit)).outcomes;
        assertEq(second, abi.encodePacked(refusal(Refusal.WRONG_STATUS)), "second");
        assertStatus(unit, Status.SUPPLIED);
    }

    function test_one_bad_unit_blocks_no_other_and_changes_no_neighbour() external {
        change(PHARMACY_KEY, Status.SUPPLIED, packed(unitNumber(batch, 64 + 2)));
        bytes memory units =
            packed(unitNumber(batch, 64 + 1), unitNumber(batch, 64 + 2), unitNumber(batch, 64 + 3));
        bytes memory outcomes = change(OTHER_PHARMACY_KEY, Status.SUPPLIED, units).outcomes;
        assertEq(outcomes, abi.encodePacked(hex"00", refusal(Refusal.WRONG_STATUS), hex"00"), "outcomes");
        for (uint64 i = 0; i < 256; ++i) {
            bool supplied = i >= 64 + 1 && i <= 64 + 3;
            assertStatus(unitNumber(batch, i), supplied ? Status.SUPPLIED : Status.ACTIVE);
            assertStatus(unitNumber(other, i), Status.ACTIVE);
        }
    }

    function test_same_unit_twice_in_a_call_conflicts_with_itself() external {
        uint64 unit = unitNumber(batch, 7);
        for (uint8 to = 1; to < 9; ++to) {
            uint256 before = vm.snapshotState();
            uint256 key = to == uint8(Status.SUPPLIED) ? PHARMACY_KEY : MAKER_KEY;
            bytes memory outcomes = change(key, Status(to), packed(unit, unit)).outcomes;
            assertEq(outcomes, abi.encodePacked(hex"00", refusal(Refusal.WRONG_STATUS)), decimal(to));
            vm.revertToState(before);
        }
    }

    function test_conflict_says_who_tried_what_on_which_unit() external {
        uint64 unit = unitNumber(batch, 7);
        change(PHARMACY_KEY, Status.SUPPLIED, packed(unit));
        (IPackLedger.Receipt memory receipt, Vm.Log[] memory logs) =
            changeLogged(TRADER_KEY, Status.EXPORTED, packed(unitNumber(batch, 6), unit));
        assertEq(logs.length, 2, "one conflict and the receipt");
        assertEq(logs[0].topics[0], IPackLedger.Conflict.selector, "event");
        assertEq(uint256(logs[0].topics[1]), unit, "unit");
        assertEq(uint256(logs[0].topics[2]), TRADER, "party");
        assertEq(logs[0].topics[3], receipt.id, "call");
        assertEq(logs[0].data, abi.encode(Status.EXPORTED, Status.SUPPLIED, Refusal.WRONG_STATUS), "data");
        assertEq(logs[1].topics[0], IPackLedger.StatusChanged.selector, "event");
    }

    function test_receipt_is_the_digest_and_its_hash_is_kept() external {
        uint256 nonce = ledger.nonces(vm.addr(PHARMACY_KEY), lane);
        bytes memory units = packed(unitNumber(batch, 1), unitNumber(batch, 10_000));
        bytes32 digest = digestOf(
            address(ledger),
            structHashOf(
                "ChangeStatus(uint8 to,bytes units,bytes32 openings,address signer,uint256 nonce,uint48 deadline)",
                abi.encode(Status.SUPPLIED, keccak256(units), OPENINGS),
                vm.addr(PHARMACY_KEY),
                nonce
            )
        );
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, units);
        assertEq(receipt.id, digest, "id");
        IPackLedger.Receipt memory wanted = IPackLedger.Receipt(
            digest,
            PHARMACY,
            Status.SUPPLIED,
            NOW,
            OPENINGS,
            units,
            abi.encodePacked(hex"00", refusal(Refusal.UNKNOWN_UNIT))
        );
        assertEq(abi.encode(receipt), abi.encode(wanted), "receipt");
        assertEq(ledger.receiptHash(digest), keccak256(abi.encode(wanted)), "hash");
        assertEq(ledger.receiptHash("none"), 0, "none");
    }

    function test_two_parties_with_the_same_call_have_two_receipts() external {
        // same units, openings, lane, nonce and deadline: as when two pharmacies dispense one code at once
        bytes memory units = packed(unitNumber(batch, 1));
        IPackLedger.Receipt memory first = change(PHARMACY_KEY, Status.SUPPLIED, units);
        IPackLedger.Receipt memory second = change(OTHER_PHARMACY_KEY, Status.SUPPLIED, units);
        assertTrue(first.id != second.id, "ids");
        assertEq(ledger.receiptHash(first.id), keccak256(abi.encode(first)), "the first stays");
        assertEq(ledger.receiptHash(second.id), keccak256(abi.encode(second)), "the second");
        assertEq(reverse(PHARMACY_KEY, first, hex"00"), hex"01", "and can be reversed");
    }

    function test_receipt_is_kept_also_when_every_unit_was_refused() external {
        IPackLedger.Receipt memory receipt = change(PHARMACY_KEY, Status.SUPPLIED, packed(77));
        assertEq(receipt.outcomes, abi.encodePacked(refusal(Refusal.UNKNOWN_UNIT)), "outcome");
        assertEq(ledger.receiptHash(receipt.id), keccak256(abi.encode(receipt)), "hash");
    }

    function test_found_status_is_in_the_receipt() external {
        uint64 unit = unitNumber(batch, 7);
        change(PHARMACY_KEY, Status.SUSPECT, packed(unit));
        assertEq(change(MAKER_KEY, Status.LOCKED, packed(unit)).outcomes, hex"08", "suspect");
        assertEq(change(TRADER_KEY, Status.DESTROYED, packed(unit)).outcomes, hex"07", "locked");
    }

    function test_unit_that_nobody_made_is_refused() external {
        bytes memory units = packed(
            unitNumber(batch, 9_999), // the last of 10,000
            unitNumber(batch, 10_000),
            unitNumber(batchNumber(PLANT, 77), 0)
        );
        bytes memory outcomes = change(PHARMACY_KEY, Status.SUPPLIED, units).outcomes;
        bytes1 unknown = refusal(Refusal.UNKNOWN_UNIT);
        assertEq(outcomes, abi.encodePacked(hex"00", unknown, unknown), "outcomes");
        outcomes = change(PHARMACY_KEY, Status.SUPPLIED, packed(0, type(uint64).max)).outcomes;
        assertEq(outcomes, abi.encodePacked(unknown, unknown), "first and last number");
    }

    function test_batches_in_one_call_are_judged_each_by_its_own() external {
        recallBatch(MAKER_KEY, MAKER, other, IRecallBoard.Kind.RECALLED);
        bytes memory units = packed(unitNumber(batch, 1), unitNumber(other, 1), unitNumber(batch, 2));
        bytes memory outcomes = change(PHARMACY_KEY, Status.SUPPLIED, units).outcomes;
        assertEq(outcomes, abi.encodePacked(hex"00", refusal(Refusal.RECALLED), hex"00"), "outcomes");
    }

    function test_pack_is_good_until_midnight_after_its_last_day() external {
        vm.warp(EXPIRES - 1);
        assertEq(change(PHARMACY_KEY, Status.SUPPLIED, packed(unitNumber(batch, 1))).outcomes, hex"00", "last second");
        vm.warp(EXPIRES);
        assertEq(
            change(PHARMACY_KEY, Status.SUPPLIED, packed(unitNumber(batch, 2))).outcomes,
            abi.encodePacked(refusal(Refusal.EXPIRED)),
            "first second"
        );
    }

    function test_lifted_recall_lets_packs_go_again() external {
        uint64 unit = unitNumber(batch, 1);
        recallLot(MAKER_KEY, MAKER, LOT, IRecallBoard.Kind.RECALLED);
        bytes memory recalled = abi.encodePacked(refusal(Refusal.RECALLED));
        assertEq(change(PHARMACY_KEY, Status.SUPPLIED, packed(unit)).outcomes, recalled, "recalled");
        liftRecall(AGENCY_KEY, MAKER, LOT);
        assertEq(change(PHARMACY_KEY, Status.SUPPLIED, packed(unit)).outcomes, hex"00", "lifted");
    }

    function test_nothing_is_changed_to_active() external {
        refused(abi.encodeWithSelector(IPackLedger.InvalidStatus.selector, Status.ACTIVE));
        change(MAKER_KEY, Status.ACTIVE, packed(unitNumber(batch, 1)));
    }

    function test_units_are_whole_and_one_to_256() external {
        refused(IPackLedger.InvalidUnits.selector, 0);
        change(MAKER_KEY, Status.LOCKED, "");
        refused(IPackLedger.InvalidUnits.selector, 7);
        change(MAKER_KEY, Status.LOCKED, new bytes(7));
        refused(IPackLedger.InvalidUnits.selector, 2049);
        change(MAKER_KEY, Status.LOCKED, new bytes(2049));
        refused(IPackLedger.InvalidUnits.selector, 2056);
        change(MAKER_KEY, Status.LOCKED, new bytes(2056));
        change(MAKER_KEY, Status.LOCKED, new bytes(2048));
        assertEq(ledger.MAX_UNITS(), 256, "constant");
    }

    function test_status_beyond_the_last_is_refused() external {
        bytes memory data = abi.encodeCall(
            ledger.changeStatus, (Status.SUSPECT, packed(1), OPENINGS, liftConsent(MAKER_KEY, packed(1), false))
        );
        data[35] = 0x09;
        (bool ok,) = address(ledger).call(data);
        assertTrue(!ok, "ninth status");
    }

    function test_caller_without_authority_is_refused_with_the_registrys_error() external {
        bytes memory units = packed(unitNumber(batch, 1));
        refused(abi.encodeWithSelector(IPartyRegistry.UnknownKey.selector, vm.addr(STRANGER_KEY)));
        change(STRANGER_KEY, Status.SUPPLIED, units);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyLacksPurpose.selector, vm.addr(QP_KEY), OPERATE));
        change(QP_KEY, Status.LOCKED, units);
        registry.suspend(PHARMACY);
        refused(IPartyRegistry.NotLicensed.selector, PHARMACY);
        change(PHARMACY_KEY, Status.SUPPLIED, units);
        registry.revokeKey(vm.addr(TRADER_KEY), 0);
        refused(abi.encodeWithSelector(IPartyRegistry.KeyNotValid.selector, vm.addr(TRADER_KEY)));
        change(TRADER_KEY, Status.EXPORTED, units);
        registry.setLicence(OTHER_PHARMACY, DISPENSER, 0, NOW);
        refused(IPartyRegistry.NotLicensed.selector, OTHER_PHARMACY);
        change(OTHER_PHARMACY_KEY, Status.SUPPLIED, units);
    }

    // ---- suspects ----

    function unitsFrom(uint64 first, uint64 count) private view returns (bytes memory units) {
        for (uint64 i = first; i < first + count; ++i) {
            units = abi.encodePacked(units, unitNumber(batch, i));
        }
    }

    function test_suspects_are_capped_for_each_key_and_day() external {
        bytes memory tooMany = abi.encodeWithSelector(
            IPackLedger.TooManySuspects.selector, vm.addr(PHARMACY_KEY), ledger.MAX_SUSPECTS_PER_DAY()
        );
        vm.warp(NOW - NOW % 1 days + 100);
        change(PHARMACY_KEY, Status.SUSPECT, unitsFrom(0, 250));
        refused(tooMany);
        change(PHARMACY_KEY, Status.SUSPECT, unitsFrom(250, 7));
        assertStatus(unitNumber(batch, 250), Status.ACTIVE);
        change(PHARMACY_KEY, Status.SUSPECT, unitsFrom(250, 6));
        refused(tooMany);
        change(PHARMACY_KEY, Status.SUSPECT, unitsFrom(300, 1));
        change(OTHER_PHARMACY_KEY, Status.SUSPECT, unitsFrom(300, 1)); // a key of its own
        change(PHARMACY_KEY, Status.SUPPLIED, unitsFrom(301, 1)); // no other status is capped
        vm.warp(NOW - NOW % 1 days + 1 days - 1);
        refused(tooMany);
        change(PHARMACY_KEY, Status.SUSPECT, unitsFrom(400, 1));
        vm.warp(NOW - NOW % 1 days + 1 days);
        change(PHARMACY_KEY, Status.SUSPECT, unitsFrom(400, 256));
    }

    // ---- against a model ----

    uint64[8] private pool;
    Status[8] private model;

    /// Any units in any order by anybody: each outcome and each status is as the model says, and no neighbour moves.
    function testFuzz_any_sequence_of_calls_agrees_with_the_model(uint256 seed) external {
        pool = [
            unitNumber(batch, 0),
            unitNumber(batch, 1),
            unitNumber(batch, 63),
            unitNumber(batch, 64),
            unitNumber(batch, 9_999),
            unitNumber(other, 0),
            unitNumber(batch, 10_000),
            unitNumber(batchNumber(RIVAL, 3), 0)
        ];
        for (uint256 call = 0; call < 6; ++call) {
            (uint256 key, Status to) = changer(uint256(keccak256(abi.encode(seed, call))));
            uint256 length = 1 + uint256(keccak256(abi.encode(seed, call, "length"))) % 6;
            uint256[] memory picks = new uint256[](length);
            bytes memory units;
            for (uint256 i = 0; i < length; ++i) {
                picks[i] = uint256(keccak256(abi.encode(seed, call, i))) % 8;
                units = abi.encodePacked(units, pool[picks[i]]);
            }
            bytes memory outcomes = change(key, to, units).outcomes;
            for (uint256 i = 0; i < length; ++i) {
                assertEq(uint8(outcomes[i]), uint8(modelled(picks[i], to)), "outcome");
            }
        }
        for (uint64 i = 0; i < 8; ++i) {
            assertStatus(pool[i], model[i]);
        }
        for (uint64 i = 2; i < 63; ++i) {
            assertStatus(unitNumber(batch, i), Status.ACTIVE);
        }
    }

    /// A status and a key that may set it.
    function changer(uint256 seed) private pure returns (uint256 key, Status to) {
        to = Status(1 + seed % 8);
        key = to == Status.SUPPLIED ? PHARMACY_KEY : MAKER_KEY;
    }

    function modelled(uint256 pick, Status to) private returns (bytes1) {
        if (pick >= 6) return refusal(Refusal.UNKNOWN_UNIT);
        Status found = model[pick];
        bool way = found == Status.ACTIVE
            || ((found == Status.LOCKED || found == Status.SUSPECT) && to == Status.DESTROYED)
            || (found == Status.SUSPECT && to == Status.LOCKED)
            || (to == Status.STOLEN && found != Status.DESTROYED && found != Status.STOLEN);
        if (!way) return refusal(Refusal.WRONG_STATUS);
        model[pick] = to;
        return bytes1(uint8(found));
    }
}
