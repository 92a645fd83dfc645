"""desk: takes uploads, looks at each, has it judged by a fixed number of workers, keeps what they say for a while."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from deepfake.app.service import extras, work
from deepfake.app.service.gate import Facts
from deepfake.app.service.inbox import Inbox, Upload, declared
from deepfake.app.service.jobs import Job, outcome
from deepfake.app.service.limits import MB, Limits
from deepfake.app.service.models import Model
from deepfake.app.service.pool import Pool
from deepfake.app.service.refusal import Refused
from deepfake.app.service.shelf import Shelf

LOOK_SECONDS, LOOK_MEMORY = 20, 600 * MB  # for what is looked at before it is judged
READY_SECONDS = 300  # for the detectors to be loaded
RETRY = 5  # s, after which a desk that is full may be asked again


class Place:
    """Room for one video, from before its first byte until it is removed."""

    def __init__(self, desk: "Desk", client: str, size: int) -> None:
        self.client, self.size = client, size
        self._desk = desk

    def leave(self) -> None:
        """Give it back; twice is as once."""
        self._desk.left(self)


class Desk:
    """Where videos are handed in. Every function may be called from any thread."""

    def __init__(self, models: Mapping[str, Model], limits: Limits, log: bool = False, pictures: bool = False) -> None:
        self.models, self.limits, self.log, self.pictures = dict(models), limits, log, pictures
        self.inbox = Inbox(limits)
        self._lock, self._closed = threading.RLock(), False  # a call that is cancelled says so at once
        self._places: set[Place] = set()
        self._shelf = Shelf(limits, self._lock, lambda: sum(place.size for place in self._places))
        self._lookers, self._workers = Pool(1), Pool(limits.workers)
        self._worker = tuple(model.folder for model in models.values()), limits.memory_megabytes * MB

    def ready(self) -> None:
        """Wait until a worker has loaded the detectors. Raises UserError where it cannot."""
        self._workers.call(work.ready, self._worker, READY_SECONDS).result()

    def chosen(self, names: Sequence[str]) -> tuple[str, ...]:
        """The models of these names, all without any. Raises Refused for one that there is not."""
        if unknown := [name for name in names if name not in self.models]:
            raise Refused("invalid", f"no model {unknown[0]!r}; there are: {', '.join(self.models)}")
        return tuple(dict.fromkeys(names)) or tuple(self.models)

    def enter(self, client: str, size: int | None = None) -> Place:
        """Room for a video of so many bytes, if they are known, before it is sent. Raises Refused where there is none.

        Also for what is more than the whole bound, at once.
        """
        declared(size or 0, self.limits)
        place = Place(self, client, size or self.limits.bytes)
        with self._lock:
            own = Counter(place.client for place in self._places)[client]
            stored = sum(place.size for place in self._places) + place.size
            if own >= self.limits.per_client:
                raise Refused("too_many", f"{own} videos of yours are not finished, and no more are taken", RETRY)
            if len(self._places) >= self.limits.queue:
                raise Refused("busy", f"{len(self._places)} videos are not finished, and no more are taken", RETRY)
            if stored > self.limits.stored_megabytes * MB:
                raise Refused("busy", "the room for uploads is full", RETRY)
            self._shelf.tidy(place.size)
            self._places.add(place)
        return place

    def left(self, place: Place) -> None:
        """The room is free again."""
        with self._lock:
            self._places.discard(place)

    def take(self, upload: Upload, place: Place, names: Sequence[str], anew: bool = False, more: bool = False) -> Job:
        """Look at a whole upload, and have it judged; it is removed when that is over, or where it is refused.

        `more`: extras are made of it first, and kept as long as what is said. Blocks while it is looked at. Raises
        Refused, with the reason.
        """
        try:
            models = self.chosen(names)
            digest = upload.finish()
            if not (anew or more) and (before := self._shelf.known(digest, models)):
                job = before.again(upload.name)
                upload.remove()
                place.leave()
            else:
                job = Job.of(upload, digest, models, self._look(upload))
                self._hand_over(job, upload, place, anew, more)
        except BaseException:
            upload.remove()
            place.leave()
            raise
        self._shelf.put(job)
        return job

    def job(self, name: str) -> Job:
        """The job of this id. Raises Refused where there is none, or none any more."""
        return self._shelf.get(name)

    def remove(self, name: str) -> None:
        """Forget a job; where it waits or runs it ends. Raises Refused where there is none."""
        self._shelf.remove(name)

    def before(self, job: Job) -> int:
        """How many videos are to be judged before this one."""
        return self._shelf.before(job)

    def health(self) -> dict[str, Any]:
        """How much is being done."""
        with self._lock:
            places = len(self._places)
        states = self._shelf.states()
        return {"status": "ok", "taken": places, "queue": self.limits.queue} | {
            state: states[state] for state in ("waiting", "running")
        }

    def close(self) -> None:
        """End all work, and remove every upload; twice is as once."""
        if self._closed:
            return
        self._closed = True
        self._shelf.close()
        for pool in (self._lookers, self._workers):
            pool.close()
        self.inbox.close()

    def _look(self, upload: Upload) -> Facts:
        call = self._lookers.call(work.looked, (upload.path, self.limits, LOOK_MEMORY), LOOK_SECONDS)
        return outcome(call, "too_heavy", f"looking at it took more than {LOOK_SECONDS} s")

    def _hand_over(self, job: Job, upload: Upload, place: Place, anew: bool, more: bool) -> None:
        asked = {name: work.Asked(self.models[name].folder, self.models[name].sha256) for name in job.models}
        task = work.Task(upload.path, job.scratch, upload.name, job.sha256, asked, anew, self.log, self.pictures)
        call = self._workers.call(work.judged, (task, *self._worker), self.limits.timeout)
        slow = f"it took more than {self.limits.timeout:g} s"

        def ended(_: object) -> None:
            try:
                results, refused = outcome(call, "timeout", slow), None
            except Refused as error:
                results, refused = [], error
            if more and results:
                job.extras = extras.of(task, results, upload.extras, self.limits.bytes)
                job.finish(results, refused)
                extras.make(job, call_for, self.limits.timeout, free, self._shelf.tidy)
            else:
                upload.remove()
                place.leave()
                job.finish(results, refused)

        def call_for(order: work.Order) -> "Future[int]":
            return self._workers.call(work.make, (order, *self._worker), self.limits.timeout)

        def free() -> None:
            if job.unwanted:
                upload.remove()
            else:
                upload.clear()
            place.leave()
            self._shelf.tidy_later()

        job.started(call)
        call.add_done_callback(ended)
