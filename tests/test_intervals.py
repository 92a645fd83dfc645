"""intervals: they hold the truth as often as they say, and two detectors differ where they do."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from deepfake.measures.intervals import BIASED, Difference, by_chance, delong, described, difference, draws
from deepfake.measures.statistics import ABSTAINED, Sample, figures

ROOT = Path(__file__).parents[1]


def people(count: int, gap: float = 1.0, each: int = 1, seed: int = 0, score=None) -> Sample:
    """For each person, `each` reals and fakes with P(fake) from normal scores, the fakes higher by `gap`."""
    rng = np.random.default_rng(seed)
    label = np.tile([0, 1], count * each)
    p = norm.cdf(rng.normal(size=2 * count * each) + gap * (label - 0.5)) if score is None else np.array(score, float)
    return Sample(label, p, p >= 0.5, np.repeat(np.arange(count), 2 * each), count)


def test_each_resample_draws_as_many_groups_as_there_are():
    times = draws(7, 200, seed=0)
    assert times.shape == (200, 7)
    assert (times.sum(1) == 7).all()
    assert times.mean() == 1
    np.testing.assert_array_equal(times, draws(7, 200, seed=0))
    assert (times != draws(7, 200, seed=1)).any()


def test_an_interval_is_students_t_over_groups_on_the_scale_of_odds():
    sample = people(12, each=2)
    result = described(sample, resamples=500, seed=3)
    value, resampled = figures(sample)["auc"][0], figures(sample, draws(12, 500, 3))["auc"]
    reach = student.ppf(0.975, 11) * resampled.std(ddof=1) * np.sqrt(12 / 11) / (value * (1 - value))
    odds = np.log(value / (1 - value))
    assert result["auc"] == value
    assert result["auc_low"] == pytest.approx(1 / (1 + np.exp(reach - odds)))
    assert result["auc_high"] == pytest.approx(1 / (1 + np.exp(-reach - odds)))


def test_every_figure_has_an_interval_around_it_but_for_the_biased_ones():
    result = described(people(60, each=2), resamples=200, seed=0)
    names = {*figures(people(2)), "min_cllr"}
    ends = {f"{name}_{end}" for name in names - set(BIASED) for end in ("low", "high")}
    assert set(result) == names | ends | {"undefined", "doubtful"}
    for name in names - set(BIASED) - {"tpr_at_fpr_1"}:
        assert result[f"{name}_low"] < result[name] < result[f"{name}_high"], name
    assert result["undefined"] == {"tpr_at_fpr_1_low": "it stands on 1 false alarms: 5 are needed for an interval"}


@pytest.mark.parametrize("groups", [5, 20])
def test_a_test_without_any_error_is_not_taken_for_certain(groups):
    result = described(people(groups, score=[0.1, 0.9] * groups), resamples=200, seed=0)
    lowest = 0.025 ** (1 / groups)  # Clopper and Pearson, of as many right ones as there are people
    for name in ("auc", "ap", "accuracy", "recall", "precision"):
        assert (result[name], result[f"{name}_low"], result[f"{name}_high"]) == (1, pytest.approx(lowest), 1), name
    assert (result["false_positive_rate"], result["false_positive_rate_low"]) == (0, 0)
    assert result["false_positive_rate_high"] == pytest.approx(1 - lowest)
    assert (result["mcc"], result["mcc_low"]) == (1, pytest.approx(2 * lowest - 1))


def test_people_who_do_not_differ_make_nothing_certain():
    first = described(people(2, score=[0.1, 0.9, 0.2, 0.2]), resamples=200, seed=0)
    alike = people(2, score=[0.1, 0.9, 0.9, 0.1] * 1)  # one person right, one wrong, in each class: .25 of the pairs
    assert first["auc_low"] < first["auc"] < first["auc_high"]
    twice = Sample(
        np.array([0, 1, 0, 1] * 2),
        np.array([0.1, 0.9, 0.9, 0.1] * 2),
        np.array([False, True, True, False] * 2),
        np.repeat([0, 1], 4),
        2,
    )  # both people alike: half right, in every resample
    second = described(twice, resamples=200, seed=0)
    assert (second["accuracy"], second["auc"]) == (0.5, 0.5)
    for name in ("accuracy", "auc", "mcc"):
        assert second[f"{name}_low"] < second[name] - 0.3 < second[name] + 0.3 < second[f"{name}_high"], name
    assert described(alike, resamples=200, seed=0)["auc_low"] < 0.1
    better = Sample(twice.label, np.array([0.1, 0.9, 0.2, 0.3] * 2), twice.called, twice.group, 2)
    gap = difference([twice], [better], "auc", 200, 0)
    assert not gap.beyond_noise
    assert (gap.low, gap.high) == (pytest.approx(-0.342, abs=0.2), 1.0)


def test_videos_of_one_person_stand_and_fall_together():
    few = people(10)
    order = np.tile(np.arange(20), 5)  # five times the videos, not the people
    many = Sample(few.label[order], few.score[order], few.called[order], few.group[order], 10)
    first, second = (described(sample, resamples=300, seed=0) for sample in (few, many))
    for name in ("auc_low", "auc_high", "accuracy_low", "brier_high", "cllr_low"):
        assert first[name] == pytest.approx(second[name]), name


def test_one_person_has_no_interval_and_it_says_so():
    result = described(people(1, each=5), resamples=200, seed=0)
    assert result["auc"] is not None
    assert all(value is None for name, value in result.items() if name.endswith(("_low", "_high")))
    assert result["undefined"]["intervals"] == "a class of fewer than 2 groups of people"


def test_a_figure_of_one_class_has_an_interval_of_that_class_alone():
    reals = people(20)
    alone = Sample(*(column[::2] for column in (reals.label, reals.score, reals.called, reals.group)), 20)
    result = described(alone, resamples=200, seed=0)
    for name in ("false_positive_rate", "accuracy", "brier", "log_loss"):
        assert result[f"{name}_low"] < result[name] < result[f"{name}_high"], name
    assert result["auc_low"] is result["recall_low"] is None


@pytest.mark.parametrize(
    ("label", "score", "name", "reason"),
    [
        ([], [], "auc", "nothing was scored"),
        ([], [], "accuracy", "nothing was scored"),
        ([0, 0], [0.1, 0.9], "auc", "no fake was scored"),
        ([1, 1], [0.1, 0.9], "false_positive_rate", "no real was scored"),
        ([0, 1], [0.1, 0.2], "precision", "the verdict is the same for all"),
        ([0, 1], [0.1, 0.2], "mcc", "the verdict is the same for all"),
        ([0, 1] * 19, [0.1, 0.2] * 19, "tpr_at_fpr_5", "19 reals: fewer than 20 cannot show such a rate"),
        ([0, 1], [0.1, 0.2], "tpr_at_fpr_1", "1 reals: fewer than 100 cannot show such a rate"),
    ],
)
def test_what_is_undefined_is_none_and_says_why(label, score, name, reason):
    score = np.array(score, float)
    sample = Sample(np.array(label, int), score, score >= 0.5, np.arange(len(label)), len(label))
    result = described(sample, resamples=100, seed=0)
    assert result[name] is None
    assert result["undefined"][name].startswith(reason)
    for key, value in result.items():
        if value is None and not key.endswith(("_low", "_high")):
            assert result["undefined"][key], key


def test_an_interval_of_decisions_stands_on_those_who_got_a_verdict():
    every = people(20)
    silent = every.group >= 12
    called = np.where(silent, ABSTAINED, every.called)
    result = described(Sample(every.label, every.score, called, every.group, 20), resamples=300, seed=0)
    answered = Sample(*(column[~silent] for column in (every.label, every.score, every.called, every.group)), 12)
    assert result["recall"] == described(answered, resamples=300, seed=0)["recall"]
    assert result["auc"] == described(every, resamples=300, seed=0)["auc"]
    sample = Sample(every.label, every.score, called, every.group, 20)
    assert [sample.people(name) for name in ("auc", "brier", "recall", "accuracy")] == [20, 20, 12, 12]


def test_where_nobody_of_a_class_got_a_verdict_it_says_so():
    every = people(10)
    for silent, reason in (
        (every.label >= 0, "no real and no fake got a verdict"),
        (every.label == 0, "no real got a verdict"),
    ):
        called = np.where(silent, ABSTAINED, every.called)
        result = described(Sample(every.label, every.score, called, every.group, 10), resamples=100, seed=0)
        assert result["balanced_accuracy"] is result["false_positive_rate"] is None
        assert result["undefined"]["balanced_accuracy"] == result["undefined"]["false_positive_rate"] == reason
        assert result["auc_low"] < result["auc"] < result["auc_high"]
    one = np.where((every.label == 0) & (every.group > 0), ABSTAINED, every.called)
    result = described(Sample(every.label, every.score, one, every.group, 10), resamples=100, seed=0)
    assert result["false_positive_rate"] is not None
    assert result["undefined"]["false_positive_rate_low"] == (
        "a class of fewer than 2 groups of people that got a verdict"
    )


# ---- differences


def test_the_same_detector_is_no_better_than_itself():
    sample = people(20)
    gap = difference([sample], [sample], "auc", 200, 0)
    assert (gap.value, gap.low, gap.high, gap.beyond_noise) == (0, 0, 0, False)


def test_a_difference_draws_the_same_people_for_both():
    rng = np.random.default_rng(0)
    sample = people(60, gap=1.0)
    better = people(60, score=np.clip(sample.score + 0.03 * (sample.label - 0.5) + rng.normal(0, 0.001, 120), 0, 1))
    gap = difference([sample], [better], "auc", 500, 0)
    apart = described(sample, 500, 0)
    assert gap.value == pytest.approx(
        roc_auc_score(sample.label, better.score) - roc_auc_score(sample.label, sample.score)
    )
    assert gap.high - gap.low < 0.3 * (apart["auc_high"] - apart["auc_low"])  # what they share cancels
    assert gap.beyond_noise
    turned = difference([better], [sample], "auc", 500, 0)
    assert (turned.value, turned.low, turned.high) == pytest.approx((-gap.value, -gap.high, -gap.low))


def test_a_difference_of_means_is_between_means():
    samples = [people(20, seed=seed) for seed in range(3)]
    gap = difference(samples[:1], samples[1:], "brier", 100, 0)
    brier = [figures(sample)["brier"][0] for sample in samples]
    assert gap.value == pytest.approx(np.mean(brier[1:]) - brier[0])


def test_without_two_people_of_each_class_a_difference_has_no_interval():
    first, second = (people(1, each=4, seed=seed) for seed in (0, 1))
    gap = difference([first], [second], "auc", 100, 0)
    assert gap.value == pytest.approx(figures(second)["auc"][0] - figures(first)["auc"][0])
    assert (gap.low, gap.high, gap.beyond_noise) == (None, None, False)


def test_being_right_each_time_is_not_being_certain():
    guess, right = people(20, score=[0.5, 0.5] * 20), people(20, score=[0.1, 0.9] * 20)
    gap = difference([guess], [right], "auc", 100, 0)
    assert (gap.value, gap.low) == (0.5, pytest.approx(0.5 - (1 - 0.025 ** (1 / 20))))
    also = people(20, score=np.array([0.2, 0.8] * 20) + np.arange(40) / 1000)  # not in the same order
    both = difference([right], [also], "auc", 100, 0)
    assert both.low < both.value == 0 < both.high


def test_a_difference_does_not_jump_where_the_last_error_is_mended():
    rng = np.random.default_rng(0)
    guess = people(10, gap=0.8, each=2)
    right = np.where(guess.label, 0.6 + 0.3 * rng.random(40), 0.4 - 0.3 * rng.random(40))
    nearly = right.copy()
    nearly[guess.label.argmax()] = right[guess.label == 0].max() - 1e-9  # one of 400 pairs is the wrong way round
    before, after = (difference([guess], [people(10, each=2, score=score)], "auc", 500, 0) for score in (nearly, right))
    assert 0 < after.value - before.value < 0.003
    assert after.low == pytest.approx(before.low, abs=0.1)
    assert after.beyond_noise == before.beyond_noise


@pytest.mark.parametrize("groups", [5, 60])
def test_what_a_figure_cannot_tell_apart_does_not_differ_by_any_noise(groups):
    sample = people(groups, each=2)
    recalibrated = people(groups, each=2, score=0.5 + (sample.score - 0.5) * 0.9)  # same order, same verdicts
    for name in ("auc", "ap", "eer", "balanced_accuracy"):
        assert difference([sample], [recalibrated], name, 200, 0) == Difference(0.0, 0.0, 0.0), name
    brier = difference([sample], [recalibrated], "brier", 200, 0)
    assert brier.low < brier.value < brier.high
    twice = difference([sample, recalibrated], [recalibrated], "auc", 200, 0)
    assert twice == Difference(0.0, 0.0, 0.0)


def test_of_one_class_there_is_no_difference():
    reals = Sample(np.array([0, 0]), np.array([0.1, 0.2]), np.array([False, False]), np.arange(2), 2)
    assert difference([reals], [reals], "auc", 100, 0) == Difference(None)


@pytest.mark.parametrize("seed", range(3))
def test_delongs_test_is_that_of_its_definition(seed):
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.r_[np.zeros(15, int), np.ones(25, int)])
    both = [np.round(rng.normal(size=40) + gap * label, 1) for gap in (0.5, 1.0)]  # with ties
    fakes, reals = [], []
    for score in both:  # each fake against each real, as in the paper
        wins = (score[label == 1][:, None] > score[label == 0]) + 0.5 * (
            score[label == 1][:, None] == score[label == 0]
        )
        fakes.append(wins.mean(1))
        reals.append(wins.mean(0))
    contrast = np.array([-1, 1])
    variance = contrast @ (np.cov(fakes) / 25 + np.cov(reals) / 15) @ contrast
    gap = roc_auc_score(label, both[1]) - roc_auc_score(label, both[0])
    assert delong(label, *both) == pytest.approx((gap, 2 * norm.sf(abs(gap) / np.sqrt(variance))))


def test_delongs_test_of_equal_scores_says_nothing():
    score = np.array([0.1, 0.4, 0.3, 0.9])
    assert delong(np.array([0, 0, 1, 1]), score, score) == (0, 1)


def test_delong_and_the_bootstrap_agree_where_each_video_is_a_person():
    rng = np.random.default_rng(0)
    label = np.arange(400) % 2
    first, second = (norm.cdf(rng.normal(size=400) + gap * label) for gap in (0.8, 1.1))
    samples = [Sample(label, score, score >= 0.5, np.arange(400), 400) for score in (first, second)]
    result = difference(samples[:1], samples[1:], "auc", 2000, 0)
    gap, p = delong(label, first, second)
    z = norm.isf(p / 2)
    assert result.value == pytest.approx(gap)
    assert (result.high - result.low) / 2 == pytest.approx(1.97 * gap / z, rel=0.1)


# ---- calibration by chance


def test_even_a_perfect_calibration_shows_an_error_in_a_small_test():
    rng = np.random.default_rng(0)
    errors = {}
    for count in (20, 2000):
        seen = []
        for _ in range(30):
            score = rng.random(count)
            sample = Sample((rng.random(count) < score).astype(int), score, score >= 0.5, np.arange(count), count)
            seen.append(figures(sample)["ece"][0])
        errors[count] = np.mean(seen)
        assert by_chance(np.arange(count) % 2, score, seed=0) == pytest.approx(errors[count], rel=0.15)
    assert errors[20] > 4 * errors[2000]
    assert by_chance(np.array([], int), np.array([]), seed=0) is by_chance(np.array([1]), np.array([0.5]), 0) is None


def test_the_error_by_chance_is_that_of_the_tests_own_mix():
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], [140, 560])
    seen = []
    for _ in range(60):
        score = expit(2 * (rng.normal(size=700) + 2 * (label - 0.5)))  # perfectly calibrated at even odds
        seen.append(figures(Sample(label, score, score >= 0.5, np.arange(700), 700))["ece"][0])
    assert by_chance(label, score, seed=0) == pytest.approx(np.mean(seen), rel=0.15)


# ---- does it hold what it says?


@pytest.mark.parametrize(("groups", "names"), [(10, {"ap", "brier", "cllr", "log_loss"}), (30, {"ap"}), (100, set())])
def test_an_interval_that_holds_the_truth_too_rarely_says_so(groups, names):
    result = described(people(groups, each=2), resamples=100, seed=0)
    assert set(result["doubtful"]) == names
    assert all(f"of {groups} groups of people such intervals hold" in text for text in result["doubtful"].values())
    assert described(people(1, each=5), resamples=100, seed=0)["doubtful"] == {}  # which have none


def simulation():
    spec = importlib.util.spec_from_file_location("coverage", ROOT / "benchmarks/coverage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("groups", [10, 30])
def test_an_interval_holds_the_truth_nineteen_times_of_twenty(groups):
    held = simulation().coverage(groups, gap=2.0, sets=300, resamples=300)
    for name in ("auc", "accuracy", "balanced_accuracy", "f1", "mcc", "brier", "precision"):
        assert 0.92 <= held[name]["ours"] <= 0.99, name
    assert held["auc"]["percentiles"] < held["auc"]["ours"]  # which is why it is not by percentiles


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "gap"), [(10, 2.0), (10, 3.0), (30, 3.0), (30, 3.5)])
def test_a_difference_holds_the_truth_near_the_end_of_the_scale_too(groups, gap):
    people = simulation().people
    truth = [figures(people(100_000, own, np.random.default_rng(0)))["auc"][0] for own in (2.0, gap)]
    held = []
    for number in range(200):
        pair = [people(groups, own, np.random.default_rng([number, i])) for i, own in enumerate((2.0, gap))]
        result = difference(pair[:1], pair[1:], "auc", 200, number)
        held.append(result.low <= truth[1] - truth[0] <= result.high)
    assert np.mean(held) >= 0.91
