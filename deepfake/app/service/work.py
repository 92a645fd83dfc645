"""work: what crosses into a worker process and back; PyTorch is imported there alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from deepfake.app.service import bounds, gate
from deepfake.app.service.gate import Facts
from deepfake.app.service.limits import Limits


@dataclass(frozen=True)
class Task:
    """A video to be judged."""

    path: Path
    scratch: Path  # a folder for what is made on the way
    name: str  # that the video is said to have
    sha256: str
    models: Mapping[str, Path]  # name -> the detector's folder
    anew: bool = False  # whatever was said of it before


@dataclass(frozen=True)
class Result:
    """What one model says of a video."""

    said: dict[str, Any]  # as JSON has it
    pictures: dict[int, bytes] = field(default_factory=dict)  # track -> some of its faces side by side, JPEG


def looked(path: Path, limits: Limits, memory: int) -> Facts:
    """See gate.look; with so many bytes of memory beside those that the process has at its first look."""
    _bounded(memory)
    return gate.look(path, limits)


def ready(folders: tuple[Path, ...], memory: int) -> bool:
    """Load the detectors once a process; then bound its memory to so many bytes beside them. Raises UserError."""
    from deepfake.app.service import judge

    for folder in folders:
        judge.detector(folder)
    return _bounded(memory)


def judged(task: Task, folders: tuple[Path, ...], memory: int) -> list[Result]:
    """See judge.judge; with the detectors of all folders at hand."""
    from deepfake.app.service import judge

    ready(folders, memory)
    return judge.judge(task)


@cache
def _bounded(memory: int) -> bool:
    bounds.memory(memory)
    return True
