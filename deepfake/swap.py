"""swap: the face of one person in the place of another's, in one image; and the landmarks to do it by."""

from functools import cache
from typing import Any

import numpy as np
from scipy.spatial import Delaunay

from deepfake.base.opencv import cv2
from deepfake.detectors import dlib_hog
from deepfake.faces import Detector, Face, Floats, dlib_landmarks, overlap, similarity
from deepfake.video import Images

Maps = np.ndarray[Any, np.dtype[Any]]  # float32

FACE_SIDE = 100  # px that a known face is scaled to before it is looked for again
FINE_SIDE = 250  # px that a face has at least when its landmarks are set: dlib rounds them to whole pixels
SEARCHES = ((480, 2.0), (1200, 3.0))  # px that an image's longer side is brought to, and how far it is enlarged at most
SPREAD = 1.64  # half the side of dlib's box, in standard deviations of the landmarks within; measured on 273 faces
SOFT_EDGE = 0.05  # of the face's width
GAINS = (0.6, 1.6)  # the bounds of what the spread of a colour is multiplied by
MOST_GRAIN = 2.0  # times that of the picture
KERNEL = np.array([1, 4, 6, 4, 1]) / 16  # over five frames: what a shape is averaged by
EYES_MOUTH = (slice(36, 42), slice(42, 48), slice(48, 68))  # of the 68 landmarks
# landmark of the brow: how far above it the skin is taken to reach, in lengths from the brows to the base of the nose
FOREHEAD = {17: 0.2, 19: 0.32, 21: 0.35, 22: 0.35, 24: 0.32, 26: 0.2}


class Finder:
    """The landmarks of one face, followed through a video: looked for where it was last, else everywhere."""

    def __init__(self) -> None:
        self.detector, self.points = _detector(), dlib_landmarks(68)
        self.last: Face | None = None

    def __call__(self, image: Images) -> Floats:
        """(68, 2) px of an (H, W, 3) uint8 RGB image; NaN where no face is found."""
        self.last = (self._near(image, self.last) if self.last else None) or self._anywhere(image)
        if self.last is None:
            return np.full((68, 2), np.nan)
        box, side = self.last.box, self.last.side
        part, corner = _around(image, box, 0.25 * side)
        scale = max(1.0, FINE_SIDE / side)
        part, box = _scaled(part, scale), (box - np.tile(corner, 2)) * scale
        for _ in range(2):  # the detector's box jumps and its landmarks with it: the second box is made of landmarks
            shape = self.points(part, box)
            middle, reach = shape[17:].mean(0), SPREAD * np.hypot(*shape[17:].std(0))
            box = np.concatenate([middle - reach, middle + reach])
        return np.asarray(shape / scale + corner)

    def _near(self, image: Images, last: Face) -> Face | None:
        part, corner = _around(image, last.box, 0.4 * last.side)
        scale = FACE_SIDE / last.side
        faces = [face.moved(scale, *corner) for face in self.detector.detect(_scaled(part, scale))]
        return max(faces, key=lambda face: float(overlap(face.box[None], last.box[None])[0, 0]), default=None)

    def _anywhere(self, image: Images) -> Face | None:
        """The largest face of the image."""
        for side, enlarged in SEARCHES:
            scale = min(side / max(image.shape), enlarged)
            faces = [face.moved(scale, 0, 0) for face in self.detector.detect(_scaled(image, scale))]
            if faces:
                return max(faces, key=lambda face: face.side)
        return None


@cache
def _detector() -> Detector:
    """One a process."""
    return dlib_hog.build(None)


def _around(image: Images, box: Floats, margin: float) -> tuple[Images, Floats]:
    """The image around a box, and its upper left corner (2,)."""
    left, top = (max(0, int(edge - margin)) for edge in box[:2])
    right, bottom = (int(edge + margin) + 1 for edge in box[2:])
    return image[top:bottom, left:right], np.array([left, top], float)


def _scaled(image: Images, scale: float) -> Images:
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=way), np.uint8)


def swap(image: Images, shape: Floats, other: Images, other_shape: Floats, resolution: int = 0) -> Images:
    """The (H, W, 3) uint8 RGB image with the face of the other in the place of its own; shapes (68, 2) in px.

    The other face is warped triangle by triangle onto the landmarks, its eyes and mouth as far open as they are there,
    given the mean and spread of the colours it covers and as much fine detail, and laid in with a soft edge: sharpness
    alone does not tell a fake. Nothing changes outside the hull
    of the landmarks and the forehead. `resolution` px: the longer side of the face as a generator would draw it, before
    it is enlarged into place; 0 keeps all that the other picture has.

    Source: Reinhard et al., "Color transfer between images", IEEE CG&A 2001; Li and Lyu, "Exposing DeepFake videos by
    detecting face warping artifacts", CVPR workshops 2019, for what a generator's resolution leaves behind.
    """
    target, source = _with_forehead(shape), _with_forehead(other_shape)
    hull = cv2.convexHull(target.astype(np.float32))[:, 0]
    low = np.clip(np.floor(hull.min(0)).astype(int) - 1, 0, None)
    high = np.ceil(hull.max(0)).astype(int) + 2
    part = image[low[1] : high[1], low[0] : high[0]]
    if not part.size:  # the face lies beyond the edge
        return image
    x, y = _maps(_expressed(target, source) - low, source, part.shape[:2])
    alpha = _soft(hull - low, part.shape[:2]) * (x >= 0)
    face = cv2.remap(other, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    coloured = _recoloured(_drawn_at(np.asarray(face, np.uint8), resolution), part, alpha > 0.5)
    face = _grained(coloured, part, alpha > 0.5)
    out = image.copy()
    blended = part + (face - part) * alpha[..., None]
    out[low[1] : high[1], low[0] : high[0]] = np.rint(blended).clip(0, 255)
    return out


def steady(shapes: Floats) -> Floats:
    """The landmarks of a video without their trembling: (T, 68, 2) px, NaN where there is no face.

    dlib sets them to whole pixels, each frame anew. Where a face lies is told by all 68 of a frame together, and its
    form by those of the frames around it.
    """
    out = shapes.copy()
    seen = np.flatnonzero(~np.isnan(shapes).any((1, 2)))
    matrices = [similarity(shape, shapes[seen[0]]) for shape in shapes[seen]]
    turns = [turn for turn in matrices if turn is not None]
    if not turns or len(turns) < len(matrices):
        return out
    forms = np.stack([shape @ turn[:, :2].T + turn[:, 2] for shape, turn in zip(shapes[seen], turns, strict=True)])
    reach = len(KERNEL) // 2
    around = np.pad(forms, ((reach, reach), (0, 0), (0, 0)), "edge")
    forms = np.sum([weight * around[i : i + len(forms)] for i, weight in enumerate(KERNEL)], axis=0)
    for i, form, turn in zip(seen, forms, turns, strict=True):
        out[i] = np.linalg.solve(turn[:, :2], (form - turn[:, 2]).T).T
    return out


def _drawn_at(face: Images, resolution: int) -> Images:
    """The face as if it had been drawn at a lower resolution."""
    scale = resolution / max(face.shape[:2])
    if not 0 < scale < 1:
        return face
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, face.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def _with_forehead(shape: Floats) -> Floats:
    """(74, 2): the landmarks, and a guess at the skin above the brows."""
    up = shape[17:27].mean(0) - shape[33]
    return np.concatenate([shape, [shape[brow] + height * up for brow, height in FOREHEAD.items()]])


def _expressed(target: Floats, source: Floats) -> Floats:
    """The target's shape with the source's eyes and mouth: an eye or mouth torn open has nothing to show."""
    turn = similarity(source[:68], target[:68])
    if turn is None:
        return target
    out = target.copy()
    for part in EYES_MOUTH:
        out[part] = target[part].mean(0) + (source[part] - source[part].mean(0)) @ turn[:, :2].T
    return out


def _maps(target: Floats, source: Floats, sides: tuple[int, ...]) -> tuple[Maps, Maps]:
    """For each pixel within the target's triangles x and y in the source, -1 for the others: two (h, w) float32."""
    triangles = Delaunay(target).simplices  # (K, 3)
    corners = np.concatenate([target[triangles], np.ones((len(triangles), 3, 1))], axis=2)
    wide = np.abs(np.linalg.det(corners)) > 0.1  # px2; three landmarks in a line span nothing
    triangles, corners = triangles[wide], corners[wide]
    affine = np.linalg.solve(corners, source[triangles]).astype(np.float32)  # (K, 3, 2)
    label = np.full(sides, -1, np.int32)
    for k, triangle in enumerate(np.rint(target[triangles] * 16).astype(np.int32)):
        cv2.fillConvexPoly(label, triangle, k, shift=4)
    y, x = np.indices(sides, np.float32)
    matrix = affine[label]  # (h, w, 3, 2)
    maps = x[..., None] * matrix[..., 0, :] + y[..., None] * matrix[..., 1, :] + matrix[..., 2, :]
    maps[label < 0] = -1
    return maps[..., 0], maps[..., 1]


def _soft(hull: Maps, sides: tuple[int, ...]) -> Maps:
    """(h, w) float32: 1 within the hull, falling to 0 before its edge."""
    mask = np.zeros(sides, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 1)
    reach = max(1, round(SOFT_EDGE * float(np.ptp(hull[:, 0]))))  # px
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    soft: Maps = cv2.erode(mask, disc, borderType=cv2.BORDER_CONSTANT, borderValue=1).astype(np.float32)
    for _ in range(2):  # together they reach as far as was eroded
        soft = cv2.blur(soft, (reach // 2 * 2 + 1, reach // 2 * 2 + 1), borderType=cv2.BORDER_REPLICATE)
    return soft


def _grained(face: Maps, like: Images, where: np.ndarray[Any, np.dtype[np.bool_]]) -> Maps:
    """The face under as much of the other's grain as makes it as sharp, where told; float32 RGB."""
    if not where.any():
        return face
    own = like.astype(np.float32)
    grain = own - cv2.GaussianBlur(own, (0, 0), 1.0)
    have, want, more = (float(cv2.Laplacian(i.mean(2), cv2.CV_32F)[where].var()) for i in (face, own, grain))
    share = min(np.sqrt(max(0.0, want - have) / max(more, 1e-3)), MOST_GRAIN)
    return np.asarray(face + np.float32(share) * grain, np.float32)


def _recoloured(face: Images, like: Images, where: np.ndarray[Any, np.dtype[np.bool_]]) -> Maps:
    """The face with the other's mean and spread, where told, of each channel of CIELAB; float32 RGB in [0, 255]."""
    lab, wanted = (cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for image in (face, like))
    if not where.any():
        return face.astype(np.float32)
    mean, spread = lab[where].mean(0), lab[where].std(0)
    gain = np.clip(wanted[where].std(0) / np.maximum(spread, 1e-3), *GAINS)
    lab = ((lab - mean) * gain + wanted[where].mean(0)).astype(np.float32)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255)
