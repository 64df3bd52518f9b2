"""Restorations from a backup."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "restoration",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("backup_at", sa.BigInteger, nullable=False),
        sa.Column("restored_at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger),
        sa.Column("lost", sa.Text, nullable=False),
    )
