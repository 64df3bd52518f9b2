"""Exchanging a signing key: old and new key sign, the chain puts the new one in the old one's place, and only then it
is used.

The new key waits in a file of its own (``operate.next.json``) until the block with the exchange is final; then it takes
the name of the old one, whose file is kept (``operate.former.json``): the chain could still lose that block. Which of
them signs follows from the outbox's row of the exchange alone, at a start as at any time: killed at any moment, the
gateway goes on with the key that the chain holds valid.
"""

import logging
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlmodel import Session, col, select

from packtrace.chain.contracts import Event
from packtrace.chain.deployment import Deployment
from packtrace.chain.typed_data import keyed_nonce, sign
from packtrace_gateway import keys
from packtrace_gateway.db import Database
from packtrace_gateway.keys import KeyRing, KeystoreError, Purpose
from packtrace_gateway.outbox import calls
from packtrace_gateway.outbox.models import LANES, ON_CHAIN, OutboxRow, State
from packtrace_gateway.outbox.service import Handler, Outbox
from packtrace_gateway.settings import Settings

log = logging.getLogger(__name__)

CONTRACT, FUNCTION = "PartyRegistry", "rotateKey"
POSSESSION_SECONDS = 30 * 86_400
LANE_BITS = 63


def start(settings: Settings, database: Database, purpose: Purpose) -> tuple[int, str, str]:
    """Make a new key and queue its exchange, or go on with one that was begun: outbox row, old and new address.

    The running gateway (or the next one that runs) carries it out.
    """
    if purpose is Purpose.RELAYER:
        raise KeystoreError(
            "a relayer's key is not registered, so there is nothing to exchange: make another with "
            "`packtrace gateway signer add DIR relayer`, and take the old file away"
        )
    current = keys.file_of(settings, purpose)
    new_file = _beside(current, "next")
    new = keys.open_key(settings, new_file) if new_file.exists() else keys.make_key(settings, new_file)
    old = keys.address_in(current)
    deployment = Deployment.load(settings.deployment)
    with database.write() as session:
        for row in _rows(session):
            if row.state not in (State.REVERTED, State.SUPERSEDED) and pair(row) == (old, new.address):
                return row.number, old, new.address
        # On a lane of its own, far above those that the outbox compares with the chain.
        nonce = keyed_nonce(LANES + secrets.randbelow((1 << LANE_BITS) - LANES), 0)
        members = [old, new.address]
        deadline = int(time.time()) + POSSESSION_SECONDS
        possession = sign(new, deployment, CONTRACT, FUNCTION, members, nonce, deadline)
        row_number = Outbox(database).enqueue(
            session,
            contract=CONTRACT,
            function=FUNCTION,
            args=[*members, None, possession],
            key=purpose.value,
            reference=f"rotate:{purpose}",
        )
    return row_number, old, new.address


def pair(row: OutboxRow) -> tuple[str, str]:
    """The old and the new key of an exchange."""
    old, new, *_ = calls.load(row.args)
    return old, new


class KeyRotation(Handler):
    """Lets the gateway sign with the key that the chain holds valid, as its exchange moves."""

    def __init__(self, settings: Settings, ring: KeyRing) -> None:
        self._settings = settings
        self._ring = ring

    def settle(self, database: Database) -> None:
        """At the start: choose by the newest exchange of each purpose."""
        with database.read() as session:
            newest = {row.key: row for row in _rows(session)}
        for row in newest.values():
            old, new = pair(row)
            self._use(row, new if row.state in ON_CHAIN else old)
            if row.state is State.FINAL:
                self._promote(row, new)

    def on_included(self, session: Session, row: OutboxRow, events: Sequence[Event]) -> None:  # noqa: ARG002
        self._use(row, pair(row)[1])

    def on_final(self, session: Session, row: OutboxRow, events: Sequence[Event]) -> None:  # noqa: ARG002
        self._use(row, pair(row)[1])
        self._promote(row, pair(row)[1])

    def on_retracted(self, session: Session, row: OutboxRow) -> None:  # noqa: ARG002
        self._use(row, pair(row)[0])

    def _use(self, row: OutboxRow, address: str) -> None:
        purpose = Purpose(row.key)
        if not self._ring.has(purpose):
            return
        signing = self._ring.account(purpose).address
        if signing == address or signing not in pair(row):  # of a later exchange, or put there by a person
            return
        current = keys.file_of(self._settings, purpose)
        for file in (current, _beside(current, "next"), _beside(current, "former")):
            if file.exists() and keys.address_in(file) == address:
                self._ring.use(purpose, keys.open_key(self._settings, file))
                log.warning("the %s key is %s from now on", purpose, address)
                return
        log.error("the %s key %s is not in the keystore: restore it from the backup", purpose, address)

    def _promote(self, row: OutboxRow, address: str) -> None:
        """The exchange is final: the new key's file takes the old one's name. Done twice it does nothing."""
        current = keys.file_of(self._settings, Purpose(row.key))
        new_file, former = _beside(current, "next"), _beside(current, "former")
        if not new_file.exists() or keys.address_in(new_file) != address:
            return
        former.unlink(missing_ok=True)
        os.link(current, former)
        os.replace(new_file, current)
        keys.sync_folder(current.parent)


def _beside(file: Path, what: str) -> Path:
    return file.with_name(f"{file.stem}.{what}.json")


def _rows(session: Session) -> Iterator[OutboxRow]:
    """The exchanges that this gateway asked for, the oldest first."""
    mine = (OutboxRow.contract == CONTRACT, OutboxRow.function == FUNCTION, col(OutboxRow.recovered).is_(False))
    yield from session.exec(select(OutboxRow).where(*mine).order_by(col(OutboxRow.id)))
