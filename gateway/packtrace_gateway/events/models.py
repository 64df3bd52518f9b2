"""Tables of the event store.

An item's URI is split at its last slash into a prefix, kept once, and a suffix: for a pack, GTIN and serial number.
Items of an own event are kept in tiles of 256 (`packtrace.commit.items`), those of a received one in the groups of
256 neighbours that came (`packtrace.commit.disclosure.by_neighbourhood`), each of which proves itself.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Text
from sqlmodel import Field, SQLModel

# SQLite makes an INTEGER PRIMARY KEY its row id only when it is spelled so.
_ID = BigInteger().with_variant(Integer, "sqlite")
_CLUSTERED = {"sqlite_with_rowid": False}


class UriPrefix(SQLModel, table=True):
    """The part of URIs up to the last slash."""

    __tablename__ = "uri_prefix"
    id: int | None = Field(default=None, sa_column=Column(_ID, primary_key=True))
    text: str = Field(sa_column=Column(Text, nullable=False, unique=True))


class StoredEvent(SQLModel, table=True):
    """One event. `header` is CBOR of a disclosure without items; `secret` is there for own events only.

    `seal` is [party, lane, sequence, count, index, path] in CBOR, null until the event is sealed. `declares` is there
    in an error declaration only: the digest of the event that it takes back, under whose event ID it is found.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("event_unsealed", "id", sqlite_where=Column("seal_id").is_(None)),
        # Nearly none: a question whether something was declared erroneous reads nothing.
        Index("event_declares", "declares", sqlite_where=Column("declares").isnot(None)),
    )
    id: int | None = Field(default=None, sa_column=Column(_ID, primary_key=True))
    digest: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False, unique=True))
    party: int
    event_id: str | None = Field(default=None, sa_column=Column(Text, unique=True))
    cbv_hash: str | None = None
    type: str
    action: str
    biz_step: str | None = None
    event_time: str
    record_time: str = Field(index=True)
    parent: str | None = None  # of an aggregation
    declares: bytes | None = Field(default=None, sa_column=Column(LargeBinary(32)))
    item_count: int
    header: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    secret: bytes | None = Field(default=None, sa_column=Column(LargeBinary(32)))
    seal: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    seal_id: int | None = Field(default=None, sa_column=Column(_ID, ForeignKey("seal.id"), index=True))


class ItemTile(SQLModel, table=True):
    """256 items of an own event (level 0: URIs, joined by newlines) or 256 nodes of its tree (level 8, 16: hashes)."""

    __tablename__ = "item_tile"
    __table_args__ = _CLUSTERED
    event: int = Field(sa_column=Column(_ID, ForeignKey("event.id"), primary_key=True))
    level: int = Field(sa_column=Column(SmallInteger, primary_key=True))
    number: int = Field(sa_column=Column(Integer, primary_key=True))
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class ItemGroup(SQLModel, table=True):
    """The items of a received event at positions 256·number …, as CBOR of a disclosure of its own."""

    __tablename__ = "item_group"
    __table_args__ = _CLUSTERED
    event: int = Field(sa_column=Column(_ID, ForeignKey("event.id"), primary_key=True))
    number: int = Field(sa_column=Column(Integer, primary_key=True))
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Unit(SQLModel, table=True):
    """A pack: the event that commissioned it, its position there, and where it is now.

    One row for every serial number ever commissioned or received here: the key keeps serials unique for ever.
    """

    __tablename__ = "unit"
    # Only packs inside something are in the index, so that commissioning does not pay for it.
    __table_args__ = (Index("unit_parent", "parent", sqlite_where=Column("parent").isnot(None)), _CLUSTERED)
    prefix: int = Field(sa_column=Column(_ID, ForeignKey("uri_prefix.id"), primary_key=True))
    suffix: str = Field(sa_column=Column(Text, primary_key=True))
    event: int = Field(sa_column=Column(_ID, ForeignKey("event.id"), nullable=False))
    position: int
    place: int = Field(sa_column=Column(SmallInteger, nullable=False))
    parent: int | None = Field(default=None, sa_column=Column(_ID, ForeignKey("logistic_unit.id")))


class Participation(SQLModel, table=True):
    """That an item took part in an event other than a pack's commissioning."""

    __tablename__ = "participation"
    __table_args__ = _CLUSTERED
    prefix: int = Field(sa_column=Column(_ID, ForeignKey("uri_prefix.id"), primary_key=True))
    suffix: str = Field(sa_column=Column(Text, primary_key=True))
    event: int = Field(sa_column=Column(_ID, ForeignKey("event.id"), primary_key=True))
    role: int = Field(sa_column=Column(SmallInteger, nullable=False))
    position: int


class LogisticUnit(SQLModel, table=True):
    """A case, pallet or tote: its number on chain once it was filled, what it is inside of, and where it is.

    `refused` is the call about it (register, takeOut, unpack) that the chain refused and that is to be proposed again,
    so that the chain does not have the unit as it is recorded here; `refusal` says why.
    """

    __tablename__ = "logistic_unit"
    __table_args__ = (
        Index("logistic_unit_number", "number"),
        # Nearly none: a question whether any was refused reads nothing.
        Index("logistic_unit_refused", "refused", sqlite_where=Column("refused").isnot(None)),
    )
    id: int | None = Field(default=None, sa_column=Column(_ID, primary_key=True))
    uri: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    number: str | None = None
    filled_by: int | None = Field(default=None, sa_column=Column(_ID, ForeignKey("event.id")))
    place: int = Field(sa_column=Column(SmallInteger, nullable=False, index=True))  # who looks for those in quarantine
    parent: int | None = Field(default=None, sa_column=Column(_ID, ForeignKey("logistic_unit.id"), index=True))
    partner: int | None = None  # whom it was shipped to, or is expected from
    note: str | None = None  # why it is in quarantine
    refused: str | None = Field(default=None, max_length=8)
    refusal: str | None = Field(default=None, sa_column=Column(Text))


class Seal(SQLModel, table=True):
    """A batch of own events under one root, and the outbox row that appends it to the log on chain."""

    __tablename__ = "seal"
    id: int | None = Field(default=None, sa_column=Column(_ID, primary_key=True))
    lane: int
    sequence: int
    root: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    count: int
    outbox: int = Field(index=True)
    state: str = Field(index=True)  # signed, anchored, final; a refused one is deleted, and its events are sealed again


class Counter(SQLModel, table=True):
    """The next number of a series: batches, logistic units, seals."""

    __tablename__ = "counter"
    name: str = Field(primary_key=True)
    next: int


class CommissionedBatch(SQLModel, table=True):
    """An own commissioned batch: what was proposed to the chain, and how far that has come."""

    __tablename__ = "commissioned_batch"
    __table_args__ = (Index("commissioned_batch_gtin", "gtin", "lot"),)
    number: int = Field(sa_column=Column(_ID, primary_key=True, autoincrement=False))
    event: int = Field(sa_column=Column(_ID, ForeignKey("event.id"), nullable=False, index=True))
    gtin: str
    lot: str
    expiry: str
    count: int
    state: str  # proposing, proposed, releasing, released, refused
    outbox: int
    error: str | None = None


class ProductSecret(SQLModel, table=True):
    """The secret of a product: behind its keys on chain. It travels with the goods, so a lost one is a lost proof."""

    __tablename__ = "product_secret"
    gtin: str = Field(primary_key=True)
    secret: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
