"""drawing: drawings of photographs: flat colours, hard lines, facets, few levels; what no camera sees.

All take and give (T, S, S, 3) uint8 RGB, and draw their amounts from a generator: all frames alike.

Source: flat colours between edges, Tomasi and Manduchi, "Bilateral filtering for gray and color images", ICCV 1998;
Comaniciu and Meer, "Mean shift", PAMI 2002; lines and few levels, Winnemöller et al., "Real-time video abstraction",
SIGGRAPH 2006.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.video import Images

POSTERIZED, LINED, COLOURED = 0.4, 0.5, 0.3  # how often each goes on top

Image = np.ndarray[Any, np.dtype[np.uint8]]  # (S, S, 3)


def drawn(images: Images, rng: np.random.Generator) -> Images:
    """As a drawing: one way of losing what is fine, and on top of it few levels, lines and strong colours, or not."""
    seed = int(rng.integers(2**32))
    return np.stack([_drawn(np.ascontiguousarray(image), np.random.default_rng(seed)) for image in images])


def _drawn(image: Image, rng: np.random.Generator) -> Image:
    image = WAYS[int(rng.integers(len(WAYS)))](image, rng)
    for chance, step in ((POSTERIZED, posterized), (LINED, lined), (COLOURED, coloured)):
        if rng.random() < chance:
            image = step(image, rng)
    return np.asarray(image, np.uint8)


def flattened(image: Image, rng: np.random.Generator) -> Image:
    """Flat between its edges."""
    reach, levels, width = int(rng.integers(5, 10)), float(rng.uniform(25, 80)), float(rng.uniform(3, 8))
    for _ in range(int(rng.integers(2, 6))):
        image = np.asarray(cv2.bilateralFilter(image, reach, levels, width), np.uint8)
    return image


def shifted(image: Image, rng: np.random.Generator) -> Image:
    """Of patches of a colour."""
    return np.asarray(cv2.pyrMeanShiftFiltering(image, float(rng.uniform(5, 12)), float(rng.uniform(12, 35))), np.uint8)


def rounded(image: Image, rng: np.random.Generator) -> Image:
    """Without what is small."""
    side = int(rng.choice([5, 7, 9]))
    return np.asarray(cv2.medianBlur(cv2.medianBlur(image, side), side), np.uint8)


def shaded(image: Image, rng: np.random.Generator) -> Image:
    """Of smooth shades between few edges, as rendered."""
    return flattened(np.asarray(cv2.medianBlur(image, 9), np.uint8), rng)


def painted(image: Image, rng: np.random.Generator) -> Image:
    """Smooth along its edges, far over the picture."""
    return np.asarray(cv2.edgePreservingFilter(image, None, 1, rng.uniform(20, 60), rng.uniform(0.2, 0.5)), np.uint8)


def faceted(image: Image, rng: np.random.Generator) -> Image:
    """Of triangles, each of its mean colour, their edges hard or soft."""
    side, count = image.shape[0], int(rng.integers(6, 14))
    grid = np.stack(np.meshgrid(*2 * [np.linspace(0, side, count)]), 2)  # (count, count, 2)
    grid[1:-1, 1:-1] += rng.uniform(-0.4, 0.4, (count - 2, count - 2, 2)) * side / count
    corners = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], 2).reshape(-1, 4, 2)
    out = image.copy()
    for corner in corners:
        for three in ([0, 1, 2], [0, 2, 3]):
            mask = np.zeros((side, side), np.uint8)
            cv2.fillConvexPoly(mask, np.rint(corner[three]).astype(np.int32), 1)
            if mask.any():
                out[mask > 0] = np.rint(image[mask > 0].mean(0))
    return np.asarray(cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.5, 4))), np.uint8)


def posterized(image: Image, rng: np.random.Generator) -> Image:
    """Of few levels of brightness, from one to the next a soft step."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    step, hardness = 255 / int(rng.integers(5, 16)), rng.uniform(1, 8)
    level = np.floor(lab[..., 0] / step)
    lab[..., 0] = (level + np.clip((lab[..., 0] / step - level - 0.5) * hardness + 0.5, 0, 1)) * step
    return np.asarray(cv2.cvtColor(np.rint(lab).clip(0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB), np.uint8)


def lined(image: Image, rng: np.random.Generator) -> Image:
    """Dark lines where it is darker than what is around."""
    grey, width = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), float(rng.uniform(0.8, 2))
    darker = cv2.GaussianBlur(grey, (0, 0), width) - cv2.GaussianBlur(grey, (0, 0), 1.6 * width)
    line = np.clip(1 + darker / rng.uniform(4, 12), rng.uniform(0, 0.5), 1)[..., None]
    return np.asarray(np.rint(image * line), np.uint8)


def coloured(image: Image, rng: np.random.Generator) -> Image:
    """Paler or stronger."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 1] *= rng.uniform(0.8, 1.6)
    return np.asarray(cv2.cvtColor(np.rint(hsv).clip(0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB), np.uint8)


WAYS: tuple[Callable[[Image, np.random.Generator], Image], ...] = (
    flattened,
    shifted,
    rounded,
    shaded,
    painted,
    faceted,
)
