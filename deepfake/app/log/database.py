"""database: where the log lies, how it is reached, and what is said where it cannot be; no password ever is."""

import os
import random
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from platformdirs import user_data_path
from sqlalchemy import URL, Connection, Engine, Inspector, column, create_engine, event, func, inspect, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.pool import NullPool

from deepfake.app.log.schema import NEWEST, VERSIONS
from deepfake.base.errors import UserError, unknown

PLACE = "DEEPFAKE_DB_URL"
DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
PATIENCE = 30  # s, for the lock of another writer
TIMEOUT = 10  # s, for a server to answer
TRIES = 6  # of a transaction that had to give way to another
EXAMPLE = f"{PLACE} is sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE or mysql://..."
ESCAPES = "in a password, @ is written %40, / is %2F, : is %3A, % is %25"
# What servers say of a transaction that may be tried again: deadlocks, and waits that were too long.
GIVES_WAY = {"40001", "40P01", "55P03", 1020, 1205, 1213}
T = TypeVar("T")


def place() -> URL:
    """Where the log lies: DEEPFAKE_DB_URL, or a file under the user's data folder.

    Not in the current folder: there would be as many logs as folders, each with a chain of its own, and git would take
    what they say of people's videos. Raises UserError for what is no URL, or of no known database.
    """
    given = os.environ.get(PLACE, "")
    if not given:
        return URL.create("sqlite", database=str(user_data_path("deepfake", appauthor=False) / "predictions.db"))
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):  # whose words may hold the password
        raise UserError(f"{PLACE} is no URL of a database", f"{EXAMPLE}; {ESCAPES}") from None
    kind, _, driver = url.drivername.partition("+")
    kind = "postgresql" if kind == "postgres" else kind
    if kind not in DRIVERS:
        raise unknown("database", kind, DRIVERS, PLACE)
    if driver not in ("", DRIVERS[kind]):
        raise UserError(f"{PLACE}: no driver {driver!r} for {kind}, but {DRIVERS[kind]}", f"leave it out: {kind}://")
    if "@" in (url.host or ""):
        raise UserError(f"{PLACE}: an @ too many", ESCAPES)
    if url.database in (None, "", ":memory:"):
        raise UserError(f"{PLACE} names no {'file' if kind == 'sqlite' else 'database'}", EXAMPLE)
    if kind == "sqlite" and url.query:
        raise UserError(f"{PLACE}: no options for a file ({', '.join(url.query)})", EXAMPLE)
    return url.set(drivername=f"{kind}+{DRIVERS[kind]}")


def shown(url: URL) -> str:
    """The URL for people: without password and options, which may hold one."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return URL.create(url.get_backend_name(), url.username, None, url.host, url.port, url.database).render_as_string()


def engine(url: URL) -> Engine:
    """The database, not connected yet; each transaction has a connection of its own. Raises ImportError, no driver."""
    kind = url.get_backend_name()
    if kind == "sqlite":
        engine = create_engine(url, connect_args={"timeout": PATIENCE}, poolclass=NullPool)
        event.listen(engine, "connect", _begin_by_hand)
        event.listen(engine, "begin", _begin)
        return engine
    options: dict[str, Any] = {"connect_timeout": TIMEOUT}
    if kind == "postgresql":
        options |= {"options": f"-c lock_timeout={PATIENCE}s"}
    else:  # which else waits for ever for what is no MySQL, and cuts what is too long without a word
        options |= {"read_timeout": 2 * PATIENCE, "charset": "utf8mb4", "sql_mode": "STRICT_ALL_TABLES"}
        options |= {"init_command": f"SET SESSION innodb_lock_wait_timeout = {PATIENCE}"}
    return create_engine(url, connect_args=options, poolclass=NullPool, isolation_level="REPEATABLE READ")


def reach(engine: Engine) -> None:
    """Connect for the first time. Raises UserError where the URL has options that the driver has not."""
    with told(engine.url):
        try:
            engine.connect().close()
        except (TypeError, ProgrammingError):
            if not engine.url.query:
                raise
            names = ", ".join(engine.url.query)
            raise UserError(f"{PLACE}: an option is wrong: {names}", "leave it out, or see its driver's") from None


def writer(engine: Engine) -> Engine:
    """The same connections, for transactions that write: one after the other, each seeing what the last wrote."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(immediate=True)
    return engine.execution_options(isolation_level="READ COMMITTED")  # a snapshot may be older than the lock


def retried(act: Callable[[], T]) -> T:
    """Do it, again where it had to give way to another writer; at most TRIES times."""
    for wait in range(1, TRIES):
        try:
            return act()
        except DBAPIError as error:
            if not gives_way(error):
                raise
        time.sleep(random.uniform(0, 0.05 * 2**wait))  # s; chance, so that two do not meet again
    return act()


def gives_way(error: DBAPIError) -> bool:
    """Whether the transaction failed for another's sake alone."""
    cause: Any = error.orig
    if isinstance(cause, sqlite3.Error):
        return cause.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return bool({getattr(cause, "sqlstate", None), *cause.args[:1]} & GIVES_WAY)


@contextmanager
def told(url: URL) -> Iterator[None]:
    """What the database refuses is the user's to mend, and told in a line; a fault of our own SQL is none."""
    try:
        yield
    except DBAPIError as error:
        denied = getattr(error.orig, "sqlstate", None) == "42501"  # PostgreSQL's "insufficient privilege"
        if isinstance(error, IntegrityError | ProgrammingError) and not denied:
            raise
        reason = " ".join(str(error.orig.args[-1] if error.orig and error.orig.args else error.orig).split())
        for secret in (url.password, *url.query.values()):
            reason = reason.replace(str(secret), "***") if secret else reason
        server = "is the server up? are user, password and database right, and may it be written to?"
        file = "is the folder there, the disk not full, and may you write to it? is it a log of deepfake?"
        hint = f"{file if url.get_backend_name() == 'sqlite' else server} {PLACE} names the database"
        raise UserError(f"the log {shown(url)}: {reason}", hint) from None


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest schema, one process at a time. Raises UserError where they are newer than that."""
    with engine.connect() as connection:
        if _schema(connection) == NEWEST:
            return
    from alembic import command  # a second to import: only where there is something to do
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "deepfake.app.log:migrations")
    with writer(engine).connect() as connection, _alone(connection):
        if _schema(connection) != NEWEST:  # nobody else did it meanwhile
            config.attributes["connection"] = connection
            command.upgrade(config, NEWEST)


def _schema(connection: Connection) -> str | None:
    """The step of migrations/ that the tables are at; None where there are none."""
    known = [f"v{number}" for number in range(1, int(NEWEST[1:]) + 1)]
    inspector: Inspector = inspect(connection)
    if not inspector.has_table(VERSIONS):
        return None
    revision = connection.execute(select(column("version_num")).select_from(table(VERSIONS))).scalar()
    if revision is not None and revision not in known:
        newer = f"the log {shown(connection.engine.url)} has schema {revision}, this version reads {NEWEST} at most"
        raise UserError(newer, "upgrade deepfake, or name another database")
    return None if revision is None else str(revision)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """A transaction beside which no other process changes the tables; its end commits."""
    if connection.dialect.name in ("mysql", "mariadb"):  # where a change of tables ends the transaction, and its locks
        name = f"deepfake_log.{connection.engine.url.database}"[:64]
        connection.execute(select(func.get_lock(name, PATIENCE)))
        try:
            yield
            connection.commit()
        finally:
            connection.execute(select(func.release_lock(name)))
    else:
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(zlib.crc32(VERSIONS.encode()))))
            yield


def _begin_by_hand(connection: sqlite3.Connection, _: object) -> None:
    """Python's driver begins a transaction when it writes, which is too late for the lock.

    And it gives up a whole query for one text that is no UTF-8, which nobody but a forger writes.
    """
    connection.isolation_level = None
    connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")


def _begin(connection: Connection) -> None:
    """Who writes takes the lock at once: two that read first and write then would wait for each other."""
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
