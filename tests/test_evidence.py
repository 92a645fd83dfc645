"""evidence: a ratio is that of the odds, its words are those of the guideline."""

import numpy as np
import pytest

from deepfake.measures.evidence import log10_ratio, misleading, reliability, tippett, verbal


def test_a_ratio_is_the_odds_and_none_is_beyond_a_million():
    ratios = log10_ratio(np.array([0.5, 10 / 11, 1 / 101, 0.0, 1.0]))
    assert ratios == pytest.approx([0, 1, -2, -6, 6], abs=1e-6)


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1, "no support for either"),
        (1.9, "no support for either"),
        (2, "weak support for fake"),
        (1 / 2, "weak support for real"),
        (9.9, "weak support for fake"),
        (10, "moderate support for fake"),
        (1 / 99, "moderate support for real"),
        (100, "moderately strong support for fake"),
        (1 / 1000, "strong support for real"),
        (10_000, "very strong support for fake"),
    ],
)
def test_a_ratio_has_the_words_of_the_guideline(ratio, words):
    assert verbal(ratio / (1 + ratio)) == words


def test_the_curves_of_tippett_are_shares_of_higher_ratios():
    label, score = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.5, 0.5, 0.9, 0.9])
    curves = tippett(label, score)
    assert curves["log10_lr"].tolist() == pytest.approx([np.log10(1 / 9), 0, np.log10(9)])
    assert curves["fakes"].tolist() == pytest.approx([1, 1, 2 / 3])
    assert curves["reals"].tolist() == pytest.approx([1, 1 / 2, 0])
    assert tippett(label[:2], score[:2])["fakes"].isna().all()


def test_evidence_that_misleads_is_counted():
    label = np.array([0, 0, 0, 1, 1])
    assert misleading(label, np.array([0.1, 0.9, 0.5, 0.4, 0.9])) == {"reals": pytest.approx(1 / 3), "fakes": 0.5}
    assert misleading(label[:3], np.array([0.1, 0.2, 0.3]))["fakes"] is None


def test_a_bin_of_the_reliability_has_as_many_videos_as_another():
    score = np.linspace(0, 1, 40)
    bins = reliability((score > 0.5).astype(int), score, 4)
    assert bins["videos"].tolist() == [10] * 4
    assert bins["fakes"].tolist() == [0, 0, 1, 1]
    assert bins["score"].tolist() == pytest.approx([score[i : i + 10].mean() for i in (0, 10, 20, 30)])
    many = reliability(np.repeat([0, 1], [20, 180]), np.r_[score[::2], np.linspace(0, 1, 180)], 10)
    assert len(many) == 4  # so that ten of the rarer class alone would fill one
    assert many["videos"].min() >= 10
    tied = reliability(np.arange(100) % 2, np.full(100, 0.5), 10)
    assert tied.to_dict("list") == {"score": [0.5], "fakes": [0.5], "videos": [100]}
    weighed = reliability(np.array([0, 1, 1, 1]), np.array([0.2, 0.4, 0.4, 0.4]), 1)
    assert weighed.iloc[0].tolist() == pytest.approx([0.3, 0.5, 4])
    assert len(reliability(np.array([1]), np.array([0.3]), 10)) == 1
    assert reliability(np.array([], int), np.array([]), 10).empty
