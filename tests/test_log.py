"""log: every row is there once, in one chain, on every database; whatever is done to it afterwards is found."""

import csv
import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the extra db is not installed")

import entries
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from entries import NOON, entry
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from deepfake import inference
from deepfake.app.log import answers, book, chain, database
from deepfake.app.log.schema import NEWEST, Base
from deepfake.base.errors import UserError
from deepfake.prediction import Box, Prediction, Span, Track, Window

ROOT = Path(__file__).parents[1]
SERVERS = {  # where they are asked to make a database for a test
    "postgresql": "postgresql+psycopg://postgres@127.0.0.1:5432/test",
    "mariadb": "mariadb+pymysql://root@127.0.0.1:3306/test",
}


@pytest.fixture(params=["sqlite", *SERVERS])
def place(request, tmp_path, monkeypatch) -> Iterator[str]:
    """The URL of an empty database of each kind, which DEEPFAKE_DB_URL names; without the server a skip."""
    url = f"sqlite:///{tmp_path}/log.db"
    if request.param == "sqlite":
        monkeypatch.setenv(database.PLACE, url)
        yield url
        return
    server = create_engine(SERVERS[request.param], connect_args={"connect_timeout": 2}, isolation_level="AUTOCOMMIT")
    name = f"deepfake_test_{uuid.uuid4().hex[:12]}"
    try:
        query(server, f"CREATE DATABASE {name}" + " CHARACTER SET latin1" * (request.param == "mariadb"))
    except OperationalError as error:
        pytest.skip(f"no {request.param} server: {error.orig}")
    url = SERVERS[request.param].removesuffix("test") + name
    monkeypatch.setenv(database.PLACE, url)
    yield url
    query(server, f"DROP DATABASE {name}" + " WITH (FORCE)" * (request.param == "postgresql"))
    server.dispose()


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """A log of five rows in an SQLite file, which DEEPFAKE_DB_URL names."""
    monkeypatch.setenv(database.PLACE, f"sqlite:///{tmp_path}/log.db")
    log = book.opened()
    for number in range(1, 6):
        log.add(entry(content=f"{number:064x}", path=f"/films/{number}.mp4", score=number / 10))
    return tmp_path / "log.db"


def query(place, statement: str) -> list[tuple]:
    """What a database answers behind the log's back."""
    engine = create_engine(place, isolation_level="AUTOCOMMIT") if isinstance(place, str) else place
    with engine.connect() as connection:
        result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


# ---- a log on every database


@pytest.mark.parametrize(("writers", "rows"), [(3, 4), pytest.param(8, 50, marks=pytest.mark.slow)])
def test_rows_of_parallel_writers_are_all_there_in_one_chain(place, writers, rows):
    workers = get_context("spawn")  # all begin with an empty database: one makes the tables
    processes = [workers.Process(target=entries.write, args=(place, number, rows)) for number in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * writers
    log = book.opened()
    verified = log.verify()
    assert (verified.rows, verified.fault) == (writers * rows, "")
    written = list(log.rows())
    assert [row["id"] for row in written] == list(range(1, writers * rows + 1))
    assert len({row["previous"] for row in written}) == writers * rows
    assert {row["path"] for row in written} == {f"/films/{w}/{r}.mp4" for w in range(writers) for r in range(rows)}


def test_a_row_comes_back_as_it_was_written(place):
    odd = entry(
        content=None,
        path="/films/\U0001f600 ä\\'%_.mp4 ",  # four bytes, an escape, a blank at the end
        prediction=chain.canonical({"reason": "\x00 \udce9 \U0001f600", "tracks": [{"start": 1 / 3}] * 3000}),
        score=0.1234567,
        duration=1e-9,
    )
    assert len(odd.prediction) > 2**16 - 1  # MySQL's TEXT ends there
    log = book.opened()
    added = [log.add(odd), log.add(entry(verdict=None, score=None))]
    assert list(book.opened().rows()) == added
    kept = {"score": 0.123457, "duration": 0.0, "time": "2026-01-01 12:00:00.123456"}
    assert added[0] == asdict(odd) | kept | {name: added[0][name] for name in ("id", "previous", "hash")}
    assert json.loads(added[0]["prediction"])["tracks"][0]["start"] == 1 / 3
    assert log.verify() == chain.Verified(2, added[1]["hash"], "")


def test_a_hash_is_that_of_the_row_before_and_of_the_row_as_json(place):
    added = [book.opened().add(entry(score=score)) for score in (0.25, None)]
    for number, row, score, before in zip((1, 2), added, ("0.25", "null"), ("0" * 64, added[0]["hash"]), strict=True):
        canonical = (
            f'{{"content":"{"c" * 64}","detector":"{"d" * 64}","duration":1.5,"id":{number},"path":"/films/a.mp4",'
            f'"prediction":"{{\\"score\\":0.9}}","score":{score},"status":"ok","time":"2026-01-01 12:00:00.123456",'
            f'"verdict":"fake","version":"0.1.0+x"}}'
        )
        assert row["hash"] == hashlib.sha256((before + canonical).encode()).hexdigest()


def test_the_migrations_make_the_tables_that_the_code_expects(place):
    book.opened()
    assert query(place, f"SELECT version_num FROM {database.VERSIONS}") == [(NEWEST,)]
    with create_engine(place, poolclass=NullPool).connect() as connection:
        options = {"version_table": database.VERSIONS, "compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def test_a_change_is_found_on_every_database(place):
    log = book.opened()
    for _ in range(3):
        log.add(entry())
    query(place, "UPDATE deepfake_predictions SET score = 0.1 WHERE id = 2")
    assert (log.verify().rows, log.verify().fault) == (1, "row 2 was changed")


def test_a_database_of_a_newer_schema_is_left_alone(place, deepfake):
    book.opened()
    query(place, f"UPDATE {database.VERSIONS} SET version_num = 'v99'")
    code, _, complaint = deepfake("log")
    assert code == 2
    assert f"has schema v99, this version reads {NEWEST} at most\n  hint: upgrade deepfake" in complaint


def test_a_migration_that_was_killed_half_way_goes_on(place):
    book.opened()
    query(place, "DROP TABLE deepfake_predictions_head")
    query(place, "DROP TABLE deepfake_log_schema")
    book.opened().add(entry())
    assert book.opened().verify().fault == ""


def test_two_who_wait_for_each_other_both_end(place):
    """A true deadlock: each holds the row that the other wants; the database ends one, who tries again."""
    if place.startswith("sqlite"):
        pytest.skip("SQLite has one lock: see the next tests")
    query(place, "CREATE TABLE pair (id INTEGER PRIMARY KEY, count INTEGER)")
    query(place, "INSERT INTO pair VALUES (1, 0), (2, 0)")
    engine = database.writer(database.engine(database.place()))
    both, tries = threading.Barrier(2), []

    def act(first: int, second: int) -> None:
        tries.append(first)
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE pair SET count = count + 1 WHERE id = {first}"))
            if len(tries) <= 2:
                both.wait(10)
            connection.execute(text(f"UPDATE pair SET count = count + 1 WHERE id = {second}"))

    threads = [threading.Thread(target=database.retried, args=(lambda p=p: act(*p),)) for p in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert query(place, "SELECT count FROM pair ORDER BY id") == [(2,), (2,)]
    assert len(tries) == 3


def test_who_waits_for_a_lock_gets_it(file, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    log = book.opened()
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.1, other.execute, ("COMMIT",)).start()
        assert log.add(entry())["id"] == 6


def test_a_lock_that_is_never_given_back_is_not_waited_for_for_ever(file, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    monkeypatch.setattr(database, "TRIES", 2)
    log = book.opened()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UserError, match="database is locked"):
            log.add(entry())
    assert log.verify().rows == 5


# ---- what was done to it


@pytest.mark.parametrize(
    ("statement", "rows", "fault"),
    [
        ("UPDATE {} SET path = '/films/x.mp4' WHERE id = 3", 2, "row 3 was changed"),
        ("UPDATE {} SET verdict = NULL WHERE id = 1", 0, "row 1 was changed"),
        ("UPDATE {} SET time = 'long ago', score = 'high' WHERE id = 5", 4, "row 5 was changed"),
        ("UPDATE {} SET prediction = 'no JSON' WHERE id = 5", 4, "row 5 was changed"),
        ("UPDATE {} SET hash = previous WHERE id = 2", 1, "row 2 was changed"),
        ("DELETE FROM {} WHERE id = 1", 0, "row 1 is missing"),
        ("DELETE FROM {} WHERE id = 3", 2, "row 3 is missing"),
        ("DELETE FROM {} WHERE id = 5", 4, "row 5 is missing: the log ended at row 5"),
        ("DELETE FROM {}", 0, "row 1 is missing: the log ended at row 5"),
        ("UPDATE {} SET id = CASE id WHEN 2 THEN 1003 ELSE 1002 END WHERE id IN (2, 3)", 1, "row 2 is missing"),
        ("UPDATE {} SET id = 0 WHERE id = 5", 0, "row 0 was not written by the log"),
        ("UPDATE {} SET id = 'x' WHERE id = 5", 4, "row x was not written by the log"),
        ("UPDATE {} SET path = CAST(path AS blob) WHERE id = 2", 1, "row 2 was changed"),
        ("UPDATE {} SET previous = x'ff00' WHERE id = 2", 1, "row 2 was changed"),
        ("UPDATE {} SET path = CAST(x'2fff' AS text) WHERE id = 2", 1, "row 2 was changed"),
        ("UPDATE {} SET id = CAST(x'ff' AS text) WHERE id = 5", 4, r"row \xff was not written by the log"),
        ("UPDATE {} SET status = x'00', verdict = NULL WHERE id = 1", 0, "row 1 was changed"),
        ("INSERT INTO {}_head VALUES (2, 0, 'x')", 0, chain.HEADLESS),
        ("UPDATE {}_head SET last = 'x'", 0, chain.HEADLESS),
        ("UPDATE {}_head SET hash = x'00'", 0, chain.HEADLESS),
        ("UPDATE {}_head SET last = 4", 4, "row 5 was not written by the log"),
        ("UPDATE {}_head SET hash = 'x'", 5, "row 5 is not the one that was written last"),
    ],
)
def test_the_first_row_that_is_not_as_it_was_written_is_named(file, deepfake, statement, rows, fault):
    query(f"sqlite:///{file}", statement.format("deepfake_predictions"))
    code, told, _ = deepfake("log", "--verify")
    assert (code, told) == (1, f"log: {file}: {fault}; {rows} rows before are as they were written\n")
    assert deepfake("log")[0] == deepfake("log", "--csv")[0] == 0  # it can be looked at all the same
    assert deepfake("log", "--json")[0] == (2 if "no JSON" in statement else 0)


def test_two_rows_that_changed_places_are_found(file):
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("UPDATE deepfake_predictions SET id = -2 WHERE id = 2")
        other.execute("UPDATE deepfake_predictions SET id = 2 WHERE id = 3")
        other.execute("UPDATE deepfake_predictions SET id = 3 WHERE id = -2")
    assert book.opened().verify().fault == "row 2 was changed"


def test_a_row_that_was_written_anew_with_its_hash_breaks_the_chain(file):
    row = dict(list(book.opened().rows())[1]) | {"path": "/films/x.mp4"}
    change = f"SET path = '{row['path']}', hash = '{chain.digest(row)}' WHERE id = 2"
    query(f"sqlite:///{file}", f"UPDATE deepfake_predictions {change}")
    assert book.opened().verify().fault.startswith("row 3 does not follow row 2")


def test_a_log_that_was_written_anew_as_a_whole_is_told_by_a_hash_that_was_noted(file, deepfake):
    code, told, _ = deepfake("log", "--verify")
    noted = told.split()[-1]
    assert (code, told) == (0, f"log: {file}: 5 rows, all as they were written; the last hash: {noted}\n")
    book.opened().add(entry())
    assert deepfake("log", "--verify", "--noted", noted)[0] == 0
    file.unlink()
    log = book.opened()
    for _ in range(6):
        log.add(entry())
    assert deepfake("log", "--verify")[0] == 0
    code, told, _ = deepfake("log", "--verify", "--noted", noted)
    assert code == 1
    assert f"no row has the hash {noted}" in told


def test_a_log_without_its_head_takes_no_row(file, deepfake):
    query(f"sqlite:///{file}", "DELETE FROM deepfake_predictions_head")
    with pytest.raises(UserError, match="lost its head"):
        book.opened().add(entry())
    assert deepfake("log", "--verify")[0] == 2


@pytest.mark.parametrize("change", ["INSERT INTO {} VALUES (2, 0, 'x')", "UPDATE {} SET last = 'x'"])
def test_a_log_whose_head_was_changed_takes_no_row(file, change):
    query(f"sqlite:///{file}", change.format("deepfake_predictions_head"))
    with pytest.raises(UserError, match="the head was changed"):
        book.opened().add(entry())


def test_a_row_that_was_put_in_at_the_end_is_not_written_over(file):
    query(f"sqlite:///{file}", "UPDATE deepfake_predictions_head SET last = 4")
    with pytest.raises(UserError, match="a row that it did not write"):
        book.opened().add(entry())


# ---- `deepfake log`


def test_the_rows_are_listed_for_people(file, deepfake):
    book.opened().add(entry(status="no_face", verdict=None, score=None))
    code, told, _ = deepfake("log", "--last", 2)
    assert code == 0
    assert told.splitlines() == [
        "     5  2026-01-01 12:00:00  fake            0.500  /films/5.mp4",
        "     6  2026-01-01 12:00:00  no_face             -  /films/a.mp4",
    ]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ([], [1, 2, 3, 4, 5, 6]),
        (["--last", "2"], [5, 6]),
        (["--path", "B_"], [6]),  # whatever the case; _ and % stand for themselves
        (["--path", "%"], []),
        (["--verdict", "real"], [6]),
        (["--status", "ok", "--verdict", "fake", "--last", "1"], [5]),
        (["--content", "000"], [1, 2, 3, 4, 5]),
        (["--detector", "dddd"], [1, 2, 3, 4, 5]),
        (["--since", "2026-01-01T12:00:01"], [6]),
        (["--until", "2026-01-02"], [1, 2, 3, 4, 5]),
        (["--since", "2026-01-01", "--until", "2026-01-03"], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_rows_are_filtered_and_exported(file, deepfake, options, rows):
    book.opened().add(entry(path="/films/b_,'.mp4", verdict="real", detector="e" * 64, time=NOON + timedelta(days=1)))
    code, told, _ = deepfake("log", "--json", *options)
    listed = [json.loads(line) for line in told.splitlines()]
    assert (code, [row["id"] for row in listed]) == (0, rows)
    assert all(row["prediction"] == {"score": 0.9} for row in listed)
    code, told, _ = deepfake("log", "--csv", *options)
    table = list(csv.DictReader(io.StringIO(told)))
    assert (code, [int(row["id"]) for row in table]) == (0, rows)
    assert [row["path"] for row in table] == [row["path"] for row in listed]


def test_filters_mean_the_same_on_every_database(place):
    log = book.opened()
    for path in ("/Films/A_b.mp4", "/films/ab.mp4", "/films/Ä.mp4"):
        log.add(entry(path=path, time=NOON))
    for such, rows in (
        ({"path": "a_B"}, [1]),
        ({"path": "FILMS/"}, [1, 2, 3]),
        ({"verdict": "Fake"}, []),
        ({"since": NOON.replace(tzinfo=None), "until": NOON.replace(tzinfo=None)}, []),
        ({"since": NOON.replace(tzinfo=None)}, [1, 2, 3]),
    ):
        assert [row["id"] for row in log.rows(book.such(**such))] == rows


def test_options_that_contradict_each_other_are_a_mistake(file, deepfake):
    for options in (("--json", "--csv"), ("--verify", "--csv"), ("--noted", "abc")):
        assert deepfake("log", *options)[0] == 2


def test_without_a_log_none_is_made(deepfake, tmp_path):
    code, _, complaint = deepfake("log")
    assert code == 2
    assert complaint.startswith(
        f"error: no log {tmp_path}/data/deepfake/predictions.db\n  hint: deepfake predict --log"
    )
    assert list(tmp_path.iterdir()) == []


# ---- what is no log


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:s3cret@127.0.0.1:1/films", "the log postgresql://me@127.0.0.1:1/films: connection failed"),
        ("mysql://me:s3cret@127.0.0.1:1/films", "the log mysql://me@127.0.0.1:1/films: Can't connect to MySQL server"),
        ("mysql://me@127.0.0.1:1/films?password=s3cret", "the log mysql://me@127.0.0.1:1/films: Can't connect"),
        ("mysql://me:@s3cret@127.0.0.1/films", "DEEPFAKE_DB_URL: an @ too many"),
        ("mysql://me:s3cret/films", "DEEPFAKE_DB_URL is no URL of a database"),
        ("mysql://me:s3cret@127.0.0.1", "DEEPFAKE_DB_URL names no database"),
        ("mysql://me:s3cret@127.0.0.1/films?speed=s3cret", "DEEPFAKE_DB_URL: an option is wrong: speed"),
        ("postgresql://me@127.0.0.1/films?speed=s3cret", "DEEPFAKE_DB_URL: an option is wrong: speed"),
        ("postgresql+psycopg2://me:s3cret@127.0.0.1/films", "DEEPFAKE_DB_URL: no driver 'psycopg2' for postgresql"),
        ("oracle://me:s3cret@127.0.0.1/films", "DEEPFAKE_DB_URL: no database 'oracle'; there are: mariadb, mysql"),
        ("s3cret", "DEEPFAKE_DB_URL is no URL of a database"),
        ("sqlite://", "DEEPFAKE_DB_URL names no file"),
        ("sqlite:///log.db?mode=s3cret", "DEEPFAKE_DB_URL: no options for a file (mode)"),
        ("sqlite:///nowhere/log.db", "the log nowhere/log.db: unable to open database file"),
        ("sqlite:///text.db", "the log text.db: file is not a database"),
    ],
)
def test_a_database_that_cannot_be_had_is_told_in_a_line_without_its_password(tmp_path, monkeypatch, url, message):
    (tmp_path / "text.db").write_text("no database\n" * 100)
    monkeypatch.setenv(database.PLACE, url)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        book.opened()
    first, hint = str(error.value).split("\n")
    assert first.startswith(message)
    assert hint.startswith("  hint: ")
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("place", SERVERS, indirect=True)
def test_a_password_that_a_server_refuses_is_not_told(place, monkeypatch):
    stranger = place.replace("root@", "me:s3cret@").replace("postgres@", "me:s3cret@")
    monkeypatch.setenv(database.PLACE, stranger)
    with pytest.raises(UserError) as error:
        book.opened()
    assert "://me@127.0.0.1" in str(error.value)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("missing", ["sqlalchemy", "alembic", "pymysql"])
def test_what_is_not_installed_is_said(deepfake, tmp_path, monkeypatch, missing):
    for name in [name for name in sys.modules if name.startswith(("deepfake.app.log.", missing))]:
        if name not in ("deepfake.app.log.command", "deepfake.app.log.door"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    (tmp_path / "log.db").touch()  # SQLite's empty database
    url = "mysql://me:s3cret@127.0.0.1:1/films" if missing == "pymysql" else f"sqlite:///{tmp_path}/log.db"
    monkeypatch.setenv(database.PLACE, url)
    code, _, complaint = deepfake("log")
    assert code == 2
    assert complaint.startswith("error: the log lacks a library: ")
    assert missing in complaint
    assert complaint.endswith("\n  hint: pip install 'deepfake[db]'\n")


# ---- migrations


def test_the_newest_migration_is_the_one_that_the_code_names():
    config = Config()
    config.set_main_option("script_location", "deepfake.app.log:migrations")
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    assert steps == [f"v{number}" for number in range(int(NEWEST[1:]), 0, -1)]


@pytest.mark.slow
def test_the_migrations_are_in_the_wheel_and_run_from_it(tmp_path):
    source, wheel, installed = tmp_path / "source", tmp_path / "wheel", tmp_path / "installed"
    for name in ("deepfake", "stages"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    wheel.mkdir()
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, wheel], cwd=source, check=True, capture_output=True)
    with zipfile.ZipFile(next(wheel.glob("*.whl"))) as file:
        file.extractall(installed)
    environment = os.environ | {"PYTHONPATH": str(installed), database.PLACE: f"sqlite:///{tmp_path}/log.db"}
    script = "from deepfake.app.log import book; print(book.__file__, book.opened().verify().rows)"
    call = [sys.executable, "-c", script]
    done = subprocess.run(call, cwd=wheel, env=environment, capture_output=True, text=True)
    assert done.stdout == f"{installed}/deepfake/app/log/book.py 0\n", done.stderr


# ---- predict by way of the log


BOX = Box(1 / 3, 7, 8, 90, 91)
FACE = Track(0, 0.9, 4, 1 / 3, 2.0, (Span(1 / 3, 2.0, 0.9),), BOX, (BOX,))
WINDOW = Window(0.0, 10.0, "ok", "", 0.9, "fake", (FACE,))
SAID = Prediction("a.mp4", "ok", "", 0.9, "fake", 0.5, (FACE,), "suspicious", 0.7, (WINDOW,))


@pytest.fixture
def seen() -> list[Path]:
    """The files that the scorer of `logged` looked at."""
    return []


@pytest.fixture
def logged(file, tmp_path, seen) -> answers.Logged:
    """A scorer by way of the log of five rows, and a file to score."""
    (tmp_path / "a.mp4").write_bytes(b"a")

    def scorer(path: Path) -> Prediction:
        seen.append(path)
        return replace(SAID, path=str(path))

    return answers.Logged(scorer, book.opened(), "d" * 64, "0.1.0+x", anew=False)


def test_the_same_bytes_are_scored_once(logged, seen, tmp_path):
    first = logged(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"a")
    assert logged(tmp_path / "a.mp4") == first
    assert logged(tmp_path / "b.mp4") == replace(first, path=f"{tmp_path}/b.mp4")
    assert seen == [tmp_path / "a.mp4"]
    row = list(logged.log.rows())[-1]
    assert row["content"] == hashlib.sha256(b"a").hexdigest()
    assert (row["path"], row["verdict"], row["score"]) == (f"{tmp_path}/a.mp4", "fake", 0.9)
    assert abs(datetime.fromisoformat(row["time"]).replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize("change", [{"detector": "e" * 64}, {"version": "0.1.0+y"}, {"anew": True}])
def test_another_detector_or_code_scores_anew(logged, seen, tmp_path, change):
    logged(tmp_path / "a.mp4")
    replace(logged, **change)(tmp_path / "a.mp4")
    assert seen == [tmp_path / "a.mp4"] * 2
    assert logged.log.verify().rows == 7


def test_a_row_that_was_changed_answers_nothing(logged, file, tmp_path):
    logged(tmp_path / "a.mp4")
    query(f"sqlite:///{file}", "UPDATE deepfake_predictions SET prediction = '{}' WHERE id = 6")
    with pytest.raises(UserError, match="row 6 was changed"):
        logged(tmp_path / "a.mp4")


def test_what_has_no_content_is_logged_and_never_answered(logged, seen, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    odd = tmp_path / os.fsdecode(b"caf\xe9\n.mp4")
    for path in (tmp_path / "none.mp4", tmp_path / "pipe.mp4", odd) * 2:
        logged(path)
    assert len(seen) == 6
    rows = list(logged.log.rows())[5:]
    assert [row["content"] for row in rows] == [None] * 6
    assert rows[2]["path"] == rf"{tmp_path}/caf\xe9\n.mp4"


def test_a_file_that_is_changed_while_it_is_scored_is_known_by_no_content(logged, tmp_path):
    def scorer(path: Path) -> Prediction:
        path.write_bytes(b"b")
        return SAID

    replace(logged, scorer=scorer)(tmp_path / "a.mp4")
    assert list(logged.log.rows())[-1]["content"] is None


@pytest.mark.parametrize("module", ["predict", "models/heads/lstm", "detectors/dlib_hog"])
def test_the_version_tells_an_edited_formula_from_an_edited_comment(house, module):
    before = answers.version()
    edited = house / f"deepfake/{module}.py"
    edited.write_text(edited.read_text() + "# a comment\n")
    assert answers.version() == before
    edited.write_text(edited.read_text() + "EDITED = 1\n")
    assert answers.version() != before


def test_predict_asks_the_log_and_tells_it(deepfake, detector, odd, monkeypatch, tmp_path):
    call = ("predict", "--json", odd("plain"), odd("text"), "--detector", detector)
    code, plainly, _ = deepfake(*call)
    assert code == 1
    assert not (tmp_path / "data").exists()  # nothing is logged unasked
    assert deepfake(*call, "--log") == (1, plainly, "")
    with monkeypatch.context() as patch:
        patch.setattr(inference, "load", lambda *_, **__: pytest.fail("the detector was loaded"))
        assert deepfake(*call, "--log") == (1, plainly, "")
        code, told, _ = deepfake(*call[:1], *call[2:], "--log")
        assert (code, len(told.splitlines())) == (1, 3)
    monkeypatch.setenv(database.PLACE, f"sqlite:///{tmp_path}/data/deepfake/predictions.db")
    assert deepfake(*call, "--anew") == (1, plainly, "")  # logged, for a database is named
    assert deepfake(*call, "--no-log") == (1, plainly, "")
    rows = list(book.opened().rows())
    assert [row["status"] for row in rows] == ["ok", "decode_error"] * 2
    assert {row["detector"] for row in rows} == {hashlib.sha256((detector / "bundle.json").read_bytes()).hexdigest()}
    assert rows[0]["score"] == json.loads(plainly.splitlines()[0])["score"]
    assert book.opened().verify().fault == ""


def test_what_the_log_knows_is_said_without_pytorch(deepfake, detector, odd, tmp_path):
    call = ("predict", "--json", "--log", odd("plain"), "--detector", detector)
    _, first, _ = deepfake(*call)
    script = "import sys; from deepfake.app.cli import app; app(standalone_mode=False); print('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script, *call], env=environment, capture_output=True, text=True)
    assert done.stdout == first + "False\n", done.stderr


def test_a_log_that_cannot_be_had_is_said_before_any_video(deepfake, detector, odd, monkeypatch):
    monkeypatch.setenv(database.PLACE, "postgresql://me@127.0.0.1:1/films")
    code, told, complaint = deepfake("predict", odd("plain"), "--detector", detector)
    assert (code, told) == (2, "")
    assert complaint.startswith("error: the log postgresql://me@127.0.0.1:1/films: ")


def test_anew_is_a_word_about_the_log(deepfake, detector, odd):
    assert deepfake("predict", odd("plain"), "--detector", detector, "--anew")[0] == 2
