"""lowrank: the target's face as the few principal components of its video have it: a face that was learnt, then drawn.

As a person's own autoencoder does, it gives back pose, light and expression, and nothing finer.

Source: Turk and Pentland, "Eigenfaces for recognition", J. Cognitive Neuroscience 1991.
"""

from collections.abc import Iterator

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.faces import Floats, similarity
from deepfake.footage import Footage, View
from deepfake.video import Images

PEOPLE = 1
SIDE = 128  # px of the face
KEPT = 6  # components
FRAMES = 100  # from which they are learnt
MARGIN = 0.15  # around the landmarks, of the face


def forged(target: Footage, source: Footage, resolution: int) -> Iterator[Images]:
    """The target's frames with its face drawn anew."""
    side = resolution or SIDE
    views = [view for view in target if not view.faceless]
    if len(views) < 2:
        yield from (view.image for view in target)
        return
    mean = np.mean([_unit(view.shape) for view in views], axis=0) * side
    sampled = [views[i] for i in np.unique(np.linspace(0, len(views) - 1, min(FRAMES, len(views))).astype(int))]
    chips = np.stack([_chip(view, mean, side).ravel() for view in sampled]).astype(float)  # rounded alike everywhere
    average = chips.mean(0)
    parts = np.linalg.svd(chips - average, full_matrices=False)[2][:KEPT]
    for view in target:
        if view.faceless:
            yield view.image
            continue
        own = _chip(view, mean, side).ravel() - average
        drawn = (average + (parts @ own) @ parts).reshape(side, side, 3)
        yield _laid(view, np.rint(drawn).clip(0, 255).astype(np.uint8), mean)


def _unit(shape: Floats) -> Floats:
    """The landmarks in the unit square around them."""
    low, reach = shape.min(0), float(np.ptp(shape, axis=0).max())
    return np.asarray(((shape - low) / reach + MARGIN) / (1 + 2 * MARGIN))


def _chip(view: View, mean: Floats, side: int) -> Images:
    turn = _turn(view.shape, mean)
    return np.asarray(cv2.warpAffine(view.image, turn, (side, side), flags=cv2.INTER_AREA, borderMode=1), np.uint8)


def _laid(view: View, drawn: Images, mean: Floats) -> Images:
    """The drawn face in its frame, within the jaw and the brows, with a soft edge."""
    height, width = view.image.shape[:2]
    mask = np.zeros(drawn.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(mean).astype(np.int32)), 255)
    mask = cv2.GaussianBlur(cv2.erode(mask, np.ones((5, 5))), (0, 0), len(drawn) / 40)
    back = _turn(mean, view.shape)
    face = cv2.warpAffine(drawn, back, (width, height), flags=cv2.INTER_CUBIC)
    alpha = cv2.warpAffine(mask, back, (width, height))[..., None] / 255
    return np.asarray(np.rint(view.image * (1 - alpha) + face * alpha), np.uint8)


def _turn(shape: Floats, wanted: Floats) -> Floats:
    turn = similarity(shape, wanted)
    assert turn is not None  # landmarks that were found span something
    return turn
