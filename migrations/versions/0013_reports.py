"""Reports of suspect packs, with photos."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "suspect_report",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("lot", sa.String),
        sa.Column("expiry", sa.String),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("unit", sa.BigInteger),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("operation", sa.Integer, sa.ForeignKey("operation.id")),
        sa.Column("request", sa.String(64)),
    )
    for column in ("uri", "unit"):
        op.create_index(f"ix_suspect_report_{column}", "suspect_report", [column])
    op.create_index("ix_suspect_report_request", "suspect_report", ["request"], unique=True)
    op.create_table(
        "suspect_photo",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("report", sa.Integer, sa.ForeignKey("suspect_report.number"), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_suspect_photo_report", "suspect_photo", ["report"])
