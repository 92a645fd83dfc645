"""faces: a face in an image: its box, its landmarks, and the upright square crop of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from deepfake.base.errors import UserError
from deepfake.base.opencv import cv2
from deepfake.video import Images, View

Floats = np.ndarray[Any, np.dtype[np.float64]]

SHARPNESS_SIDE = 128  # px: larger faces are shrunk to it, so that sharpness means the same for all of them
CUBIC = 2  # px of an image, on each side, that one between them is made of
MAX_STRETCH = 2.0  # an aligned crop this much larger or smaller than the box has wrong landmarks under it

PREDICTORS = {5: "shape_predictor_5_face_landmarks.dat", 68: "shape_predictor_68_face_landmarks.dat"}  # dlib's

# Where the 5 landmarks lie in the unit square of an upright face.
# Outer and inner corner of the eye on the right of the image, the same on the left, base of the nose.
# Source: dlib, get_face_chip_details (King, JMLR 2009).
DLIB_5 = np.array([[0.8596, 0.2135], [0.6460, 0.2290], [0.1206, 0.2137], [0.3341, 0.2291], [0.4901, 0.6278]])
# Eyes, tip of the nose, corners of the mouth, left of the image first; moved into the square of DLIB_5.
# Source: ArcFace's template (Deng et al., CVPR 2019), matched to DLIB_5 on the eyes.
EYES_NOSE_MOUTH = np.array([[0.2273, 0.2214], [0.7528, 0.2214], [0.4901, 0.6150], [0.2700, 0.8420], [0.7102, 0.8420]])


@dataclass(frozen=True)
class Face:
    """A face found in an image."""

    box: Floats  # (4,) left, top, right, bottom, px
    score: float  # the detector's own, higher is surer; NaN where the face was recovered from its neighbours
    landmarks: Floats  # (N, 2) x, y in px, in the order of the detector's template

    def __post_init__(self) -> None:
        if self.box.shape != (4,) or self.landmarks.ndim != 2 or self.landmarks.shape[1] != 2:
            raise ValueError(f"box {self.box.shape}, landmarks {self.landmarks.shape}: must be (4,) and (N, 2)")

    @property
    def side(self) -> float:
        """The mean of the box's sides, px."""
        return float(self.box[2] - self.box[0] + self.box[3] - self.box[1]) / 2

    def moved(self, scale: float, left: float, top: float) -> "Face":
        """The face in an image of which this one is a part, enlarged `scale` times and cut at (left, top)."""
        offset = np.array([left, top], float)
        return Face(self.box / scale + np.tile(offset, 2), self.score, self.landmarks / scale + offset)


class Detector(Protocol):
    """Finds faces. `window` px is the side of the smallest face it finds, `template` where its landmarks belong.

    A window of 0: it wants every frame as it is, whole.
    """

    window: int
    template: Floats  # (N, 2)

    def detect(self, image: Images) -> list[Face]:
        """The faces of an (H, W, 3) uint8 RGB image, best first."""
        ...


def overlap(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union of (N, 4) with (M, 4) boxes: (N, M)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(2)
    areas = [np.clip(b[:, 2:] - b[:, :2], 0, None).prod(1) for b in (boxes, others)]
    return np.asarray(both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-9))


def distinct(faces: list[Face], threshold: float = 0.4) -> list[Face]:
    """The faces, best first, without those that overlap a better one (non-maximum suppression)."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: (-f.score, *f.box)):
        if not kept or overlap(face.box[None], np.stack([f.box for f in kept])).max() < threshold:
            kept.append(face)
    return kept


def crop(image: Images | View, face: Face, template: Floats, size: int, margin: float) -> tuple[Images, bool]:
    """The face as (size, size, 3) uint8 RGB, and whether it is aligned by its landmarks.

    `margin` is what is kept around the unit square of the template, in parts of its side, on each side. Edges are
    replicated. Where alignment fails the plain box is cut instead.
    """
    target = (template + margin) / (1 + 2 * margin) * size
    matrix = similarity(face.landmarks, target)
    plain = _box_matrix(face, size, margin)
    aligned = matrix is not None and 1 / MAX_STRETCH < _scale(matrix) / _scale(plain) < MAX_STRETCH
    return warp(image, matrix if matrix is not None and aligned else plain, size), aligned


def similarity(source: Floats, target: Floats) -> Floats | None:
    """(2, 3): rotation, scale and shift that bring (N, 2) points nearest to others; None where there is none.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.
    """
    if len(source) < 2 or len(source) != len(target) or not np.isfinite(source).all():
        return None
    a, b = source - source.mean(0), target - target.mean(0)
    spread = float((a**2).sum())
    if spread < 1e-6:
        return None
    cosine, sine = float((a * b).sum()) / spread, float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.hstack([turn, (target.mean(0) - turn @ source.mean(0))[:, None]])


def warp(image: Images | View, matrix: Floats, size: int) -> Images:
    """The (size, size, 3) view of the image through a similarity, without aliasing, edges replicated."""
    scale = _scale(matrix)
    left, top, right, bottom = _seen(matrix, size, image.shape[1], image.shape[0], 0 if scale < 0.5 else CUBIC)
    part = image[top:bottom, left:right]
    step, first = 1.0, 0.0
    if scale < 0.5:  # bilinear sampling skips pixels below one half: shrink by area first
        part = np.asarray(cv2.resize(part, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA), np.uint8)
        step = 0.5 / scale  # px of the image in one of the small one; the centers of the first pixels are aligned
        first = (step - 1) / 2
    matrix = matrix @ np.array([[step, 0, left + first], [0, step, top + first], [0, 0, 1]])
    flags = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(
        cv2.warpAffine(part, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def sharpness(image: Images | View, face: Face) -> float:
    """Variance of the Laplacian of the grey box at its own size, shrunk where it is larger than SHARPNESS_SIDE.

    Never enlarged: what is enlarged is smooth, so that a small face would be called blurred for being small.

    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000.
    """
    low = np.clip(np.round(face.box[:2]), 0, None).astype(int)
    high = np.clip(np.round(face.box[2:]), 0, None).astype(int)
    part = image[low[1] : high[1], low[0] : high[0]]
    if not part.size:
        return 0.0  # the box lies beside the image
    if (scale := SHARPNESS_SIDE / max(part.shape)) < 1:
        part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return float(cv2.Laplacian(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def _box_matrix(face: Face, size: int, margin: float) -> Floats:
    """The similarity that cuts the square around the box, with its margin."""
    scale = size / (max(face.side, 1.0) * (1 + 2 * margin))
    middle = (face.box[:2] + face.box[2:]) / 2
    return np.hstack([np.eye(2) * scale, (size / 2 - scale * middle)[:, None]])


def _seen(matrix: Floats, size: int, width: int, height: int, around: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what a (size, size) view shows of an image, and a pixel of the view around it.

    And so many of the image.
    """
    corners = np.array([[-1, -1], [size, -1], [-1, size], [size, size]]) - matrix[:, 2]
    corners = np.round(np.linalg.solve(matrix[:, :2], corners.T).T, 6)  # a whole number is one on every processor
    least = np.ceil(1 / _scale(matrix))  # of a view beside the image, its edge
    low = np.clip(np.floor(corners.min(0)) - around, 0, (max(0, width - least), max(0, height - least)))
    high = np.clip(np.ceil(corners.max(0)) + around, low + least, (width, height))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _scale(matrix: Floats) -> float:
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def dlib_model(name: str) -> Path:
    """A model file of the package face_recognition_models, found without importing it (it needs pkg_resources)."""
    spec = find_spec("face_recognition_models")
    path = Path(spec.origin or "", "..", "models", name).resolve() if spec else Path(name)
    if not path.is_file():
        raise UserError(f"no dlib model {name}", "pip install face-recognition-models")
    return path


@cache
def dlib_landmarks(points: int) -> Callable[[Images, Floats], Floats]:
    """dlib's 5- or 68-point predictor: of an (H, W, 3) uint8 RGB image and a box, (points, 2) in px.

    Source: Kazemi and Sullivan, "One millisecond face alignment with an ensemble of regression trees", CVPR 2014.
    """
    import dlib

    predictor = dlib.shape_predictor(str(dlib_model(PREDICTORS[points])))

    def landmarks(image: Images, box: Floats) -> Floats:
        shape = predictor(image, dlib.rectangle(*(round(float(edge)) for edge in box)))
        return np.array([(shape.part(i).x, shape.part(i).y) for i in range(points)], float)

    return landmarks
