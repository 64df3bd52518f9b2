"""The database on real files: durability, isolation, contention, schema versions."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.schema import CreateTable
from sqlmodel import Session, SQLModel, select, text

import packtrace_gateway.app  # noqa: F401 (brings every feature's tables)
from packtrace_gateway import db
from packtrace_gateway.access.models import ApiKey
from packtrace_gateway.db import Database, DatabaseStateError


def row(key_id: str) -> ApiKey:
    return ApiKey(id=key_id, name="n", roles="admin", secret_hash=b"h", created_at=1)


def ids(session: Session) -> set[str]:
    return set(session.exec(select(ApiKey.id)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{file}")
    made.migrate()
    yield made
    made.close()


def test_what_was_written_is_read_by_another_program(database: Database, file: Path) -> None:
    with database.write() as session:
        session.add(row("a"))
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT id FROM api_key").fetchall() == [("a",)]
    other.close()


def test_an_exception_in_a_write_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as session:
            session.add(row("a"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.read() as session:
        assert ids(session) == set()


def test_objects_can_be_used_after_the_session_has_ended(database: Database) -> None:
    with database.write() as session:
        stored = row("a")
        session.add(stored)
    assert stored.name == "n"


def test_a_read_cannot_write(database: Database) -> None:
    with database.read() as session, pytest.raises(OperationalError, match="readonly"):
        session.execute(text("DELETE FROM api_key"))


def test_a_read_sees_one_snapshot_while_others_write(database: Database) -> None:
    with database.read() as before:
        assert ids(before) == set()
        with database.write() as session:
            session.add(row("a"))
        assert ids(before) == set()
    with database.read() as after:
        assert ids(after) == {"a"}


def test_readers_do_not_wait_for_the_writer_nor_see_its_work(database: Database) -> None:
    with database.write() as session:
        session.add(row("a"))
        session.flush()
        seen: list[set[str]] = []

        def look() -> None:
            with database.read() as reader:
                seen.append(ids(reader))

        threads = [threading.Thread(target=look) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert seen == [set()] * 12


def test_a_commit_is_synced_and_foreign_keys_are_enforced(database: Database) -> None:
    with database.write() as session:
        pragmas = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}  # 2 is FULL


def test_threads_that_contend_for_the_write_lose_no_update(database: Database) -> None:
    with database.write() as session:
        session.add(ApiKey(id="counter", name="n", roles="admin", secret_hash=b"", created_at=0))

    def count() -> None:
        for _ in range(50):
            with database.write() as session:
                counter = session.get_one(ApiKey, "counter")
                counter.created_at += 1  # read, then written: lost without the lock

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.get_one(ApiKey, "counter").created_at == 200


COUNT = """
import sys
from packtrace_gateway.db import Database
from packtrace_gateway.access.models import ApiKey
database = Database(sys.argv[1])
for _ in range(50):
    with database.write() as session:
        session.get_one(ApiKey, "counter").created_at += 1
"""


def test_processes_that_contend_for_the_write_lose_no_update(database: Database, file: Path) -> None:
    with database.write() as session:
        session.add(ApiKey(id="counter", name="n", roles="admin", secret_hash=b"", created_at=0))
    command = [sys.executable, "-c", COUNT, f"sqlite:///{file}"]
    processes = [subprocess.Popen(command) for _ in range(2)]
    for _ in range(50):
        with database.write() as session:
            session.get_one(ApiKey, "counter").created_at += 1
    assert [process.wait(60) for process in processes] == [0, 0]
    with database.read() as session:
        assert session.get_one(ApiKey, "counter").created_at == 150


def test_a_write_inside_a_write_is_an_error_and_not_a_deadlock(database: Database) -> None:
    with pytest.raises(RuntimeError, match="write inside a write"), database.write(), database.write():
        pass
    with database.write() as session:  # and the lock is free again
        session.add(row("a"))


def test_a_write_that_waits_too_long_says_so(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "WRITE_TIMEOUT", 0.05)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with database.write():
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(10)
    with pytest.raises(db.DatabaseBusyError, match="send the request again"), database.write():
        pass
    leave.set()
    holder.join()


def test_a_full_disk_is_said_and_leaves_nothing(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with database.write() as session:
        session.add(row("before"))
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
        session.execute(text(f"PRAGMA max_page_count = {pages}"))  # on the one connection that writes
    with pytest.raises(db.DatabaseWriteError, match="the disk is full"), database.write() as session:
        session.add_all(row(f"{number}") for number in range(1000))
    assert "database or disk is full" in caplog.text, "the operator reads it too"
    with database.read() as session:
        assert ids(session) == {"before"}
    with database.write() as session:
        session.execute(text("PRAGMA max_page_count = 100000"))
        session.add(row("after"))


def test_another_program_that_holds_the_database_is_waited_for_and_then_named(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "BUSY_TIMEOUT", 0.05)
    mine = Database(f"sqlite:///{file}")
    with database.write(), pytest.raises(db.DatabaseBusyError, match="another program"), mine.write():
        pass
    mine.close()


def test_an_error_in_the_log_holds_none_of_the_values(database: Database) -> None:
    """Those of an event are its secret and its serial numbers."""
    with pytest.raises(IntegrityError) as failed, database.write() as session:
        session.add(ApiKey(id="a", name=None, roles="top secret", secret_hash=b"", created_at=1))
    assert "top secret" not in str(failed.value)


def test_a_file_that_others_can_read_is_warned_of(
    database: Database, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database.check_schema()
    assert "chmod" not in caplog.text
    file.chmod(0o644)
    database.check_schema()
    assert f"chmod 600 {file}" in caplog.text


HOLD = """
import sys, time
from packtrace_gateway.db import Database
from packtrace_gateway.access.models import ApiKey
database = Database(sys.argv[1])
with database.write() as session:
    session.add(ApiKey(id="committed", name="n", roles="admin", secret_hash=b"", created_at=0))
with database.write() as session:
    for number in range(20000):
        session.add(ApiKey(id=str(number), name="n" * 100, roles="admin", secret_hash=b"", created_at=0))
    session.flush()
    print("written", flush=True)
    time.sleep(60)
"""


def test_a_kill_between_begin_and_commit_leaves_only_what_was_committed(database: Database, file: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, f"sqlite:///{file}"], stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    started = time.monotonic()
    with database.write() as session:  # the dead process holds no lock
        session.add(row("after"))
    assert time.monotonic() - started < 5
    with database.read() as session:
        assert ids(session) == {"committed", "after"}
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"


def test_migrating_twice_changes_nothing_and_keeps_the_rows(database: Database) -> None:
    with database.write() as session:
        session.add(row("a"))
    database.migrate()
    database.check_schema()
    with database.read() as session:
        assert ids(session) == {"a"}


def test_the_migrated_schema_is_what_the_models_say(database: Database) -> None:
    def differs(context: Any, _column: Any, _model: Any, found: Any, wanted: Any) -> bool:
        return found._type_affinity is not wanted.dialect_impl(context.dialect)._type_affinity

    with database.write() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": differs})
        found = Counter(map(readable, compare_metadata(context, SQLModel.metadata)))
    # An index under another name is no difference.
    assert [what for what, times in found.items() if found[opposite(what)] != times] == []


def readable(difference: Any) -> str:
    kind, *rest = difference if isinstance(difference, tuple) else difference[0]
    if kind.endswith("_index"):
        index = rest[0]
        return f"{kind} {index.table.name} {[column.name for column in index.columns]} {bool(index.unique)}"
    return f"{kind} {rest}"


def opposite(what: str) -> str:
    kind, rest = what.split(" ", 1)
    return {"add_index": "remove_index ", "remove_index": "add_index "}.get(kind, "none ") + rest


def test_every_table_can_be_made_in_postgresql() -> None:
    for table in SQLModel.metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


def test_the_file_is_readable_by_its_owner_only(database: Database, file: Path) -> None:
    with database.write() as session:
        session.add(row("a"))
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in file.parent.glob("gateway.db*")}
    assert set(modes.values()) == {"0o600"}, modes


def test_a_database_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    with pytest.raises(DatabaseStateError, match="packtrace gateway migrate"):
        Database(f"sqlite:///{file}").check_schema()
    assert not file.exists()


def test_an_empty_database_is_older_than_the_program(file: Path) -> None:
    file.touch()
    with pytest.raises(DatabaseStateError, match="has schema none, older than this program's"):
        Database(f"sqlite:///{file}").check_schema()


def test_a_database_of_a_newer_program_is_left_alone(database: Database) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for check in (database.check_schema, database.migrate):
        with pytest.raises(DatabaseStateError, match=r"schema 9999, .* written by a newer packtrace"):
            check()


def test_a_file_that_is_no_database_is_named(file: Path) -> None:
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(DatabaseStateError, match=r"gateway\.db is not a database that can be read"):
        Database(f"sqlite:///{file}").check_schema()


@pytest.mark.parametrize("url", ["postgresql://host/x", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_only_files_are_taken(url: str) -> None:
    with pytest.raises(DatabaseStateError):
        Database(url)


def test_a_url_with_a_password_is_not_repeated() -> None:
    with pytest.raises(DatabaseStateError) as refused:
        Database("postgresql://user:topsecret@host/x")
    assert "topsecret" not in str(refused.value)


REVISION = """
from alembic import op
revision, down_revision = "{name}", {before}
def upgrade():
    {work}
"""


def with_revisions(folder: Path, monkeypatch: pytest.MonkeyPatch, *works: str) -> None:
    """Replace the project's revisions by these."""
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    (folder / "env.py").write_text((db.migrations_folder() / "env.py").read_text())
    before = "None"
    for number, work in enumerate(works, 1):
        name = f"{number:04}"
        (folder / "versions" / f"{name}_x.py").write_text(REVISION.format(name=name, before=before, work=work))
        before = repr(name)
    monkeypatch.setattr(db, "migrations_folder", lambda: folder)


def test_registrations_that_were_refused_before_are_marked(file: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """They were told by the outbox only, in a revision that is gone."""
    real, older = db.migrations_folder(), tmp_path / "older"
    shutil.copytree(real, older)
    for revision in (older / "versions").glob("*.py"):
        if revision.name >= "0006":
            revision.unlink()
    monkeypatch.setattr(db, "migrations_folder", lambda: older)
    database = Database(f"sqlite:///{file}")
    database.migrate()
    registration = [1 << 42, bytes(32), bytes(32), 2, []]
    row = {
        "contract": "CustodyLedger",
        "function": "register",
        "args": cbor2.dumps([[registration], None], canonical=True),
        "key": "operate",
        "lane": 0,
        "reference": "register",
        "state": "reverted",
        "recovered": 0,
        "settled": 0,
        "retracted": 0,
        "error_text": "no licence",
        "created_at": 0,
        "updated_at": 0,
    }
    with database.write() as session:
        columns = ", ".join(f'"{name}"' for name in row)
        session.execute(text(f"INSERT INTO outbox ({columns}) VALUES ({', '.join(':' + name for name in row)})"), row)
        for number in (1 << 42, (1 << 42) + 1):
            uri = f"https://id.gs1.org/00/{number}"
            session.execute(
                text("INSERT INTO logistic_unit (uri, number, place) VALUES (:uri, :number, 1)"),
                {"uri": uri, "number": str(number)},
            )
    monkeypatch.setattr(db, "migrations_folder", lambda: real)
    database.migrate()
    with database.read() as session:
        found = session.execute(text("SELECT refused, refusal FROM logistic_unit ORDER BY id")).all()
    assert found == [("register", "no licence"), (None, None)]
    database.close()


PARENTS = 'op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")'
CHILDREN = 'op.execute("CREATE TABLE child (parent INTEGER REFERENCES parent (id) ON DELETE CASCADE)")'


def test_a_migration_that_fails_leaves_the_schema_as_it_was(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{file}")
    with_revisions(tmp_path / "m", monkeypatch, PARENTS, f"{CHILDREN}; op.execute('nonsense')")
    with pytest.raises(OperationalError):
        database.migrate()
    with database.read() as session:
        assert session.execute(text("SELECT name FROM sqlite_master")).all() == []


def test_a_migration_that_copies_a_table_deletes_none_of_its_children(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{file}")
    with_revisions(tmp_path / "m", monkeypatch, f"{PARENTS}; {CHILDREN}")
    database.migrate()
    with database.write() as session:
        session.execute(text("INSERT INTO parent VALUES (1)"))
        session.execute(text("INSERT INTO child VALUES (1)"))
    copy = (
        'op.execute("CREATE TABLE other AS SELECT id FROM parent"); op.execute("DROP TABLE parent"); '
        'op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT)"); '
        'op.execute("INSERT INTO parent SELECT id, NULL FROM other")'
    )
    with_revisions(tmp_path / "m", monkeypatch, f"{PARENTS}; {CHILDREN}", copy)
    database.migrate()
    with database.write() as session:
        assert session.execute(text("SELECT * FROM child")).all() == [(1,)]
        with pytest.raises(IntegrityError):
            session.execute(text("INSERT INTO child VALUES (7)"))  # enforced again after the migration


def test_a_migration_that_leaves_a_dangling_reference_is_refused(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{file}")
    with_revisions(tmp_path / "m", monkeypatch, f"{PARENTS}; {CHILDREN}; op.execute('INSERT INTO child VALUES (3)')")
    with pytest.raises(DatabaseStateError, match="dangling reference in table child"):
        database.migrate()
    with database.read() as session:
        assert session.execute(text("SELECT name FROM sqlite_master")).all() == []


def test_revisions_are_one_chain_with_names_in_order() -> None:
    names = sorted(path.name for path in (db.migrations_folder() / "versions").glob("[0-9]*.py"))
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
