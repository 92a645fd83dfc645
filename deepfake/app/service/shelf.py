"""shelf: the jobs that are known: those on their way, and for a while what was said of others and made of them."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable

from deepfake.app.service.jobs import Job
from deepfake.app.service.limits import MB, Limits
from deepfake.app.service.refusal import Refused

UNWANTED, OLD, ROOM = "it is not wanted any more", "it was kept long enough", "it made room for others"


class Shelf:
    """Jobs by their ids. Every function may be called from any thread."""

    def __init__(self, limits: Limits, lock: "threading.RLock", uploads: Callable[[], int]) -> None:
        self.limits, self._lock = limits, lock
        self._uploads = uploads  # bytes that are kept for these, beside
        self._jobs: dict[str, Job] = {}
        self._timer = threading.Timer(0, self.tidy)

    def put(self, job: Job) -> None:
        """Add a job."""
        with self._lock:
            self.tidy()
            self._jobs[job.id] = job

    def get(self, name: str) -> Job:
        """The job of this id. Raises Refused where there is none, or none any more."""
        with self._lock:
            self.tidy()
            if name not in self._jobs:
                raise Refused("not_found", "there is no video of this id, or it is forgotten")
            return self._jobs[name]

    def remove(self, name: str) -> None:
        """Forget a job; where it waits or runs it ends. Raises Refused where there is none."""
        with self._lock:
            _drop(self.get(name), UNWANTED)
            self._jobs.pop(name, None)

    def known(self, digest: str, models: tuple[str, ...]) -> Job | None:
        """A job that judged the same bytes by the same models."""
        with self._lock:
            self.tidy()
            same = (job for job in self._jobs.values() if (job.sha256, job.models) == (digest, models))
            return next((job for job in same if job.state == "done"), None)

    def before(self, job: Job) -> int:
        """How many videos are to be judged before this one."""
        with self._lock:
            return sum(other.state == "waiting" and other.created < job.created for other in self._jobs.values())

    def states(self) -> Counter[str]:
        """How many jobs there are of each state."""
        with self._lock:
            return Counter(job.state for job in self._jobs.values())

    def tidy(self, coming: int = 0) -> None:
        """Forget what was kept long enough, or is too many, and remove the extras that leave no room for more bytes."""
        with self._lock:
            ended = sorted((job.ended, job.id) for job in self._jobs.values() if job.ended is not None)
            old = time.monotonic() - self.limits.keep_seconds
            room = self.limits.stored_megabytes * MB - self._uploads() - coming
            for number, (when, name) in enumerate(reversed(ended)):
                job = self._jobs[name]
                room -= job.held
                if number >= self.limits.kept or when < old:
                    _drop(self._jobs.pop(name), OLD)
                elif room < 0 and job.held:
                    _drop(job, ROOM)

    def tidy_later(self) -> None:
        """Tidy when what there is now was kept long enough, though nobody asks."""
        with self._lock:
            self._timer.cancel()
            self._timer = threading.Timer(self.limits.keep_seconds, self.tidy)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """Nothing is done later."""
        self._timer.cancel()


def _drop(job: Job, reason: str) -> None:
    """End what is done with a job, and remove what was made of it."""
    job.cancel(reason)
    if job.extras:
        shutil.rmtree(job.scratch.parent, ignore_errors=True)
