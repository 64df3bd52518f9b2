// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @notice Party calls that the licensing authority can stop in an emergency. Reading never stops.
abstract contract PausableCalls is AccessManaged, Pausable {
    function pause() external restricted {
        _pause();
    }

    function unpause() external restricted {
        _unpause();
    }
}
