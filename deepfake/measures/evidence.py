"""evidence: P(fake) as a likelihood ratio, in the words and pictures that courts use.

P(fake) is calibrated where real and fake are equally likely beforehand, so that its odds are the likelihood ratio: how
many times likelier the scores are if the video is fake than if it is real.
"""

import numpy as np
import pandas as pd

from deepfake.measures.statistics import Floats, Integers, bins, masses

SURE = 1e-6  # the scores are rounded to it: nothing is said beyond a ratio of a million
WORDS = (  # from this ratio on; below it, the words before
    (1.0, "no support for either"),
    (2.0, "weak support"),
    (10.0, "moderate support"),
    (100.0, "moderately strong support"),
    (1_000.0, "strong support"),
    (10_000.0, "very strong support"),
    (1_000_000.0, "extremely strong support"),
)


def log10_ratio(score: Floats) -> Floats:
    """The decimal logarithm of the likelihood ratio of fake against real, within -6 and 6."""
    sure = np.clip(score, SURE, 1 - SURE)
    return np.asarray(np.log10(sure / (1 - sure)))


def verbal(score: float) -> str:
    """What a score says, in words.

    Source: ENFSI, "Guideline for evaluative reporting in forensic science", 2015, its scale of equivalents.
    """
    log = float(log10_ratio(np.array(score)))
    size = round(10 ** abs(log), 6)
    words = [text for least, text in WORDS if size >= least][-1]
    return words if words == WORDS[0][1] else f"{words} for {'fake' if log > 0 else 'real'}"


def tippett(label: Integers, score: Floats) -> pd.DataFrame:
    """The share of fakes and of reals whose log10 ratio is at least `log10_lr`, for each that occurs: `fakes`, `reals`.

    Source: Meuwly, "Reconnaissance de locuteurs en sciences forensiques", 2001.
    """
    log = log10_ratio(score)
    at = np.unique(log)
    shares = {
        name: 1 - np.searchsorted(np.sort(log[label == value]), at, side="left") / max(1, (label == value).sum())
        for name, value in (("fakes", 1), ("reals", 0))
        if (label == value).any()
    }
    return pd.DataFrame({"log10_lr": at, "fakes": np.nan, "reals": np.nan} | shares)


def misleading(label: Integers, score: Floats) -> dict[str, float | None]:
    """The share of reals whose ratio speaks for fake, and of fakes whose ratio speaks for real."""
    shares = {"reals": score[label == 0] > 0.5, "fakes": score[label == 1] < 0.5}
    return {name: float(share.mean()) if len(share) else None for name, share in shares.items()}


def reliability(label: Integers, score: Floats, most: int) -> pd.DataFrame:
    """Of each bin of equal mass: the mean `score`, the share of fakes (`fakes`), and how many `videos` it holds.

    The bins are those of the calibration error: both classes count alike. At most so many, of ten videos and more but
    for equal scores: a point of fewer says nothing.
    """
    counts, mass = np.bincount(label, minlength=2), masses(label)
    enough = 2 * counts.min() // 10 if counts.all() else len(label) // 10
    place = bins(score, mass, min(most, max(1, enough)))
    rows = [
        {name: np.average(column[p], weights=mass[p]) for name, column in (("score", score), ("fakes", label))}
        | {"videos": int(p.sum())}
        for p in (place == i for i in np.unique(place))
    ]
    return pd.DataFrame(rows, columns=["score", "fakes", "videos"])
