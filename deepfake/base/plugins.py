"""plugins: a file's name is its name in params.yaml; there is no list to keep."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from deepfake.base.errors import unknown


def names(kind: str) -> list[str]:
    """The plugins of a kind ("detectors", "models.heads", ...), sorted."""
    folder = Path(__file__).parents[1].joinpath(*kind.split("."))
    return sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_"))


def load(kind: str, name: str) -> ModuleType:
    """The plugin's module. Raises UserError that lists the choices."""
    if name not in names(kind):
        raise unknown(kind.rpartition(".")[2].removesuffix("s"), name, names(kind))
    return import_module(f"deepfake.{kind}.{name}")
