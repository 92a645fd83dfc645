"""left_out: experiments as commands, one for each thing that is left out of training."""

import re
import shlex
from collections.abc import Sequence
from enum import Enum
from pathlib import Path


class OneOf(Enum):
    """What can be left out, one after the other."""

    method = "method"
    dataset = "dataset"


def queue(kind: str, settings: Sequence[str], splits: Path = Path("data/splits.csv")) -> list[str]:
    """A command for each method or dataset that queues an experiment without it, these settings beside."""
    from deepfake.dataset.videos import read
    from deepfake.measures.protocol import one_left_out

    lines = []
    for name, held_out in one_left_out(read(splits), "method" if kind == "method" else "dataset").items():
        word = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
        call = ["dvc", "exp", "run", "--queue", "--name", f"without-{word}"]
        lines.append(shlex.join([*call, *(part for setting in (*settings, held_out) for part in ("-S", setting))]))
    return lines
