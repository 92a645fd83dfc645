"""scores: from the logits of sequences to P(fake) of a track and of a video, and the threshold between the verdicts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_curve

Floats = np.ndarray[Any, np.dtype[np.float64]]


def track_score(logits: Sequence[float]) -> float:
    """P(fake) of a track from the logits of its sequences: of their mean."""
    return float(1 / (1 + np.exp(-np.mean(logits))))


def video_score(tracks: Sequence[Sequence[float]], how: str) -> float:
    """P(fake) of a video from its tracks' logits: the "max" of the tracks, for one forged face does, or the "mean"."""
    scores = [track_score(logits) for logits in tracks]
    return max(scores) if how == "max" else float(np.mean(scores))


def bce(labels: Floats, scores: Floats) -> float:
    """Binary cross-entropy of P(fake)."""
    right = np.clip(np.where(labels == 1, scores, 1 - scores), 1e-7, 1)
    return float(-np.log(right).mean())


def threshold_of(labels: Floats, scores: Floats) -> float:
    """The threshold of the best balanced accuracy, in the middle of the gap it lies in.

    Source: Youden, "Index for rating diagnostic tests", Cancer 1950.
    """
    false, true, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    best = int((true - false)[1:].argmax()) + 1  # the first one is infinite
    below = scores[scores < thresholds[best]]
    return float((thresholds[best] + below.max()) / 2) if len(below) else float(thresholds[best])
