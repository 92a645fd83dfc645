"""predict: the whole chain on one video, through the same functions and files as the stages."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from scipy.special import logit

from deepfake import bundle, cards, clips, detect, extract, inference
from deepfake import video as films
from deepfake.base.tables import DIGITS
from deepfake.dataset.videos import USABLE
from deepfake.filter import FilterParams, with_reasons
from deepfake.inference import Detector
from deepfake.measures import scoring
from deepfake.prediction import WINDOW, Box, Prediction, Span, Track, Window
from deepfake.scores import EDGE, THRESHOLD, TrackScore, together
from deepfake.video import Images

SEEN = ("no_face", "too_few_faces")  # a video was looked at, and nothing can be said of it
ROOM = 2**28  # bytes that the frames of a video may take, unpacked, while faces are found in them
Progress = Callable[[float, float], None]
D = TypeVar("D", bound=Detector)


@dataclass(frozen=True)
class Prepared:
    """A video's good faces by track, and what became of it on the way; pictures are there to be shown."""

    status: str
    reason: str
    faces: pd.DataFrame  # as detect and filter leave them
    images: dict[int, Images]  # track -> (T, size, size, 3) uint8 RGB, mapped from files: memory is bounded
    about: dict[str, Any] = field(default_factory=dict)  # what extract says of the video: a row of its table
    scale: float = 1.0  # px of the video as shown to a px of the frames that the faces were found in


def load(folder: Path) -> Detector:
    """The detector of a folder, or "builtin", which says how videos are prepared for it. Raises UserError."""
    return checked(inference.load(folder), folder)


def checked(detector: D, folder: Path) -> D:
    """The same detector. Raises UserError where its params are none of a pipeline."""
    for section, model in ("extract", extract.Policy), ("detect", detect.DetectParams), ("filter", FilterParams):
        cards.check(bundle.home(folder), bundle.CARD, model, detector.params[section], f"params.{section}")
    return detector


@contextmanager
def prepared(path: Path, detector: Detector) -> Iterator[Prepared]:
    """The good faces of a video, extracted, detected and filtered as for the training of this detector.

    Its files are there within the block.
    """
    with TemporaryDirectory() as folder:
        yield prepare(path, detector, Path(folder))


def prepare(path: Path, detector: Detector, scratch: Path) -> Prepared:
    """The good faces of a video, their files in an empty folder."""
    frames = scratch / extract.FRAMES
    row = extract.keep(path, frames, policy(detector), ROOM)
    if row["status"] not in USABLE:
        return Prepared(row["status"], row["reason"], pd.DataFrame(), {}, row)
    return good_faces(frames, row, detector)


def policy(detector: Detector) -> extract.Policy:
    """Which frames of a video it looks at."""
    return extract.Policy.model_validate(detector.params["extract"])


def good_faces(frames: Path, row: dict[str, Any], detector: Detector) -> Prepared:
    """The good faces of extracted frames, their files beside them; `row` is what extract knows of the video."""
    folder = frames.parent / "faces"
    folder.mkdir()
    rows = detect.tracks(frames, folder, detect.DetectParams.model_validate(detector.params["detect"]))
    if not rows:
        reason = "; ".join(filter(None, [f"no face in {row['kept']} frames", row["reason"]]))
        return Prepared("no_face", reason, pd.DataFrame(), {}, row)
    faces = pd.DataFrame(rows).assign(video_id="")
    judged = with_reasons(faces, FilterParams.model_validate(detector.params["filter"]))
    good = judged[judged["reason"] == ""]
    if good.empty:
        reason = ", ".join(f"{count} {reason}" for reason, count in judged["reason"].value_counts().items())
        return Prepared("too_few_faces", f"none of {len(judged)} faces is good: {reason}", judged, {}, row)
    images = {
        int(track): clips.save(folder / f"{track}.npy", folder / f"{track}.mkv", positions.tolist())
        for track, positions in good.groupby("track")["position"]
    }
    most = policy(detector).max_side
    scaled = most is not None and max(row["width"], row["height"]) > most
    width = next(films.read(frames)).picture.width if scaled else row["width"]
    return Prepared(row["status"], row["reason"], judged, images, row, row["width"] / width)


def predict(path: Path, detector: Detector, window: float = WINDOW, progress: Progress | None = None) -> Prediction:
    """Score one video. Never raises for a bad video: it says why there is no score.

    The score is of the frames that the detector was trained to look at. A video longer than one and a half `window`, in
    s, has a timeline beside it, of all its windows, for which it is read once more; none with 0. `progress` is told how
    many of its seconds are looked at, and how many there are.
    """
    with prepared(path, detector) as video:
        prediction = scored(path, video, detector)
    return along(prediction, path, detector, window, progress)


def along(
    prediction: Prediction, path: Path, detector: Detector, window: float = WINDOW, progress: Progress | None = None
) -> Prediction:
    """What is said of a video, with its timeline where it is long."""
    if not window or prediction.status not in (*USABLE, *SEEN):
        return prediction
    return beside(prediction, tuple(windows(path, detector, window, progress)), detector)


def windows(
    path: Path, detector: Detector, length: float = WINDOW, progress: Progress | None = None
) -> Iterator[Window]:
    """The whole of a long video in equal windows of about `length` s; none of a short one. Memory holds one window.

    Of each the frames are looked at that would be if it were a video.
    """
    times = films.packet_times(path)
    duration = times[-1] - times[0] if times else 0.0
    if (count := round(duration / length)) < 2:
        return
    edges = [duration * number / count for number in range(1, count)]  # s, between windows
    of_each = policy(detector).model_copy(update={"seconds": None})
    wanted: set[int] = set()
    for _, run in groupby(enumerate(times), key=lambda packet: bisect_right(edges, packet[1] - times[0])):
        places, own = zip(*run, strict=True)
        wanted |= {places[0] + i for i in extract.pick(list(own), of_each)}
    reading = films.Reading(path, wanted)
    shown = whole(replace(frame, time=frame.time - reading.times[0]) for frame in reading)
    for number, frames in groupby(shown, key=lambda frame: bisect_right(edges, frame.time)):
        start, end = ([0.0, *edges][number], [*edges, duration][number])
        yield replace(look(frames, reading, detector), start=round(start, 3), end=round(end, 3))
        if progress:
            progress(end, duration)


def whole(frames: Iterator[films.Frame]) -> Iterator[films.Frame]:
    """The frames as far as they decode."""
    with suppress(films.Damaged):  # the prediction says so
        yield from frames


def look(frames: Iterator[films.Frame], reading: films.Reading, detector: Detector) -> Window:
    """What the detector says of some frames of a video that is being read."""
    p = policy(detector)
    with TemporaryDirectory() as folder:
        file = Path(folder, extract.FRAMES)
        kept = films.save(file, frames, p.crf, p.max_side, ROOM // p.frames_per_video if p.sampling == "count" else 0)
        row = {"status": "ok", "reason": "", "kept": kept, "width": reading.info.width, "height": reading.info.height}
        prediction = scored(Path(), good_faces(file, row, detector), detector)
    return Window(
        0.0, 0.0, prediction.status, prediction.reason, prediction.score, prediction.verdict, prediction.tracks
    )


def beside(prediction: Prediction, timeline: tuple[Window, ...], detector: Detector) -> Prediction:
    """The prediction with its timeline; where windows differ from it, `reason` and `wording` say so."""
    prediction = replace(prediction, timeline=timeline)
    judged = [window for window in timeline if window.score is not None]
    fakes = sum(window.verdict == "fake" for window in judged)
    if prediction.score is None:
        note = f"{len(judged)} of {len(timeline)} windows show faces, {fakes} of them are called fake"
        return replace(prediction, reason=f"{prediction.reason}; {note}") if judged else prediction
    agreed = len(judged) if prediction.verdict == "fake" else 0
    if fakes == agreed or detector.untrained:
        return prediction
    top = max(judged, key=lambda window: window.score or 0.0)
    note = f"windows differ: {fakes} of {len(judged)} are called fake, the highest P(fake) is {top.score:.3f}, "
    note += f"at {top.start:.1f} to {top.end:.1f} s"
    wording = "suspicious" if prediction.verdict == "real" and forged_somewhere(judged) else prediction.wording
    return replace(prediction, reason="; ".join(filter(None, [prediction.reason, note])), wording=wording)


def forged_somewhere(judged: Sequence[Window]) -> bool:
    """Whether "one of the windows is forged", each as likely, is likelier than that none is.

    One loud window among many outweighs them, one that is just above the threshold does not: the odds of all are
    averaged, as those of a video's faces are (scores.together).
    """
    odds = logit(np.clip([window.score or 0.0 for window in judged], EDGE, 1 - EDGE))
    return bool(together(odds, np.ones(len(odds)), np.zeros(len(odds), int), "evidence")[0] > 0)


def scored(path: Path, video: Prepared, detector: Detector) -> Prediction:
    """What the detector says of a prepared video."""
    if not video.images:
        wording = "inconclusive" if video.status in SEEN else ""
        return Prediction(str(path), video.status, video.reason, None, None, THRESHOLD, (), wording)
    good = video.faces[video.faces["reason"] == ""]
    voices = {track: detector.track(images) for track, images in video.images.items()}
    tracks = tuple(told(voice, good[good["track"] == track], video, detector) for track, voice in voices.items())
    judgement = scoring.judged(detector, voices.values())
    verdict = "inconclusive" if detector.untrained else judgement.verdict
    reason = "; ".join(filter(None, [video.reason, doubt(judgement, detector)]))
    return Prediction(
        *(str(path), video.status, reason, judgement.score, verdict, THRESHOLD, tracks, detector.wording(verdict)),
        novelty=judgement.novelty and round(judgement.novelty, DIGITS),
    )


def doubt(judgement: scoring.Judgement, detector: Detector) -> str:
    """Why a verdict is "inconclusive"; "" where it is not."""
    if detector.untrained:
        return f"this detector did not learn to tell fakes: {detector.untrained}"
    if judgement.drawn:
        return "the faces look drawn or rendered, and not filmed: this detector learnt from faces that were filmed"
    if judgement.novelty is not None and judgement.novelty > 1:
        return (
            f"unlike the training data: {judgement.novelty:.1f} times as far from it as videos may be of this detector"
        )
    near = "the odds are nearer to even than those of which this detector speaks"
    return near if judgement.verdict == "inconclusive" else ""


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
    boxes = tuple(
        Box(float(time), *(round(edge * video.scale) for edge in edges))
        for time, *edges in faces[["time", "left", "top", "width", "height"]].itertuples(index=False)
    )
    box = boxes[faces.index.get_loc(shown.name)]
    return Track(int(shown["track"]), score, voice.faces, times[0], times[-1], spans, box, boxes)
