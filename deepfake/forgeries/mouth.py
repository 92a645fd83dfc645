"""mouth: the lower face says something else: that of half a second before, drawn at 96 px and set in as a box.

Source: the lower half at 96 px, and the box without a blend: Prajwal et al., "A lip sync expert is all you need for
speech to lip generation in the wild" (Wav2Lip), ACM Multimedia 2020.
"""

from collections import deque
from collections.abc import Iterator

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.faces import Floats, similarity
from deepfake.footage import Footage, View
from deepfake.video import Images

PEOPLE = 1
SIDE = 96  # px of the face, as the generator draws it
DELAY = 12  # frames
FIXED = slice(27, 48)  # nose and eyes: of the 68 landmarks, those that no speech moves
FEATHER = 0.03  # of the face's side


def forged(target: Footage, source: Footage, resolution: int) -> Iterator[Images]:
    """The target's frames with an earlier mouth of its own."""
    past: deque[View] = deque(maxlen=DELAY + 1)
    for view in target:
        if view.faceless:
            yield view.image
            continue
        past.append(view)
        yield _said(view, past[0], resolution or SIDE)


def _said(view: View, before: View, side: int) -> Images:
    """A frame with the lower face of another frame of the person."""
    low, high = view.shape.min(0), view.shape.max(0)
    reach = float((high - low).max())
    place = similarity(view.shape[FIXED], (view.shape[FIXED] - low) * side / reach)
    turn = similarity(before.shape[FIXED], (view.shape[FIXED] - low) * side / reach)
    if place is None or turn is None:
        return view.image
    box = (side, round(side * float(high[1] - low[1]) / reach) + side // 12)  # down to the chin and a little below
    drawn = cv2.warpAffine(before.image, turn, box, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    drawn = cv2.bilateralFilter(np.asarray(drawn, np.uint8), 5, 18, 2)  # no pores, edges: as it has learnt to draw
    mask = np.zeros(box[::-1], np.float32)
    mask[_nose(view.shape, low, side / reach) :] = 1
    height, width = view.image.shape[:2]
    back = cv2.invertAffineTransform(place)
    laid = cv2.warpAffine(drawn, back, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(mask, back, (width, height), flags=cv2.INTER_NEAREST)
    soft = max(1, round(FEATHER * reach)) * 2 + 1
    alpha = cv2.blur(alpha, (soft, soft))[..., None]
    return np.asarray(np.rint(view.image * (1 - alpha) + laid * alpha), np.uint8)


def _nose(shape: Floats, low: Floats, scale: float) -> int:
    """The row of the drawn face at the tip of the nose."""
    return int((shape[30, 1] - low[1]) * scale)
