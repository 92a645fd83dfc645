"""statistics: every figure, of any weighting of the people, is that of scikit-learn or of a pencil."""

import time
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.special import expit
from sklearn import metrics as reference
from sklearn.isotonic import IsotonicRegression

from deepfake.measures.intervals import described
from deepfake.measures.statistics import (
    ABSTAINED,
    BINS,
    DECISIONS,
    RATES,
    Sample,
    bins,
    called,
    figures,
    masses,
    min_cllr,
)


def sample(label, score, called=None, group=None) -> Sample:
    """Each row a group of its own, fake from .5 on, but for what is given."""
    label, score = np.array(label, int), np.array(score, float)
    group = np.arange(len(label)) if group is None else np.array(group)
    called = score >= 0.5 if called is None else np.array(called, int)
    return Sample(label, score, called, group, int(group.max(initial=-1)) + 1)


def random(count: int = 60, seed: int = 0, groups: int = 12) -> Sample:
    """Scores that tell a little, some of them equal."""
    rng = np.random.default_rng(seed)
    label = np.r_[0, 1, rng.integers(0, 2, count - 2)]
    score = np.clip(rng.normal(0.4 + 0.2 * label, 0.2), 0.01, 0.99).round(2)
    return sample(label, score, group=rng.integers(0, groups, count).clip(0, groups - 1))


def of(videos: Sample, weights=None) -> dict[str, float]:
    """The figures by name, of one weighting of the groups."""
    times = None if weights is None else np.array([weights], float)
    return {name: float(value[0]) for name, value in figures(videos, times).items()}


def by_the_book(label, score, called, weight) -> dict[str, float]:
    """What scikit-learn says."""
    book = {"sample_weight": weight}
    false, true, _ = reference.roc_curve(label, score, **book, drop_intermediate=False)
    recall, specificity = (reference.recall_score(label, called, pos_label=value, **book) for value in (1, 0))
    return {
        "auc": reference.roc_auc_score(label, score, **book),
        "ap": reference.average_precision_score(label, score, **book),
        "eer": eer_of_roc(false, true),
        **{name: true[false <= rate].max() for name, rate in RATES.items()},
        "accuracy": reference.accuracy_score(label, called, **book),
        "balanced_accuracy": reference.balanced_accuracy_score(label, called, **book),
        "precision": reference.precision_score(label, called, **book),
        "recall": recall,
        "f1": reference.f1_score(label, called, **book),
        "mcc": reference.matthews_corrcoef(label, called, **book),
        "false_positive_rate": 1 - specificity,
        "false_negative_rate": 1 - recall,
        "precision_at_prevalence": recall / (recall + 1 - specificity),  # as many fakes as reals
        "log_loss": reference.log_loss(label, score, **book),
        "brier": reference.brier_score_loss(label, score, **book),
        "cllr": np.mean(
            [
                np.average(-np.log2(np.where(label, score, 1 - score)[label == v]), weights=weight[label == v])
                for v in (0, 1)
            ]
        ),
    }


def eer_of_roc(false, true) -> float:
    """Where the ROC curve, drawn with straight lines, meets the falling diagonal."""
    length = np.r_[0, np.cumsum(np.hypot(np.diff(false), np.diff(true)))]  # along the curve: it has upright pieces
    meets = brentq(lambda at: np.interp(at, length, false) - 1 + np.interp(at, length, true), 0, length[-1])
    return float(np.interp(meets, length, false))


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_those_of_scikit_learn(seed):
    videos = random(seed=seed)
    result = of(videos)
    assert result.pop("ece") >= 0
    assert result == pytest.approx(by_the_book(videos.label, videos.score, videos.called, np.ones(60)), abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_of_weighted_people_are_those_of_weighted_rows(seed):
    videos = random(seed=seed)
    weights = np.random.default_rng(seed).multinomial(12, np.full(12, 1 / 12)).astype(float)
    result = of(videos, weights)
    result.pop("ece")
    there = weights[videos.group] > 0
    rows = (videos.label[there], videos.score[there], videos.called[there], weights[videos.group][there])
    assert result == pytest.approx(by_the_book(*rows), abs=1e-6)


def test_many_weightings_at_once_are_each_by_itself():
    videos = random()
    times = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), 50).astype(float)
    together = figures(videos, times)
    for name, values in together.items():
        assert values == pytest.approx([of(videos, row)[name] for row in times], nan_ok=True), name


def test_the_figures_by_pencil():
    result = of(sample([0, 0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.4, 0.9]))
    expected = {
        "auc": 7 / 8,  # of 8 pairs of a real and a fake, one is the wrong way round
        "ap": (1 + 2 / 3) / 2,  # precision at each fake, best first
        "eer": 0.25,
        "accuracy": 4 / 6,
        "balanced_accuracy": (3 / 4 + 1 / 2) / 2,
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "mcc": (1 * 3 - 1 * 1) / np.sqrt(2 * 2 * 4 * 4),
        "false_positive_rate": 0.25,
        "false_negative_rate": 0.5,
        "tpr_at_fpr_1": 0.5,
        "tpr_at_fpr_5": 0.5,
        "brier": (0.01 + 0.04 + 0.09 + 0.49 + 0.36 + 0.01) / 6,
        "log_loss": -np.log([0.9, 0.8, 0.7, 0.3, 0.4, 0.9]).mean(),
        "cllr": -(np.log2([0.9, 0.8, 0.7, 0.3]).mean() + np.log2([0.4, 0.9]).mean()) / 2,
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "scores", "rate"),
    [
        ([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9], 0.0),
        ([1, 1, 0, 0], [0.1, 0.4, 0.6, 0.9], 1.0),  # each one wrong
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], 0.5),  # nothing tells
        ([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], 0.5),
        ([0] * 4 + [1] * 4, [0.1, 0.2, 0.3, 0.7, 0.5, 0.8, 0.9, 1.0], 0.25),
        ([0, 0, 0, 1], [0.1, 0.2, 0.8, 0.5], 1 / 3),
        ([0, 1, 1], [0.5, 0.5, 0.9], 1 / 3),  # between (0, 1/2) and (1, 1)
    ],
)
def test_the_equal_error_rate_of_few_scores(labels, scores, rate):
    assert of(sample(labels, scores))["eer"] == pytest.approx(rate)


def test_the_decisions_are_those_of_the_frozen_threshold():
    result = of(sample([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9], called=[True] * 4))
    assert (result["auc"], result["accuracy"], result["false_positive_rate"]) == (1.0, 0.5, 1.0)


def test_an_abstention_is_neither_an_error_nor_a_hit_and_still_is_ranked():
    label, score = [0, 0, 0, 1, 1, 1], [0.1, 0.7, 0.9, 0.2, 0.6, 0.8]
    called = [0, 1, ABSTAINED, ABSTAINED, 1, 1]
    result = of(sample(label, score, called=called))
    answered = of(sample([0, 0, 1, 1], [0.1, 0.7, 0.6, 0.8]))
    assert {name: result[name] for name in DECISIONS} == {name: answered[name] for name in DECISIONS}
    every = of(sample(label, score))
    rest = set(every) - set(DECISIONS)
    assert {name: result[name] for name in rest} == pytest.approx({name: every[name] for name in rest}, nan_ok=True)


def test_a_verdict_that_is_none_of_two_is_an_abstention():
    verdicts = pd.Series(["real", "fake", "inconclusive", None])
    assert called(verdicts).tolist() == [0, 1, ABSTAINED, ABSTAINED]


@pytest.mark.parametrize(
    ("prevalence", "precision"), [(0.5, 2 / 3), (0.01, 0.01 / (0.01 + 0.99 / 2)), (0.99, 0.99 / 0.995)]
)
def test_the_precision_falls_with_the_share_of_fakes_that_is_supposed(prevalence, precision):
    videos = sample([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.9])  # recall 1, half of the reals are false alarms
    assert figures(videos, prevalence=prevalence)["precision_at_prevalence"][0] == pytest.approx(precision)


def test_the_calibration_error_is_the_mean_gap_of_bins_of_equal_mass():
    rng = np.random.default_rng(0)
    score = rng.random(500)
    label = (rng.random(500) < score**2).astype(int)
    label[:] = np.where(np.argsort(np.argsort(label, kind="stable")) < 250, 0, 1)  # as many fakes as reals
    bins = np.array_split(np.argsort(score), BINS)  # 50 each
    gaps = [abs(score[rows].mean() - label[rows].mean()) for rows in bins]
    assert of(sample(label, score))["ece"] == pytest.approx(np.mean(gaps))


def test_the_calibration_error_is_at_even_odds_in_whatever_mix():
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], [20_000, 80_000])
    score = expit(2 * (rng.normal(size=len(label)) + 2 * (label - 0.5)))  # the posterior at even odds
    result = of(sample(label, score))
    assert result["ece"] < 0.01
    even = np.r_[0:20_000, 20_000:40_000]
    assert result["ece"] == pytest.approx(of(sample(label[even], score[even]))["ece"], abs=0.01)
    thrice = sample([0] * 40 + [1] * 120, np.r_[score[:40], np.repeat(score[20_000:20_040], 3)])
    once = sample([0] * 40 + [1] * 40, np.r_[score[:40], score[20_000:20_040]])
    assert of(thrice)["ece"] == pytest.approx(of(once)["ece"])


def test_bins_hold_as_much_of_both_classes_together_and_split_no_ties():
    label, score = np.array([0, 0, 1, 1, 1, 1]), np.array([0.1, 0.5, 0.2, 0.5, 0.7, 0.9])
    assert masses(label).tolist() == [4, 4, 2, 2, 2, 2]
    assert bins(score, masses(label), 2).tolist() == [0, 1, 0, 1, 1, 1]  # .1 and .2: 6 of 16; .5: up to 12
    assert bins(np.full(6, 0.5), masses(label), 10).tolist() == [5] * 6
    assert masses(np.array([1, 1])).tolist() == [1, 1]
    assert bins(np.array([]), masses(np.array([], int)), 10).tolist() == []


def test_equal_scores_share_a_bin_of_the_calibration_error():
    assert of(sample([0, 1] * 50, [0.5] * 100))["ece"] == 0


def test_odds_that_say_nothing_cost_one_bit():
    assert of(sample([0, 1, 1], [0.5, 0.5, 0.5]))["cllr"] == pytest.approx(1)
    assert min_cllr(sample([0, 1, 1], [0.5, 0.5, 0.5])) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_the_minimal_cllr_is_that_of_scores_calibrated_by_isotonic_regression(seed):
    videos = random(200, seed)
    fakes = videos.label.mean()
    weight = np.where(videos.label == 1, 0.5 / fakes, 0.5 / (1 - fakes))
    p = IsotonicRegression(y_min=0, y_max=1).fit(videos.score, videos.label, weight).predict(videos.score)
    best = np.clip(p, 1e-15, 1 - 1e-15)
    assert min_cllr(videos) == pytest.approx(of(sample(videos.label, best))["cllr"], abs=1e-6)
    assert min_cllr(videos) <= of(videos)["cllr"]


def test_the_minimal_cllr_asks_for_the_order_alone():
    videos = random(100)
    assert min_cllr(sample(videos.label, videos.score**3)) == pytest.approx(min_cllr(videos))
    assert min_cllr(sample([0, 0, 1], [0.1, 0.2, 0.3])) == 0


def test_three_videos_have_figures():
    result = of(sample([0, 1, 1], [0.2, 0.2, 0.9]))
    assert (result["auc"], result["accuracy"]) == (pytest.approx(0.75), pytest.approx(2 / 3))


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_what_wants_both_undefined(label):
    result = of(sample([label] * 3, [0.9 * label, 0.8 * label, 0.7 * label]))
    undefined = {name for name, value in result.items() if np.isnan(value)}
    both = {"auc", "ap", "eer", *RATES, "balanced_accuracy", "mcc", "ece", "cllr", "precision_at_prevalence"}
    assert undefined == both | (
        {"false_positive_rate"} if label else {"recall", "false_negative_rate", "precision", "f1"}
    )
    assert result["accuracy"] == 1


def test_without_rows_nothing_is_said():
    assert all(np.isnan(value) for value in of(sample([], [])).values())
    assert np.isnan(min_cllr(sample([], [])))


def test_a_missing_score_is_a_bug():
    with pytest.raises(ValueError, match="a score is missing"):
        sample([0, 1], [0.5, np.nan])
    with pytest.raises(ValueError, match="differ in length"):
        Sample(np.array([0]), np.array([0.5, 0.6]), np.array([True]), np.array([0]), 1)


def test_a_sample_of_a_table_knows_its_people():
    table = pd.DataFrame(
        {"label": [0, 1, 1], "score": [0.1, 0.9, 0.4], "other": 0.3, "verdict": ["real", "fake", "real"]}
    )
    sample = Sample.of(table.assign(group=["b", "a", "b"]), "other")
    assert (sample.group.tolist(), sample.groups, sample.people("auc")) == ([1, 0, 1], 2, 1)
    assert [sample.people(name) for name in ("recall", "false_positive_rate", "accuracy")] == [2, 1, 2]
    assert (sample.called.tolist(), sample.score.tolist()) == ([False, True, False], [0.3] * 3)


@pytest.mark.slow
def test_a_hundred_thousand_rows_take_seconds_and_little_memory():
    rng = np.random.default_rng(0)
    label, group = rng.integers(0, 2, 100_000), rng.integers(0, 300, 100_000)
    videos = sample(label, expit(rng.normal(size=100_000) + label).round(6), group=group)
    start = time.process_time()
    with warnings.catch_warnings():
        result = described(videos, resamples=1000, seed=0)
    assert time.process_time() - start < 10  # s; 3 were measured
    tracemalloc.start()
    figures(videos, np.ones((100, 300)))
    assert tracemalloc.get_traced_memory()[1] < 2**28  # bytes: 256 MB
    tracemalloc.stop()
    assert result["auc_low"] < result["auc"] < result["auc_high"]
