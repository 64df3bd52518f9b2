"""Recalls of one batch, recalls by a regulator and their lifting; and who ordered each call."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    with op.batch_alter_table("recall_notice") as table:
        table.add_column(sa.Column("batch", sa.BigInteger))
        table.add_column(sa.Column("scope", sa.String(5), nullable=False, server_default="lot"))
        table.alter_column("gtin", existing_type=sa.String, nullable=True)
        table.alter_column("lot", existing_type=sa.String, nullable=True)
    op.add_column("outbox", sa.Column("caller", sa.String(100)))
    op.add_column("outbox", sa.Column("caller_id", sa.String(16)))
