"""models: the detectors that a service offers, each by a name, and what is known of them without PyTorch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake import bundle
from deepfake.bundle import BUILTIN

USUAL = Path("models/detector")


@dataclass(frozen=True)
class Model:
    """A trained detector, by name."""

    name: str
    folder: Path
    sha256: str  # of its card, which holds the hashes of all its other files
    about: dict[str, Any]  # as JSON has it

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON would have it."""
        return {"name": self.name, "sha256": self.sha256} | self.about


def load(folders: Sequence[Path]) -> dict[str, Model]:
    """The detectors of these folders, each by the name of its own, or by its whole path where two are called alike.

    Without any, the pipeline's where there is one, else what is shipped. Raises UserError where one is broken.
    """
    folders = list(dict.fromkeys(folders)) or [USUAL if USUAL.exists() else BUILTIN]
    homes = [bundle.home(folder) for folder in folders]
    names = [folder.resolve().name for folder in homes]
    own = [name if names.count(name) == 1 else str(home) for name, home in zip(names, homes, strict=True)]
    return {name: _model(name, home) for name, home in zip(own, homes, strict=True)}


def _model(name: str, folder: Path) -> Model:
    card, networks = bundle.read(folder), bundle.read_networks(folder)
    settings = [member.settings for member in networks.members]
    about = {
        "networks": [{key: setting[key] for key in ("encoder", "head", "frames", "side")} for setting in settings],
        "untrained": card.validation["untrained"],  # why it cannot be trusted, or ""
        "validation": card.validation,
        "scope": card.scope and card.scope.model_dump(mode="json"),  # on what it was measured, or None
        "origin": card.origin.model_dump(mode="json"),  # what it was made of
        "params": card.params,  # how videos are prepared for it
        "doubt": card.scoring.doubt,  # nearer to even odds than this, in natural logarithms, nothing is said
    }
    return Model(name, folder, hashlib.sha256((folder / bundle.CARD).read_bytes()).hexdigest(), about)
