"""calibrate: P(fake) means what it says, .5 is the threshold, and a detector that learnt nothing is called so."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import expit, logit

from deepfake.calibrate import CalibrateParams, Logits, few, fit, fitted
from deepfake.scores import Scoring, TrackScore, verdict

P = CalibrateParams(**yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())["calibrate"])


def videos(labels, logits, *, tracks: int = 1, faces: object = 16) -> pd.DataFrame:
    """A row a track; two videos, a real and a fake, of each person."""
    rows = [
        {"video_id": f"v{i:04d}", "label": label, "group": f"g{i // 2}", "track": track, "sequence": 0}
        for i, label in enumerate(labels)
        for track in range(tracks)
    ]
    return pd.DataFrame(rows).assign(logit=np.ravel(logits), faces=faces, member=0)


def sample(count: int, slope: float, intercept: float, seed: int = 0) -> pd.DataFrame:
    """Videos whose true log odds are slope * logit + intercept, as many real as fake."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    odds = rng.normal(np.where(labels == 1, 1.0, -1.0), np.sqrt(2))  # of these normals, the log ratio of densities
    return videos(labels, (odds - intercept) / slope)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.4, 0.0), (0.5, -3.0), (3.0, 1.0)])
def test_the_calibrator_finds_the_true_odds(slope, intercept):
    scoring, figures = fit(sample(4000, slope, intercept), P)
    assert scoring.slope == pytest.approx(slope, rel=0.1)
    assert scoring.intercept == pytest.approx(intercept, abs=0.15)
    assert figures["calibrator"] == ("platt" if intercept else figures["calibrator"])
    assert figures["loss"] <= figures["loss_uncalibrated"] + 1e-3
    assert figures["untrained"] == ""


def test_a_temperature_alone_moves_no_threshold():
    scoring = fit(sample(400, 0.5, -3.0), P.model_copy(update={"calibrator": "temperature"}))[0]
    assert scoring.intercept == 0.0
    assert fit(sample(400, 0.5, -3.0), P.model_copy(update={"calibrator": "none"}))[0] == Scoring(tracks="evidence")


def test_half_is_where_real_and_fake_are_equally_likely_though_fakes_are_many():
    table = sample(4000, 1.0, 0.0)
    rare = table["label"].eq(1) | (np.arange(len(table)) % 10 < 2)  # a fifth of the reals
    scoring = fit(table[rare], P)[0]
    assert scoring.score([TrackScore((0.0,), 1)]) == pytest.approx(0.5, abs=0.05)


def test_what_is_told_apart_perfectly_is_not_certain():
    labels = np.arange(40) % 2
    scoring = fit(videos(labels, np.where(labels, 5.0, -5.0)), P)[0]
    assert 0.9 < scoring.score([TrackScore((5.0,), 1)]) < 0.99


def test_members_are_averaged_by_track():
    table = sample(200, 1.0, 0.0)
    both = pd.concat([table.assign(logit=table["logit"] + 1), table.assign(logit=table["logit"] - 1, member=1)])
    assert fit(both, P) == fit(table, P)


def test_how_tracks_are_put_together_is_chosen_on_validation():
    rng = np.random.default_rng(1)
    labels = np.arange(600) % 2
    forged = rng.integers(0, 3, 600)  # which of three faces a fake has forged
    means = np.where((labels[:, None] == 1) & (np.arange(3) == forged[:, None]), 3.0, -3.0)
    logits = rng.normal(means, 1.5)
    assert fit(videos(labels, logits, tracks=3), P)[1]["tracks"] in ("evidence", "max")
    everywhere = rng.normal(np.where(labels == 1, 0.5, -0.5)[:, None], 2.0, (600, 3))
    assert fit(videos(labels, everywhere, tracks=3), P)[1]["tracks"] == "mean"


def test_where_videos_have_one_face_the_evidence_counts():
    assert fit(sample(60, 1.0, 0.0), P)[0].tracks == "evidence"


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_detector_that_learnt_nothing_is_called_untrained(seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(60) % 2
    figures = fit(videos(labels, rng.normal(0, 0.002, 60) - 0.03), P)[1]
    assert figures["auc_low"] < 0.5
    assert "not above .5" in figures["untrained"]
    worse = fit(videos(labels, np.where(labels, -1.0, 1.0) + rng.normal(0, 0.5, 60)), P)[1]
    assert worse["auc_high"] < 0.5
    assert "not above .5" in worse["untrained"]


def test_too_few_people_are_warned_of():
    labels = np.arange(12) % 2
    figures = fit(videos(labels, labels - 0.5), P)[1]
    assert figures["groups"] == 6
    assert "6 groups of people in one class, fewer than 10" in few(figures, P)
    assert few(figures | {"groups": 10}, P) == ""


def test_one_group_is_calibrated_all_the_same():
    figures = fit(videos([0, 1], [-1.0, 1.0]), P)[1]
    assert (figures["auc"], figures["auc_low"], figures["untrained"]) == (1.0, None, "")


def test_the_calibrator_is_that_of_a_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    table = sample(1000, 0.7, 0.5)
    reference = LogisticRegression(C=1e9).fit(table[["logit"]], table["label"])
    logits = Logits(table)
    scoring = fitted(logits, np.ones(1000, bool), "max", "platt")
    assert scoring.slope == pytest.approx(reference.coef_[0, 0], rel=0.02)
    assert scoring.intercept == pytest.approx(reference.intercept_[0], abs=0.02)
    assert logit(expit(logits.log_odds(scoring))) == pytest.approx(logits.log_odds(scoring))


def test_nothing_is_said_of_the_share_of_videos_nearest_to_even_odds():
    table = sample(2000, 1.0, 0.0)
    scoring, figures = fit(table, P.model_copy(update={"abstain": 0.25}))
    scores = [scoring.score([TrackScore((logit,), 1)]) for logit in table["logit"]]
    verdicts = pd.Series([verdict(score, scoring.doubt) for score in scores])
    assert verdicts.eq("inconclusive").mean() == pytest.approx(0.25, abs=0.01)
    right = (verdicts == "fake") == table["label"].eq(1)
    assert right[verdicts != "inconclusive"].mean() > right.mean() + 0.02
    assert list(figures["selective_accuracy"]) == ["1.0", "0.75", "0.5", "0.25"]
    assert list(figures["selective_accuracy"].values()) == sorted(figures["selective_accuracy"].values())
