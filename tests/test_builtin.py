"""builtin: what ships is a detector, small enough, made by the stages of the house, and used where none was trained."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from deepfake import bundle, inference
from deepfake.augment import AugmentParams
from deepfake.base.opencv import cv2
from deepfake.calibrate import CalibrateParams
from deepfake.detect import DetectParams
from deepfake.extract import ExtractParams
from deepfake.filter import FilterParams
from deepfake.redraw import RedrawParams
from deepfake.split import SplitParams
from deepfake.train import TrainParams

ROOT = Path(__file__).parents[1]
HERE = ROOT / "data" / "builtin"
PARAMS = yaml.safe_load((HERE / "params.yaml").read_text())


def test_its_params_are_params():
    for section, model in {
        **{"extract": ExtractParams, "detect": DetectParams, "filter": FilterParams, "split": SplitParams},
        **{"augment": AugmentParams, "redraw": RedrawParams, "train": TrainParams, "calibrate": CalibrateParams},
    }.items():
        model.model_validate(PARAMS[section])


def plain(stage: dict[str, Any]) -> dict[str, Any]:
    """The stage with its metrics and plots among its outs."""
    kinds = ("outs", "metrics", "plots")
    rest = {key: value for key, value in stage.items() if key not in kinds}
    return rest | {"outs": [out for kind in kinds for out in stage.get(kind, [])]}


def test_its_stages_are_those_of_the_house():
    own, house = (yaml.safe_load(file.read_text())["stages"] for file in (HERE / "dvc.yaml", ROOT / "dvc.yaml"))
    there = "PYTHONPATH=../.. "  # the stages lie beside dvc.yaml, and nowhere else
    stages = {name: stage | {"cmd": stage["cmd"].removeprefix(there)} for name, stage in own.items() if name != "ship"}
    assert not any({"metrics", "plots"} & set(stage) for stage in own.values())
    assert {name: plain(stage) for name, stage in stages.items()} == {name: plain(house[name]) for name in stages}
    assert set(stages) == {"code", "extract", "detect", "filter", "split", "augment", "redraw", "train", "calibrate"}
    [shipped] = own["ship"]["outs"]
    assert (HERE / next(iter(shipped))).resolve() == bundle.BUILTIN


@pytest.mark.slow
def test_its_command_runs_from_the_folder_of_the_project(project, dvc, heads):
    shutil.copytree(HERE, project / "data" / "builtin", ignore=shutil.ignore_patterns("data", "models", "reports"))
    for number, images in enumerate(heads):
        for place, image in enumerate(images[:2]):
            file = project.parent / "shared" / "faces" / f"{number}{place}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), image[..., ::-1])
    said = dvc(project, "repro", "data/builtin/dvc.yaml:extract")
    assert f"extract: {2 * len(heads)} videos, {2 * len(heads)} made anew, 0 broken -> data/frames" in said
    assert len(list((project / "data" / "builtin" / "data" / "frames").iterdir())) == 2 * len(heads)


def test_it_is_small_whole_and_learnt_from_no_research_data():
    files = list(bundle.BUILTIN.iterdir())
    assert sum(file.stat().st_size for file in files) < 10e6
    assert bundle.read(bundle.BUILTIN).validation["untrained"] == ""
    assert not any(re.search("utk|research", file.read_text()) for file in files if file.suffix in (".json", ".csv"))


def test_it_was_trained_by_the_params_of_its_pipeline():
    [member] = bundle.read_networks(bundle.BUILTIN).members
    assert member.settings == TrainParams.model_validate(PARAMS["train"]).model_dump(mode="json")


@pytest.mark.usefixtures("one_thread")
def test_it_stands_in_where_no_detector_was_trained(tmp_path, capsys, heads):
    detector = inference.load(tmp_path / "models" / "detector", or_builtin=True)
    assert "is shipped" in capsys.readouterr().err
    faces = np.ascontiguousarray(heads[0][:2, 48:208, 48:208])
    assert detector.track(faces).logits == inference.load(Path("builtin")).track(faces).logits
    assert json.dumps(detector.track(faces).logits)
