"""items: only what changed is made again, down to the single video.

Each item's result is kept in a store outside the outs, under a key of what shapes it: the content of its inputs, its
arguments, the live params, the code, the libraries and the models. A stage's folder is rebuilt whole by hard links, so
that an incremental run and one from scratch are byte-equal, and a killed run goes on where it was.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deepfake.base import cache, code, disk, hashes, parallel
from deepfake.base.cache import store as store  # for those who keep more than items
from deepfake.base.errors import UserError
from deepfake.base.hashes import content as content
from deepfake.base.params import Params

RESULT = "result.json"  # written last: what the work returned, and the sizes of its files
EMPTY = "empty.txt"  # in an out without anything else
FORM = 2  # of an entry

_used: set[Path] = set()  # the entries of this process


@dataclass(frozen=True)
class Item:
    """One unit of work: usually a video."""

    name: str  # its folder in the out
    inputs: tuple[Path, ...]  # the files it is made from; one that is missing counts as such
    args: dict[str, Any] = field(default_factory=dict)  # JSON: what else shapes it


Work = Callable[[Item, Path, Any], Any]  # (item, empty folder to fill, params) -> JSON; an importable function


@dataclass(frozen=True)
class Made:
    """What became of an item."""

    result: Any  # what the work returned
    entry: Path  # its folder in the store
    reused: bool


def build(
    out: Path,
    items: Sequence[Item],
    work: Work,
    params: Params,
    *,
    plugins: Sequence[str] = (),
    place: Callable[[str, str], str] = "{}/{}".format,
) -> list[Made]:
    """Fill the folder `out` with the files of every item, each made now or reused; in the order of the items.

    `plugins` are the modules that the params choose; `place(name, file)` is where a file of an item lies in `out`.
    """
    results = make(items, work, params, label=out.name, plugins=plugins)
    with disk.aside(out) as new:
        new.mkdir()
        for item, result in zip(items, results, strict=True):
            for file in sorted(result.entry.iterdir()):
                if file.name != RESULT:
                    disk.link(file, new / place(item.name, file.name))
        if not any(new.iterdir()):
            (new / EMPTY).write_text("no item has a file\n", encoding="utf-8")  # DVC warns of a folder without any
    return results


def make(items: Sequence[Item], work: Work, params: Params, *, label: str, plugins: Sequence[str] = ()) -> list[Made]:
    """Make or reuse every item, in parallel; in the order of the items."""
    cache.limit()  # a wrong one is said before the work
    cache.hold()
    shape = [FORM, work.__qualname__, params.live(), code.shape(work.__module__, *plugins)]
    kind = work.__module__.rpartition(".")[2]
    entries = _entries(kind, items, shape)
    kept = {entry: record for entry in entries if (record := _told(entry))}
    missing = {entry: item for item, entry in zip(items, entries, strict=True) if entry not in kept}
    if missing:
        _check_writable()
        todo = sorted(missing.items(), key=lambda job: -_size(job[1]))  # no large one is waited for at the end
        parallel.run(partial(_fill, work=work, params=params), todo, label, frames=int)
        moved = dict(zip(missing, _entries(kind, list(missing.values()), shape), strict=True))
        for entry, now in moved.items():
            _settle(entry, now)
        entries = [moved.get(entry, entry) for entry in entries]
        missing = {moved[entry]: item for entry, item in missing.items()}
        kept |= {entry: _told(entry) for entry in missing}
    for entry in kept:
        with suppress(OSError):  # nothing is ever removed from a store that cannot be written
            (entry / RESULT).touch()
    _used.update(kept)
    return [Made(kept[entry]["result"], entry, entry not in missing) for entry in entries]


def remade(results: Sequence[Made]) -> int:
    """How many were not reused."""
    return sum(not result.reused for result in results)


def tidy() -> list[cache.Entry]:
    """Bound the store, never by what this process uses; what was removed."""
    return cache.tidy(_used) if _used else []


def _entries(kind: str, items: Sequence[Item], shape: list[Any]) -> list[Path]:
    """Where each item's result is kept."""
    digests = hashes.contents([path for item in items for path in item.inputs])
    digest = dict(zip((path for item in items for path in item.inputs), digests, strict=True))
    whole = [[*shape, item.args, [digest[path] for path in item.inputs]] for item in items]
    keys = [hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest() for parts in whole]
    return [store() / kind / key for key in keys]


def _told(entry: Path) -> dict[str, Any]:
    """What is kept of an item beside its files; empty where it is not whole: cut short, unreadable, without a file."""
    try:
        record: dict[str, Any] = json.loads((entry / RESULT).read_text(encoding="utf-8"))
        whole = all((entry / name).stat().st_size == size for name, size in record["files"].items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return record if whole else {}


def _check_writable() -> None:
    """Raises UserError for a store that nothing can be written to."""
    try:
        store().mkdir(parents=True, exist_ok=True)
        disk.sweep(store())
        tempfile.TemporaryDirectory(prefix=".new-", dir=store()).cleanup()
    except OSError as error:
        raise UserError(f"{store()}: {error.strerror}", "set ITEM_CACHE to a folder that can be written") from None


def _fill(job: tuple[Path, Item], work: Work, params: Params) -> int:
    """Do the work beside the entry and put it in place whole; how many frames or faces it says that there were."""
    entry, item = job
    with tempfile.TemporaryDirectory(prefix=".new-", dir=store()) as folder:
        new = Path(folder, entry.name)
        new.mkdir()
        value = work(item, new, params)
        sizes = {file.name: file.stat().st_size for file in sorted(new.iterdir())}
        (new / RESULT).write_text(json.dumps({"result": value, "files": sizes}), encoding="utf-8")
        disk.settle(new)
        _place(new, entry)
    return len(value) if isinstance(value, list) else int(value.get("frames") or 0) if isinstance(value, dict) else 0


def _size(item: Item) -> int:
    """Bytes of its inputs; what cannot be read is soon done."""
    sizes = 0
    for path in item.inputs:
        with suppress(OSError):
            sizes += path.stat().st_size
    return sizes


def _settle(entry: Path, now: Path) -> None:
    """Move the entry to `now` where its inputs changed while it was made: it says nothing of what they were."""
    if now != entry:
        now.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # another run has made it
            entry.rename(now)


def _place(new: Path, entry: Path) -> None:
    """Rename to the entry, unless another run has made it meanwhile; one that is not whole goes first."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    try:
        new.rename(entry)
    except OSError:
        with cache.turn():
            if not _told(entry):
                with suppress(FileNotFoundError):
                    entry.rename(new.with_name("broken"))
                with suppress(OSError):  # another run was quicker
                    new.rename(entry)
        if not _told(entry):
            raise
