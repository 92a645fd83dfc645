"""annotate: a copy of a video that shows what was said of it: boxes by score, the verdict, a strip of time, sound."""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.player.copying import remade
from deepfake.prediction import Prediction, Track
from deepfake.video import Damaged, Images, Reading

REAL, EVEN, FAKE = (46, 139, 87), (214, 160, 30), (200, 50, 50)  # RGB: of P(fake) 0, .5 and 1
INK, PAPER = (235, 235, 235), (24, 24, 24)
Colour = tuple[int, int, int]


def write(target: Path, path: Path, prediction: Prediction) -> int:
    """Write the video as MP4 with what was said of it; how many frames. Raises Unreadable where nothing decodes."""
    return remade(target, path, shown(path, prediction))


def shown(path: Path, prediction: Prediction) -> Iterator[tuple[float, Images]]:
    """Each frame of the video that decodes, and when it is shown, in s: with boxes, verdict and strip."""
    reading = Reading(path)
    strip: Images | None = None
    duration = 0.0
    with suppress(Damaged):  # the prediction says so
        for frame in reading:
            image = frame.rgb()
            if strip is None:
                duration = max(reading.info.duration, prediction.timeline[-1].end if prediction.timeline else 0.0)
                strip = timeline(prediction, image.shape[1], bar_of(image), duration)
            yield frame.time, drawn(image, prediction, frame.time - reading.times[0], strip, duration)


def colour(score: float) -> Colour:
    """Green for 0, amber for .5, red for 1, and what is between."""
    low, high, share = (REAL, EVEN, 2 * score) if score < 0.5 else (EVEN, FAKE, 2 * score - 1)
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(low, high, strict=True))
    return red, green, blue


def bar_of(image: Images) -> int:
    """px: how high the strip below an image (H, W, 3) is."""
    return int(max(24, image.shape[0] // 14) // 2 * 2)


def drawn(image: Images, prediction: Prediction, time: float, strip: Images, duration: float) -> Images:
    """(H + strip, W, 3): the image with the boxes of a moment, the verdict above and the strip with its hand below."""
    canvas = np.vstack(
        [image, strip if strip.shape[1] == image.shape[1] else np.zeros((len(strip), *image.shape[1:]), np.uint8)]
    )
    thick, size = max(1, image.shape[0] // 240), max(0.4, image.shape[0] / 900)
    for track in tracks_at(prediction, time):
        if (box := box_at(track, time)) is None:
            continue
        left, top, width, height = box
        shade = colour(track.score)
        cv2.rectangle(canvas, (left, top), (left + width, top + height), shade, thick)
        label(canvas, f"{track.score:.2f}", (left, top), shade, size)
    title = f"{prediction.wording or prediction.status}" + (
        f"  P(fake) {prediction.score:.3f}" if prediction.score is not None else ""
    )
    label(canvas, title, (0, round(38 * size)), PAPER if prediction.score is None else colour(prediction.score), size)
    hand = round(min(time / duration, 1.0) * (image.shape[1] - 1)) if duration else 0
    cv2.line(canvas, (hand, len(image)), (hand, len(canvas)), (255, 255, 255), thick)
    return canvas


def label(canvas: Images, text: str, corner: tuple[int, int], shade: Colour, size: float) -> None:
    """Write a text on a ground of a colour, its lower left corner at a place, within the picture."""
    (wide, high), low = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    left = max(0, min(corner[0], canvas.shape[1] - wide - 4))
    bottom = max(high + low + 4, corner[1])
    cv2.rectangle(canvas, (left, bottom - high - low - 4), (left + wide + 4, bottom), shade, -1)
    cv2.putText(
        canvas, text, (left + 2, bottom - low - 2), cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1, cv2.LINE_AA
    )


def timeline(prediction: Prediction, wide: int, high: int, duration: float) -> Images:
    """(high, wide, 3): P(fake) along the time, as colour and height; grey where nothing was said."""
    strip = np.full((high, wide, 3), PAPER, np.uint8)
    spans = [(window.start, window.end, window.score) for window in prediction.timeline] or [
        (track.start, track.end, track.score) for track in prediction.tracks
    ]
    for start, end, score in spans:
        if score is None or not duration:
            continue
        left, right = (round(min(moment / duration, 1.0) * wide) for moment in (start, end))
        strip[high - max(2, round(score * high)) :, left : max(right, left + 1)] = colour(score)
    strip[high // 2, ::4] = INK  # the threshold
    return strip


def tracks_at(prediction: Prediction, time: float) -> tuple[Track, ...]:
    """The faces of the window that a moment is in; of a short video all."""
    if not prediction.timeline:
        return prediction.tracks
    return prediction.timeline[max(0, bisect_right([window.start for window in prediction.timeline], time) - 1)].tracks


def box_at(track: Track, time: float) -> tuple[int, int, int, int] | None:
    """Where the face is at a moment, px: left, top, width, height; between two sights on the line that joins them.

    Beyond the first and last sight as long as sights are apart; None where it is not.
    """
    boxes = track.boxes
    if not boxes:
        return None
    gap = max([after.time - before.time for before, after in pairwise(boxes)], default=0.0)
    if not boxes[0].time - gap <= time <= boxes[-1].time + gap:
        return None
    times = [box.time for box in boxes]
    rows = np.array([(box.left, box.top, box.width, box.height) for box in boxes], float)
    left, top, width, height = (round(float(np.interp(time, times, column))) for column in rows.T)
    return left, top, width, height
