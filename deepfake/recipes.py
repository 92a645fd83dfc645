"""recipes: the published systems, each a small file of what differs from recipes/defaults.yaml."""

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from deepfake.base.errors import UserError, unknown
from deepfake.base.params import P, Params, check

Values = dict[str, Any]
DEFAULTS = "defaults"  # the file of what the recipes stand on


class Settings(Params):
    """Some of params.yaml, by section."""

    extract: Values = Field(default_factory=dict)
    detect: Values = Field(default_factory=dict)
    filter: Values = Field(default_factory=dict)
    split: Values = Field(default_factory=dict)
    augment: Values = Field(default_factory=dict)
    train: Values
    calibrate: Values = Field(default_factory=dict)

    def sections(self) -> dict[str, Values]:
        """The settings by section."""
        return {name: getattr(self, name) for name in Settings.model_fields}


class Recipe(Settings):
    """What makes a system."""

    about: str  # in one line
    demo: Values  # of train: what is reduced for the demo on a CPU, without pretrained weights

    def overrides(self, demo: bool = False) -> list[str]:
        """The settings as `dvc exp run -S` takes them; for the demo, those of train alone, and reduced."""
        sections = {"train": self.train | self.demo} if demo else self.sections()
        return [f"{name}.{key}={text(value)}" for name, values in sections.items() for key, value in values.items()]


def names(folder: Path = Path("recipes")) -> list[str]:
    """The recipes of a folder, sorted. Raises UserError where there is none."""
    stems = sorted({file.stem for file in folder.glob("*.yaml")} - {DEFAULTS})
    if not stems:
        raise UserError(f"no recipes in {folder.absolute()}", "run the command in the folder of the pipeline")
    return stems


def load(name: str, folder: Path = Path("recipes")) -> Recipe:
    """The recipe of this name, on the defaults of its folder. Raises UserError that lists the choices."""
    if name not in names(folder):
        raise unknown("recipe", name, names(folder))
    recipe = _read(folder / f"{name}.yaml", Recipe)
    base = _read(folder / f"{DEFAULTS}.yaml", Settings).sections()
    return recipe.model_copy(update={name: base[name] | own for name, own in recipe.sections().items()})


def text(value: Any) -> str:
    """The value as YAML says it in one word."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _read(path: Path, model: type[P]) -> P:
    return check(yaml.safe_load(path.read_text(encoding="utf-8")), model, where=str(path))
