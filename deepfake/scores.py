"""scores: from the logits of a video's tracks to P(fake): tracks put together by their evidence, and calibrated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field
from scipy.special import expit, logit

from deepfake.base.params import Params

Floats = np.ndarray[Any, np.dtype[np.float64]]
Together = Literal["evidence", "mean", "max"]

SURE = 0.9  # AUC on validation from which a detector's word is more than a suspicion
EDGE = 1e-6  # P(fake) is rounded to so much: 0 and 1 are not certainty
THRESHOLD = 0.5  # on the calibrated P(fake): where real and fake are equally likely


@dataclass(frozen=True)
class TrackScore:
    """What a network says of one face through a video."""

    logits: tuple[float, ...]  # of its sequences, above 0 = fake
    faces: int  # that were looked at: the weight of the track
    distance: float | None = None  # of its features from those of the training; None where nobody knows
    drawn: float | None = None  # the odds that it is drawn and was never filmed; None where nobody knows

    @property
    def logit(self) -> float:
        """The mean over its sequences."""
        return float(np.mean(self.logits))


class Scoring(Params):
    """From tracks to P(fake), as validation chose it; a real and a fake are taken for equally likely beforehand."""

    tracks: Together  # how the tracks of a video are put together: see `together`
    slope: float = Field(default=1.0, gt=0)  # of the calibrator: slope * logit + intercept is the log of the odds
    intercept: float = 0.0
    doubt: float = Field(default=0.0, ge=0)  # nearer to even odds than this, in natural logarithms, nothing is said

    def log_odds(self, tracks: Sequence[TrackScore]) -> float:
        """The log of the likelihood ratio of fake against real, natural logarithm."""
        logits = np.array([track.logit for track in tracks])
        faces = np.array([track.faces for track in tracks], float)
        calibrated = self.slope * logits + self.intercept
        return float(together(calibrated, faces, np.zeros(len(tracks), int), self.tracks)[0])

    def score(self, tracks: Sequence[TrackScore]) -> float:
        """P(fake) of a video."""
        return float(expit(self.log_odds(tracks)))


def together(logits: Floats, weights: Floats, videos: "np.ndarray[Any, np.dtype[np.int64]]", how: str) -> Floats:
    """The logits of videos (V,), from those of their tracks (N,), the tracks' weights and their videos, 0, 0, 1, ...

    `mean`: their mean by weight: all that is seen counts. `max`: the loudest alone. `evidence`: the log of their mean
    odds by weight, which is the likelihood ratio of "one of the tracks is forged", each as likely as its weight: one
    forged face among real ones is heard, a glimpse of something that only looks forged is not.
    """
    share = weights / np.bincount(videos, weights)[videos]
    if how == "mean":
        return np.asarray(np.bincount(videos, share * logits), float)
    loudest = np.full(videos[-1] + 1, -np.inf)
    np.maximum.at(loudest, videos, logits)
    if how == "max":
        return loudest
    return np.asarray(loudest + np.log(np.bincount(videos, share * np.exp(logits - loudest[videos]))))


def verdict(score: float, doubt: float = 0.0) -> str:
    """ "fake" from the threshold on, else "real"; "inconclusive" within `doubt`, in log odds, of the threshold."""
    if doubt and abs(logit(score)) < doubt:
        return "inconclusive"
    return "fake" if score >= THRESHOLD else "real"


def wording(verdict: str, auc: float) -> str:
    """A verdict in the words of a detector that ranks so well on validation: the weaker, the more careful."""
    sure = auc >= SURE
    words = {"fake": "manipulated" if sure else "suspicious", "real": "authentic" if sure else "nothing suspicious"}
    return words.get(verdict, verdict)
