"""Proven duplicates: their index, and alerts about them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "ledger_duplicate",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("unit", sa.BigInteger, nullable=False, index=True),
        sa.Column("twin", sa.BigInteger, nullable=False, index=True),
        sa.Column("found", sa.Integer, nullable=False),
        sa.Column("twin_found", sa.Integer, nullable=False),
        sa.Column("uri", sa.String, nullable=False),
        sa.Column("block_number", sa.BigInteger, nullable=False, index=True),
        sa.Column("log_index", sa.Integer, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
    )
    with op.batch_alter_table("alert") as table:
        table.add_column(sa.Column("twin", sa.BigInteger))
        table.alter_column("party", existing_type=sa.Integer, nullable=True)
