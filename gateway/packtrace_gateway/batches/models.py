"""What was said when a lot was recalled."""

from sqlalchemy import BigInteger, Column, Integer, Text
from sqlmodel import Field, SQLModel


class RecallNotice(SQLModel, table=True):
    """The notice of a recall: on chain there is only its SHA-256, which this opens. `time` in unix seconds."""

    __tablename__ = "recall_notice"
    outbox: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    gtin: str
    lot: str
    kind: str  # withdrawn, recalled
    notice: str = Field(sa_column=Column(Text, nullable=False))
    time: int = Field(sa_type=BigInteger)
    caller: str  # name of the API key
