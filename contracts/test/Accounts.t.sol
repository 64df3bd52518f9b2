// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {NoncesKeyed} from "@openzeppelin/contracts/utils/NoncesKeyed.sol";
import {ICustodyLedger} from "../interfaces/ICustodyLedger.sol";
import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {ISignedCalls} from "../interfaces/ISignedCalls.sol";
import {Consent, Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {Wallet} from "./SignedCalls.t.sol";
import {vm} from "./Vm.sol";

/// @notice Parties whose keys are ERC-1271 accounts (multi-signature wallets, say) do all that parties do.
contract AccountsTest is Fixture {
    uint256 private constant OWNER = uint256(keccak256("owner"));
    string private constant CONSENT = "address signer,uint256 nonce,uint48 deadline)";

    Wallet private maker;
    Wallet private line;
    Wallet private pharmacy;
    Wallet private agency;
    uint64 private batch = batchNumber(PLANT, 1);
    bytes private unit = packed(unitNumber(batch, 5));

    function setUp() public override {
        super.setUp();
        maker = account(MAKER, OPERATE | QUALITY | MANAGE);
        line = account(PLANT, OPERATE | LINE | QUALITY);
        pharmacy = account(PHARMACY, OPERATE);
        agency = account(AGENCY, OPERATE | QUALITY);
    }

    function account(uint32 party, uint8 purposes) private returns (Wallet wallet) {
        wallet = new Wallet(vm.addr(OWNER));
        registry.addKey(party, address(wallet), purposes, 0, LATEST);
    }

    /// The account's consent; its type is `named` with the consent's members after its own.
    function by(Wallet wallet, address target, string memory named, bytes memory members)
        private
        view
        returns (Consent memory)
    {
        uint256 nonce = NoncesKeyed(target).nonces(address(wallet), lane);
        bytes32 hash = structHashOf(string.concat(named, CONSENT), members, address(wallet), nonce);
        return Consent(address(wallet), nonce, DEADLINE, signatureOf(OWNER, digestOf(target, hash)));
    }

    function test_registry_takes_an_accounts_consents() external {
        registry.authoriseLine(
            PRODUCT,
            TRADER,
            LATEST,
            by(
                maker,
                address(registry),
                "AuthoriseLine(bytes32 productKey,uint32 party,uint40 until,",
                abi.encode(PRODUCT, TRADER, LATEST)
            )
        );
        registry.authoriseQuality(
            PRODUCT,
            address(line),
            LATEST,
            by(
                maker,
                address(registry),
                "AuthoriseQuality(bytes32 productKey,address key,uint40 until,",
                abi.encode(PRODUCT, line, LATEST)
            )
        );
        (uint32 party,) = registry.qualityAuthority(address(line), 1);
        assertEq(party, PLANT, "quality");
    }

    function test_account_is_rotated_and_takes_a_keys_place() external {
        Wallet next = new Wallet(vm.addr(OWNER));
        string memory named = "RotateKey(address oldKey,address newKey,";
        bytes memory members = abi.encode(pharmacy, next);
        Consent memory starter = by(pharmacy, address(registry), named, members);
        Consent memory possession = by(next, address(registry), named, members);
        (possession.signature, starter.signature) = (starter.signature, possession.signature);
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, pharmacy));
        registry.rotateKey(address(pharmacy), address(next), starter, possession); // one owner, two accounts
        (possession.signature, starter.signature) = (starter.signature, possession.signature);
        registry.rotateKey(address(pharmacy), address(next), starter, possession);
        assertEq(registry.keyOf(address(next)).party, PHARMACY, "party");
    }

    function test_pack_ledger_takes_an_accounts_consents() external {
        address target = address(ledger);
        IPackLedger.Proposal memory proposal = proposalOf(batch);
        ledger.propose(
            proposal,
            by(
                line,
                target,
                "Propose(uint64 batch,bytes32 productKey,bytes32 lotKey,bytes32 itemRoot,uint32 count,uint40 expiresAt,",
                abi.encode(proposal)
            )
        );
        ledger.withdraw(batch, by(line, target, "Withdraw(uint64 batch,", abi.encode(batch)));
        proposal.batch = ++batch;
        propose(LINE_KEY, proposal);
        authoriseQuality(MAKER_KEY, PRODUCT, address(line), LATEST);
        bytes32 root = proposal.itemRoot;
        ledger.release(batch, root, by(line, target, "Release(uint64 batch,bytes32 itemRoot,", abi.encode(batch, root)));
        unit = packed(unitNumber(batch, 5));
        ledger.changeStatus(Status.SUSPECT, unit, OPENINGS, changeBy(pharmacy, Status.SUSPECT));
        bytes memory members = abi.encode(keccak256(unit), false);
        Consent memory consent = by(maker, target, "LiftStatus(bytes units,bool duplicates,", members);
        ledger.liftStatus(
            unit, false, consent, by(agency, target, "LiftStatus(bytes units,bool duplicates,", members)
        );
        assertStatus(unitNumber(batch, 5), Status.ACTIVE);
        consent = changeBy(pharmacy, Status.SUPPLIED);
        bytes32 id = ledger.changeStatus(Status.SUPPLIED, unit, OPENINGS, consent);
        IPackLedger.Receipt memory receipt =
            IPackLedger.Receipt(id, PHARMACY, Status.SUPPLIED, NOW, OPENINGS, unit, hex"00");
        members = abi.encode(id, keccak256(hex"00"));
        ledger.reverseStatus(receipt, hex"00", by(pharmacy, target, "ReverseStatus(bytes32 id,bytes positions,", members));
        assertStatus(unitNumber(batch, 5), Status.ACTIVE);
    }

    function changeBy(Wallet wallet, Status to) private view returns (Consent memory) {
        return by(
            wallet,
            address(ledger),
            "ChangeStatus(uint8 to,bytes units,bytes32 openings,",
            abi.encode(to, keccak256(unit), OPENINGS)
        );
    }

    function test_custody_ledger_takes_an_accounts_consents() external {
        uint64[] memory numbers = listed(custodyNumber(PLANT, 1));
        register(LINE_KEY, numbers[0], new uint64[](0));
        custody.ship(
            numbers,
            PHARMACY,
            by(line, address(custody), "Ship(uint64[] numbers,uint32 to,", abi.encode(hashOf(numbers), PHARMACY))
        );
        Consent memory consent =
            by(pharmacy, address(custody), "ReceiveShipment(uint64[] numbers,", abi.encode(hashOf(numbers)));
        consent.signer = address(maker);
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, maker));
        custody.receiveShipment(numbers, consent);
        consent.signer = address(pharmacy);
        custody.receiveShipment(numbers, consent);
        assertEq(custody.unitOf(numbers[0]).holder, PHARMACY, "holder");
        custody.unpack(numbers, by(pharmacy, address(custody), "Unpack(uint64[] numbers,", abi.encode(hashOf(numbers))));
        assertTrue(custody.unitOf(numbers[0]).state == ICustodyLedger.State.UNPACKED, "unpacked");
    }

    function test_recall_board_takes_an_accounts_consents() external {
        board.recallLot(
            MAKER,
            LOT,
            IRecallBoard.Kind.RECALLED,
            "notice",
            by(
                maker,
                address(board),
                "RecallLot(uint32 mah,bytes32 lotKey,uint8 kind,bytes32 reason,",
                abi.encode(MAKER, LOT, 2, bytes32("notice"))
            )
        );
        board.liftRecall(
            MAKER,
            LOT,
            "clear",
            by(
                agency,
                address(board),
                "LiftRecall(uint32 mah,bytes32 subject,bytes32 reason,",
                abi.encode(MAKER, LOT, bytes32("clear"))
            )
        );
        (IRecallBoard.Kind kind,) = board.recallOf(MAKER, LOT, batch);
        assertTrue(kind == IRecallBoard.Kind.NONE, "lifted");
    }

    function test_event_log_takes_an_accounts_consents() external {
        eventLog.append(
            0,
            0,
            "root",
            1,
            by(
                pharmacy,
                address(eventLog),
                "Append(uint64 lane,uint64 sequence,bytes32 root,uint32 count,",
                abi.encode(0, 0, bytes32("root"), 1)
            )
        );
        assertTrue(eventLog.entryOf(PHARMACY, 0, 0).key == address(pharmacy), "key");
    }

    function test_account_without_a_valid_key_does_nothing() external {
        registry.suspendKey(address(pharmacy));
        Consent memory consent = changeBy(pharmacy, Status.SUSPECT);
        vm.expectRevert(abi.encodeWithSignature("KeyNotValid(address)", pharmacy));
        ledger.changeStatus(Status.SUSPECT, unit, OPENINGS, consent);
    }
}
