"""pictures: of a video and its faces, small, side by side: of what is finished, and of what is being looked at."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from deepfake import video
from deepfake.base.opencv import cv2
from deepfake.extract import FRAMES
from deepfake.video import Images

SHOWN = 6  # pictures side by side
SIDE = 128  # px, their height
READ = 64  # frames that are decoded for it at most
TRACKS = 12  # faces that are shown before it is known which are good


@dataclass
class Glimpse:
    """What can be seen so far of a video that is being judged; JPEG."""

    step: str = "it is read"
    frames: bytes = b""  # some of those that are looked at
    faces: dict[int, bytes] = field(default_factory=dict)  # by track
    at: float = 0.0  # when, by time.monotonic
    sizes: dict[str, int] = field(default_factory=dict)  # bytes of the files that were looked at, by name

    def grown(self, path: Path, before: bytes) -> bytes:
        """Some pictures of a file that is longer than when it was looked at, else those from before."""
        try:
            size = path.stat().st_size
        except OSError:  # it is gone
            return before
        if size <= self.sizes.get(path.name, 0) or not (images := _read(path)):
            return before
        self.sizes[path.name] = size
        return spread(images)


def spread(images: Sequence[Images] | Images) -> bytes:
    """Some of (H, W, 3) uint8 RGB images, first to last, side by side, as JPEG."""
    places = np.unique(np.linspace(0, len(images) - 1, SHOWN).round().astype(int))
    return jpeg(np.concatenate([small(np.asarray(images[i])) for i in places], 1))


def small(image: Images) -> Images:
    """An (H, W, 3) uint8 RGB image SIDE px high."""
    wide = max(1, round(image.shape[1] * SIDE / image.shape[0]))
    return np.asarray(cv2.resize(image, (wide, SIDE), interpolation=cv2.INTER_AREA))


def jpeg(image: Images) -> bytes:
    """An (H, W, 3) uint8 RGB image as JPEG."""
    return bytes(cv2.imencode(".jpg", image[..., ::-1])[1])


def glimpse(scratch: Path, before: Glimpse) -> Glimpse:
    """What lies in the folder where a worker makes its files, beside what was seen before; they may go at any time.

    A file that is still written is shown as far as it goes; it lies in a folder of a hidden name until it is whole.
    """
    seen = replace(before, faces=dict(before.faces), sizes=dict(before.sizes), at=time.monotonic())
    for path in sorted(scratch.rglob("*.mkv"), key=lambda path: (path.name != FRAMES, path.name)):
        whole = not any(part.startswith(".") for part in path.relative_to(scratch).parts)
        if path.name == FRAMES:
            seen.step = "faces are looked for" if whole else seen.step
            seen.frames = seen.grown(path, seen.frames)
        elif path.stem.isdecimal() and (int(path.stem) in seen.faces or len(seen.faces) < TRACKS):
            seen.step = "the faces are judged" if whole else seen.step
            if faces := seen.grown(path, seen.faces.get(int(path.stem), b"")):
                seen.faces[int(path.stem)] = faces
    return seen


def _read(path: Path) -> list[Images]:
    """The first pictures of a file, small, as far as they decode."""
    shown: list[Images] = []
    with suppress(OSError, video.Unreadable, video.Damaged):
        for frame in islice(video.read(path), READ):
            shown.append(small(frame.rgb()))
    return shown
