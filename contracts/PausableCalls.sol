// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IPausableCalls} from "./interfaces/IPausableCalls.sol";

/// @notice See `IPausableCalls`.
abstract contract PausableCalls is IPausableCalls, AccessManaged, Pausable {
    address public successor;

    function pause() external restricted {
        _pause();
    }

    function unpause() external restricted {
        if (successor != address(0)) revert HasSuccessor(successor);
        _unpause();
    }

    function succeed(address next) external restricted {
        if (successor != address(0)) revert HasSuccessor(successor);
        if (next.code.length == 0 || next == address(this)) revert NoContract(next);
        successor = next;
        emit Succeeded(next);
        if (!paused()) _pause();
    }
}
