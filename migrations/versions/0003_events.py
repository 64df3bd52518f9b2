"""The event store, seals, commissioned batches, product secrets, partners; status changes; alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "uri_prefix",
        sa.Column("id", ID, primary_key=True),
        sa.Column("text", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "seal",
        sa.Column("id", ID, primary_key=True),
        sa.Column("lane", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("outbox", sa.Integer, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.UniqueConstraint("lane", "sequence"),
    )
    op.create_index("seal_outbox", "seal", ["outbox"])
    op.create_index("seal_state", "seal", ["state"])
    op.create_table(
        "event",
        sa.Column("id", ID, primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("party", sa.Integer, nullable=False),
        sa.Column("event_id", sa.Text, unique=True),
        sa.Column("cbv_hash", sa.Text),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("biz_step", sa.Text),
        sa.Column("event_time", sa.String(24), nullable=False),
        sa.Column("record_time", sa.String(24), nullable=False),
        sa.Column("parent", sa.Text),
        sa.Column("item_count", sa.Integer, nullable=False),
        sa.Column("header", sa.LargeBinary, nullable=False),
        sa.Column("secret", sa.LargeBinary(32)),
        sa.Column("seal", sa.LargeBinary),
        sa.Column("seal_id", ID, sa.ForeignKey("seal.id")),
    )
    op.create_index("event_record_time", "event", ["record_time"])
    op.create_index("event_seal", "event", ["seal_id"])
    op.create_index("event_unsealed", "event", ["id"], sqlite_where=sa.text("seal_id IS NULL AND secret IS NOT NULL"))
    op.create_table(
        "item_tile",
        sa.Column("event", ID, sa.ForeignKey("event.id"), primary_key=True),
        sa.Column("level", sa.SmallInteger, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "item_group",
        sa.Column("event", ID, sa.ForeignKey("event.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "logistic_unit",
        sa.Column("id", ID, primary_key=True),
        sa.Column("uri", sa.Text, nullable=False, unique=True),
        sa.Column("number", sa.String(20)),
        sa.Column("filled_by", ID, sa.ForeignKey("event.id")),
        sa.Column("place", sa.SmallInteger, nullable=False),
        sa.Column("parent", ID, sa.ForeignKey("logistic_unit.id")),
        sa.Column("partner", sa.Integer),
        sa.Column("note", sa.Text),
    )
    op.create_index("logistic_unit_parent", "logistic_unit", ["parent"])
    op.create_index("logistic_unit_place", "logistic_unit", ["place"])
    op.create_table(
        "unit",
        sa.Column("prefix", ID, sa.ForeignKey("uri_prefix.id"), primary_key=True),
        sa.Column("suffix", sa.Text, primary_key=True),
        sa.Column("event", ID, sa.ForeignKey("event.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("place", sa.SmallInteger, nullable=False),
        sa.Column("parent", ID, sa.ForeignKey("logistic_unit.id")),
        sqlite_with_rowid=False,
    )
    op.create_index("unit_parent", "unit", ["parent"], sqlite_where=sa.text("parent IS NOT NULL"))
    op.create_table(
        "participation",
        sa.Column("prefix", ID, sa.ForeignKey("uri_prefix.id"), primary_key=True),
        sa.Column("suffix", sa.Text, primary_key=True),
        sa.Column("event", ID, sa.ForeignKey("event.id"), primary_key=True),
        sa.Column("role", sa.SmallInteger, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("next", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "commissioned_batch",
        sa.Column("number", ID, primary_key=True, autoincrement=False),
        sa.Column("event", ID, sa.ForeignKey("event.id"), nullable=False),
        sa.Column("gtin", sa.String(14), nullable=False),
        sa.Column("lot", sa.String(20), nullable=False),
        sa.Column("expiry", sa.String(10), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("outbox", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
    )
    op.create_index("commissioned_batch_gtin", "commissioned_batch", ["gtin", "lot"])
    op.create_index("commissioned_batch_event", "commissioned_batch", ["event"])
    op.create_table(
        "recall_notice",
        sa.Column("outbox", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("gtin", sa.String(14), nullable=False),
        sa.Column("lot", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("notice", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
    )
    op.create_table(
        "product_secret",
        sa.Column("gtin", sa.String(14), primary_key=True),
        sa.Column("secret", sa.LargeBinary(32), nullable=False),
    )
    op.create_table(
        "partner",
        sa.Column("gln", sa.String(13), primary_key=True),
        sa.Column("party", sa.Integer, nullable=False),
        sa.Column("company", sa.Integer, nullable=False),
        sa.Column("salt", sa.LargeBinary(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_index("partner_party", "partner", ["party"])
    op.create_table(
        "operation",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("to_status", sa.SmallInteger, nullable=False),
        sa.Column("reverses", sa.Integer, sa.ForeignKey("operation.id")),
        sa.Column("outbox", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("openings", sa.LargeBinary(32), nullable=False),
        sa.Column("receipt", sa.LargeBinary(32)),
        sa.Column("time", sa.BigInteger),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("event", sa.Integer),
    )
    op.create_index("operation_outbox", "operation", ["outbox"])
    op.create_index("operation_reverses", "operation", ["reverses"])
    op.create_table(
        "operation_unit",
        sa.Column("operation", sa.Integer, sa.ForeignKey("operation.id"), primary_key=True),
        sa.Column("position", sa.SmallInteger, primary_key=True),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("unit", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.SmallInteger),
        sa.Column("found", sa.SmallInteger),
    )
    op.create_index("operation_unit_uri", "operation_unit", ["uri"])
    op.create_table(
        "alert",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("unit", sa.BigInteger, nullable=False),
        sa.Column("call", sa.LargeBinary(32), nullable=False),
        sa.Column("party", sa.Integer, nullable=False),
        sa.Column("asked", sa.SmallInteger, nullable=False),
        sa.Column("found", sa.SmallInteger, nullable=False),
        sa.Column("refusal", sa.SmallInteger, nullable=False),
        sa.Column("block", sa.BigInteger, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("why", sa.String(10), nullable=False),
        sa.Column("retracted", sa.Boolean, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("closed_by", sa.Text),
        sa.UniqueConstraint("call", "unit"),
    )
    op.create_index("alert_unit", "alert", ["unit"])
    op.create_table(
        "alert_comment",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("alert", sa.Integer, sa.ForeignKey("alert.number"), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("alert_comment_alert", "alert_comment", ["alert"])
