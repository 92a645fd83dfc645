"""repro: `dvc repro` makes everything once, and after a change only what the change touches."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepfake import bundle, scope
from deepfake.dataset.videos import read

STAGES = ["code", "demo", "extract", "detect", "filter", "split", "augment", "redraw", "train", "calibrate"]
STAGES += ["extra", "evaluate", "controls", "describe", "report"]
BUNDLED = ["calibrate"]  # the stage that writes how videos are prepared beside the weights
FACES = ["demo", "detect", *BUNDLED, "extra"]  # who looks at faces, or at their landmarks
VIDEOS = 16

pytestmark = pytest.mark.slow
Dvc = Callable[..., str]


def ran(output: str) -> list[str]:
    """The stages that a repro ran, or that a dry one would run."""
    return re.findall(r"Running stage '(?:.*:)?(\w+)'", output)


def stale(dvc: Dvc, project: Path, *places: Path) -> list[str]:
    """The stages that differ from what they were run with; what follows from them runs where their outs differ."""
    paths = ":".join(map(str, (*places, project)))
    subprocess.run([sys.executable, "-m", "stages.code"], cwd=project, env={"PYTHONPATH": paths}, check=True)
    return [name for name in ran(dvc(project, "repro", "--dry")) if name != "code"]


def change(project: Path, section: str, **values: Any) -> None:
    sections = yaml.safe_load((project / "params.yaml").read_text())
    sections[section].update(values)
    (project / "params.yaml").write_text(yaml.safe_dump(sections, sort_keys=False))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def files(project: Path) -> dict[str, bytes]:
    """The outs that the training reads."""
    videos = [*(project / "data/faces").rglob("*.mkv"), *(project / "data/clips").rglob("*.mkv")]
    return {path.name: path.read_bytes() for path in [*sorted(videos), project / "data/clips.parquet"]}


def test_the_first_run_makes_everything(finished):
    output = (finished.parent / "said.txt").read_text()
    assert ran(output) == STAGES
    assert f"demo: {VIDEOS} videos, half of them fake -> data/demo/videos" in output
    assert f"extract: {VIDEOS} videos, {VIDEOS} made anew, 0 broken -> data/frames" in output
    predictions = read(finished / "reports/predictions.csv")
    splits = read(finished / "data/splits.csv")
    assert set(predictions["video_id"]) == set(splits["video_id"][splits["split"] == "test"])
    metrics = json.loads((finished / "reports/metrics.json").read_text())
    assert metrics["coverage"]["expected"] == metrics["video"]["count"] == predictions["video_id"].nunique()


def test_the_detector_says_what_it_was_made_of(finished):
    origin = json.loads((finished / "models/detector/bundle.json").read_text())["origin"]
    assert origin["labels"] == ["real", "fake"]
    table = read(finished / "data/splits.csv")
    known = table[table["split"].isin(["train", "val"]) & table["status"].isin(["ok", "truncated"])]
    sides = sorted(f"{side} {name}" for side, name in zip(known["split"], known["video_id"], strict=True))
    assert origin["split"] == sha256("\n".join(sides).encode()).hexdigest()
    assert re.fullmatch("[0-9a-f]{64}", origin["data"])
    assert {"torch", "numpy", "opencv-python-headless"} <= set(origin["libraries"])
    assert (origin["revision"], origin["licence"]) == ("", "")  # until it is published


def test_the_detector_says_on_what_it_was_measured(finished):
    file = finished / "reports/metrics.json"
    card, metrics = bundle.read(finished / "models/detector"), json.loads(file.read_text())
    assert card.scope == scope.of(metrics, sha256(file.read_bytes()).hexdigest())
    video = card.scope.video
    assert (video.reals + video.fakes, video.groups) == (metrics["video"]["count"], metrics["video"]["groups"])
    assert [video.auc.value, video.auc.low] == [metrics["video"]["auc"], metrics["video"]["auc_low"]]
    assert set(card.scope.by_method) == set(metrics["by_method"]) != set()
    before = bundle.read(finished / "models/calibrated")
    assert before.scope is None
    assert before == card.model_copy(update={"scope": None})
    for name in card.files:
        assert (finished / "models/calibrated" / name).samefile(finished / "models/detector" / name)


def test_the_table_of_what_is_stale_after_which_edit(dvc, project, tmp_path):
    assert stale(dvc, project) == []
    package, settings = project / "deepfake", (project / "params.yaml").read_text()

    # words
    edit(package / "base/errors.py", "class UserError", "# of the one who calls\nclass UserError")
    edit(package / "video.py", "import av", "import av  # brings FFmpeg")
    edit(package / "train.py", '"""train: ', '"""train: fit ')
    (project / "data/weights/stray.onnx").write_text("of another detector")
    assert stale(dvc, project) == []

    # settings
    for section, values, touched in (
        ("extract", {"fps": 9.0}, ["extract", *BUNDLED]),  # DVC compares whole sections
        ("detect", {"search_every": 9}, ["detect", *BUNDLED]),
        ("train", {"learning_rate": 0.0123}, ["train"]),
        ("evaluate", {"seed": 1}, ["evaluate"]),
    ):
        change(project, section, **values)
        assert stale(dvc, project) == sorted({*touched}, key=STAGES.index)
        (project / "params.yaml").write_text(settings)

    # a formula
    edit(package / "faces.py", "SHARPNESS_SIDE = 128", "SHARPNESS_SIDE = 64")
    assert stale(dvc, project) == FACES
    edit(package / "faces.py", "SHARPNESS_SIDE = 64", "SHARPNESS_SIDE = 128")

    # an upgrade
    (tmp_path / "newer/dlib_bin-99.dist-info").mkdir(parents=True)
    (tmp_path / "newer/dlib_bin-99.dist-info/METADATA").write_text("Name: dlib-bin\nVersion: 99\n")
    assert stale(dvc, project, tmp_path / "newer") == FACES
    assert stale(dvc, project) == []


def test_a_stage_that_runs_again_makes_nothing_anew_and_is_the_last_where_its_outs_are_equal(dvc, project):
    before = files(project)
    change(project, "extract", fps=9.0)  # which nothing uses: it samples by count
    change(project, "detect", search_every=9)  # of 4 frames
    edit(project / "deepfake/augment.py", "steps = [", "_ = 0\n    steps = [")
    output = dvc(project, "repro", "augment")
    assert ran(output) == ["code", "extract", "detect", "augment"]
    assert f"extract: {VIDEOS} videos, 0 made anew" in output
    assert f"detect: {VIDEOS} videos, {VIDEOS} made anew" in output
    assert "8 made anew -> data/clips.parquet" in output
    assert files(project) == before


def test_an_experiment_in_a_folder_of_its_own_reuses_what_is_there(dvc, project):
    output = dvc(project, "exp", "run", "--temp", "-S", "evaluate.seed=3")
    assert ran(output) == ["code", "evaluate", "controls", "describe", "report"]
