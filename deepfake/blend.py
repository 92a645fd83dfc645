"""blend: a fake made of one real face: self-blended images (SBI), the same draw for all frames of a clip.

Two copies of a face, of which one is altered and one moved, are blended within a mask: what is left to find is the seam
and the mismatch that every face swap leaves, whichever method made it.

Source: Shiohara and Yamasaki, "Detecting deepfakes with self-blended images", CVPR 2022, and its code for the numbers.
Here the hull is of points on an ellipse where the crop has placed the face, not of 68 landmarks; sharpening keeps the
brightness; hue and saturation stay, for the code's shift of them, by 0.3 of one of 256 levels, is none.
"""

from typing import Any

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.clips import resized
from deepfake.video import Images

Masks = np.ndarray[Any, np.dtype[np.float32]]

MASK_SIDE = 256  # px that a mask is drawn at, for which the paper's elastic deformation and blurs are meant
EDGE = 16  # px of it that stay free on each side; the second blur reaches 12
# Center x, y and radii x, y, in parts of the crop's side, and how often each is drawn. They fit crops with a margin of
# 0.15 to 0.3: brows at 0.13 to 0.2 of the height, eyes at 0.3, mouth at 0.75, chin at 0.95.
REGIONS = {
    "face": (0.50, 0.54, 0.36, 0.39, 0.55),
    "below the eyes": (0.50, 0.67, 0.32, 0.25, 0.15),
    "above the mouth": (0.50, 0.37, 0.36, 0.22, 0.15),
    "eyes, nose and mouth": (0.50, 0.52, 0.27, 0.30, 0.15),
}
CORNERS = (16, 40)  # of the hull: the fewer points are left of the ellipse, the more of it is cut off
STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
SHIFT = (0.03, 0.015)  # x, y, in parts of the side
SHRINK = 0.95  # the smallest scale of the source; the largest is 1 / SHRINK
JITTER = 0.002  # parts of the side, standard deviation: swaps are aligned frame by frame, and tremble
JPEG = 0.5  # probability; of a quality from 40 to 100


def pair(images: Images, rng: np.random.Generator) -> tuple[Images, Images]:
    """A real clip and its blend, both as the same JPEG or neither: (T, S, S, 3) uint8 RGB -> twice the same shape.

    The real is what the fake is blended into, altered where that is: else every pixel would tell them apart, not the
    face's alone.
    """
    real, fake = _target_and_blend(images, rng)
    if rng.random() < JPEG:
        quality = int(rng.integers(40, 101))
        real, fake = _compressed(real, quality), _compressed(fake, quality)
    return real, fake


def blended(images: Images, rng: np.random.Generator) -> Images:
    """The self-blended fake of (T, S, S, 3) uint8 RGB aligned crops of one real face, in the same shape."""
    return _target_and_blend(images, rng)[1]


def mask(side: int, rng: np.random.Generator) -> Masks:
    """How much of the source is seen: (side, side) float32 in [0, 1], 0 at the border."""
    hull = np.zeros((MASK_SIDE, MASK_SIDE), np.uint8)
    cv2.fillConvexPoly(hull, np.rint(_hull(rng) * MASK_SIDE * 16).astype(np.int32), 255, shift=4)
    hull = _deformed(hull, rng)
    first, second = (int(k) for k in 2 * rng.integers(2, 13, 2) + 1)  # px, 5 to 25
    core = np.asarray(cv2.GaussianBlur(hull, (first, first), 0)) == 255  # what the blur does not reach
    core = np.pad(core[EDGE:-EDGE, EDGE:-EDGE], EDGE)
    soft = np.asarray(cv2.GaussianBlur(core.astype(np.float32), (second, second), rng.uniform(5, 45)))
    soft = np.asarray(cv2.resize(soft / soft.max(), (side, side), interpolation=cv2.INTER_AREA))
    return np.asarray(soft * rng.choice(STRENGTHS), np.float32)


def _hull(rng: np.random.Generator) -> Masks:
    """(N, 2): points x, y on the ellipse of some region, in parts of the side."""
    regions = np.array(list(REGIONS.values()))
    region = rng.choice(regions, p=regions[:, 4])
    center, radii = region[:2] + rng.uniform(-0.02, 0.02, 2), region[2:4] * rng.uniform(0.85, 1.05, 2)
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(*CORNERS)))
    around = np.stack([np.cos(angles), np.sin(angles)], 1)
    return np.asarray(center + radii * around)


def _deformed(hull: Images, rng: np.random.Generator) -> Images:
    """Elastic: each pixel is moved by noise of -50 to 50 px, smoothed to a sigma of 7 px.

    Source: Simard et al., "Best practices for convolutional neural networks", ICDAR 2003.
    """
    noise = 50 * rng.uniform(-1, 1, (*hull.shape, 2)).astype(np.float32)
    y, x = np.indices(hull.shape, np.float32)
    shift = np.asarray(cv2.GaussianBlur(noise, (0, 0), 7))
    return np.asarray(cv2.remap(hull, x + shift[..., 0], y + shift[..., 1], cv2.INTER_LINEAR), np.uint8)


def _target_and_blend(images: Images, rng: np.random.Generator) -> tuple[Images, Images]:
    """One of two copies is altered, by the toss of a coin; the source is moved and laid over the target."""
    images = np.ascontiguousarray(images)
    weight = mask(images.shape[1], rng)
    altered = _altered(images, rng)
    source, target = (altered, images) if rng.random() < 0.5 else (images, altered)
    frames = zip(_moved(source, rng), target, strict=True)
    return target, np.stack([np.asarray(cv2.blendLinear(s, t, weight, 1 - weight), np.uint8) for s, t in frames])


def _altered(images: Images, rng: np.random.Generator) -> Images:
    """Another colour, and another sharpness."""
    shift = rng.uniform(-20, 20, 3) * (rng.random() < 0.3)  # R, G, B
    gain, lift = 1 + rng.uniform(-0.1, 0.1), 255 * rng.uniform(-0.1, 0.1)
    levels = (np.arange(256)[:, None] + shift).clip(0, 255) * gain + lift  # (256, 3)
    table = np.rint(levels).clip(0, 255).astype(np.uint8)
    side = images.shape[1]
    images = np.asarray(cv2.LUT(images.reshape(-1, side, 3), table[None]), np.uint8).reshape(images.shape)
    if rng.random() < 0.5:
        small = side // int(rng.choice([2, 4]))
        return resized(resized(images, small), side)
    kernel = np.full((3, 3), -rng.uniform(0.2, 0.5))
    kernel[1, 1] = 1 - 8 * kernel[0, 0]
    return np.stack([np.asarray(cv2.filter2D(image, -1, kernel), np.uint8) for image in images])


def _moved(images: Images, rng: np.random.Generator) -> Images:
    """Shifted and scaled, all frames alike but for the jitter."""
    count, side = images.shape[:2]
    scale = np.diag(rng.uniform(SHRINK, 1 / SHRINK, 2))
    shift = rng.uniform(-1, 1, 2) * SHIFT + rng.normal(0, JITTER, (count, 2))
    middle = np.full(2, (side - 1) / 2)
    corners = shift * side + middle - scale @ middle  # (T, 2)
    both = zip(images, corners, strict=True)
    moved = [cv2.warpAffine(i, np.c_[scale, c], (side, side), borderMode=cv2.BORDER_REPLICATE) for i, c in both]
    return np.asarray(moved, np.uint8)


def _compressed(images: Images, quality: int) -> Images:
    """As JPEG gives them back."""
    out = np.empty_like(images)
    for i, image in enumerate(images):
        code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        out[i] = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))[..., ::-1]
    return out
