// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {NoncesKeyed} from "@openzeppelin/contracts/utils/NoncesKeyed.sol";
import {ISignedCalls} from "./interfaces/ISignedCalls.sol";
import {Consent} from "./interfaces/Types.sol";

/// @notice Checks consents: deadline, keyed nonce, signature of an ordinary key or an ERC-1271 account.
abstract contract SignedCalls is ISignedCalls, EIP712, NoncesKeyed {
    constructor() EIP712("packtrace", "1") {}

    /// @dev Uses the nonce up, or reverts.
    /// @param members type hash and members of the call's typed data, without the last three, which are the consent's
    /// @return digest that `consent.signer` consented to; no two calls of this contract have the same
    function _accept(bytes memory members, Consent calldata consent) internal returns (bytes32 digest) {
        if (block.timestamp > consent.deadline) revert ConsentExpired(consent.deadline);
        _useCheckedNonce(consent.signer, consent.nonce);
        digest = _hashTypedDataV4(
            keccak256(abi.encodePacked(members, abi.encode(consent.signer, consent.nonce, consent.deadline)))
        );
        if (consent.signature.length == 0 && msg.sender == consent.signer) return digest;
        if (!SignatureChecker.isValidSignatureNowCalldata(consent.signer, digest, consent.signature)) {
            revert InvalidConsent(consent.signer);
        }
    }
}
