"""manifest: a CSV file that lists the videos: `path, label`, and `identities, method, source, dataset, split` if known.

`manifest.csv` lies in the root and its paths start there. Labels: real or 0, fake or 1. Several identities are joined
by "+": a face swap has two.
"""

from pathlib import Path

import pandas as pd

from deepfake.base.errors import UserError, unknown

LABELS = {"real": 0, "0": 0, "fake": 1, "1": 1}
OPTIONAL = ("identities", "method", "source", "dataset", "split")


def scan(root: Path) -> pd.DataFrame:
    """One row a video: video_id, path (both relative to root), label, and the optional columns, "" where unknown."""
    file = root / "manifest.csv"
    if not file.is_file():
        raise UserError(f"no {file}", "write one (columns path, label, ...) or set extract.layout: folders")
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except ValueError as error:  # empty, ragged or not UTF-8
        raise UserError(f"{file}: not a table: {error}", "write one (columns path, label, ...) in UTF-8") from None
    if missing := {"path", "label"} - set(table.columns):
        raise UserError(f"{file}: no column {', '.join(sorted(missing))}", f"it has: {', '.join(table.columns)}")
    for line, (path, label) in enumerate(zip(table["path"], table["label"], strict=True), start=2):
        if path != Path(path).as_posix() or Path(path).is_absolute() or ".." in Path(path).parts:
            raise UserError(f"{file}:{line}: path {path!r}: must lie in {root}", "paths start there: real/a.mp4")
        if label.strip().lower() not in LABELS:
            raise unknown("label", label, LABELS, where=f"{file}:{line}: {path}")
    if len(twice := table["path"][table["path"].duplicated()]):
        raise UserError(f"{file}: {twice.iloc[0]} is listed twice", "one row a video")
    if table.empty:
        raise UserError(f"{file}: lists no video", "one row a video")
    columns = {name: table.get(name, "") for name in OPTIONAL}
    labels = table["label"].str.strip().str.lower().map(LABELS)
    return pd.DataFrame({"video_id": table["path"], "path": table["path"], "label": labels} | columns)
