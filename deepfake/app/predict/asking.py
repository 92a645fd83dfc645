"""asking: detectors are asked about videos, one after the other here or in several processes, and answer in order."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from deepfake.app.log.answers import scorer
from deepfake.app.predict.outputs import Answers
from deepfake.app.predict.several import Panel
from deepfake.base import parallel
from deepfake.video import Images

if TYPE_CHECKING:
    from deepfake.predict import Progress

EACH = 8  # videos of a process at least: it takes as long to start as some of them
DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))  # of GPUs: PyTorch, which could say, takes seconds to import


@dataclass(frozen=True)
class Question:
    """What is asked about each video."""

    detectors: tuple[Path | None, ...]
    log: bool | None
    anew: bool
    backend: str
    window: float  # s
    explain: bool

    def panel(self, progress: "Progress | None" = None, ready: bool = True) -> Panel:
        """Whom it is asked; `ready`: loaded. Raises UserError."""
        settings = (self.log, self.anew, self.backend, self.window, progress, ready)
        return Panel([scorer(folder, *settings) for folder in self.detectors])


@dataclass(frozen=True)
class Answer:
    """What is said of a video."""

    file: Path
    answers: Answers
    strips: Sequence[tuple[str, Images]]  # where the networks look, and what their files are to be called


def processes(videos: int) -> int:
    """How many processes so many videos are worth: JOBS, else one a core; on a GPU, whose memory each takes, one."""
    if os.environ.get("JOBS"):
        return min(parallel.jobs(), max(1, videos))
    gpu = (os.environ.get("DEVICE") or ("cuda" if any(driver.exists() for driver in DRIVERS) else "cpu")) != "cpu"
    return 1 if gpu else min(parallel.jobs(), max(1, videos // EACH))


def answers(files: Sequence[Path], question: Question, panel: Panel) -> Iterator[Answer]:
    """What is said of each file, in their order, as soon as it is said; `panel` is the one of this process."""
    if (count := processes(len(files))) == 1:
        bar = tqdm(files, unit="video", disable=None if len(files) > 1 else True)
        yield from (answer(file, question, panel) for file in bar)
        return
    names = replace(question, detectors=tuple(Path(plain.name) for plain in panel.plain))  # none stands in silently
    yield from parallel.each(partial(elsewhere, question=names), files, "predict", most=count)


def answer(file: Path, question: Question, panel: Panel) -> Answer:
    """What is said of a file."""
    told = panel(file)
    if not question.explain:
        return Answer(file, told, ())
    from deepfake.app.predict.explained import strips

    return Answer(file, told, list(strips(file, panel)))


def elsewhere(file: Path, question: Question) -> Answer:
    """What is said of a file in a process of its own, whose detectors stay for the next."""
    return answer(file, question, _panel(question))


@cache
def _panel(question: Question) -> Panel:
    return question.panel()
