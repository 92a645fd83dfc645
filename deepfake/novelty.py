"""novelty: whether faces look like those that a detector learnt from, by the statistics of their blocks of pixels.

The logarithms of the spread of each coefficient of the blocks' cosine transform, in brightness and in both colours: how
fine, how noisy, how compressed and how coloured a picture is. A Gaussian is laid over those of the training's tracks;
validation, which shows nobody of training, says how far videos of the same kind may be. What is further is nothing that
the detector was measured on. A network's own last features tell it worse: they keep little but what tells its fakes.

Sources: Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
NeurIPS 2018 (the Mahalanobis distance; here one class for all); Lam and Goodman, "A mathematical analysis of the DCT
coefficient distributions for images", IEEE TIP 2000; Tipping and Bishop, "Probabilistic principal component
analysis", JRSS B 1999 (a covariance of few axes, and the same variance in all other directions); Vovk et al.,
"Algorithmic learning in a random world", 2005 (the bound by the rank of a new video among the old).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file
from scipy.fft import dctn

from deepfake.base.opencv import cv2
from deepfake.clips import resized
from deepfake.video import Images

Features = np.ndarray[Any, np.dtype[np.float32]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

BLOCK = 8  # px
RANK = 64  # axes, at most
KEPT = 0.95  # of the variance: axes are added until they have so much of it
LEAST = 8  # tracks: of fewer nothing is fitted


def look(faces: Images, side: int) -> Features:
    """(195,): what the faces of a track, (T, S, S, 3) uint8 RGB, look like at `side` px, the mean over its frames."""
    return np.asarray(np.mean([_look(resized(np.asarray(face)[None], side)[0]) for face in faces], axis=0), np.float32)


def _look(face: Images) -> Features:
    """(195,): of each channel of YCrCb the log of the spread of each coefficient, and the mean."""
    whole = face.shape[0] // BLOCK
    shown = cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2YCrCb)[: whole * BLOCK, : whole * BLOCK]
    blocks = shown.astype(np.float32).reshape(whole, BLOCK, whole, BLOCK, 3).transpose(0, 2, 1, 3, 4)
    waves = dctn(blocks, axes=(2, 3), norm="ortho").reshape(-1, BLOCK * BLOCK, 3)  # (blocks, 64, 3)
    spread = np.log1p(waves.std(0))  # (64, 3)
    return np.concatenate([np.append(spread[:, c], waves[:, 0, c].mean() / 64) for c in range(3)])


@dataclass(frozen=True)
class Gaussian:
    """What tracks of a training look like: mean (D,), axes (K, D) of length 1, variances (K,), rest (1,)."""

    mean: Features
    axes: Features
    variances: Features
    rest: Features  # the variance in every other direction

    def __post_init__(self) -> None:
        shapes = (self.mean.ndim, self.axes.shape, self.variances.shape, self.rest.shape)
        assert shapes == (1, (len(self.variances), len(self.mean)), (len(self.axes),), (1,)), shapes

    @classmethod
    def fit(cls, features: Features) -> Self | None:
        """Of looks (N, D), a row a track; None where they are too few, or all the same."""
        if len(features) < LEAST:
            return None
        x = np.asarray(features, np.float64)
        mean = x.mean(0)
        _, lengths, axes = np.linalg.svd(x - mean, full_matrices=False)
        variances = lengths**2 / (len(x) - 1)
        total = variances.sum()
        if total <= 0:
            return None
        share = np.cumsum(variances) / total
        count = min(RANK, len(x) // 4, x.shape[1] - 1, int(np.searchsorted(share, KEPT)) + 1)
        left = variances[count:].sum() / (x.shape[1] - count)
        rest = max(float(left), 1e-6 * float(total) / x.shape[1])
        values = (mean, axes[:count], variances[:count], np.array([rest]))
        return cls(*(value.astype(np.float32) for value in values))

    def distance(self, features: Features) -> Floats:
        """(N,): how far looks (N, D) are, a root mean square over all directions: near 1 for the training's own."""
        x = np.asarray(features, np.float64) - self.mean
        along = x @ self.axes.T.astype(np.float64)  # (N, K)
        off = np.maximum((x**2).sum(1) - (along**2).sum(1), 0.0)
        squares = (along**2 / np.maximum(self.variances, self.rest)).sum(1) + off / float(self.rest[0])
        return np.asarray(np.sqrt(squares / len(self.mean)))

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        save_file({name: np.ascontiguousarray(value) for name, value in vars(self).items()}, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it. Raises KeyError, TypeError or SafetensorError for another file."""
        return cls(**load_file(path))


def of_videos(validation: pd.DataFrame, by: str = "distance") -> "pd.Series[float]":
    """How far each video of validation is: the mean of its tracks by their faces, each the mean over members."""
    own = validation.groupby(["video_id", "track", "member"])[[by, "faces"]].mean()
    tracks = own.groupby(["video_id", "track"]).mean()
    weighed = (tracks[by] * tracks["faces"]).groupby("video_id").sum()
    return weighed / tracks["faces"].groupby("video_id").sum()


def bound(validation: pd.DataFrame, alarms: float, by: str = "distance") -> dict[str, Any] | None:
    """The distance beyond which a video is unlike the training data, and what that costs; None where nothing is known.

    `by` is the column of the distances: "drawn" has the odds that faces are drawn.

    alarms: the share of new videos of validation's kind that may be taken for unlike. The bound is a distance of
    validation's own, the k-th of n; a new one is beyond it with a probability of at most 1 - k / (n + 1).
    """
    if not alarms or by not in validation or validation[by].isna().any():
        return None
    distances = np.sort(of_videos(validation, by).to_numpy(float))
    rank = min(len(distances), int(np.ceil((len(distances) + 1) * (1 - alarms) - 1e-9)))
    return {
        "bound": float(distances[rank - 1]),
        "false_alarms": 1 - rank / (len(distances) + 1),
        "videos": len(distances),
        "median": float(np.median(distances)),
    }


def counted(predictions: pd.DataFrame) -> dict[str, Any]:
    """How many scored videos of a test, with `label` and `novelty`, are unlike the training data: counts and shares."""
    known = predictions[predictions["novelty"].notna()]
    counts: dict[str, Any] = {}
    for label, name in enumerate(("real", "fake")):
        own = known.loc[known["label"] == label, "novelty"] > 1
        counts[name] = {"videos": len(own), "unlike": int(own.sum()), "share": float(own.mean()) if len(own) else None}
    return counts
