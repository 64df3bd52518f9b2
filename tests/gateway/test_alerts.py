"""Which conflicts open an alert, for whom, and what a reorganisation changes of it."""

from pathlib import Path
from typing import Any

import pytest

from packtrace.gs1 import with_check_digit
from packtrace_gateway import settings
from packtrace_gateway.alerts.service import AlertService
from packtrace_gateway.db import Database
from packtrace_gateway.ledger.models import BatchRow, ConflictRow, RegistryRow
from packtrace_gateway.settings import Settings

PARTY, COMPANY, OTHER = 7, 5, 30
UNIT = 77 << 20
WHERE = {"block_number": 9, "log_index": 0, "tx_hash": bytes(32), "time": 1_800_000_000}


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    values = {
        "party": PARTY,
        "company": COMPANY,
        "name": "x",
        "gln": with_check_digit("950600000007"),
        "gln_salt": "00" * 16,
    }
    return settings.from_values(values | {"node": "http://127.0.0.1:1", "deployment": "x.json"}, folder=tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Any:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    database.migrate()
    yield database
    database.close()


def conflict(call: int = 1, **more: Any) -> ConflictRow:
    known = {"unit": UNIT, "party": OTHER, "call": bytes([call]) * 32, "to": 1, "found": 1, "refusal": 1}
    return ConflictRow(**(known | WHERE | more))


def roles(number: int, event: str, block: int) -> RegistryRow:
    return RegistryRow(
        event=event, party=PARTY, args={"party": PARTY, "roles": number}, **WHERE | {"block_number": block}
    )


def test_the_callers_the_holders_and_the_regulators_alerts(own: Settings, database: Database) -> None:
    alerts = AlertService(own, database)
    with database.write() as session:
        alerts.on_conflict(session, conflict(1))
        alerts.on_conflict(session, conflict(2, party=PARTY))
        session.add(BatchRow(batch=77, mah=COMPANY, product=1, lot_key=bytes(32), count=5, **WHERE))
        alerts.on_conflict(session, conflict(3))
    assert [(alert.why, alert.call[0]) for alert in alerts.all(open_only=True)] == [("holder", 3), ("caller", 2)]


def test_a_party_becomes_a_regulator_and_ceases_to_be_one_while_its_gateway_runs(
    own: Settings, database: Database
) -> None:
    """From the registry's own events: there is no node to be asked, and nobody waits for one."""
    alerts = AlertService(own, database)
    with database.write() as session:
        session.add(roles(16, "PartyRegistered", 1))
        alerts.on_conflict(session, conflict(1))
        session.add(roles(1, "LicenceChanged", 2))
        alerts.on_conflict(session, conflict(2))
        session.add(roles(16, "LicenceChanged", 3))
        alerts.on_conflict(session, conflict(3))
    assert [(alert.why, alert.call[0]) for alert in alerts.all(open_only=True)] == [("regulator", 2)]


def test_a_conflict_in_another_block_is_the_same_alert_and_says_what_was_found_there(
    own: Settings, database: Database
) -> None:
    alerts = AlertService(own, database)
    with database.write() as session:
        alerts.on_conflict(session, conflict(party=PARTY))
        alerts.on_retracted(session, 8)
    assert alerts.one(1)[0].retracted
    with database.write() as session:
        alerts.on_conflict(session, conflict(party=PARTY, found=7, refusal=1, block_number=12))
    (alert,) = alerts.all(open_only=False)
    assert (alert.number, alert.retracted, alert.found, alert.block) == (1, False, 7, 12)


def test_all_alerts_can_be_seen_page_by_page(own: Settings, database: Database) -> None:
    alerts = AlertService(own, database)
    with database.write() as session:
        for call in range(5):
            alerts.on_conflict(session, conflict(call, party=PARTY))
    pages, before = [], None
    while page := alerts.all(open_only=False, before=before, limit=2):
        pages.append([alert.call[0] for alert in page])
        before = page[-1].number
    assert pages == [[4, 3], [2, 1], [0]]
