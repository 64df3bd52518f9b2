"""Opening alerts from the followed chain, and working them."""

import time

from sqlalchemy import select, update
from sqlmodel import Session

from packtrace.errors import LifecycleError
from packtrace.facts import Refusal, Status, batch_of_unit
from packtrace.receipt import REFUSED
from packtrace_gateway.alerts.duplicates import pair_hash
from packtrace_gateway.alerts.models import Alert, AlertComment
from packtrace_gateway.db import Database
from packtrace_gateway.ledger import service as ledger
from packtrace_gateway.ledger.indexing import Listener, units_of
from packtrace_gateway.ledger.models import BatchRow, CallKind, ConflictRow, DuplicateRow, RegistryRow, StatusCallRow
from packtrace_gateway.problems import NotFoundError
from packtrace_gateway.settings import Settings

MAX_LISTED = 500
ROLE_REGULATOR = 1  # IPartyRegistry
LICENCES = ("PartyRegistered", "LicenceChanged")  # its events that say a party's roles


class AlertService(Listener):
    """Alerts of one gateway: of its own calls, of its company's packs, and, for a regulator, of all."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def on_conflict(self, session: Session, conflict: ConflictRow) -> None:
        why = self._why(session, conflict)
        if why is None:
            return
        known = session.execute(
            select(Alert).where(Alert.call == conflict.call, Alert.unit == conflict.unit)  # type: ignore[arg-type]
        ).scalar()
        alert = known or Alert(
            unit=conflict.unit,
            call=conflict.call,
            party=conflict.party,
            asked=conflict.to,
            found=conflict.found,
            refusal=conflict.refusal,
            block=conflict.block_number,
            time=conflict.time,
            why=why,
        )
        # In another block the same call may have found another status.
        alert.found, alert.refusal = conflict.found, conflict.refusal
        alert.block, alert.time, alert.retracted = conflict.block_number, conflict.time, False
        session.add(alert)

    def on_duplicate(self, session: Session, duplicate: DuplicateRow) -> None:
        """For the holder and the regulator: they alone can say which of the two is the true one."""
        why = self._concern(session, duplicate.unit)
        if why is None:
            return
        pair = pair_hash(duplicate.unit, duplicate.twin)
        known = session.execute(select(Alert).where(Alert.call == pair)).scalar()  # type: ignore[arg-type]
        alert = known or Alert(
            unit=duplicate.unit,
            twin=duplicate.twin,
            call=pair,
            asked=Status.SUSPECT,
            found=duplicate.found,
            refusal=Refusal.DUPLICATE,
            block=duplicate.block_number,
            time=duplicate.time,
            why=why,
        )
        alert.found = duplicate.found
        alert.block, alert.time, alert.retracted = duplicate.block_number, duplicate.time, False
        session.add(alert)

    def on_status(self, session: Session, call: StatusCallRow) -> None:
        """For the caller whose changes holder and regulator undid: its records say what is not so any more."""
        if call.kind is not CallKind.RESTORED:
            return
        undone = ledger.receipt(session, call.call)
        if undone is None or undone["party"] != self._settings.party:
            return
        for unit, outcome in zip(units_of(call.units), call.outcomes, strict=True):
            if outcome >= REFUSED:
                continue
            mine = (Alert.call == call.call, Alert.unit == unit)
            known = session.execute(select(Alert).where(*mine)).scalar()  # type: ignore[arg-type]
            alert = known or Alert(
                unit=unit,
                call=call.call,
                party=call.party,
                asked=outcome,
                found=int(str(undone["to"])),
                refusal=Refusal.NONE,
                block=call.block_number,
                time=call.time,
                why="caller",
            )
            alert.block, alert.time, alert.retracted = call.block_number, call.time, False
            session.add(alert)

    def on_retracted(self, session: Session, number: int) -> None:
        session.execute(update(Alert).where(Alert.block > number).values(retracted=True))  # type: ignore[arg-type]

    def _why(self, session: Session, conflict: ConflictRow) -> str | None:
        if conflict.party == self._settings.party:
            return "caller"
        return self._concern(session, conflict.unit)

    def _concern(self, session: Session, unit: int) -> str | None:
        """What a unit is to us."""
        batch = session.get(BatchRow, batch_of_unit(unit))
        if batch is not None and batch.mah == self._settings.company:
            return "holder"
        return "regulator" if self._is_regulator(session) else None

    def _is_regulator(self, session: Session) -> bool:
        """By the registry's events up to the conflict: no question to a node holds the database's only writer up."""
        mine = (RegistryRow.party == self._settings.party, RegistryRow.event.in_(LICENCES))  # type: ignore[attr-defined]
        newest = (RegistryRow.block_number.desc(), RegistryRow.log_index.desc())  # type: ignore[attr-defined]
        row = session.execute(select(RegistryRow).where(*mine).order_by(*newest).limit(1)).scalar()  # type: ignore[arg-type]
        return row is not None and bool(int(str(row.args["roles"])) & ROLE_REGULATOR)

    def all(self, *, open_only: bool, before: int | None = None, limit: int = MAX_LISTED) -> list[Alert]:
        """Alerts, the newest first; `before` is the number of the last one of the page before."""
        query = select(Alert).order_by(Alert.number.desc()).limit(limit)  # type: ignore[union-attr]
        if open_only:
            query = query.where(Alert.closed_at.is_(None))  # type: ignore[union-attr]
        if before is not None:
            query = query.where(Alert.number < before)  # type: ignore
        with self._database.read() as session:
            return list(session.execute(query).scalars())

    def one(self, number: int) -> tuple[Alert, list[AlertComment]]:
        """An alert with its comments, oldest first. Raises NotFoundError."""
        query = select(AlertComment).where(AlertComment.alert == number).order_by(AlertComment.id)  # type: ignore
        with self._database.read() as session:
            return self._alert(session, number), list(session.execute(query).scalars())

    def comment(self, number: int, author: str, text: str) -> None:
        """Add a comment to an alert, open or closed."""
        with self._database.write() as session:
            self._alert(session, number)
            session.add(AlertComment(alert=number, time=int(time.time()), author=author, text=text))

    def close(self, number: int, author: str, text: str) -> None:
        """Close an alert, saying why. Raises LifecycleError when it is closed already."""
        with self._database.write() as session:
            alert = self._alert(session, number)
            if alert.closed_at is not None:
                raise LifecycleError(f"this alert was closed by {alert.closed_by}", field="number", value=number)
            now = int(time.time())
            session.add(AlertComment(alert=number, time=now, author=author, text=text))
            alert.closed_at, alert.closed_by = now, author
            session.add(alert)

    def _alert(self, session: Session, number: int) -> Alert:
        alert = session.get(Alert, number)
        if alert is None:
            raise NotFoundError("there is no such alert", field="number", value=number)
        return alert
