"""The figures, read from the database and from the gateway's parts at the moment they are asked for."""

import time
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func
from sqlmodel import Session, col, select

from packtrace.chain.nodes import WELL, Nodes
from packtrace.chain.nodes import State as NodeState
from packtrace_gateway.alerts.models import Alert
from packtrace_gateway.db import Database
from packtrace_gateway.events.models import Seal, StoredEvent
from packtrace_gateway.exchange.models import (
    Arrival,
    ArrivalState,
    ArrivalUnit,
    Goods,
    HandOver,
    HandOverState,
    ShippedUnit,
)
from packtrace_gateway.ledger.follower import indexed
from packtrace_gateway.metrics.requests import RequestFigures
from packtrace_gateway.metrics.watch import ChainWatch
from packtrace_gateway.outbox.models import IN_FLIGHT, Attempt, OutboxRow, Outcome, State
from packtrace_gateway.outbox.service import Outbox
from packtrace_gateway.workers import Workers

UNCONFIRMED = (State.QUEUED, *IN_FLIGHT)
UNSENT = (HandOverState.WAITING, HandOverState.READY, HandOverState.SENDING)
SEALS = ("signed", "anchored", "final")


class Metrics:
    """All figures of one gateway."""

    def __init__(
        self, database: Database, node: Nodes, outbox: Outbox, workers: Workers, watch: ChainWatch, version: str
    ) -> None:
        self._registry = CollectorRegistry()
        self.requests = RequestFigures(self._registry)
        self._registry.register(_Figures(database, node, outbox, workers, watch, version))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)


class _Figures(Collector):
    def __init__(
        self, database: Database, node: Nodes, outbox: Outbox, workers: Workers, watch: ChainWatch, version: str
    ) -> None:
        self._database = database
        self._node = node
        self._outbox = outbox
        self._workers = workers
        self._watch = watch
        self._version = version

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []  # nothing is asked while the gateway is put together

    def collect(self) -> Iterator[Metric]:
        yield _gauge("packtrace_info", "The program's version; always 1.", 1, version=self._version)
        with self._database.read() as session:
            yield from self._calls(session)
            yield from _events(session)
            yield from _exchange(session)
            yield from self._chain(session)
        yield from self._nodes()
        yield from self._work()

    # ---- the way to the chain ----

    def _calls(self, session: Session) -> Iterator[GaugeMetricFamily]:
        states = _counts(session, OutboxRow.state, State)
        yield _labelled("packtrace_outbox_rows", "Calls to the chain, by state.", "state", states)
        outcomes = _counts(session, Attempt.outcome, Outcome)
        yield _labelled(
            "packtrace_outbox_transactions", "Transactions signed for them, by outcome.", "outcome", outcomes
        )
        attempts = (
            select(func.count())
            .select_from(Attempt)
            .join(OutboxRow, col(OutboxRow.id) == Attempt.row_id)
            .where(col(OutboxRow.state).in_(UNCONFIRMED))
            .group_by(col(Attempt.row_id))
        )
        yield _gauge(
            "packtrace_outbox_attempts_max",
            "Most transactions signed for one call that is in no block yet.",
            max(session.exec(attempts), default=0),
        )
        oldest = select(func.min(OutboxRow.created_at))
        for name, meaning, states_ in (
            ("packtrace_outbox_oldest_unconfirmed_seconds", "that is in no block yet", UNCONFIRMED),
            ("packtrace_outbox_oldest_unfinal_seconds", "that is in a block, but not final", (State.INCLUDED,)),
        ):
            since = session.exec(oldest.where(col(OutboxRow.state).in_(states_))).one()
            yield _gauge(name, f"Age of the oldest call {meaning}; 0 where there is none.", _age(since))
        held = select(func.count()).where(
            col(OutboxRow.state).in_((*UNCONFIRMED, State.INCLUDED)), col(OutboxRow.waiting).is_not(None)
        )
        yield _gauge(
            "packtrace_outbox_held_rows", "Calls that something holds up; see /outbox.", session.exec(held).one()
        )
        stopped = self._outbox.trouble is not None
        yield _gauge("packtrace_outbox_stopped", "Whether nothing can be sent at all; see /outbox.", stopped)

    def _chain(self, session: Session) -> Iterator[GaugeMetricFamily]:
        seen, read = self._watch.seen, indexed(session)
        if seen is None:
            return
        balance = "What a relayer's account holds, in wei."
        yield _labelled("packtrace_relayer_balance_wei", balance, "relayer", seen.balances)
        gaps = "Nonces before a relayer's own transactions that no transaction uses: all after them wait."
        yield _labelled("packtrace_relayer_nonce_gaps", gaps, "relayer", seen.gaps)
        yield _gauge("packtrace_chain_block", "Number of the newest block.", seen.head.number)
        yield _gauge("packtrace_chain_age_seconds", "Age of the newest block.", _age(seen.head.timestamp))
        if seen.final:
            blocks = seen.head.number - seen.final.number
            yield _gauge("packtrace_finality_lag_blocks", "Blocks from the newest final one to the newest.", blocks)
            seconds = seen.head.timestamp - seen.final.timestamp
            yield _gauge("packtrace_finality_lag_seconds", "Time between those two blocks.", seconds)
        if read:
            lag = max(seen.head.number - read.number, 0)
            yield _gauge("packtrace_index_lag_blocks", "Blocks that the index of events is behind.", lag)

    def _nodes(self) -> Iterator[Metric]:
        endpoints = self._node.endpoints
        state = GaugeMetricFamily(
            "packtrace_node_state", "1 for the state that a node is in (docs/operations.md).", labels=("node", "state")
        )
        for endpoint in endpoints:
            for possible in NodeState:
                state.add_metric((endpoint.node.shown, possible), endpoint.state is possible)
        yield state
        well = {endpoint.node.shown: endpoint.state in WELL for endpoint in endpoints}
        yield _labelled("packtrace_node_up", "Whether a node answers, and as a node of this network.", "node", well)
        failures = {endpoint.node.shown: endpoint.failures for endpoint in endpoints}
        yield _labelled("packtrace_node_failures", "A node's failures that are not forgiven yet.", "node", failures)
        seconds = {endpoint.node.shown: endpoint.seconds for endpoint in endpoints}
        yield _labelled("packtrace_node_answer_seconds", "How long a node's last probe took.", "node", seconds)
        asked = {endpoint.node.shown: endpoint.asked for endpoint in endpoints}
        yield _counted("packtrace_node_requests", "Questions to a node, without probes.", "node", asked)
        spent = {endpoint.node.shown: endpoint.spent for endpoint in endpoints}
        yield _counted("packtrace_node_request_seconds", "How long its answers took altogether.", "node", spent)
        disagree = self._node.disagreement is not None
        yield _gauge("packtrace_nodes_disagree", "Whether the nodes disagree about what is final.", disagree)

    def _work(self) -> Iterator[Metric]:
        database = self._database
        yield CounterMetricFamily(
            "packtrace_database_writes", "Transactions that wrote to the database.", value=database.writes
        )
        yield CounterMetricFamily(
            "packtrace_database_write_seconds", "How long they held it altogether.", value=database.write_seconds
        )
        workers = self._workers.health()
        failures = {worker.name: worker.failures for worker in workers}
        yield _labelled("packtrace_worker_failures", "A worker's failures in a row.", "worker", failures)
        running = {worker.name: worker.running for worker in workers}
        yield _labelled("packtrace_worker_up", "Whether a worker runs.", "worker", running)


# ---- events, partners, alerts ----


def _events(session: Session) -> Iterator[GaugeMetricFamily]:
    unsealed = (
        select(func.count())
        .select_from(StoredEvent)
        .where(col(StoredEvent.seal_id).is_(None), col(StoredEvent.secret).is_not(None))
    )
    waits = session.exec(unsealed).one()
    yield _gauge("packtrace_events_unsealed", "Own events that wait for the next seal.", waits)
    found = dict(session.exec(select(Seal.state, func.count()).group_by(col(Seal.state))).all())
    seals = {state: found.get(state, 0) for state in SEALS}
    yield _labelled(
        "packtrace_seals", "Seals, by their proof's state; `signed`: waiting for the chain.", "state", seals
    )
    alerts = select(func.count()).select_from(Alert).where(col(Alert.closed_at).is_(None))
    yield _gauge("packtrace_alerts_open", "Alerts that nobody has closed.", session.exec(alerts).one())


def _exchange(session: Session) -> Iterator[GaugeMetricFamily]:
    hand_overs = _counts(session, HandOver.state, HandOverState)
    yield _labelled("packtrace_hand_overs", "Hand-overs to partners, by state.", "state", hand_overs)
    oldest = select(func.min(HandOver.created_at)).where(col(HandOver.state).in_(UNSENT))
    waits = "Age of the oldest hand-over that is not delivered; 0 where there is none."
    yield _gauge("packtrace_hand_over_oldest_seconds", waits, _age(session.exec(oldest).one()))
    arrivals = _counts(session, Arrival.state, ArrivalState)
    yield _labelled("packtrace_arrivals", "Packages from partners, by state.", "state", arrivals)
    shipped = _counts(session, ShippedUnit.goods, Goods)
    yield _labelled("packtrace_shipped_units", "Cases and pallets shipped, by where the goods are.", "goods", shipped)
    arrived = _counts(session, ArrivalUnit.goods, Goods)
    yield _labelled("packtrace_arrival_units", "Cases and pallets coming, by where the goods are.", "goods", arrived)


# ---- inside ----


def _counts(session: Session, column: Any, states: type[StrEnum]) -> dict[str, int]:
    """How many rows are in each state, those that none is in too."""
    found = dict(session.exec(select(column, func.count()).group_by(column)).all())
    return {state: found.get(state, 0) for state in states}


def _age(since: float | None) -> float:
    return 0.0 if since is None else max(time.time() - since, 0.0)


def _gauge(name: str, meaning: str, value: float, **labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=tuple(labels))
    family.add_metric(tuple(labels.values()), value)
    return family


def _labelled(name: str, meaning: str, label: str, values: Any) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def _counted(name: str, meaning: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, meaning, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family
