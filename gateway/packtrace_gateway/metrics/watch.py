"""Figures that only a node knows, asked in the background: reading the metrics never waits for a node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import col, select

from packtrace.chain.node import Block
from packtrace.chain.nodes import Finality, Nodes
from packtrace.errors import ChainError
from packtrace_gateway.db import Database
from packtrace_gateway.outbox.models import IN_FLIGHT, Attempt, OutboxRow, Outcome

EVERY = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain as it was last seen. `balances` in wei and `gaps` (unused nonces before our own) by relayer."""

    head: Block
    final: Block | None
    balances: Mapping[str, int]
    gaps: Mapping[str, int]


class ChainWatch:
    """Keeps `seen` up to date: None while no node answers, because an old figure would be taken for a new one."""

    def __init__(self, database: Database, node: Nodes, finality: Finality, relayers: Sequence[str]) -> None:
        self._database = database
        self._node = node
        self._finality = finality
        self._relayers = relayers
        self.seen: Chain | None = None

    def run_once(self) -> float:
        """Look again; the seconds until the next time. That no node answers is told by other figures."""
        try:
            with self._node.one():
                self.seen = self._look()
        except ChainError:
            self.seen = None
        return EVERY

    def _look(self) -> Chain:
        node = self._node
        head = node.block("latest")
        final: Block | None
        if isinstance(self._finality, int):
            (final,) = node.blocks([max(head.number - self._finality, 0)])
        else:
            (final,) = node.blocks(["finalized"])
        return Chain(
            head=head,
            final=final and node.settled(final),
            balances=dict(zip(self._relayers, node.balances(self._relayers), strict=True)),
            gaps={relayer: self._gaps(relayer) for relayer in self._relayers},
        )

    def _gaps(self, relayer: str) -> int:
        """Nonces below the account's last one of ours that are in no transaction, ours or in the node's pool."""
        query = (
            select(Attempt.tx_nonce)
            .join(OutboxRow, col(Attempt.row_id) == OutboxRow.id)
            .where(Attempt.relayer == relayer, Attempt.outcome == Outcome.OPEN, col(OutboxRow.state).in_(IN_FLIGHT))
        )
        with self._database.read() as session:
            ours = set(session.exec(query))
        if not ours:
            return 0
        free = self._node.transaction_count(relayer, "pending")
        return len(set(range(free, max(ours))) - ours)
