"""watch: the videos that arrive in a folder, each when it is whole."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from deepfake.dataset.files import walk
from deepfake.video import IMAGES, SUFFIXES

EVERY = 1.0  # s between two looks
STILL = 2.0  # s that a file must not have grown, nor been written to


def arrivals(folder: Path, sleep: Callable[[float], None] = time.sleep) -> Iterator[Path]:
    """The videos and pictures below a folder, those that are there and then those that come, without end.

    Each once, when its size and its time of change have stood still for STILL s; again if it is written anew.
    """
    known: dict[Path, tuple[int, int]] = {}  # as it was given
    waiting: dict[Path, tuple[tuple[int, int], float]] = {}  # as it was seen last, and for how many seconds so
    while True:
        states = {path: state for name in walk(folder, SUFFIXES | IMAGES).files if (state := of(path := folder / name))}
        waiting = {path: seen for path, seen in waiting.items() if path in states}
        for path, state in states.items():
            if known.get(path) == state:
                continue
            before, still = waiting.get(path, (None, 0.0))
            still = still + EVERY if before == state else 0.0
            waiting[path] = (state, still)
            if still >= STILL:
                del waiting[path]
                known[path] = state
                yield path
        sleep(EVERY)


def of(path: Path) -> tuple[int, int] | None:
    """Size and time of change of a file; None where it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
