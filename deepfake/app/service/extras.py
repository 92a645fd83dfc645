"""extras: what is made of a video beside what is said of it, where that was asked for, or why it is not."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deepfake.app.service.jobs import Job, outcome
from deepfake.app.service.refusal import Refused
from deepfake.app.service.work import Order, Result, Task

KINDS = {"film": (".mp4", "video/mp4"), "case": (".zip", "application/zip")}  # how its name ends, and what it is
State = Literal["coming", "there", "failed"]


@dataclass(eq=False)
class Extra:
    """Something that is to be made of a video by what a model said of it."""

    order: Order
    size: int = 0  # bytes, once it is there
    refused: Refused | None = None  # why it is not, and will not be
    call: "Future[int] | None" = None

    @property
    def state(self) -> State:
        """Where it is."""
        if self.refused:
            return "failed"
        return "there" if self.size else "coming"

    def finish(self, seconds: float) -> None:
        """Its call is over: it is there, or why it is not."""
        try:
            size = outcome(self.call, "timeout", f"it took more than {seconds:g} s") if self.call else 0
        except Refused as error:
            self.refused = self.refused or error
        else:
            self.size = 0 if self.refused else size

    def cancel(self, reason: str) -> None:
        """It is not wanted any more."""
        self.refused, self.size = self.refused or Refused("cancelled", reason), 0
        if self.call:
            self.call.cancel()


def of(task: Task, results: Sequence[Result], folder: Path, most: int) -> tuple[Extra, ...]:
    """All that is to be made of a video that was judged, in a folder that goes when the job is forgotten."""
    return tuple(
        Extra(Order(kind, task, result.facts["model"], result.facts, folder / f"{kind}{number}{end}", most))
        for number, result in enumerate(results)
        for kind, (end, _) in KINDS.items()
    )


def make(
    job: Job, call: Callable[[Order], "Future[int]"], seconds: float, free: Callable[[], None], tidy: Callable[[], None]
) -> None:
    """Have the extras of a job made, one after the other: whoever waits for a verdict is before the next.

    `free` is called before the last is said to be over, so that who sees it finds the room of its video free, and maybe
    again; `tidy` after each.
    """

    def begin(rest: Sequence[Extra]) -> None:
        if job.unwanted or not rest:
            free()
            return
        extra = rest[0]
        try:
            extra.call = call(extra.order)
        except Refused as error:
            extra.call = Future()
            extra.call.set_exception(error)
        extra.call.add_done_callback(lambda _: ended(extra, rest[1:]))

    def ended(extra: Extra, rest: Sequence[Extra]) -> None:
        if job.unwanted or not rest:
            free()
        extra.finish(seconds)
        tidy()
        begin(rest)

    begin(job.extras)
