"""The index of the contracts' events.

Every row says where its event stands (block, log index, transaction): a reorganisation deletes what stood in the
blocks that are gone. Nothing is overwritten that would have to be restored then. Times are the blocks' (unix seconds).
"""

from enum import StrEnum

from sqlalchemy import JSON, BigInteger, Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from packtrace_gateway.ledger.columns import Unsigned64, words


class Checkpoint(SQLModel, table=True):
    """A block up to which the index is complete; the newest is where the follower goes on."""

    __tablename__ = "ledger_checkpoint"

    number: int = Field(primary_key=True, sa_type=BigInteger)
    hash: bytes = Field(sa_type=LargeBinary)
    time: int = Field(sa_type=BigInteger)


class Logged(SQLModel):
    """Where an event stands in the chain."""

    block_number: int = Field(sa_type=BigInteger, index=True)
    log_index: int
    tx_hash: bytes = Field(sa_type=LargeBinary)
    time: int = Field(sa_type=BigInteger)


class CallKind(StrEnum):
    CHANGED = "changed"
    REVERSED = "reversed"
    LIFTED = "lifted"
    RESTORED = "restored"


class StatusCallRow(Logged, table=True):
    """One call that changed status: `StatusChanged`, `StatusReversed`, `StatusLifted` or `StatusRestored`, whole.

    `call` is the receipt's id; for a reversal or restoration that of the call that was undone, for a lift the EIP-712
    digest of the MAH's consent. With `CHANGED`, this is the receipt that `IPackLedger.reverseStatus` wants.
    """

    __tablename__ = "ledger_status_call"
    __table_args__ = (Index("ix_ledger_status_call_call", "call", "kind"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: CallKind = Field(sa_column=Column(words(CallKind, 8), nullable=False))
    call: bytes = Field(sa_type=LargeBinary)
    party: int = Field(sa_type=BigInteger)
    second_party: int | None = Field(default=None, sa_type=BigInteger)  # of a lift or restoration: the regulator
    to: int
    openings: bytes | None = Field(default=None, sa_type=LargeBinary)
    units: bytes = Field(sa_type=LargeBinary)  # 8 bytes each, big-endian
    # 1 byte each: the status found (of a restoration: the one that it has again), or 0x80 | refusal
    outcomes: bytes = Field(sa_type=LargeBinary)


class StatusUnitRow(SQLModel, table=True):
    """Which calls named a unit, and at which place of their list."""

    __tablename__ = "ledger_status_unit"
    __table_args__ = ({"sqlite_with_rowid": False},)

    unit: int = Field(sa_column=Column(Unsigned64, primary_key=True))
    call_id: int = Field(primary_key=True, foreign_key="ledger_status_call.id", index=True)
    position: int = Field(primary_key=True)


class ConflictRow(Logged, table=True):
    """A unit that a call could not change: the evidence of a clone, or of a mistake."""

    __tablename__ = "ledger_conflict"

    id: int | None = Field(default=None, primary_key=True)
    unit: int = Field(sa_column=Column(Unsigned64, nullable=False, index=True))
    party: int = Field(sa_type=BigInteger)  # that made the call
    call: bytes = Field(sa_type=LargeBinary)  # its EIP-712 digest: for a change, the receipt's id
    to: int  # status asked for
    found: int  # status that the unit keeps
    refusal: int


class DuplicateRow(Logged, table=True):
    """Two units that were proven to have one serial; `unit` is the lower number."""

    __tablename__ = "ledger_duplicate"

    id: int | None = Field(default=None, primary_key=True)
    unit: int = Field(sa_column=Column(Unsigned64, nullable=False, index=True))
    twin: int = Field(sa_column=Column(Unsigned64, nullable=False, index=True))
    found: int  # status of the unit before: ACTIVE became SUSPECT
    twin_found: int
    uri: str


class BatchRow(Logged, table=True):
    """A commissioned batch. Where it stands is where it was proposed."""

    __tablename__ = "ledger_batch"

    batch: int = Field(sa_column=Column(Unsigned64, primary_key=True))
    mah: int = Field(sa_type=BigInteger)
    product: int = Field(sa_type=BigInteger)
    lot_key: bytes = Field(sa_type=LargeBinary, index=True)
    count: int


class BatchState(StrEnum):
    PROPOSED = "proposed"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"


class BatchEventRow(Logged, table=True):
    """Release or withdrawal of a batch; `key` is the qualified person's."""

    __tablename__ = "ledger_batch_event"

    id: int | None = Field(default=None, primary_key=True)
    batch: int = Field(sa_column=Column(Unsigned64, nullable=False, index=True))
    state: BatchState = Field(sa_column=Column(words(BatchState, 9), nullable=False))
    key: str | None = Field(default=None, max_length=42)


class RecallRow(Logged, table=True):
    """One entry of the recall board; `kind` is 0 where a regulator lifted it. The newest of a subject counts."""

    __tablename__ = "ledger_recall"
    __table_args__ = (Index("ix_ledger_recall_subject", "mah", "subject"),)

    id: int | None = Field(default=None, primary_key=True)
    mah: int = Field(sa_type=BigInteger)
    subject: bytes = Field(sa_type=LargeBinary)  # the lot key, or the batch number in 32 bytes
    kind: int
    by: int = Field(sa_type=BigInteger)
    reason: bytes = Field(sa_type=LargeBinary)


class CustodyRow(Logged, table=True):
    """One event of a logistic unit.

    `party` is the holder (or who ships, or did), `other` the receiver, or of `Packed` and `TakenOut` none; `parent` is
    the unit that it was put into, taken out of or missing in.
    """

    __tablename__ = "ledger_custody"

    id: int | None = Field(default=None, primary_key=True)
    number: int = Field(sa_column=Column(Unsigned64, nullable=False, index=True))
    event: str = Field(max_length=20)
    party: int | None = Field(default=None, sa_type=BigInteger)
    other: int | None = Field(default=None, sa_type=BigInteger)
    parent: int | None = Field(default=None, sa_column=Column(Unsigned64))
    sscc_commitment: bytes | None = Field(default=None, sa_type=LargeBinary)
    content_root: bytes | None = Field(default=None, sa_type=LargeBinary)
    count: int | None = None


class EntryRow(Logged, table=True):
    """One entry of a party's event log."""

    __tablename__ = "ledger_entry"
    __table_args__ = (Index("ix_ledger_entry_place", "party", "lane", "sequence"),)

    id: int | None = Field(default=None, primary_key=True)
    party: int = Field(sa_type=BigInteger)
    lane: int = Field(sa_column=Column(Unsigned64, nullable=False))
    sequence: int = Field(sa_column=Column(Unsigned64, nullable=False))
    root: bytes = Field(sa_type=LargeBinary)
    count: int


class RegistryRow(Logged, table=True):
    """One event of the party registry: its name and arguments, bytes in hex."""

    __tablename__ = "ledger_registry"

    id: int | None = Field(default=None, primary_key=True)
    event: str = Field(max_length=30)
    party: int | None = Field(default=None, sa_type=BigInteger, index=True)
    args: dict[str, object] = Field(sa_column=Column(JSON, nullable=False))
