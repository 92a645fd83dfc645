"""resume: a training that was killed goes on, one that is done is not done again, and two equal ones do not meet.

Each training has a folder in the item store, under a key of all that shapes it, outside of the outs.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from lightning.pytorch.callbacks import Callback
from torch import distributed as dist

from deepfake.base import items
from deepfake.base.disk import aside
from deepfake.base.errors import UserError
from deepfake.learning.devices import is_first
from deepfake.models.weights import BROKEN

Checkpoint = dict[str, Any]


@dataclass(frozen=True)
class State:
    """The folder of a training."""

    folder: Path

    @property
    def last(self) -> Path:
        """The checkpoint of its last whole epoch, to go on from."""
        return self.folder / "last.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint of its best epoch so far."""
        return self.folder / "best.ckpt"

    @property
    def done(self) -> Path:
        """What came of it: state_dict, epoch and curves."""
        return self.folder / "done.ckpt"

    def finish(self, curves: Path) -> None:
        """Keep the best epoch and the curves, whole or not at all, and nothing else."""
        if (best := read(self.best)) is None:
            raise UserError(
                "the training kept no epoch: its validation was never a number", "lower train.learning_rate"
            )
        with aside(self.done) as new:
            torch.save({name: best[name] for name in ("state_dict", "epoch")} | {"curves": collected(curves)}, new)
        for file in (self.best, self.last):
            file.unlink()


@contextmanager
def state(shape: Any) -> Iterator[State]:
    """The folder of the training of this shape, JSON; an equal training of another process is waited for."""
    key = sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
    folder = items.store() / "train" / key
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if is_first():  # the others of its ranks train with it
            stack.enter_context(FileLock(folder / "lock"))
        yield State(folder)


def read(path: Path) -> Checkpoint | None:
    """The checkpoint of a file, None where there is none, or one that cannot be read: that is said, and it goes."""
    if not path.is_file():
        return None
    try:
        checkpoint: Checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    except BROKEN as error:
        print(f"train: {path} cannot be read ({type(error).__name__}): the training begins anew", file=sys.stderr)
        path.unlink(missing_ok=True)
        return None
    return checkpoint


def collected(curves: Path) -> dict[str, str]:
    """The files of the curves of one training, by name; those of further seeds lie in folders of their own."""
    files = sorted(path for path in curves.rglob("*") if path.is_file())
    names = {path.relative_to(curves).as_posix(): path for path in files}
    return {name: path.read_text() for name, path in names.items() if not name.startswith("seed_")}


def restore(curves: dict[str, str], folder: Path) -> None:
    """Write the curves of a checkpoint."""
    for name, text in curves.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Curves(Callback):
    """The curves so far travel with the checkpoint: DVC empties their folder before a stage begins anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: Checkpoint) -> None:
        checkpoint["curves"] = collected(self.folder)


def generators() -> list[dict[str, Any]]:
    """The states of the generators that dropout draws from, of every rank; all ranks have to call it."""
    own = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}
    if not (dist.is_available() and dist.is_initialized()):
        return [own]
    everyones: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyones, own)
    return everyones


def set_generators(states: list[dict[str, Any]], rank: int) -> None:
    """Go on with the generators of a rank."""
    torch.set_rng_state(states[rank]["cpu"])
    if states[rank]["cuda"]:
        torch.cuda.set_rng_state_all(states[rank]["cuda"])
