"""dlib_hog: histograms of oriented gradients; frontal faces, no model file, milliseconds on a CPU.

Source: Dalal and Triggs, CVPR 2005; King, "Max-margin object detection", arXiv 1502.00046, 2015.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import dlib
import numpy as np

from deepfake.base.opencv import cv2
from deepfake.faces import DLIB_5, Detector, Face, dlib_landmarks
from deepfake.video import Images

MODEL = "frontal_faces.svm"  # dlib.get_frontal_face_detector() as a file, which is read at once: dlib unpacks its own


class DlibHog:
    """A face of 80 px or more, to be enlarged before where smaller."""

    window = 80
    template = DLIB_5

    def __init__(self) -> None:
        self.landmarks = dlib_landmarks(5)

    @cached_property
    def hog(self) -> Any:
        """The detector: only a process that searches reads it."""
        return dlib.fhog_object_detector(str(Path(__file__).with_name(MODEL)))

    def detect(self, image: Images) -> list[Face]:
        grey = np.asarray(
            cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8
        )  # finds as many, in three quarters the time
        boxes, scores, _ = self.hog.run(grey, 0, 0.0)
        edges = [np.array([b.left(), b.top(), b.right() + 1, b.bottom() + 1], float) for b in boxes]
        return [Face(e, float(s), self.landmarks(grey, e)) for e, s in zip(edges, scores, strict=True)]


def build(weights: str | None) -> Detector:
    """The detector; its model is dlib's own, `weights` is not used."""
    return DlibHog()
