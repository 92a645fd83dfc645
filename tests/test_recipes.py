"""recipes: each published system is a whole set of params, that DVC takes from the command line."""

from pathlib import Path

import pytest
import yaml

from deepfake import recipes
from deepfake.augment import AugmentParams
from deepfake.base.errors import UserError
from deepfake.detect import DetectParams
from deepfake.extract import ExtractParams
from deepfake.filter import FilterParams
from deepfake.models.network import Network
from deepfake.models.weights import freeze
from deepfake.train import TrainParams

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "recipes"
USUAL = yaml.safe_load((ROOT / "params.yaml").read_text())
MODELS = {
    "extract": ExtractParams,
    "detect": DetectParams,
    "filter": FilterParams,
    "augment": AugmentParams,
    "train": TrainParams,
}
FREE = {"best", "sampling", "precision", "compile", "shuffle_labels", "seed", "seeds"}  # what no recipe says
PUBLISHED = {"cnn_bilstm", "spatial_temporal", "xception", "dilated_bilstm", "resnet50_bilstm", "time_distributed"}

every_recipe = pytest.mark.parametrize("name", recipes.names(FOLDER))


def test_all_of_the_published_systems_are_there():
    assert set(recipes.names(FOLDER)) > PUBLISHED


@every_recipe
def test_a_recipe_gives_valid_params(name):
    recipe = recipes.load(name, FOLDER)
    for section, values in recipe.model_dump(exclude={"about", "demo"}).items():
        assert MODELS[section].model_validate(USUAL[section] | values)
    assert set(recipe.demo) <= set(recipe.train)


@every_recipe
def test_a_recipe_trains_the_same_whatever_params_yaml_says(name):
    assert set(recipes.load(name, FOLDER).train) == set(TrainParams.model_fields) - FREE


@every_recipe
def test_a_recipe_reduced_for_the_demo_is_a_network_that_needs_no_download(name):
    recipe = recipes.load(name, FOLDER)
    p = TrainParams.model_validate(USUAL["train"] | recipe.train | recipe.demo)
    assert p.pretrained is False
    assert p.frames <= USUAL["extract"]["frames_per_video"]
    freeze(Network(p).encoder, p.trainable)


@every_recipe
@pytest.mark.parametrize("demo", [False, True])
def test_the_overrides_are_words_that_yaml_reads_back(name, demo):
    recipe = recipes.load(name, FOLDER)
    read: dict[str, dict[str, object]] = {}
    for override in recipe.overrides(demo):
        assert len(override.split()) == 1
        place, value = override.split("=")
        section, key = place.split(".")
        read.setdefault(section, {})[key] = yaml.safe_load(value)
    if demo:
        assert read == {"train": recipe.train | recipe.demo}
    else:
        whole = recipe.model_dump(exclude={"about", "demo"})
        assert read == {section: values for section, values in whole.items() if values}


def test_an_unknown_recipe_is_answered_with_the_known_ones():
    with pytest.raises(UserError, match=r"no recipe 'xceptio'; there are: cnn_bilstm, .*xception") as error:
        recipes.load("xceptio", FOLDER)
    assert error.value.hint == "did you mean 'xception'?"


def test_a_folder_without_recipes_is_named(tmp_path):
    with pytest.raises(UserError, match=f"no recipes in {tmp_path}"):
        recipes.names(tmp_path)


def test_a_recipe_with_an_unknown_section_is_refused(tmp_path):
    (tmp_path / "odd.yaml").write_text("about: odd\ntrain: {}\ndemo: {}\ntrian: {}\n")
    with pytest.raises(UserError, match="trian: no such key"):
        recipes.load("odd", tmp_path)
