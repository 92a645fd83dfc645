"""recipes: the published systems, each a small file of the params that make it."""

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from deepfake.base.errors import UserError, unknown
from deepfake.base.params import Params, check

Values = dict[str, Any]


class Recipe(Params):
    """What differs from params.yaml, by section."""

    about: str  # in one line
    extract: Values = Field(default_factory=dict)
    detect: Values = Field(default_factory=dict)
    filter: Values = Field(default_factory=dict)
    augment: Values = Field(default_factory=dict)
    train: Values
    demo: Values  # of train: what is reduced for the demo on a CPU, without pretrained weights

    def overrides(self, demo: bool = False) -> list[str]:
        """The settings as `dvc exp run -S` takes them; for the demo, those of train alone, and reduced."""
        sections = {"train": self.train | self.demo} if demo else self.model_dump(exclude={"about", "demo"})
        return [f"{section}.{key}={text(value)}" for section, some in sections.items() for key, value in some.items()]


def names(folder: Path = Path("recipes")) -> list[str]:
    """The recipes of a folder, sorted. Raises UserError where there is none."""
    found = sorted(file.stem for file in folder.glob("*.yaml"))
    if not found:
        raise UserError(f"no recipes in {folder.absolute()}", "run the command in the folder of the pipeline")
    return found


def load(name: str, folder: Path = Path("recipes")) -> Recipe:
    """The recipe of this name. Raises UserError that lists the choices."""
    if name not in names(folder):
        raise unknown("recipe", name, names(folder))
    path = folder / f"{name}.yaml"
    return check(yaml.safe_load(path.read_text(encoding="utf-8")), Recipe, where=str(path))


def text(value: Any) -> str:
    """The value as YAML says it in one word."""
    return value if isinstance(value, str) else json.dumps(value)
