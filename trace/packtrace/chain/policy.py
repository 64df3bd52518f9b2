"""Who of the licensing authority may do what, and how long before it takes effect: the AccessManager's roles.

Stopping is immediate, and so is ending a stop, which gives nobody what he did not have. What gives authority waits, so
that a stolen registrar's key can be seen at work, and its work cancelled, before it counts. What changes these rules
themselves, or ends a contract, waits longest.
"""

from dataclasses import dataclass
from enum import IntEnum

PAUSABLE = ("PackLedger", "CustodyLedger", "EventLog")
DAY = 86_400  # seconds


class AdminRole(IntEnum):
    """Roles in the AccessManager; ADMIN is its own, and has every function that is given to no other role."""

    ADMIN = 0
    REGISTRAR = 1
    GUARD = 2


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds between announcing and carrying out: a registrar's call, and an administrator's."""

    grants: int = 0
    governance: int = 0


AT_ONCE = Delays()
"""For a network on a laptop, where the authority is one's own."""
USUAL = Delays(grants=DAY, governance=14 * DAY)
"""For a network that companies run together."""

FUNCTIONS: dict[AdminRole, dict[str, tuple[str, ...]]] = {
    AdminRole.REGISTRAR: {
        "PartyRegistry": (
            "registerParty", "setProfile", "setLicence", "addKey", "replaceKey", "setDailyCap", "registerProduct",
            "listGtin",
        )
    },
    AdminRole.GUARD: {
        "PartyRegistry": ("suspend", "reinstate", "suspendKey", "reinstateKey", "revokeKey"),
        **dict.fromkeys(PAUSABLE, ("pause", "unpause")),
    },
}  # fmt: skip
"""The functions of each role but ADMIN, which keeps `succeed` and the AccessManager itself."""
