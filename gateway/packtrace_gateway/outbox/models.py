"""What the outbox keeps: the calls, every transaction that was ever signed for them, who may send.

Times are unix times in seconds. A row's consent and transactions are stored before
they leave this machine; nothing that was stored is signed anew while the old one could still be carried out.
"""

from enum import StrEnum

from sqlalchemy import BigInteger, Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from packtrace_gateway.ledger.columns import words


class State(StrEnum):
    """Where a call is on its way (design: queued → signed → broadcast → included → final | reverted | superseded)."""

    QUEUED = "queued"  # stored, nothing signed yet
    SIGNED = "signed"  # the party's consent is stored; perhaps a transaction too, but no node has taken it
    BROADCAST = "broadcast"  # a node took the transaction
    INCLUDED = "included"  # the call's own event is in a block
    FINAL = "final"  # … and that block is final
    REVERTED = "reverted"  # a contract refused it; `error_name` says why
    SUPERSEDED = "superseded"  # taken back before it was signed, or found to be the same as another row


LANES = 16
"""Lanes that a key has on each contract. All are compared with the chain after a start: a database restored from a
backup does not know which of them were used since."""

IN_FLIGHT = (State.SIGNED, State.BROADCAST)
ON_CHAIN = (State.INCLUDED, State.FINAL)


class OutboxRow(SQLModel, table=True):
    """One call to one contract.

    `signer`, `position`, `deadline`, `signature` and `digest` are the consent (EIP-712): set together on signing.
    The consent's nonce is ``lane << 64 | position``. `settled` says that this consent can no longer be carried out, or
    is carried out for good. `tx_hash`, `block_*` are those of the including transaction, which need not be ours:
    anybody may carry a consent to the chain.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_state", "state", "id"),
        Index("ix_outbox_lane", "contract", "signer", "lane", "position"),
        Index("ix_outbox_unsettled", "settled", "state"),
        Index("ix_outbox_reference", "reference"),
        Index("ix_outbox_block", "block_number"),
        Index("ix_outbox_standing", "state", "block_number", "block_hash"),
    )

    id: int | None = Field(default=None, primary_key=True)
    contract: str = Field(max_length=40)
    function: str = Field(max_length=40)
    args: bytes  # CBOR, deterministic (RFC 8949, 4.2)
    key: str = Field(max_length=20)  # purpose of the signing key: operate, line, quality, manage
    lane: int = Field(sa_type=BigInteger)
    after: int | None = Field(default=None, foreign_key="outbox.id")  # not before that row is on chain
    reference: str = Field(max_length=200)  # the feature's own name for what this call is about
    state: State = Field(default=State.QUEUED, sa_column=Column(words(State, 12), nullable=False))
    caller: str | None = Field(default=None, max_length=100)  # name of the API key that ordered it, where one did
    caller_id: str | None = Field(default=None, max_length=16)
    recovered: bool = False  # found on chain, done by our key, but not in this database: a backup was restored

    signer: str | None = Field(default=None, max_length=42)
    position: int | None = Field(default=None, sa_type=BigInteger)
    deadline: int | None = Field(default=None, sa_type=BigInteger)
    signature: bytes | None = Field(default=None, sa_type=LargeBinary)
    digest: bytes | None = Field(default=None, sa_type=LargeBinary)
    signed_block: int | None = Field(default=None, sa_type=BigInteger)  # newest block when it was signed
    settled: bool = False
    retracted: bool = False  # was on chain once, and a reorganisation took it back

    relayer: str | None = Field(default=None, max_length=42)
    tx_nonce: int | None = Field(default=None, sa_type=BigInteger)
    tx_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    block_number: int | None = Field(default=None, sa_type=BigInteger)
    block_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    block_time: int | None = Field(default=None, sa_type=BigInteger)

    error_name: str | None = Field(default=None, max_length=80)  # the custom error that decided `reverted`
    error_text: str | None = Field(default=None, max_length=500)
    waiting: str | None = Field(default=None, max_length=300)  # why the row does not move at the moment

    created_at: float
    updated_at: float
    included_at: float | None = None
    final_at: float | None = None

    @property
    def nonce(self) -> int:
        """The consent's keyed nonce."""
        assert self.position is not None
        return self.lane << 64 | self.position

    @property
    def number(self) -> int:
        """The row's id, once it is stored."""
        assert self.id is not None
        return self.id


class Outcome(StrEnum):
    """What became of a transaction."""

    OPEN = "open"  # a block may include it
    INCLUDED = "included"
    REVERTED = "reverted"  # in a block, without effect
    REPLACED = "replaced"  # its nonce was used by another transaction


class Attempt(SQLModel, table=True):
    """One signed transaction that carries a row's consent, stored before it was first sent.

    A bump of fees makes a second one with the same `tx_nonce`. `first_block` is the newest block when
    a node first took it.
    """

    __tablename__ = "outbox_attempt"
    __table_args__ = (
        Index("ix_outbox_attempt_row", "row_id"),
        Index("ix_outbox_attempt_nonce", "relayer", "tx_nonce"),
    )

    id: int | None = Field(default=None, primary_key=True)
    row_id: int = Field(foreign_key="outbox.id")
    relayer: str = Field(max_length=42)
    tx_nonce: int = Field(sa_type=BigInteger)
    tx_hash: bytes = Field(sa_type=LargeBinary, unique=True)
    raw: bytes = Field(sa_type=LargeBinary)
    gas: int = Field(sa_type=BigInteger)
    max_fee: str = Field(max_length=80)  # wei per gas, decimal: may exceed 64 bits
    tip: str | None = Field(default=None, max_length=80)  # None: a transaction of the old kind, with a gas price
    outcome: Outcome = Field(default=Outcome.OPEN, sa_column=Column(words(Outcome, 10), nullable=False))
    first_block: int | None = Field(default=None, sa_type=BigInteger)
    created_at: float


class Lease(SQLModel, table=True):
    """Who may sign and send from this database: one process at a time. Renewed while its owner lives."""

    __tablename__ = "outbox_lease"

    name: str = Field(primary_key=True, max_length=20)
    owner: str = Field(max_length=200)
    expires_at: float
