// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {PackLedger} from "../PackLedger.sol";
import {ISignedCalls} from "../interfaces/ISignedCalls.sol";
import {Consent} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice An ERC-1271 account with one owner.
contract Wallet {
    address private immutable OWNER;

    constructor(address owner) {
        OWNER = owner;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        (address signer,,) = ECDSA.tryRecoverCalldata(digest, signature);
        return signer == OWNER ? this.isValidSignature.selector : bytes4(0);
    }
}

/// @notice Consents, tried on the calls that are at hand: `Release` and `Append`.
contract SignedCallsTest is Fixture {
    string private constant RELEASE =
        "Release(uint64 batch,bytes32 itemRoot,address signer,uint256 nonce,uint48 deadline)";
    string private constant APPEND =
        "Append(uint64 lane,uint64 sequence,bytes32 root,uint32 count,address signer,uint256 nonce,uint48 deadline)";

    uint64 private batch;
    bytes32 private root;
    address private qp;

    function setUp() public override {
        super.setUp();
        batch = batchNumber(PLANT, 1);
        propose(LINE_KEY, proposalOf(batch));
        root = rootOf(batch);
        qp = vm.addr(QP_KEY);
    }

    function releaseConsent(uint256 key) private view returns (Consent memory) {
        return consentOf(key, address(ledger), RELEASE, abi.encode(batch, root));
    }

    function expectInvalid(address signer) private {
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, signer));
    }

    function test_anybody_can_relay_a_signed_call() external {
        Consent memory consent = releaseConsent(QP_KEY);
        vm.prank(address(0xbeef));
        ledger.release(batch, root, consent);
    }

    function test_signer_needs_no_signature_for_a_call_of_its_own() external {
        Consent memory consent = releaseConsent(QP_KEY);
        consent.signature = "";
        vm.prank(qp);
        ledger.release(batch, root, consent);
        assertEq(ledger.nonces(qp, lane), consent.nonce + 1, "a direct call uses the nonce up too");
    }

    function test_signer_can_also_sign_a_call_of_its_own() external {
        Consent memory consent = releaseConsent(QP_KEY);
        vm.prank(qp);
        ledger.release(batch, root, consent);
    }

    function test_direct_call_needs_the_nonce_and_the_deadline() external {
        Consent memory consent = releaseConsent(QP_KEY);
        consent.signature = "";
        consent.nonce += 1;
        vm.expectRevert(abi.encodeWithSelector(Nonces.InvalidAccountNonce.selector, qp, consent.nonce - 1));
        vm.prank(qp);
        ledger.release(batch, root, consent);
        consent.nonce -= 1;
        consent.deadline = NOW - 1;
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.ConsentExpired.selector, NOW - 1));
        vm.prank(qp);
        ledger.release(batch, root, consent);
    }

    function test_direct_call_with_a_wrong_signature_is_refused() external {
        Consent memory consent = releaseConsent(QP_KEY);
        consent.signature = releaseConsent(LINE_KEY).signature;
        expectInvalid(qp);
        vm.prank(qp);
        ledger.release(batch, root, consent);
    }

    function test_no_signature_from_anybody_else_is_refused() external {
        Consent memory consent = releaseConsent(QP_KEY);
        consent.signature = "";
        expectInvalid(qp);
        ledger.release(batch, root, consent);
    }

    function test_nobody_is_not_a_signer() external {
        // ecrecover gives the zero address for nonsense
        Consent memory consent = Consent(address(0), uint256(lane) << 64, DEADLINE, new bytes(65));
        expectInvalid(address(0));
        ledger.release(batch, root, consent);
    }

    function test_replay_is_refused() external {
        Consent memory consent = consentOf(
            MAKER_KEY, address(eventLog), APPEND, abi.encode(uint64(0), uint64(0), bytes32("root"), uint32(1))
        );
        eventLog.append(0, 0, "root", 1, consent);
        vm.expectRevert(
            abi.encodeWithSelector(Nonces.InvalidAccountNonce.selector, consent.signer, consent.nonce + 1)
        );
        eventLog.append(0, 0, "root", 1, consent);
    }

    function test_replay_with_another_nonce_is_refused() external {
        Consent memory consent = consentOf(
            MAKER_KEY, address(eventLog), APPEND, abi.encode(uint64(0), uint64(0), bytes32("root"), uint32(1))
        );
        eventLog.append(0, 0, "root", 1, consent);
        consent.nonce += 1;
        expectInvalid(consent.signer);
        eventLog.append(0, 1, "root", 1, consent);
    }

    function test_replay_in_another_lane_is_refused() external {
        Consent memory consent = releaseConsent(QP_KEY);
        consent.nonce = uint256(lane + 1) << 64;
        expectInvalid(qp);
        ledger.release(batch, root, consent);
    }

    function test_lanes_do_not_wait_for_each_other() external {
        bytes memory first = abi.encode(uint64(0), uint64(0), bytes32("root"), uint32(1));
        bytes memory second = abi.encode(uint64(1), uint64(0), bytes32("root"), uint32(1));
        Consent memory waiting = consentOf(MAKER_KEY, address(eventLog), APPEND, first);
        lane = 0;
        Consent memory quick = consentOf(MAKER_KEY, address(eventLog), APPEND, second);
        eventLog.append(1, 0, "root", 1, quick);
        eventLog.append(0, 0, "root", 1, waiting);
    }

    function test_nonces_of_a_lane_come_in_order() external {
        Consent memory consent = releaseConsent(QP_KEY);
        uint256 wanted = consent.nonce;
        consent.nonce += 1;
        bytes32 digest = digestOf(address(ledger), structHashOf(RELEASE, abi.encode(batch), qp, consent.nonce));
        consent.signature = signatureOf(QP_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(Nonces.InvalidAccountNonce.selector, qp, wanted));
        ledger.release(batch, root, consent);
    }

    function test_consent_holds_to_its_deadline_and_no_longer() external {
        Consent memory consent = releaseConsent(QP_KEY);
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(ISignedCalls.ConsentExpired.selector, DEADLINE));
        ledger.release(batch, root, consent);
        vm.warp(DEADLINE);
        ledger.release(batch, root, consent);
    }

    function test_deadline_is_signed() external {
        Consent memory consent = releaseConsent(QP_KEY);
        vm.warp(DEADLINE + 1);
        consent.deadline = DEADLINE + 100;
        expectInvalid(qp);
        ledger.release(batch, root, consent);
    }

    function test_replay_on_another_chain_is_refused() external {
        Consent memory consent = releaseConsent(QP_KEY);
        uint256 here = block.chainid;
        vm.chainId(here + 1);
        expectInvalid(qp);
        ledger.release(batch, root, consent);
        vm.chainId(here);
        ledger.release(batch, root, consent);
    }

    function test_after_a_chain_split_the_new_chain_id_is_signed() external {
        vm.chainId(block.chainid + 1);
        release(QP_KEY, batch);
    }

    function test_replay_on_another_contract_is_refused() external {
        PackLedger other = new PackLedger(address(manager), registry, board);
        Consent memory consent = releaseConsent(QP_KEY);
        expectInvalid(qp);
        other.release(batch, root, consent);
        ledger.release(batch, root, consent);
    }

    function test_replay_as_another_function_is_refused() external {
        Consent memory consent = consentOf(
            LINE_KEY, address(ledger), "Withdraw(uint64 batch,address signer,uint256 nonce,uint48 deadline)", abi.encode(batch)
        );
        expectInvalid(consent.signer);
        ledger.release(batch, root, consent);
        ledger.withdraw(batch, consent);
    }

    function test_other_arguments_are_refused() external {
        Consent memory consent = releaseConsent(QP_KEY);
        expectInvalid(qp);
        ledger.release(batch + 1, root, consent);
        expectInvalid(qp);
        ledger.release(batch, bytes32(uint256(root) + 1), consent);
    }

    function test_mirrored_signature_is_refused() external {
        Consent memory consent = releaseConsent(QP_KEY);
        (bytes32 r, bytes32 s, uint8 v) = split(consent.signature);
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        consent.signature = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        expectInvalid(qp);
        ledger.release(batch, root, consent);
    }

    function test_compact_signature_is_refused() external {
        Consent memory consent = releaseConsent(QP_KEY);
        (bytes32 r, bytes32 s, uint8 v) = split(consent.signature);
        consent.signature = abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255)));
        expectInvalid(qp);
        ledger.release(batch, root, consent);
    }

    function testFuzz_any_bit_flipped_in_a_signature_is_refused(uint256 bit) external {
        Consent memory consent = releaseConsent(QP_KEY);
        bit %= 65 * 8;
        consent.signature[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        expectInvalid(qp);
        ledger.release(batch, root, consent);
    }

    function appendBy(Wallet wallet, uint256 key) private view returns (Consent memory) {
        uint256 nonce = eventLog.nonces(address(wallet), lane);
        bytes memory members = abi.encode(uint64(0), uint64(0), bytes32("root"), uint32(1));
        bytes32 digest = digestOf(address(eventLog), structHashOf(APPEND, members, address(wallet), nonce));
        return Consent(address(wallet), nonce, DEADLINE, signatureOf(key, digest));
    }

    function test_contract_account_signs_by_erc1271() external {
        Wallet wallet = new Wallet(vm.addr(STRANGER_KEY));
        registry.addKey(MAKER, address(wallet), OPERATE, 0, LATEST);
        Consent memory consent = appendBy(wallet, MAKER_KEY);
        expectInvalid(address(wallet));
        eventLog.append(0, 0, "root", 1, consent);
        consent = appendBy(wallet, STRANGER_KEY);
        eventLog.append(0, 0, "root", 1, consent);
        assertEq(uint256(uint160(eventLog.entryOf(MAKER, 0, 0).key)), uint256(uint160(address(wallet))), "key");
    }

    function test_owner_of_two_accounts_signs_for_the_named_one_only() external {
        Wallet first = new Wallet(vm.addr(STRANGER_KEY));
        Wallet second = new Wallet(vm.addr(STRANGER_KEY));
        registry.addKey(MAKER, address(first), OPERATE, 0, LATEST);
        registry.addKey(TRADER, address(second), OPERATE, 0, LATEST);
        Consent memory consent = appendBy(first, STRANGER_KEY);
        consent.signer = address(second);
        expectInvalid(address(second));
        eventLog.append(0, 0, "root", 1, consent);
    }

    function test_contract_account_can_call_itself() external {
        Wallet wallet = new Wallet(vm.addr(STRANGER_KEY));
        registry.addKey(MAKER, address(wallet), OPERATE, 0, LATEST);
        Consent memory consent = Consent(address(wallet), uint256(lane) << 64, DEADLINE, "");
        expectInvalid(address(wallet));
        eventLog.append(0, 0, "root", 1, consent);
        vm.prank(address(wallet));
        eventLog.append(0, 0, "root", 1, consent);
    }

    function test_contract_that_is_no_account_cannot_sign() external {
        registry.addKey(MAKER, address(board), OPERATE, 0, LATEST);
        Consent memory consent = Consent(address(board), uint256(lane) << 64, DEADLINE, new bytes(65));
        expectInvalid(address(board));
        eventLog.append(0, 0, "root", 1, consent);
    }

    function test_unused_upper_bits_of_an_argument_are_refused() external {
        // the same consent with dirty bits above a uint64 must not pass as another encoding of the call
        Consent memory consent = releaseConsent(QP_KEY);
        bytes memory data = abi.encodeCall(ledger.release, (batch, root, consent));
        data[4] = 0x01;
        (bool ok,) = address(ledger).call(data);
        assertTrue(!ok, "dirty argument accepted");
        uint64[] memory numbers = listed(custodyNumber(PLANT, 1));
        register(LINE_KEY, numbers[0], new uint64[](0));
        Consent memory shipping = consentOf(
            LINE_KEY,
            address(custody),
            "Ship(uint64[] numbers,uint32 to,address signer,uint256 nonce,uint48 deadline)",
            abi.encode(hashOf(numbers), TRADER)
        );
        data = abi.encodeCall(custody.ship, (numbers, TRADER, shipping));
        data[data.length - consentSize(shipping) - 32] = 0x01;
        (ok,) = address(custody).call(data);
        assertTrue(!ok, "dirty array element accepted");
    }

    function test_domain_is_readable() external view {
        (, string memory name, string memory version, uint256 chain, address target,,) = ledger.eip712Domain();
        assertEq(bytes(name), "packtrace", "name");
        assertEq(bytes(version), "1", "version");
        assertEq(chain, block.chainid, "chain");
        assertEq(uint160(target), uint160(address(ledger)), "contract");
    }

    /// @return bytes that a consent, the last argument, takes at the end of the calldata
    function consentSize(Consent memory consent) private pure returns (uint256) {
        return abi.encode(consent).length - 32;
    }

    function split(bytes memory signature) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
    }
}
