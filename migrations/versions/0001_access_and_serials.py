"""API keys; serial numbers: policies, blocks, what was drawn."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("roles", sa.String(200), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_table(
        "serial_policy",
        sa.Column("gtin", sa.String(14), primary_key=True),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Column("alphabet", sa.String(62), nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "serial_block",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("gtin", sa.String(14), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("drawn_at", sa.BigInteger, nullable=False),
        sa.Column("drawn_by", sa.String(16), nullable=False),
    )
    op.create_index("ix_serial_block_gtin", "serial_block", ["gtin"])
    op.create_table(
        "serial_drawn",
        sa.Column("gtin", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("fingerprint", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
