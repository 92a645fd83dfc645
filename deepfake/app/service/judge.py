"""judge: one video by one detector or several, in a worker process: what each says, and what is shown of it.

The one place that calls predict: whatever a Prediction holds is handed on as it is.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepfake import explain, inference
from deepfake.app.log import answers, door
from deepfake.app.service.pictures import Glimpse, glimpse, jpeg, spread
from deepfake.app.service.work import Asked, Result, Task
from deepfake.base.errors import UserError
from deepfake.predict import Prepared, along, load, prepare, scored
from deepfake.prediction import Prediction

if TYPE_CHECKING:
    from deepfake.app.log.book import Log

SCORED, NOT_APPLICABLE = "SCORED", "NOT_APPLICABLE"


@cache
def detector(folder: Path) -> inference.Detector:
    """The detector of a folder, loaded once a process."""
    return load(folder)


@cache
def log() -> tuple["Log", str]:
    """The log of this process, and this version of us; see answers. Raises UserError."""
    return door.opened(), answers.version()


def judge(task: Task) -> list[Result]:
    """What each model says of the video, in their order; its faces are looked for once for all that want them alike."""
    results: dict[str, Result] = {}
    for names in _alike(task.models):
        sight = Sight(task.path, detector(task.models[names[0]].folder), task.scratch / str(len(results)))
        for name in names:
            results[name] = _result(task, name, sight)
        shutil.rmtree(sight.scratch, ignore_errors=True)
    return [results[name] for name in task.models]


@dataclass
class Sight:
    """A video as some detectors want it, made when the first of them asks."""

    path: Path
    detector: inference.Detector
    scratch: Path

    @cached_property
    def video(self) -> Prepared:
        """Its faces; the files are in scratch."""
        self.scratch.mkdir(parents=True)
        return prepare(self.path, self.detector, self.scratch)


@dataclass
class Looking(answers.Scorer):
    """A detector that looks at the sight of a video."""

    sight: Sight | None = None

    def __call__(self, path: Path) -> Prediction:
        """What predict says of it, of faces that are found once for several detectors."""
        if self.sight is None:
            return super().__call__(path)
        own = detector(self.folder)
        return along(scored(path, self.sight.video, own), path, own)


def _result(task: Task, name: str, sight: Sight) -> Result:
    model = task.models[name]
    began = time.perf_counter()
    looking = Looking(model.folder, or_builtin=False, sight=sight)
    if task.log:
        book, version = log()
        prediction = answers.Logged(looking, book, model.sha256, version, task.anew)(task.path, task.name)
    else:
        prediction = looking(task.path)
    looked = "video" in vars(sight)  # else all that is known is what the log holds
    facts = told(name, prediction) | {"boxes": boxes(sight.video) if looked else None}
    facts["seconds"] = round(time.perf_counter() - began, 3)
    if not (task.pictures and looked):
        return Result(facts)
    faces = {track: spread(images) for track, images in sight.video.images.items()}
    seen = glimpse(sight.scratch, Glimpse())
    return Result(facts, seen.frames, faces, heat(prediction, sight.video, detector(model.folder)))


def heat(prediction: Prediction, video: Prepared, judge: inference.Detector) -> bytes:
    """The faces of the track that speaks loudest, and where in them, as JPEG; nothing where that cannot be shown."""
    if prediction.score is None:
        return b""
    score = prediction.score
    track = min(prediction.tracks, key=lambda track: abs(track.score - score))
    try:
        rows = {f"face {track.track}": explain.loudest(judge, video.images[track.track], track)}
    except UserError:  # its networks see clips whole
        return b""
    return jpeg(explain.strip(rows))


def told(name: str, prediction: Prediction) -> dict[str, Any]:
    """What a model says as JSON has it: all of the prediction but the file's place."""
    facts = prediction.to_dict()
    del facts["path"]
    return {"model": name, "outcome": NOT_APPLICABLE if prediction.score is None else SCORED, **facts}


def boxes(video: Prepared) -> list[dict[str, Any]]:
    """Every face that was found, by time: px of the video as shown, and why it was not looked at, or ""."""
    if video.faces.empty:
        return []
    rows = video.faces.sort_values(["time", "track"], kind="stable")
    edges = (rows[["left", "top", "width", "height"]] * video.scale).round(1)
    about = rows[["time", "track"]].join(edges).assign(left_out=rows["reason"].astype(str))
    records: list[dict[str, Any]] = about.to_dict("records")
    return records


def _alike(models: Mapping[str, Asked]) -> Iterator[list[str]]:
    """The names of the models, those together that want a video prepared alike."""
    wants = {name: json.dumps(detector(model.folder).params, sort_keys=True) for name, model in models.items()}
    for _, names in groupby(sorted(wants, key=lambda name: wants[name]), key=lambda name: wants[name]):
        yield list(names)
