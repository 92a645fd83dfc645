"""statistics: every figure of labels and scores, for many weightings of the people at once.

Each figure is computed for many weightings of the groups at once: all ones give the figure itself, the draws of a
bootstrap its resamples. People are drawn, not videos: those of one person stand and fall together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.special import xlogy

Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.int64]]
Figures = dict[str, Floats]

BINS = 10  # of equal mass, of the calibration error
ROWS = 1 << 16  # weights held at once: the memory of a bootstrap is bounded by it
RATES = {"tpr_at_fpr_1": 0.01, "tpr_at_fpr_5": 0.05}
COUNTS = ("tn", "fp", "fn", "tp")
DECISIONS = (  # the figures of the verdicts: of those who got one; the rest are of every score
    *("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc"),
    *("false_positive_rate", "false_negative_rate", "precision_at_prevalence"),
)
VERDICTS = {"real": 0, "fake": 1}
ABSTAINED = -1  # any other verdict, or none: neither an error nor a hit

ASKS: dict[str, tuple[int, ...]] = {  # the classes that a figure wants; the rest want both
    **{"false_positive_rate": (0,), "false_negative_rate": (1,), "recall": (1,)},
    **dict.fromkeys(("accuracy", "log_loss", "brier"), ()),
}


@dataclass(frozen=True)
class Sample:
    """What was scored: videos, tracks or sequences."""

    label: Integers  # (N,) 0 real, 1 fake
    score: Floats  # (N,) P(fake)
    called: Integers  # (N,) 0 real, 1 fake, or ABSTAINED
    group: Integers  # (N,) who is shown, 0 to groups - 1
    groups: int

    def __post_init__(self) -> None:
        if len({len(self.label), len(self.score), len(self.called), len(self.group)}) > 1:
            raise ValueError("label, score, called and group differ in length")
        if np.isnan(self.score).any():
            raise ValueError("a score is missing")

    @classmethod
    def rows(cls, label: Any, score: Any, group: Any, called: Any = None) -> "Sample":
        """Columns of numbers, and names of groups; called fake from .5 on, where it is not said."""
        names, number = np.unique(np.asarray(group).astype(str), return_inverse=True)
        score = np.asarray(score, float)
        called = score >= 0.5 if called is None else called
        return cls(np.asarray(label, int), score, np.asarray(called, int), number, len(names))

    @classmethod
    def of(cls, table: pd.DataFrame, score: str = "score") -> "Sample":
        """The rows of a table of label, verdict, group and a column of scores."""
        return cls.rows(table["label"], table[score], table["group"], called(table["verdict"]))

    def people(self, name: str) -> int:
        """How many groups a figure stands on: of the class it asks for, or of the one that has fewer."""
        counted = self.called != ABSTAINED if name in DECISIONS else np.full(len(self.label), True)
        classes = [counted & (self.label == label) for label in ASKS.get(name, (0, 1))]
        return min(len(np.unique(self.group[rows])) for rows in classes or [counted])


def called(verdicts: "pd.Series[Any]") -> "pd.Series[int]":
    """What videos were called: 0 real, 1 fake; ABSTAINED where the verdict is another, or none."""
    return verdicts.map(VERDICTS).fillna(ABSTAINED).astype(int)


def figures(sample: Sample, times: Floats | None = None, prevalence: float = 0.5) -> Figures:
    """Every figure for each of R weightings of the groups, (R, groups): (R,) each; NaN where it is undefined.

    `prevalence` is the share of fakes that `precision_at_prevalence` supposes.
    """
    if times is None:
        times = np.ones((1, sample.groups))
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = _sums(sample, times)
        return ranks(sample, times) | _decisions(sums, prevalence) | _probabilities(sums)


def _sums(sample: Sample, times: Floats) -> Figures:
    """What is a sum over rows, and so a weighted sum over groups; the bins of calibration are those of all rows."""
    label, score = sample.label, sample.score
    right = np.clip(np.where(label == 1, score, 1 - score), np.finfo(float).eps, 1)
    place = bins(score, masses(label), BINS)
    columns = {
        name: (label == actual) & (sample.called == said)
        for name, actual, said in zip(COUNTS, (0, 0, 1, 1), (0, 1, 0, 1), strict=True)
    }
    columns |= {"reals": label == 0, "fakes": label == 1}
    columns |= {f"loss_{value}": -np.log(right) * (label == value) for value in (0, 1)}
    columns |= {"square": (score - label) ** 2}
    columns |= {
        f"bin_{i}_{value}": (place == i) * (label == value) * (score - label) for i in range(BINS) for value in (0, 1)
    }
    totals = {name: np.bincount(sample.group, column, sample.groups) for name, column in columns.items()}
    return {name: times @ total for name, total in totals.items()}


def masses(label: Integers) -> Integers:
    """(N,): what each row counts where both classes count alike, in whole numbers; of one class, as much as another."""
    counts = np.bincount(label, minlength=2)
    return counts[1 - label] if counts.all() else np.ones(len(label), int)


def bins(score: Floats, mass: Integers, count: int) -> Integers:
    """(N,): which of so many bins of equal mass each row is in, by the middle of its score's mass: ties share one."""
    levels, place = np.unique(score, return_inverse=True)
    own = np.bincount(place, mass, len(levels))
    return np.asarray((np.cumsum(own) - own / 2) * count // max(own.sum(), 1), int)[place]


def _decisions(s: Figures, prevalence: float) -> Figures:
    """The figures of the verdicts, from how often reals and fakes are called real and fake; who abstains says none."""
    tn, fp, fn, tp = (s[name] for name in COUNTS)
    recall, alarms = tp / (tp + fn), fp / (fp + tn)
    marginals = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "accuracy": (tp + tn) / (tp + tn + fp + fn),
        "balanced_accuracy": (recall + 1 - alarms) / 2,
        "precision": tp / (tp + fp),
        "recall": recall,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "mcc": (tp * tn - fp * fn) / marginals,
        "false_positive_rate": alarms,
        "false_negative_rate": 1 - recall,
        "precision_at_prevalence": prevalence * recall / (prevalence * recall + (1 - prevalence) * alarms),
    }


def _probabilities(s: Figures) -> Figures:
    """The figures of P(fake) as a probability; Cllr is that of its odds, which at equal priors are the ratio.

    P(fake) is calibrated where real and fake are equally likely: in the ECE both classes count alike, as in Cllr.
    Source: Bruemmer and du Preez, "Application-independent evaluation of speaker detection", 2006 (Cllr);
    Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015 (ECE).
    """
    reals, fakes = s["reals"], s["fakes"]
    gaps = np.sum([np.abs(s[f"bin_{i}_0"] / reals + s[f"bin_{i}_1"] / fakes) for i in range(BINS)], axis=0)
    return {
        "log_loss": (s["loss_0"] + s["loss_1"]) / (reals + fakes),
        "brier": s["square"] / (reals + fakes),
        "ece": gaps / 2,
        "cllr": (s["loss_0"] / reals + s["loss_1"] / fakes) / (2 * np.log(2)),
    }


def ranks(sample: Sample, times: Floats) -> Figures:
    """The figures of the order of the scores alone: of the ROC curve of each weighting, equal scores as one step."""
    order = np.argsort(-sample.score, kind="stable")
    label, group = sample.label[order], sample.group[order]
    last = np.flatnonzero(np.diff(sample.score[order], append=-np.inf))  # of each run of equal scores
    parts = []
    for chunk in np.array_split(times, max(1, -(-len(times) * len(order) // ROWS))):
        weight = chunk[:, group]
        fake = np.cumsum(weight * label, axis=1)[:, last]  # (R, steps): called fake from this score on
        real = np.cumsum(weight, axis=1)[:, last] - fake
        parts.append(_of_steps(fake, real))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _of_steps(fake: Floats, real: Floats) -> Figures:
    """The figures of ROC curves, (R, steps): the weight of fakes and of reals from each score on."""
    if not fake.shape[1]:
        return {name: np.full(len(fake), np.nan) for name in ("auc", "ap", "eer", *RATES)}
    both = (fake[:, -1:] > 0) & (real[:, -1:] > 0)
    fakes, reals = np.where(both, fake[:, -1:], np.nan), np.where(both, real[:, -1:], np.nan)
    gained = np.diff(fake, prepend=0, axis=1)
    precision = fake / np.maximum(fake + real, 1)
    ordered = (fake - gained / 2) * np.diff(real, prepend=0, axis=1)
    true, false = fake / fakes, real / reals
    within = {name: (false <= rate).sum(1) for name, rate in RATES.items()}  # steps
    return {
        "auc": ordered.sum(1) / (fakes * reals)[:, 0],
        "ap": (gained * precision).sum(1) / fakes[:, 0],
        "eer": _equal_error_rate(true, false),
        **{name: np.where(steps > 0, _at(true, steps - 1), 0 * fakes[:, 0]) for name, steps in within.items()},
    }


def _at(curve: Floats, step: Integers) -> Floats:
    """The value of each curve, (R, steps), at its step (R,)."""
    return np.take_along_axis(curve, np.maximum(step, 0)[:, None], 1)[:, 0]


def _equal_error_rate(true: Floats, false: Floats) -> Floats:
    """Where false positives are as frequent as false negatives, on the straight pieces of each ROC curve (R, steps)."""
    gap = false - (1 - true)  # rises from -1 to 1
    right = np.argmax(gap >= 0, axis=1)
    first = right == 0  # its piece begins at the origin
    gap_low, low = np.where(first, -1, _at(gap, right - 1)), np.where(first, 0, _at(false, right - 1))
    share = -gap_low / (_at(gap, right) - gap_low)
    return np.asarray(low + share * (_at(false, right) - low))


def min_cllr(sample: Sample) -> float:
    """Cllr after the best monotone calibration, fitted on the test itself: what is left is discrimination alone.

    Source: Bruemmer and du Preez, 2006, by isotonic regression of equally weighted classes.
    """
    fakes = sample.label.mean() if len(sample.label) else 0.0
    if fakes in (0, 1):
        return float("nan")
    weight = np.where(sample.label == 1, 1 / fakes, 1 / (1 - fakes))
    levels, place = np.unique(sample.score, return_inverse=True)
    both, fake = (np.bincount(place, w, len(levels)) for w in (weight, weight * sample.label))
    p = isotonic_regression(fake / both, weights=both).x
    return float(-(xlogy(fake, p) + xlogy(both - fake, 1 - p)).sum() / weight.sum() / np.log(2))
