"""videos: the tables with a row for each video: which of their columns are text, and what a video's status means."""

import re
from pathlib import Path

import pandas as pd

from deepfake.base import tables

TEXT = (  # columns that are never numbers: the id 000 stays one
    *("video_id", "path", "identities", "method", "source", "dataset", "compression", "collection", "group", "split"),
    "mask",  # where a fake's pixels were forged: a video beside it, its path as that of the video
    *("status", "reason", "codec", "pix_fmt", "sar", "transfer", "primaries", "sha256", "pictures_sha256"),
    "fingerprint",
)
USABLE = ("ok", "truncated")  # the statuses of a video that gave frames; the rest say why it gave none


def read(path: Path) -> pd.DataFrame:
    """The table of a file; a text is never NaN, nor a number. Raises UserError where there is none."""
    return tables.read(path, TEXT)


def people(identities: str) -> list[str]:
    """The people that a text names, joined by `+`, `;` or `,`: each once, in its order."""
    return list(dict.fromkeys(name for part in re.split("[+;,]", identities) if (name := part.strip())))
