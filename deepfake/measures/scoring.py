"""scoring: what a detector says of a video's tracks, in every order of the frames; one track in memory at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from deepfake import clips
from deepfake.base.tables import DIGITS
from deepfake.measures.orders import Order, as_filmed
from deepfake.scores import TrackScore
from deepfake.video import Images

if TYPE_CHECKING:
    from deepfake.inference import Detector

Tracks = dict[int, TrackScore]
AS_FILMED: dict[str, Order] = {"logit": as_filmed}


@dataclass(frozen=True)
class Judgement:
    """What is said of a video, or of a part of it."""

    score: float  # P(fake), rounded as it is written
    verdict: str  # "fake" or "real": the frozen threshold, on the score that is shown; or "inconclusive"
    novelty: float | None = None  # above 1: unlike the training data, and "inconclusive" whatever the score
    drawn: bool = False  # the faces are unlike it for being drawn


def judged(detector: "Detector", tracks: Iterable[TrackScore]) -> Judgement:
    """What its tracks say of a video; some of them, or a part of one, as if there were no more."""
    own = list(tracks)
    score, novelty = round(detector.score(own), DIGITS), detector.novelty(own)
    unlike = novelty is not None and novelty > 1
    drawn = (detector.drawn(own) or 0.0) > 1
    return Judgement(score, "inconclusive" if unlike else detector.verdict(score), novelty, drawn)


def scores(
    detector: "Detector", tracks: Iterable[tuple[int, Images]], orders: Mapping[str, Order] = AS_FILMED
) -> dict[str, Tracks]:
    """The scores of a video's tracks for each order of the frames, by its name.

    A track is (T, S, S, 3) uint8 RGB; it is let go before the next one is asked for.
    """
    by_order: dict[str, Tracks] = {name: {} for name in orders}
    for track, images in tracks:
        for name, order in orders.items():
            by_order[name][track] = detector.track(images, None if order is as_filmed else order)
    return by_order


def sequences(
    detector: "Detector", places: Mapping[str, Tracks], times: Mapping[int, Sequence[float]]
) -> list[dict[str, object]]:
    """A row for each sequence of a video: track, sequence, first and last (s), logit, score and verdict of its own.

    `moved_<order>` is how far another order of the frames moves the logit: the mean of those of one kind, such as
    shuffled_0 and shuffled_1. `times` are those of a track's faces.
    """
    rows: list[dict[str, object]] = []
    for track, own in places["logit"].items():
        for number, (logit, when) in enumerate(zip(own.logits, spans(detector, times[track], own), strict=True)):
            alone = judged(detector, [TrackScore((logit,), own.faces)])
            moved: dict[str, list[float]] = {}
            for name in places.keys() - {"logit"}:
                moved.setdefault(f"moved_{name.split('_')[0]}", []).append(
                    abs(places[name][track].logits[number] - logit)
                )
            rows.append(
                {"track": track, "sequence": number, "first": when[0], "last": when[1]}
                | {"logit": logit, "score": alone.score, "verdict": alone.verdict}
                | {name: float(np.mean(chosen)) for name, chosen in sorted(moved.items())}
            )
    return rows


def spans(detector: "Detector", times: Sequence[float], track: TrackScore) -> list[tuple[float, float]]:
    """First and last time of each sequence of a track; of the track, where an ensemble has one logit for it."""
    return [(times[part[0]], times[part[-1]]) for part in parts(detector, len(times), track)]


def parts(detector: "Detector", count: int, track: TrackScore) -> list[list[int]]:
    """Which of the `count` faces of a track each of its logits is of."""
    settings = detector.members[0].settings
    windows = clips.sequences(count, int(settings["frames"]), settings["sampling"])
    return windows if len(windows) == len(track.logits) else [list(range(count))]


def tracks(detector: "Detector", parts: pd.DataFrame) -> pd.DataFrame:
    """A row for each track of a table of sequences: video_id, track, and its score and verdict."""
    own = parts.groupby(["video_id", "track"], sort=False)["logit"].agg(list).reset_index()
    judgements = [judged(detector, [TrackScore(tuple(logits), 1)]) for logits in own["logit"]]
    return own[["video_id", "track"]].assign(
        score=[s.score for s in judgements], verdict=[s.verdict for s in judgements]
    )
