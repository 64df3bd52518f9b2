"""Errors that nodes answer with over JSON-RPC, brought to one form.

Nodes agree neither on codes nor on where a contract's revert data stand: `error.data` (Geth, Besu, Anvil),
`error.data.data` (Hardhat), `error.data.result` (Ganache), `error.data` after the word "Reverted" (older
Besu), or only inside the message.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from packtrace.chain.contracts import decode_error
from packtrace.chain.refusals import ChainRefusal
from packtrace.errors import ChainError

Kind = Literal[
    "already known",
    "nonce too low",
    "nonce too high",
    "replacement underpriced",
    "underpriced",
    "fee cap",
    "insufficient funds",
    "pool full",
    "gas too low",
    "gas too high",
    "not permitted",
    "wrong chain",
    "reverted",
    "unknown block",
    "busy",
    "other",
]

PATTERNS: tuple[tuple[Kind, str], ...] = (
    ("already known", r"already known|already imported|known transaction"),
    ("nonce too low", r"nonce (is )?too low|nonce below"),
    ("nonce too high", r"nonce (is )?too (high|distant|far)|lower nonce exists|gapped.nonce|future transaction tries"),
    ("replacement underpriced", r"replac\w* .*underpriced|underpriced .*replac|insufficient gas price to replace"),
    ("fee cap", r"exceeds the configured cap|fee cap exceeded"),
    ("underpriced", r"underpriced|(price|fee ?per ?gas)( \(\d+\))? (is )?(too low|below|less than)"),
    ("insufficient funds", r"insufficient (funds|balance)|upfront cost exceeds|enough funds|out of balance"),
    (
        "pool full",
        r"pool (is )?(full|overflow)|account limit exceeded|in-flight transaction limit|too many transactions",
    ),
    (
        "gas too high",
        r"gas (limit )?(is )?too high|exceeds (the )?(block gas limit|transaction gas)|than the block gas limit",
    ),
    ("gas too low", r"intrinsic gas|requires at least \d+ gas|floor data gas|gas too low"),
    ("not permitted", r"not authorized to send|marked the transaction as invalid|sender is banned"),
    ("wrong chain", r"(invalid|wrong) chain ?id|chain ?id (mismatch|not supported)|signed for another chain"),
    ("reverted", r"revert"),
    (
        "unknown block",
        r"(header|block|header for hash) not found|unknown block|not (currently )?canonical|blockoutofrange"
        r"|resource not found|invalid block tag|missing trie node|state (is )?(not available|unavailable)",
    ),
    ("busy", r"limit exceeded|too many requests|rate limit|timeout expired|sync is still in progress|pool not enabled"),
)
"""How Geth, Besu, Anvil and Hardhat word what a sender must tell apart; the first that fits counts.

Geth: core/txpool/errors.go, core/error.go, legacypool.go; Besu: RpcErrorType; Anvil and Hardhat: their answers in the
tests.
"""
KINDS = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in PATTERNS)

ADVICE: Mapping[Kind, str] = {
    "nonce too high": "transactions before it are missing at this node; it is sent again when they are there",
    "fee cap": "the node's own limit for fees is lower than the gateway's; raise it there, or wait until fees fall",
    "insufficient funds": "send coins to the relayer's account; the call goes on by itself",
    "pool full": "the node holds as many transactions as it may; it is sent again with every block",
    "gas too high": "the call does not fit into a block of this chain; it is tried again with less gas",
    "gas too low": "it is tried again with more gas",
    "not permitted": "have the relayer's account permitted on this network; the call goes on by itself",
    "wrong chain": "check the node's URL and the deployment file",
    "unknown block": "the node has not caught up, or keeps no states that old",
    "busy": "it is asked again",
}
"""What a person should know or do, by kind."""

MAX_ERROR_HEX = 1 << 16
"""Hex digits of revert data that are looked at; our longest custom error has a few hundred."""


class NodeError(ChainError):
    """The node refused a request for a reason of its own; `kind` tells what a sender must know about it.

    `code` is the node's JSON-RPC error code, `text` its message.
    """

    def __init__(self, method: str, code: int, text: str) -> None:
        self.code = code
        self.text = text
        self.kind: Kind = next((kind for kind, pattern in KINDS if pattern.search(text)), "other")
        advice = ADVICE.get(self.kind)
        reason = f"the node refused {method}: {text}"
        super().__init__(f"{reason}; {advice}" if advice else reason, rule=f"JSON-RPC error {code}")


def chain_error(method: str, error: Any) -> ChainRefusal | NodeError:
    """What a JSON-RPC response's `error` member means: a contract's refusal, or the node's."""
    for data in _revert_data(error):
        refusal = decode_error(data)
        if refusal:
            return refusal
    if not isinstance(error, Mapping):
        return NodeError(method, 0, str(error))
    code = error.get("code")
    return NodeError(method, code if isinstance(code, int) else 0, str(error.get("message", "no reason given")))


def _revert_data(error: Any) -> Iterator[bytes]:
    """Everything in an error that may be revert data, the surest place first."""
    if not isinstance(error, Mapping):
        return
    data = error.get("data")
    inner = (data.get("data"), data.get("result")) if isinstance(data, Mapping) else ()
    for text in (data, *inner, error.get("message")):
        if isinstance(text, str):
            for digits in re.findall(r"0x((?:[0-9a-fA-F]{2}){4,})", text[:MAX_ERROR_HEX]):
                yield bytes.fromhex(digits)
