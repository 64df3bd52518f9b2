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
    "already known", "nonce too low", "underpriced", "insufficient funds", "reverted", "unknown block", "other"
]

KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("already known", re.compile(r"already known|already imported|known transaction", re.IGNORECASE)),
    ("nonce too low", re.compile(r"nonce (is )?too low|nonce below", re.IGNORECASE)),
    (
        "underpriced",
        re.compile(r"underpriced|(price|fee per gas) (.* )?(too low|below|less than)", re.IGNORECASE),
    ),
    ("insufficient funds", re.compile(r"insufficient (funds|balance)|upfront cost exceeds", re.IGNORECASE)),
    ("reverted", re.compile(r"revert", re.IGNORECASE)),
    ("unknown block", re.compile(r"(header|block) not found|unknown block|not (currently )?canonical", re.IGNORECASE)),
)
"""How Geth, Besu, Anvil and Hardhat word the refusals that a sender must tell apart."""

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
        super().__init__(f"the node refused {method}: {text}", rule=f"JSON-RPC error {code}")


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
