"""The check of a database: clean after real work, and no stored value can be changed without its being named."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from packtrace.chain.deployment import Deployment
from packtrace.chain.facts import ChainReader
from packtrace.chain.node import Node
from packtrace_gateway.db import Database
from packtrace_gateway.fsck.check import fsck
from packtrace_gateway.fsck.report import Checked, Finding

AUTHORITY, PLANT, WHOLESALER, PHARMACY = 1, 11, 20, 30

# Values that nothing else says, so that nothing can contradict them: who may call, whom one trades with, how often
# something was tried and when, what people wrote; how far a call of ours has come where the chain says nothing of it.
UNPROVEN = {
    "alert": {"number", "why", "retracted", "closed_at", "closed_by"},
    "alert_comment": {"id", "alert", "time", "author", "text"},
    "api_key": {"id", "name", "roles", "secret_hash", "created_at", "last_used_at", "revoked_at"},
    "arrival": {"acknowledged", "attempts", "created_at", "decided_at", "former", "next_try", "reasons", "size"},
    "arrival_piece": {"number"},
    "arrival_unit": {"goods", "note", "outbox", "tried_at"},
    "belonging": {"id"},  # the only row
    "commissioned_batch": {"error", "outbox", "state"},
    "counter": {"next"},  # a gap in the numbers harms nobody
    "drawn_serial": {"fingerprint", "gtin"},
    "gtin_policy": {"alphabet", "gtin", "length"},
    "hand_over": {"attempts", "created_at", "error", "former", "next_try", "sent", "ship_rows", "updated_at"},
    "hand_over_piece": {"number"},
    "joint_call": {"caller", "caller_id", "created_at", "error", "reason"},
    "ledger_batch_event": {"id"},
    "ledger_checkpoint": {"hash", "number", "time"},  # a wrong one makes the follower read again
    # Where a unit is, the chain contradicts only where it says whose it is; tried by itself below.
    "logistic_unit": {"note", "partner", "place", "refusal", "refused"},
    "operation": {"caller", "error", "event", "request"},
    "operation_unit": {"uri"},
    "outbox": {
        "after", "block_time", "caller", "caller_id", "created_at", "error_name", "error_text", "final_at",
        "included_at", "key", "recovered", "reference", "relayer", "retracted", "settled", "signed_block", "tx_nonce",
        "updated_at", "waiting",
    },
    "outbox_attempt": {"created_at", "first_block", "outcome", "row_id"},
    "outbox_lease": {"expires_at", "name", "owner"},
    "partner": {"company", "gln", "name", "party", "salt"},
    "recall_notice": {"caller", "time"},
    "restoration": {"backup_at", "done_at", "id", "lost", "restored_at"},
    "serial_block": {"count", "drawn_at", "drawn_by", "gtin", "id"},
    "shipped_unit": {"goods", "outbox"},
    "unit": {"place"},
}  # fmt: skip
# Columns of the index are all compared in one way; one of each table is tried.
OF_THE_INDEX = {
    "ledger_batch": "count",
    "ledger_custody": "party",
    "ledger_entry": "root",
    "ledger_status_call": "units",
}


@pytest.fixture(scope="module")
def day(world: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Copies of the databases after a pallet went to the wholesaler, a case of it further, an inspection by each of
    them was declared erroneous, and a pack was dispensed.
    """
    pallet, cases, packs = world.pallet()
    seen = {party: inspected(world[party], cases[0]) for party in (PLANT, WHOLESALER)}
    world[PLANT].capture(seen[PLANT])
    world.deliver(PLANT, WHOLESALER, pallet)
    world[WHOLESALER].capture(world[WHOLESALER].unpack(pallet), seen[WHOLESALER])
    world.deliver(WHOLESALER, PHARMACY, cases[0])
    pharmacy = world[PHARMACY]
    pharmacy.capture(pharmacy.unpack(cases[0]))
    scanned = dict(zip(("gtin", "serial"), packs[0].removeprefix("https://id.gs1.org/01/").split("/21/"), strict=True))
    for party, event in seen.items():
        said = {"declarationTime": event["eventTime"], "reason": "did_not_occur"}
        world[party].capture(event | {"errorDeclaration": said})
    world.wait(
        lambda: (
            [entry["kind"] for entry in pharmacy.get("/arrivals") if entry["state"] == "accepted"][:2]
            == ["correction"] * 2
        )
    )
    number = pharmacy.post("/dispense", {"packs": [scanned | {"lot": "L1", "expiry": "2031-05-31"}]})["id"]
    world.wait(lambda: pharmacy.get(f"/operations/{number}")["state"] == "done")
    again = pharmacy.post("/dispense", {"packs": [scanned | {"lot": "L1", "expiry": "2031-05-31"}]})["id"]
    world.wait(lambda: pharmacy.get(f"/operations/{again}")["state"] == "done")
    world.wait(lambda: [alert for alert in pharmacy.get("/alerts") if alert["kind"] == "conflict"])
    lift_together(world)
    folder = tmp_path_factory.mktemp("fsck")
    copies = {}
    for party in (AUTHORITY, PLANT, WHOLESALER, PHARMACY):
        world.wait(lambda party=party: settled(world[party]))
        copies[party] = folder / f"{party}.db"
        world[party].gateway.database.copy_to(copies[party])
        with closing(sqlite3.connect(copies[party])) as connection, connection:
            connection.execute("DELETE FROM alert WHERE block = 0 AND number NOT IN (SELECT alert FROM alert_comment)")
    return copies


def lift_together(world: Any) -> None:
    """The plant locks a pack; the regulator signs for lifting it, and the plant carries both signatures out."""
    plant, (pack,) = world[PLANT], world.stock(1)
    gtin, serial = pack.removeprefix("https://id.gs1.org/01/").split("/21/")
    locked = {"packs": [{"gtin": gtin, "serial": serial, "lot": "L1", "expiry": "2031-05-31"}], "to": "locked"}
    operation = f"/operations/{plant.post('/status', locked)['id']}"
    world.wait(lambda: plant.get(operation)["state"] == "done")
    body = {"units": [str(plant.verify(pack)["unit"])], "reason": "It was examined."}
    document = world[AUTHORITY].post("/joint-calls/lift", body)["document"]
    joint = f"/joint-calls/{plant.post('/joint-calls', document)['number']}"
    plant.post(f"{joint}/consent", {"reason": "It was examined."})
    world.wait(lambda: plant.get(joint)["state"] == "done")


def inspected(party: Any, unit: str) -> dict[str, Any]:
    event: dict[str, Any] = party._event("ObjectEvent", "OBSERVE", "inspecting", epcList=[unit])
    return event


def settled(party: Any) -> bool:
    """Whether nothing of a gateway's calls can change any more."""
    return all(call["state"] in ("final", "reverted", "superseded") for call in party.get("/outbox")["calls"])


@pytest.fixture(scope="module")
def reader(world: Any) -> ChainReader:
    settings = world[PLANT].settings
    return ChainReader(Node(settings.node[0]), Deployment.load(settings.deployment), settings.finality)


def differences(file: Path, party: int, reader: ChainReader, *, offline: bool = False) -> tuple[list[Finding], Checked]:
    database, checked = Database(f"sqlite:///{file}"), Checked()
    try:
        return list(fsck(database, party, reader.deployment, None if offline else reader, checked)), checked
    finally:
        database.close()


@pytest.mark.parametrize("party", [AUTHORITY, PLANT, WHOLESALER, PHARMACY])
def test_a_database_after_real_work_has_no_differences(day: dict[int, Path], reader: ChainReader, party: int) -> None:
    found, checked = differences(day[party], party, reader)
    assert [str(finding) for finding in found] == []
    assert checked.counts["events"] > 0
    assert checked.counts["index rows"] > 0


def columns(file: Path) -> Iterator[tuple[str, str]]:
    """Every column that has a value in some row."""
    with closing(sqlite3.connect(file)) as connection:
        for table in SQLModel.metadata.sorted_tables:
            for column in table.columns:
                query = f'SELECT 1 FROM "{table.name}" WHERE "{column.name}" IS NOT NULL LIMIT 1'
                if connection.execute(query).fetchone():
                    yield table.name, column.name


def change(file: Path, table: str, column: str) -> None:
    """Another value of the same type in one row."""
    with closing(sqlite3.connect(file)) as connection, connection:
        (value, *key), names = first_row(connection, table, column)
        if isinstance(value, bytes):
            new: Any = bytes([value[0] ^ 1]) + value[1:] if value else b"\x01"
        elif isinstance(value, int | float):
            new = value + 1
        else:
            new = value + "x"
        where = " AND ".join(f'"{name}" IS ?' for name in names)
        connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE {where}', (new, *key))


def first_row(connection: sqlite3.Connection, table: str, column: str) -> tuple[tuple[Any, ...], list[str]]:
    names = [info[1] for info in connection.execute(f'PRAGMA table_info("{table}")') if info[5]]
    keys = ", ".join(f'"{name}"' for name in names)
    row = connection.execute(
        f'SELECT "{column}", {keys} FROM "{table}" WHERE "{column}" IS NOT NULL ORDER BY {keys} LIMIT 1'
    ).fetchone()
    return row, names


@pytest.mark.timeout(900)
def test_every_stored_value_that_something_else_says_too_is_checked(
    day: dict[int, Path], reader: ChainReader, tmp_path: Path
) -> None:
    """One row of each column of each table changed, one at a time, but for what is listed above."""
    noticed: set[tuple[str, str]] = set()
    unnoticed: set[tuple[str, str]] = set()
    for party in (PHARMACY, PLANT):
        for table, column in columns(day[party]):
            if (table, column) in noticed or column in UNPROVEN.get(table, ()):
                continue
            if table.startswith("ledger_") and OF_THE_INDEX.get(table) != column:
                continue
            file = tmp_path / f"{party}-{table}-{column}.db"  # a name of its own: SQLite keeps files beside it
            shutil.copy(day[party], file)
            try:
                change(file, table, column)
            except sqlite3.IntegrityError:
                continue  # the database itself refuses it
            found, _ = differences(file, party, reader, offline=True)
            if not found and party == PHARMACY:
                found, _ = differences(file, party, reader)
            (noticed if found else unnoticed).add((table, column))
    assert len(noticed) > 80
    assert unnoticed - noticed == set()


def test_who_is_not_told_that_an_event_was_erroneous_is_named(
    day: dict[int, Path], reader: ChainReader, tmp_path: Path
) -> None:
    """The plant's database has forgotten that the wholesaler is to be told."""
    file = tmp_path / "plant.db"
    shutil.copy(day[PLANT], file)
    with closing(sqlite3.connect(file)) as connection, connection:
        correction = "(SELECT id FROM hand_over WHERE kind = 'correction')"
        for table in ("hand_over_piece", "disclosed_event"):
            connection.execute(f"DELETE FROM {table} WHERE hand_over IN {correction}")
        connection.execute("DELETE FROM hand_over WHERE kind = 'correction'")
    found, _ = differences(file, PLANT, reader, offline=True)
    untold = [finding.what for finding in found if finding.what.endswith("and is not told of this")]
    assert any(what.startswith(f"party {WHOLESALER} was shown event") for what in untold)


def test_a_unit_that_is_not_here_by_the_chain_is_named(
    day: dict[int, Path], reader: ChainReader, tmp_path: Path
) -> None:
    """The plant's database says that the pallet which it shipped is still there."""
    file = tmp_path / "plant.db"
    shutil.copy(day[PLANT], file)
    with closing(sqlite3.connect(file)) as connection, connection:
        query = "SELECT max(id), uri FROM logistic_unit WHERE place = 2 AND parent IS NULL"
        number, uri = connection.execute(query).fetchone()
        connection.execute("UPDATE logistic_unit SET place = 1 WHERE id = ?", (number,))
    found, _ = differences(file, PLANT, reader)
    assert [finding.where for finding in found] == [uri]
    assert "on chain" in found[0].what
