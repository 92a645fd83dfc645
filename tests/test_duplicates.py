"""duplicates: a copy on the other side of a split is found by its faces: cropped, mirrored, encoded anew."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfake import video
from deepfake.app.cli import main
from deepfake.base import tables
from deepfake.base.opencv import cv2
from deepfake.dataset import duplicates
from deepfake.detect import DetectParams, tracks

PARAMS = {"detector": "dlib_hog", "weights": None, "search_side": 480, "search_every": 8, "min_overlap": 0.2}
P = DetectParams(**PARAMS, max_gap=2, size=112, margin=0.15)
COPIES = {
    "as_it_is": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "cropped": lambda image: image[len(image) // 20 : -len(image) // 20, len(image[0]) // 20 : -len(image[0]) // 20],
    "half": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
}


def filmed(images, file) -> None:
    """The faces of some frames, as detect stores them, after H.264."""
    even = [np.ascontiguousarray(image[: len(image) // 2 * 2, : len(image[0]) // 2 * 2]) for image in images]
    video.encode(file.with_suffix(".mp4"), even, 5.0, crf=30)
    with video.recording(file.with_suffix(".mkv")) as record:
        for frame in video.read(file.with_suffix(".mp4")):
            record(frame.rgb(), frame.time)
    tracks(file.with_suffix(".mkv"), file, P)


def results(data, faces: dict[str, str]) -> None:
    """The tables of the stages for videos whose faces are stored, and their splits; who is on them nobody knows."""
    about = {"label": 0, "identities": "", "dataset": "", "method": "", "source": "", "status": "ok"}
    splits = pd.DataFrame({"video_id": list(faces), "split": list(faces.values()), **about})
    counts = {name: len(video.images(data / "faces" / name / "0.mkv")) for name in faces}
    rows = [{"video_id": name, "track": 0, "position": i, "reason": ""} for name in faces for i in range(counts[name])]
    tables.write(data / "splits.csv", splits.assign(group="video:" + splits["video_id"]))
    tables.write(data / "videos.csv", splits.assign(kept=4, sha256="", path=splits["video_id"]))
    tables.write(data / "kept.parquet", pd.DataFrame(rows))


def across(data) -> list[tuple[str, str]]:
    found = duplicates.across(tables.read(data / "splits.csv"), tables.read(data / "kept.parquet"), data / "faces")
    return [(pair.one, pair.other) for pair in found.itertuples()]


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_found_and_nobody_else(heads, tmp_path, copy):
    for name, images in zip("ab", heads, strict=True):
        filmed(images[:8], tmp_path / "faces" / name)
    filmed([COPIES[copy](image) for image in heads[0][:8]], tmp_path / "faces" / "c")
    results(tmp_path, {"a": "train", "b": "val", "c": "test"})
    assert across(tmp_path) == [("a", "c")]
    results(tmp_path, {"a": "train", "b": "val", "c": "train"})
    assert across(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("copy", COPIES)
def test_copies_of_real_clips_are_found_and_no_others(clips, tmp_path, copy):
    files = ("grid_bbaf2n.mpg", "grid_lbax4n.mpg", "hdtf_WDA_KatieHill.mp4", "pyfeat_WolfgangLanger_Pexels.mp4")
    names = [Path(file).stem for file in files]
    for name, file in zip(names, files, strict=True):
        images = [frame.rgb() for frame in video.read(clips / "real" / file) if frame.index in range(0, 64, 8)]
        filmed(images, tmp_path / "faces" / name)
        filmed([COPIES[copy](image) for image in images], tmp_path / "faces" / f"{name} again")
    results(tmp_path, dict.fromkeys(names, "train") | {f"{name} again": "test" for name in names})
    assert sorted(across(tmp_path)) == [(name, f"{name} again") for name in names]


def test_the_audit_names_it(heads, tmp_path, monkeypatch, capsys):
    filmed(heads[0][:8], tmp_path / "faces" / "a")
    shutil.copytree(tmp_path / "faces" / "a", tmp_path / "faces" / "b")
    results(tmp_path, {"a": "train", "b": "test"})
    call = ["deepfake", "split", "audit", "--data", str(tmp_path), "--out", str(tmp_path / "audit.jpg")]
    monkeypatch.setattr("sys.argv", call)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    output = capsys.readouterr().out
    assert (
        "faces that are the same pictures, cropped, mirrored or encoded anew: 1\n  a in train and b in test: 0.0%"
        in output
    )
    assert (tmp_path / "audit.jpg").stat().st_size > 1000
