"""extra: the videos of further datasets, which nothing may be fitted on, and what they share with training."""

import sys

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset.files import name_of
from deepfake.dataset.relations import ties

LEARNT = ("train", "val")  # the splits that weights, calibration and threshold come from
TEXTS = ("video_id", "path", "identities", "method", "dataset", "group", "status", "reason", "shared", "verdict")
NUMBERS = (  # the last eight are those of the baselines
    *("label", "score", "bitrate", "duration", "fps", "width", "height", "frames", "difference", "sharpness"),
)


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of what is written of further datasets; of no rows, too."""
    return rows.reindex(columns=[*TEXTS, *NUMBERS])


def named(listed: pd.DataFrame, column: str) -> pd.DataFrame:
    """The videos that a layout found in a further dataset, under names that no other dataset has."""
    names = {old: name_of(f"{column}/{old}") for old in listed["video_id"]}
    sources = [names.get(source, source) for source in listed["source"]]
    return listed.assign(video_id=listed["video_id"].map(names), source=sources)


def shared(further: pd.DataFrame, videos: pd.DataFrame, splits: pd.DataFrame) -> "pd.Series[str]":
    """What each further video shares with train or validation, "" for nothing.

    Equal pictures wherever they are; people and sources by name where both datasets have the same name, or none.
    """
    learnt = videos[videos["video_id"].map(splits.set_index("video_id")["split"]).isin(LEARNT)]
    shares = ties(pd.concat([learnt, further], ignore_index=True))
    known = {tie for own_ties in shares[: len(learnt)] for tie in own_ties}
    own = shares[len(learnt) :]
    return pd.Series([next((t for t in own_ties if t in known), "") for own_ties in own], further.index, dtype=str)


def check(rows: pd.DataFrame, column: str) -> None:
    """Say how many videos of a further dataset share something with training. Raises UserError where all of them do."""
    sharing = rows[rows["shared"] != ""]
    if sharing.empty:
        return
    sentence = f"{len(sharing)} of {len(rows)} videos of {column} share people, sources or pictures with training"
    hint = "if they are other people of the same names, a column dataset in its manifest.csv says so"
    if len(sharing) == len(rows):
        raise UserError(f"evaluate.extra: {sentence}", hint)
    print(f"warning: {sentence} and are left out: {sharing['shared'].iloc[0]} ...; {hint}", file=sys.stderr)
