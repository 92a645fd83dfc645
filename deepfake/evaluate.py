"""evaluate: from scores to the figures that a reviewer would accept.

Everything here is computed from the table of predictions: a row for each sequence that was scored, and one for each
video that could not be. Fake is the positive class; a score is P(fake).
"""

from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_curve,
)
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepfake.base.params import Params
from deepfake.statistics import auc, auc_interval

METADATA = ("bitrate", "duration", "fps", "width", "height", "frames")  # what a file says without being looked at
BASELINES = {"metadata": METADATA, "frame_difference": ("difference",), "sharpness": ("sharpness",)}


class EvaluateParams(Params):
    """How the test is done."""

    seed: int = Field(ge=0)  # of the shuffled frames, and of the resamples
    resamples: int = Field(ge=100)  # of the people, for the intervals


def metrics(predictions: pd.DataFrame, p: EvaluateParams) -> dict[str, Any]:
    """The metrics of videos and of sequences, coverage, baselines, and what the order of the frames is worth.

    What is undefined, such as the AUC of one class, is None.
    """
    videos = predictions.drop_duplicates("video_id")
    scored = videos[videos["score"].notna()]
    sequences = predictions[predictions["logit"].notna()]
    auc_shuffled = auc(scored["label"], scored["shuffled"])
    video = of_videos(scored)
    video["auc_interval"] = interval(scored, p)
    members = {name: auc(scored["label"], scored[name]) for name in scored if name.startswith("member_")}
    return {
        "video": video,
        **({"members": {"auc": of_members(members)}} if members else {}),
        "sequence": {
            "count": len(sequences),
            "auc": auc(sequences["label"], sequences["logit"]),
            "ap": average_precision(sequences["label"], sequences["logit"]),
        },
        "baselines": {name: {"auc": auc(scored["label"], scored[name])} for name in BASELINES},
        "order": {
            "auc_shuffled": auc_shuffled,
            "drop": None if video["auc"] is None or auc_shuffled is None else video["auc"] - auc_shuffled,
        },
        "coverage": coverage(videos),
    }


def of_videos(scored: pd.DataFrame) -> dict[str, Any]:
    """The metrics of scored videos; those of decisions are at the threshold that was frozen into the detector."""
    label, score, said = scored["label"].to_numpy(int), scored["score"], (scored["verdict"] == "fake").to_numpy(int)
    tn, fp, fn, tp = (int(((label == actual) & (said == called)).sum()) for actual in (0, 1) for called in (0, 1))
    both = len(set(label)) == 2
    return {
        "count": len(scored),
        "auc": auc(scored["label"], score),
        "ap": average_precision(scored["label"], score),
        "eer": equal_error_rate(label, score.to_numpy()) if both else None,
        "accuracy": float(accuracy_score(label, said)) if len(scored) else None,
        "balanced_accuracy": float(balanced_accuracy_score(label, said)) if both else None,
        "precision": float(precision_score(label, said)) if tp + fp else None,
        "recall": float(recall_score(label, said)) if tp + fn else None,
        "f1": float(f1_score(label, said)) if tp + fp + fn else None,
        "false_positive_rate": fp / (fp + tn) if fp + tn else None,
        "false_negative_rate": fn / (fn + tp) if fn + tp else None,
        "confusion": {"real_as_real": tn, "real_as_fake": fp, "fake_as_real": fn, "fake_as_fake": tp},
    }


def interval(scored: pd.DataFrame, p: EvaluateParams) -> dict[str, float] | None:
    """The 95 % interval of the AUC over resampled people; None where a class is of fewer than two."""
    ends = auc_interval(scored["label"], scored["score"], scored["group"], seed=p.seed, resamples=p.resamples)
    return {"low": ends[0], "high": ends[1]} if ends else None


def of_members(aucs: dict[str, float | None]) -> dict[str, float | None]:
    """The AUC of each of an ensemble's members, their mean and their standard deviation."""
    known = [value for value in aucs.values() if value is not None]
    return aucs | ({"mean": float(np.mean(known)), "deviation": float(np.std(known, ddof=1))} if known else {})


def average_precision(label: "pd.Series[int]", score: "pd.Series[float]") -> float | None:
    """Area under the precision-recall curve as the mean of precisions; None where a class is missing."""
    return float(average_precision_score(label, score)) if label.nunique() == 2 else None


def equal_error_rate(label: np.ndarray, score: np.ndarray) -> float:
    """The error rate where false positives and false negatives are equally frequent, on the ROC curve's segments."""
    false, true, _ = roc_curve(label, score, drop_intermediate=False)
    gap = false - (1 - true)  # rises from -1 to 1
    right = int(np.argmax(gap >= 0))
    if right == 0:
        return float(false[0])
    share = -gap[right - 1] / (gap[right] - gap[right - 1])
    return float(false[right - 1] + share * (false[right] - false[right - 1]))


def coverage(videos: pd.DataFrame) -> dict[str, Any]:
    """How many videos of each class were expected, and how many could be scored; the rest by reason."""
    missing = videos[videos["score"].isna()]
    return {
        "expected": len(videos),
        "scored": len(videos) - len(missing),
        "scored_real": _share(videos[videos["label"] == 0]),
        "scored_fake": _share(videos[videos["label"] == 1]),
        "missing": {str(status): int(n) for status, n in missing.groupby("status").size().items()},
    }


def _share(videos: pd.DataFrame) -> float | None:
    return float(videos["score"].notna().mean()) if len(videos) else None


def baseline_features(videos: pd.DataFrame, kept: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """For each usable video: label, group, split and the numbers that the baselines look at."""
    good = kept[kept["reason"] == ""].groupby("video_id")[["difference", "sharpness"]].mean()
    known = videos.set_index("video_id")[list(METADATA)].join(good, how="inner").fillna(0.0)
    return splits.set_index("video_id")[["label", "group", "split"]].join(known, how="inner")


def baseline_scores(features: pd.DataFrame) -> pd.DataFrame:
    """P(fake) of every video by each baseline: a logistic regression of its few numbers, fitted on train.

    NaN where train is of one class: reals alone teach a detector by their blends, and a baseline nothing.
    """
    train = features[features["split"] == "train"]
    if train["label"].nunique() < 2:
        return pd.DataFrame(np.nan, features.index, list(BASELINES))
    columns = {}
    for name, numbers in BASELINES.items():
        model = _regression().fit(train[list(numbers)], train["label"])
        columns[name] = model.predict_proba(features[list(numbers)])[:, 1]
    return pd.DataFrame(columns, index=features.index)


def metadata_auc(features: pd.DataFrame) -> float | None:
    """How well file metadata alone tell fakes in the whole dataset: far above .5, the dataset leaks.

    AUC of a logistic regression, each fifth of the groups scored by one fitted on the others.
    """
    if features["label"].nunique() < 2 or min(features.groupby("label")["group"].nunique()) < 5:
        return None
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    numbers, label = features[list(METADATA)], features["label"]
    scores = cross_val_predict(
        _regression(), numbers, label, groups=features["group"], cv=folds, method="predict_proba"
    )[:, 1]
    return auc(label, pd.Series(scores))


def _regression() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression())


def curves(predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables behind the plots, of scored videos: roc, pr, confusion and scores."""
    scored = predictions.drop_duplicates("video_id").dropna(subset="score")
    names = scored["label"].map({0: "real", 1: "fake"})
    tables = {
        "confusion": pd.DataFrame({"actual": names, "predicted": scored["verdict"]}),
        "scores": pd.DataFrame({"video_id": scored["video_id"], "label": names, "score": scored["score"]}),
    }
    if names.nunique() == 2:
        false, true, _ = roc_curve(scored["label"], scored["score"])
        precision, recall, _ = precision_recall_curve(scored["label"], scored["score"])
        tables["roc"] = pd.DataFrame({"false_positive_rate": false, "true_positive_rate": true})
        tables["pr"] = pd.DataFrame({"recall": recall[::-1], "precision": precision[::-1]})
    else:  # one class has no curve
        tables["roc"] = pd.DataFrame(columns=["false_positive_rate", "true_positive_rate"])
        tables["pr"] = pd.DataFrame(columns=["recall", "precision"])
    return tables
