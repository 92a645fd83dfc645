"""reenacted: a single picture of the target, moved by the landmarks of another: no frame of it was ever filmed.

Source: relative motion from one still, Siarohin et al., "First order motion model for image animation", NeurIPS 2019;
thin-plate splines, Bookstein, "Principal warps", PAMI 1989.
"""

from collections.abc import Iterator

import numpy as np
from scipy.interpolate import RBFInterpolator

from deepfake.base.opencv import cv2
from deepfake.faces import Floats, similarity
from deepfake.footage import Footage, View
from deepfake.video import Images

PEOPLE = 1
SIDE = 256  # px that the picture is drawn in
FACE = 0.45  # of that side: how much of it a face takes at least
GRID = 24  # points a side at which the motion is worked out
ANCHORS = 6  # points on each edge of the picture, which stay


def forged(target: Footage, source: Footage, resolution: int) -> Iterator[Images]:
    """The first frame that shows the target, moved as the source moves from its own first frame on."""
    still = next((view for view in target if not view.faceless), None)
    first: Floats | None = None
    shape = still.shape if still else np.empty((0, 2))
    for own, other in zip(target, source.endless(), strict=False):
        if still is None:
            yield own.image
            continue
        if not other.faceless:
            first = other.shape if first is None else first
            shape = _moved(still.shape, first, other.shape)
        yield _drawn(still, shape, resolution or SIDE)


def _moved(shape: Floats, before: Floats, after: Floats) -> Floats:
    """A shape that goes from where it is as another goes from `before` to `after`, in its own size."""
    turn = similarity(before, shape)
    scale = 1.0 if turn is None else float(np.hypot(turn[0, 0], turn[1, 0]))
    return shape + scale * (after - before)


def _drawn(still: View, shape: Floats, side: int) -> Images:
    """The still with its landmarks at a new shape, as smooth as a generator of some `side` px draws it."""
    height, width = still.image.shape[:2]
    face = float(np.ptp(still.shape, axis=0).max())
    scale = min(1.0, max(side / max(height, width), FACE * side / face))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    small = cv2.resize(still.image, size, interpolation=cv2.INTER_AREA)
    small = cv2.medianBlur(np.asarray(small, np.uint8), 3)
    warped = cv2.remap(
        small, *_flow(still.shape * scale, shape * scale, size), cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.resize(warped, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _flow(shape: Floats, wanted: Floats, size: tuple[int, int]) -> tuple[Images, Images]:
    """Where each pixel of the wanted picture lies in the still: x and y, (h, w) float32."""
    edge = np.linspace(0, 1, ANCHORS)
    ring = np.concatenate(
        [np.c_[edge, 0 * edge], np.c_[edge, 0 * edge + 1], np.c_[0 * edge, edge], np.c_[0 * edge + 1, edge]]
    )
    anchors = np.unique(ring, axis=0) * (np.array(size) - 1)
    places = np.concatenate([wanted, anchors])
    spline = RBFInterpolator(places, np.concatenate([shape - wanted, 0 * anchors]), smoothing=1.0, degree=1)
    x, y = np.meshgrid(np.linspace(0, size[0] - 1, GRID), np.linspace(0, size[1] - 1, GRID))
    coarse = spline(np.c_[x.ravel(), y.ravel()]).reshape(GRID, GRID, 2).astype(np.float32)
    flow = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    rows, columns = np.indices(size[::-1], np.float32)
    return columns + flow[..., 0], rows + flow[..., 1]
