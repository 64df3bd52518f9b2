// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What every contract that takes a `Consent` has in common.
/// @notice EIP-712 domain: name "packtrace", version "1", the chain's id, the contract's own address. Nonces are keyed
/// (`nonces(address owner, uint192 lane)`), so that lanes do not wait for each other; lane 0 is an ordinary lane.
/// @dev Relayed equals direct: an empty signature is accepted from the signer itself, and all else is the same, the
/// nonce and the deadline too.
interface ISignedCalls {
    /// @notice The deadline has passed.
    error ConsentExpired(uint48 deadline);
    /// @notice The signature is not this signer's for this call, nonce and deadline on this contract and chain.
    error InvalidConsent(address signer);
}
