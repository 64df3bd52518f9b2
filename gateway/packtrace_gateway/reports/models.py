"""Tables of reports. Times are unix seconds."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel

from packtrace_gateway.ledger.columns import Unsigned64


class Report(SQLModel, table=True):
    """What somebody reported of a pack: its code as printed, the verdict that was shown, and what was seen.

    `operation` is the change to SUSPECT that was sent to the chain; None where the chain knows no such pack. `unit` is
    the pack's number on chain where it has one, as alerts about the same pack have it.
    """

    __tablename__ = "suspect_report"
    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    time: int = Field(sa_column=Column(BigInteger, nullable=False))
    author: str
    uri: str = Field(sa_column=Column(Text, nullable=False, index=True))
    lot: str | None = None
    expiry: str | None = None
    verdict: str
    unit: int | None = Field(default=None, sa_column=Column(Unsigned64, index=True))
    text: str = Field(sa_column=Column(Text, nullable=False))
    operation: int | None = Field(default=None, sa_column=Column(Integer, ForeignKey("operation.id")))
    request: str | None = Field(default=None, max_length=64, unique=True, index=True)


class ReportPhoto(SQLModel, table=True):
    """A photo of a reported pack; never changed, never deleted. `hash` is SHA-256 of `content`."""

    __tablename__ = "suspect_photo"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    report: int = Field(sa_column=Column(Integer, ForeignKey("suspect_report.number"), nullable=False, index=True))
    time: int = Field(sa_column=Column(BigInteger, nullable=False))
    author: str
    type: str
    hash: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
