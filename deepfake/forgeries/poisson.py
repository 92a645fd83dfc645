"""poisson: another's face, moved as a whole onto the target and laid in without a seam by its gradients.

Source: Pérez et al., "Poisson image editing", SIGGRAPH 2003; the outline as in Korshunova et al., "Fast face-swap using
convolutional neural networks", ICCV 2017.
"""

from collections.abc import Iterator

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.faces import Floats, similarity
from deepfake.footage import Footage
from deepfake.video import Images

PEOPLE = 2
SIDE = 160  # px that the face is drawn in, where nothing is said
MARGIN = 2  # px of the image's edge that no seam may touch


def forged(target: Footage, source: Footage, resolution: int) -> Iterator[Images]:
    """The target's frames with the face of the source."""
    for own, other in zip(target, source.endless(), strict=False):
        lost = own.faceless or other.faceless
        yield own.image if lost else _laid(own.image, own.shape, other.image, other.shape, resolution or SIDE)


def _laid(image: Images, shape: Floats, other: Images, other_shape: Floats, side: int) -> Images:
    """The other's face through a similarity, so that its own proportions stay, drawn at `side` px."""
    scale = side / float(np.ptp(shape, axis=0).max())
    height, width = image.shape[:2]
    hull = cv2.convexHull(np.rint(_inside(shape)).astype(np.int32))
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, hull, 255)
    mask[:MARGIN], mask[-MARGIN:], mask[:, :MARGIN], mask[:, -MARGIN:] = 0, 0, 0, 0
    matrix = similarity(other_shape, shape * min(scale, 1))
    if matrix is None or not mask.any():
        return image
    small = (max(8, round(width * min(scale, 1))), max(8, round(height * min(scale, 1))))
    drawn = cv2.warpAffine(other, matrix, small, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    drawn = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_LINEAR)
    left, top, wide, high = cv2.boundingRect(mask)
    middle = (left + wide // 2, top + high // 2)
    return np.asarray(cv2.seamlessClone(drawn, image, mask, middle, cv2.NORMAL_CLONE), np.uint8)


def _inside(shape: Floats) -> Floats:
    """The jaw drawn in by a tenth, and the brows: what is replaced ends on skin."""
    jaw = shape[:17] + 0.1 * (shape[30] - shape[:17])
    return np.concatenate([jaw, shape[17:27]])
