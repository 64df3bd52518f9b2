"""Whose records a database holds; that it was restored from a backup, and what is known of the time between."""

from sqlalchemy import BigInteger, Column, Integer, Text
from sqlmodel import Field, SQLModel


class Restoration(SQLModel, table=True):
    """One restoration. Until `done_at` is set no number is given out and nothing is sealed: the chain may know better.

    Times are unix seconds: of the backup, of its restoring, and of the comparison with the chain. `lost` is a JSON list
    of what the chain has of this party and this database has not, for people.
    """

    __tablename__ = "restoration"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    backup_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    restored_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    done_at: int | None = Field(default=None, sa_column=Column(BigInteger))
    lost: str = Field(default="[]", sa_column=Column(Text, nullable=False))


class Belonging(SQLModel, table=True):
    """The only row (its id is 1): the party whose records these are, and the contracts that they stand on.

    `contracts` is a JSON object: the chain's number, and each contract's address.
    """

    __tablename__ = "belonging"
    id: int = Field(sa_column=Column(Integer, primary_key=True))
    party: int = Field(sa_column=Column(BigInteger, nullable=False))
    contracts: str = Field(sa_column=Column(Text, nullable=False))
