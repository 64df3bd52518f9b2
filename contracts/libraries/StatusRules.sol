// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Status} from "../interfaces/Types.sol";
import {Roles} from "./Roles.sol";

/// @notice Who may set which status, and from which: the authority matrix, one line for each status.
library StatusRules {
    /// @param from          bit n set: from status n
    /// @param roles         a party with one of these roles may
    /// @param mah           premises of the batch's marketing authorisation holder may, whatever their role
    /// @param anyone        any licensed party may
    /// @param beforeRelease also while the batch is only proposed
    /// @param marketable    only while the lot is neither expired nor recalled
    struct Rule {
        uint256 from;
        uint16 roles;
        bool mah;
        bool anyone;
        bool beforeRelease;
        bool marketable;
    }

    uint256 private constant ACTIVE = 1 << uint256(Status.ACTIVE);
    uint256 private constant LOCKED = 1 << uint256(Status.LOCKED);
    uint256 private constant SUSPECT = 1 << uint256(Status.SUSPECT);
    uint256 private constant ANY = (1 << (uint256(type(Status).max) + 1)) - 1;
    uint256 private constant DESTROYED_OR_STOLEN = (1 << uint256(Status.DESTROYED)) | (1 << uint256(Status.STOLEN));

    /// @param to any but ACTIVE, which is reached by reversal and lift only
    function ruleOf(Status to) internal pure returns (Rule memory) {
        //                                    from                       roles                                          mah    anyone before market
        if (to == Status.SUPPLIED)    return Rule(ACTIVE,                    Roles.DISPENSER | Roles.SUPPLYING_WHOLESALER,  false, false, false, true);
        if (to == Status.EXPORTED)    return Rule(ACTIVE,                    Roles.WHOLESALER,                              true,  false, false, true);
        if (to == Status.SAMPLED)     return Rule(ACTIVE,                    Roles.REGULATOR,                               true,  false, true,  false);
        if (to == Status.FREE_SAMPLE) return Rule(ACTIVE,                    Roles.REGULATOR,                               true,  false, false, true);
        if (to == Status.DESTROYED)   return Rule(ACTIVE | LOCKED | SUSPECT, Roles.WHOLESALER,                              true,  false, true,  false);
        if (to == Status.STOLEN)      return Rule(ANY ^ DESTROYED_OR_STOLEN, Roles.REGULATOR,                               true,  false, false, false);
        if (to == Status.LOCKED)      return Rule(ACTIVE | SUSPECT,          Roles.REGULATOR,                               true,  false, true,  false);
        /* SUSPECT */                 return Rule(ACTIVE,                    0,                                             false, true,  false, false);
    }

    /// @notice Back to ACTIVE by the premises that set the status `from` (Delegated Regulation 2016/161, Art. 13).
    function reversalOf(Status from) internal pure returns (Rule memory) {
        return Rule(1 << uint256(from), 0, false, true, true, true);
    }

    function reversible(Status set) internal pure returns (bool) {
        return set == Status.SUPPLIED || set == Status.EXPORTED || set == Status.SAMPLED || set == Status.FREE_SAMPLE;
    }

    /// @notice Back to ACTIVE by the marketing authorisation holder, with a regulator's consent.
    function lift() internal pure returns (Rule memory) {
        return Rule(LOCKED | SUSPECT, 0, true, false, true, false);
    }

    /// @notice Back to what it was before the call that set `set`, by the same two.
    function restorationOf(Status set) internal pure returns (Rule memory) {
        return Rule(1 << uint256(set), 0, true, false, true, false);
    }

    function allows(Rule memory rule, Status found) internal pure returns (bool) {
        return rule.from & (1 << uint256(found)) != 0;
    }

    /// @param roles the caller's
    /// @param isMah the caller's company is the batch's marketing authorisation holder
    function permits(Rule memory rule, uint16 roles, bool isMah) internal pure returns (bool) {
        return rule.anyone || (rule.mah && isMah) || rule.roles & roles != 0;
    }
}
