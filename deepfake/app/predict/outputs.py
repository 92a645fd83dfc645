"""outputs: what is said of a video as lines for people, as JSON and as rows of a table."""

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from deepfake.base.errors import UserError
from deepfake.dataset.files import printable
from deepfake.prediction import Prediction, Track

COLUMNS = (
    *("path", "detector", "status", "reason", "score", "verdict", "wording", "threshold", "faces"),
    *("windows", "windows_fake", "loudest_start", "loudest_end", "loudest_score"),  # of the timeline
)

Answers = Sequence[tuple[str, Prediction]]  # the detector's name, and what it says


class Sink(Protocol):
    """Where answers go."""

    def __call__(self, answers: Answers) -> None: ...


def lines(answers: Answers) -> Iterator[str]:
    """What is said of one video, for people; with several detectors a line each below its name."""
    if len(answers) == 1:
        yield from alone(answers[0][1])
        return
    yield f"{printable(answers[0][1].path)}:"
    wide = max(len(printable(name)) for name, _ in answers)
    for name, prediction in answers:
        yield f"  {printable(name):<{wide}}  {verdict(prediction)}"


def alone(prediction: Prediction) -> Iterator[str]:
    """What one detector says, with each face, and each window of a long video."""
    yield f"{printable(prediction.path)}: {verdict(prediction)}"
    for track in prediction.tracks:
        yield f"  {face(track)}"
    for window in prediction.timeline:
        when = f"{clock(window.start)} to {clock(window.end)}"
        if window.score is None:
            yield f"  {when}  {window.status}"
        else:
            faces = ", ".join(f"{track.score:.3f}" for track in window.tracks)
            each = f"  faces {faces}" if len(window.tracks) > 1 else ""
            yield f"  {when}  P(fake) {window.score:.3f} {bar(window.score)}  {window.verdict}{each}"


def verdict(prediction: Prediction) -> str:
    """The verdict and its reason, in a line."""
    if prediction.score is None:
        return f"no score: {prediction.status}: {prediction.reason}"
    note = f"  ({prediction.status}: {prediction.reason})" if prediction.reason else ""
    odds = f"P(fake) {prediction.score:.3f}, threshold {prediction.threshold:.3f}"
    return f"{prediction.verdict}  {odds}: {prediction.wording}{note}"


def face(track: Track) -> str:
    """A face, in a line."""
    when = f"{track.start:.2f} to {track.end:.2f} s"
    return f"face {track.track}: P(fake) {track.score:.3f} from {track.faces} frames, {when}"


def bar(score: float, wide: int = 10) -> str:
    """A score as a bar."""
    return f"[{'#' * round(score * wide):<{wide}}]"


def clock(seconds: float) -> str:
    """A time as people write it: 0:07.5, 1:02:03.0."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    ahead = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{ahead}:{rest // 10:02}.{rest % 10}"


def objects(answers: Answers) -> Iterator[str]:
    """A line of JSON for each detector."""
    for name, prediction in answers:
        yield json.dumps(prediction.to_dict() | {"detector": name})


def row(name: str, prediction: Prediction) -> dict[str, Any]:
    """A row of the table."""
    judged = [window for window in prediction.timeline if window.score is not None]
    top = max(judged, key=lambda window: window.score or 0.0, default=None)
    return {
        "path": printable(prediction.path),
        "detector": printable(name),
        **{key: getattr(prediction, key) for key in ("status", "reason", "score", "verdict", "wording", "threshold")},
        "faces": len(prediction.tracks),
        "windows": len(prediction.timeline),
        "windows_fake": sum(window.verdict == "fake" for window in judged),
        "loudest_start": top and top.start,
        "loudest_end": top and top.end,
        "loudest_score": top and top.score,
    }


@contextmanager
def table(path: Path) -> Iterator[Sink]:
    """A sink that writes a CSV file, row by row: what was said is there even if the rest never is. Raises UserError."""
    try:
        file = path.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{printable(str(path))}: {error.strerror}", "name a file in a folder that is there") from None
    with file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()

        def put(answers: Answers) -> None:
            writer.writerows(row(name, prediction) for name, prediction in answers)
            file.flush()

        yield put
