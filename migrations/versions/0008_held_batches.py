"""Batches of a company's products that others commissioned for it, and whose packs are all known."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "held_batch",
        sa.Column("batch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event", ID, sa.ForeignKey("event.id"), nullable=False),
    )
