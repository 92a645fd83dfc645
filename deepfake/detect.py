"""detect: the faces of a video, linked into tracks, aligned, cropped and measured."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from deepfake import video
from deepfake.base import plugins
from deepfake.base.items import Item
from deepfake.base.opencv import cv2
from deepfake.base.params import Params
from deepfake.faces import Detector, Face, crop, distinct, overlap, sharpness
from deepfake.video import Images

if TYPE_CHECKING:  # pandas takes a second to import, and the worker processes need none of it
    import pandas as pd

NEAR_SIDE = 1.1  # a face searched near its last place is scaled to this many windows of the detector
NEAR_MARGIN = 0.4  # of the last box, on each side: how far a face may have moved


class DetectParams(Params):
    """How faces are searched, followed and cut out."""

    detector: str  # a file of deepfake/detectors
    weights: str | None  # its model file, in data/weights; null where it needs none
    search_side: int = Field(ge=80)  # px: the longer side of the frame in a full search; twice it on a miss
    search_every: int = Field(gt=0)  # frames: a full search for new faces, though all the old ones were found
    min_overlap: float = Field(gt=0, lt=1)  # of a box with the one before, intersection over union, in one track
    max_gap: int = Field(ge=0)  # frames in a row without the face that are recovered from their neighbours
    size: int = Field(ge=16)  # px, sides of a crop
    margin: float = Field(ge=0, le=2)  # around the face in a crop, in parts of the face, on each side

    def idle(self) -> set[str]:
        """Where the model file lies: its content is an input of every item."""
        return {"weights"}


@cache
def detector_of(name: str, weights: str | None) -> Detector:
    """The detector; built once a process, for it takes a while."""
    built: Detector = plugins.load("detectors", name).build(weights)
    return built


class Search:
    """Finds the faces of frame after frame: near where they were, in the whole frame where one is missed."""

    def __init__(self, detector: Detector, p: DetectParams) -> None:
        self.detector = detector
        self.p = p
        self.last: list[Face] = []
        self.lost: list[tuple[Face, int]] = []  # those missed of late, and in how many frames
        self.since = 0  # frames since the last full search

    def __call__(self, image: Images) -> list[Face]:
        """The faces of the next (H, W, 3) uint8 RGB frame, best first."""
        if not self.detector.window:
            return self.detector.detect(image)
        places = self.last + [face for face, _ in self.lost]
        near = distinct([face for place in places for face in self.near(image, place)])
        self.since += 1
        if not near or self.missed(near) or self.since >= self.p.search_every:
            near = distinct(near + self.everywhere(image, near))
            self.since = 0
        missed = [(face, 1) for face in self.last] + [(face, gap + 1) for face, gap in self.lost]
        self.lost = [(face, gap) for face, gap in missed if gap <= self.p.max_gap and not self.among(face, near)]
        self.last = near
        return near

    def missed(self, faces: list[Face]) -> bool:
        """Whether a face of the frame before is not among these."""
        return not all(self.among(last, faces) for last in self.last)

    def among(self, last: Face, faces: list[Face]) -> bool:
        """Whether one of the faces may be this one, in its next frame."""
        shares = [float(overlap(last.box[None], face.box[None]).item()) for face in faces]
        return max(shares, default=0.0) >= self.p.min_overlap

    def near(self, image: Images, last: Face) -> list[Face]:
        """The faces around the place of one."""
        reach = last.side * NEAR_MARGIN
        height, width = image.shape[:2]
        low = np.clip(last.box[:2] - reach, 0, (width - 1, height - 1)).astype(int)
        high = np.clip(last.box[2:] + reach, low + 1, (width, height)).astype(int)
        part = image[low[1] : high[1], low[0] : high[0]]
        return self.scaled(part, NEAR_SIDE * self.detector.window / last.side, *low)

    def everywhere(self, image: Images, known: list[Face]) -> list[Face]:
        """The faces of the whole frame, searched small; searched again at twice the size where one is missed."""
        scale = min(1.0, self.p.search_side / max(image.shape[:2]))
        found = self.scaled(image, scale)
        first_of_large = not self.last and scale < 1  # small faces of the first frame are followed from there
        if first_of_large or not (found or known) or self.missed(found + known):
            found = found + self.scaled(image, 2 * scale)
        return found

    def scaled(self, image: Images, scale: float, left: int = 0, top: int = 0) -> list[Face]:
        """The faces of the image searched at a scale; it was cut at (left, top) of the frame they are told in."""
        if min(image.shape[:2]) * scale < self.detector.window / 2:
            return []  # no face fits in, and dlib_cnn refuses the smallest images
        how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR  # which skips pixels below one half
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=how) if scale != 1 else image)
        return [face.moved(scale, left, top) for face in self.detector.detect(np.ascontiguousarray(image))]


class Track:
    """One face through the frames: its crops go to a file, what is known of them to rows."""

    def __init__(self, number: int, path: Path, detector: Detector, p: DetectParams) -> None:
        self.number = number
        self.rows: list[dict[str, Any]] = []
        self.face: Face
        self.frame = -1  # the last one it was seen in
        self.template, self.p = detector.template, p
        self.open = ExitStack()
        self.record = self.open.enter_context(video.recording(path))
        self.before: Images | None = None

    def add(self, frame: video.Frame, image: Images, face: Face) -> None:
        """The face in its next frame. Its frames may not go back."""
        cut, aligned = crop(image, face, self.template, self.p.size, self.p.margin)
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
        self.face, self.frame, self.before = face, frame.index, cut


def between(before: Face, after: Face, share: float) -> Face:
    """The face of a missed frame: `share` of the way from the face before to the face after."""
    box = before.box + share * (after.box - before.box)
    return Face(box, float("nan"), before.landmarks + share * (after.landmarks - before.landmarks))


def tracks(frames: Path, folder: Path, p: DetectParams) -> list[dict[str, Any]]:
    """Find the faces of stored frames and write each track as `folder/<track>.mkv`; a row for each face.

    Memory is bounded by `max_gap` frames, which wait for the next sight of a face that was missed in them.
    """
    detector = detector_of(p.detector, p.weights)
    search = Search(detector, p)
    live: list[Track] = []
    ended: list[Track] = []
    recent: deque[tuple[video.Frame, Images]] = deque(maxlen=p.max_gap + 1)
    with ExitStack() as stack:
        for frame in video.read(frames):
            image = frame.rgb()
            recent.append((frame, image))
            for track in [t for t in live if frame.index - t.frame > p.max_gap + 1]:
                track.open.close()
                live.remove(track)
                ended.append(track)
            for face, known in linked(live, search(image), p.min_overlap):
                if known is None:
                    number = len(live) + len(ended)
                    track = Track(number, folder / f"{number}.mkv", detector, p)
                    stack.push(track.open)
                    live.append(track)
                else:
                    track, before, gap = known, known.face, frame.index - known.frame
                    missed = [(f, i) for f, i in recent if frame.index - gap < f.index < frame.index]
                    for step, (old_frame, old_image) in enumerate(missed, start=1):
                        track.add(old_frame, old_image, between(before, face, step / gap))
                track.add(frame, image, face)
    return [row for track in sorted(ended + live, key=lambda t: t.number) for row in track.rows]


def linked(live: list[Track], faces: list[Face], min_overlap: float) -> Iterator[tuple[Face, Track | None]]:
    """Each face with the live track that it goes on, the best overlaps first, or with None where it begins one."""
    free, left = list(live), list(faces)
    while free and left:
        shares = overlap(np.stack([t.face.box for t in free]), np.stack([f.box for f in left]))
        row, column = np.unravel_index(int(shares.argmax()), shares.shape)
        if shares[row, column] < min_overlap:
            break
        yield left.pop(int(column)), free.pop(int(row))
    yield from ((face, None) for face in left)


def work(item: Item, folder: Path, p: DetectParams) -> list[dict[str, Any]]:
    """One video as an item of the store: its tracks and their rows."""
    return tracks(item.inputs[0], folder, p)


def summary(videos: "pd.DataFrame", faces: "pd.DataFrame") -> dict[str, Any]:
    """How many videos show a face, in how many of their frames, and how faces were got."""
    usable = videos[videos["kept"] > 0]
    seen = faces.groupby("video_id")["frame"].nunique().reindex(usable["video_id"], fill_value=0)
    share = seen.to_numpy() / usable["kept"].to_numpy()
    return {
        "videos": len(usable),
        "no_face": {
            name: int((share[usable["label"] == label] == 0).sum()) for label, name in ((0, "real"), (1, "fake"))
        },
        "tracks": len(faces[["video_id", "track"]].drop_duplicates()),
        "faces": len(faces),
        "frames_with_face": {
            name: float(share[usable["label"] == label].mean()) if (usable["label"] == label).any() else None
            for label, name in ((0, "real"), (1, "fake"))
        },
        "recovered": float(faces["recovered"].mean()),
        "aligned": float(faces["aligned"].mean()),
    }
