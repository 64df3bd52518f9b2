"""Receipts: what the receiver of a hand-over says of it, signed with its OPERATE key (EIP-191, canonical JSON).

With the receipt and the package the sender can prove what it handed over, and with the sender's signed announcement and
the package the receiver can prove what it got.
"""

from dataclasses import dataclass
from typing import Any, Literal

import rfc8785
from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from packtrace.errors import EvidenceError

PREFIX = b"packtrace/receipt/v1\n"
Outcome = Literal["accepted", "quarantined"]
MOST_REASONS = 20
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt. `package` is the package's SHA-256, `time` unix time; reasons are there when it was quarantined."""

    network: str
    package: bytes
    sender: int
    receiver: int
    outcome: Outcome
    reasons: tuple[str, ...]
    time: int

    def to_json(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "package": self.package.hex(),
            "from": self.sender,
            "to": self.receiver,
            "outcome": self.outcome,
            "reasons": list(self.reasons),
            "time": self.time,
        }

    def sign(self, account: LocalAccount) -> dict[str, Any]:
        """The receipt as JSON, with its signature."""
        signature = bytes(account.sign_message(_message(self.to_json())).signature)
        return self.to_json() | {"signature": "0x" + signature.hex()}


def read(plain: Any) -> tuple[Receipt, str]:
    """A receipt and the address that signed it. Raises EvidenceError when it is malformed."""
    try:
        reasons = [str(reason)[:LONGEST_REASON] for reason in plain["reasons"][:MOST_REASONS]]
        receipt = Receipt(
            str(plain["network"]),
            bytes.fromhex(plain["package"]),
            int(plain["from"]),
            int(plain["to"]),
            plain["outcome"],
            tuple(reasons),
            int(plain["time"]),
        )
        if receipt.outcome not in ("accepted", "quarantined"):
            raise EvidenceError("the receipt says neither accepted nor quarantined", value=receipt.outcome)
        signer = str(Account.recover_message(_message(receipt.to_json()), signature=plain["signature"]))
    except (KeyError, TypeError, ValueError, AttributeError, BadSignature, ValidationError) as error:
        if isinstance(error, EvidenceError):
            raise
        raise EvidenceError(f"the partner's receipt is not well formed: {error!r}", rule="receipt") from error
    return receipt, signer


def _message(said: dict[str, Any]) -> SignableMessage:
    return encode_defunct(PREFIX + rfc8785.dumps(said))
