"""filter: blurred, small, lonely and implausible faces go; nothing else does."""

import pandas as pd
import pytest

from deepfake.filter import FilterParams, summary, with_reasons

P = FilterParams(min_sharpness=10, min_side=64, min_score=0.5, min_share=0.1, min_faces=1)
THREE = P.model_copy(update={"min_faces": 3})


def faces(**columns) -> pd.DataFrame:
    """A table of good faces, but for the columns given."""
    good = {"video_id": "v", "track": 0, "sharpness": 100.0, "width": 80, "height": 80}
    good |= {"score": 1.0, "recovered": False, "time": 0.0}
    length = max(len(column) for column in columns.values())
    return pd.DataFrame({name: [value] * length for name, value in good.items()} | columns)


def videos(**columns) -> pd.DataFrame:
    """A table of real videos, but for the columns given."""
    length = max(len(column) for column in columns.values())
    return pd.DataFrame({"label": [0] * length, "source": [""] * length} | columns)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"sharpness": [10.0]}, ""),  # a bound is inclusive
        ({"sharpness": [9.99]}, "blurred"),
        ({"width": [64], "height": [64]}, ""),
        ({"width": [63]}, "small"),
        ({"height": [63.999]}, "small"),
        ({"height": [63], "sharpness": [0.0]}, "small"),  # the later reason wins
    ],
)
def test_a_face_is_judged_by_blur_and_by_its_shorter_side(columns, reason):
    assert with_reasons(faces(**columns), P).reason.tolist() == [reason]


def test_a_track_with_too_few_good_faces_is_dropped_whole():
    judged = with_reasons(faces(sharpness=[100, 100, 5, 100, 100, 100], track=[0, 0, 0, 1, 1, 1]), THREE)
    assert judged.reason.tolist() == ["too few in track", "too few in track", "blurred", "", "", ""]


def test_tracks_of_the_same_number_in_two_videos_are_two():
    judged = with_reasons(faces(video_id=["a", "a", "b", "b", "b"]), THREE)
    assert judged.reason.tolist() == ["too few in track"] * 2 + [""] * 3


BAD = ["implausible track"]


@pytest.mark.parametrize(
    ("columns", "reasons"),
    [
        ({"score": [0.5, 0.5]}, [""] * 2),  # a bound is inclusive
        ({"score": [0.4, 0.4, 0.9]}, [""] * 3),  # of its mean
        ({"score": [0.4, 0.5]}, BAD * 2),
        ({"score": [0.4, 0.4], "sharpness": [0, 100]}, BAD * 2),  # whatever else is wrong with it
        ({"score": [None, 0.6, 0.2], "recovered": [True, False, False]}, BAD * 3),  # what was seen counts
        ({"track": [0] * 11 + [1]}, [""] * 11 + BAD),  # one sight beside eleven
        ({"track": [0] * 10 + [1]}, [""] * 11),
        ({"video_id": ["a"] * 11 + ["b"]}, [""] * 12),  # alone in its video
        ({"track": [0] * 11 + [1] * 3, "recovered": [False] * 12 + [True] * 2, "score": [1.0] * 12 + [None] * 2},
         [""] * 11 + BAD * 3),
        # two people beside a drawing that is shown longer than they are
        ({"track": [0] * 30 + [1] * 3 + [2] * 3, "score": [0.3] * 30 + [2.0] * 6}, BAD * 30 + [""] * 6),
    ],
)  # fmt: skip
def test_a_track_that_is_hardly_a_face_or_hardly_there_is_implausible(columns, reasons):
    assert with_reasons(faces(**columns), P).reason.tolist() == reasons


def test_the_evidence_of_a_track_is_what_was_seen_of_it():
    judged = with_reasons(
        faces(
            track=[0, 0, 0, 1],
            time=[2.0, 3.0, 4.5, 9.0],
            recovered=[False, True, False, False],
            score=[1.0, None, 2.0, 0.7],
        ),
        P,
    )
    assert judged["seen"].tolist() == [2, 2, 2, 1]
    assert judged["seconds"].tolist() == [2.5, 2.5, 2.5, 0.0]
    assert judged["track_score"].tolist() == [1.5, 1.5, 1.5, 0.7]


def test_no_face_is_lost_and_none_is_moved():
    given = faces(sharpness=[5.0, 100, 5, 100], track=[3, 1, 2, 0], video_id=list("dbca"))
    given.index = [9, 7, 9, 7]  # not even an index that repeats
    judged = with_reasons(given, P)
    pd.testing.assert_frame_equal(judged[given.columns], given)
    assert judged.reason.tolist() == ["blurred", "", "blurred", ""]


def test_the_summary_counts_drops_by_class():
    known = videos(video_id=["real", "fake", "lost"], label=[0, 1, 1])
    names = ["real"] * 4 + ["fake"] * 2 + ["lost"] * 2
    judged = with_reasons(faces(video_id=names, sharpness=[100, 100, 100, 5, 100, 5, 5, 5]), P)
    assert summary(judged, known) == {
        "faces": 8,
        "kept": 4,
        "dropped": {"real": {"all": 0.25, "blurred": 0.25}, "fake": {"all": 0.75, "blurred": 0.75}},
        "videos_without_faces_left": {"real": 0, "fake": 1},
        "pairs": {
            "count": 0,
            "dropped": {"original": None, "fake": None},
            "fake_loses_more": 0,
            "worst": None,
        },
    }


def test_a_fake_is_compared_with_its_own_original():
    names = ["a"] * 4 + ["b"] * 4 + ["ab"] * 4 + ["ba"] * 4 + ["lost"] * 4
    sharp = [100, 100, 100, 5] + [100] * 4 + [5, 5, 5, 100] + [100] * 4 + [5] * 4
    known = videos(
        video_id=["a", "b", "ab", "ba", "lost"], label=[0, 0, 1, 1, 1], source=["", "", "a", "b", "of no row"]
    )
    judged = with_reasons(faces(video_id=names, sharpness=sharp), P)
    assert summary(judged, known)["pairs"] == {
        "count": 2,
        "dropped": {"original": 0.125, "fake": 0.375},
        "fake_loses_more": 1,
        "worst": "ab",
    }


def test_the_drop_rate_of_a_class_without_faces_is_undefined():
    judged = with_reasons(faces(width=[80, 10]), P)
    assert summary(judged, videos(video_id=["v"]))["dropped"]["fake"] == {"all": None, "small": None}
