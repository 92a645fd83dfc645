"""jobs: a video that was taken, on its way to what is said of it."""

import logging
import secrets
import time
from concurrent.futures import CancelledError, Future
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pebble import ProcessExpired

from deepfake.app.service.gate import Facts
from deepfake.app.service.inbox import SCRATCH, Upload
from deepfake.app.service.refusal import Refused
from deepfake.app.service.work import Result
from deepfake.base.errors import UserError

if TYPE_CHECKING:
    from deepfake.app.service.extras import Extra

State = Literal["waiting", "running", "done", "failed"]
T = TypeVar("T")
logger = logging.getLogger("deepfake.service")


@dataclass(eq=False)
class Job:
    """A video that was taken."""

    name: str
    size: int  # bytes
    sha256: str
    models: tuple[str, ...]
    facts: Facts
    scratch: Path  # where the files are that are made on the way
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))  # who does not know it cannot ask
    taken: datetime = field(default_factory=lambda: datetime.now(UTC))
    created: float = field(default_factory=time.monotonic)
    ended: float | None = None  # by the clock of `created`
    results: tuple[Result, ...] = ()
    refused: Refused | None = None
    extras: tuple["Extra", ...] = ()  # what is made of it beside
    unwanted: bool = False
    finished: "Future[None]" = field(default_factory=Future)
    _call: "Future[list[Result]] | None" = None

    @classmethod
    def of(cls, upload: Upload, sha256: str, models: tuple[str, ...], facts: Facts) -> "Job":
        """A job of a whole upload."""
        return cls(upload.name, upload.size, sha256, models, facts, upload.folder / SCRATCH)

    @property
    def state(self) -> State:
        """Where it is."""
        if self.ended is not None:
            return "failed" if self.refused else "done"
        return "running" if self._call is not None and self._call.running() else "waiting"

    def started(self, call: "Future[list[Result]]") -> None:
        """Somebody works on it."""
        self._call = call

    def finish(self, results: list[Result], refused: Refused | None) -> None:
        """It is over: what was said, or why nothing was."""
        self.results, self.refused, self.ended = tuple(results), refused, time.monotonic()
        if not self.finished.done():
            self.finished.set_result(None)

    def cancel(self, reason: str = "it is not wanted any more") -> None:
        """It is not wanted any more, nor what is made of it beside."""
        self.unwanted = True
        if self._call is not None:
            self._call.cancel()
        for extra in self.extras:
            extra.cancel(reason)

    @property
    def held(self) -> int:
        """Bytes of what was made of it beside."""
        return sum(extra.size for extra in self.extras)

    def wait(self, seconds: float) -> bool:
        """Block until it is over; whether it is."""
        try:
            self.finished.result(seconds)
        except TimeoutError:
            return False
        return True

    def again(self, name: str) -> "Job":
        """The same answer, for the same bytes under another name."""
        over: Future[None] = Future()
        over.set_result(None)
        fresh = {"id": secrets.token_urlsafe(16), "taken": datetime.now(UTC), "created": time.monotonic(), "extras": ()}
        return replace(self, name=name, finished=over, ended=time.monotonic(), **fresh)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """The job as JSON has it."""
        facts: dict[str, Any] = {"id": self.id, "state": self.state, "name": self.name, "bytes": self.size}
        facts |= {"sha256": self.sha256, "time": self.taken.isoformat(timespec="seconds"), "video": asdict(self.facts)}
        facts |= {"models": list(self.models), "results": [result.facts for result in self.results]}
        return facts


def outcome(call: "Future[T]", late: str, reason: str) -> T:
    """What a call to another process came to. Raises Refused: `late`, with `reason`, where its time was up."""
    try:
        return call.result()
    except TimeoutError:
        raise Refused(late, reason) from None
    except CancelledError:
        raise Refused("cancelled", "it is not wanted any more") from None
    except UserError as error:
        logger.error("%s", error)
        raise Refused("failed", error.args[0]) from None
    except ProcessExpired as error:
        logger.error("a worker died: %s", error)
        raise Refused("too_heavy", "it ended the process that judged it") from None
    except Refused:
        raise
    except Exception as error:  # a bug of ours, or of a library: its traceback is for whoever runs the service
        logger.error("judging failed", exc_info=error)
        raise Refused("failed", f"an error inside: {type(error).__name__}") from None
