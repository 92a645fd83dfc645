"""recipes: each published system is a whole set of params, that DVC takes from the command line, and that trains."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from dvc.cli import parse_args
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides

from deepfake import recipes
from deepfake.augment import AugmentParams
from deepfake.base.errors import UserError
from deepfake.calibrate import CalibrateParams
from deepfake.clips import resized
from deepfake.detect import DetectParams
from deepfake.extract import ExtractParams
from deepfake.filter import FilterParams
from deepfake.learning.batches import Tracks
from deepfake.models.network import Network
from deepfake.models.weights import freeze
from deepfake.split import SplitParams
from deepfake.train import TrainParams, fit

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "recipes"
USUAL = yaml.safe_load((ROOT / "params.yaml").read_text())
MODELS = {
    "extract": ExtractParams,
    "detect": DetectParams,
    "filter": FilterParams,
    "split": SplitParams,
    "augment": AugmentParams,
    "train": TrainParams,
    "calibrate": CalibrateParams,
}
FREE = {"compile", "echo", "shuffle_labels", "seed", "seeds"}  # what no recipe says
PUBLISHED = {
    *("cnn_bilstm", "spatial_temporal", "xception", "time_distributed"),
    *("dilated_bilstm", "resnet50_positions", "resnet50_bilstm"),
}

every_recipe = pytest.mark.parametrize("name", recipes.names(FOLDER))


def own(name: str) -> dict[tuple[str, str], Any]:
    """What a recipe's file sets, by section and key."""
    settings = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return {(section, key): value for section in MODELS for key, value in settings.get(section, {}).items()}


def whole(name: str) -> dict[tuple[str, str], Any]:
    """What a recipe sets on its defaults, by section and key."""
    sections = recipes.load(name, FOLDER).sections()
    return {(section, key): value for section, values in sections.items() for key, value in values.items()}


def table(name: str) -> dict[tuple[str, str], Any]:
    """What docs/systems.md says that a recipe sets, by section and key: the third column of its table."""
    text = (ROOT / "docs/systems.md").read_text(encoding="utf-8")
    [part] = re.findall(rf"^## [^\n]*`{name}`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    cells = [line.split(" | ")[2] for line in part.splitlines() if line.startswith("| ") and " | ours | " not in line]
    settings = [match for cell in cells for match in re.findall(r"`(\w+)\.(\w+): ([^`]+)`", cell)]
    return {(section, key): yaml.safe_load(value) for section, key, value in settings}


def test_all_of_the_published_systems_are_there():
    assert set(recipes.names(FOLDER)) > PUBLISHED


@every_recipe
def test_a_recipe_gives_valid_params(name):
    recipe = recipes.load(name, FOLDER)
    for section, values in recipe.sections().items():
        assert MODELS[section].model_validate(USUAL[section] | values)
    assert set(recipe.demo) <= set(recipe.train)


@every_recipe
def test_a_recipe_trains_the_same_whatever_params_yaml_says(name):
    assert set(recipes.load(name, FOLDER).train) == set(TrainParams.model_fields) - FREE


def test_a_recipe_means_the_same_after_any_other():
    base = yaml.safe_load((FOLDER / "defaults.yaml").read_text())
    missing = [(name, *key) for name in recipes.names(FOLDER) for key in own(name) if key[1] not in base[key[0]]]
    assert missing == []


@every_recipe
def test_a_recipe_holds_what_differs_from_the_defaults_and_nothing_else(name):
    base = yaml.safe_load((FOLDER / "defaults.yaml").read_text())
    assert [key for key, value in own(name).items() if base[key[0]][key[1]] == value] == []


@every_recipe
def test_a_recipe_is_what_docs_systems_say_of_it(name):
    documented, given = table(name), whole(name)
    assert [(key, value) for key, value in own(name).items() if documented.get(key) != value] == []
    assert [(key, value) for key, value in documented.items() if given.get(key) != value] == []


@every_recipe
def test_every_row_of_docs_systems_says_whether_it_is_published_or_ours(name):
    text = (ROOT / "docs/systems.md").read_text(encoding="utf-8")
    [part] = re.findall(rf"^## [^\n]*`{name}`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:2] == "| "]
    assert {len(row) for row in rows} == {4}
    known = ("as published", "ours", "cannot be done", "`DEVICES=n`", "not of a recipe")
    assert [row for row in rows[1:] if not row[3].startswith(known)] == []


@every_recipe
@pytest.mark.parametrize("demo", [False, True])
def test_the_overrides_are_taken_by_dvc_exp_run_as_they_are_meant(name, demo, tmp_path):
    recipe, file = recipes.load(name, FOLDER), tmp_path / "params.yaml"
    words = [word for override in recipe.overrides(demo) for word in f"-S {override}".split()]
    file.write_text((ROOT / "params.yaml").read_text())
    [(path, overrides)] = to_path_overrides(parse_args(["exp", "run", *words]).set_param).items()
    assert path == "params.yaml"
    apply_overrides(file, overrides)
    sections = {"train": recipe.train | recipe.demo} if demo else recipe.sections()
    right = {section: values | sections.get(section, {}) for section, values in USUAL.items()}
    assert yaml.safe_load(file.read_text()) == right


# ---- the demo


def reduced(name: str) -> TrainParams:
    """A recipe as the demo trains it."""
    recipe = recipes.load(name, FOLDER)
    return TrainParams.model_validate(USUAL["train"] | recipe.train | recipe.demo)


@every_recipe
def test_a_recipe_reduced_for_the_demo_is_a_network_that_needs_no_download(name):
    p = reduced(name)
    assert p.pretrained is False
    assert p.precision == "32-true"
    assert p.frames <= USUAL["extract"]["frames_per_video"]
    with torch.device("meta"):  # no numbers are drawn
        freeze(Network(p).encoder, p.trainable)


@pytest.fixture
def faces(heads, tmp_path, monkeypatch) -> tuple[Tracks, Tracks]:
    """Two drawn people, each real and, darkened, fake, two clips of each: to learn from, and to validate on."""
    monkeypatch.chdir(tmp_path)  # DVCLive looks for a repository around it
    rows = []
    for i in range(8):
        head = heads[i // 4][:, 40:216, 40:216][4 * (i % 2) : 4 * (i % 2) + 4]
        np.save(tmp_path / f"{i}.npy", head // (1 + i % 4 // 2))
        video = {"video_id": f"v{i}", "label": i % 4 // 2, "group": f"g{i // 4}", "source": f"g{i // 4}"}
        rows.append(video | {"track": 0, "copy": 0})
    tracks = Tracks(pd.DataFrame(rows), [tmp_path / f"{i}.npy" for i in range(8)])
    return tracks.where(tracks.table["group"] == "g0"), tracks.where(tracks.table["group"] == "g1")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    "name",
    [
        name if reduced(name).encoder != "timm" else pytest.param(name, marks=pytest.mark.slow)
        for name in recipes.names(FOLDER)
    ],
)
def test_a_recipe_reduced_for_the_demo_trains_an_epoch_on_drawn_faces(name, faces):
    p = reduced(name).model_copy(update={"epochs": 1, "draws": 1, "warmup": 0})
    for tracks in faces:
        for file in tracks.files:
            np.save(file, resized(np.load(file), p.side))
    [trained] = fit(*faces, p, Path("curves"))
    assert np.isfinite(trained.validation["logit"]).all()
    torch.manual_seed(p.seed)
    begun = dict(Network(p).named_parameters())  # as the training's were
    first, *_, last = ((weight != begun[name]).any() for name, weight in trained.network.named_parameters())
    assert first
    assert last


# ---- a wrong file


def test_an_unknown_recipe_is_answered_with_the_known_ones():
    with pytest.raises(UserError, match=r"no recipe 'xceptio'; there are: cnn_bilstm, .*xception") as error:
        recipes.load("xceptio", FOLDER)
    assert error.value.hint == "did you mean 'xception'?"


def test_the_defaults_are_no_recipe():
    with pytest.raises(UserError, match="no recipe 'defaults'"):
        recipes.load("defaults", FOLDER)


def test_a_folder_without_recipes_is_named(tmp_path):
    with pytest.raises(UserError, match=f"no recipes in {tmp_path}"):
        recipes.names(tmp_path)


def test_a_recipe_with_an_unknown_section_is_refused(tmp_path):
    (tmp_path / "odd.yaml").write_text("about: odd\ntrain: {}\ndemo: {}\ntrian: {}\n")
    with pytest.raises(UserError, match="trian: no such key"):
        recipes.load("odd", tmp_path)
