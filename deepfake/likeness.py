"""likeness: whether two frames show one scene, two crops one face, and two faces one person.

The bounds were set on the 19 people of 20 real clips and on swaps of their faces, 16 frames each.
"""

from functools import cache, cached_property
from typing import Any

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.faces import Face, Floats, crop, dlib_model
from deepfake.video import Images, View

Counts = np.ndarray[Any, np.dtype[np.int64]]

SIDE, MARGIN = 150, 0.25  # px and parts of the face: the crops that the recognition network was trained on
SAMPLE = 64  # px: the sides that colours are counted at
CUT = 0.2  # of the colours of a frame: within one clip 1 in 100 differ more, those of two clips 1 in 100 less
ALIKE = 0.25  # of the colours of a face: of one person seconds apart 1 in 60 differ more, 3005 pairs of two people all
ALIKE_GREY, CHROMA = 0.11, 4.0  # the same where the channels hardly differ, in levels: without colour faces differ less
SAME_PICTURE = 0.8  # correlation of two crops: those of two people reach .787 ...
FAR = 0.42  # ... whose colours do not differ more than those of one person ever did (.40)
SAME_VIEW = 0.7  # ... with the crops beside it: a face's own place reaches it in 81 %, places .35 sides off never did
SAME_PERSON = 0.55  # distance of descriptors: of two people .567 at least; of one in a clip 99 % are below


class Look:
    """What a face looks like; measured when asked for, for describing a person takes longer than finding the face."""

    def __init__(self, image: Images | View, face: Face, template: Floats) -> None:
        self.chip, _ = crop(image, face, template, SIDE, MARGIN)

    @cached_property
    def colours(self) -> Counts:
        """The palette of the face."""
        return palette(np.asarray(cv2.resize(self.chip, (SAMPLE, SAMPLE), interpolation=cv2.INTER_AREA), np.uint8))

    @cached_property
    def grey(self) -> bool:
        """Whether it has no colours."""
        red, green, blue = cv2.split(self.chip)
        span = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
        return float(np.mean(span)) < CHROMA

    @cached_property
    def pattern(self) -> Floats:
        """(32, 32): light and shade, of mean 0 and length 1."""
        small = cv2.resize(cv2.cvtColor(self.chip, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
        deviation = small - small.mean()
        return np.asarray(deviation / max(float(np.linalg.norm(deviation)), 1e-9))

    @cached_property
    def descriptor(self) -> Floats:
        """(128,): near for one person, far for two."""
        return descriptor(self.chip)


def palette(image: Images) -> Counts:
    """How often each of 8 x 8 x 8 colours is in each quarter of an (H, W, 3) image: (2048,), of sum SAMPLE**2."""
    small = cv2.resize(image, (SAMPLE, SAMPLE), interpolation=cv2.INTER_NEAREST).astype(np.int64) >> 5
    bins = (small[..., 0] << 6) + (small[..., 1] << 3) + small[..., 2]
    bins[SAMPLE // 2 :] += 1 << 9
    bins[:, SAMPLE // 2 :] += 2 << 9
    return np.bincount(bins.ravel(), minlength=4 << 9)


def apart(colours: Counts, others: Counts) -> float:
    """The share of the colours of one image that the other has not: 0 for equal ones, 1 at most.

    Source: Swain and Ballard, "Color indexing", IJCV 1991.
    """
    return 1 - int(np.minimum(colours, others).sum()) / SAMPLE**2


def correlation(look: Look, other: Look) -> float:
    """Of light and shade: 1 for equal ones."""
    return round(float((look.pattern * other.pattern).sum()), 4)


def alike(look: Look, other: Look, cut: bool) -> bool:
    """Whether a face goes on where another was: surely the same one. After a cut its colours alone do not tell."""
    far = apart(look.colours, other.colours)
    near = far < ALIKE_GREY or (far < ALIKE and not (look.grey or other.grey))
    return (not cut and near) or (far < FAR and correlation(look, other) >= SAME_PICTURE)


def distance(look: Look, other: Look) -> float:
    """Between two faces as people: below SAME_PERSON they are one."""
    return round(float(np.linalg.norm(look.descriptor - other.descriptor)), 4)


def descriptor(chip: Images) -> Floats:
    """(128,) of an aligned (SIDE, SIDE, 3) uint8 RGB face.

    Source: dlib's ResNet (King, "High quality face recognition with deep metric learning", 2017), .9938 on LFW.
    """
    return np.array(_network().compute_face_descriptor(np.ascontiguousarray(chip)))


@cache
def _network() -> Any:
    import dlib

    return dlib.face_recognition_model_v1(str(dlib_model("dlib_face_recognition_resnet_model_v1.dat")))
