"""animation: moving WebP pictures, which FFmpeg does not decode and OpenCV does."""

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import av
import numpy as np

from deepfake.base.opencv import cv2

HEAD, MOVES = 21, 2  # bytes up to the flags of a WebP file, and the flag of one that moves


class Animation:
    """Iterated, it gives the time in s and the picture of each frame; no such file is damaged and still read."""

    corrupt = 0

    def __init__(self, path: Path) -> None:
        read, moving = cv2.imdecodeanimation(np.fromfile(path, np.uint8)[None])
        self.frames = moving.frames if read else ()
        ends = list(accumulate(int(duration) for duration in moving.durations)) if read else []
        self.times = tuple(end / 1000 for end in [0, *ends[:-1]][: len(self.frames)])

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        for time, image in zip(self.times, self.frames, strict=True):
            yield time, av.VideoFrame.from_ndarray(np.ascontiguousarray(image[..., 2::-1], np.uint8), format="rgb24")

    def loss(self, ended: bool = True) -> str:
        """What of it is lost: nothing."""
        return ""


def moves(path: Path) -> bool:
    """Whether the file is a moving WebP picture. Source: the WebP container specification, extended file format."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    return (head[:4], head[8:16]) == (b"RIFF", b"WEBPVP8X") and bool(head[-1] & MOVES)
