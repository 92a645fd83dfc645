"""lookalikes: one person under two names, on two sides of a split, is found by the face; others are not."""

import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from deepfake import video
from deepfake.app import cli
from deepfake.base import tables
from deepfake.dataset import lookalikes
from deepfake.dataset.videos import read
from deepfake.detect import detector_of
from deepfake.faces import crop

SAME = ("grid_id2_swwp2s.mpg", "grid_pwij3p.mpg")  # two clips of one speaker
OTHERS = ("grid_bbaf2n.mpg", "grid_brbk7n.mpg", "grid_lbax4n.mpg")


@pytest.fixture(scope="module")
def cut(tmp_path_factory) -> Callable:
    """A function that makes the results of the stages of some clips: three faces of each, as detect stores them."""
    folder = tmp_path_factory.mktemp("audit")
    detector = detector_of("dlib_hog", None)

    def make(clips, splits: dict[str, tuple[str, str]]):
        data = folder / str(len(list(folder.iterdir())))
        rows = []
        for name in splits:
            frames = [frame for frame in video.read(clips / "real" / name) if frame.index in (0, 20, 40)]
            with video.recording(data / f"faces/{name}/0.mkv") as record:
                for i, frame in enumerate(frames):
                    image = frame.rgb()
                    face = max(detector.detect(image), key=lambda face: face.side)
                    record(crop(image, face, detector.template, 112, 0.15)[0], i / 25)
                    rows.append({"video_id": name, "track": 0, "position": i, "reason": ""})
        table = pd.DataFrame(
            {"video_id": name, "identities": person, "split": split, "group": f"identity::{person}"}
            for name, (person, split) in splits.items()
        ).assign(label=0, dataset="", method="", source="", status="ok")
        about = table.drop(columns="group").assign(kept=3, sha256="", path=table["video_id"])
        tables.write(data / "splits.csv", table)
        tables.write(data / "videos.csv", about)
        tables.write(data / "kept.parquet", pd.DataFrame(rows))
        return data

    return make


def test_one_person_under_two_names_is_found_and_nobody_else(clips, cut, tmp_path, monkeypatch, capsys):
    named = {name: (name, "train") for name in (*SAME[:1], *OTHERS)} | {SAME[1]: ("somebody", "test")}
    data = cut(clips, named)
    monkeypatch.setattr(
        sys, "argv", ["deepfake", "split", "audit", "--data", str(data), "--out", str(tmp_path / "a.jpg")]
    )
    with pytest.raises(SystemExit) as end:
        cli.main()
    output = capsys.readouterr().out
    assert end.value.code == 1
    assert "faces of two names that look like one person: 1\n" in output
    assert f"  {SAME[0]} in train and {SAME[1]} in test: 0.1" in output
    assert "people of two sides, by their names: 0\n" in output
    assert (tmp_path / "a.jpg").stat().st_size > 1000


def test_who_is_named_the_same_or_on_the_same_side_is_not_reported(clips, cut, monkeypatch, capsys):
    for named in (
        {SAME[0]: ("one", "train"), SAME[1]: ("two", "train"), OTHERS[0]: ("x", "test")},
        {SAME[0]: ("one", "train"), SAME[1]: ("one+two", "test"), OTHERS[0]: ("x", "test")},
    ):
        data = cut(clips, named)
        splits, kept = read(data / "splits.csv"), tables.read(data / "kept.parquet")
        assert lookalikes.across(splits, kept, data / "faces").empty


def test_who_is_named_the_same_in_two_datasets_of_the_same_people_is_not_reported(clips, cut):
    data = cut(clips, {SAME[0]: ("id0", "train"), SAME[1]: ("id0", "test")})
    splits, kept = read(data / "splits.csv"), tables.read(data / "kept.parquet")
    for datasets, pairs in ((["Celeb-DF-v1", "Celeb-DF-v2"], 0), (["mine", "yours"], 1)):
        assert len(lookalikes.across(splits.assign(dataset=datasets), kept, data / "faces")) == pairs


def test_what_is_shared_by_name_is_told_without_faces(tmp_path, monkeypatch, capsys):
    table = pd.DataFrame(
        {
            "video_id": ["a", "b", "c"], "label": 0, "identities": ["ann", "ann", "bob"],
            "split": ["train", "test", "none"], "group": "g", "dataset": "d", "method": "",
            "source": ["", "", "a"], "status": "ok",
        }
    )  # fmt: skip
    tables.write(tmp_path / "splits.csv", table)
    tables.write(tmp_path / "videos.csv", table.drop(columns="group").assign(kept=1, sha256=["x", "x", "x"]))
    tables.write(tmp_path / "kept.parquet", pd.DataFrame({"video_id": ["a"], "track": [0], "position": [0]}))
    monkeypatch.setattr(sys, "argv", ["deepfake", "split", "audit", "--data", str(tmp_path), "--no-faces"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    output = capsys.readouterr().out
    assert end.value.code == 1
    assert "people of two sides, by their names: 1\n  identity:d:ann in test and train\n" in output
    assert "equal pictures or files: 1\n" in output
    assert "sources and originals: 0\n" in output


def test_faces_that_are_near_are_found_in_blocks(monkeypatch):
    monkeypatch.setattr(lookalikes, "BLOCK", 3)
    looks = np.eye(8, 128)
    looks[5] = looks[1] + 0.01
    looks[7] = looks[2] + 0.01
    side = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    distance = round(0.01 * 128**0.5, 4)
    assert lookalikes.near(looks, side) == [(1, 5, distance)]  # 2 and 7 are on one side


def test_the_longest_track_of_good_faces_is_looked_at_at_its_own_places(tmp_path):
    kept = pd.DataFrame(
        {
            "video_id": "v",
            "track": [0, 1, 0, 1, 1, 1, 1],
            "position": [0, 0, 1, 1, 2, 3, 4],
            "reason": ["", "", "", "small", "", "", "blurred"],
        }
    )
    tracks = lookalikes.tracks(kept, ["v", "w"], tmp_path)
    assert tracks == {"v": lookalikes.Track(tmp_path / "v/1.mkv", (0, 2, 3))}
