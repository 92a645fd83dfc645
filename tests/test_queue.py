"""queue: experiments with one's own videos and model files, which run in folders of their own, as README.md says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deepfake.base.disk import beside
from deepfake.demo import DemoParams, draw

ROOT = Path(__file__).parents[1]
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def test_a_file_that_an_experiment_left_behind_is_said_to_be_there(tmp_path, monkeypatch):
    (tmp_path / "data/weights").mkdir(parents=True)
    (tmp_path / "data/weights/x.onnx").touch()
    assert beside(Path("data/weights/x.onnx")) == ""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    hint = beside(Path("data/weights/x.onnx"))
    assert "--copy-paths data/weights/x.onnx" in hint
    assert str(tmp_path / "data/weights/x.onnx") in hint
    assert beside(Path("data/weights/y.onnx")) == ""
    assert beside(tmp_path / "data/weights/x.onnx") == ""  # named whole, and yet not found


def test_the_page_says_what_the_queue_needs():
    assert re.search(r"extract\.root: /\S+", README)
    assert "dvc exp run --queue --copy-paths data/weights/yunet.onnx" in README
    assert "root: ../" not in README


def dvc(folder: Path, *arguments: str, code: int = 0) -> str:
    """What `dvc` says; the stages find this Python, and the code of the folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": "", "DVC_SITE_CACHE_DIR": str(folder.parent / "site"), "ITEM_CACHE": ""}
    call = [sys.executable, "-m", "dvc", *arguments]
    end = subprocess.run(call, cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False)
    assert (end.returncode != 0) == (code != 0), end.stdout + end.stderr
    return end.stdout + end.stderr


@pytest.fixture
def project(tmp_path) -> Path:
    """The project in a repository, whose params name videos beside it by their whole path."""
    folder = tmp_path / "project"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in (
        name for name in listed if name and not name.startswith(("tests/", "reports/", "dvclive/", "dvc.lock"))
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    draw(
        tmp_path / "my_videos/real", DemoParams.model_construct(identities=2, frames=4, size=256, resolution=0, seed=7)
    )
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    settings["extract"] |= {"root": str(tmp_path / "my_videos"), "layout": "folders", "frames_per_video": 4}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for call in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *call], cwd=folder, check=True)
    return folder


@pytest.mark.slow
def test_an_experiment_of_the_queue_finds_the_videos_and_the_model_file(project, clips):
    weights = "data/weights/yunet.onnx"
    shutil.copy(clips.parent / "weights/yunet_n_320_320.onnx", project / weights)
    dvc(project, "exp", "run", "--queue", "--copy-paths", weights, "-S", f"detect.weights={weights}", "-S",
        "detect.detector=yunet", "--name", "mine", "detect")  # fmt: skip
    dvc(project, "exp", "run", "--run-all")
    assert "Success" in dvc(project, "queue", "status")
    assert "detect: 2 videos, 2 made anew, 0 without a face" in dvc(project, "queue", "logs", "mine")


@pytest.mark.slow
def test_what_an_experiment_does_not_find_is_said_with_what_to_do(project):
    weights = "data/weights/yunet.onnx"
    (project / weights).write_text("no model")
    output = dvc(project, "exp", "run", "--temp", "-S", f"detect.weights={weights}", "-S", "detect.detector=yunet",
               "detect", code=1)  # fmt: skip
    assert f"detect.weights: no file {weights}" in output
    assert f"--copy-paths {weights}" in output
    output = dvc(project, "exp", "run", "--temp", "-S", "extract.root=../my_videos", "extract", code=1)
    assert "No such file or directory" in output  # DVC says so, and what it looked for
    assert "my_videos" in output


def test_make_repro_outside_of_git_says_so_before_it_sets_anything_up(tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent), "PYTHON": "false"}
    call = ["make", "--no-print-directory", "repro"]
    end = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert end.returncode != 0
    assert f"error: {tmp_path} is no git clone, and DVC needs one\n  hint: git clone the project" in end.stderr
    assert not (tmp_path / ".venv").exists()
