"""calibrate: from the logits of validation to the scoring of a detector, and whether it has learnt anything.

What is chosen here, how tracks are put together and how logits become odds, is chosen on validation, by loss on people
that it was not fitted on.
"""

from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold

from deepfake import novelty
from deepfake.base.params import Params
from deepfake.measures.intervals import auc
from deepfake.measures.statistics import Sample
from deepfake.scores import Floats, Scoring, Together, together

TOGETHER: tuple[Together, ...] = ("evidence", "mean", "max")  # the first one where they do not differ
CALIBRATORS = ("temperature", "platt")
COVERAGES = (1.0, 0.75, 0.5, 0.25)  # shares of the videos that are spoken of
FOLDS = 5
STEEPEST = 5.0  # the log of the largest slope, and of the smallest: validation that is told apart knows no bound


class CalibrateParams(Params):
    """How logits become P(fake)."""

    tracks: Literal["auto", "evidence", "mean", "max"]  # how the tracks of a video are put together
    calibrator: Literal["auto", "temperature", "platt", "none"]  # auto: by loss on validation, over people
    abstain: float = Field(
        ge=0, lt=1
    )  # share of validation's videos of which nothing is said: the nearest to even odds
    unlike: float = Field(
        default=0.05, ge=0, lt=1
    )  # share of new videos of validation's kind that may be taken for unlike the training data; 0: no such check
    min_groups: int = Field(ge=2)  # of people of each class in validation; fewer are warned of
    resamples: int = Field(ge=100)  # of the people, for the interval of the AUC
    seed: int = Field(ge=0)


class Logits:
    """The tracks of validation's videos as arrays, those of a video one after the other, the videos sorted.

    Made of a table with a row for each sequence: video_id, label, group, track, logit, and the track's faces. An
    ensemble's members have their rows one below the other: a track's logit is the mean over all.
    """

    def __init__(self, validation: pd.DataFrame) -> None:
        tracks = validation.groupby(["video_id", "track"])[["logit", "faces", "label", "group"]]
        rows = tracks.agg({"logit": "mean", "faces": "first", "label": "first", "group": "first"}).reset_index()
        self.videos = rows.drop_duplicates("video_id")
        self.label = self.videos["label"].to_numpy(int)  # (V,)
        self.group = self.videos["group"].to_numpy(str)  # (V,)
        self.logit, self.faces = rows["logit"].to_numpy(float), rows["faces"].to_numpy(float)  # (N,)
        self.video = pd.factorize(rows["video_id"])[0]  # (N,)

    def log_odds(self, s: Scoring) -> Floats:
        """(V,): the calibrated log odds of the videos."""
        return together(s.slope * self.logit + s.intercept, self.faces, self.video, s.tracks)


def fit(validation: pd.DataFrame, p: CalibrateParams) -> tuple[Scoring, dict[str, Any]]:
    """The scoring, and what validation says of it; `untrained` in it is a reason where the detector learnt nothing."""
    logits = Logits(validation)
    ways = TOGETHER if p.tracks == "auto" else (p.tracks,)
    kinds = CALIBRATORS if p.calibrator == "auto" else (p.calibrator,)
    tried = {(kind, way): loss_elsewhere(logits, way, kind) for kind in kinds for way in ways}
    kind, way = min(tried, key=lambda both: round(tried[both], 6))
    scoring = fitted(logits, np.ones(len(logits.label), bool), way, kind)
    odds = logits.log_odds(scoring)
    if p.abstain:
        scoring = scoring.model_copy(update={"doubt": round(float(np.quantile(np.abs(odds), p.abstain)), 6)})
    scores = expit(odds)
    groups = min(len(set(logits.group[logits.label == value])) for value in (0, 1))
    known: dict[str, Any] = {"videos": len(scores), "groups": groups}
    known |= auc(Sample.rows(logits.label, scores, logits.group), p.resamples, p.seed)
    known |= {"loss": loss(logits.label, scores), "loss_uncalibrated": loss(logits.label, expit(plain(logits, way)))}
    known |= {"selective_accuracy": selective(logits.label, odds)}
    known |= {"calibrator": kind, "tracks": way, "untrained": untrained(known)}
    measured = [name for name in ("distance", "drawn") if name in validation and validation[name].notna().all()]
    alarms = p.unlike / max(1, len(measured))  # those of both add up
    known |= {"novelty": novelty.bound(validation, alarms)}
    known |= {"drawn": novelty.bound(validation, alarms, "drawn")} if "drawn" in measured else {}
    return scoring, known


def selective(label: Any, odds: Floats) -> dict[str, float]:
    """Balanced accuracy on the videos that are furthest from even odds, by the share of them that is spoken of.

    Source: El-Yaniv and Wiener, "On the foundations of noise-free selective classification", JMLR 2010.
    """
    accuracies = {}
    for coverage in COVERAGES:
        sure = np.abs(odds) >= np.quantile(np.abs(odds), 1 - coverage)
        right = [float(((odds >= 0) == label)[sure & (label == value)].mean()) for value in set(label[sure])]
        accuracies[str(coverage)] = float(np.mean(right))
    return accuracies


def untrained(validation: dict[str, Any]) -> str:
    """Why the detector cannot be trusted to have learnt anything; "" where it did."""
    low, high = validation["auc_low"], validation["auc_high"]
    if low is None or low > 0.5:
        return ""
    return f"the validation AUC is {validation['auc']:.3f}, its 95 % interval {low:.3f} to {high:.3f}: not above .5"


def few(validation: dict[str, Any], p: CalibrateParams) -> str:
    """What too few people in validation mean; "" where they are enough."""
    if validation["groups"] >= p.min_groups:
        return ""
    return (
        f"validation has {validation['groups']} groups of people in one class, fewer than {p.min_groups}: the epoch, "
        "the calibration and the AUC of validation are chosen on so few that they may be chance"
    )


def loss_elsewhere(logits: Logits, way: Together, kind: str) -> float:
    """The loss on people that the scoring was not fitted on, by folds over groups; on all where there are none."""
    number = min(FOLDS, *(len(set(logits.group[logits.label == value])) for value in (0, 1)))
    if number < 2 or kind == "none":
        all_of_them = np.ones(len(logits.label), bool)
        return loss(logits.label, expit(logits.log_odds(fitted(logits, all_of_them, way, kind))))
    scores = np.empty(len(logits.label))
    for train, test in GroupKFold(number).split(scores, groups=logits.group):
        inside = np.zeros(len(scores), bool)
        inside[train] = True
        scores[test] = expit(logits.log_odds(fitted(logits, inside, way, kind)))[test]
    return loss(logits.label, scores)


def fitted(logits: Logits, inside: "np.ndarray[Any, np.dtype[np.bool_]]", way: Together, kind: str) -> Scoring:
    """The calibrator of least loss on the videos `inside` (V,), both classes of equal weight.

    temperature: a slope alone; platt: and an intercept. Labels are drawn in a little, as if each class had one video
    more of the other, so that a validation that is told apart perfectly gives no infinite slope.
    Source: Platt, "Probabilistic outputs for support vector machines", 1999; Guo et al., "On calibration of modern
    neural networks", ICML 2017.
    """
    label = logits.label[inside]
    if kind == "none" or len(set(label)) < 2:
        return Scoring(tracks=way)
    counts = np.bincount(label, minlength=2)
    target = np.where(label == 1, (counts[1] + 1) / (counts[1] + 2), 1 / (counts[0] + 2))
    weight = 1 / counts[label]

    def scoring(x: Floats) -> Scoring:
        return Scoring(tracks=way, slope=float(np.exp(x[0])), intercept=float(x[1]) if len(x) > 1 else 0.0)

    def cost(x: Floats) -> float:
        odds = logits.log_odds(scoring(x))[inside]
        return float(np.average(np.logaddexp(0, odds) - target * odds, weights=weight))

    start, bounds = (np.zeros(2), [(-STEEPEST, STEEPEST), (-50.0, 50.0)])
    free = slice(0, 1 if kind == "temperature" else 2)
    best: Floats = minimize(cost, start[free], method="L-BFGS-B", bounds=bounds[free]).x
    optimum = scoring(best)
    return Scoring(tracks=way, slope=round(optimum.slope, 6), intercept=round(optimum.intercept, 6))


def plain(logits: Logits, way: Together) -> Floats:
    """(V,): the log odds as the network gives them."""
    return logits.log_odds(Scoring(tracks=way))


def loss(label: Any, scores: Floats) -> float:
    """The mean cross-entropy, both classes of equal weight."""
    counts = np.bincount(label, minlength=2)
    return float(log_loss(label, scores, sample_weight=1 / counts[label], labels=[0, 1]))
