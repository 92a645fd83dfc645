"""stutter: the target's own frames, stepping back and forth: no frame of it is forged, only their order.

Every step is to a neighbouring frame, as in the true video, and of many walks that one is taken whose mean difference
of neighbouring faces is nearest to the true one: neither that nor sharpness tells a fake, but only the order.
"""

from collections.abc import Iterator
from itertools import groupby
from zlib import crc32

import numpy as np

from deepfake.faces import Floats
from deepfake.footage import Footage, changes
from deepfake.video import Images

PEOPLE = 1
WALKS = 400  # of which one is taken
TURNS = (0.35, 0.65)  # least and most of the steps after which it goes the other way
WINDOW = 32  # frames that are walked among


def forged(target: Footage, source: Footage, resolution: int) -> Iterator[Images]:
    """The target's frames, out of order; where there is no face, as they are."""
    rng = np.random.default_rng(crc32(np.nan_to_num(target.shapes).astype(np.int32).tobytes()))
    numbered = enumerate(target)
    for (_, lost), window in groupby(numbered, lambda pair: (pair[0] // WINDOW, pair[1].faceless)):
        views = [view for _, view in window]
        yield from (views[i].image for i in (range(len(views)) if lost else walk(changes(views), rng)))


def walk(changes: Floats, rng: np.random.Generator) -> list[int]:
    """Which frame is shown in the place of 0, 1, 2 ..., given how much changes from each to the next, (T - 1,)."""
    last = len(changes)  # the number of the last frame
    if last < 2:
        return list(range(last + 1))
    steps = rng.choice([-1, 1], (WALKS, last))
    walks = np.cumsum(np.concatenate([rng.integers(0, last + 1, (WALKS, 1)), steps], 1), 1)
    walks = last - np.abs(last - np.abs(walks))  # turned back at the first frame and at the last
    turns = (walks[:, 2:] == walks[:, :-2]).mean(1)
    seen = changes[np.minimum(walks[:, 1:], walks[:, :-1])].mean(1)
    usual = (turns >= TURNS[0]) & (turns <= TURNS[1])
    best = np.lexsort([np.abs(seen - changes.mean()), ~usual])[0]
    return [int(i) for i in walks[best]]
