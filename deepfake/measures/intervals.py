"""intervals: how far a figure may be off, and whether two detectors differ by more than noise.

People are drawn, not videos: those of one person stand and fall together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit
from scipy.stats import beta, norm, rankdata
from scipy.stats import t as student

from deepfake.measures.statistics import (
    BINS,
    DECISIONS,
    RATES,
    Floats,
    Integers,
    Sample,
    bins,
    figures,
    min_cllr,
    ranks,
)

CONFIDENCE = 0.95
FEWEST = 2  # groups of a class, to speak of an interval
RANKS = ("auc", "ap", "eer", *RATES)
UNBOUNDED = ("log_loss", "cllr")  # from 0 to any height; the rest are shares, but for the MCC
BIASED = ("ece", "min_cllr")  # they flatter or blame by the size of the test: no interval would hold the truth
FALLS_SHORT = {"log_loss": 15, "cllr": 15, "brier": 15, "ap": 100}  # with fewer groups: benchmarks/coverage.py
NOTHING = 1e-9  # a deviation below it is none
FADES = 12.0  # the doubt of a test without errors is e times less for each 1 / 12 of a person wrong: by simulated tests
ALARMS = 5  # false ones, at least, on which the interval of a rate at few of them stands


def draws(groups: int, resamples: int, seed: int) -> Floats:
    """How often each group is drawn in each resample: (R, groups).

    Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1 / groups), resamples).astype(float)


def described(sample: Sample, resamples: int, seed: int, prevalence: float = 0.5) -> dict[str, Any]:
    """Every figure with its 95 % interval, as `name`, `name_low` and `name_high`; None where undefined.

    `undefined` says of each None why it is so, `doubtful` of each interval that holds the truth too rarely.
    """
    values = {name: float(value[0]) for name, value in figures(sample, prevalence=prevalence).items()}
    values |= {"min_cllr": min_cllr(sample)}
    resampled = figures(sample, draws(max(sample.groups, 1), resamples, seed)[:, : sample.groups], prevalence)
    row: dict[str, Any] = {}
    undefined: dict[str, str] = {}
    if sample.people("auc") < FEWEST:
        undefined["intervals"] = f"a class of fewer than {FEWEST} groups of people"
    for name, value in values.items():
        if reason := why_undefined(sample, name, value):
            undefined[name] = reason
        row[name] = None if reason else value
        if name not in BIASED:
            known = not reason and sample.people(name) >= FEWEST
            if name in DECISIONS and not known and not reason and sample.people("auc") >= FEWEST:
                undefined[f"{name}_low"] = f"a class of fewer than {FEWEST} groups of people that got a verdict"
            if known and name in RATES and (few := int((sample.label == 0).sum()) * RATES[name]) < ALARMS:
                undefined[f"{name}_low"] = f"it stands on {few:.0f} false alarms: {ALARMS} are needed for an interval"
                known = False
            low, high = interval(name, value, resampled[name], sample) if known else (None, None)
            row |= {f"{name}_low": low, f"{name}_high": high}
    return row | {"undefined": undefined, "doubtful": doubtful(sample, row)}


def doubtful(sample: Sample, figures: Mapping[str, Any]) -> dict[str, str]:
    """Of which figures the interval holds the truth in fewer than 93 % of simulated tests of so few people."""
    groups = sample.people("auc")
    sentence = "of {} groups of people such intervals hold the truth in as few as 91 % of simulated tests"
    few = {name: least for name, least in FALLS_SHORT.items() if figures[f"{name}_low"] is not None and groups < least}
    return {name: sentence.format(groups) for name in few}


def auc(sample: Sample, resamples: int, seed: int) -> dict[str, float | None]:
    """The AUC and its 95 % interval alone: `auc`, `auc_low`, `auc_high`; None where undefined."""
    figures = dict.fromkeys(("auc", "auc_low", "auc_high"))
    value, *resampled = _of_people(sample, "auc", resamples, seed).tolist()
    if not np.isnan(value):
        figures["auc"] = value
        if resampled:
            figures["auc_low"], figures["auc_high"] = interval("auc", value, np.array(resampled), sample)
    return figures


def _of_people(sample: Sample, name: str, resamples: int, seed: int) -> Floats:
    """A figure, and the same of resampled people where there are enough of them: (1 + R,) or (1,)."""
    times = np.ones((1, sample.groups))
    if sample.people(name) >= FEWEST:
        times = np.vstack([times, draws(sample.groups, resamples, seed)])
    with np.errstate(divide="ignore", invalid="ignore"):
        return (ranks(sample, times) if name in RANKS else figures(sample, times))[name]


def why_undefined(sample: Sample, name: str, value: float) -> str:
    """Why a figure of this sample says nothing; "" where it does."""
    reals, fakes = (int((sample.label == label).sum()) for label in (0, 1))
    if not reals + fakes:
        return "nothing was scored"
    if name in RATES and reals * RATES[name] < 1:
        return f"{reals} reals: fewer than {round(1 / RATES[name])} cannot show such a rate of false positives"
    if not np.isnan(value):
        return ""
    if not reals or not fakes:
        return f"no {'real' if fakes else 'fake'} was scored"
    of = {"real": "false_positive_rate", "fake": "recall"}
    if name in DECISIONS and (silent := [kind for kind, rate in of.items() if not sample.people(rate)]):
        return f"no {' and no '.join(silent)} got a verdict"
    return "the verdict is the same for all"


def interval(name: str, value: float, resampled: Floats, sample: Sample) -> tuple[float, float]:
    """The 95 % interval of a figure: Student's t over groups, on a scale without ends, from the bootstrap's deviation.

    Percentiles hold the truth too rarely with few groups (benchmarks/coverage.py). Where resamples do not differ, as at
    the end of the scale, it is that of a share of as many outcomes as there are groups in the smaller class.
    Source: Clopper and Pearson, Biometrika 1934 (the share); Efron and Tibshirani, 1993, 12.5 and 12.6 (the rest).
    """
    reach = _reach(name, resampled, sample)
    if name in UNBOUNDED:
        return (float(value * np.exp(-reach / value)), float(value * np.exp(reach / value))) if value else (0.0, reach)
    if name == "mcc":  # from -1 to 1
        low, high = _of_share((value + 1) / 2, reach / 2, sample.people(name))
        return 2 * low - 1, 2 * high - 1
    return _of_share(value, reach, sample.people(name))


def _of_share(value: float, reach: float, groups: int) -> tuple[float, float]:
    if value in (0, 1) or reach < NOTHING:
        right, tail = value * groups, (1 - CONFIDENCE) / 2
        low = float(beta.ppf(tail, right, groups - right + 1)) if right > 0 else 0.0
        return low, float(beta.ppf(1 - tail, right + 1, groups - right)) if right < groups else 1.0
    middle, step = logit(value), reach / (value * (1 - value))
    return float(expit(middle - step)), float(expit(middle + step))


def by_chance(label: Integers, score: Floats, seed: int, rounds: int = 200) -> float | None:
    """The calibration error to be expected of a perfectly calibrated detector that says these scores of such a mix.

    P(fake) is that where real and fake are equally likely, and both classes count alike; None where one is missing.
    """
    reals, fakes = np.bincount(label, minlength=2).tolist()
    if not reals or not fakes:
        return None
    rng = np.random.default_rng(seed)
    share = fakes * score / (fakes * score + reals * (1 - score))  # of fakes among those of a score, in this mix
    gaps = []
    for _ in range(rounds):
        drawn = (rng.random(len(score)) < share).astype(int)
        mass = np.where(drawn == 1, reals, fakes)
        gaps.append(np.abs(np.bincount(bins(score, mass, BINS), mass * (score - drawn))).sum())
    return float(np.mean(gaps) / (2 * reals * fakes))


@dataclass(frozen=True)
class Difference:
    """Of a figure of two detectors on the same videos: the second's minus the first's. None where undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def beyond_noise(self) -> bool:
        """Whether the 95 % interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def difference(first: Sequence[Sample], second: Sequence[Sample], name: str, resamples: int, seed: int) -> Difference:
    """How much higher a figure is of the second than of the first, each the mean of its samples.

    All samples are the same rows, scored otherwise, and each resample draws the same people for all of them. Without
    an interval where a class is of too few groups; 0 to 0 where the figure cannot tell one sample from another.
    """
    means = [
        np.mean([_of_people(sample, name, resamples, seed) for sample in samples], axis=0)
        for samples in (first, second)
    ]
    value, *resampled = (means[1] - means[0]).tolist()
    if np.isnan(value) or not resampled:
        return Difference(None if np.isnan(value) else value)
    seen = [_seen(sample, name) for sample in (*first, *second)]
    if all(np.array_equal(own, seen[0]) for own in seen):
        return Difference(0.0, 0.0, 0.0)
    reach = _reach(name, np.array(resampled), first[0])
    if name in UNBOUNDED:
        return Difference(value, value - reach, value + reach)
    people = first[0].people(name)
    unsure = 1 - _of_share(1.0, 0.0, people)[0]  # a test without errors is not certain, nor one of hardly any
    ends = [unsure * np.exp(-FADES * people * _errors(mean[0], name)) for mean in means]
    reach = float(np.linalg.norm([reach, *ends])) if max(reach, *ends) > NOTHING else unsure
    return Difference(value, max(-1.0, value - reach), min(1.0, value + reach))


def _errors(value: float, name: str) -> float:
    """How far a figure is from the nearer end of its scale; a mean of squares is at it or is not."""
    off = max(0.0, min(value, 1 - value))
    return off if name in (*RANKS, *DECISIONS) else float(off > 0)


def _seen(sample: Sample, name: str) -> Floats:
    """What a figure sees of each row, (N,): the place of its score among all, its verdict, or the score itself."""
    if name in RANKS:
        return np.asarray(rankdata(sample.score))
    return np.asarray(sample.called if name in DECISIONS else sample.score, float)


def _reach(name: str, resampled: Floats, sample: Sample) -> float:
    """Half of the width of a 95 % interval: the deviation over resamples, times Student's t for so few groups."""
    known = resampled[~np.isnan(resampled)]
    deviation = np.std(known, ddof=1) * np.sqrt(sample.groups / (sample.groups - 1))  # a bootstrap's is too small
    return float(student.ppf((1 + CONFIDENCE) / 2, sample.people(name) - 1) * deviation)


def delong(label: Integers, first: Floats, second: Floats) -> tuple[float, float]:
    """The AUC of the second minus that of the first, and the two-sided p of no difference.

    It takes each video for a person of its own. Source: DeLong et al., Biometrics 1988; midranks: Sun and Xu, 2014.
    """
    fakes, reals = (
        np.stack(placements) for placements in zip(*(_placements(label, s) for s in (first, second)), strict=True)
    )
    gap = float(fakes[1].mean() - fakes[0].mean())
    covariance = np.cov(fakes) / fakes.shape[1] + np.cov(reals) / reals.shape[1]
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if variance <= 0:
        return gap, float(gap == 0)
    return gap, float(2 * norm.sf(abs(gap) / np.sqrt(variance)))


def _placements(label: Integers, score: Floats) -> tuple[Floats, Floats]:
    """For each fake the share of reals below it, and for each real the share of fakes above it; a tie is a half."""
    fake, real = score[label == 1], score[label == 0]
    ranks = rankdata(np.r_[fake, real])
    above = (ranks[: len(fake)] - rankdata(fake)) / len(real)
    return above, 1 - (ranks[len(fake) :] - rankdata(real)) / len(fake)
