"""Tables of alerts. Times are unix seconds."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, SmallInteger, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from packtrace_gateway.ledger.columns import Unsigned64


class Alert(SQLModel, table=True):
    """One alert, numbered by this gateway. `why` is what makes it ours: caller, holder (MAH) or regulator.

    A conflict is known by the call and the unit, a proven duplicate by its pair (`call` is then the pair's hash, `twin`
    the other unit): a reorganisation that moves it to another block opens nothing twice. That holder and regulator
    undid a call of ours is known by that call and the unit: `refusal` is none, `found` the status that was undone,
    `asked` the one that it has again.
    `retracted` says that the chain lost the conflict again; the alert stays, people decide.
    """

    __tablename__ = "alert"
    __table_args__ = (UniqueConstraint("call", "unit"),)
    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    unit: int = Field(sa_column=Column(Unsigned64, nullable=False, index=True))
    call: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    twin: int | None = Field(default=None, sa_column=Column(Unsigned64))
    party: int | None = None  # that made the call; of a proof: anybody
    asked: int = Field(sa_column=Column(SmallInteger, nullable=False))
    found: int = Field(sa_column=Column(SmallInteger, nullable=False))
    refusal: int = Field(sa_column=Column(SmallInteger, nullable=False))
    block: int = Field(sa_column=Column(BigInteger, nullable=False))
    time: int = Field(sa_column=Column(BigInteger, nullable=False))
    why: str
    retracted: bool = False
    closed_at: int | None = Field(default=None, sa_column=Column(BigInteger))
    closed_by: str | None = None


class AlertComment(SQLModel, table=True):
    """What somebody found out about an alert; never changed, never deleted."""

    __tablename__ = "alert_comment"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    alert: int = Field(sa_column=Column(Integer, ForeignKey("alert.number"), nullable=False, index=True))
    time: int = Field(sa_column=Column(BigInteger, nullable=False))
    author: str
    text: str = Field(sa_column=Column(Text, nullable=False))
