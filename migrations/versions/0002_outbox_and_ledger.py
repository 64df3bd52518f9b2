"""The outbox, and the index of the contracts' events."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _outbox()
    _ledger()


def _where() -> list[sa.Column[object]]:
    """Where an event stands in the chain."""
    return [
        sa.Column("block_number", sa.BigInteger, nullable=False, index=True),
        sa.Column("log_index", sa.Integer, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
    ]


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("contract", sa.String(40), nullable=False),
        sa.Column("function", sa.String(40), nullable=False),
        sa.Column("args", sa.LargeBinary, nullable=False),
        sa.Column("key", sa.String(20), nullable=False),
        sa.Column("lane", sa.BigInteger, nullable=False),
        sa.Column("after", sa.Integer, sa.ForeignKey("outbox.id")),
        sa.Column("reference", sa.String(200), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("recovered", sa.Boolean, nullable=False),
        sa.Column("signer", sa.String(42)),
        sa.Column("position", sa.BigInteger),
        sa.Column("deadline", sa.BigInteger),
        sa.Column("signature", sa.LargeBinary),
        sa.Column("digest", sa.LargeBinary),
        sa.Column("signed_block", sa.BigInteger),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("retracted", sa.Boolean, nullable=False),
        sa.Column("relayer", sa.String(42)),
        sa.Column("tx_nonce", sa.BigInteger),
        sa.Column("tx_hash", sa.LargeBinary),
        sa.Column("block_number", sa.BigInteger),
        sa.Column("block_hash", sa.LargeBinary),
        sa.Column("block_time", sa.BigInteger),
        sa.Column("error_name", sa.String(80)),
        sa.Column("error_text", sa.String(500)),
        sa.Column("waiting", sa.String(300)),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("included_at", sa.Float),
        sa.Column("final_at", sa.Float),
    )
    op.create_index("ix_outbox_block", "outbox", ["block_number"])
    op.create_index("ix_outbox_lane", "outbox", ["contract", "signer", "lane", "position"])
    op.create_index("ix_outbox_reference", "outbox", ["reference"])
    op.create_index("ix_outbox_standing", "outbox", ["state", "block_number", "block_hash"])
    op.create_index("ix_outbox_state", "outbox", ["state", "id"])
    op.create_index("ix_outbox_unsettled", "outbox", ["settled", "state"])
    op.create_table(
        "outbox_attempt",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("row_id", sa.Integer, sa.ForeignKey("outbox.id"), nullable=False),
        sa.Column("relayer", sa.String(42), nullable=False),
        sa.Column("tx_nonce", sa.BigInteger, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("gas", sa.BigInteger, nullable=False),
        sa.Column("max_fee", sa.String(80), nullable=False),
        sa.Column("tip", sa.String(80)),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("first_block", sa.BigInteger),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("ix_outbox_attempt_nonce", "outbox_attempt", ["relayer", "tx_nonce"])
    op.create_index("ix_outbox_attempt_row", "outbox_attempt", ["row_id"])
    op.create_table(
        "outbox_lease",
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )


def _ledger() -> None:
    op.create_table(
        "ledger_batch",
        sa.Column("batch", sa.BigInteger, primary_key=True),
        sa.Column("mah", sa.BigInteger, nullable=False),
        sa.Column("product", sa.BigInteger, nullable=False),
        sa.Column("lot_key", sa.LargeBinary, nullable=False, index=True),
        sa.Column("count", sa.Integer, nullable=False),
        *_where(),
    )
    op.create_table(
        "ledger_batch_event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("batch", sa.BigInteger, nullable=False, index=True),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("key", sa.String(42)),
        *_where(),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_conflict",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("unit", sa.BigInteger, nullable=False, index=True),
        sa.Column("party", sa.BigInteger, nullable=False),
        sa.Column("call", sa.LargeBinary, nullable=False),
        sa.Column("to", sa.Integer, nullable=False),
        sa.Column("found", sa.Integer, nullable=False),
        sa.Column("refusal", sa.Integer, nullable=False),
        *_where(),
    )
    op.create_table(
        "ledger_custody",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False, index=True),
        sa.Column("event", sa.String(20), nullable=False),
        sa.Column("party", sa.BigInteger),
        sa.Column("other", sa.BigInteger),
        sa.Column("parent", sa.BigInteger),
        sa.Column("sscc_commitment", sa.LargeBinary),
        sa.Column("content_root", sa.LargeBinary),
        sa.Column("count", sa.Integer),
        *_where(),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("party", sa.BigInteger, nullable=False),
        sa.Column("lane", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        *_where(),
    )
    op.create_index("ix_ledger_entry_place", "ledger_entry", ["party", "lane", "sequence"])
    op.create_table(
        "ledger_recall",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("mah", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("by", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.LargeBinary, nullable=False),
        *_where(),
    )
    op.create_index("ix_ledger_recall_subject", "ledger_recall", ["mah", "subject"])
    op.create_table(
        "ledger_registry",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("event", sa.String(30), nullable=False),
        sa.Column("party", sa.BigInteger, index=True),
        sa.Column("args", sa.JSON, nullable=False),
        *_where(),
    )
    op.create_table(
        "ledger_status_call",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("call", sa.LargeBinary, nullable=False),
        sa.Column("party", sa.BigInteger, nullable=False),
        sa.Column("second_party", sa.BigInteger),
        sa.Column("to", sa.Integer, nullable=False),
        sa.Column("openings", sa.LargeBinary),
        sa.Column("units", sa.LargeBinary, nullable=False),
        sa.Column("outcomes", sa.LargeBinary, nullable=False),
        *_where(),
    )
    op.create_index("ix_ledger_status_call_call", "ledger_status_call", ["call", "kind"])
    op.create_table(
        "ledger_status_unit",
        sa.Column("unit", sa.BigInteger, primary_key=True),
        sa.Column("call_id", sa.Integer, sa.ForeignKey("ledger_status_call.id"), primary_key=True, index=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sqlite_with_rowid=False,
    )
