"""deepfake_eval_2024: Deepfake-Eval-2024: what circulated in 2024: video-data/ and video-metadata-publish*.csv.

The column Video Ground Truth says Real or Fake; a video of another verdict is left out. Who is shown, and what a fake
is made of, nobody knows. A column Finetuning Set, where there is one, is the official split.

Source: Chandra et al., "Deepfake-Eval-2024: a multi-modal in-the-wild benchmark of deepfakes circulated in 2024", 2025.
"""

import csv
from collections import Counter
from pathlib import Path

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset.labels import SPLITS
from deepfake.dataset.published import Clip, Survey, absent, count, files, lines_of, table

NAME = "Deepfake-Eval-2024"
FORM = "video-data/ and video-metadata-publish.csv beside it"
PUBLISHED: dict[str, dict[str, int]] = {}
TABLE = "video-metadata-publish*.csv"
LABELS = {"real": 0, "fake": 1}


def scan(root: Path) -> pd.DataFrame:
    """One row a video that the table says to be real or fake."""
    tree = files(root, [TABLE])
    if not tree.lists[TABLE]:
        raise absent(root, NAME, FORM)
    rows = rows_of(root / tree.lists[TABLE][0])
    verdicts: Counter[str] = Counter()
    clips, names = {}, {path.name for path in tree.videos}
    for path in tree.videos:
        row = rows.get(path.name)
        if row and row[0] in LABELS:
            clips[path] = Clip(LABELS[row[0]], NAME, split=SPLITS.get(row[1], ""))
        elif row:
            verdicts[f"said to be {row[0] or 'nothing'}"] += 1
    if not clips:
        raise absent(root, NAME, FORM)
    gone = sorted(set(rows) - names)
    notes = [f"of {len(rows)} that the table names are not on disk {count(gone)}"] if gone else []
    unsure = [path for path in tree.videos if path not in clips and path.name in rows]
    left = tree.strays([*clips, *unsure], "the table") | dict(sorted(verdicts.items()))
    return table(Survey(NAME, clips, tree.lists, left), notes)


def rows_of(file: Path) -> dict[str, tuple[str, str]]:
    """Verdict and split of each video by its file's name, without capitals. Raises UserError for another table."""
    rows = csv.DictReader(lines_of(file))
    columns = {name.strip().lower(): name for name in rows.fieldnames or () if name}
    name = columns.get("filename")
    verdict = columns.get("video ground truth") or columns.get("ground truth")
    if not name or not verdict:
        raise UserError(f"{file}: no columns Filename, Video Ground Truth", f"it has: {', '.join(columns.values())}")
    split = columns.get("finetuning set", "")
    return {
        Path(row[name].strip()).name: (row[verdict].strip().lower(), (row.get(split) or "").strip().lower())
        for row in rows
    }
