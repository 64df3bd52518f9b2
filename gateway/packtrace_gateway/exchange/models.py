"""Tables of the exchange: what was handed over, what arrived, and where the goods are.

The bytes of every package are kept, in pieces as they travel: with the receipt, or the signed announcement, they prove
what was handed over. They are part of the database, and so of its backup.
"""

from enum import StrEnum

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from packtrace_gateway.ledger.columns import Unsigned64, words

# One request carries one piece; the last one of a package is shorter.
PIECE_BYTES = 1 << 20
_ID = BigInteger().with_variant(Integer, "sqlite")


class HandOverState(StrEnum):
    """How far the data of a hand-over have come."""

    WAITING = "waiting"  # for seals and calls on chain
    READY = "ready"  # the package is made
    SENDING = "sending"  # the receiver has some or all of it
    DELIVERED = "delivered"  # the receiver's signed receipt says: accepted
    REFUSED = "refused"  # the receiver's signed receipt says: quarantined, and why
    ENDED = "ended"  # there is nothing to hand over any more: the shipment was cancelled, or refused by the chain


class ArrivalState(StrEnum):
    """How far a package from a partner has come."""

    RECEIVING = "receiving"
    CHECKING = "checking"
    WAITING = "waiting"  # sound as far as it goes; our node does not know all yet
    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"


class Goods(StrEnum):
    """Where one logistic unit of a shipment is, for sender and receiver alike."""

    IN_TRANSIT = "in transit"
    EXPIRED = "expired"  # on its way for so long that the chain lets nobody receive it any more
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    RECEIVING = "receiving"  # it is here; the chain is being told
    RECEIVED = "received"
    REFUSING = "refusing"
    REFUSED = "refused"
    RETURNED = "returned"  # refused or missing, and back
    MISSING = "missing"  # not in what was received: it stayed the sender's


# Not ended yet: by the chain the goods are on their way.
ON_THE_WAY = (Goods.IN_TRANSIT, Goods.EXPIRED)


class HandOver(SQLModel, table=True):
    """Data that this gateway hands over. `units` and `ship_rows` are JSON lists; times are unix times."""

    __tablename__ = "hand_over"
    __table_args__ = (Index("hand_over_due", "state", "next_try"), Index("hand_over_event", "event"))
    id: int | None = Field(default=None, sa_column=Column(_ID, primary_key=True))
    kind: str
    event: int = Field(sa_column=Column(_ID, ForeignKey("event.id"), nullable=False))
    receiver: int
    units: str = Field(sa_column=Column(Text, nullable=False))  # URIs of what was shipped
    ship_rows: str = Field(sa_column=Column(Text, nullable=False))  # outbox rows that must be on chain
    state: HandOverState = Field(sa_column=Column(words(HandOverState, 12), nullable=False))
    digest: bytes | None = Field(default=None, sa_column=Column(LargeBinary(32)))
    size: int | None = None
    sent: int = 0
    receipt: str | None = Field(default=None, sa_column=Column(Text))  # JSON, signed by the receiver
    former: str = Field(default="[]", sa_column=Column(Text, nullable=False, server_default="[]"))  # receipts before it
    error: str | None = Field(default=None, sa_column=Column(Text))  # why it does not move at the moment
    attempts: int = 0
    next_try: float = 0.0
    created_at: float
    updated_at: float


class HandOverPiece(SQLModel, table=True):
    """PIECE_BYTES of a package that is handed over, at `number` · PIECE_BYTES."""

    __tablename__ = "hand_over_piece"
    hand_over: int = Field(sa_column=Column(_ID, ForeignKey("hand_over.id"), primary_key=True))
    number: int = Field(sa_column=Column(Integer, primary_key=True))
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class DisclosedEvent(SQLModel, table=True):
    """That a package discloses an event: whoever was sent it is told if the event is declared erroneous later."""

    __tablename__ = "disclosed_event"
    __table_args__ = (Index("disclosed_event_hand_over", "hand_over"),)
    event: int = Field(sa_column=Column(_ID, ForeignKey("event.id"), primary_key=True))
    hand_over: int = Field(sa_column=Column(_ID, ForeignKey("hand_over.id"), primary_key=True))


class HeldBatch(SQLModel, table=True):
    """A batch of this company's product that others commissioned, and all of whose packs are known here."""

    __tablename__ = "held_batch"
    batch: int = Field(sa_column=Column(Unsigned64, primary_key=True, autoincrement=False))
    event: int = Field(sa_column=Column(_ID, ForeignKey("event.id"), nullable=False))


class ShippedUnit(SQLModel, table=True):
    """A logistic unit that was shipped. `outbox` is the row of the call that changes `goods`, where there is one."""

    __tablename__ = "shipped_unit"
    __table_args__ = (
        Index("shipped_unit_unit", "unit"),
        Index("shipped_unit_goods", "goods"),
        Index("shipped_unit_outbox", "outbox"),
    )
    hand_over: int = Field(sa_column=Column(_ID, ForeignKey("hand_over.id"), primary_key=True))
    unit: int = Field(sa_column=Column(_ID, ForeignKey("logistic_unit.id"), primary_key=True))
    goods: Goods = Field(sa_column=Column(words(Goods, 12), nullable=False))
    outbox: int | None = None


class Arrival(SQLModel, table=True):
    """A package from a partner. `announcement` is JSON: the signed request that announced it, as proof."""

    __tablename__ = "arrival"
    __table_args__ = (UniqueConstraint("sender", "digest"), Index("arrival_due", "state", "next_try"))
    id: int | None = Field(default=None, sa_column=Column(_ID, primary_key=True))
    sender: int
    digest: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    size: int
    received: int = 0
    state: ArrivalState = Field(sa_column=Column(words(ArrivalState, 12), nullable=False))
    kind: str | None = None
    units: str = Field(default="{}", sa_column=Column(Text, nullable=False))  # JSON: URI and number on chain
    reasons: str = Field(default="[]", sa_column=Column(Text, nullable=False))  # JSON list, for people
    announcement: str = Field(sa_column=Column(Text, nullable=False))
    receipt: str | None = Field(default=None, sa_column=Column(Text))  # JSON, signed by us
    former: str = Field(default="[]", sa_column=Column(Text, nullable=False, server_default="[]"))  # receipts before it
    acknowledged: str | None = Field(default=None, sa_column=Column(Text))  # JSON: findings that somebody accepted
    attempts: int = 0
    next_try: float = 0.0
    created_at: float
    decided_at: float | None = None


class ArrivalPiece(SQLModel, table=True):
    """PIECE_BYTES of a package that arrives, at `number` · PIECE_BYTES."""

    __tablename__ = "arrival_piece"
    arrival: int = Field(sa_column=Column(_ID, ForeignKey("arrival.id"), primary_key=True))
    number: int = Field(sa_column=Column(Integer, primary_key=True))
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ArrivalUnit(SQLModel, table=True):
    """A logistic unit whose data were accepted. `outbox` is the row of the call that changes `goods`.

    One that is missing has a row of its own, with the `outbox` of what it was missing in.
    """

    __tablename__ = "arrival_unit"
    __table_args__ = (
        Index("arrival_unit_unit", "unit"),
        Index("arrival_unit_goods", "goods"),
        Index("arrival_unit_outbox", "outbox"),
    )
    arrival: int = Field(sa_column=Column(_ID, ForeignKey("arrival.id"), primary_key=True))
    unit: int = Field(sa_column=Column(_ID, ForeignKey("logistic_unit.id"), primary_key=True))
    goods: Goods = Field(sa_column=Column(words(Goods, 12), nullable=False))
    outbox: int | None = None
    note: str | None = Field(default=None, sa_column=Column(Text))
    tried_at: float = 0.0
