"""detect: the faces of a video, linked into tracks, aligned, cropped and measured."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
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
from deepfake.faces import Detector, Face, distinct, overlap
from deepfake.likeness import CUT, SAME_VIEW, SAMPLE, Counts, Look, apart, correlation, palette
from deepfake.track import Sight, Track, linked
from deepfake.video import Images, View

if TYPE_CHECKING:  # pandas takes a second to import, and the worker processes need none of it
    import pandas as pd

NEAR_SIDE = 1.1  # a face searched near its last place is scaled to this many windows of the detector
FORGED = 32  # levels of a mask, from which a pixel counts as forged
HELD = 8  # frames in a row, at most, in which a missed face is searched where it was and recovered
NEAR_MARGIN = 0.3  # of the last box, on each side: how far a face may have moved


class DetectParams(Params):
    """How faces are searched, followed and cut out."""

    detector: str  # a file of deepfake/detectors
    weights: str | None  # its model file, in data/weights; null where it needs none
    search_side: int = Field(ge=80)  # px: the longer side of the frame in a full search; twice it on a miss
    search_every: int = Field(gt=0)  # frames: a full search for new faces, though all the old ones were found
    min_overlap: float = Field(gt=0, lt=1)  # of a box with the one before, intersection over union, in one track
    max_gap: float = Field(ge=0)  # s between two sights of a face, the frames between which are recovered
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
        self.lost: list[tuple[Face, float, int]] = []  # those missed of late: seen last at s, missed in so many frames
        self.time = 0.0  # s, of the frame before
        self.since = 0  # frames since the last full search

    def __call__(self, image: Images | View, time: float, cut: bool = False) -> list[Face]:
        """The faces of the next frame, (H, W, 3) uint8 RGB, best first; `cut`: it shows another scene."""
        if not self.detector.window:
            return self.detector.detect(image[:, :])
        places = self.last + [face for face, _, _ in self.lost]
        near = distinct([face for place in places for face in self.near(image, place)])
        self.since += 1
        if not near or cut or self.missed(near) or self.since >= self.p.search_every:
            near = distinct(near + self.everywhere(image, near))
            self.since = 0
        missed = [(face, self.time, 1) for face in self.last] + [(face, seen, n + 1) for face, seen, n in self.lost]
        self.lost = [
            (face, seen, n)
            for face, seen, n in missed
            if time - seen <= self.p.max_gap and n <= HELD and not self.among(face, near)
        ]
        self.last, self.time = near, time
        return near

    def missed(self, faces: list[Face]) -> bool:
        """Whether a face of the frame before is not among these."""
        return not all(self.among(last, faces) for last in self.last)

    def among(self, last: Face, faces: list[Face]) -> bool:
        """Whether one of the faces may be this one, in its next frame."""
        shares = [float(overlap(last.box[None], face.box[None]).item()) for face in faces]
        return max(shares, default=0.0) >= self.p.min_overlap

    def near(self, image: Images | View, last: Face) -> list[Face]:
        """The faces around the place of one."""
        reach = last.side * NEAR_MARGIN
        height, width = image.shape[:2]
        low = np.clip(last.box[:2] - reach, 0, (width - 1, height - 1)).astype(int)
        high = np.clip(last.box[2:] + reach, low + 1, (width, height)).astype(int)
        part = image[low[1] : high[1], low[0] : high[0]]
        return self.scaled(part, NEAR_SIDE * self.detector.window / last.side, *low)

    def everywhere(self, image: Images | View, known: list[Face]) -> list[Face]:
        """The faces of the whole frame, searched small; searched again at twice the size where one is missed."""
        scale, image = min(1.0, self.p.search_side / max(image.shape[:2])), image[:, :]
        faces = self.scaled(image, scale)
        first_of_large = not self.last and scale < 1  # small faces of the first frame are followed from there
        if first_of_large or not (faces or known) or self.missed(faces + known):
            faces = faces + self.scaled(image, 2 * scale)
        return faces

    def scaled(self, image: Images, scale: float, left: int = 0, top: int = 0) -> list[Face]:
        """The faces of the image searched at a scale; it was cut at (left, top) of the frame they are told in."""
        if min(image.shape[:2]) * scale < self.detector.window / 2:
            return []  # no face fits in, and dlib_cnn refuses the smallest images
        how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR  # which skips pixels below one half
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=how) if scale != 1 else image)
        return [face.moved(scale, left, top) for face in self.detector.detect(np.ascontiguousarray(image))]


@dataclass(frozen=True)
class Shown:
    """A frame of late, and the faces found in it."""

    frame: video.Frame
    cut: bool  # it is of another scene than the one before
    faces: list[Face]


def tracks(frames: Path, folder: Path, p: DetectParams) -> list[dict[str, Any]]:
    """Find the faces of stored frames and write each person's as `folder/<track>.mkv`; a row for each face.

    Memory is bounded by the HELD frames that wait for the next sight of a face that was missed in them.
    """
    detector = detector_of(p.detector, p.weights)
    search = Search(detector, p)
    known: list[Track] = []
    recent: deque[Shown] = deque(maxlen=HELD + 1)
    colours: Counts | None = None
    with ExitStack() as stack:
        for frame in video.stored(frames):
            image = frame.view()
            before, colours = colours, palette(frame.sampled(SAMPLE))
            cut = before is not None and apart(before, colours) >= CUT
            recent.append(Shown(frame, cut, search(image, frame.time, cut)))
            sights = [Sight(face, Look(image, face, detector.template)) for face in recent[-1].faces]
            for sight, track in (
                linked(known, sights, frame.time, cut, p.min_overlap)
                if detector.window
                else [(sight, known[0] if known else None) for sight in sights]  # whole frames are nobody
            ):
                if track is None:
                    number = len(known)
                    track = Track(number, folder / f"{number}.mkv", detector.template, p.size, p.margin)
                    stack.push(track.open)
                    known.append(track)
                else:
                    for face in recovered(track, sight, recent, p):
                        track.add(*face)
                track.see(frame, image, sight)
    return [row for track in known for row in track.rows]


def recovered(
    track: Track, sight: Sight, recent: Sequence[Shown], p: DetectParams
) -> Iterator[tuple[video.Frame, View, Face]]:
    """The faces between the track's last sight and this one, in the newest of the recent frames: those that are sure.

    The gap is short and without a cut, no other face was found at the place, and what is seen there is the face before
    or the one after.
    """
    *missed, last = (shown for shown in recent if shown.frame.index > track.frame)
    seconds = last.frame.time - track.time
    whole = not missed or missed[0].frame.index == track.frame + 1
    if seconds > p.max_gap or not whole or any(shown.cut for shown in [*missed, last]):
        return
    for shown in missed:
        face = between(track.face, sight.face, (shown.frame.time - track.time) / seconds)
        if shown.faces and overlap(face.box[None], np.stack([f.box for f in shown.faces])).max() >= p.min_overlap:
            continue
        image = shown.frame.view()
        look = Look(image, face, track.template)
        if max(correlation(look, track.look), correlation(look, sight.look)) >= SAME_VIEW:
            yield shown.frame, image, face


def between(before: Face, after: Face, share: float) -> Face:
    """The face of a missed frame: `share` of the way from the face before to the face after."""
    box = before.box + share * (after.box - before.box)
    return Face(box, float("nan"), before.landmarks + share * (after.landmarks - before.landmarks))


def work(item: Item, folder: Path, p: DetectParams) -> list[dict[str, Any]]:
    """One video as an item of the store: its tracks and their rows."""
    rows = tracks(item.inputs[0], folder, p)
    shares = forged(rows, item.inputs[0], item.inputs[1]) if item.args["masked"] else [None] * len(rows)
    return [row | {"forged": share} for row, share in zip(rows, shares, strict=True)]


def forged(rows: list[dict[str, Any]], frames: Path, mask: Path) -> list[float | None]:
    """The share of each face's box that the mask of its frame covers; None where it has no such frame."""
    width = video.probe(frames).width
    covers = {frame.index: frame.grey() >= FORGED for frame in video.stored(mask)}
    shares: list[float | None] = []
    for row in rows:
        if (cover := covers.get(row["frame"])) is None:
            shares.append(None)
            continue
        scale = cover.shape[1] / width
        left, top, right, bottom = (
            max(0, round(edge * scale))
            for edge in (row["left"], row["top"], row["left"] + row["width"], row["top"] + row["height"])
        )
        inside = cover[top:bottom, left:right]
        shares.append(round(float(inside.mean()), 4) if inside.size else 0.0)
    return shares


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
