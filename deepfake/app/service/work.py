"""work: what crosses into a worker process and back; PyTorch is imported there alone."""

import errno
import gc
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from deepfake.app.service import bounds, gate
from deepfake.app.service.gate import Facts
from deepfake.app.service.limits import Limits
from deepfake.app.service.refusal import Refused
from deepfake.base.errors import UserError

T = TypeVar("T")
MUCH = 0.25  # part of its memory that was used, from which on an error is taken for a lack of it
logger = logging.getLogger("deepfake.service")


@dataclass(frozen=True)
class Asked:
    """A detector that is to judge."""

    folder: Path
    sha256: str  # of its card


@dataclass(frozen=True)
class Task:
    """A video to be judged."""

    path: Path
    scratch: Path  # a folder for what is made on the way
    name: str  # that the video is said to have
    sha256: str
    models: Mapping[str, Asked]  # by name
    anew: bool = False  # whatever was said of it before
    log: bool = False  # the log is asked first, and told
    pictures: bool = False  # are wanted, of frames and faces


@dataclass(frozen=True)
class Result:
    """What one model says of a video."""

    facts: dict[str, Any]  # as JSON has it
    frames: bytes = b""  # some of those that were looked at, side by side, JPEG; where pictures are wanted
    faces: dict[int, bytes] = field(default_factory=dict)  # track -> some of its faces likewise
    heat: bytes = b""  # where in the faces of the loudest track it is that speaks for the score


@dataclass(frozen=True)
class Order:
    """Something more that is to be made of a video which was judged: see making.KINDS."""

    kind: str
    task: Task
    model: str
    facts: dict[str, Any]  # what the model said of it
    target: Path
    most: int  # bytes


def looked(path: Path, limits: Limits, memory: int) -> Facts:
    """See gate.look; with so many bytes of memory beside those that the process has at its first look."""
    _bounded(memory)
    return gate.look(path, limits)


def ready(folders: tuple[Path, ...], memory: int) -> bool:
    """Load the detectors once a process; then bound its memory to so many bytes beside them. Raises UserError."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # its own one takes a GiB of addresses at first use
    from deepfake.app.service import judge

    for folder in folders:
        judge.detector(folder)
    return _bounded(memory)


def judged(task: Task, folders: tuple[Path, ...], memory: int) -> list[Result]:
    """See judge.judge; with the detectors of all folders at hand. Raises UserError, or Refused for all else."""
    from deepfake.app.service import judge

    ready(folders, memory)
    return _told(lambda: judge.judge(task), task.name, memory)


def make(order: Order, folders: tuple[Path, ...], memory: int) -> int:
    """See making.make: how many bytes it has. Raises UserError, or Refused for all else."""
    from deepfake.app.service import making

    ready(folders, memory)
    with bounds.files(order.most):
        _told(lambda: making.make(order), order.task.name, memory)
    return order.target.stat().st_size


def _told(work: Callable[[], T], name: str, memory: int) -> T:
    """What the work gives. Raises UserError, or Refused, which says in words what went wrong."""
    before = bounds.forget_peak()
    try:
        return work()
    except (UserError, Refused):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            raise Refused("too_large", "it would be larger than a file may be") from None
        logger.exception("work on %r failed", name)
        heavy = isinstance(error, MemoryError) or bounds.peak() - before > memory * MUCH  # each library says it its way
        kind = type(error).__name__
    gc.collect()  # what the frames of an error hold would be lacking to the next video
    if heavy:
        raise Refused("too_heavy", "it takes more memory than a video may")
    raise Refused("failed", f"an error inside: {kind}")


@cache
def _bounded(memory: int) -> bool:
    bounds.memory(memory)
    return True
