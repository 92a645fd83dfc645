"""masks: which part of a face is replaced: from its 68 landmarks, or from an ellipse where there are none.

Source: regions of landmarks, elastic deformation and the two blurs as in Shiohara and Yamasaki, "Detecting deepfakes
with self-blended images", CVPR 2022, and its code for the numbers.
"""

from typing import Any

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.faces import Floats
from deepfake.video import Images

Masks = np.ndarray[Any, np.dtype[np.float32]]

SIDE = 128  # px that a mask is drawn at
EDGE = 8  # px of it that stay free on each side, so that a mask ends within the picture
BEND = (25, 4)  # px that noise moves a pixel at most, and the sigma that smooths it
TREMBLE = 0.004  # of the side, standard deviation: landmarks are set frame by frame
STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)

JAW, BROWS, NOSE, EYES, MOUTH = slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68)
REGIONS = ("face", "forehead", "inner", "below", "above", "parts")  # of whole faces
LOWER = ("mouth", "chin", "box")  # of what speaks
# of an ellipse where a crop has placed the face: center x, y and radii x, y, in parts of the unit square of an upright
# face, which the crop's margin surrounds
ELLIPSES = {
    "face": (0.50, 0.56, 0.50, 0.56),
    "forehead": (0.50, 0.50, 0.52, 0.66),
    "inner": (0.50, 0.52, 0.36, 0.42),
    "below": (0.50, 0.72, 0.44, 0.36),
    "above": (0.50, 0.32, 0.48, 0.32),
    "parts": (0.50, 0.82, 0.26, 0.16),
    "mouth": (0.50, 0.84, 0.24, 0.15),
    "chin": (0.50, 0.86, 0.40, 0.28),
    "box": (0.50, 0.84, 0.42, 0.30),
}


def drawn(
    shapes: Floats | None, count: int, side: int, regions: tuple[str, ...], margin: float, rng: np.random.Generator
) -> Masks:
    """How much of the source is seen, of one region drawn from some: (count, side, side) float32 in [0, 1].

    `shapes` are the frames' landmarks, (count, 68, 2) in px of the crop; None, and an ellipse stands for them, in a
    crop with this margin. Nothing is seen of the source at the border.
    """
    region = str(rng.choice(regions))
    scale = SIDE / side
    bent, hard = _bend(rng), region == "box" and rng.random() < 0.7
    first, second = (int(k) for k in 2 * rng.integers(1, 7, 2) + 1)  # px, 3 to 13
    sigma, part = rng.uniform(2, 20), int(rng.integers(4))
    out = np.empty((count, side, side), np.float32)
    for i in range(count):
        outlines = _ellipse(region, margin, rng) if shapes is None else _outlines(region, shapes[i] * scale, part)
        flat = np.zeros((SIDE, SIDE), np.uint8)
        for points in outlines:
            trembling = points + rng.normal(0, TREMBLE * SIDE, points.shape)
            hull = cv2.convexHull(trembling.astype(np.float32))
            cv2.fillConvexPoly(flat, np.rint(hull * 16).astype(np.int32), 255, shift=4)
        flat = flat if hard else np.asarray(cv2.remap(flat, *bent, cv2.INTER_LINEAR), np.uint8)
        flat[:EDGE], flat[-EDGE:], flat[:, :EDGE], flat[:, -EDGE:] = 0, 0, 0, 0
        mask: Masks = flat.astype(np.float32) / np.float32(255) if hard else _soft(flat, first, second, sigma)
        out[i] = _sized(mask, side)
    return out * np.float32(rng.choice(STRENGTHS if region not in LOWER else STRENGTHS[2:]))


def _outlines(region: str, shape: Floats, part: int) -> list[Floats]:
    """The points whose hulls make the region."""
    up = shape[BROWS].mean(0) - shape[33]  # from the nose to the brows
    if region == "parts":
        eyes = [shape[36:42], shape[42:48]]
        return [[shape[MOUTH]], eyes, [shape[27:36]], [*eyes, shape[MOUTH], shape[NOSE]]][part]
    if region == "mouth":
        return [shape[MOUTH] + 0.35 * (shape[MOUTH] - shape[MOUTH].mean(0))]
    inner = np.concatenate([shape[BROWS], shape[NOSE], shape[EYES], shape[MOUTH]])
    return [
        {
            "face": shape,
            "forehead": np.concatenate([shape, shape[BROWS] + 0.5 * up]),
            "inner": inner,
            "below": np.concatenate([shape[1:16], shape[28:36], shape[MOUTH]]),
            "above": np.concatenate([shape[[0, 1, 2, 14, 15, 16]], shape[17:48], shape[BROWS] + 0.3 * up]),
            "chin": np.concatenate([shape[3:14], shape[31:36], shape[MOUTH]]),
            "box": _corners(np.concatenate([shape[2:15], shape[31:36]])),
        }[region]
    ]


def _corners(points: Floats) -> Floats:
    (left, top), (right, bottom) = points.min(0), points.max(0)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _ellipse(region: str, margin: float, rng: np.random.Generator) -> list[Floats]:
    """Points on it: the fewer, the more of it is cut off."""
    x, y, wide, high = ELLIPSES[region]
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(16, 40)))
    radii = np.array([wide, high]) * rng.uniform(0.85, 1.05, 2)
    around = np.array([x, y]) + radii * np.stack([np.cos(angles), np.sin(angles)], 1)
    return [(around + margin) / (1 + 2 * margin) * SIDE]


def _bend(rng: np.random.Generator) -> tuple[Masks, Masks]:
    """Elastic: where each pixel comes from.

    Source: Simard et al., "Best practices for convolutional neural networks", ICDAR 2003.
    """
    noise = BEND[0] * rng.uniform(-1, 1, (SIDE, SIDE, 2)).astype(np.float32)
    y, x = np.indices((SIDE, SIDE), np.float32)
    shift = np.asarray(cv2.GaussianBlur(noise, (0, 0), BEND[1]), np.float32)
    return x + shift[..., 0], y + shift[..., 1]


def _soft(flat: Images, first: int, second: int, sigma: float) -> Masks:
    """With an edge that falls inwards."""
    core = np.asarray(cv2.GaussianBlur(flat, (first, first), 0)) == 255  # what the blur does not reach
    if not core.any():  # a region smaller than the blur
        core = flat > 127
    soft = np.asarray(cv2.GaussianBlur(core.astype(np.float32), (second, second), sigma), np.float32)
    return np.asarray(soft / max(float(soft.max()), 1e-6), np.float32)


def _sized(mask: Masks, side: int) -> Masks:
    how = cv2.INTER_AREA if side < SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask.astype(np.float32), (side, side), interpolation=how), np.float32)
