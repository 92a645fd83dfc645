"""pictures: of a video and its faces, small, side by side: of what is finished, and of what is being looked at."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
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


@dataclass
class Glimpse:
    """What can be seen so far of a video that is being judged; JPEG."""

    step: str = "it is read"
    frames: bytes = b""  # some of those that are looked at
    faces: dict[int, bytes] = field(default_factory=dict)  # by track
    at: float = 0.0  # when, by time.monotonic


def spread(images: Sequence[Images] | Images) -> bytes:
    """Some of (H, W, 3) uint8 RGB images, first to last, side by side, as JPEG."""
    places = np.unique(np.linspace(0, len(images) - 1, SHOWN).round().astype(int))
    whole = (np.asarray(images[i]) for i in places)
    small = [
        cv2.resize(image, (max(1, round(image.shape[1] * SIDE / image.shape[0])), SIDE), interpolation=cv2.INTER_AREA)
        for image in whole
    ]
    return jpeg(np.concatenate(small, 1))


def jpeg(image: Images) -> bytes:
    """An (H, W, 3) uint8 RGB image as JPEG."""
    return bytes(cv2.imencode(".jpg", image[..., ::-1])[1])


def glimpse(scratch: Path, before: Glimpse) -> Glimpse:
    """What lies in the folder where a worker makes its files, beside what was seen before; they may go at any time."""
    seen = Glimpse(before.step, before.frames, dict(before.faces), time.monotonic())
    with suppress(OSError, video.Unreadable, video.Damaged):
        for path in _whole(scratch, FRAMES):
            seen.step = "faces are looked for"
            seen.frames = seen.frames or spread(_read(path))
        for path in _whole(scratch, "[0-9]*.mkv"):
            seen.step = "the faces are judged"
            seen.faces.setdefault(int(path.stem), b"")
            seen.faces[int(path.stem)] = seen.faces[int(path.stem)] or spread(_read(path))
    return seen


def _whole(scratch: Path, name: str) -> Iterator[Path]:
    """The files of a name that are finished."""
    return (path for path in sorted(scratch.rglob(name)) if not any(part.startswith(".") for part in path.parts))


def _read(path: Path) -> list[Images]:
    return [frame.rgb() for frame in islice(video.read(path), READ)]
