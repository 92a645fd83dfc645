"""scoring: one path for evaluate and predict, one track in memory at a time."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from deepfake.clips import interleaved
from deepfake.measures import scoring
from deepfake.measures.orders import as_filmed, backwards, disturbances
from deepfake.scores import TrackScore


class Detector:
    """Its logit is the brightness of a sequence's first frame less that of the last; two frames make a sequence."""

    members = (SimpleNamespace(settings={"frames": 2, "sampling": "spread"}),)

    def track(self, faces, order=None):
        sequences = [(order or as_filmed)(frames) for frames in interleaved(len(faces), 2)]
        return TrackScore(tuple(float(faces[i[0]].mean()) - float(faces[i[-1]].mean()) for i in sequences), len(faces))

    def score(self, tracks):
        return max(1 / (1 + np.exp(-track.logit)) for track in tracks)

    def novelty(self, tracks):
        return None

    def drawn(self, tracks):
        return None

    def verdict(self, score):
        return "fake" if score >= 0.5 else "real"


def track(*greys: int) -> np.ndarray:
    return np.stack([np.full((4, 4, 3), grey, np.uint8) for grey in greys])


def test_each_track_has_its_logits_in_every_order():
    films = [(0, track(9, 7)), (4, track(1, 1, 2, 3))]
    scores = scoring.scores(Detector(), films, {"logit": as_filmed, "back": backwards})
    assert {name: {at: score.logits for at, score in tracks.items()} for name, tracks in scores.items()} == {
        "logit": {0: (2.0,), 4: (-1.0, -2.0)},
        "back": {0: (-2.0,), 4: (1.0, 2.0)},
    }
    assert list(scoring.scores(Detector(), films)) == ["logit"]


def test_a_track_is_let_go_before_the_next_one_is_read():
    alive: list[weakref.ref[np.ndarray]] = []

    def tracks():
        for number in range(4):
            gc.collect()
            assert sum(ref() is not None for ref in alive) <= 1  # the last one: the loop still has its name
            images = track(number, 2 * number)
            alive.append(weakref.ref(images))
            yield number, images
            del images

    assert len(scoring.scores(Detector(), tracks())["logit"]) == 4


def test_a_judgement_is_of_the_score_as_it_is_written():
    judgement = scoring.judged(Detector(), [TrackScore((-1e-9,), 3), TrackScore((-5.0,), 3)])
    assert (judgement.score, judgement.verdict) == (0.5, "fake")  # .49999999975, rounded
    assert scoring.judged(Detector(), [TrackScore((-0.1,), 1)]) == scoring.Judgement(0.475021, "real")


def test_a_sequence_has_its_own_score_its_times_and_how_far_an_order_moves_it():
    faces, orders = track(5, 3, 1, 2), {"logit": as_filmed} | disturbances(0, 3)
    scores = scoring.scores(Detector(), [(7, faces)], orders)
    rows = pd.DataFrame(scoring.sequences(Detector(), scores, {7: [0.0, 0.1, 0.2, 0.3]}))
    assert rows["logit"].tolist() == [4.0, 1.0]
    assert rows[["track", "sequence", "first", "last"]].to_numpy().tolist() == [[7, 0, 0.0, 0.2], [7, 1, 0.1, 0.3]]
    assert rows["score"].tolist() == [0.982014, 0.731059]
    assert rows["verdict"].tolist() == ["fake", "fake"]
    assert rows["moved_reversed"].tolist() == [8.0, 2.0]
    assert rows["moved_repeated"].tolist() == [4.0, 1.0]
    shuffles = [[abs(scores[f"shuffled_{i}"][7].logits[j] - [4.0, 1.0][j]) for i in range(3)] for j in (0, 1)]
    assert rows["moved_shuffled"].tolist() == pytest.approx(np.mean(shuffles, axis=1))


def test_a_track_is_judged_by_all_its_sequences():
    parts = pd.DataFrame({"video_id": ["b", "b", "a"], "track": [0, 0, 3], "logit": [-3.0, 1.0, 2.0]})
    table = scoring.tracks(Detector(), parts)
    assert table.to_dict("list") == {
        "video_id": ["b", "a"],
        "track": [0, 3],
        "score": [0.268941, 0.880797],
        "verdict": ["real", "fake"],
    }


@pytest.mark.parametrize(
    ("sampling", "expected"), [("spread", [(0.0, 0.2), (0.1, 0.3)]), ("contiguous", [(0.0, 0.1), (0.2, 0.3)])]
)
def test_a_sequence_spans_its_own_frames(sampling, expected):
    detector = Detector()
    detector.members = (SimpleNamespace(settings={"frames": 2, "sampling": sampling}),)
    assert scoring.spans(detector, [0.0, 0.1, 0.2, 0.3], TrackScore((1.0, 2.0), 4)) == expected
    assert scoring.spans(detector, [0.0, 0.1, 0.2, 0.3], TrackScore((1.0,), 4)) == [(0.0, 0.3)]  # of an ensemble
