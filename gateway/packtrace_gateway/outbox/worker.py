"""The outbox's background work: one pass looks at the chain, moves what has moved, signs and sends what is due.

Every step stores what it is about to do before it does it, so that a pass that is killed anywhere is simply continued
by the next one, in this process or another.
"""

import logging
import time

from packtrace.errors import ChainError
from packtrace_gateway.outbox import moves, recovery, sending, signing, tracking
from packtrace_gateway.outbox.context import Context, View
from packtrace_gateway.outbox.lanes import Lane, carried_out, positions
from packtrace_gateway.outbox.lease import LEASE_SECONDS, LeaseLostError
from packtrace_gateway.outbox.models import IN_FLIGHT, State

log = logging.getLogger(__name__)

RESEND_SECONDS = 10.0
TROUBLE_SECONDS = 2.0  # until the next try when the node does not answer, or another process owns the outbox
IDLE_SECONDS = 2.0
SOON = 0.05  # an instant chain has the receipt at once


class OutboxWorker:
    """Give `run_once` to the gateway's workers, and the worker's `wake` to `Outbox.on_queued`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._renewed = 0.0
        self._checked = False  # the node is the deployment's, and every lane was compared with the chain
        self._head: bytes | None = None
        self._final: bytes | None = None
        self._resent = 0.0

    def run_once(self) -> float:
        """One pass; the seconds until the next. A node that does not answer is no failure: everything waits."""
        try:
            self._own()
            with self._context.node.one():
                delay = self._pass()
        except (LeaseLostError, ChainError) as error:
            if self._context.outbox.trouble is None:
                log.warning("the outbox waits: %s", error)
            self._context.outbox.trouble = str(error)
            self._checked, self._head, self._final = False, None, None
            return TROUBLE_SECONDS
        if self._context.outbox.trouble is not None:
            log.info("the outbox goes on")
            self._context.outbox.trouble = None
        return delay

    def close(self) -> None:
        """Let another process have the outbox."""
        with self._context.database.write() as session:
            self._context.ownership.release(session)
        self._renewed = 0.0

    def _own(self) -> None:
        if not 0 <= time.monotonic() - self._renewed < LEASE_SECONDS / 4:
            with self._context.database.write() as session:
                self._context.ownership.take(session)
            self._renewed = time.monotonic()

    def _pass(self) -> float:
        context = self._context
        if not self._checked:
            context.node.check(context.deployment)
        view = tracking.look(context)
        moved = view.head.hash != self._head
        late = not 0 <= time.monotonic() - self._resent < RESEND_SECONDS
        if moved:
            tracking.take_back(context)
        states = self._unfinished()  # most passes of a quiet day have nothing to do: they must cost next to nothing
        if (moved or late) and states.intersection(IN_FLIGHT):
            tracking.collect(context, view)
            states = self._unfinished()
        news = view.final is not None and (moved or view.final.hash != self._final)
        if view.final is not None and news and states & {State.INCLUDED, State.REVERTED}:
            tracking.finalise(context, view.final)
        if State.INCLUDED in states:
            tracking.contest(context)
        everything = not self._checked or context.outbox.compared is None
        if states - {State.INCLUDED} or everything:
            self._account(view, everything=everything)
            states = self._unfinished()
        if everything:
            context.outbox.compared = (view.head.number, view.final.number if view.final else -1)
        sent = 0
        if states.intersection(IN_FLIGHT):
            if moved or late:
                sending.send_again(context, view)
            sent = sending.send_due(context, view, all_of_them=moved or late)
        if late:
            self._resent = time.monotonic()
        self._checked, self._head = True, view.head.hash
        self._final = view.final.hash if view.final else None
        if sent:
            return SOON
        under_way = states - {State.REVERTED}
        return context.policy.poll_seconds if under_way else max(IDLE_SECONDS, context.policy.poll_seconds)

    def _unfinished(self) -> set[State]:
        with self._context.database.read() as session:
            return moves.unfinished(session)

    def _account(self, view: View, *, everything: bool) -> None:
        """Compare the lanes with the chain, and sign what is due on those where both agree."""
        context = self._context
        lanes = signing.busy_lanes(context, all_of_them=everything)
        chain = positions(context, lanes, view.head)
        for lane, position in chain.items():
            with context.database.read() as session:
                ahead = position > carried_out(session, lane)
            if ahead:
                self._reconcile(view, lane, position)
        signing.drop_dead(context, view, chain)
        signing.sign_due(context, view, chain)

    def _reconcile(self, view: View, lane: Lane, position: int) -> None:
        try:
            recovery.reconcile(self._context, view, lane, position)
        except (LeaseLostError, ChainError):
            raise
        except Exception:  # one lane's trouble (a feature's handler) must not stop the others
            log.exception("lane %d of %s on %s cannot be accounted for", lane.lane, lane.signer, lane.contract)
