"""baselines: what a few numbers of a video tell without any detector: shortcuts that pass for detection."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

METADATA = ("bitrate", "duration", "fps", "width", "height", "frames")  # what a file says without being looked at
FACES = ("difference", "sharpness")  # means over the good faces
BASELINES: dict[str, tuple[str, ...]] = {
    "metadata": METADATA,
    "frame_difference": ("difference",),
    "sharpness": ("sharpness",),
    "difference_and_sharpness": FACES,
    "everything": (*METADATA, *FACES),
}


def features(videos: pd.DataFrame, kept: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """For each usable video, by its id: label, group, split and the numbers that the baselines look at."""
    good = kept[kept["reason"] == ""].groupby("video_id")[list(FACES)].mean()
    known = videos.set_index("video_id")[list(METADATA)].join(good, how="inner").fillna(0.0)
    return splits.set_index("video_id")[["label", "group", "split"]].join(known, how="inner")


def scores(known: pd.DataFrame, others: pd.DataFrame | None = None) -> pd.DataFrame:
    """P(fake) of every video by each baseline: a logistic regression of its numbers together, fitted on train.

    `others` are videos of further datasets with the same numbers, which are scored in place of these. NaN where train
    is of one class: reals alone teach a detector by their blends, and a baseline nothing.
    """
    train, asked = known[known["split"] == "train"], known if others is None else others
    if train["label"].nunique() < 2 or asked.empty:
        return pd.DataFrame(np.nan, asked.index, list(BASELINES))
    columns = {}
    for name, numbers in BASELINES.items():
        model = _regression().fit(train[list(numbers)], train["label"])
        columns[name] = model.predict_proba(asked[list(numbers)].fillna(0.0))[:, 1]
    return pd.DataFrame(columns, index=asked.index)


def auc_over_all(known: pd.DataFrame, name: str) -> float | None:
    """How well a baseline tells fakes in the whole dataset: with metadata far above .5, the dataset leaks.

    Each fifth of the groups is scored by a regression fitted on the others; None with fewer than five of a class.
    """
    if known["label"].nunique() < 2 or min(known.groupby("label")["group"].nunique()) < 5:
        return None
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    numbers = known[list(BASELINES[name])]
    probabilities = cross_val_predict(
        _regression(), numbers, known["label"], groups=known["group"], cv=folds, method="predict_proba"
    )
    return float(roc_auc_score(known["label"], probabilities[:, 1]))


def _regression() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression())
