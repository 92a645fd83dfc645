"""deepfake_eval_2024: Deepfake-Eval-2024: what circulated in 2024: video-data/ and video-metadata-publish*.csv.

The column Video Ground Truth says Real or Fake; a video of another verdict is left out. Who is shown, and what a fake
is made of, nobody knows. A column Finetuning Set, where there is one, is the official split.

Source: Chandra et al., "Deepfake-Eval-2024: a multi-modal in-the-wild benchmark of deepfakes circulated in 2024", 2025.
"""

from collections import Counter
from pathlib import Path

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset.labels import SPLITS
from deepfake.dataset.published import Clip, Survey, absent, count, files, rows_of, table

NAME = "Deepfake-Eval-2024"
FORM = "video-data/ and video-metadata-publish.csv beside it"
PUBLISHED: dict[str, dict[str, int]] = {}
TABLE = "video-metadata-publish*.csv"
VERDICT = ("video ground truth", "ground truth")  # the column, by whichever name it has
LABELS = {"real": 0, "fake": 1}


def scan(root: Path) -> pd.DataFrame:
    """One row a video that the table says to be real or fake."""
    tree = files(root, [TABLE])
    if not tree.lists[TABLE]:
        raise absent(root, NAME, FORM)
    rows = verdicts_of(root / tree.lists[TABLE][0])
    verdicts: Counter[str] = Counter()
    clips, names = {}, {path.name.lower() for path in tree.videos}
    for path in tree.videos:
        row = rows.get(path.name.lower())
        if row and row[0] in LABELS:
            clips[path] = Clip(LABELS[row[0]], NAME, split=SPLITS.get(row[1], ""))
        elif row:
            verdicts[f"said to be {row[0] or 'nothing'}"] += 1
    if not clips:
        raise absent(root, NAME, FORM)
    gone = sorted(set(rows) - names)
    notes = [f"of {len(rows)} that the table names are not on disk {count(gone)}"] if gone else []
    unsure = [path for path in tree.videos if path not in clips and path.name.lower() in rows]
    left = tree.strays([*clips, *unsure], "the table") | dict(sorted(verdicts.items()))
    return table(Survey(NAME, clips, tree.lists, left), notes)


def verdicts_of(file: Path) -> dict[str, tuple[str, str]]:
    """Verdict and split of each video by its file's name, all without capitals. Raises UserError for another table."""
    rows = rows_of(file, ["filename"], filled=["filename"])
    verdict = next((name for name in VERDICT if rows and name in rows[0]), "")
    if not verdict:
        raise UserError(f"{file}: no column Video Ground Truth", "get it anew from the dataset's authors")
    return {
        Path(row["filename"]).name.lower(): (row[verdict].lower(), row.get("finetuning set", "").lower())
        for row in rows
    }
