// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {NoncesKeyed} from "@openzeppelin/contracts/utils/NoncesKeyed.sol";
import {CustodyLedger} from "../CustodyLedger.sol";
import {EventLog} from "../EventLog.sol";
import {PackLedger} from "../PackLedger.sol";
import {PartyRegistry} from "../PartyRegistry.sol";
import {RecallBoard} from "../RecallBoard.sol";
import {ICustodyLedger} from "../interfaces/ICustodyLedger.sol";
import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IPartyRegistry} from "../interfaces/IPartyRegistry.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {Consent, Refusal, Status} from "../interfaces/Types.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice All contracts with a small supply chain. This contract is the licensing authority and the relayer.
/// Every party call is signed here from the text of its typed data, independently of the contracts' own constants.
abstract contract Fixture {
    uint40 internal constant NOW = 1_800_000_000;
    uint40 internal constant LATEST = type(uint40).max;
    uint48 internal constant DEADLINE = 2_000_000_000;

    uint16 internal constant REGULATOR = 1;
    uint16 internal constant MAH = 2;
    uint16 internal constant MANUFACTURER = 4;
    uint16 internal constant WHOLESALER = 8;
    uint16 internal constant DISPENSER = 16;
    uint16 internal constant SUPPLYING_WHOLESALER = 32;
    uint8 internal constant OPERATE = 1;
    uint8 internal constant LINE = 2;
    uint8 internal constant QUALITY = 4;
    uint8 internal constant MANAGE = 8;

    uint32 internal constant MAKER = 1001; // a company with a product
    uint32 internal constant PLANT = 1002; // its premises
    uint32 internal constant RIVAL = 1101; // another company with a product
    uint32 internal constant TRADER = 2001;
    uint32 internal constant PHARMACY = 3001;
    uint32 internal constant OTHER_PHARMACY = 3002;
    uint32 internal constant AGENCY = 9001;

    // Keys, named by what they are for.
    uint256 internal constant LINE_KEY = uint256(keccak256("line"));
    uint256 internal constant QP_KEY = uint256(keccak256("qp"));
    uint256 internal constant MAKER_KEY = uint256(keccak256("maker"));
    uint256 internal constant RIVAL_KEY = uint256(keccak256("rival"));
    uint256 internal constant TRADER_KEY = uint256(keccak256("trader"));
    uint256 internal constant PHARMACY_KEY = uint256(keccak256("pharmacy"));
    uint256 internal constant OTHER_PHARMACY_KEY = uint256(keccak256("other pharmacy"));
    uint256 internal constant AGENCY_KEY = uint256(keccak256("agency"));
    uint256 internal constant STRANGER_KEY = uint256(keccak256("stranger"));

    bytes32 internal constant PRODUCT = keccak256("product");
    bytes32 internal constant RIVAL_PRODUCT = keccak256("rival's product");
    bytes32 internal constant LOT = keccak256("lot");
    bytes32 internal constant OPENINGS = keccak256("openings");
    uint40 internal constant EXPIRES = 1_893_456_000; // 2030-01-01

    AccessManager internal manager;
    PartyRegistry internal registry;
    RecallBoard internal board;
    PackLedger internal ledger;
    CustodyLedger internal custody;
    EventLog internal eventLog;

    uint192 internal lane = 1;
    bytes private expected;

    function setUp() public virtual {
        vm.warp(NOW);
        manager = new AccessManager(address(this));
        registry = new PartyRegistry(address(manager));
        board = new RecallBoard(registry);
        ledger = new PackLedger(address(manager), registry, board);
        custody = new CustodyLedger(address(manager), registry);
        eventLog = new EventLog(address(manager), registry);

        registerParty(MAKER, MAKER, MAH);
        registerParty(PLANT, MAKER, MANUFACTURER);
        registerParty(RIVAL, RIVAL, MAH | MANUFACTURER);
        registerParty(TRADER, TRADER, WHOLESALER);
        registerParty(PHARMACY, PHARMACY, DISPENSER);
        registerParty(OTHER_PHARMACY, OTHER_PHARMACY, DISPENSER);
        registerParty(AGENCY, AGENCY, REGULATOR);
        addKey(PLANT, LINE_KEY, LINE | OPERATE);
        addKey(PLANT, QP_KEY, QUALITY);
        addKey(MAKER, MAKER_KEY, OPERATE | QUALITY | MANAGE);
        addKey(RIVAL, RIVAL_KEY, OPERATE | LINE | QUALITY | MANAGE);
        addKey(TRADER, TRADER_KEY, OPERATE);
        addKey(PHARMACY, PHARMACY_KEY, OPERATE);
        addKey(OTHER_PHARMACY, OTHER_PHARMACY_KEY, OPERATE);
        addKey(AGENCY, AGENCY_KEY, OPERATE | QUALITY);
        registry.registerProduct(PRODUCT, MAKER);
        registry.registerProduct(RIVAL_PRODUCT, RIVAL);
        authoriseLine(MAKER_KEY, PRODUCT, PLANT, LATEST);
        authoriseQuality(MAKER_KEY, PRODUCT, vm.addr(QP_KEY), LATEST);
        authoriseLine(RIVAL_KEY, RIVAL_PRODUCT, RIVAL, LATEST);
        authoriseQuality(RIVAL_KEY, RIVAL_PRODUCT, vm.addr(RIVAL_KEY), LATEST);
    }

    // ---- the authority ----

    function registerParty(uint32 party, uint32 company, uint16 roles) internal {
        registry.registerParty(
            party, IPartyRegistry.Party(company, roles, 0, LATEST, 0), IPartyRegistry.Profile("", "", bytes32(0))
        );
    }

    function addKey(uint32 party, uint256 key, uint8 purposes) internal {
        registry.addKey(party, vm.addr(key), purposes, 0, LATEST);
    }

    // ---- signing ----

    function domainOf(address target) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("packtrace"),
                keccak256("1"),
                block.chainid,
                target
            )
        );
    }

    function digestOf(address target, bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked("\x19\x01", domainOf(target), structHash));
    }

    function signatureOf(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @param members the typed data's members before the last three, each encoded as in EIP-712's `encodeData`
    function structHashOf(string memory encodedType, bytes memory members, address signer, uint256 nonce)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encodePacked(keccak256(bytes(encodedType)), members, abi.encode(signer, nonce, DEADLINE)));
    }

    /// @notice The consent of `key`, with the next nonce of the lane.
    function consentOf(uint256 key, address target, string memory encodedType, bytes memory members)
        internal
        view
        virtual
        returns (Consent memory)
    {
        uint256 nonce = NoncesKeyed(target).nonces(vm.addr(key), lane);
        bytes32 digest = digestOf(target, structHashOf(encodedType, members, vm.addr(key), nonce));
        return Consent(vm.addr(key), nonce, DEADLINE, signatureOf(key, digest));
    }

    // ---- expected refusals ----

    /// @notice The next party call of this fixture must revert with exactly this.
    function refused(bytes memory reason) internal {
        expected = reason;
    }

    function refused(bytes4 selector, uint256 first) internal {
        refused(abi.encodeWithSelector(selector, first));
    }

    function refused(bytes4 selector, uint256 first, uint256 second) internal {
        refused(abi.encodeWithSelector(selector, first, second));
    }

    function arm() internal {
        if (expected.length == 0) return;
        bytes memory reason = expected;
        delete expected;
        vm.expectRevert(reason);
    }

    // ---- calls of parties: PartyRegistry ----

    function authoriseLine(uint256 key, bytes32 productKey, uint32 party, uint40 until) internal {
        Consent memory consent = consentOf(
            key,
            address(registry),
            "AuthoriseLine(bytes32 productKey,uint32 party,uint40 until,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(productKey, party, until)
        );
        arm();
        registry.authoriseLine(productKey, party, until, consent);
    }

    function authoriseQuality(uint256 key, bytes32 productKey, address quality, uint40 until) internal {
        Consent memory consent = consentOf(
            key,
            address(registry),
            "AuthoriseQuality(bytes32 productKey,address key,uint40 until,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(productKey, quality, until)
        );
        arm();
        registry.authoriseQuality(productKey, quality, until, consent);
    }

    function rotationConsent(uint256 key, uint256 oldKey, uint256 newKey) internal view returns (Consent memory) {
        return consentOf(
            key,
            address(registry),
            "RotateKey(address oldKey,address newKey,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(vm.addr(oldKey), vm.addr(newKey))
        );
    }

    function rotateKey(uint256 starter, uint256 oldKey, uint256 newKey) internal {
        Consent memory first = rotationConsent(starter, oldKey, newKey);
        Consent memory second = rotationConsent(newKey, oldKey, newKey);
        arm();
        registry.rotateKey(vm.addr(oldKey), vm.addr(newKey), first, second);
    }

    function replacement(uint256 oldKey, uint256 newKey, uint40 until) internal view returns (Consent memory) {
        return consentOf(
            newKey,
            address(registry),
            "ReplaceKey(address oldKey,address newKey,uint40 validUntil,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(vm.addr(oldKey), vm.addr(newKey), until)
        );
    }

    function replaceKey(uint256 oldKey, uint256 newKey, uint40 until) internal {
        Consent memory possession = replacement(oldKey, newKey, until);
        arm();
        registry.replaceKey(vm.addr(oldKey), vm.addr(newKey), until, possession);
    }

    // ---- calls of parties: PackLedger ----

    function batchNumber(uint32 party, uint64 own) internal pure returns (uint64) {
        return (uint64(party) << 22) | own;
    }

    function unitNumber(uint64 batch, uint64 index) internal pure returns (uint64) {
        return (batch << 20) | index;
    }

    function proposalOf(uint64 batch) internal pure returns (IPackLedger.Proposal memory) {
        return IPackLedger.Proposal(batch, PRODUCT, LOT, rootOf(batch), 10_000, EXPIRES);
    }

    function rootOf(uint64 batch) internal pure returns (bytes32) {
        return keccak256(abi.encode("root", batch));
    }

    function propose(uint256 key, IPackLedger.Proposal memory proposal) internal {
        Consent memory consent = consentOf(
            key,
            address(ledger),
            "Propose(uint64 batch,bytes32 productKey,bytes32 lotKey,bytes32 itemRoot,uint32 count,uint40 expiresAt,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(proposal)
        );
        arm();
        ledger.propose(proposal, consent);
    }

    function release(uint256 key, uint64 batch) internal {
        release(key, batch, rootOf(batch));
    }

    function release(uint256 key, uint64 batch, bytes32 itemRoot) internal {
        Consent memory consent = consentOf(
            key,
            address(ledger),
            "Release(uint64 batch,bytes32 itemRoot,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(batch, itemRoot)
        );
        arm();
        ledger.release(batch, itemRoot, consent);
    }

    function withdraw(uint256 key, uint64 batch) internal {
        Consent memory consent = consentOf(
            key, address(ledger), "Withdraw(uint64 batch,address signer,uint256 nonce,uint48 deadline)", abi.encode(batch)
        );
        arm();
        ledger.withdraw(batch, consent);
    }

    function released(uint64 own) internal returns (uint64 batch) {
        batch = batchNumber(PLANT, own);
        propose(LINE_KEY, proposalOf(batch));
        release(QP_KEY, batch);
    }

    function change(uint256 key, Status to, bytes memory units) internal returns (IPackLedger.Receipt memory receipt) {
        (receipt,) = changeLogged(key, to, units);
    }

    /// @return receipt as a reader of the chain puts it together; empty when the call was refused, as expected
    /// @return logs    all events of the call
    function changeLogged(uint256 key, Status to, bytes memory units)
        internal
        returns (IPackLedger.Receipt memory receipt, Vm.Log[] memory logs)
    {
        Consent memory consent = consentOf(
            key,
            address(ledger),
            "ChangeStatus(uint8 to,bytes units,bytes32 openings,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(to, keccak256(units), OPENINGS)
        );
        vm.recordLogs();
        arm();
        receipt.id = ledger.changeStatus(to, units, OPENINGS, consent);
        logs = vm.getRecordedLogs();
        if (logs.length == 0) return (receipt, logs);
        Vm.Log memory last = logs[logs.length - 1];
        receipt.party = uint32(uint256(last.topics[2]));
        receipt.to = Status(uint256(last.topics[3]));
        receipt.time = uint40(block.timestamp);
        (receipt.openings, receipt.units, receipt.outcomes) = abi.decode(last.data, (bytes32, bytes, bytes));
    }

    /// @return outcomes of the reversed units
    function reverse(uint256 key, IPackLedger.Receipt memory receipt, bytes memory positions)
        internal
        returns (bytes memory outcomes)
    {
        Consent memory consent = consentOf(
            key,
            address(ledger),
            "ReverseStatus(bytes32 id,bytes positions,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(receipt.id, keccak256(positions))
        );
        vm.recordLogs();
        arm();
        ledger.reverseStatus(receipt, positions, consent);
        return lastOutcomes();
    }

    string internal constant LIFT =
        "LiftStatus(bytes units,bool duplicates,address signer,uint256 nonce,uint48 deadline)";

    function liftConsent(uint256 key, bytes memory units, bool duplicates) internal view returns (Consent memory) {
        return consentOf(key, address(ledger), LIFT, abi.encode(keccak256(units), duplicates));
    }

    function lift(uint256 mah, uint256 regulator, bytes memory units) internal returns (bytes memory outcomes) {
        return lift(mah, regulator, units, false);
    }

    function lift(uint256 mah, uint256 regulator, bytes memory units, bool duplicates)
        internal
        returns (bytes memory outcomes)
    {
        Consent memory first = liftConsent(mah, units, duplicates);
        Consent memory second = liftConsent(regulator, units, duplicates);
        vm.recordLogs();
        arm();
        ledger.liftStatus(units, duplicates, first, second);
        return lastOutcomes();
    }

    string internal constant RESTORE =
        "RestoreStatus(bytes32 id,bytes positions,uint8 ground,address signer,uint256 nonce,uint48 deadline)";

    function restoreConsent(uint256 key, bytes32 id, bytes memory positions, IPackLedger.Ground ground)
        internal
        view
        returns (Consent memory)
    {
        return consentOf(key, address(ledger), RESTORE, abi.encode(id, keccak256(positions), ground));
    }

    /// @return outcomes the statuses that the units have again
    function restore(uint256 mah, uint256 regulator, IPackLedger.Receipt memory receipt, bytes memory positions)
        internal
        returns (bytes memory outcomes)
    {
        IPackLedger.Ground ground = IPackLedger.Ground.KEY_COMPROMISED;
        Consent memory first = restoreConsent(mah, receipt.id, positions, ground);
        Consent memory second = restoreConsent(regulator, receipt.id, positions, ground);
        vm.recordLogs();
        arm();
        ledger.restoreStatus(receipt, positions, ground, first, second);
        (, outcomes) = lastGroundAndOutcomes();
    }

    function lastGroundAndOutcomes() internal returns (IPackLedger.Ground ground, bytes memory outcomes) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        if (logs.length == 0) return (ground, outcomes);
        (ground,, outcomes) = abi.decode(logs[logs.length - 1].data, (IPackLedger.Ground, bytes, bytes));
    }

    function lastOutcomes() private returns (bytes memory outcomes) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        if (logs.length != 0) (, outcomes) = abi.decode(logs[logs.length - 1].data, (bytes, bytes));
    }

    // ---- calls of parties: CustodyLedger ----

    function custodyNumber(uint32 party, uint64 own) internal pure returns (uint64) {
        return (uint64(party) << 42) | own;
    }

    function hashOf(uint64[] memory numbers) internal pure returns (bytes32) {
        bytes memory words;
        for (uint256 i = 0; i < numbers.length; ++i) {
            words = abi.encodePacked(words, uint256(numbers[i]));
        }
        return keccak256(words);
    }

    function registrationOf(uint64 number, uint64[] memory children)
        internal
        pure
        returns (ICustodyLedger.Registration memory)
    {
        return ICustodyLedger.Registration(
            number, keccak256(abi.encode("sscc", number)), keccak256(abi.encode("content", number)), 10, children
        );
    }

    function register(uint256 key, ICustodyLedger.Registration[] memory registrations) internal {
        bytes memory hashes;
        for (uint256 i = 0; i < registrations.length; ++i) {
            ICustodyLedger.Registration memory data = registrations[i];
            bytes32 hash = keccak256(
                abi.encode(
                    keccak256(
                        "Registration(uint64 number,bytes32 ssccCommitment,bytes32 contentRoot,uint32 count,uint64[] children)"
                    ),
                    data.number,
                    data.ssccCommitment,
                    data.contentRoot,
                    data.count,
                    hashOf(data.children)
                )
            );
            hashes = abi.encodePacked(hashes, hash);
        }
        Consent memory consent = consentOf(
            key,
            address(custody),
            "Register(Registration[] registrations,address signer,uint256 nonce,uint48 deadline)Registration(uint64 number,bytes32 ssccCommitment,bytes32 contentRoot,uint32 count,uint64[] children)",
            abi.encode(keccak256(hashes))
        );
        arm();
        custody.register(registrations, consent);
    }

    function register(uint256 key, uint64 number, uint64[] memory children) internal {
        ICustodyLedger.Registration[] memory registrations = new ICustodyLedger.Registration[](1);
        registrations[0] = registrationOf(number, children);
        register(key, registrations);
    }

    function ship(uint256 key, uint64[] memory numbers, uint32 to) internal {
        Consent memory consent = consentOf(
            key,
            address(custody),
            "Ship(uint64[] numbers,uint32 to,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(hashOf(numbers), to)
        );
        arm();
        custody.ship(numbers, to, consent);
    }

    function listConsent(uint256 key, string memory name, uint64[] memory numbers)
        internal
        view
        returns (Consent memory)
    {
        return consentOf(
            key,
            address(custody),
            string.concat(name, "(uint64[] numbers,address signer,uint256 nonce,uint48 deadline)"),
            abi.encode(hashOf(numbers))
        );
    }

    function cancelShipment(uint256 key, uint64[] memory numbers) internal {
        Consent memory consent = listConsent(key, "CancelShipment", numbers);
        arm();
        custody.cancelShipment(numbers, consent);
    }

    function receiveShipment(uint256 key, uint64[] memory numbers) internal {
        Consent memory consent = listConsent(key, "ReceiveShipment", numbers);
        arm();
        custody.receiveShipment(numbers, consent);
    }

    function receivePartly(uint256 key, uint64 number, uint64[] memory missing) internal {
        Consent memory consent = consentOf(
            key,
            address(custody),
            "ReceivePartly(uint64 number,uint64[] missing,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(number, hashOf(missing))
        );
        arm();
        custody.receivePartly(number, missing, consent);
    }

    function refuseShipment(uint256 key, uint64[] memory numbers) internal {
        Consent memory consent = listConsent(key, "RefuseShipment", numbers);
        arm();
        custody.refuseShipment(numbers, consent);
    }

    function unpack(uint256 key, uint64[] memory numbers) internal {
        Consent memory consent = listConsent(key, "Unpack", numbers);
        arm();
        custody.unpack(numbers, consent);
    }

    function takeOut(uint256 key, uint64[] memory numbers) internal {
        Consent memory consent = listConsent(key, "TakeOut", numbers);
        arm();
        custody.takeOut(numbers, consent);
    }

    // ---- calls of parties: RecallBoard, EventLog ----

    function recallLot(uint256 key, uint32 mah, bytes32 lotKey, IRecallBoard.Kind kind) internal {
        Consent memory consent = consentOf(
            key,
            address(board),
            "RecallLot(uint32 mah,bytes32 lotKey,uint8 kind,bytes32 reason,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(mah, lotKey, kind, bytes32("notice"))
        );
        arm();
        board.recallLot(mah, lotKey, kind, "notice", consent);
    }

    function recallBatch(uint256 key, uint32 mah, uint64 batch, IRecallBoard.Kind kind) internal {
        Consent memory consent = consentOf(
            key,
            address(board),
            "RecallBatch(uint32 mah,uint64 batch,uint8 kind,bytes32 reason,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(mah, batch, kind, bytes32("notice"))
        );
        arm();
        board.recallBatch(mah, batch, kind, "notice", consent);
    }

    function liftRecall(uint256 key, uint32 mah, bytes32 subject) internal {
        Consent memory consent = consentOf(
            key,
            address(board),
            "LiftRecall(uint32 mah,bytes32 subject,bytes32 reason,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(mah, subject, bytes32("all clear"))
        );
        arm();
        board.liftRecall(mah, subject, "all clear", consent);
    }

    function append(uint256 key, uint64 logLane, uint64 sequence, bytes32 root, uint32 count) internal {
        Consent memory consent = consentOf(
            key,
            address(eventLog),
            "Append(uint64 lane,uint64 sequence,bytes32 root,uint32 count,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(logLane, sequence, root, count)
        );
        arm();
        eventLog.append(logLane, sequence, root, count, consent);
    }

    // ---- lists ----

    function listed(uint64 a) internal pure returns (uint64[] memory list) {
        list = new uint64[](1);
        list[0] = a;
    }

    function listed(uint64 a, uint64 b) internal pure returns (uint64[] memory list) {
        list = new uint64[](2);
        (list[0], list[1]) = (a, b);
    }

    function packed(uint64 a) internal pure returns (bytes memory) {
        return abi.encodePacked(a);
    }

    function packed(uint64 a, uint64 b) internal pure returns (bytes memory) {
        return abi.encodePacked(a, b);
    }

    function packed(uint64 a, uint64 b, uint64 c) internal pure returns (bytes memory) {
        return abi.encodePacked(a, b, c);
    }

    // ---- checks ----

    function assertEq(uint256 given, uint256 wanted, string memory what) internal pure {
        require(given == wanted, string.concat(what, ": ", decimal(given), ", not ", decimal(wanted)));
    }

    function assertEq(bytes32 given, bytes32 wanted, string memory what) internal pure {
        require(given == wanted, what);
    }

    function assertEq(bytes memory given, bytes memory wanted, string memory what) internal pure {
        require(keccak256(given) == keccak256(wanted), string.concat(what, ": ", hexadecimal(given)));
    }

    function assertTrue(bool condition, string memory what) internal pure {
        require(condition, what);
    }

    function assertStatus(uint64 unit, Status wanted) internal view {
        assertEq(uint256(ledger.statusOf(unit)), uint256(wanted), "status");
    }

    function refusal(Refusal why) internal pure returns (bytes1) {
        return bytes1(0x80 | uint8(why));
    }

    function decimal(uint256 value) internal pure returns (string memory) {
        if (value < 10) return string(abi.encodePacked(uint8(48 + value)));
        return string.concat(decimal(value / 10), decimal(value % 10));
    }

    function hexadecimal(bytes memory value) internal pure returns (string memory) {
        bytes memory text = new bytes(2 * value.length);
        for (uint256 i = 0; i < text.length; ++i) {
            uint8 nibble = (uint8(value[i / 2]) >> (i % 2 == 0 ? 4 : 0)) & 0xf;
            text[i] = bytes1(nibble < 10 ? 48 + nibble : 87 + nibble);
        }
        return string(text);
    }
}
