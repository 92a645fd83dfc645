"""videos: the tables with a row for each video: which of their columns are text, and what a video's status means."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake.base import tables
from deepfake.files import name_of

OPTIONAL = ("identities", "method", "source", "dataset", "split")  # what is not always known of a video
TEXT = (  # columns that are never numbers: the id 000 stays one
    *("video_id", "path", "identities", "method", "source", "dataset", "group", "split"),
    *("status", "reason", "codec", "pix_fmt", "sha256", "pictures_sha256"),
)
USABLE = ("ok", "truncated")  # the statuses of a video that gave frames; the rest say why it gave none


def read(path: Path) -> pd.DataFrame:
    """The table of a file; a text is never NaN, nor a number. Raises UserError where there is none."""
    return tables.read(path, TEXT)


def listing(paths: Sequence[str], **columns: Any) -> pd.DataFrame:
    """What a layout gives: a row a path, its video_id, the columns given, "" in those of OPTIONAL that are not."""
    texts = pd.Series(paths, dtype=object)  # a name may be no UTF-8, which pandas' own texts cannot hold
    known = {"video_id": list(map(name_of, paths)), "path": texts, **columns}
    return pd.DataFrame({**known, **{name: "" for name in OPTIONAL if name not in columns}})


def people(identities: str) -> list[str]:
    """The people that a text names, joined by `+`, `;` or `,`: each once, in its order."""
    return list(dict.fromkeys(name for said in re.split("[+;,]", identities) if (name := said.strip())))
