// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Status} from "../../interfaces/Types.sol";
import {StatusRules} from "../../libraries/StatusRules.sol";
import {vm} from "../Vm.sol";

/// @notice The authority matrix, for every status, every set of roles and either kind of company (halmos), against the
/// table in `IPackLedger`, written out here as sentences.
contract RulesCheck {
    using StatusRules for StatusRules.Rule;

    function has(uint16 roles, uint16 role) private pure returns (bool) {
        return (roles / role) % 2 == 1;
    }

    function way(Status from, Status to) private pure returns (bool) {
        if (from == Status.ACTIVE) return true;
        if (to == Status.DESTROYED) return from == Status.LOCKED || from == Status.SUSPECT;
        if (to == Status.STOLEN) return from != Status.DESTROYED && from != Status.STOLEN;
        if (to == Status.LOCKED) return from == Status.SUSPECT;
        return false;
    }

    function who(Status to, uint16 roles, bool mah) private pure returns (bool) {
        (bool regulator, bool wholesaler) = (has(roles, 1), has(roles, 8));
        if (to == Status.SUPPLIED) return has(roles, 16) || has(roles, 32); // dispenser; wholesaler under Art. 23
        if (to == Status.EXPORTED || to == Status.DESTROYED) return wholesaler || mah;
        if (to == Status.SUSPECT) return true;
        return regulator || mah;
    }

    function check_rules_are_the_table(Status to, Status from, uint16 roles, bool mah) external pure {
        vm.assume(to != Status.ACTIVE);
        StatusRules.Rule memory rule = StatusRules.ruleOf(to);
        assert(rule.allows(from) == way(from, to));
        assert(rule.permits(roles, mah) == who(to, roles, mah));
        bool market = to == Status.SUPPLIED || to == Status.EXPORTED || to == Status.FREE_SAMPLE;
        assert(rule.marketable == market);
        assert(rule.beforeRelease == (to == Status.SAMPLED || to == Status.DESTROYED || to == Status.LOCKED));
    }

    function check_reversal_is_from_what_the_call_set_and_of_four_only(Status set, Status found, uint16 roles, bool mah)
        external
        pure
    {
        bool four = set == Status.SUPPLIED || set == Status.EXPORTED || set == Status.SAMPLED
            || set == Status.FREE_SAMPLE;
        assert(StatusRules.reversible(set) == four);
        StatusRules.Rule memory rule = StatusRules.reversalOf(set);
        assert(rule.allows(found) == (found == set));
        assert(rule.permits(roles, mah) && rule.marketable); // whose receipt it is, the ledger asks
    }

    function check_lift_and_restoration_are_the_holders(Status set, Status found, uint16 roles, bool mah)
        external
        pure
    {
        StatusRules.Rule memory rule = StatusRules.lift();
        assert(rule.allows(found) == (found == Status.LOCKED || found == Status.SUSPECT));
        assert(rule.permits(roles, mah) == mah && !rule.marketable);
        rule = StatusRules.restorationOf(set);
        assert(rule.allows(found) == (found == set));
        assert(rule.permits(roles, mah) == mah && !rule.marketable);
    }
}
