"""evaluate: from scores to the figures that a reviewer would accept.

Everything here is computed from two tables: `predictions` has a row for each test video, `sequences` one for each
sequence of frames that was scored. Fake is the positive class; a score is P(fake).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from deepfake.base.errors import UserError
from deepfake.measures import evidence, intervals
from deepfake.measures.baselines import BASELINES
from deepfake.measures.coverage import coverage, presentation_attack
from deepfake.measures.intervals import by_chance, described, difference
from deepfake.measures.protocol import BESIDE, EvaluateParams
from deepfake.measures.slices import slices
from deepfake.measures.statistics import ABSTAINED, BINS, COUNTS, Sample

CALIBRATION = ("log_loss", "brier", "ece", "cllr", "min_cllr")
CONFUSION = dict(zip(COUNTS, ("real_as_real", "real_as_fake", "fake_as_real", "fake_as_fake"), strict=True))
DISTURBED = ("shuffled", "reversed", "repeated")
DECIDE = (  # what a review compares; the rest is looked up: other levels, each baseline, each slice
    *("video", "calibration", "members", "seen", "held_out", "extra", "best_baseline", "coverage"),
    *("presentation_attack", "by_method", "worst_slice", "order"),
)
Metrics = dict[str, Any]


def metrics(
    predictions: pd.DataFrame, tracks: pd.DataFrame, sequences: pd.DataFrame, about: pd.DataFrame, p: EvaluateParams
) -> Metrics:
    """Every figure, with its interval; what is undefined, such as the AUC of one class, is None with its reason.

    `tracks` and `sequences` have a score and a verdict of their own, and are of videos in `predictions`; `about` says
    what the videos are like (slices.properties).
    """
    known = predictions.set_index("video_id")[["label", "group"]]
    return of_videos(predictions, about, p) | {
        "track": of_rows(tracks.join(known, on="video_id"), p),
        "sequence": of_rows(sequences.join(known, on="video_id"), p),
        "order": order(predictions[predictions["score"].notna()], sequences, p),
    }


def parted(figures: Metrics) -> tuple[Metrics, Metrics]:
    """The figures that decide, few enough for a review to compare, and all the others."""
    deciding = {name: own for name, own in figures.items() if name in DECIDE}
    return deciding, {name: own for name, own in figures.items() if name not in DECIDE}


def of_videos(predictions: pd.DataFrame, about: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """What can be said of any detector's scores of the test videos."""
    scored = predictions[predictions["score"].notna()]
    label, score = scored["label"].to_numpy(int), scored["score"].to_numpy(float)
    video = of_rows(scored, p)
    keys = [key for name in CALIBRATION for key in (name, f"{name}_low", f"{name}_high") if key in video]
    calibration = {key: video.pop(key) for key in keys}
    calibration |= {"ece_by_chance": by_chance(label, score, p.seed), "misleading": evidence.misleading(label, score)}
    return {
        "video": video,
        "prevalence": p.prevalence,
        "calibration": calibration,
        **members(scored, p),
        **against_baselines(scored, p),
        **seen_and_held_out(scored, p),
        "coverage": coverage(predictions),
        "presentation_attack": presentation_attack(predictions),
        **slices(predictions, about, p.resamples, p.seed),
    }


def of_rows(scored: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """Every figure of scored rows, decisions at the threshold that was frozen into the detector.

    Who is inconclusive is ranked, and counted beside the decisions: it is neither an error nor a hit.
    """
    sample = Sample.of(scored)
    counts = {"count": len(scored), "reals": int((sample.label == 0).sum()), "fakes": int((sample.label == 1).sum())}
    figures = described(sample, p.resamples, p.seed, p.prevalence)
    counts |= {"groups": sample.groups}
    return counts | figures | {"confusion": confusion(sample), "inconclusive": inconclusive(sample)}


def confusion(sample: Sample) -> dict[str, int]:
    """How many reals and fakes were called what."""
    pairs = zip(CONFUSION.values(), (0, 0, 1, 1), (0, 1, 0, 1), strict=True)
    return {name: int(((sample.label == label) & (sample.called == called)).sum()) for name, label, called in pairs}


def inconclusive(sample: Sample) -> dict[str, int]:
    """How many scored reals and fakes were called neither."""
    silent = sample.label[sample.called == ABSTAINED]
    return {name: int((silent == label).sum()) for name, label in (("reals", 0), ("fakes", 1))}


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
    """The AUC of each baseline, and what the detector adds to the best of them on the `videos` that both scored."""
    alone: Metrics = {name: auc(scored, p, f"baseline_{name}") for name in BASELINES}
    known = {name: own["auc"] for name, own in alone.items() if own["auc"] is not None}
    best: Metrics = dict.fromkeys(("name", "videos", "auc", "auc_low", "auc_high", "gain", "gain_low", "gain_high"))
    if known:
        name = max(known, key=lambda name: known[name])
        both = scored[scored[f"baseline_{name}"].notna()]
        best |= {"name": name, "videos": len(both)} | alone[name]
        best |= gain(both, [f"baseline_{name}"], ["score"], "gain", p)
    return {"baselines": alone, "best_baseline": best}


def seen_and_held_out(scored: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """Two columns, never one: methods and datasets that training has seen apart from those held out; nothing for none.

    Fakes of a held-out method stand against the reals of the datasets that were seen.
    """
    out = p.held_out.of(scored)
    if not out.any():
        return {}
    foreign = scored["dataset"].isin(p.held_out.datasets)
    real = scored["label"].eq(0)
    beside = real & ~foreign & (out & ~foreign).any()
    return {name: _column(scored[rows], p) for name, rows in {"seen": ~out, "held_out": out | beside}.items()}


def _column(scored: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """The figures of one of two columns, beside the best single baseline on the same videos."""
    figures = of_rows(scored, p)
    best = against_baselines(scored, p)["best_baseline"]
    kept = {key: figures[key] for name in BESIDE for key in (name, f"{name}_low", f"{name}_high")}
    counts = {name: figures[name] for name in ("reals", "fakes", "groups", "inconclusive")}
    why = {name: reason for name, reason in figures["undefined"].items() if name in ("intervals", *kept)}
    return counts | kept | {"undefined": why, "best_baseline": best}


def further(table: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """A column for each further dataset, of the videos that share nothing with training; nothing for none."""
    columns: Metrics = {}
    for dataset in p.extra:
        own = table[table["dataset"] == dataset.column]
        fair = own[own["shared"] == ""]
        columns[dataset.column] = _column(fair[fair["score"].notna()], p)
        columns[dataset.column] |= {"coverage": coverage(fair), "left_out": len(own) - len(fair)}
    return {"extra": columns} if columns else {}


def gain(scored: pd.DataFrame, first: Sequence[str], second: Sequence[str], name: str, p: EvaluateParams) -> Metrics:
    """How much higher the mean AUC is of the second columns than of the first, by a paired bootstrap over groups."""
    samples, others = ([Sample.of(scored, column) for column in columns] for columns in (first, second))
    gap = difference(samples, others, "auc", p.resamples, p.seed)
    return {name: gap.value, f"{name}_low": gap.low, f"{name}_high": gap.high}


def order(scored: pd.DataFrame, sequences: pd.DataFrame, p: EvaluateParams) -> Metrics:
    """What the order of the frames is worth: the AUC lost, and how far the logits move, where it is disturbed.

    No loss: what looks at time is decoration.
    """
    shuffles = [f"shuffled_{i}" for i in range(p.shuffles)]
    columns = {name: shuffles if name == "shuffled" else [name] for name in DISTURBED}
    disturbances: Metrics = {}
    for name, disturbed in columns.items():
        aucs = [auc(scored, p, column)["auc"] for column in disturbed]
        mean = None if None in aucs else float(np.mean(aucs))
        moved = float(sequences[f"moved_{name}"].mean()) if len(sequences) else None
        disturbances[name] = {"auc": mean, **gain(scored, disturbed, ["score"], "drop", p), "logit_change": moved}
    return disturbances


def curves(predictions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables behind the plots, of scored videos, by name: roc, pr, confusion, scores, reliability and tippett."""
    scored = predictions[predictions["score"].notna()]
    label, score = scored["label"].to_numpy(int), scored["score"].to_numpy(float)
    names = scored["label"].map({0: "real", 1: "fake"})
    tables = {
        "roc": pd.DataFrame(columns=["false_positive_rate", "true_positive_rate"]),  # one class has no curve
        "pr": pd.DataFrame(columns=["recall", "precision"]),
        "confusion": pd.DataFrame({"actual": names, "predicted": scored["verdict"]}),
        "scores": pd.DataFrame({"video_id": scored["video_id"], "kind": kinds(scored), "score": scored["score"]}),
        "reliability": evidence.reliability(label, score, BINS),
        "tippett": evidence.tippett(label, score),
    }
    if names.nunique() == 2:
        false, true, _ = roc_curve(scored["label"], scored["score"])
        precision, recall, _ = precision_recall_curve(scored["label"], scored["score"])
        tables["roc"] = pd.DataFrame({"false_positive_rate": false, "true_positive_rate": true})
        tables["pr"] = pd.DataFrame({"recall": recall[::-1], "precision": precision[::-1]})
    return tables


def kinds(scored: pd.DataFrame) -> "pd.Series[str]":
    """What each video is: "real", or the method of a fake."""
    return scored["method"].where(scored["method"] != "", "fake").where(scored["label"] == 1, "real")


def foreign(
    predictions: pd.DataFrame, scores: "pd.Series[float]", threshold: float, reasons: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The test videos with another detector's P(fake), by video_id or path; NaN where it gives none, for that reason.

    Raises UserError for a score outside of 0 to 1, and where none is of a test video.
    """
    wrong = scores[scores.notna() & ~scores.between(0, 1)]
    if len(wrong):
        raise UserError(f"{wrong.index[0]}: score {wrong.iloc[0]:g}", "a score is P(fake), from 0 to 1")
    own = predictions["video_id"].map(scores.to_dict()).astype(float)
    if own.isna().all():
        names = ", ".join(map(str, scores.index[:3]))
        raise UserError(f"no score is of a test video; they are of {names} ...", "name them as reports/predictions.csv")
    ours = [name for name in predictions if name.startswith("member_") or name.split("_")[0] in (*DISTURBED, "novelty")]
    verdict = own.ge(threshold).map({True: "fake", False: "real"}).where(own.notna())
    status = predictions["status"].where(predictions["score"].notna(), "ok").where(own.notna(), "no_score")
    why = predictions["video_id"].map(reasons or {}).where(own.isna(), "")
    return predictions.drop(columns=ours).assign(score=own, verdict=verdict, status=status, reason=why.fillna(""))


def spoken(figures: Metrics) -> list[str]:
    """The figures that decide, a line each, for a person."""
    video, best, order = figures["video"], figures["best_baseline"], figures.get("order", {})
    lines = [f"{'detector':<26}AUC {within(video, 'auc')} on {video['count']} test videos"]
    if any(video["inconclusive"].values()):
        silent = video["inconclusive"]
        lines.append(f"{'inconclusive':<26}{silent['reals']} real, {silent['fakes']} fake")
    lines += [
        f"{name.replace('_', ' '):<26}AUC {shown(value)}"
        for name, value in figures.get("members", {}).get("auc", {}).items()
    ]
    lines += [
        f"{name.replace('_', ' '):<26}AUC {within(baseline, 'auc')}" for name, baseline in figures["baselines"].items()
    ]
    if best["name"]:
        some = f" on the {best['videos']} videos that both scored" if best["videos"] < video["count"] else ""
        lines.append(f"{'above the best of these':<26}{within(best, 'gain')}{some}")
    return lines + [
        f"{name + ' frames':<26}AUC {shown(disturbed['auc'])}, drop {within(disturbed, 'drop')}"
        for name, disturbed in order.items()
    ]


def within(figures: Metrics, name: str) -> str:
    """A figure and its interval, for a person."""
    low, high = figures[f"{name}_low"], figures[f"{name}_high"]
    return shown(figures[name]) + (f" [{shown(low)}, {shown(high)}]" if low is not None else "")


def shown(figure: float | None) -> str:
    """A figure for a person."""
    return "undefined" if figure is None else f"{figure:.3f}"
