"""items: only what changed is made again, down to the single video.

Each item's result is kept in a store outside the outs, under a key of what shapes it: the content of its inputs, its
arguments, the params, the code and the versions of the libraries. A stage's folder is rebuilt whole by hard links, so
that an incremental run and one from scratch are byte-equal, and a killed run goes on where it was.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deepfake.base import code, parallel
from deepfake.base.disk import aside, link
from deepfake.base.params import Params

RESULT = "result.json"  # written last: an entry that has it is whole


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
    made = make(items, work, params, label=out.name, plugins=plugins)
    with aside(out) as new:
        new.mkdir()
        for item, one in zip(items, made, strict=True):
            for file in sorted(one.entry.iterdir()):
                if file.name != RESULT:
                    link(file, new / place(item.name, file.name))
    return made


def make(items: Sequence[Item], work: Work, params: Params, *, label: str, plugins: Sequence[str] = ()) -> list[Made]:
    """Make or reuse every item, in parallel; in the order of the items."""
    modules = code.closure(work.__module__, *plugins)
    shape = [work.__qualname__, params.model_dump(mode="json"), code.meaning(modules), code.versions(modules)]
    with ThreadPoolExecutor(parallel.jobs()) as pool:  # hashing leaves the interpreter's lock
        entries = list(pool.map(partial(_entry, shape=shape), items))
    missing = {entry: item for item, entry in zip(items, entries, strict=True) if not (entry / RESULT).is_file()}
    if missing:
        parallel.run(partial(_fill, work=work, params=params), list(missing.items()), label)
    results = [json.loads((entry / RESULT).read_text(encoding="utf-8")) for entry in entries]
    return [Made(result, entry, entry not in missing) for result, entry in zip(results, entries, strict=True)]


def remade(made: Sequence[Made]) -> int:
    """How many were not reused."""
    return sum(not one.reused for one in made)


def store() -> Path:
    """Where results are kept: ITEM_CACHE, or .cache/items of the repository (the parent one in an experiment)."""
    return Path(os.environ.get("ITEM_CACHE") or Path(os.environ.get("DVC_ROOT", "."), ".cache", "items")).absolute()


def _entry(item: Item, shape: list[Any]) -> Path:
    """Where the item's result is kept."""
    whole = [*shape, item.args, [content(path) for path in item.inputs]]
    key = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    return store() / key[:2] / key


def _fill(job: tuple[Path, Item], work: Work, params: Params) -> None:
    """Do the work beside the entry and put it in place whole."""
    entry, item = job
    entry.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=entry.parent) as folder:
        new = Path(folder, entry.name)
        new.mkdir()
        value = work(item, new, params)
        (new / RESULT).write_text(json.dumps(value), encoding="utf-8")
        try:
            new.rename(entry)
        except OSError:  # another run finished the same item meanwhile
            if not (entry / RESULT).is_file():
                raise


def content(path: Path) -> str:
    """A hash of the file's bytes, or "missing"."""
    if not path.is_file():
        return "missing"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
