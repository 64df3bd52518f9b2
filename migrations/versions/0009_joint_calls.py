"""Calls that holder and regulator sign together."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "joint_call",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("side", sa.String(9), nullable=False),
        sa.Column("started", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(8), nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("caller", sa.String),
        sa.Column("caller_id", sa.String(16)),
        sa.Column("outbox", sa.Integer, sa.ForeignKey("outbox.id"), index=True),
        sa.Column("error", sa.Text),
        sa.Column("outcomes", sa.LargeBinary),
        sa.Column("block", sa.BigInteger),
        sa.Column("time", sa.BigInteger),
    )
