"""manifest: a CSV file that lists the videos: `path, label`, and `identities, method, source, dataset, split` if known.

`manifest.csv` lies in the root and its paths start there. Labels: real or 0, fake or 1. Several identities are joined
by "+": a face swap has two. A picture is a video of one frame.
"""

from collections import Counter
from pathlib import Path

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset import manifests
from deepfake.dataset.files import walk
from deepfake.video import IMAGES, SUFFIXES


def scan(root: Path) -> pd.DataFrame:
    """One row a video: video_id, path (both relative to root), label, and the optional columns, "" where unknown."""
    file = root / "manifest.csv"
    if not file.is_file():
        raise UserError(f"no {file}", "write one (columns path, label, ...) or set extract.layout: folders")
    table = manifests.videos(root, file)
    listed = set(table["path"])
    others = (path for path in walk(root, SUFFIXES | IMAGES).files if path.as_posix() not in listed)
    left = Counter(f"{path.suffix.lower()} not in {file.name}" for path in others)
    table.attrs["left_out"] = dict(sorted(left.items()))
    return table
