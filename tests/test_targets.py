"""targets: what is asked for is written, and nothing else that is there; what cannot be written is said at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepfake import bundle
from deepfake.app import cli
from deepfake.base import disk, params
from deepfake.base.errors import UserError
from deepfake.calibrate import CalibrateParams

ROOT = Path(__file__).parents[1]
DIARY = "a year's work"


@pytest.fixture
def desk(tmp_path) -> Path:
    """A folder with a video, two more names of it, a diary in a folder and a file."""
    (tmp_path / "a.mp4").write_bytes(b"the exhibit")
    (tmp_path / "link.mp4").symlink_to("a.mp4")
    os.link(tmp_path / "a.mp4", tmp_path / "hard.mp4")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "diary.txt").write_text(DIARY)
    (tmp_path / "file").write_text(DIARY)
    return tmp_path


def untouched(desk: Path) -> bool:
    """Whether the desk is as it was."""
    names = ["a.mp4", "file", "folder", "hard.mp4", "link.mp4"]
    return (
        sorted(path.name for path in desk.iterdir() if path.name != "data") == names
        and (desk / "a.mp4").read_bytes() == b"the exhibit"
        and (desk / "file").read_text() == (desk / "folder" / "diary.txt").read_text() == DIARY
    )


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (("--annotate", "folder"), "--annotate folder: is a folder"),
        (("--annotate", "a.mp4"), "--annotate a.mp4: is a video that is asked about, and would be lost"),
        (("--annotate", "link.mp4"), "--annotate link.mp4: is a video that is asked about, and would be lost"),
        (("--annotate", "file/x.mp4"), "--annotate file/x.mp4: {desk}/file is no folder"),
        (("--annotate", "/dev/null"), "--annotate /dev/null: is no file"),
        (("--csv", "folder"), "--csv folder: is a folder"),
        (("--csv", "a.mp4"), "--csv a.mp4: is a video that is asked about, and would be lost"),
        (("--csv", "hard.mp4"), "--csv hard.mp4: is a video that is asked about, and would be lost"),
        (("--csv", "none/x.csv"), "--csv none/x.csv: no folder {desk}/none"),
        (("--annotate", "x", "--csv", "x"), "--csv and --annotate name the same file"),
        (("--explain", "file"), "--explain file: {desk}/file is no folder"),
        (("--explain", "file/x"), "--explain file/x: {desk}/file is no folder"),
        (("--csv", "x" * 300), f"{'x' * 300}: File name too long"),
    ],
)
def test_predict_spares_what_is_there_and_says_at_once_what_cannot_be_written(deepfake, desk, call, error):
    code, output, complaint = deepfake("predict", "a.mp4", *call, "--detector", "none")
    assert (code, output) == (2, "")
    assert complaint.splitlines()[0] == "error: " + error.format(desk=desk)
    assert untouched(desk)


def test_a_video_that_lies_in_the_folder_that_is_watched_is_spared_too(deepfake, desk):
    code, _, complaint = deepfake("predict", "--watch", ".", "--csv", "hard.mp4", "--detector", "none")
    assert (code, "would be lost" in complaint) == (2, True)
    assert untouched(desk)


def test_what_may_not_be_written_to_is_said_at_once(deepfake, desk, monkeypatch):
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)  # root may write everywhere
    for option, name in (("--annotate", "x.mp4"), ("--csv", "file"), ("--csv", "x.csv"), ("--explain", "looks")):
        code, _, complaint = deepfake("predict", "a.mp4", option, name, "--detector", "none")
        assert code == 2
        assert "may not be written to" in complaint


def test_a_case_is_not_begun_where_it_cannot_be_written(deepfake, desk):
    code, _, complaint = deepfake("case", "a.mp4", "--out", "file/case", "--detector", "none")
    assert (code, complaint.splitlines()[0]) == (2, f"error: --out file/case: {desk}/file is no folder")


@pytest.mark.parametrize(
    "command", [("ensemble", "builtin", "builtin"), ("export", "builtin", "--onnx"), ("halve", "builtin")]
)
@pytest.mark.parametrize("out", ["folder", "file", "a.mp4"])
def test_a_detector_takes_no_place_of_other_things(deepfake, desk, command, out):
    code, _, complaint = deepfake(*command, "--out", out)
    assert (code, complaint.splitlines()[0]) == (2, f"error: {out}: is there already, and no detector")
    assert untouched(desk)


def test_a_detector_takes_the_place_of_another_or_of_nothing(tmp_path):
    bundle.vacant(tmp_path)  # an empty folder
    bundle.vacant(tmp_path / "new")
    (tmp_path / bundle.CARD).touch()
    bundle.vacant(tmp_path, tmp_path / "other")
    with pytest.raises(UserError, match="is the detector itself"):
        bundle.vacant(tmp_path, tmp_path / "other", tmp_path / ".")


def test_a_file_takes_no_place_of_a_folder(desk):
    with pytest.raises(UserError, match="is a folder"), disk.aside(desk / "folder") as new:
        new.write_text("new")
    assert untouched(desk)


# ---- the shipped detector, by its name


def test_the_shipped_detector_is_halved_and_joined_by_its_name_without_a_project(deepfake, tmp_path):
    assert deepfake("halve", "builtin", "--out", "half")[0] == 0
    code, output, complaint = deepfake("ensemble", "builtin", "half", "--out", "both")
    assert (code, complaint) == (0, "")
    assert output.startswith("ensemble: validation AUC ")
    assert len(bundle.read_networks(tmp_path / "both").members) == 2


def test_an_ensemble_without_a_project_is_scored_as_projects_are_that_change_nothing():
    assert cli.usual() == params.load("calibrate", CalibrateParams, ROOT / "params.yaml")


def test_another_backend_of_the_shipped_detector_is_asked_for_by_its_name(deepfake, desk):
    code, _, complaint = deepfake("predict", "a.mp4", "--detector", "builtin", "--backend", "onnx")
    assert code == 2
    assert "no network for the backend onnx" in complaint


# ---- no room


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("call", [("recipe", "--list"), ("cache",)])
def test_a_disk_that_is_full_is_one_line(call):
    run = [sys.executable, "-c", "from deepfake.app.cli import main; main()", *call]
    with Path("/dev/full").open("w") as full:
        end = subprocess.run(run, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert (end.returncode, end.stderr) == (2, "error: No space left on device\n")
