"""shapes: the 68 landmarks of faces in their stored crops."""

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.faces import Floats, dlib_landmarks
from deepfake.video import Images

FINE_SIDE = 250  # px that a face has at least when its landmarks are set: dlib rounds them to whole pixels
SPREAD = 1.64  # half the side of dlib's box, in standard deviations of the landmarks within; measured on 273 faces
LIKELY = (0.5, 0.2)  # of the unit square: how far the nose may lie from its middle, and the least width of a face


def landmarks(images: Images, margin: float) -> Floats:
    """(T, 68, 2) px of (T, S, S, 3) uint8 RGB upright crops with this margin; NaN where they make no face."""
    side = images.shape[1]
    scale = max(1.0, FINE_SIDE * (1 + 2 * margin) / side)
    predict, out = dlib_landmarks(68), np.full((len(images), 68, 2), np.nan)
    unit = side * scale / (1 + 2 * margin)
    for i, image in enumerate(images):
        large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        large = np.ascontiguousarray(large, np.uint8)
        box = np.array([margin, margin, 1 + margin, 1 + margin]) * unit
        for _ in range(2):  # the second box is made of landmarks, as dlib's own would lie
            shape = predict(large, box)
            middle, reach = shape[17:].mean(0), SPREAD * np.hypot(*shape[17:].std(0))
            box = np.concatenate([middle - reach, middle + reach])
        off = np.abs(shape[30] / unit - margin - 0.5).max()
        if off < LIKELY[0] and np.ptp(shape[:, 0]) > LIKELY[1] * unit:
            out[i] = shape / scale
    return out
