"""Tables of status changes that were asked for here."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, SmallInteger, Text
from sqlmodel import Field, SQLModel

from packtrace_gateway.ledger.columns import Unsigned64


class Operation(SQLModel, table=True):
    """One call that changes (or, with `reverses`, gives back) the status of packs.

    `state`: pending until the call is in a block, then done; refused where the contract turned the whole call away.
    """

    __tablename__ = "operation"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    to: int = Field(sa_column=Column("to_status", SmallInteger, nullable=False))
    reverses: int | None = Field(default=None, sa_column=Column(Integer, ForeignKey("operation.id"), index=True))
    outbox: int = Field(index=True)
    state: str
    error: str | None = None
    openings: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    receipt: bytes | None = Field(default=None, sa_column=Column(LargeBinary(32)))
    time: int | None = Field(default=None, sa_column=Column(BigInteger))
    caller: str
    request: str | None = Field(
        default=None, max_length=64, unique=True, index=True
    )  # the client's own name for what it asked
    event: int | None = None  # the EPCIS event that was recorded of it


class OperationUnit(SQLModel, table=True):
    """One pack of an operation. `outcome` is the contract's byte: the status found, or 0x80 and why it was refused.

    `found` is the status that a refused pack keeps.
    """

    __tablename__ = "operation_unit"
    operation: int = Field(sa_column=Column(Integer, ForeignKey("operation.id"), primary_key=True))
    position: int = Field(sa_column=Column(SmallInteger, primary_key=True))
    uri: str = Field(sa_column=Column(Text, nullable=False, index=True))
    unit: int = Field(sa_column=Column(Unsigned64, nullable=False))
    outcome: int | None = Field(default=None, sa_column=Column(SmallInteger))
    found: int | None = Field(default=None, sa_column=Column(SmallInteger))
