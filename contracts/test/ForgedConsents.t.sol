// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPackLedger} from "../interfaces/IPackLedger.sol";
import {IRecallBoard} from "../interfaces/IRecallBoard.sol";
import {ISignedCalls} from "../interfaces/ISignedCalls.sol";
import {Consent, Status} from "../interfaces/Types.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice Every signed call of every contract with a consent that somebody else has signed: refused for that, before
/// anything else is looked at.
contract ForgedConsentsTest is Fixture {
    uint256 private victim;

    /// @dev The victim's consents are signed by a stranger.
    function consentOf(uint256 key, address target, string memory encodedType, bytes memory members)
        internal
        view
        override
        returns (Consent memory consent)
    {
        consent = super.consentOf(key, target, encodedType, members);
        if (key != victim) return consent;
        bytes32 structHash = structHashOf(encodedType, members, consent.signer, consent.nonce);
        consent.signature = signatureOf(STRANGER_KEY, digestOf(target, structHash));
    }

    function forged(uint256 key) private returns (uint256) {
        victim = key;
        refused(abi.encodeWithSelector(ISignedCalls.InvalidConsent.selector, vm.addr(key)));
        return key;
    }

    function test_batches() external {
        uint64 batch = batchNumber(PLANT, 1);
        propose(forged(LINE_KEY), proposalOf(batch));
        release(forged(QP_KEY), batch);
        withdraw(forged(MAKER_KEY), batch);
    }

    function test_statuses() external {
        IPackLedger.Receipt memory receipt;
        receipt.to = Status.SUPPLIED;
        bytes memory units = packed(unitNumber(batchNumber(PLANT, 1), 0));
        change(forged(PHARMACY_KEY), Status.SUPPLIED, units);
        reverse(forged(PHARMACY_KEY), receipt, hex"00");
        lift(forged(MAKER_KEY), AGENCY_KEY, units);
        lift(MAKER_KEY, forged(AGENCY_KEY), units);
        restore(forged(MAKER_KEY), AGENCY_KEY, receipt, hex"00");
        restore(MAKER_KEY, forged(AGENCY_KEY), receipt, hex"00");
    }

    function test_custody() external {
        uint64[] memory numbers = listed(custodyNumber(TRADER, 1));
        register(forged(TRADER_KEY), numbers[0], new uint64[](0));
        ship(forged(TRADER_KEY), numbers, PHARMACY);
        cancelShipment(forged(TRADER_KEY), numbers);
        receiveShipment(forged(TRADER_KEY), numbers);
        receivePartly(forged(TRADER_KEY), numbers[0], numbers);
        refuseShipment(forged(TRADER_KEY), numbers);
        unpack(forged(TRADER_KEY), numbers);
        takeOut(forged(TRADER_KEY), numbers);
    }

    function test_recalls() external {
        recallLot(forged(MAKER_KEY), MAKER, LOT, IRecallBoard.Kind.RECALLED);
        recallBatch(forged(MAKER_KEY), MAKER, batchNumber(PLANT, 1), IRecallBoard.Kind.RECALLED);
        liftRecall(forged(AGENCY_KEY), MAKER, LOT);
    }

    function test_log() external {
        append(forged(TRADER_KEY), 1, 0, "root", 1);
    }

    function test_authorisations_and_keys() external {
        authoriseLine(forged(MAKER_KEY), PRODUCT, PLANT, LATEST);
        authoriseQuality(forged(MAKER_KEY), PRODUCT, vm.addr(QP_KEY), LATEST);
        rotateKey(forged(TRADER_KEY), TRADER_KEY, STRANGER_KEY + 1);
        rotateKey(TRADER_KEY, TRADER_KEY, forged(STRANGER_KEY + 1));
        replaceKey(TRADER_KEY, forged(STRANGER_KEY + 1), LATEST);
    }
}
