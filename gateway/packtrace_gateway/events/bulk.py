"""Inserts and look-ups of very many rows.

One ORM object for each serial number would hold a line at hundreds a second; these go through SQLAlchemy Core to the
driver's own executemany.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import Select, Table
from sqlmodel import Session, SQLModel

# SQLite admits 32,766 variables in a statement; a few hundred cost the least for each row.
CHUNK = 500


def table_of(model: type[SQLModel]) -> Table:
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def insert(
    session: Session,
    model: type[SQLModel],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    twice: Literal["refuse", "keep"] = "refuse",
) -> None:
    """Insert plain rows; best in the order of the table's key.

    A row whose key is there already raises IntegrityError, or leaves what is there (`keep`).
    """
    session.flush()
    connection = session.connection()
    rows = rows if isinstance(rows, list) else list(rows)
    if not rows:
        return
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    statement = f"INSERT INTO {table_of(model).name} ({', '.join(columns)}) VALUES ({', '.join(mark for _ in columns)})"  # noqa: S608
    if twice == "keep":
        statement += " ON CONFLICT DO NOTHING"
    connection.exec_driver_sql(statement, rows)


def rows(session: Session, statement: Select[Any], **parameters: Any) -> Sequence[Any]:
    """The rows of a statement that was made once, of table columns, with its values as bound parameters.

    Making a statement anew, of ORM attributes, costs several times what running it does; a verdict runs twenty.
    """
    session.flush()
    return session.connection().execute(statement, parameters).all()


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """`values` in pieces that fit one statement."""
    return (values[at : at + CHUNK] for at in range(0, len(values), CHUNK))
