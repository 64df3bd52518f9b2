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

# Values that nothing else says, so that nothing can contradict them: for each table, its columns.
UNPROVEN = {
    "api_key": {"id", "name", "roles", "secret_hash", "created_at", "last_used_at", "revoked_at"},
    "gtin_policy": {"gtin", "length", "alphabet"},
    "serial_block": {"id", "gtin", "count", "drawn_at", "drawn_by"},
    "drawn_serial": {"gtin", "fingerprint"},
    "partner": {"gln", "party", "salt", "name"},
    "restoration": {"id", "backup_at", "restored_at", "done_at", "lost"},
    "outbox_lease": {"name", "owner", "expires_at"},
    "ledger_checkpoint": {"number", "hash", "time"},  # a wrong one makes the follower read again
    "alert": {"number", "party", "why", "retracted", "closed_at", "closed_by"},
    "alert_comment": {"id", "alert", "time", "author", "text"},
}


@pytest.fixture(scope="module")
def day(world: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Copies of the databases after a pallet went to the wholesaler, a case of it further, and a pack was dispensed."""
    pallet, cases, packs = world.pallet()
    world.deliver(PLANT, WHOLESALER, pallet)
    world[WHOLESALER].capture(world[WHOLESALER].unpack(pallet))
    world.deliver(WHOLESALER, PHARMACY, cases[0])
    pharmacy = world[PHARMACY]
    pharmacy.capture(pharmacy.unpack(cases[0]))
    scanned = dict(zip(("gtin", "serial"), packs[0].removeprefix("https://id.gs1.org/01/").split("/21/"), strict=True))
    number = pharmacy.post("/dispense", {"packs": [scanned | {"lot": "L1", "expiry": "2031-05-31"}]})["id"]
    world.wait(lambda: pharmacy.get(f"/operations/{number}")["state"] == "done")
    folder = tmp_path_factory.mktemp("fsck")
    copies = {}
    for party in (AUTHORITY, PLANT, WHOLESALER, PHARMACY):
        world.wait(lambda party=party: not world[party].trouble()[1])
        copies[party] = folder / f"{party}.db"
        world[party].gateway.database.copy_to(copies[party])
    return copies


@pytest.fixture(scope="module")
def reader(world: Any) -> ChainReader:
    settings = world[PLANT].settings
    return ChainReader(Node(settings.node), Deployment.load(settings.deployment), settings.finality)


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
    """One row of each column of each table changed, one at a time; what is not noticed is listed here, and no more."""
    noticed, unnoticed = set(), set()
    for number, (party, table, column) in enumerate(
        (party, *where) for party in (PLANT, WHOLESALER, PHARMACY) for where in columns(day[party])
    ):
        file = tmp_path / f"{number}.db"
        shutil.copy(day[party], file)
        try:
            change(file, table, column)
        except sqlite3.IntegrityError:
            continue
        found = differences(file, party, reader, offline=True)[0] or (
            party == PHARMACY and differences(file, party, reader)[0]
        )
        (noticed if found else unnoticed).add((table, column))
        file.unlink()
    survivors: dict[str, set[str]] = {}
    for table, column in unnoticed - noticed:
        survivors.setdefault(table, set()).add(column)
    print(survivors)
