"""v1: the table of predictions, and the head of their chain.

MySQL cannot take tables back: where a step was killed half way, it goes on with those that are there.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT

revision = "v1"
down_revision = None

UTF8 = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
UTF8 |= {name.replace("mysql", "mariadb"): value for name, value in UTF8.items()}


def upgrade() -> None:
    """Make both tables; the chain begins."""
    long = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
    op.create_table(
        "deepfake_predictions",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("content", sa.String(64)),
        sa.Column("path", long, nullable=False),
        sa.Column("status", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(64)),
        sa.Column("score", sa.Double),
        sa.Column("prediction", long, nullable=False),
        sa.Column("detector", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("time", sa.DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb"), nullable=False),
        sa.Column("duration", sa.Double, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        if_not_exists=True,
        **UTF8,
    )
    name = "ix_deepfake_predictions_content"
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("deepfake_predictions")}:
        op.create_index(name, "deepfake_predictions", ["content"])
    head = op.create_table(
        "deepfake_predictions_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        if_not_exists=True,
        **UTF8,
    )
    if op.get_bind().execute(sa.select(head)).first() is None:
        op.bulk_insert(head, [{"id": 1, "last": 0, "hash": "0" * 64}])


def downgrade() -> None:
    """Drop both tables, and all that was said."""
    op.drop_table("deepfake_predictions_head")
    op.drop_table("deepfake_predictions")
