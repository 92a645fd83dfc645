"""plots: contact sheets are as large as their tiles, and show the labels."""

import cv2
import numpy as np
import pandas as pd
import pytest

from deepfake import video
from deepfake.pages import plots
from deepfake.pages.plots import COLORS, FRAME, TILE


@pytest.mark.parametrize(
    ("count", "most", "indices"),
    [(0, 3, []), (1, 3, [0]), (3, 3, [0, 1, 2]), (9, 3, [0, 4, 8]), (5, 1, [0]), (10, 4, [0, 3, 6, 9])],
)
def test_indices_are_spread_first_to_last(count, most, indices):
    assert plots.spread(count, most) == indices


@pytest.mark.parametrize(("label", "name"), [(0, "real"), (1, "fake")])
def test_a_tile_has_a_bar_in_the_color_of_its_label(heads, label, name):
    tile = plots.tile(heads[0][0], label)
    assert tile.shape == (TILE, TILE, 3)
    assert (tile[-4:] == COLORS[name]).all()


def test_a_tile_keeps_the_shape_of_its_image():
    tile = plots.tile(np.zeros((100, 200, 3), np.uint8), 0)
    assert (tile[: TILE // 2] == 0).all()
    assert (tile[TILE // 2 : -4] == 255).all()


def test_short_rows_of_a_sheet_are_filled_up_with_white(heads):
    tile = plots.tile(heads[0][0], 0)
    sheet = plots.sheet([[tile] * 3, [tile]])
    assert sheet.shape == (2 * TILE, 3 * TILE, 3)
    assert (sheet[TILE:, TILE:] == 255).all()


def test_a_saved_image_has_its_colors(tmp_path, heads):
    plots.save(tmp_path / "deep" / "a.png", heads[0][0])
    read = cv2.imread(str(tmp_path / "deep" / "a.png"))
    np.testing.assert_array_equal(read[..., ::-1], heads[0][0])


def shard(path, images):
    path.parent.mkdir(parents=True, exist_ok=True)
    with video.recording(path) as record:
        for i, image in enumerate(images):
            record(image, i / 25)


@pytest.mark.parametrize(
    ("reals", "fakes", "size"),
    [(1, 1, (2, 1)), (13, 2, (3, 12)), (0, 3, (1, 3)), (60, 0, (4, 12))],  # 12 a row, 48 a label
)
def test_the_sheet_of_faces_shows_some_of_each_label(tmp_path, noise, reals, fakes, size):
    names = [f"{i:02d}.mp4" for i in range(reals + fakes)]
    for name in names:
        shard(tmp_path / name / "0.mkv", noise[:2])
    faces = pd.DataFrame({"video_id": np.repeat(names, 2), "track": 0})
    sheet = plots.faces_sheet(faces, pd.Series([0] * reals + [1] * fakes, names), tmp_path)
    assert sheet.shape == (size[0] * TILE, size[1] * TILE, 3)


def test_the_sheet_of_faces_shows_the_longest_track_of_a_video(tmp_path):
    for track, (count, grey) in enumerate([(1, 30), (3, 200)]):
        shard(tmp_path / "a.mp4" / f"{track}.mkv", np.full((count, 64, 64, 3), grey, np.uint8))
    faces = pd.DataFrame({"video_id": "a.mp4", "track": [0, 1, 1, 1]})
    sheet = plots.faces_sheet(faces, pd.Series({"a.mp4": 0}), tmp_path)
    assert sheet.shape == (TILE, TILE, 3)
    assert (sheet[:-4] == 200).all()


@pytest.mark.parametrize(("videos", "rows"), [(1, 1), (3, 3), (20, 8)])
def test_the_sheet_of_copies_shows_each_clip_beside_its_copies(tmp_path, noise, videos, rows):
    clips = []
    for i in range(videos):
        for copy, file in enumerate([f"faces/{i}/0.mkv", f"clips/{i}/0_1.mkv"]):
            shard(tmp_path / file, noise[:6])
            clips.append({"video_id": f"{i}", "track": 0, "copy": copy, "file": file, "positions": [0, 1, 2, 3, 5]})
    table = pd.DataFrame(clips).assign(split="train", label=0)
    assert plots.copies_sheet(table, tmp_path).shape == (rows * TILE, 8 * TILE, 3)
    sheet = plots.copies_sheet(table, tmp_path, lambda images, rng: images[::-1])
    assert sheet.shape == (rows * TILE, 12 * TILE, 3)
    np.testing.assert_array_equal(sheet[:TILE, 8 * TILE : 9 * TILE], plots.tile(noise[5], 1))


@pytest.mark.parametrize(("fakes", "rows"), [(1, 1), (14, 12)])
def test_the_sheet_of_swaps_shows_each_fake_beside_its_target(tmp_path, noise, fakes, rows):
    shard(tmp_path / "real.mkv", noise)
    shard(tmp_path / "fake.mkv", noise[::-1])
    listed = [("fake.mkv", "fake", "real.mkv")] * fakes + [("real.mkv", "real", "")]
    sheet = plots.swaps_sheet(pd.DataFrame(listed, columns=["path", "label", "source"]), tmp_path)
    assert sheet.shape == (rows * FRAME, 6 * FRAME, 3)
    np.testing.assert_array_equal(sheet[:FRAME, :FRAME], plots.tile(noise[0], 0, FRAME))
    np.testing.assert_array_equal(sheet[:FRAME, 3 * FRAME : 4 * FRAME], plots.tile(noise[-1], 1, FRAME))
