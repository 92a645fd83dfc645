"""repro: `dvc repro` makes everything once, and after a change only what the change touches."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deepfake.videos import read

ROOT = Path(__file__).parents[1]
STAGES = ["demo", "extract", "detect", "filter", "split", "augment", "train", "evaluate"]
SMALL = {
    "demo": {"identities": 12, "frames": 6, "size": 160},
    "extract": {"frames_per_video": 6},
    "filter": {"min_sharpness": 0},
    "augment": {"copies": 1},
    "train": {"epochs": 1, "side": 32},
}

pytestmark = pytest.mark.slow


def dvc(folder: Path, *arguments: str) -> str:
    """What `dvc` says; the stages find this Python, and the code of the folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": "", "DVC_SITE_CACHE_DIR": str(folder.parent / "site"), "ITEM_CACHE": ""}
    call = [sys.executable, "-m", "dvc", *arguments]
    end = subprocess.run(call, cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False)
    assert end.returncode == 0, end.stdout + end.stderr
    return end.stdout


def ran(said: str) -> list[str]:
    """The stages that a repro ran, or that a dry one would run."""
    return re.findall(r"Running stage '(?:.*:)?(\w+)'", said)


def stale(folder: Path) -> list[str]:
    """The stages that a repro would run, with those that follow from them."""
    return ran(dvc(folder, "repro", "--dry", "--force-downstream"))


def change(folder: Path, section: str, **values: object) -> None:
    sections = yaml.safe_load((folder / "params.yaml").read_text())
    sections[section].update(values)
    (folder / "params.yaml").write_text(yaml.safe_dump(sections, sort_keys=False))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A fresh clone of the project, with small params."""
    folder = tmp_path_factory.mktemp("clone") / "project"
    for name in ("deepfake", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "dvc.yaml",
        "params.yaml",
        ".dvc/config",
        ".dvcignore",
        ".gitignore",
        "data/demo/dvc.yaml",
        "data/weights/README.md",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for section, values in SMALL.items():
        change(folder, section, **values)
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for call in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *call], cwd=folder, check=True)
    return folder


def test_the_pipeline_makes_everything_once_and_then_only_what_changed(project):
    # everything, from nothing
    said = dvc(project, "repro")
    assert ran(said) == STAGES
    assert "demo: 24 videos, half of them fake -> data/demo/videos" in said
    assert "extract: 24 videos, 24 made anew, 0 broken -> data/frames" in said
    predictions = read(project / "reports/predictions.csv")
    splits = read(project / "data/splits.csv")
    assert set(predictions["video_id"]) == set(splits["video_id"][splits["split"] == "test"])
    metrics = json.loads((project / "reports/metrics.json").read_text())
    assert metrics["coverage"]["expected"] == metrics["video"]["count"] == predictions["video_id"].nunique()

    # nothing is left to be made
    assert ran(dvc(project, "repro")) == []

    # how it learns touches neither faces nor clips
    usual = (project / "params.yaml").read_text()
    change(project, "train", learning_rate=0.0123)
    assert stale(project) == ["train", "evaluate"]
    (project / "params.yaml").write_text(usual)

    # another size of the crops touches no frame
    change(project, "detect", size=80)
    assert stale(project) == ["detect", "filter", "split", "augment", "train", "evaluate"]
    (project / "params.yaml").write_text(usual)

    # a comment is no change
    faces = {file: file.read_bytes() for file in sorted((project / "data/faces").rglob("*.mkv"))}
    edit(project / "deepfake/detect.py", "NEAR_MARGIN = 0.4  #", "NEAR_MARGIN = 0.4  # in short,")
    said = dvc(project, "repro", "--single-item", "detect")
    assert "detect: 24 videos, 0 made anew, 0 without a face -> data/faces.parquet" in said
    assert {file: file.read_bytes() for file in sorted((project / "data/faces").rglob("*.mkv"))} == faces
