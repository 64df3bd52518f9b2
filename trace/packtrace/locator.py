"""The locator's answer: what a GTIN's marketing authorisation holder says about a pack whose pedigree is not here.

It is signed with a key of the holder's (EIP-191 over the answer's canonical JSON), so that it can be shown to others.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import rfc8785
from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from packtrace.commit.pedigree import Pedigree
from packtrace.errors import EvidenceError
from packtrace.scan import Scan

PREFIX = b"packtrace/locator/v1\n"
Kind = Literal["unit", "never", "differs"]
MAX_TIME = 253_402_300_800  # the year 10000: later times cannot be written
SIGNATURE = re.compile(r"0x[0-9a-f]{130}", re.ASCII)  # r, s and v


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose signature was recovered; whether `signer` may speak for the GTIN is the chain's to say.

    `unit`: the pack was commissioned as printed, `pedigree` discloses it. `never`: this serial was never commissioned.
    `differs`: it was, with another lot or expiry. `time` is unix time.
    """

    kind: Kind
    scan: Scan
    time: int
    signer: str
    pedigree: Pedigree | None = None


def sign_answer(
    account: LocalAccount, network: str, kind: Kind, scan: Scan, time: int, pedigree: Pedigree | None
) -> dict[str, Any]:
    """The answer as JSON. The pedigree proves itself; it is not part of what is signed.

    `network` is the one of the deployment (`Deployment.network`): a key may be registered on several.
    """
    said = _said(network, kind, scan, time)
    signature = account.sign_message(_message(said)).signature
    answer = said | {"signature": "0x" + bytes(signature).hex()}
    return answer | ({"pedigree": pedigree.to_json()} if pedigree else {})


def read_answer(plain: Any, network: str, scan: Scan) -> Answer:
    """Check an answer to `scan`. Raises EvidenceError when it is malformed, unsigned, of another pack or network."""
    try:
        kind, time = plain["kind"], plain["time"]
        if kind not in ("unit", "never", "differs") or type(time) is not int:
            raise EvidenceError("the locator's answer is of no known kind", value=kind, rule="locator")
        if not 0 <= time < MAX_TIME:
            raise EvidenceError("the locator's answer is of no time that there is", value=time, rule="locator")
        said = _said(network, kind, scan, time)
        if plain["network"] != network:
            raise EvidenceError("the locator's answer is of another network", value=plain["network"], rule="locator")
        if any(plain[name] != value for name, value in said.items()):
            raise EvidenceError("the locator's answer is about another pack", rule="locator")
        if not SIGNATURE.fullmatch(plain["signature"]):
            raise EvidenceError("the locator's answer is not signed", value=plain["signature"], rule="locator")
        signer = Account.recover_message(_message(said), signature=plain["signature"])
        pedigree = Pedigree.from_json(plain["pedigree"]) if kind == "unit" else None
    except (KeyError, TypeError, ValueError, BadSignature, ValidationError) as error:
        if isinstance(error, EvidenceError):
            raise
        raise EvidenceError(f"the locator's answer is not well formed: {error!r}", rule="locator") from error
    return Answer(kind, scan, time, signer, pedigree)


def _said(network: str, kind: Kind, scan: Scan, time: int) -> dict[str, Any]:
    return {
        "network": network,
        "kind": kind,
        "gtin": scan.gtin,
        "serial": scan.serial,
        "lot": scan.lot,
        "expiry": scan.expiry.isoformat() if isinstance(scan.expiry, date) else None,
        "time": time,
    }


def _message(said: dict[str, Any]) -> SignableMessage:
    return encode_defunct(PREFIX + rfc8785.dumps(said))
