"""datasets: which layout a folder has, and how what lies in it compares with what was published."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from deepfake import video
from deepfake.base import parallel, plugins
from deepfake.base.errors import UserError
from deepfake.dataset.files import printable, walk

GENERAL = ("manifest", "folders", "images", "several")  # layouts of no dataset of its own
TELLING = {"manifest": "manifest.csv", "several": "datasets.csv"}  # files that say all by themselves
ENOUGH = 0.5  # of the videos under a folder, that a dataset's layout has to know
CLEARLY = 1.5  # times as many as a dataset's layout: plain folders that know more are meant


@dataclass(frozen=True)
class Guess:
    """The layout of a folder, and how many videos and pictures each layout knows there."""

    layout: str
    known: dict[str, int]
    refused: dict[str, str]  # by layout: why one that might be meant does not take it

    @property
    def videos(self) -> int:
        """How many the layout knows."""
        return self.known.get(self.layout) or sum(self.known.values())  # of several layouts, those of each


def named() -> list[str]:
    """The layouts of published datasets."""
    return [name for name in plugins.names("layouts") if name not in GENERAL]


def guess(root: Path) -> Guess:
    """The layout that knows most of what lies there; of a dataset's layout and a general one the dataset's.

    It is not a dataset's that takes no fake for one though folders tell of some, nor where folders tell clearly more.
    Raises UserError where none fits.
    """
    for name in (name for name, file in TELLING.items() if (root / file).is_file()):
        return Guess(name, {name: len(_scan(name, root))}, {})
    tables: dict[str, pd.DataFrame] = {}
    refused: dict[str, str] = {}
    for name in [*named(), "folders", "images"]:
        try:
            tables[name] = _scan(name, root)
        except UserError as error:
            refused[name] = str(error)
    known = {name: len(table) for name, table in tables.items()}
    films = walk(root, video.SUFFIXES).files
    fakes = "folders" in tables and tables["folders"]["label"].any()
    plain = len(set(map(Path, tables["folders"]["path"])) & set(films)) if "folders" in tables else 0
    published = {name: table for name, table in tables.items() if name not in GENERAL}
    telling = {name: table for name, table in published.items() if table["label"].any() or not fakes}
    if parts := _side_by_side(telling):
        return Guess("several", {name: known[name] for name in parts}, refused)
    own = [name for name in telling if known[name] >= ENOUGH * _meant(films, name)]
    best = max(own, key=lambda name: (known[name], -len(name)), default="")
    most = known.get(best, 0)
    if published and plain > most and sum((below := _each(root, films)).values()) > most:
        return Guess("several", below, refused)
    if best and plain <= CLEARLY * most:
        return Guess(best, known, refused)
    for name in ("folders", "images"):
        if name in known and (name == "folders" or known[name] > len(films)):
            return Guess(name, known, refused)
    reasons = [reason.split("\n")[0] for name, reason in refused.items() if "archives" in reason or name == "folders"]
    raise UserError(
        f"{printable(str(root))}: no layout fits: {'; '.join(reasons) or 'no videos'}",
        "put the videos into real/ and fake/, list them in a manifest.csv, or make videos of pictures and archives by "
        "deepfake dataset pack; docs/datasets.md shows the trees",
    )


def compared(table: pd.DataFrame, layout: str) -> Iterator[tuple[str, str, str, int, int]]:
    """Dataset, method ("real" of reals), compression, how many there are, how many were published (0: not known).

    A method of which there is nothing comes last, without a compression.
    """
    published: dict[str, dict[str, int]] = getattr(plugins.load("layouts", layout), "PUBLISHED", {})
    kind = table["method"].where(table["label"] == 1, "real")
    for dataset, part in table.groupby("dataset"):
        counts = published.get(str(dataset), {})
        column = kind[part.index]
        methods = set(column) - {"real"}
        if "fake" in counts and len(methods) == 1:  # only their sum is published
            counts = {"real": counts["real"], methods.pop(): counts["fake"]}
        for (method, level), n in part.groupby([column, "compression"]).size().items():
            yield str(dataset), str(method), str(level), int(n), counts.get(str(method), 0)
        for method in sorted(set(counts) - set(column) - {"fake"}):
            yield str(dataset), method, "", 0, counts[method]


def unreadable(root: Path, paths: list[str]) -> dict[str, str]:
    """The files whose first frame does not decode, and why; `JOBS` processes look at them."""
    reasons = parallel.run(fault, [root / path for path in paths], "check")
    return {path: reason for path, reason in zip(paths, reasons, strict=True) if reason}


def fault(path: Path) -> str:
    """Why the first frame of a file does not decode; "" where it does."""
    try:
        next(video.read(path, upright=False))
    except (video.Unreadable, video.Damaged) as error:
        return str(error)
    return ""


def _scan(layout: str, root: Path) -> pd.DataFrame:
    table: pd.DataFrame = plugins.load("layouts", layout).scan(root)
    return table


def _side_by_side(tables: dict[str, pd.DataFrame]) -> list[str]:
    """The layouts of datasets that lie in folders of their own; none where all is of one."""
    tops = {name: {PurePosixPath(path).parts[0] for path in table["path"]} for name, table in tables.items()}
    order = sorted(tops, key=lambda name: (-len(tables[name]), name))
    chosen: list[str] = []
    for name in order:
        if not any(tops[name] & tops[other] for other in chosen):
            chosen.append(name)
    return chosen if len(chosen) > 1 else []


def _meant(films: list[Path], layout: str) -> int:
    """How many of the videos a layout is to know: those but in folders that its dataset leaves out."""
    left = set(getattr(plugins.load("layouts", layout), "LEFT", ()))
    return sum(left.isdisjoint(film.parts) for film in films)


def _each(root: Path, films: list[Path]) -> dict[str, int]:
    """How many videos the layouts of a root's folders know, where each has one and one is a dataset's; else nothing."""
    known: Counter[str] = Counter()
    for top in sorted({film.parts[0] for film in films}):
        try:
            inside = guess(root / top)
        except UserError:
            return {}
        known[inside.layout] += inside.videos
    return dict(known) if known.keys() - {"manifest", "folders", "images"} else {}
