"""hashes: of the bytes of files, remembered while a file is the one that was read, as DVC does it.

And what else takes long to find out, and is told by a text alone.
"""

import hashlib
import json
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

from deepfake.base.cache import store

MISSING, UNREADABLE = "missing", "unreadable: "
SETTLED = 2_000_000_000  # ns: file systems tell times in steps of up to 2 s; a younger file may change unnoticed
Mark = tuple[int, int, int]  # size, modification time in ns, inode: what changes with a file
UNKNOWN: Mark = (-1, -1, -1)


def content(path: Path) -> str:
    """A hash of the file's bytes, or why there is none: "missing", or "unreadable: " and the reason."""
    return contents([path])[0]


def contents(paths: Sequence[Path]) -> list[str]:
    """The `content` of each file, which is read only where it is not the one that was read before."""
    wanted = {path: os.fsencode(path.absolute()) for path in paths}  # names that are no UTF-8 too
    marks = {path: _mark(path) for path in wanted}
    with closing(_memory()) as memory:
        known: dict[Path, str] = {}
        for path, name in wanted.items():
            row = memory.execute("SELECT size, mtime, inode, sha256 FROM hashes WHERE path = ?", (name,)).fetchone()
            if marks[path] is None:
                known[path] = MISSING
            elif row and row[:3] == marks[path]:
                known[path] = row[3]
        unknown = [path for path in wanted if path not in known]
        with ThreadPoolExecutor() as pool:  # hashing leaves the interpreter's lock
            began = time.time_ns()
            known.update(zip(unknown, pool.map(_hash, unknown), strict=True))
        rows = [
            (wanted[path], *mark, known[path])
            for path in unknown
            if (mark := _mark(path)) is not None
            and mark == marks[path]
            and mark[1] < began - SETTLED
            and not known[path].startswith(UNREADABLE)
        ]
        with suppress(sqlite3.OperationalError), memory:  # a store that cannot be written remembers nothing new
            memory.executemany("REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", rows)
    return [known[path] for path in paths]


def folder(root: Path) -> str:
    """A hash of all that lies in a folder, names and contents, or "missing"; linked folders are entered once each."""
    if not os.path.isdir(root):  # noqa: PTH112 (a Path raises for a name that is too long)
        return MISSING
    files: list[Path] = []
    seen: set[str] = set()
    for place, folders, names in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(place))
        folders[:] = sorted(name for name in folders if os.path.realpath(Path(place, name)) not in seen)
        files += [Path(place, name) for name in names]
    digest = hashlib.sha256()
    for file, content in sorted(zip(files, contents(files), strict=True)):
        digest.update(os.fsencode(file.relative_to(root)) + b"\0" + content.encode() + b"\0")
    return digest.hexdigest()


def remembered(text: str, find_out: Callable[[], Any]) -> Any:
    """What is found out of a text, as JSON; asked for once, and kept for other processes by `keep`."""
    key, known = hashlib.sha256(text.encode()).hexdigest(), _facts(store())
    if key not in known:
        known[key] = json.dumps(find_out())
    return json.loads(known[key])


def keep() -> None:
    """Keep what this process found out of texts."""
    with closing(_memory()) as memory, suppress(sqlite3.OperationalError), memory:
        memory.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?)", _facts(store()).items())


@cache
def _facts(place: Path) -> dict[str, str]:
    with closing(_memory()) as memory:
        return dict(memory.execute("SELECT text, fact FROM facts").fetchall())


def forget() -> None:
    """Drop what is known of files that are gone, and of texts."""
    with closing(_memory()) as memory, memory:
        memory.execute("DELETE FROM facts")
        gone = [row for row in memory.execute("SELECT path FROM hashes").fetchall() if not os.path.isfile(row[0])]  # noqa: PTH113 (of bytes)
        memory.executemany("DELETE FROM hashes WHERE path = ?", gone)


def _memory() -> sqlite3.Connection:
    """What is known: made anew where it is broken, and for this run alone where the store cannot be written."""
    file = store() / "hashes.db"
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _opened(file)
    except sqlite3.OperationalError:
        return _opened(":memory:")
    except sqlite3.DatabaseError:
        file.unlink()
        return _opened(file)


def _opened(place: Path | str) -> sqlite3.Connection:
    memory = sqlite3.connect(place, timeout=60)
    try:
        memory.execute(
            "CREATE TABLE IF NOT EXISTS hashes"
            " (path BLOB PRIMARY KEY, size INTEGER, mtime INTEGER, inode INTEGER, sha256 TEXT)"
        )
        memory.execute("CREATE TABLE IF NOT EXISTS facts (text TEXT PRIMARY KEY, fact TEXT)")  # of a text: by its hash
    except sqlite3.DatabaseError:
        memory.close()
        raise
    return memory


def _mark(path: Path) -> Mark | None:
    """None where there is no file: a pipe is none, to read it may wait for ever."""
    try:
        known = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # reading it will say why
        return UNKNOWN
    return (known.st_size, known.st_mtime_ns, known.st_ino) if stat.S_ISREG(known.st_mode) else None


def _hash(path: Path) -> str:
    try:
        path.stat()  # as `_mark` looked at it: where that is refused, so is this
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"{UNREADABLE}{error.strerror}"
