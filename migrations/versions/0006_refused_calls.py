"""Custody calls that the chain refused, at their units; receipts before the last one; names of clients' requests."""

import cbor2
import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("logistic_unit", sa.Column("refused", sa.String(8)))
    op.add_column("logistic_unit", sa.Column("refusal", sa.Text))
    op.create_index("logistic_unit_number", "logistic_unit", ["number"])
    op.create_index(
        "logistic_unit_refused", "logistic_unit", ["refused"], sqlite_where=sa.Column("refused").isnot(None)
    )
    op.add_column("operation", sa.Column("request", sa.String(64)))
    op.create_index("ix_operation_request", "operation", ["request"], unique=True)
    _mark_refused()
    for table in ("hand_over", "arrival"):
        op.add_column(table, sa.Column("former", sa.Text, nullable=False, server_default="[]"))


def _mark_refused() -> None:
    """Units whose registration was refused before this revision."""
    connection = op.get_bind()
    query = sa.text(
        "SELECT args, error_text FROM outbox WHERE contract = 'CustodyLedger' AND function = 'register'"
        " AND state = 'reverted' AND NOT recovered"
    )
    mark = sa.text("UPDATE logistic_unit SET refused = 'register', refusal = :why WHERE number = :number")
    for args, why in connection.execute(query).all():
        for registration in cbor2.loads(args)[0]:
            connection.execute(mark, {"why": why, "number": str(registration[0])})
