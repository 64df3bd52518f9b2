"""What a contract's refusal means for the row: an answer, or only a wait."""

from enum import Enum, auto

from sqlmodel import Session

from packtrace.chain.node import NodeError
from packtrace.chain.refusals import ChainRefusal
from packtrace.errors import ChainError
from packtrace_gateway.outbox.lanes import exchanges
from packtrace_gateway.outbox.models import IN_FLIGHT, ON_CHAIN, OutboxRow

PASSING = frozenset({"EnforcedPause"})
"""Refusals that pass by themselves: the contract is paused."""

EXCHANGED = frozenset({"KeyNotValid", "UnknownKey"})
"""Refusals that pass where the key was exchanged: the call is signed anew once that is final; or the chain lost the
block with the exchange, and gets it again."""

UNEXPLAINED = "Unexplained"


class Meaning(Enum):
    """What is to be done after a refusal."""

    REFUSED = auto()  # this is the contract's answer
    USED = auto()  # the consent's nonce is used: carried out by another transaction, or by another consent
    EARLY = auto()  # a call that must come before is not on chain
    EXPIRED = auto()  # the consent has run out
    PASSING = auto()  # try again later


def meaning(session: Session, row: OutboxRow, error: ChainError, block_number: int) -> Meaning:
    """What it means that `row` was refused with `error` in the state after `block_number`."""
    if not isinstance(error, ChainRefusal):
        # A revert without one of our custom errors is an answer; a node that has a problem of its own gives none.
        return Meaning.REFUSED if isinstance(error, NodeError) and error.kind == "reverted" else Meaning.PASSING
    if error.name == "InvalidAccountNonce" and row.signer == error.args_["account"]:
        return Meaning.USED if error.args_["currentNonce"] > row.nonce else Meaning.EARLY
    if error.name == "ConsentExpired" and row.deadline == error.args_["deadline"]:
        return Meaning.EXPIRED
    if error.name in PASSING or (error.name in EXCHANGED and _exchanged(session, row, error.args_["key"])):
        return Meaning.PASSING
    if not met(session, row, block_number):
        return Meaning.EARLY
    # The chain lost blocks: what this call needs from other parties may come back only after it.
    return Meaning.PASSING if row.retracted else Meaning.REFUSED


def met(session: Session, row: OutboxRow, block_number: int) -> bool:
    """Whether the call that must come before this one was on chain in `block_number`."""
    if row.after is None:
        return True
    before = session.get(OutboxRow, row.after)
    return (
        before is not None
        and before.state in ON_CHAIN
        and (before.block_number is None or before.block_number <= block_number)
    )


def name(error: ChainError) -> str:
    """What decided the row: the custom error's name."""
    return error.name if isinstance(error, ChainRefusal) else UNEXPLAINED


def _exchanged(session: Session, row: OutboxRow, key: str) -> bool:
    """Whether the row's key is one that was exchanged for another, or that is to take another's place."""
    return key == row.signer and any(
        (old == key and exchange.state in ON_CHAIN) or (new == key and exchange.state in IN_FLIGHT)
        for old, new, exchange in exchanges(session)
    )
