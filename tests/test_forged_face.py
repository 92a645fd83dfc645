"""forged_face: where a dataset says which pixels were forged, the face that they cover is learnt from, and no other."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from deepfake.base import tables
from stages import detect, extract, filter

ROOT = Path(__file__).parents[1]


def ready(folder: Path, monkeypatch) -> None:
    """The folder as a project whose manifest is read."""
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    settings["extract"] |= {"root": ".", "layout": "manifest", "frames_per_video": 6}
    settings["filter"] |= {"min_sharpness": 0, "min_side": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(folder)


@pytest.fixture
def project_of_two(heads, film, tmp_path, monkeypatch):
    """The faces and the judged faces of a fake that shows two people, with its mask; by the commands."""
    both = np.concatenate(heads, axis=2)  # (12, 256, 512, 3)
    mask = np.zeros_like(both)
    mask[:, 40:220, 256 + 40 : 256 + 216] = 255
    film(tmp_path / "both.mp4", both)
    film(tmp_path / "mask.mp4", mask)
    (tmp_path / "manifest.csv").write_text("path,label,mask\nboth.mp4,fake,mask.mp4\n")
    ready(tmp_path, monkeypatch)
    for command in (extract, detect, filter):
        command.run()
    return tables.read(Path("data/faces.parquet")), tables.read(Path("data/kept.parquet"))


def test_of_a_fake_with_a_mask_the_forged_face_is_kept_and_the_others_say_why(project_of_two, tmp_path):
    """Two faces side by side, of which the right one was forged."""
    faces, kept = project_of_two
    assert sorted(faces["track"].unique()) == [0, 1]
    covered = faces.groupby("track")["forged"].mean()
    right = faces.groupby("track")["left"].mean().idxmax()
    assert covered[right] > 0.5
    assert covered.drop(right).max() == 0
    reasons = kept.groupby("track")["reason"].unique().map(list)
    assert reasons.drop(right).tolist() == [["not the forged face"]]
    assert reasons[right] == [""]


def test_a_mask_that_is_not_there_is_said_and_all_faces_are_learnt_from(tmp_path, heads, film, monkeypatch, capsys):
    film(tmp_path / "a.mp4", heads[0])
    (tmp_path / "manifest.csv").write_text("path,label,mask\na.mp4,fake,lost.mp4\n")
    ready(tmp_path, monkeypatch)
    extract.run()
    assert "warning: 1 masks are not there, or shorter than their videos: not used" in capsys.readouterr().err
    detect.run()
    faces = tables.read(Path("data/faces.parquet"))
    assert len(faces) == 6
    assert faces["forged"].isna().all()
