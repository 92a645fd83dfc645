"""predict: the whole chain on one video, through the same functions and files as the stages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from deepfake import clips, detect, extract
from deepfake.base.items import Item, content
from deepfake.base.params import Params
from deepfake.base.tables import DIGITS
from deepfake.dataset.videos import USABLE
from deepfake.filter import FilterParams, judge
from deepfake.inference import Detector, load
from deepfake.scores import THRESHOLD
from deepfake.video import Images

MEANS = ["difference", "sharpness"]  # of the good faces, as baselines want them


@dataclass(frozen=True)
class Track:
    """What is said of one face through a video."""

    track: int
    score: float  # P(fake)
    faces: int  # that were good enough to look at
    start: float  # s, of the first of them
    end: float  # s, of the last


@dataclass(frozen=True)
class Prediction:
    """What is said of a video. Without a score where it cannot be said: `status` and `reason` tell why."""

    path: str
    status: str  # ok, truncated, decode_error, no_video, missing, no_face or too_few_faces
    reason: str
    score: float | None  # P(fake), calibrated
    verdict: str | None  # "fake" or "real" by the threshold; "inconclusive" of a detector that learnt nothing
    threshold: float
    tracks: tuple[Track, ...]

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON would have it."""
        return asdict(self)


@dataclass(frozen=True)
class Prepared:
    """A video's good faces by track, and what became of it on the way; pictures are there to be shown."""

    status: str
    reason: str
    faces: pd.DataFrame  # as detect and filter leave them
    images: dict[int, Images]  # track -> (T, size, size, 3) uint8 RGB, mapped from files: memory is bounded
    about: dict[str, Any] = field(default_factory=dict)  # what extract says of the video: a row of its table


@contextmanager
def prepared(path: Path, detector: Detector) -> Iterator[Prepared]:
    """The good faces of a video, extracted, detected and filtered as for the training of this detector.

    Its files are there within the block.
    """
    with TemporaryDirectory() as folder:
        yield prepare(path, detector, Path(folder))


def prepare(path: Path, detector: Detector, scratch: Path) -> Prepared:
    """The good faces of a video, their files in an empty folder."""
    policy = extract.Policy.model_validate(detector.params["extract"])
    frames, folder = scratch / extract.FRAMES, scratch / "faces"
    row = extract.keep(path, frames, policy)
    if row["status"] not in USABLE:
        return Prepared(row["status"], row["reason"], pd.DataFrame(), {}, row)
    folder.mkdir()
    rows = detect.tracks(frames, folder, detect.DetectParams.model_validate(detector.params["detect"]))
    if not rows:
        return Prepared("no_face", f"no face in {row['kept']} frames", pd.DataFrame(), {}, row)
    found = pd.DataFrame(rows).assign(video_id=str(path))
    judged = judge(found, FilterParams.model_validate(detector.params["filter"]))
    good = judged[judged["reason"] == ""]
    if good.empty:
        said = ", ".join(f"{count} {reason}" for reason, count in judged["reason"].value_counts().items())
        return Prepared("too_few_faces", f"none of {len(judged)} faces is good: {said}", judged, {}, row)
    images = {
        int(track): clips.save(folder / f"{track}.npy", folder / f"{track}.mkv", positions.tolist())
        for track, positions in good.groupby("track")["position"]
    }
    return Prepared(row["status"], row["reason"], judged, images, row)


def predict(path: Path, detector: Detector) -> Prediction:
    """Score one video. Never raises for a bad video: it says why there is no score."""
    with prepared(path, detector) as video:
        return scored(path, video, detector)


def scored(path: Path, video: Prepared, detector: Detector) -> Prediction:
    """What the detector says of a prepared video."""
    about = (str(path), video.status, video.reason)
    if not video.images:
        return Prediction(*about, None, None, THRESHOLD, ())
    good = video.faces[video.faces["reason"] == ""].groupby("track")["time"]
    voices = {track: detector.track(images) for track, images in video.images.items()}
    tracks = tuple(
        Track(track, round(detector.score([one]), DIGITS), one.faces, float(t.min()), float(t.max()))
        for (track, one), (_, t) in zip(voices.items(), good, strict=True)
    )
    score = round(detector.score(list(voices.values())), DIGITS)
    if detector.untrained:
        reason = f"this detector did not learn to tell fakes: {detector.untrained}"
        return Prediction(str(path), video.status, reason, score, "inconclusive", THRESHOLD, tracks)
    return Prediction(*about, score, detector.verdict(score), THRESHOLD, tracks)


def work(item: Item, folder: Path, p: Params) -> dict[str, Any]:
    """One video as an item of the store: what extract says of it, its MEANS, and its score or why there is none."""
    path, detector = item.inputs[0], loaded(item.args["detector"])
    with prepared(path, detector) as video:
        said = scored(path, video, detector)
        good = video.faces[video.faces["reason"] == ""] if len(video.faces) else pd.DataFrame(columns=MEANS)
    digest = content(path)
    row = video.about | {"sha256": digest if len(digest) == 64 else ""}  # else it says why there is none
    row |= {name: float(good[name].mean()) for name in MEANS}
    return row | {"status": said.status, "reason": said.reason, "score": said.score, "verdict": verdict(said, detector)}


def verdict(said: Prediction, detector: Detector) -> str | None:
    """What the frozen threshold makes of a score, as a test counts it, of a detector that learnt nothing too."""
    return None if said.score is None else detector.verdict(said.score)


@cache
def loaded(folder: str) -> Detector:
    """The detector of a folder, once a process."""
    return load(Path(folder))
