"""dlib_cnn: a small convolutional network; also turned and half-hidden faces; on a CPU 50 times slower.

Source: King, "Max-margin object detection", arXiv 1502.00046, 2015.
"""

import dlib
import numpy as np

from deepfake.faces import DLIB_5, Detector, Face, dlib_landmarks, dlib_model
from deepfake.video import Images


class DlibCnn:
    """A face of 80 px or more, to be enlarged before where smaller."""

    window = 80
    template = DLIB_5

    def __init__(self) -> None:
        self.network = dlib.cnn_face_detection_model_v1(str(dlib_model("mmod_human_face_detector.dat")))
        self.landmarks = dlib_landmarks(5)

    def detect(self, image: Images) -> list[Face]:
        sights = [(r.rect, r.confidence) for r in self.network(image, 0)]
        boxes = [(np.array([b.left(), b.top(), b.right() + 1, b.bottom() + 1], float), float(s)) for b, s in sights]
        return [Face(box, score, self.landmarks(image, box)) for box, score in boxes]


def build(weights: str | None) -> Detector:
    """The detector; its network is a file of face_recognition_models, `weights` is not used."""
    return DlibCnn()
