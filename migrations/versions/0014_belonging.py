"""Whose records a database holds."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "belonging",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("party", sa.BigInteger, nullable=False),
        sa.Column("contracts", sa.Text, nullable=False),
    )
