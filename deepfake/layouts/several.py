"""several: datasets side by side: each folder of the root, or link to one, is a dataset in its own layout.

datasets.csv in the root says which (columns folder, layout); without it each is guessed, and what was guessed is said,
and of which folder nothing.
People, sources and splits are those of each dataset; one without a name of its own is called by its folder.
"""

import os
from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from deepfake.base import plugins
from deepfake.base.errors import UserError, unknown
from deepfake.dataset.datasets import guess
from deepfake.dataset.files import name_of, printable
from deepfake.dataset.published import rows_of

TABLE = "datasets.csv"


def scan(root: Path) -> pd.DataFrame:
    """One row a video of every dataset; paths and video_ids begin with the folder."""
    tables, notes = [], []
    left: Counter[str] = Counter()
    for folder, layout in chosen(root).items():
        if not layout:
            try:
                layout = guess(root / folder).layout
            except UserError as error:
                notes.append(f"{folder} is left out: {str(error).splitlines()[0]}")
                continue
            notes.append(f"{folder} looks like the layout {layout}; {TABLE} (folder,layout) would say it")
        table = plugins.load("layouts", layout).scan(root / folder)
        left.update(table.attrs.get("left_out", {}))
        notes += [f"{folder}: {note}" for note in table.attrs.get("notes", [])]
        tables.append(moved(table, folder))
    if not tables:
        shown = printable(str(root))
        raise UserError(f"{shown}: no folder is a dataset: {'; '.join(notes)}", f"{TABLE} (folder,layout) would say it")
    whole = pd.concat(tables, ignore_index=True).fillna("")  # one may say more of its videos than another
    whole.attrs = {"left_out": dict(sorted(left.items())), "notes": notes}
    return whole


def chosen(root: Path) -> dict[str, str]:
    """The folders and their layouts, "" where nothing says it. Raises UserError for a table that is wrong."""
    file = root / TABLE
    if file.is_file():
        layouts: dict[str, str] = {}
        for row in rows_of(file, ["folder", "layout"], filled=["folder", "layout"]):
            folder, layout = PurePosixPath(row["folder"].replace("\\", "/")).as_posix(), row["layout"]
            if layout not in plugins.names("layouts"):
                raise unknown("layout", layout, plugins.names("layouts"), where=str(file))
            if folder.startswith(("/", ".")) or ".." in folder.split("/") or not (root / folder).is_dir():
                raise UserError(f"{file}: no folder {row['folder']} in {printable(str(root))}", "mind its spelling")
            if layouts.setdefault(folder, layout) != layout:
                raise UserError(f"{file}: {folder} is both {layouts[folder]} and {layout}", "one line a folder")
        return layouts
    with os.scandir(root) as entries:
        folders = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    if not folders:
        raise UserError(f"no folders in {printable(str(root))}", "each dataset is a folder, or a link to one")
    return dict.fromkeys(folders, "")


def moved(table: pd.DataFrame, folder: str) -> pd.DataFrame:
    """The table of a dataset as seen from the folder above it."""
    names = {old: name_of(f"{folder}/{path}") for old, path in zip(table["video_id"], table["path"], strict=True)}
    return table.assign(
        video_id=[names[old] for old in table["video_id"]],
        path=[f"{folder}/{path}" for path in table["path"]],
        source=[names.get(source, source) for source in table["source"]],
        mask=[mask and f"{folder}/{mask}" for mask in table["mask"]],
        dataset=table["dataset"].where(table["dataset"] != "", folder),
    )
