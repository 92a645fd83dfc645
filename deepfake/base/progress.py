"""progress: how far each run is, in a small file beside the store, for whoever asks in another terminal."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from deepfake.base.cache import store

EVERY = 1.0  # s between two writings
LOST = 3600.0  # s after which a run on another machine that was not heard of is over


@dataclass(frozen=True)
class State:
    """How far a run is."""

    label: str  # of the stage: extract, detect ...
    unit: str  # of what is counted: videos, batches
    start: int  # what was done before this run
    done: int
    total: int
    frames: int  # that were looked at; 0 where nobody counts them
    began: float  # s since 1970
    told: float  # s since 1970, when this was written
    host: str
    pid: int

    @property
    def rate(self) -> float:
        """Units a second since the run began."""
        return (self.done - self.start) / max(self.told - self.began, 1e-3)

    @property
    def left(self) -> float | None:
        """Seconds that it still takes at this rate; None where it has none yet."""
        return (self.total - self.done) / self.rate if self.done > self.start else None


@contextmanager
def reported(label: str, total: int, unit: str = "videos", start: int = 0) -> Iterator[Callable[[int], None]]:
    """A function that counts one unit more, and the frames it had; what was counted can be asked for till the end."""
    file = _folder() / f"{socket.gethostname()}-{os.getpid()}-{label}.json"
    done, frames, began = start, 0, time.time()
    told = began

    def write() -> None:
        state = State(label, unit, start, done, total, frames, began, told, socket.gethostname(), os.getpid())
        with suppress(OSError):  # a store that cannot be written tells nobody, and the work goes on
            file.parent.mkdir(parents=True, exist_ok=True)
            new = file.with_suffix(".new")
            new.write_text(json.dumps(asdict(state)), encoding="utf-8")
            new.replace(file)

    def step(more: int = 0) -> None:
        nonlocal done, frames, told
        done, frames = done + 1, frames + more
        if time.time() - told >= EVERY:
            told = time.time()
            write()

    write()
    try:
        yield step
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def running() -> list[State]:
    """The runs that tell of themselves and still live, by when they began; the files of dead ones are removed."""
    states = []
    for file in sorted(_folder().glob("*.json")):
        try:
            state = State(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # it ended just now, or is of another version
            continue
        if _lives(state):
            states.append(state)
        else:
            file.unlink(missing_ok=True)
    return sorted(states, key=lambda state: (state.began, state.label))


def _folder() -> Path:
    return store() / ".progress"


def _lives(state: State) -> bool:
    if state.host != socket.gethostname():
        return time.time() - state.told < LOST
    try:
        os.kill(state.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
