"""What every step of the worker works with."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from eth_account.signers.local import LocalAccount
from sqlmodel import Session

from packtrace.chain.deployment import Deployment
from packtrace.chain.node import Block, Node
from packtrace.chain.typed_data import Signer
from packtrace_gateway.db import Database
from packtrace_gateway.outbox import moves
from packtrace_gateway.outbox.lease import LeaseLostError, Ownership
from packtrace_gateway.outbox.models import OutboxRow
from packtrace_gateway.outbox.service import Outbox

log = logging.getLogger(__name__)

GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Policy:
    """How the outbox behaves. Times in seconds, fees in wei per gas.

    `finality`: "finalized" asks the node for its finalized block, a number N waits for N blocks on top.
    `consent_seconds`: how long a signed call stays valid; one that was not carried out by then is signed again, once
    the chain is past that time for good.
    """

    finality: Literal["finalized"] | int = "finalized"
    consent_seconds: int = 30 * 60
    poll_seconds: float = 0.5
    bump_after_blocks: int = 5
    max_fee: int = 500 * GWEI


@dataclass(frozen=True, slots=True)
class View:
    """The chain as one pass sees it: its newest block, and its newest final one (None: none is final yet).

    `last_row` is the newest call that was queued before: a later one may follow from what this block does not have yet.
    """

    head: Block
    final: Block | None
    last_row: int


@dataclass(slots=True)
class Context:
    """The worker's parts. `signers` by purpose: operate, line, quality, manage. `relayers` pay for transactions."""

    database: Database
    outbox: Outbox
    node: Node
    deployment: Deployment
    signers: Mapping[str, Signer]
    relayers: Sequence[LocalAccount]
    policy: Policy = field(default_factory=Policy)
    ownership: Ownership = field(default_factory=Ownership)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction of the worker: nothing is written unless this process still owns the outbox."""
        with self.database.write() as session:
            self.ownership.check(session)
            yield session

    def move(self, row: OutboxRow, action: Callable[[Session, OutboxRow], None]) -> bool:
        """Run `action` in a transaction of its own on the row as it is stored, unless it has moved on meanwhile.

        A feature's handler that fails keeps its own row where it is, and no other: it is tried again later.
        """
        try:
            with self.write() as session:
                stored = session.get(OutboxRow, row.id)
                if stored is None or stored.state != row.state:
                    return False
                action(session, stored)
        except LeaseLostError:
            raise
        except Exception as error:
            log.exception("outbox row %s (%s.%s) cannot move", row.id, row.contract, row.function)
            self.waits(row, f"an error of this gateway, see its log: {type(error).__name__}")
            return False
        return True

    def waits(self, row: OutboxRow, why: str | None) -> None:
        """Say why the row does not move."""
        if row.waiting != why:
            with self.write() as session:
                stored = session.get(OutboxRow, row.id)
                if stored is not None:
                    moves.waits(session, stored, why)

    def relayer(self, address: str | None) -> LocalAccount | None:
        return next((account for account in self.relayers if account.address == address), None)
