"""protocol: what is held out is in the test alone, and nobody is on two sides because of it."""

import pandas as pd
import pytest

from deepfake.base.errors import UserError
from deepfake.measures.protocol import APART, HeldOut, apart, summary


def dealt(**columns) -> pd.DataFrame:
    """In each split a real and two fakes of it, by swap and by blend; in train a third pair of another dataset."""
    rows = [
        (f"{split}{i}{method}", int(method != ""), method, dataset, f"{split}{i}", split, "ok")
        for split, i, dataset in [("train", 0, "a"), ("train", 1, "b"), ("val", 0, "a"), ("test", 0, "a")]
        for method in ("", "swap", "blend")
    ]
    names = ["video_id", "label", "method", "dataset", "group", "split", "status"]
    return pd.DataFrame(rows, columns=names).assign(**columns)


def test_nothing_is_held_out_by_default():
    pd.testing.assert_frame_equal(apart(dealt(), HeldOut()), dealt())


def test_a_held_out_method_is_in_the_test_alone():
    videos = apart(dealt(), HeldOut(methods=("blend",)))
    assert set(videos["split"][videos["method"] == "blend"]) == {"test", APART}
    assert (videos["split"] == APART).sum() == 3  # of those whose people are in train or validation
    others = videos["method"] != "blend"
    assert videos["split"][others].tolist() == dealt()["split"][others].tolist()
    assert summary(videos, HeldOut(methods=("blend",))) == {"tested": 1, "unused": 3}


def test_a_held_out_dataset_goes_to_the_test_with_all_who_share_a_person():
    table = dealt()
    table.loc[1, "group"] = "train1"  # of dataset a, but it shows somebody of b
    videos = apart(table, HeldOut(datasets=("b",)))
    assert set(videos["split"][videos["dataset"] == "b"]) == {"test"}
    assert videos["split"][1] == "test"
    assert videos.groupby("group")["split"].nunique().max() == 1
    assert APART not in set(videos["split"])


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"methods": ("blnd",)}, r"evaluate.held_out.methods: no method 'blnd'; there are: blend, swap"),
        ({"datasets": ("c",)}, r"evaluate.held_out.datasets: no dataset 'c'; there are: a, b"),
        ({"methods": ("blend", "swap")}, "leaves no fake in train, no fake in val"),
        ({"datasets": ("a", "b")}, "leaves no real in train, no fake in train, no real in val"),
    ],
)
def test_what_cannot_be_held_out_is_said(held, message):
    with pytest.raises(UserError, match=message):
        apart(dealt(), HeldOut(**held))


def test_a_method_that_no_test_video_shows_is_not_held_out_in_silence():
    table = dealt()
    with pytest.raises(UserError, match="no blend in test"):
        apart(table[(table["method"] != "blend") | (table["split"] != "test")], HeldOut(methods=("blend",)))


def test_a_held_out_video_is_neither_learnt_from_nor_tested_on():
    from deepfake import augment

    videos = apart(dealt(source="", label=[0, 1, 1] * 4), HeldOut(methods=("blend",)))
    kept = pd.DataFrame({"video_id": videos["video_id"], "track": 0, "position": 0, "reason": ""})
    fields = {name: 0 for name in augment.AugmentParams.model_fields if name != "forging"} | {"quality": 50}
    clips = augment.clips(videos, kept, augment.AugmentParams.model_validate(fields))
    unused = videos["video_id"][videos["split"] == APART]
    assert len(unused) == 3
    assert not set(unused) & set(clips["video_id"])
    assert len(clips) == len(videos) - 3
