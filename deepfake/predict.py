"""predict: the whole chain on one video, through the same functions and files as the stages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from deepfake import clips, detect, extract
from deepfake import video as films
from deepfake.base.items import Item, content
from deepfake.base.params import Params
from deepfake.dataset.videos import USABLE
from deepfake.filter import FilterParams, judge
from deepfake.inference import Detector, load
from deepfake.measures import scoring
from deepfake.prediction import Prediction, Span, Track
from deepfake.scores import THRESHOLD, TrackScore
from deepfake.video import Images

MEANS = ["difference", "sharpness"]  # of the good faces, as baselines want them
SEEN = ("no_face", "too_few_faces")  # a video was looked at, and nothing can be said of it


@dataclass(frozen=True)
class Prepared:
    """A video's good faces by track, and what became of it on the way; pictures are there to be shown."""

    status: str
    reason: str
    faces: pd.DataFrame  # as detect and filter leave them
    images: dict[int, Images]  # track -> (T, size, size, 3) uint8 RGB, mapped from files: memory is bounded
    about: dict[str, Any] = field(default_factory=dict)  # what extract says of the video: a row of its table
    scale: float = 1.0  # px of the video as shown to a px of the frames that the faces were found in


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
    width = next(films.read(frames)).picture.width
    return Prepared(row["status"], row["reason"], judged, images, row, row["width"] / width)


def predict(path: Path, detector: Detector) -> Prediction:
    """Score one video. Never raises for a bad video: it says why there is no score."""
    with prepared(path, detector) as video:
        return scored(path, video, detector)


def scored(path: Path, video: Prepared, detector: Detector) -> Prediction:
    """What the detector says of a prepared video."""
    if not video.images:
        said = "inconclusive" if video.status in SEEN else ""
        return Prediction(str(path), video.status, video.reason, None, None, THRESHOLD, (), said)
    good = video.faces[video.faces["reason"] == ""]
    voices = {track: detector.track(images) for track, images in video.images.items()}
    tracks = tuple(told(one, good[good["track"] == track], video, detector) for track, one in voices.items())
    score = scoring.judged(detector, voices.values()).score
    verdict, why = judged(score, detector)
    reason = "; ".join(filter(None, [video.reason, why]))
    return Prediction(str(path), video.status, reason, score, verdict, THRESHOLD, tracks, detector.wording(verdict))


def judged(score: float, detector: Detector) -> tuple[str, str]:
    """The verdict of a score, and where that is "inconclusive" why."""
    if detector.untrained:
        return "inconclusive", f"this detector did not learn to tell fakes: {detector.untrained}"
    verdict = detector.verdict(score)
    near = "the odds are nearer to even than those of which this detector speaks"
    return verdict, near if verdict == "inconclusive" else ""


def told(voice: TrackScore, faces: pd.DataFrame, video: Prepared, detector: Detector) -> Track:
    """A track as people read it, of its good faces' rows."""
    times = faces["time"].tolist()
    parts = scoring.parts(detector, len(times), voice)
    score = scoring.judged(detector, [voice]).score
    spans = tuple(
        Span(times[part[0]], times[part[-1]], scoring.judged(detector, [TrackScore((logit,), voice.faces)]).score)
        for part, logit in zip(parts, voice.logits, strict=True)
    )
    loudest = np.argmax(np.array(voice.logits) * (1 if score >= THRESHOLD else -1))
    telling = faces.iloc[parts[int(loudest)]]
    shown = telling.loc[telling["sharpness"].idxmax()]
    left, top, width, height = (round(shown[edge] * video.scale) for edge in ("left", "top", "width", "height"))
    number, box = int(shown["track"]), (left, top, width, height)
    return Track(number, score, voice.faces, times[0], times[-1], spans, float(shown["time"]), box)


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
