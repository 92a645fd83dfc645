"""cache: what is kept between runs: each result in a folder of its own; the least recently used goes first.

A process that uses the store shares a lock on it for as long as it lives: entries are removed only where no other does.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deepfake.base import disk
from deepfake.base.errors import UserError

GB = 1e9  # bytes
LIMIT = 20.0  # GB, unless ITEM_CACHE_GB says another
DAY = 86400  # s
LOCK, TURN = ".lock", ".turn"


@dataclass(frozen=True)
class Entry:
    """A result that is kept, in a folder of its own."""

    kind: str  # the verb that made it
    path: Path
    used: float  # s since 1970: when it was last made or reused
    size: int  # bytes
    own: int  # bytes of it that no out and no cache of DVC shares: what its removal frees


@dataclass
class _Lock:
    """The lock that this process holds."""

    store: Path | None = None
    file: int = -1  # its descriptor


_lock = _Lock()


def store() -> Path:
    """Where results are kept: ITEM_CACHE, or .cache/items of the repository (the parent one in an experiment)."""
    return Path(os.environ.get("ITEM_CACHE") or Path(os.environ.get("DVC_ROOT", "."), ".cache", "items")).absolute()


def limit() -> float:
    """How many GB are kept: ITEM_CACHE_GB, or LIMIT. Raises UserError for what is no number."""
    given = os.environ.get("ITEM_CACHE_GB") or str(LIMIT)
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", given):
        raise UserError(f"ITEM_CACHE_GB={given}: must be a number of GB", f"unset it to keep {LIMIT:g} GB")
    return float(given)


def hold() -> None:
    """Keep everybody from removing entries of the store while this process lives, or until it uses another store.

    A store that cannot be written needs no lock: nobody removes anything from it.
    """
    if _lock.store == store():
        return
    if _lock.store is not None:
        os.close(_lock.file)
        _lock.store = None
    with suppress(OSError):
        store().mkdir(parents=True, exist_ok=True)
        _lock.file = os.open(store() / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(_lock.file, fcntl.LOCK_SH)
        _lock.store = store()


@contextmanager
def alone() -> Iterator[bool]:
    """Whether no other process uses the store; none begins to within the block."""
    hold()
    if _lock.store is None:
        yield False
        return
    try:
        fcntl.flock(_lock.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        fcntl.flock(_lock.file, fcntl.LOCK_SH)  # a change of the lock that fails gives it up


@contextmanager
def turn() -> Iterator[None]:
    """One process at a time is in this block."""
    with (store() / TURN).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def entries() -> list[Entry]:
    """All that is kept, the least recently used first."""
    kept = []
    for folder in store().glob("[!.]*/*"):
        with suppress(FileNotFoundError):  # another run removes it
            kept += [_entry(folder)] if folder.is_dir() else []
    return sorted(kept, key=lambda entry: (entry.used, entry.path))


def surplus(
    kept: Sequence[Entry],
    *,
    days: float | None = None,
    gigabytes: float | None = None,
    spared: Collection[Path] = (),
) -> list[Entry]:
    """Those of the entries, the least recently used first, that are older, or more than may be kept.

    What an out or DVC's cache holds as well costs nothing: it does not count, and only grows too old.
    """
    oldest = -1.0 if days is None else time.time() - days * DAY
    excess = 0 if gigabytes is None else sum(entry.own for entry in kept) - round(gigabytes * GB)
    gone = []
    for entry in kept:
        if entry.path not in spared and (entry.used < oldest or (excess > 0 and entry.own)):
            gone.append(entry)
            excess -= entry.own
    return gone


def prune(days: float | None, gigabytes: float | None, spared: Collection[Path] = ()) -> list[Entry]:
    """Remove what `surplus` tells, and what killed runs left behind. Raises UserError where another run uses the store.

    An entry that is removed in part, by a run that is killed, is no entry any more, and is made again.
    """
    with alone() as free:
        if not free:
            raise UserError(f"{store()} is in use, or cannot be written", "wait until the other run ends")
        disk.sweep(store())
        gone = surplus(entries(), days=days, gigabytes=gigabytes, spared=spared)
        for entry in gone:
            shutil.rmtree(entry.path)
        return gone


def tidy(spared: Collection[Path]) -> list[Entry]:
    """Prune to the limit; not where another run uses the store: it will at its own end."""
    with alone() as free:
        return prune(None, limit(), spared) if free else []


def table(kept: Sequence[Entry]) -> str:
    """The entries for a person, by kind."""
    lines = [f"{'kind':<10}{'results':>10}{'GB':>10}{'own GB':>10}  last used, days ago"]
    for kind in [*sorted({entry.kind for entry in kept}), "all"]:
        listed = [entry for entry in kept if kind in (entry.kind, "all")]
        sizes = [sum(getattr(entry, name) for entry in listed) / GB for name in ("size", "own")]
        days = sorted({round((time.time() - entry.used) / DAY) for entry in listed})
        ages = f"{days[0]} to {days[-1]}" if days else ""
        lines.append(f"{kind:<10}{len(listed):>10}{sizes[0]:>10.3f}{sizes[1]:>10.3f}  {ages}")
    return "\n".join([*lines, f"{store()}, bound to {limit():g} GB of its own"])


def _entry(folder: Path) -> Entry:
    kind = folder.parent.name
    files = disk.files(folder)
    return Entry(
        kind="old" if re.fullmatch("[0-9a-f]{2}", kind) else kind,  # of the layout before there were kinds
        path=folder,
        used=max(stat.st_mtime for stat in [folder.stat(), *files]),
        size=sum(stat.st_size for stat in files),
        own=sum(stat.st_size for stat in files if stat.st_nlink == 1),
    )
