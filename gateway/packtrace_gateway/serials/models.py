"""How a GTIN's serial numbers look, which blocks were drawn, and what must never be drawn again."""

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class GtinPolicy(SQLModel, table=True):
    """How serial numbers of one GTIN (14 digits) are made. A change holds for later draws only."""

    __tablename__ = "serial_policy"

    gtin: str = Field(primary_key=True, max_length=14)
    length: int
    alphabet: str = Field(max_length=62)
    changed_at: int = Field(sa_type=BigInteger)  # unix seconds


class SerialBlock(SQLModel, table=True):
    """A block of serial numbers that a line drew. The numbers themselves are with the line, and then in its events."""

    __tablename__ = "serial_block"

    id: int | None = Field(default=None, primary_key=True)
    gtin: str = Field(max_length=14, index=True)
    count: int
    drawn_at: int = Field(sa_type=BigInteger)  # unix seconds
    drawn_by: str = Field(max_length=16)  # id of the API key


class DrawnSerial(SQLModel, table=True):
    """That a serial number was drawn: 8 bytes of its SHA-256, about 16 bytes on disk.

    Two serial numbers with one fingerprint are no harm: the second is not drawn, though it could have been.
    """

    __tablename__ = "serial_drawn"
    __table_args__ = {"sqlite_with_rowid": False}

    gtin: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    fingerprint: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
