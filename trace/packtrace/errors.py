"""One hierarchy of errors. Each says what was wrong, with field, value and rule, and what to do about it."""

from typing import Any


class PacktraceError(Exception):
    """Base of every error that packtrace raises on purpose.

    `field` is the path of what was wrong (as in ``epcisBody.eventList[0].epcList[3]``), `value` what stood there
    (shortened for display), `rule` the rule it breaks, with the standard's section where there is one.
    """

    def __init__(self, message: str, *, field: str | None = None, value: Any = None, rule: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.value = value
        self.rule = rule

    def __str__(self) -> str:
        parts = [self.message]
        if self.field:
            parts.insert(0, f"{self.field}:")
        if self.value is not None:
            parts.append(f"(got {shorten(self.value)})")
        if self.rule:
            parts.append(f"[{self.rule}]")
        return " ".join(parts)


class IdentifierError(PacktraceError, ValueError):
    """A GS1 identifier, element string, Digital Link URI or EPC URN that breaks a rule of GS1."""


class DocumentError(PacktraceError, ValueError):
    """An EPCIS document or event that cannot be accepted."""


class LifecycleError(PacktraceError):
    """An event that contradicts what is already recorded: shipped before commissioned, packed twice, …"""


class EvidenceError(PacktraceError):
    """A signature, digest, proof, key or root that does not verify. The message names the exact link."""


class ChainError(PacktraceError):
    """The chain could not be asked, or refused a call."""


class ChainUnreachable(ChainError):
    """No answer from the node."""


def shorten(value: Any, limit: int = 80) -> str:
    """`value` as it can be shown on one line, at most `limit` characters."""
    try:
        text = repr(value)
    except ValueError:  # a number of thousands of digits
        text = "a number too long to show"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
