"""track: one face through a video: its crops go to a file, what is known of them to rows; and who goes on as whom."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepfake import video
from deepfake.base.opencv import cv2
from deepfake.faces import Face, Floats, crop, overlap, sharpness
from deepfake.likeness import SAME_PERSON, Look, alike, distance
from deepfake.video import Images, View

GALLERY = 4  # looks of a person that are remembered, of those that had to be described


@dataclass(frozen=True)
class Sight:
    """A face in a frame, and what it looks like."""

    face: Face
    look: Look


class Track:
    """One person's face, frame after frame, in crops of `size` px with a margin of `margin` faces on each side."""

    def __init__(self, number: int, path: Path, template: Floats, size: int, margin: float) -> None:
        self.number, self.template, self.size, self.margin = number, template, size, margin
        self.rows: list[dict[str, Any]] = []
        self.frame, self.time = -1, 0.0  # of the last sight
        self.face: Face
        self.look: Look
        self.speed = np.zeros(4)  # px a second of the box's edges, between the last two sights
        self.lasted = 0.0  # s between them
        self.gallery: deque[Look] = deque(maxlen=GALLERY)
        self.open = ExitStack()
        self.record = self.open.enter_context(video.recording(path))
        self.before: Images | None = None

    def see(self, frame: video.Frame, image: Images | View, sight: Sight) -> None:
        """The face is seen again, in a later frame than before."""
        if self.rows:
            self.lasted = max(frame.time - self.time, 1e-3)
            self.speed = (sight.face.box - self.face.box) / self.lasted
        self.add(frame, image, sight.face)
        self.face, self.look, self.frame, self.time = sight.face, sight.look, frame.index, frame.time

    def add(self, frame: video.Frame, image: Images | View, face: Face) -> None:
        """The face's crop and row. A face whose score is NaN was not seen there, but recovered."""
        cut, aligned = crop(image, face, self.template, self.size, self.margin)
        self.record(cut, frame.time)
        moved = None if self.before is None else float(cv2.absdiff(cut, self.before).mean())
        left, top, right, bottom = (round(float(edge), 3) for edge in face.box)
        self.rows.append(
            {
                "track": self.number,
                "position": len(self.rows),
                "frame": frame.index,
                "time": round(frame.time, 6),
                "left": left,
                "top": top,
                "width": round(right - left, 3),
                "height": round(bottom - top, 3),
                "score": None if np.isnan(face.score) else round(face.score, 6),
                "landmarks": np.round(face.landmarks, 3).ravel().tolist(),
                "recovered": bool(np.isnan(face.score)),
                "aligned": aligned,
                "sharpness": round(sharpness(image, face), 4),
                "difference": None if moved is None else round(moved, 4),
            }
        )
        self.before = cut

    def near(self, time: float, boxes: Floats) -> Floats:
        """(N,): how far boxes overlap its last one, or the one it would have at a time if it moved on as it did."""
        ahead = self.face.box + self.speed * min(time - self.time, self.lasted)
        return np.asarray(overlap(np.stack([self.face.box, ahead]), boxes).max(0).round(6))

    def goes_on(self, look: Look, cut: bool) -> bool:
        """Whether a face at its place is still the same person's."""
        return alike(self.look, look, cut) or self.distance(look) < SAME_PERSON

    def distance(self, look: Look) -> float:
        """Of a face from this person's: from those remembered, and from the last one where those do not decide."""
        least = min((distance(known, look) for known in self.gallery), default=np.inf)
        if least >= SAME_PERSON and self.look not in self.gallery:
            least = min(least, distance(self.look, look))
            self.gallery.append(self.look)
        return float(least)


def linked(
    tracks: Sequence[Track], sights: Sequence[Sight], time: float, cut: bool, min_overlap: float
) -> Iterator[tuple[Sight, Track | None]]:
    """Each face of a frame with the track that it goes on, or with None where it begins one.

    First by place, the best overlaps before the others, where nothing says that it is another person; then, wherever it
    is and whenever it was seen last, by who it is. `cut`: the frame is of another scene than the one before.
    """
    pairs: dict[int, int] = {}  # sight -> track
    if tracks and sights:
        boxes = np.stack([sight.face.box for sight in sights])
        shares = np.stack([track.near(time, boxes) for track in tracks])
        for place in np.argsort(-shares, axis=None, kind="stable"):
            row, column = divmod(int(place), len(sights))
            if shares[row, column] < min_overlap:
                break
            if row not in pairs.values() and column not in pairs and tracks[row].goes_on(sights[column].look, cut):
                pairs[column] = row
    known = sorted(
        (far, row, column)
        for row, track in enumerate(tracks)
        for column, sight in enumerate(sights)
        if row not in pairs.values() and column not in pairs
        if (far := track.distance(sight.look)) < SAME_PERSON
    )
    for _, row, column in known:
        if row not in pairs.values() and column not in pairs:
            pairs[column] = row
    for column, sight in sorted(enumerate(sights), key=lambda item: item[0] not in pairs):
        yield sight, tracks[pairs[column]] if column in pairs else None
