"""clips: the frames of a track as arrays, and which of them make a sequence."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from deepfake import video
from deepfake.base import items
from deepfake.base.items import Item
from deepfake.base.opencv import cv2
from deepfake.base.params import Params
from deepfake.video import Images

ARRAY = "faces.npy"


class Size(Params):
    """What shapes a decoded clip, beside its file."""

    side: int | None  # px; null: as it is stored


def arrays(files: Sequence[Path], positions: Sequence[Sequence[int]], side: int | None = None) -> list[Path]:
    """For each shard, a .npy file of its frames at these positions: (T, side, side, 3) uint8 RGB.

    They are made once and lie in the store, to be read as memory maps: training never decodes.
    """
    todo = [
        Item(file.as_posix(), (file,), {"positions": [int(i) for i in places]})
        for file, places in zip(files, positions, strict=True)
    ]
    return [result.entry / ARRAY for result in items.make(todo, work, Size(side=side), label="decode")]


def work(item: Item, folder: Path, p: Size) -> None:
    """One shard as an item of the store."""
    save(folder / ARRAY, item.inputs[0], item.args["positions"], p.side)


def save(path: Path, shard: Path, positions: Sequence[int], side: int | None = None) -> Images:
    """Write the frames of a shard at these rising positions as a .npy file; it comes back mapped: (T, S, S, 3) uint8.

    Frame by frame: a track of any length takes the memory of one.
    """
    wanted = set(positions)
    chosen = (frame.rgb() for frame in video.stored(shard) if frame.index in wanted)
    images = (resized(image[None], side) for image in chosen)  # (1, S, S, 3)
    first = next(images)
    mapped: Images = np.lib.format.open_memmap(path, "w+", np.uint8, (len(wanted), *first.shape[1:]))
    for row, image in enumerate(chain([first], images)):
        mapped[row] = image[0]
    mapped.flush()  # type: ignore[attr-defined]
    return mapped


def resized(images: Images, side: int | None) -> Images:
    """(T, S, S, 3) uint8 at (T, side, side, 3), without aliasing; None leaves it as it is."""
    if side is None or images.shape[1] == side:
        return images
    how = cv2.INTER_AREA if images.shape[1] > side else cv2.INTER_CUBIC
    return np.stack([np.asarray(cv2.resize(image, (side, side), interpolation=how), np.uint8) for image in images])


def sequences(count: int, frames: int, sampling: str) -> list[list[int]]:
    """All `count` frames of a track as sequences of at most `frames`: "spread" or "contiguous"."""
    return interleaved(count, frames) if sampling == "spread" else contiguous(count, frames)


def contiguous(count: int, frames: int) -> list[list[int]]:
    """Stretches of `frames` frames that follow on each other; the last one reaches back, so that it is as long.

    Of 7 frames in sequences of 3:  [0, 1, 2], [3, 4, 5], [4, 5, 6].
    """
    starts = [min(start, max(0, count - frames)) for start in range(0, count, frames)]
    return [list(range(start, min(count, start + frames))) for start in starts]


def interleaved(count: int, frames: int) -> list[list[int]]:
    """All `count` frames of a track as sequences of at most `frames`, each spread over the whole of it.

    Of 7 frames in sequences of 3:  [0, 3, 6], [1, 4], [2, 5].
    """
    step = -(-count // frames)
    return [list(range(start, count, step)) for start in range(step)]


def drawn(count: int, frames: int, sampling: str, rng: np.random.Generator) -> list[int]:
    """A random sequence of a track's frames; all of them where it has no more.

    spread: one frame from each of `frames` equal stretches. contiguous: one stretch.
    Source: Wang et al., "Temporal segment networks", ECCV 2016.
    """
    if count <= frames:
        return list(range(count))
    if sampling == "contiguous":
        start = int(rng.integers(count - frames + 1))
        return list(range(start, start + frames))
    edges = np.linspace(0, count, frames + 1)
    low, high = np.ceil(edges[:-1]).astype(int), np.ceil(edges[1:]).astype(int)
    return [int(i) for i in rng.integers(low, high)]


def padded(sequences: Sequence[Images], frames: int) -> tuple[Images, np.ndarray]:
    """Sequences of (T_i, S, S, 3), T_i <= frames, as (B, frames, S, S, 3) uint8, and what counts: (B, frames) bool."""
    batch = np.zeros((len(sequences), frames, *sequences[0].shape[1:]), np.uint8)
    mask = np.zeros((len(sequences), frames), bool)
    for row, images in enumerate(sequences):
        batch[row, : len(images)], mask[row, : len(images)] = images, True
    return batch, mask
