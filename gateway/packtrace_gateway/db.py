"""The gateway's database: several readers with a snapshot each, one writer at a time, migrations.

All that is particular to SQLite is here; the rest of the gateway uses SQL that PostgreSQL knows too.

SQLite runs in WAL mode with ``synchronous=FULL``: a commit returns when the data is on disk, and readers
never wait for the writer. Python's sqlite3 module would begin transactions on its own and too late (PEP 249),
so it is switched to autocommit and the transactions are begun here (SQLAlchemy, "pysqlite: serializable
isolation, savepoints, transactional DDL").
"""

import logging
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlmodel import Session

from packtrace.errors import PacktraceError

log = logging.getLogger(__name__)

BUSY_TIMEOUT = 30.0  # seconds to wait for another process's write
WRITE_TIMEOUT = 60.0  # seconds to wait for another thread's write
CACHE_KIB = 32 * 1024  # page cache of the writing connection
MMAP_BYTES = 256 * 1024 * 1024
IDLE_READERS = 8  # connections kept open
MAX_READERS = 48  # above the 40 threads in which the routes run


class DatabaseStateError(PacktraceError):
    """The database cannot be used as it is; the message says what to do."""


class DatabaseBusyError(PacktraceError):
    """Another write took too long; the same request can be sent again."""


class DatabaseRestoredError(PacktraceError):
    """The database was restored from a backup, and does not know yet which numbers were used since."""


class DatabaseWriteError(PacktraceError):
    """The disk or file does not take what is to be written; the operator must act, then it can be sent again."""


# What SQLite says when nothing is wrong with what was asked (sqlite.org/rescode.html), by its primary code.
_NO_WRITE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_READONLY: "the database may not be written",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
}


class Database:
    """One gateway's database.

    ``with database.read() as session`` sees one snapshot and cannot write.
    ``with database.write() as session`` is the only writer: the block's end commits, an exception rolls back.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise DatabaseStateError("not a database URL", field="database", value=url) from None
        if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
            raise DatabaseStateError(
                "this version of packtrace keeps its data in an SQLite file: give a file's path",
                field="database",
                value=parsed.render_as_string(hide_password=True),
            )
        self.file = Path(parsed.database)
        self._reader = self._engine(url, IDLE_READERS, MAX_READERS, begin="BEGIN", read_only=True)
        self._writer = self._engine(url, 1, 1, begin="BEGIN IMMEDIATE", read_only=False)
        self._write_lock = threading.Lock()
        self._write_owner: int | None = None
        self.writes, self.write_seconds = 0, 0.0  # so far: transactions, and how long they held the database

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on a snapshot of the database; any number at once. A write in it fails."""
        with Session(self._reader, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """The one session that may write. After the block the data is on disk; if it raises, nothing is.

        Raises DatabaseBusyError or DatabaseWriteError where the request may be sent again, later.
        """
        try:
            with self._writing(), Session(self._writer, expire_on_commit=False) as session, session.begin():
                session.connection()  # takes the write lock of the database now, not at the first statement
                yield session
        except OperationalError as error:
            raise self._not_written(error) from error

    def migrate(self) -> None:
        """Bring the database to this program's schema, in one transaction; makes the file if need be."""
        self.file.touch(mode=0o600)  # product secrets are in it; SQLite gives its log the same mode
        with self._writing():
            revision = self._revision(self._writer)
            if revision not in (None, *self._known_revisions()):
                raise self._newer(revision)
            with self._writer.connect() as connection:
                _migrate(connection)

    def check_schema(self) -> None:
        """Raise `DatabaseStateError` unless the database has exactly this program's schema."""
        if not self.file.exists():
            raise DatabaseStateError(f"there is no database {self.file}: run `packtrace gateway migrate DIR`")
        # Restored from a backup, say.
        if os.name == "posix" and self.file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            log.warning("others on this machine can read %s, with secrets in it: run `chmod 600 %s*`", *[self.file] * 2)
        revision = self._revision(self._reader)
        known = self._known_revisions()
        if revision == known[0]:
            return
        if revision is None or revision in known:
            raise DatabaseStateError(
                f"{self.file} has schema {revision or 'none'}, older than this program's {known[0]}: "
                "back it up, then run `packtrace gateway migrate DIR`"
            )
        raise self._newer(revision)

    def copy_to(self, file: Path) -> None:
        """Write a copy as of one moment to a new file, while others read and write."""
        file.touch(mode=0o600, exist_ok=False)
        with self._reader.connect() as connection, closing(sqlite3.connect(file)) as copy:
            driver = connection.connection.dbapi_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.backup(copy)

    def check_whole(self) -> None:
        """Raise `DatabaseStateError` unless the file is whole: every page, index and foreign key of it."""
        try:
            with closing(sqlite3.connect(self.file)) as connection:
                (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
                broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        except sqlite3.DatabaseError as error:
            found, broken = str(error), None
        if found != "ok" or broken:
            raise DatabaseStateError(f"{self.file} is damaged: {found if found != 'ok' else f'table {broken[0]}'}")

    def ping(self) -> None:
        """Raise `DatabaseStateError` unless the database answers; cheap enough to be asked by anybody, often."""
        self._revision(self._reader)

    def close(self) -> None:
        """Close all connections; SQLite then folds its log into the file."""
        self._reader.dispose()
        self._writer.dispose()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._write_owner == threading.get_ident():
            raise RuntimeError("a write inside a write: pass the session on instead")
        if not self._write_lock.acquire(timeout=WRITE_TIMEOUT):
            raise DatabaseBusyError("another write takes very long; send the request again")
        self._write_owner = threading.get_ident()
        began = time.perf_counter()
        try:
            yield
        finally:
            self.writes += 1
            self.write_seconds += time.perf_counter() - began
            self._write_owner = None
            self._write_lock.release()

    def _not_written(self, error: OperationalError) -> Exception:
        """What a failed write is for who asked for it; the operator reads it in the log."""
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            return DatabaseBusyError("another program writes to the database for very long; send the request again")
        if code not in _NO_WRITE:
            return error
        log.error("nothing can be stored in %s: %s", self.file, error.orig)
        return DatabaseWriteError(
            f"nothing of this was stored, because {_NO_WRITE[code]}: the operator has to see to it; then send it again"
        )

    def _revision(self, engine: Engine) -> str | None:
        try:
            with engine.connect() as connection:
                return MigrationContext.configure(connection).get_current_revision()
        except DatabaseError as error:
            raise DatabaseStateError(f"{self.file} is not a database that can be read: {error.orig}") from None

    def _known_revisions(self) -> list[str]:
        """All revisions of this program, the newest first."""
        return [script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()]

    def _newer(self, revision: str | None) -> DatabaseStateError:
        return DatabaseStateError(
            f"{self.file} has schema {revision}, which this program does not know: it was written by a newer "
            "packtrace. Update packtrace, or restore the backup from before the update"
        )

    @staticmethod
    def _engine(url: str, idle: int, most: int, *, begin: str, read_only: bool) -> Engine:
        engine = create_engine(
            url,
            pool_size=idle,
            max_overflow=most - idle,
            connect_args={"timeout": BUSY_TIMEOUT},
            hide_parameters=True,  # errors are logged, and parameters hold secrets and serial numbers
        )

        @event.listens_for(engine, "connect")
        def configure(connection: sqlite3.Connection, _record: Any) -> None:
            connection.isolation_level = None
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                f"cache_size=-{CACHE_KIB if not read_only else CACHE_KIB // 4}",
                f"mmap_size={MMAP_BYTES}",
                "temp_store=MEMORY",
                f"query_only={'ON' if read_only else 'OFF'}",
            ):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine


def migrations_folder() -> Path:
    """Where the Alembic scripts are: in the package if it was built, at the project's root in a checkout."""
    package = Path(__file__).resolve().parent
    built = package / "migrations"
    return built if built.is_dir() else package.parent.parent / "migrations"


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    return config


def _migrate(connection: Connection) -> None:
    """Run all missing revisions.

    Foreign keys are off meanwhile, because SQLite copies a table to change it, and are checked at the end.
    """
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        with connection.begin():
            config = _alembic()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken:
                raise DatabaseStateError(f"the migration would leave a dangling reference in table {broken[0]}")
    finally:
        driver.execute("PRAGMA foreign_keys=ON")
