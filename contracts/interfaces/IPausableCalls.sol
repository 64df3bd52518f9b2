// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A contract whose party calls the licensing authority can stop, for a time or for good.
/// @notice Reading never stops, and neither does the recall board, which has no pause. There is no proxy: code that holds
/// statuses cannot be changed. What replaces it is a new contract at a new address, and the old one then ends in one act,
/// so that there is no time in which both count.
interface IPausableCalls {
    /// @notice The contract takes no party call any more, for ever.
    event Succeeded(address indexed successor);

    /// @notice There is no contract at that address (yet).
    error NoContract(address successor);
    error HasSuccessor(address successor);

    // ---- written by the licensing authority (AccessManager) ----

    function pause() external;
    /// @notice Reverts once there is a successor.
    function unpause() external;
    /// @notice Name the contract that takes over, once, and stop for good. A note for people and for the successor, which can
    /// read here what was: a verifier follows its own deployment file, never this.
    function succeed(address next) external;

    // ---- read by anybody ----

    /// @return the contract that took over, 0 while this one is in force
    function successor() external view returns (address);
}
