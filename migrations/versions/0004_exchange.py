"""The exchange between gateways: hand-overs, arrivals, and where the goods are."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "hand_over",
        sa.Column("id", ID, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("event", ID, sa.ForeignKey("event.id"), nullable=False),
        sa.Column("receiver", sa.Integer, nullable=False),
        sa.Column("units", sa.Text, nullable=False),
        sa.Column("ship_rows", sa.Text, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("digest", sa.LargeBinary(32)),
        sa.Column("size", sa.Integer),
        sa.Column("sent", sa.Integer, nullable=False),
        sa.Column("receipt", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_index("hand_over_due", "hand_over", ["state", "next_try"])
    op.create_index("hand_over_event", "hand_over", ["event"])
    op.create_table(
        "hand_over_piece",
        sa.Column("hand_over", ID, sa.ForeignKey("hand_over.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "arrival",
        sa.Column("id", ID, primary_key=True),
        sa.Column("sender", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("received", sa.Integer, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("kind", sa.String),
        sa.Column("units", sa.Text, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("announcement", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("decided_at", sa.Float),
        sa.UniqueConstraint("sender", "digest"),
    )
    op.create_index("arrival_due", "arrival", ["state", "next_try"])
    op.create_table(
        "arrival_piece",
        sa.Column("arrival", ID, sa.ForeignKey("arrival.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    _units("shipped_unit", "hand_over")
    _units("arrival_unit", "arrival", sa.Column("note", sa.Text), sa.Column("tried_at", sa.Float, nullable=False))


def _units(table: str, parent: str, *more: sa.Column[object]) -> None:
    """The logistic units of a hand-over or arrival."""
    op.create_table(
        table,
        sa.Column(parent, ID, sa.ForeignKey(f"{parent}.id"), primary_key=True),
        sa.Column("unit", ID, sa.ForeignKey("logistic_unit.id"), primary_key=True),
        sa.Column("goods", sa.String(12), nullable=False),
        sa.Column("outbox", sa.Integer),
        *more,
    )
    for column in ("unit", "goods", "outbox"):
        op.create_index(f"{table}_{column}", table, [column])
