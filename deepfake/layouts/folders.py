"""folders: videos in `real/` and `fake/`, or variants of these names, also inside `train/`, `val/` and `test/`.

The identity is unknown: each file counts as its own person.
"""

import re
from pathlib import Path

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.video import SUFFIXES

REAL = {"real", "reals", "original", "originals", "pristine", "authentic", "genuine"}
FAKE = {"fake", "fakes", "deepfake", "deepfakes", "manipulated", "synthetic", "synthesis", "forged", "swapped"}
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def scan(root: Path) -> pd.DataFrame:
    """One row a video: video_id, path (both relative to root), label, split where a folder says it."""
    files = sorted(path.relative_to(root) for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"no videos under {root}", f"their names end in {' '.join(sorted(SUFFIXES))}")
    labels = {file: label_of(file) for file in files}
    if unlabelled := sorted({file.parent.as_posix() for file in files if labels[file] is None}):
        raise UserError(
            f"{root}: neither real nor fake: {', '.join(unlabelled[:5])}{' ...' if unlabelled[5:] else ''}",
            "put the videos into folders real/ and fake/, or list them in a manifest.csv (extract.layout: manifest)",
        )
    rows = [
        {"video_id": file.as_posix(), "path": file.as_posix(), "label": labels[file], "split": split_of(file)}
        for file in files
    ]
    return pd.DataFrame(rows).assign(identities="", method="", source="", dataset="")


def label_of(file: Path) -> int | None:
    """1 where the nearest telling folder says fake, 0 where it says real, None where none tells."""
    for folder in reversed(file.parent.parts):
        words = set(re.split(r"[^a-z]+", folder.lower()))
        if bool(words & REAL) != bool(words & FAKE):  # real_vs_fake tells nothing
            return int(bool(words & FAKE))
    return None


def split_of(file: Path) -> str:
    """The split that a folder names, or ""."""
    return next((SPLITS[part.lower()] for part in file.parent.parts if part.lower() in SPLITS), "")
