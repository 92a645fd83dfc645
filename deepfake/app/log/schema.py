"""schema: the tables of the log, alike on SQLite, MySQL, MariaDB and PostgreSQL."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Double, Integer, String, Text
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

VERSIONS = "deepfake_log_schema"  # the table that says which step of migrations/ the tables are at
NEWEST = "v1"
UTF8 = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
UTF8 |= {name.replace("mysql", "mariadb"): value for name, value in UTF8.items()}
LONG = Text().with_variant(LONGTEXT(), "mysql", "mariadb")  # theirs ends at 64 KB, and may cut without a word
MOMENT = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")  # UTC; theirs knows whole seconds alone
SHA256 = String(64)


class Base(DeclarativeBase):
    """The tables of the log."""


class Prediction(Base):
    """A row of the log: see chain.Entry. `id` counts from 1 without gaps."""

    __tablename__ = "deepfake_predictions"
    __table_args__ = UTF8

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    content: Mapped[str | None] = mapped_column(SHA256, index=True)
    path: Mapped[str] = mapped_column(LONG)
    status: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str | None] = mapped_column(String(64))
    score: Mapped[float | None] = mapped_column(Double)
    prediction: Mapped[str] = mapped_column(LONG)
    detector: Mapped[str] = mapped_column(SHA256)
    version: Mapped[str] = mapped_column(String(64))
    time: Mapped[datetime] = mapped_column(MOMENT)
    duration: Mapped[float] = mapped_column(Double)
    previous: Mapped[str] = mapped_column(SHA256)
    hash: Mapped[str] = mapped_column(SHA256)


class Head(Base):
    """The one row that says where the chain ends; who holds its lock may write."""

    __tablename__ = "deepfake_predictions_head"
    __table_args__ = UTF8

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(SHA256)
