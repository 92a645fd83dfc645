"""augment: one draw for all frames of a clip, the same for the same seed; only clips of train are altered."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfake import augment, video
from deepfake.augment import AugmentParams, altered
from deepfake.base.items import Item

pytestmark = pytest.mark.usefixtures("untouched_rng")

NOTHING = AugmentParams(
    copies=2, rotation=0, shift=0, scale=0, flip=0, brightness=0, contrast=0, blur=0, noise=0, quality=100,
    probability=0, self_blend=0, seed=0,
)  # fmt: skip
EVERYTHING = AugmentParams(
    copies=2, rotation=30, shift=0.2, scale=0.3, flip=0.5, brightness=0.3, contrast=0.3, blur=2, noise=0.1, quality=30,
    probability=1, self_blend=0, seed=0,
)  # fmt: skip


def only(**amounts) -> AugmentParams:
    """Params that alter nothing, but for these."""
    return NOTHING.model_copy(update={"probability": 1.0} | amounts)


def test_amounts_of_zero_change_nothing(noise):
    np.testing.assert_array_equal(altered(noise, NOTHING, seed=7), noise)


ONE_BY_ONE = [
    {"rotation": 30}, {"shift": 0.3}, {"scale": 0.5}, {"flip": 1}, {"brightness": 0.5}, {"contrast": 0.5}, {"blur": 3},
    {"noise": 0.2}, {"quality": 10},
]  # fmt: skip


@pytest.mark.parametrize("amounts", ONE_BY_ONE, ids=str)
def test_each_amount_alters_the_clip_and_all_its_frames_alike(heads, amounts):
    frames = np.repeat(heads[0][:1], 6, 0)
    changed = altered(frames, only(**amounts), seed=3)
    assert (changed[0] != frames[0]).any()
    assert (changed == changed[0]).all()  # to the last pixel of noise


@pytest.mark.parametrize("seed", range(8))
def test_frames_that_are_equal_stay_equal_under_everything_at_once(heads, seed):
    frames = np.repeat(heads[0][:1], 4, 0)
    changed = altered(frames, EVERYTHING, seed)
    assert (changed == changed[0]).all()
    assert (changed.shape, changed.dtype) == (frames.shape, np.uint8)


def test_a_flip_mirrors_left_and_right(heads):
    np.testing.assert_array_equal(altered(heads[0], only(flip=1, probability=0), seed=0), heads[0][:, :, ::-1])


def test_the_same_seed_alters_the_same_and_another_otherwise(heads):
    first, again, other = (altered(heads[0][:3], EVERYTHING, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("seed", range(5))
def test_edges_are_replicated(seed):
    white = np.full((2, 64, 64, 3), 255, np.uint8)
    assert (altered(white, only(rotation=180, shift=0.9, scale=0.9, probability=0), seed) == 255).all()


def test_amounts_are_drawn_to_both_sides():
    grey = np.full((1, 32, 32, 3), 128, np.uint8)
    means = [altered(grey, only(brightness=0.3), seed).mean() for seed in range(30)]
    assert 128 - 0.31 * 255 < min(means) < 100
    assert 156 < max(means) < 128 + 0.31 * 255


# ---- which clips there are


def tables(**columns) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The splits of three videos, one in each split, and their kept faces: two tracks of two faces each."""
    splits = pd.DataFrame(
        {"video_id": list("abc"), "label": [0, 1, 0], "group": list("xyz"), "source": "", "status": "ok"}
    )
    splits = splits.assign(split=["train", "val", "test"], **columns)
    faces = [(name, track, position) for name in "abc" for track in (0, 1) for position in (0, 1)]
    return splits, pd.DataFrame(faces, columns=["video_id", "track", "position"]).assign(reason="")


def test_only_tracks_of_train_are_copied():
    table = augment.clips(*tables(), NOTHING)
    files = table[["file", "split", "copy"]].to_records(index=False).tolist()
    assert files == [
        ("faces/a/0.mkv", "train", 0), ("clips/a/0_1.mkv", "train", 1), ("clips/a/0_2.mkv", "train", 2),
        ("faces/a/1.mkv", "train", 0), ("clips/a/1_1.mkv", "train", 1), ("clips/a/1_2.mkv", "train", 2),
        ("faces/b/0.mkv", "val", 0), ("faces/b/1.mkv", "val", 0),
        ("faces/c/0.mkv", "test", 0), ("faces/c/1.mkv", "test", 0),
    ]  # fmt: skip
    assert dict(zip(table["group"], table["label"], strict=True)) == {"x": 0, "y": 1, "z": 0}


def test_zero_copies_are_no_copies():
    table = augment.clips(*tables(), NOTHING.model_copy(update={"copies": 0}))
    assert table["copy"].tolist() == [0] * 6
    assert augment.todo(table, "faces") == []


def test_dropped_faces_are_not_in_the_clip(tmp_path):
    splits, kept = tables()
    kept.loc[[0, 2, 3], "reason"] = ["blurred", "small", "small"]  # of video a: one face of track 0, all of track 1
    table = augment.clips(splits, kept.sample(frac=1, random_state=0), NOTHING)
    of_a = table[table["video_id"] == "a"].set_index("file")["positions"].to_dict()
    assert of_a == {"faces/a/0.mkv": [1], "clips/a/0_1.mkv": [0], "clips/a/0_2.mkv": [0]}
    item = augment.todo(table, tmp_path)[0]
    assert (item.name, item.inputs, item.args["positions"]) == ("a/0_1.mkv", (tmp_path / "a/0.mkv",), [1])


def test_videos_that_gave_nothing_have_no_clips():
    table = augment.clips(*tables(status=["truncated", "too_few_faces", "ok"]), NOTHING)
    assert sorted(set(table["video_id"])) == ["a", "c"]


def test_the_summary_counts_clips_and_frames():
    summary = augment.summary(augment.clips(*tables(), NOTHING))
    assert summary["train"] == {
        "real": {"clips": 2, "altered": 4, "frames": 12},
        "fake": {"clips": 0, "altered": 0, "frames": 0},
    }
    assert summary["val"]["fake"] == {"clips": 2, "altered": 0, "frames": 4}


# ---- what is written


def track(path, images):
    """A stored track."""
    with video.recording(path) as record:
        for i, image in enumerate(images):
            record(image, 10 + i / 5)
    return path


def altered_copy(path, folder, p=EVERYTHING, seed=5, positions=(0, 2, 3)):
    """An altered copy of the track."""
    folder.mkdir()
    augment.work(Item("a/0_1.mkv", (path,), {"positions": list(positions), "seed": seed}), folder, p)
    return folder / augment.CLIP


def test_a_copy_holds_the_kept_frames_on_their_own_clock(tmp_path, heads):
    path = track(tmp_path / "0.mkv", heads[0][:5])
    clip = altered_copy(path, tmp_path / "same", p=NOTHING)
    np.testing.assert_array_equal(video.images(clip), heads[0][[0, 2, 3]])
    assert [frame.time for frame in video.read(clip)] == pytest.approx([10, 10.4, 10.6])


def test_a_copy_is_the_same_to_the_byte_for_the_same_seed(tmp_path, heads):
    path = track(tmp_path / "0.mkv", heads[0][:5])
    first, again = altered_copy(path, tmp_path / "1"), altered_copy(path, tmp_path / "2")
    copy = altered_copy(path, tmp_path / "3", seed=6)  # another copy of the clip
    other = altered_copy(path, tmp_path / "4", p=EVERYTHING.model_copy(update={"seed": 1}))
    assert first.read_bytes() == again.read_bytes()
    assert len({clip.read_bytes() for clip in (first, copy, other)}) == 3


def test_each_copy_has_a_seed_of_its_own_and_a_fakes_is_its_reals():
    clips = augment.clips(*tables(), NOTHING)
    seeds = {item.name: item.args["seed"] for item in augment.todo(clips, Path("faces"))}
    altered = clips[clips["copy"] > 0]
    assert len(seeds) == len(altered) == 4
    by_draw = altered.assign(seed=[seeds[file.removeprefix("clips/")] for file in altered["file"]]).groupby("seed")
    assert (by_draw[["source", "copy"]].nunique() == 1).all(axis=None)  # what a pair shares tells it apart by nothing
    assert len(by_draw) == len(altered.drop_duplicates(["source", "copy"]))
