"""statistics: figures of scores, and how far chance alone moves them."""

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

Values = Any  # a column of numbers: an array, or a Series


def auc(label: Values, score: Values) -> float | None:
    """Area under the ROC curve; None where a class is missing, or a score."""
    label, score = np.asarray(label), np.asarray(score, float)
    return float(roc_auc_score(label, score)) if len(set(label)) == 2 and np.isfinite(score).all() else None


def auc_interval(
    label: Values, score: Values, group: Values, *, seed: int, resamples: int
) -> tuple[float, float] | None:
    """The 95 % interval of the AUC by percentiles over resampled groups; None where a class is of fewer than two.

    People are drawn, not videos: those of one person stand and fall together.
    Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993; the AUC as a share of ordered pairs.
    """
    label, score = np.asarray(label), np.asarray(score, float)
    names, group = np.unique(np.asarray(group), return_inverse=True)
    if min(len(set(group[label == value])) for value in (0, 1)) < 2:
        return None
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)  # (R, groups)
    real, fake = (times[:, group[label == value]].astype(float) for value in (0, 1))  # (R, videos): how often each
    gap = score[label == 1][:, None] - score[label == 0]  # (fakes, reals)
    ordered = ((fake @ (np.sign(gap) / 2 + 0.5)) * real).sum(1)
    pairs = fake.sum(1) * real.sum(1)
    low, high = np.percentile(ordered[pairs > 0] / pairs[pairs > 0], (2.5, 97.5))
    return float(low), float(high)
