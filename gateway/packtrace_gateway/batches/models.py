"""What was said when a lot was recalled."""

from sqlalchemy import BigInteger, Column, Integer, String, Text
from sqlmodel import Field, SQLModel

from packtrace_gateway.ledger.columns import Unsigned64


class RecallNotice(SQLModel, table=True):
    """The notice of a recall, or of its lifting: on chain there is only its SHA-256, which this opens.

    Its subject is a lot, named by GTIN and lot or (`scope` lot) by one of its batches; or one batch. `time` in unix
    seconds.
    """

    __tablename__ = "recall_notice"
    outbox: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    gtin: str | None = None
    lot: str | None = None
    batch: int | None = Field(default=None, sa_column=Column(Unsigned64))
    scope: str = Field(
        default="lot", sa_column=Column(String(5), nullable=False, server_default="lot")
    )  # of a batch's number: that batch, or its lot
    kind: str  # withdrawn, recalled, lifted
    notice: str = Field(sa_column=Column(Text, nullable=False))
    time: int = Field(sa_type=BigInteger)
    caller: str  # name of the API key
