"""faceswap: the face of one person warped triangle by triangle into the place of another's, frame by frame."""

from collections.abc import Iterator

from deepfake.footage import Footage
from deepfake.swap import swap
from deepfake.video import Images

PEOPLE = 2


def forged(target: Footage, source: Footage, resolution: int) -> Iterator[Images]:
    """The target's frames with the face of the source, its eyes and mouth as far open as they are there."""
    for own, other in zip(target, source.endless(), strict=False):
        lost = own.faceless or other.faceless
        yield own.image if lost else swap(own.image, own.shape, other.image, other.shape, resolution)
