"""alter: what makes a face unlike itself: another colour or sharpness, moved, pulled about, drawn small or too smooth.

All take and give (T, S, S, 3) uint8 RGB, and draw their amounts from a generator.
"""

from typing import Any

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.faces import Floats
from deepfake.pseudo import masks
from deepfake.pseudo.degrade import KERNELS, jpeg, noisy, rescaled, sharpened
from deepfake.video import Images

SHIFT = (0.03, 0.015)  # x, y, in parts of the side
SHRINK = 0.95  # the smallest scale of a source; the largest is 1 / SHRINK
JITTER = 0.002  # parts of the side, standard deviation: forged frame by frame, a face trembles
BENT = 0.012  # parts of the side, standard deviation of how far a drawn face is pulled about
SPAN = (28, 112)  # px that small generators draw a face in, of crops of 160


def mismatched(images: Images, rng: np.random.Generator) -> Images:
    """Another colour, and another sharpness, grain or compression."""
    shift = rng.uniform(-20, 20, 3) * (rng.random() < 0.3)  # R, G, B
    gain, lift = 1 + rng.uniform(-0.1, 0.1), 255 * rng.uniform(-0.1, 0.1) * (rng.random() < 0.7)
    gamma = np.exp(rng.uniform(-0.2, 0.2) * (rng.random() < 0.3))
    levels = 255 * np.linspace(0, 1, 256)[:, None] ** gamma * gain + lift + shift  # (256, 3)
    table = np.rint(levels).clip(0, 255).astype(np.uint8)[None]
    images = np.stack([np.asarray(cv2.LUT(image, table), np.uint8) for image in images])
    way = rng.integers(6)
    if way < 2:
        down, up = (int(kernel) for kernel in rng.choice(KERNELS, 2))
        return rescaled(images, float(rng.uniform(0.25, 0.8)), down, up)
    if way == 2:
        return sharpened(images, float(rng.uniform(0.3, 1.5)), float(rng.uniform(0.6, 1.5)))
    if way == 3:
        return noisy(images, float(rng.uniform(2, 8)), 1, int(rng.integers(2**32)))
    return jpeg(images, int(rng.integers(25, 80))) if way == 4 else denoised(images, rng)


def moved(images: Images, rng: np.random.Generator) -> Images:
    """Shifted and scaled, all frames alike but for the jitter; pulled about as often as not."""
    count, side = images.shape[:2]
    scale = np.diag(rng.uniform(SHRINK, 1 / SHRINK, 2))
    shift = rng.uniform(-1, 1, 2) * SHIFT + rng.normal(0, JITTER, (count, 2))
    middle = np.full(2, (side - 1) / 2)
    both = zip(images, shift * side + middle - scale @ middle, strict=True)
    out = [cv2.warpAffine(i, np.c_[scale, c], (side, side), borderMode=cv2.BORDER_REPLICATE) for i, c in both]
    return bent(np.asarray(out, np.uint8), rng) if rng.random() < 0.5 else np.asarray(out, np.uint8)


def bent(images: Images, rng: np.random.Generator) -> Images:
    """Pulled about by a smooth field, the same in all frames."""
    side = images.shape[1]
    coarse = (rng.standard_normal((5, 5, 2)) * BENT * side).astype(np.float32)
    field_ = np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))
    return _remapped(images, field_)


def spoken(images: Images, shapes: Floats | None, margin: float, rng: np.random.Generator) -> Images:
    """The mouth opened, closed or moved, with the skin around it."""
    side = images.shape[1]
    middle = (
        np.array([0.5, 0.84 + margin]) / (1 + 2 * margin) * side if shapes is None else shapes[0][masks.MOUTH].mean(0)
    )
    reach = rng.uniform(0.12, 0.22) * side / (1 + 2 * margin) * 1.3
    y, x = np.indices((side, side), np.float32)
    x, y = x - np.float32(middle[0]), y - np.float32(middle[1])
    near = np.exp(-((x / (1.4 * reach)) ** 2 + (y / reach) ** 2))
    stretch, shift = rng.uniform(-0.35, 0.35, 2), rng.normal(0, 0.01 * side, 2)
    moves = np.stack([near * (x * stretch[0] * 0.5 + shift[0]), near * (y * stretch[1] + shift[1])], 2)
    return _remapped(images, moves.astype(np.float32))


def small(images: Images, rng: np.random.Generator) -> Images:
    """As if drawn at a few px, by any kernels, and enlarged."""
    scale = float(np.exp(rng.uniform(*np.log(SPAN)))) / 160
    down, up = int(rng.choice(KERNELS)), int(rng.choice(KERNELS[1:]))
    out = rescaled(images, scale, down, up)
    return sharpened(out, float(rng.uniform(0.3, 1.2)), 1.5) if rng.random() < 0.25 else out


def recoloured(images: Images, like: Images, where: np.ndarray[Any, np.dtype[np.bool_]]) -> Images:
    """With the other's mean and spread of each channel, where told.

    Source: Reinhard et al., "Color transfer between images", IEEE CG&A 2001.
    """
    if not where.any():
        return images
    mean, spread = images[where].mean(0), images[where].std(0)
    gain = np.clip(like[where].std(0) / np.maximum(spread, 1), 0.6, 1.6)
    levels = (np.arange(256)[:, None] - mean) * gain + like[where].mean(0)
    table = np.rint(levels).clip(0, 255).astype(np.uint8)[None]
    return np.stack([np.asarray(cv2.LUT(image, table), np.uint8) for image in images])


def denoised(images: Images, rng: np.random.Generator) -> Images:
    """By an edge-keeping or a median filter: what is finer than edges goes."""
    if rng.random() < 0.7:
        reach, levels = int(rng.integers(5, 10)), float(rng.uniform(12, 40))
        return np.stack([np.asarray(cv2.bilateralFilter(i, reach, levels, reach / 2), np.uint8) for i in images])
    side = int(rng.choice([3, 5]))
    return np.stack([np.asarray(cv2.medianBlur(image, side), np.uint8) for image in images])


def upsampled(images: Images, rng: np.random.Generator) -> Images:
    """Down by 2 or so, and up as the last layers of generators do: the nearest pixel, or stretched with gaps, filtered.

    Source: what is left of each, Odena et al., "Deconvolution and checkerboard artifacts", Distill 2016.
    """
    side, steps = images.shape[1], int(rng.integers(1, 3))
    least = max(8, side // 2**steps)
    gaps = rng.random() < 0.5
    taps = int(rng.choice([4, 5] if gaps else [3, 4, 5]))
    kernel = np.asarray(cv2.getGaussianKernel(taps, rng.uniform(0.8, 1.3)), np.float32)
    kernel = kernel * rng.uniform(0.9, 1.1, kernel.shape).astype(np.float32)
    out = []
    for image in images:
        pixels = np.asarray(cv2.resize(image, (least, least), interpolation=cv2.INTER_AREA), np.float32)
        for _ in range(steps):
            large = np.zeros((2 * pixels.shape[0], 2 * pixels.shape[1], 3), np.float32)
            large[::2, ::2] = pixels
            if not gaps:
                large[1::2, ::2] = large[::2, 1::2] = large[1::2, 1::2] = pixels
            gain = (4.0 if gaps else 1.0) / float(kernel.sum()) ** 2
            pixels = np.asarray(cv2.sepFilter2D(large, -1, kernel * np.float32(gain), kernel))
        sized = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR) if len(pixels) != side else pixels
        out.append(np.rint(sized).clip(0, 255).astype(np.uint8))
    return np.stack(out)


def _remapped(images: Images, moves: Any) -> Images:
    y, x = np.indices(images.shape[1:3], np.float32)
    maps = (x + moves[..., 0], y + moves[..., 1])
    sampled = (cv2.remap(i, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101) for i in images)
    return np.stack([np.asarray(image, np.uint8) for image in sampled])
