"""Custody gaps in a package that somebody accepted by name."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("arrival", sa.Column("acknowledged", sa.Text))
