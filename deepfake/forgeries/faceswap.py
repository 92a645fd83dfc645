"""faceswap: the face of one person warped triangle by triangle into the place of another's, frame by frame.

The source is slowed until about as much changes from frame to frame as in the target: else the motion of two people
adds up, and the frame difference alone tells a fake.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from deepfake.footage import Footage, View, changes
from deepfake.swap import steady, swap
from deepfake.video import Images

PEOPLE = 2
PACES = (1.0, 0.5, 0.25)  # frames of the source for one of the target
TRIED = 9  # frames, on which the pace is chosen


def forged(target: Footage, source: Footage, resolution: int) -> Iterator[Images]:
    """The target's frames with the face of the source, its eyes and mouth as far open as they are there."""
    target, source = (Footage(video.frames, steady(video.shapes)) for video in (target, source))
    tries = [changes(islice(_swapped(target, source, resolution, pace), TRIED)).sum() for pace in PACES]
    pace = PACES[int(np.abs(np.array(tries) - changes(islice(target, TRIED)).sum()).argmin())]
    return (view.image for view in _swapped(target, source, resolution, pace))


def _swapped(target: Footage, source: Footage, resolution: int, pace: float) -> Iterator[View]:
    others = source.endless()
    shown = -1
    for i, own in enumerate(target):
        while shown < int(i * pace):
            other, shown = next(others), shown + 1
        lost = own.faceless or other.faceless
        yield own if lost else View(swap(own.image, own.shape, other.image, other.shape, resolution), own.shape)
