"""footage: the frames of a video beside the landmarks of its face, as often as they are wanted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np

from deepfake.faces import Floats
from deepfake.video import Images


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
