"""The calls that two companies sign, as far as this gateway knows of them."""

from enum import StrEnum

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel

from packtrace_gateway.ledger.columns import words


class Side(StrEnum):
    """As what a party signs."""

    HOLDER = "holder"  # of the marketing authorisation
    REGULATOR = "regulator"


class JointState(StrEnum):
    """How far a joint call has come here."""

    OFFERED = "offered"  # our consent is in the document; the other's gateway carries it to the chain
    RECEIVED = "received"  # the other's consent is here; nobody has ordered ours
    ORDERED = "ordered"  # ours is in the outbox
    DONE = "done"  # on chain
    REFUSED = "refused"  # the chain refused the call; while the other's consent holds it can be ordered again


OPEN = (JointState.OFFERED, JointState.RECEIVED, JointState.ORDERED, JointState.REFUSED)


class JointCall(SQLModel, table=True):
    """A document with one party's signed consent, made or received here, and what became of the call.

    `digest` is that consent's EIP-712 digest. `side` is ours; `started` says that the consent is ours too. `caller` is
    the API key that ordered our consent (its id and name), `reason` what its people wrote. Times are unix seconds.
    """

    __tablename__ = "joint_call"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    digest: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False, unique=True))
    document: str = Field(sa_column=Column(Text, nullable=False))  # JSON
    side: Side = Field(sa_column=Column(words(Side, 9), nullable=False))
    started: bool
    state: JointState = Field(sa_column=Column(words(JointState, 8), nullable=False, index=True))
    created_at: int = Field(sa_type=BigInteger)
    reason: str | None = Field(default=None, sa_column=Column(Text))
    caller: str | None = None
    caller_id: str | None = Field(default=None, max_length=16)
    outbox: int | None = Field(default=None, sa_column=Column(Integer, ForeignKey("outbox.id"), index=True))
    error: str | None = Field(default=None, sa_column=Column(Text))
    outcomes: bytes | None = Field(default=None, sa_column=Column(LargeBinary))  # as in the chain's event
    block: int | None = Field(default=None, sa_column=Column(BigInteger))
    time: int | None = Field(default=None, sa_column=Column(BigInteger))
