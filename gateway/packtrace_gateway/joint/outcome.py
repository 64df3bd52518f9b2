"""What became of joint calls: from the followed chain, for both parties alike; a refusal from the outbox."""

from sqlalchemy import select, update
from sqlmodel import Session

from packtrace_gateway.joint.document import Document, Lift, Restore, packed, receipt_of, units_of
from packtrace_gateway.joint.models import OPEN, JointCall, JointState, Side
from packtrace_gateway.ledger.indexing import Listener
from packtrace_gateway.ledger.models import CallKind, StatusCallRow
from packtrace_gateway.outbox.models import OutboxRow
from packtrace_gateway.outbox.service import Handler, Outbox
from packtrace_gateway.settings import Settings

KINDS = {CallKind.LIFTED: Lift, CallKind.RESTORED: Restore}
# Of several that fit, the one whose consents both are known here is taken first.
ORDER = (JointState.ORDERED, JointState.REFUSED, JointState.OFFERED, JointState.RECEIVED)


class JointOutcomes(Listener):
    """Give it to the follower, and `register` it with the outbox."""

    def __init__(self, settings: Settings) -> None:
        self._party = settings.party

    def register(self, outbox: Outbox) -> None:
        for function in ("liftStatus", "restoreStatus"):
            outbox.register("PackLedger", function, _Refusals())

    def on_status(self, session: Session, call: StatusCallRow) -> None:
        if call.kind not in KINDS:
            return
        rows = session.execute(select(JointCall).where(JointCall.state.in_(OPEN))).scalars()  # type: ignore[attr-defined]
        fitting = [row for row in rows if self._is(session, row, call)]
        if not fitting:
            return
        row = min(fitting, key=lambda one: (ORDER.index(one.state), one.id))
        row.state, row.error, row.outcomes = JointState.DONE, None, call.outcomes
        row.block, row.time = call.block_number, call.time
        session.add(row)

    def on_retracted(self, session: Session, number: int) -> None:
        lost = update(JointCall).where(JointCall.block > number)  # type: ignore[arg-type, operator]
        nothing = {"outcomes": None, "block": None, "time": None}
        for started, state in ((True, JointState.OFFERED), (False, JointState.ORDERED)):
            session.execute(lost.where(JointCall.started.is_(started)).values(state=state, **nothing))  # type: ignore[attr-defined]

    def _is(self, session: Session, row: JointCall, call: StatusCallRow) -> bool:
        """Whether the call on chain is this one: the same parties signed for the same units."""
        document = Document.model_validate_json(row.document)
        what = document.what
        ours = call.party if row.side is Side.HOLDER else call.second_party
        if ours != self._party or not isinstance(what, KINDS[call.kind]) or packed(units_of(what)) != call.units:
            return False
        if isinstance(what, Restore):
            return receipt_of(what).id == call.call
        digest = _holders_digest(session, row, document)
        return digest is None or digest == call.call  # a lift is known by the holder's consent


def _holders_digest(session: Session, row: JointCall, document: Document) -> bytes | None:
    """The EIP-712 digest of the holder's consent; None where it is not known here."""
    if document.side is Side.HOLDER:
        return row.digest
    sent = session.get(OutboxRow, row.outbox) if row.outbox is not None else None
    return sent.digest if sent else None


class _Refusals(Handler):
    """The chain refused the call as a whole. What it did is known from the followed chain."""

    def on_included(self, session: Session, row: OutboxRow, events: object) -> None:  # noqa: ARG002
        self._set(session, row, JointState.REFUSED, JointState.ORDERED, None)

    def on_reverted(self, session: Session, row: OutboxRow) -> None:
        self._set(session, row, JointState.ORDERED, JointState.REFUSED, f"{row.error_name}: {row.error_text}")

    def _set(self, session: Session, row: OutboxRow, start: JointState, end: JointState, error: str | None) -> None:
        mine = (JointCall.outbox == row.id, JointCall.state == start)
        session.execute(update(JointCall).where(*mine).values(state=end, error=error))  # type: ignore[arg-type]
