"""images: a folder of photographs, each a video of one frame: real, unless a folder or a table says otherwise.

A manifest.csv or INDEX.csv in the folder may say who is on which (columns path, and identity or identities; label,
split, method and dataset if known); without it each picture shows a person of its own.
"""

from pathlib import Path

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset import manifests
from deepfake.dataset.files import walk
from deepfake.dataset.labels import labels_of, split_of
from deepfake.video import IMAGES


def scan(root: Path) -> pd.DataFrame:
    """One row a picture: video_id, path (both relative to root), label, identities, split ... where they are known."""
    walked = walk(root, IMAGES)
    if index := manifests.index_of(root):
        table = manifests.videos(root, index, unlabelled="real")
        # an index of photographs calls a collection their source, which makes no relatives of them
        return table.assign(source=table["source"].where(table["source"].isin(table["video_id"]), ""))
    if not walked.files:
        raise UserError(f"no pictures under {root}", f"their names end in {' '.join(sorted(IMAGES))}")
    labels = labels_of(walked.files, root)
    table = manifests.listing(
        [file.as_posix() for file in walked.files],
        label=[labels[file] or 0 for file in walked.files],
        split=[split_of(file) for file in walked.files],
    )
    table.attrs["left_out"] = walked.left
    return table
