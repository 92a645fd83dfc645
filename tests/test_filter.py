"""filter: blurred, small and lonely faces go; nothing else does."""

import pandas as pd
import pytest

from deepfake.filter import FilterParams, judge, summary

P = FilterParams(min_sharpness=10, min_side=64, min_faces=1)
THREE = P.model_copy(update={"min_faces": 3})


def faces(**columns) -> pd.DataFrame:
    """A table of good faces, but for the columns given."""
    good = {"video_id": "v", "track": 0, "sharpness": 100.0, "width": 80, "height": 80}
    length = max(len(column) for column in columns.values())
    return pd.DataFrame({name: [value] * length for name, value in good.items()} | columns)


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
    assert judge(faces(**columns), P).reason.tolist() == [reason]


def test_a_track_with_too_few_good_faces_is_dropped_whole():
    judged = judge(faces(sharpness=[100, 100, 5, 100, 100, 100], track=[0, 0, 0, 1, 1, 1]), THREE)
    assert judged.reason.tolist() == ["too few in track", "too few in track", "blurred", "", "", ""]


def test_tracks_of_the_same_number_in_two_videos_are_two():
    judged = judge(faces(video_id=["a", "a", "b", "b", "b"]), THREE)
    assert judged.reason.tolist() == ["too few in track"] * 2 + [""] * 3


def test_no_face_is_lost_and_none_is_moved():
    given = faces(sharpness=[5.0, 100, 5, 100], track=[3, 1, 2, 0], video_id=list("dbca"))
    given.index = [9, 7, 9, 7]  # not even an index that repeats
    judged = judge(given, P)
    pd.testing.assert_frame_equal(judged.drop(columns="reason"), given)
    assert judged.reason.tolist() == ["blurred", "", "blurred", ""]


def test_the_summary_counts_drops_by_class():
    labels = pd.Series({"real": 0, "fake": 1, "lost": 1})
    names = ["real"] * 4 + ["fake"] * 2 + ["lost"] * 2
    judged = judge(faces(video_id=names, sharpness=[100, 100, 100, 5, 100, 5, 5, 5]), P)
    assert summary(judged, labels) == {
        "faces": 8,
        "kept": 4,
        "dropped": {"real": {"all": 0.25, "blurred": 0.25}, "fake": {"all": 0.75, "blurred": 0.75}},
        "videos_without_faces_left": {"real": 0, "fake": 1},
    }


def test_the_drop_rate_of_a_class_without_faces_is_undefined():
    judged = judge(faces(width=[80, 10]), P)
    assert summary(judged, pd.Series({"v": 0}))["dropped"]["fake"] == {"all": None, "small": None}
