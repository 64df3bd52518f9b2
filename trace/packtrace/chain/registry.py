"""What the licensing authority writes: parties, licences, keys, products. Plain transactions from its own account."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eth_account.signers.local import LocalAccount

from packtrace.chain.contracts import encode_call
from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Call, Node
from packtrace.chain.transactions import Message, send
from packtrace.chain.typed_data import Consent

FOREVER = 2**40 - 1
"""The latest end of a licence or key that the chain can hold."""


class RegistryAdmin:
    """The licensing authority at work: each method sends one transaction and waits until a block includes it.

    `account` must have the AccessManager's roles (see `policy`). Times are unix times, an end is exclusive;
    `ChainRefusal` says why the registry refused. Inside `together()` the methods only collect; all go out as one
    transaction in the end, so that a whole supply chain is registered in one block, or not at all. Where the account's
    role has a delay, a call is `announced()` first, and carried out when that has passed.
    """

    def __init__(self, node: Node, deployment: Deployment, account: LocalAccount) -> None:
        self._node = node
        self._deployment = deployment
        self._account = account
        self._collected: list[Call] | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Everything inside in one transaction: all of it, or nothing when one is refused."""
        with self._collecting() as calls:
            yield
        if calls:
            self._send(calls)

    @contextmanager
    def announced(self) -> Iterator[list[Call]]:
        """Everything inside is only announced on chain, for all to see; `carry_out` does it after its delay."""
        with self._collecting() as calls:
            yield calls
        if calls:
            self._manage("schedule", calls, 0)  # as early as the delay allows

    def carry_out(self, calls: Sequence[Call]) -> None:
        """Do what was announced, all of it or nothing. It lapses a week after it could have been done."""
        self._manage("execute", calls)

    def cancel(self, calls: Sequence[Call], by: str) -> None:
        """Take back what account `by` has announced: for a guard, or `by` itself."""
        registry = self._deployment.address("PartyRegistry")
        self._multicall([encode_call("AccessManager", "cancel", [by, registry, encode_call(*call)]) for call in calls])

    @contextmanager
    def _collecting(self) -> Iterator[list[Call]]:
        calls: list[Call] = []
        self._collected = calls
        try:
            yield calls
        finally:
            self._collected = None

    def register_party(
        self,
        party: int,
        *,
        company: int,
        roles: int,
        gln_commitment: bytes,
        name: str = "",
        endpoint: str = "",
        licensed_from: int = 0,
        licensed_until: int = FOREVER,
    ) -> None:
        """Register a premises of `company`, or a company (`party == company`); `roles` are bits of `ROLE_*`."""
        licence = {
            "company": company,
            "roles": roles,
            "licensedFrom": licensed_from,
            "licensedUntil": licensed_until,
            "suspendedSince": 0,
        }
        profile = {"name": name, "endpoint": endpoint, "glnCommitment": gln_commitment}
        self._do("registerParty", party, licence, profile)

    def set_profile(self, party: int, *, name: str, endpoint: str) -> None:
        """Change a party's public name and the base URL of its gateway."""
        self._do("setProfile", party, name, endpoint)

    def set_licence(self, party: int, *, roles: int, licensed_from: int = 0, licensed_until: int = FOREVER) -> None:
        """Change a party's roles and the period of its licence."""
        self._do("setLicence", party, roles, licensed_from, licensed_until)

    def suspend(self, party: int) -> None:
        """Stop a party, from now until `reinstate`."""
        self._do("suspend", party)

    def reinstate(self, party: int) -> None:
        """End a suspension."""
        self._do("reinstate", party)

    def add_key(self, party: int, key: str, purposes: int, *, valid_from: int = 0, valid_until: int = FOREVER) -> None:
        """Let `key` (an address) speak for a party; `purposes` are bits of `PURPOSE_*`."""
        self._do("addKey", party, key, purposes, valid_from, valid_until)

    def revoke_key(self, key: str, *, compromised_since: int = 0) -> None:
        """End a key for good; `compromised_since` says from when on a leaked key is not to be believed."""
        self._do("revokeKey", key, compromised_since)

    def suspend_key(self, key: str) -> None:
        """Stop one key, from now until `reinstate_key`."""
        self._do("suspendKey", key)

    def reinstate_key(self, key: str) -> None:
        """End a key's suspension; what is revoked stays revoked."""
        self._do("reinstateKey", key)

    def set_daily_cap(self, key: str, units: int) -> None:
        """Bound how many units' status a key can ask to change in one UTC day (1 to 65,535); 0 takes the cap off."""
        self._do("setDailyCap", key, units)

    def replace_key(self, key: str, new: str, possession: Consent, *, valid_until: int = FOREVER) -> None:
        """Put a new key in the place of one that was lost; `possession` is the new key's consent to `replaceKey`."""
        self._do("replaceKey", key, new, valid_until, possession)

    def register_product(self, product_key: bytes, mah: int) -> None:
        """Register a product under its keyed hash for a marketing authorisation holder (a company's number)."""
        self._do("registerProduct", product_key, mah)

    def list_gtin(self, gtin_hash: bytes, mah: int) -> None:
        """Make the marketing authorisation holder of a GTIN findable; 0 takes the GTIN off the list."""
        self._do("listGtin", gtin_hash, mah)

    def _do(self, function: str, *args: Any) -> None:
        call = Call("PartyRegistry", function, args)
        if self._collected is None:
            self._send([call])
        else:
            self._collected.append(call)

    def _send(self, calls: Sequence[Call]) -> None:
        """One call goes straight to the registry, several through the AccessManager, which can carry many at once."""
        if len(calls) > 1:
            self._manage("execute", calls)
            return
        to = self._deployment.address("PartyRegistry")
        send(self._node, self._account, Message(to, encode_call(*calls[0])))

    def _manage(self, function: str, calls: Sequence[Call], *more: int) -> None:
        registry = self._deployment.address("PartyRegistry")
        self._multicall(
            [encode_call("AccessManager", function, [registry, encode_call(*call), *more]) for call in calls]
        )

    def _multicall(self, calls: Sequence[bytes]) -> None:
        whole = encode_call("AccessManager", "multicall", [calls])
        send(self._node, self._account, Message(self._deployment.address("AccessManager"), whole))
