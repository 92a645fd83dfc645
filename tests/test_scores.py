"""scores: a video's score is that of its tracks, put together by their evidence."""

import numpy as np
import pytest

from deepfake.scores import Scoring, TrackScore, together, verdict, wording

NINE = float(np.log(9))  # the logit of P = .9


def track(*logits: float, faces: int = 16) -> TrackScore:
    return TrackScore(logits, faces)


@pytest.mark.parametrize("tracks", ["evidence", "mean", "max"])
def test_the_score_of_one_track_is_that_of_its_mean_logit(tracks):
    scoring = Scoring(tracks=tracks)
    assert scoring.score([track(NINE + 1, NINE - 1)]) == pytest.approx(0.9)
    assert Scoring(tracks=tracks, slope=0.5, intercept=-NINE).score([track(2 * NINE)]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("tracks", "score"),
    [
        ("max", 0.9),
        ("mean", 0.5),
        ("evidence", (9 + 1 / 9) / (2 + 9 + 1 / 9)),  # the odds are the mean of 9 and 1/9
    ],
)
def test_two_faces_of_which_one_is_forged(tracks, score):
    assert Scoring(tracks=tracks).score([track(NINE), track(-NINE)]) == pytest.approx(score)


def test_a_glimpse_does_not_outvote_two_faces():
    faces = [track(np.log(4), faces=4), track(-np.log(4)), track(-np.log(4))]  # .8 in four frames; .2 and .2 in 16
    assert Scoring(tracks="max").score(faces) == pytest.approx(0.8)
    assert Scoring(tracks="evidence").score(faces) < 0.5
    assert Scoring(tracks="mean").score(faces) < 0.5


def test_one_forged_face_among_three_is_heard():
    faces = [track(4.0), track(-3.0), track(-3.0)]
    assert Scoring(tracks="evidence").score(faces) > 0.9
    assert Scoring(tracks="mean").score(faces) < 0.5


@pytest.mark.parametrize("how", ["evidence", "mean", "max"])
def test_many_videos_at_once_are_scored_as_one_by_one(how):
    rng = np.random.default_rng(0)
    videos = np.sort(rng.integers(0, 6, 20))
    videos = np.unique(videos, return_inverse=True)[1]
    logits, faces = rng.normal(0, 300, 20), rng.integers(1, 30, 20).astype(float)  # no overflow either
    whole = together(logits, faces, videos, how)
    assert np.isfinite(whole).all()
    for video in set(videos):
        of_it = [
            TrackScore((float(z),), int(n))
            for z, n in zip(logits[videos == video], faces[videos == video], strict=True)
        ]
        assert Scoring(tracks=how).log_odds(of_it) == pytest.approx(whole[video])


@pytest.mark.parametrize(("score", "word"), [(0.0, "real"), (0.499999, "real"), (0.5, "fake"), (1.0, "fake")])
def test_a_score_at_the_threshold_is_a_fake(score, word):
    assert verdict(score) == word


@pytest.mark.parametrize(
    ("auc", "fake", "real"), [(0.75, "suspicious", "nothing suspicious"), (0.95, "manipulated", "authentic")]
)
def test_the_words_are_no_surer_than_the_detector(auc, fake, real):
    assert wording("fake", auc) == fake
    assert wording("real", auc) == real
    assert wording("inconclusive", auc) == "inconclusive"


def test_near_even_odds_nothing_is_said():
    assert [verdict(score, 1.0) for score in (0.2, 0.3, 0.5, 0.7, 0.8)] == ["real", *["inconclusive"] * 3, "fake"]
