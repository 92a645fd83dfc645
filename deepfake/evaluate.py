"""evaluate: from scores to the figures that a reviewer would accept.

Everything here is computed from two tables: `predictions` has a row for each test video, `sequences` one for each
sequence of frames that was scored. Fake is the positive class; a score is P(fake).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.metrics import precision_recall_curve, roc_curve

from deepfake import intervals
from deepfake.base.params import Params
from deepfake.baselines import BASELINES
from deepfake.intervals import by_chance, described, difference
from deepfake.statistics import COUNTS, Sample

CALIBRATION = ("log_loss", "brier", "ece", "cllr", "min_cllr")
CONFUSION = dict(zip(COUNTS, ("real_as_real", "real_as_fake", "fake_as_real", "fake_as_fake"), strict=True))
Metrics = dict[str, Any]


class EvaluateParams(Params):
    """How the test is done."""

    seed: int = Field(ge=0)  # of the shuffled frames, and of the resamples
    resamples: int = Field(ge=100)  # of the people, for the intervals
    shuffles: int = Field(ge=1)  # of the frames of each sequence
    prevalence: float = Field(gt=0, lt=1)  # of fakes, where the detector is to be used


def metrics(predictions: pd.DataFrame, tracks: pd.DataFrame, sequences: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """Every figure, with its interval; what is undefined, such as the AUC of one class, is None with its reason.

    `tracks` and `sequences` have a score and a verdict of their own, and are of videos in `predictions`.
    """
    scored = predictions[predictions["score"].notna()]
    about = predictions.set_index("video_id")[["label", "group"]]
    video = of_rows(scored, p)
    calibration = {
        key: video.pop(key) for name in CALIBRATION for key in (name, f"{name}_low", f"{name}_high") if key in video
    }
    calibration["ece_by_chance"] = by_chance(scored["score"].to_numpy(float), p.seed)
    return {
        "video": video,
        "calibration": calibration,
        "track": of_rows(tracks.join(about, on="video_id"), p),
        "sequence": of_rows(sequences.join(about, on="video_id"), p),
        **members(scored, p),
        **against_baselines(scored, p),
        "order": order(scored, sequences, p),
        "coverage": coverage(predictions),
    }


def of_rows(scored: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """Every figure of scored rows, decisions at the threshold that was frozen into the detector."""
    sample = Sample.of(scored)
    counts = {"count": len(scored), "reals": int((sample.label == 0).sum()), "fakes": int((sample.label == 1).sum())}
    figures = described(sample, p.resamples, p.seed, p.prevalence)
    return counts | {"groups": sample.groups} | figures | {"confusion": confusion(sample)}


def confusion(sample: Sample) -> dict[str, int]:
    """How many reals and fakes were called what."""
    pairs = zip(CONFUSION.values(), (0, 0, 1, 1), (False, True, False, True), strict=True)
    return {name: int(((sample.label == label) & (sample.called == called)).sum()) for name, label, called in pairs}


def auc(scored: pd.DataFrame, p: EvaluateParams, column: str = "score") -> Metrics:
    """The AUC of a column of scores, with its interval."""
    return intervals.auc(Sample.of(scored[scored[column].notna()], column), p.resamples, p.seed)


def members(scored: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """The AUC of each of an ensemble's members, their mean and their standard deviation; nothing for a single one."""
    names = [name for name in scored if name.startswith("member_")]
    aucs = {name: auc(scored, p, name)["auc"] for name in names}
    if known := [value for value in aucs.values() if value is not None]:
        aucs |= {"mean": float(np.mean(known)), "deviation": float(np.std(known, ddof=1))}
    return {"members": {"auc": aucs}} if names else {}


def against_baselines(scored: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """The AUC of each baseline, and what the detector adds to the best of them on this very test."""
    found: Metrics = {name: auc(scored, p, name) for name in BASELINES}
    known = {name: one["auc"] for name, one in found.items() if one["auc"] is not None}
    best: Metrics = dict.fromkeys(("name", "auc", "gain", "gain_low", "gain_high"))
    if known:
        name = max(known, key=lambda one: known[one])
        best |= {"name": name, "auc": known[name]} | gain(scored, [name], ["score"], "gain", p)
    return {"baselines": found, "best_baseline": best}


def gain(scored: pd.DataFrame, first: Sequence[str], second: Sequence[str], name: str, p: EvaluateParams) -> Metrics:
    """How much higher the mean AUC is of the second columns than of the first, by a paired bootstrap over groups."""
    one, other = ([Sample.of(scored, column) for column in columns] for columns in (first, second))
    gap = difference(one, other, "auc", p.resamples, p.seed)
    return {name: gap.value, f"{name}_low": gap.low, f"{name}_high": gap.high}


def order(scored: pd.DataFrame, sequences: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """What the order of the frames is worth: the AUC lost, and how far the logits move, where it is disturbed.

    No loss: what looks at time is decoration.
    """
    shuffles = [f"shuffled_{i}" for i in range(p.shuffles)]
    columns = {"shuffled": shuffles, "reversed": ["reversed"], "repeated": ["repeated"]}
    found: Metrics = {}
    for name, some in columns.items():
        aucs = [auc(scored, p, column)["auc"] for column in some]
        mean = None if None in aucs else float(np.mean(aucs))
        moved = float(sequences[f"moved_{name}"].mean()) if len(sequences) else None
        found[name] = {"auc": mean, **gain(scored, some, ["score"], "drop", p), "logit_change": moved}
    return found


def coverage(videos: pd.DataFrame) -> Metrics:
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


def curves(predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables behind the plots, of scored videos, by name: roc, pr, confusion and scores."""
    scored = predictions[predictions["score"].notna()]
    names = scored["label"].map({0: "real", 1: "fake"})
    tables = {
        "roc": pd.DataFrame(columns=["false_positive_rate", "true_positive_rate"]),  # one class has no curve
        "pr": pd.DataFrame(columns=["recall", "precision"]),
        "confusion": pd.DataFrame({"actual": names, "predicted": scored["verdict"]}),
        "scores": pd.DataFrame({"video_id": scored["video_id"], "label": names, "score": scored["score"]}),
    }
    if names.nunique() == 2:
        false, true, _ = roc_curve(scored["label"], scored["score"])
        precision, recall, _ = precision_recall_curve(scored["label"], scored["score"])
        tables["roc"] = pd.DataFrame({"false_positive_rate": false, "true_positive_rate": true})
        tables["pr"] = pd.DataFrame({"recall": recall[::-1], "precision": precision[::-1]})
    return tables


def spoken(figures: Metrics) -> list[str]:
    """The figures that decide, a line each, for a person."""
    video, best, order = figures["video"], figures["best_baseline"], figures["order"]
    lines = [f"{'detector':<26}AUC {within(video, 'auc')} on {video['count']} test videos"]
    lines += [
        f"{name.replace('_', ' '):<26}AUC {shown(value)}"
        for name, value in figures.get("members", {}).get("auc", {}).items()
    ]
    lines += [f"{name.replace('_', ' '):<26}AUC {within(one, 'auc')}" for name, one in figures["baselines"].items()]
    if best["name"]:
        lines.append(f"{'above the best of these':<26}{within(best, 'gain')}")
    return lines + [
        f"{name + ' frames':<26}AUC {shown(one['auc'])}, drop {within(one, 'drop')}" for name, one in order.items()
    ]


def within(figures: Metrics, name: str) -> str:
    """A figure and its interval, for a person."""
    low, high = figures[f"{name}_low"], figures[f"{name}_high"]
    return shown(figures[name]) + (f" [{shown(low)}, {shown(high)}]" if low is not None else "")


def shown(figure: float | None) -> str:
    """A figure for a person."""
    return "undefined" if figure is None else f"{figure:.3f}"
