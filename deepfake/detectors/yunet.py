"""yunet: a tiny convolutional network through OpenCV; fast, with five landmarks; needs its model file.

Source: Wu et al., "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 2023.
"""

from pathlib import Path

import numpy as np

from deepfake.base.disk import beside
from deepfake.base.errors import UserError
from deepfake.base.opencv import cv2
from deepfake.faces import EYES_NOSE_MOUTH, Detector, Face
from deepfake.video import Images

MIN_SCORE = 0.8  # at .6 it takes dogs and rabbits for faces
WHERE = (
    "get face_detection_yunet_2023mar.onnx from the OpenCV zoo, put it into data/weights and name it in detect.weights"
)


class YuNet:
    """Faces of 20 px or more are sure; those it tracks are enlarged to some 60."""

    window = 40
    template = EYES_NOSE_MOUTH

    def __init__(self, weights: Path) -> None:
        try:
            self.network = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), MIN_SCORE, 0.3)
        except cv2.error as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(f"detect.weights: {weights}: OpenCV cannot load it: {reason}", WHERE) from None

    def detect(self, image: Images) -> list[Face]:
        self.network.setInputSize((image.shape[1], image.shape[0]))
        _, faces = self.network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        rows = np.zeros((0, 15)) if faces is None else np.asarray(faces, float)
        return [Face(np.concatenate([r[:2], r[:2] + r[2:4]]), float(r[14]), r[4:14].reshape(5, 2)) for r in rows]


def build(weights: str | None) -> Detector:
    """The detector of the model file. Raises UserError where there is none."""
    if weights is None:
        raise UserError("detect.weights: the detector yunet needs its model file", WHERE)
    if not Path(weights).is_file():
        raise UserError(f"detect.weights: no file {weights}", beside(Path(weights)) or WHERE)
    return YuNet(Path(weights))
