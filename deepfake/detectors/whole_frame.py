"""whole_frame: no faces: the whole frame stands for one, for systems that look at all of it.

A crop is its square, around the middle of the frame and as wide as its longer side: nothing of it is lost, nothing is
stretched, and above and below (or beside) it the edge goes on.
"""

import numpy as np

from deepfake.faces import Detector, Face
from deepfake.video import Images


class WholeFrame:
    """One face a frame, without landmarks."""

    window = 0
    template = np.zeros((0, 2))

    def detect(self, image: Images) -> list[Face]:
        height, width = image.shape[:2]
        middle, half = np.array([width, height]) / 2, max(width, height) / 2
        return [Face(np.concatenate([middle - half, middle + half]), 1.0, np.zeros((0, 2)))]


def build(weights: str | None) -> Detector:
    """The detector; `weights` is not used."""
    return WholeFrame()
