"""Who is who among the partners, from the party registry on chain, remembered for a few seconds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Node
from packtrace.product import gtin_hash
from packtrace_gateway.exchange.errors import PartnerError

OPERATE = 1  # IPartyRegistry.PURPOSE_OPERATE
# A revoked key is believed at most this long after the block that revokes it.
REMEMBER_SECONDS = 3.0
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Peer:
    """Who signed: a party that is licensed now, by an OPERATE key that is valid now."""

    party: int
    company: int
    roles: int
    key: str


class Directory:
    """Questions to the party registry. Every method raises ChainError when the node gives no answer."""

    def __init__(self, node: Node, deployment: Deployment) -> None:
        self._node = node
        self._deployment = deployment
        self._remembered: dict[tuple[str, Any], tuple[float, Any]] = {}
        self._lock = threading.Lock()
        self.network = deployment.network

    def peer(self, key: str) -> Peer:
        """The party that `key` (an address) speaks for now. Raises ChainRefusal with the registry's reason."""
        peer: Peer = self._ask("authority", key, lambda found: Peer(found[0], found[1], found[2], key), OPERATE)
        return peer

    def endpoint(self, party: int) -> str:
        """Base URL of a party's gateway. Raises PartnerError when it has none."""
        url: str = self._ask("profileOf", party, lambda profile: str(profile["endpoint"]).rstrip("/"))
        if not url.startswith(("http://", "https://")):
            raise PartnerError(
                "the party registry names no gateway of this party; ask the licensing authority to enter its endpoint",
                field="party",
                value=party,
            )
        return url

    def holder(self, gtin: str) -> int | None:
        """Company number of a GTIN's marketing authorisation holder; None when nobody listed the GTIN."""
        company: int = self._ask("mahOfGtin", gtin_hash(gtin), int)
        return company or None

    def _ask(self, function: str, about: Any, meaning: Callable[[Any], Any], *more: Any) -> Any:
        now = time.monotonic()
        known = self._remembered.get((function, about))
        if known and now - known[0] < REMEMBER_SECONDS:
            return known[1]
        answer = meaning(self._node.call(self._deployment, "PartyRegistry", function, [about, *more]))
        with self._lock:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[function, about] = (now, answer)
        return answer
