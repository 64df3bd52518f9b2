"""Alerts: each says what the index of the chain's events says, or that two packs were seen here with one serial."""

from collections.abc import Iterator

from sqlmodel import Session, select

from packtrace.facts import Refusal, Status
from packtrace_gateway.alerts.duplicates import pair_hash
from packtrace_gateway.alerts.models import Alert
from packtrace_gateway.fsck.report import Checked, Finding
from packtrace_gateway.ledger.indexing import units_of
from packtrace_gateway.ledger.models import CallKind, ConflictRow, DuplicateRow, StatusCallRow


def check_alerts(session: Session, checked: Checked) -> Iterator[Finding]:
    """Every alert; one that the chain took back says what it said before, and nothing can contradict that."""
    for alert in session.exec(select(Alert)):
        checked.note("alerts")
        if not alert.retracted and not _is_told(session, alert):
            yield Finding(f"alert {alert.number}", "the followed chain tells of no such thing in this block")


def _is_told(session: Session, alert: Alert) -> bool:
    place = (alert.block, alert.time)
    if alert.twin is not None:
        asked = (alert.call, alert.asked, alert.refusal)
        if asked != (pair_hash(alert.unit, alert.twin), Status.SUSPECT, Refusal.DUPLICATE):
            return False
        pair = (DuplicateRow.unit == alert.unit, DuplicateRow.twin == alert.twin)
        proofs = session.exec(select(DuplicateRow).where(*pair))
        found = ((row.found, (row.block_number, row.time)) for row in proofs)
        return not alert.block or (alert.found, place) in found
    if alert.refusal:
        conflicts = session.exec(
            select(ConflictRow).where(ConflictRow.call == alert.call, ConflictRow.unit == alert.unit)
        )
        said = (alert.party, alert.asked, alert.found, alert.refusal, *place)
        return any(said == (row.party, row.to, row.found, row.refusal, row.block_number, row.time) for row in conflicts)
    return _is_undone(session, alert)


def _is_undone(session: Session, alert: Alert) -> bool:
    """Whether holder and regulator undid the call: what it had set is in its own row."""
    rows = session.exec(select(StatusCallRow).where(StatusCallRow.call == alert.call)).all()
    if alert.found not in [row.to for row in rows if row.kind is CallKind.CHANGED]:
        return False
    undone = (row for row in rows if row.kind is CallKind.RESTORED)
    return any(
        (row.party, row.block_number, row.time) == (alert.party, alert.block, alert.time)
        and (alert.unit, alert.asked) in zip(units_of(row.units), row.outcomes, strict=True)
        for row in undone
    )
