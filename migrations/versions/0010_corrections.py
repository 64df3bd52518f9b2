"""Error declarations, and what was disclosed to whom."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("event", sa.Column("declares", sa.LargeBinary(32)))
    op.create_index("event_declares", "event", ["declares"], sqlite_where=sa.text("declares IS NOT NULL"))
    op.create_table(
        "disclosed_event",
        sa.Column("event", ID, sa.ForeignKey("event.id"), primary_key=True),
        sa.Column("hand_over", ID, sa.ForeignKey("hand_over.id"), primary_key=True),
    )
    op.create_index("disclosed_event_hand_over", "disclosed_event", ["hand_over"])
