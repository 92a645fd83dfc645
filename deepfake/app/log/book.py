"""book: the log itself: a row is added, found, listed, verified."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, Engine, Select, select, type_coerce
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from deepfake.app.log import chain, database
from deepfake.app.log.chain import Entry, Row, Verified
from deepfake.app.log.schema import Head, Prediction
from deepfake.base.errors import UserError

COLUMNS = [column.name for column in Prediction.__table__.columns]
AT_ONCE = 1000  # rows in memory
VERIFY = "what was done to it: deepfake log --verify"


class Log:
    """The log of a database. A row is read as its columns, alike from each database: see chain.plain."""

    def __init__(self, url: URL, engine: Engine) -> None:
        self._url, self._engine, self._writer = url, engine, database.writer(engine)

    def __str__(self) -> str:
        return database.shown(self._url)

    def add(self, entry: Entry) -> Row:
        """Add a row at the end of the chain; the database holds it when this returns. Raises UserError."""
        values = {name: chain.plain(value) for name, value in asdict(entry).items()}
        values["time"] = entry.time.astimezone(UTC).replace(tzinfo=None)

        def write() -> Row:
            with Session(self._writer) as session, session.begin():
                heads = session.scalars(select(Head).with_for_update()).all()
                if not heads:
                    raise UserError(f"the log {self} lost its head: the row that says where it ends", VERIFY)
                head = heads[0]
                if len(heads) > 1 or not isinstance(head.last, int) or not isinstance(head.hash, str):
                    raise UserError(f"the log {self}: {chain.HEADLESS}", VERIFY)
                row = values | {"id": head.last + 1, "previous": head.hash}
                row["hash"] = chain.digest(row)
                head.last, head.hash = row["id"], row["hash"]
                session.add(Prediction(**row))
            return {name: chain.plain(value) for name, value in row.items()}

        try:
            with database.told(self._url):
                return database.retried(write)
        except IntegrityError:
            raise UserError(f"the log {self} has a row that it did not write at its end", VERIFY) from None

    def find(self, content: str, detector: str, version: str) -> Row | None:
        """What was said last of this content by this detector and version. Raises UserError where it was changed."""
        same = (Prediction.content == content, Prediction.detector == detector, Prediction.version == version)
        row = next(iter(self.rows(same, last=1)), None)
        if row is not None and row["hash"] != chain.digest(row):
            raise UserError(f"the log {self}: row {row['id']} was changed", VERIFY)
        return row

    def rows(self, conditions: Sequence[ColumnElement[bool]] = (), last: int = 0) -> Iterator[Row]:
        """The rows that meet all the conditions, by id; of them the last so many, 0 = all."""
        query = _every().where(*conditions)
        if last:
            newest = select(Prediction.id).where(*conditions).order_by(Prediction.id.desc()).limit(last).subquery()
            query = query.where(Prediction.id.in_(select(newest.c.id)))
        with database.told(self._url), self._engine.connect() as connection:
            yield from _read(connection, query)

    def verify(self, noted: str = "") -> Verified:
        """Walk along the whole chain; `noted` is a hash that it once held, or the beginning of one."""
        with database.told(self._url), self._engine.connect() as connection:  # one transaction: all as of one moment
            heads = connection.execute(select(Head.last, Head.hash)).all()
            if not heads:
                raise UserError(f"the log {self} lost its head: the row that says where it ends", "take a backup's")
            if len(heads) > 1:
                return Verified(0, chain.START, chain.HEADLESS)
            with closing(_read(connection, _every())) as rows:
                return chain.verify(rows, *heads[0], noted)


def opened(create: bool = True) -> Log:
    """The log of DEEPFAKE_DB_URL, its tables brought up to date. Raises UserError, without `create` for no file too."""
    url = database.place()
    if url.get_backend_name() == "sqlite" and not (file := Path(str(url.database))).is_file():
        if not create:
            raise UserError(f"no log {file}", f"deepfake predict --log writes one; {database.EXAMPLE}")
        if database.PLACE not in os.environ:
            file.parent.mkdir(parents=True, exist_ok=True)
    engine = database.engine(url)
    database.reach(engine)
    with database.told(url):
        database.upgrade(engine)
    return Log(url, engine)


def such(
    path: str = "",
    verdict: str = "",
    status: str = "",
    detector: str = "",
    content: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[ColumnElement[bool]]:
    """The conditions for a row: what its path holds, what it is, what its hashes begin with, when (UTC); "" = any."""
    return [
        *([Prediction.path.icontains(path, autoescape=True)] if path else []),
        *([Prediction.verdict == verdict] if verdict else []),
        *([Prediction.status == status] if status else []),
        *([Prediction.detector.startswith(detector, autoescape=True)] if detector else []),
        *([Prediction.content.startswith(content, autoescape=True)] if content else []),
        *([Prediction.time >= since] if since else []),
        *([Prediction.time < until] if until else []),
    ]


def _every() -> "Select[*tuple[Any, ...]]":
    """All columns, as the driver reads them: what was spoilt is read like all else."""
    return select(*(type_coerce(column, NullType()).label(column.name) for column in Prediction.__table__.columns))


def _read(connection: Connection, query: "Select[*tuple[Any, ...]]") -> Generator[Row, None, None]:
    query = query.order_by(Prediction.id)
    with connection.execution_options(yield_per=AT_ONCE).execute(query) as result:
        for row in result.mappings():
            yield {str(name): chain.plain(value) for name, value in row.items()}
