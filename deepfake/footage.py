"""footage: the frames of a video beside the landmarks of its face, as often as they are wanted."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from typing import NamedTuple

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.faces import Floats, similarity
from deepfake.video import Images

SIDE = 128  # px, of the faces whose changes are measured


class View(NamedTuple):
    """One frame."""

    image: Images  # (H, W, 3) uint8 RGB
    shape: Floats  # (68, 2) px; NaN without a face

    @property
    def faceless(self) -> bool:
        """Whether no face was found in it."""
        return bool(np.isnan(self.shape).any())


@dataclass(frozen=True)
class Footage:
    """A video with one face."""

    frames: Callable[[], Iterator[Images]]  # decodes it from its start
    shapes: Floats  # (T, 68, 2)

    def __iter__(self) -> Iterator[View]:
        return (View(image, shape) for image, shape in zip(self.frames(), self.shapes, strict=True))

    def endless(self) -> Iterator[View]:
        """Its frames, from the start again after the last."""
        return chain.from_iterable(self for _ in repeat(None))


def changes(views: Iterable[View]) -> Floats:
    """How much changes from each frame to the next: the mean absolute difference of the upright faces, in levels.

    (T - 1,) for the T frames that show a face.
    """
    seen = [view for view in views if not view.faceless]
    if len(seen) < 2:
        return np.zeros(0)
    form = seen[0].shape - seen[0].shape.min(0)
    wanted = form * (SIDE / float(np.ptp(form, axis=0).max()))
    turns = [similarity(view.shape, wanted) for view in seen]
    both = zip(seen, turns, strict=True)
    upright = [cv2.warpAffine(view.image, turn, (SIDE, SIDE)) for view, turn in both if turn is not None]
    return np.array([cv2.absdiff(before, after).mean() for before, after in pairwise(upright)])
