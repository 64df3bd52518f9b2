"""Follows the chain: reads the contracts' events block range by block range, once each, in order.

Every range and its checkpoint are one transaction. Before the next range, the last checkpoint is compared with the
chain; when a reorganisation (or a devnet that lost its newest blocks) has replaced that block, everything after the
newest checkpoint that still stands is taken back and read again.
"""

import logging
from collections.abc import Iterable

from sqlmodel import Session, col, delete, select

from packtrace.chain.deployment import Deployment
from packtrace.chain.node import MAX_LOG_BLOCKS, Block, Log, Node, NodeError
from packtrace.errors import ChainError
from packtrace_gateway.db import Database
from packtrace_gateway.ledger import indexing
from packtrace_gateway.ledger.indexing import Listener
from packtrace_gateway.ledger.models import Checkpoint

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
TROUBLE_SECONDS = 2.0  # until the next try when the node does not answer
FEW_LOGS, MANY_LOGS = 500, 4_000  # of one range; more or fewer make the next range shorter or longer
KEPT_CHECKPOINTS = 2_048  # deeper reorganisations read everything again
CHUNK = 128  # headers asked for in one request


class Follower:
    """Keeps the index up to date. Give `run_once` to the gateway's workers."""

    def __init__(
        self, database: Database, node: Node, deployment: Deployment, *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._database = database
        self._node = node
        self._deployment = deployment
        self._poll = poll_seconds
        self._listeners: list[Listener] = []
        self._span = MAX_LOG_BLOCKS
        self._checked = False
        self.trouble: str | None = None
        """Why the index does not advance at the moment, or None."""

    def register(self, listener: Listener) -> None:
        """Let `listener` hear of every event that is stored from now on."""
        self._listeners.append(listener)

    def run_once(self) -> float:
        """Read one range; the seconds until the next. A node that does not answer is no failure."""
        try:
            with self._node.one():
                if not self._checked:
                    self._node.check(self._deployment)
                    self._checked = True
                more = self._advance()
        except ChainError as error:
            if self.trouble is None:
                log.warning("the chain cannot be followed: %s", error)
            self.trouble, self._checked = str(error), False
            return TROUBLE_SECONDS
        self.trouble = None
        return 0.0 if more else self._poll

    def _advance(self) -> bool:
        """Read the next range of blocks; whether there is more to read."""
        head = self._node.block("latest")
        last = self._standing(head)
        first = last.number + 1 if last else self._deployment.block
        if first > head.number:
            return False
        end = min(first + self._span - 1, head.number)
        stored = self._read(last, first, head if end == head.number else self._node.block(end))
        if stored > MANY_LOGS:
            self._span = max(self._span // 2, 1)
        elif stored < FEW_LOGS:
            self._span = min(self._span * 2, MAX_LOG_BLOCKS)
        return end < head.number

    def _read(self, last: Checkpoint | None, first: int, before: Block) -> int:
        """Store the events of the blocks from `first` to `before`; how many there were."""
        # The same last block before and after: so the logs read between the two are of one chain.
        end = before.number
        try:
            logs = self._node.logs(self._deployment, first, end)
        except NodeError:
            self._span = max(self._span // 2, 1)  # too many for one answer, perhaps
            raise
        numbers = sorted({found.block_number for found in logs} | {first, end})
        blocks = {block.number: block for block in self._headers(numbers)}
        broken = (
            blocks[end].hash != before.hash
            or (last is not None and blocks[first].parent_hash != last.hash)
            or any(blocks[found.block_number].hash != found.block_hash for found in logs)
        )
        if broken:
            log.info("the chain was reorganised while it was read")
            return FEW_LOGS
        self._store(last, logs, blocks, before)
        return len(logs)

    def _store(self, last: Checkpoint | None, logs: list[Log], blocks: dict[int, Block], end: Block) -> None:
        with self._database.write() as session:
            newest = indexed(session)
            if (newest and (newest.number, newest.hash)) != (last and (last.number, last.hash)):
                log.warning("another process follows the chain into this database; stop one of the two")
                return
            for found in logs:
                indexing.store(session, self._listeners, found, blocks[found.block_number])
            for number in {found.block_number for found in logs} | {end.number}:
                block = blocks[number]
                session.merge(Checkpoint(number=block.number, hash=block.hash, time=block.timestamp))
            session.flush()
            kept = select(Checkpoint.number).order_by(col(Checkpoint.number).desc()).offset(KEPT_CHECKPOINTS).limit(1)
            oldest = session.exec(kept).first()
            if oldest is not None:
                session.exec(delete(Checkpoint).where(col(Checkpoint.number) <= oldest))

    # ---- reorganisations ----

    def _standing(self, head: Block) -> Checkpoint | None:
        """The newest checkpoint that is part of the chain, after everything above it was taken back."""
        with self._database.read() as session:
            newest = indexed(session)
        if newest is None or (newest.number, newest.hash) == (head.number, head.hash):
            return newest
        standing = self._newest_standing([newest], head)
        if standing is None:
            with self._database.read() as session:
                checkpoints = session.exec(select(Checkpoint).order_by(col(Checkpoint.number).desc())).all()
            standing = self._newest_standing(checkpoints, head)
            number = standing.number if standing else self._deployment.block - 1
            log.warning("the chain lost the blocks after %d; they are read again", number)
            with self._database.write() as session:
                indexing.roll_back(session, self._listeners, number)
                session.exec(delete(Checkpoint).where(col(Checkpoint.number) > number))
        return standing

    def _newest_standing(self, checkpoints: Iterable[Checkpoint], head: Block) -> Checkpoint | None:
        """The first of `checkpoints` (the newest first) that is part of the chain."""
        known = [checkpoint for checkpoint in checkpoints if checkpoint.number <= head.number]
        while known:
            part, known = known[:CHUNK], known[CHUNK:]
            found = {block.number: block.hash for block in self._headers([one.number for one in part])}
            for checkpoint in part:
                if found.get(checkpoint.number) == checkpoint.hash:
                    return checkpoint
        return None

    def _headers(self, numbers: list[int]) -> list[Block]:
        """Headers by number; those that the node does not know are left out."""
        return [block for block in self._node.headers(numbers) if block]


def indexed(session: Session) -> Checkpoint | None:
    """The block up to which the index is complete."""
    return session.exec(select(Checkpoint).order_by(col(Checkpoint.number).desc()).limit(1)).first()
