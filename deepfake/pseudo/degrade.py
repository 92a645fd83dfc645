"""degrade: what lenses, sensors, editors and uploads do to pictures: one draw, for all that are given to it.

A detector of fakes must not tell them by their compression. So a real and its fake leave through the same draw, whose
strength knows nothing of the label.

Source: order and kinds as in Wang et al., "Real-ESRGAN", ICCV workshops 2021; the codecs are FFmpeg's encoders.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from pydantic import Field

from deepfake import faces, video
from deepfake.base.opencv import cv2
from deepfake.base.params import Params
from deepfake.faces import Floats
from deepfake.video import Images

Step = Callable[[Images], Images]

KERNELS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
NATIVE = (96, 288)  # px that the crop of a face has where it was filmed, however large it is stored
ROOM = 1.2  # what is filmed around the crop, to its side
TILT = 6  # degrees, standard deviation: a face's on its frame, whose pixels and blocks lie straight
NUDGE = (0.05, 0.03)  # scale and shift of the crop, as detectors vary
H264 = 0.7  # of videos; the others are of older recorders and archives
OLDER = ("mpeg1video", "mpeg2video", "mpeg4")
SHORTEST = 3  # frames of a clip that is encoded; of a single picture they are made
DRIFT = 1.0  # px a frame, standard deviation: how such a picture moves


class Degradation(Params):
    """How likely each is; the amounts are drawn from what real videos have."""

    before: float = Field(default=0, ge=0, le=1)  # that pictures are degraded once before they are forged, too
    native: float = Field(default=0, ge=0, le=1)  # scaled and turned to where they were filmed, and back at the end
    blur: float = Field(default=0, ge=0, le=1)
    noise: float = Field(default=0, ge=0, le=1)
    tone: float = Field(default=0, ge=0, le=1)  # gamma, brightness, contrast, white, saturation
    sharpen: float = Field(default=0, ge=0, le=1)
    resize: float = Field(default=0, ge=0, le=1)
    jpeg: float = Field(default=0, ge=0, le=1)
    video: float = Field(default=0, ge=0, le=1)  # H.264, MPEG-1, MPEG-2 or MPEG-4
    again: float = Field(default=0, ge=0, le=1)  # of what was encoded: scaled and encoded once more, as messengers do


def drawn(p: Degradation, side: int, rng: np.random.Generator) -> Step:
    """A degradation of (T, side, side, 3) uint8 RGB crops, in the same shape; it draws nothing any more."""
    steps = processed(p, rng)
    if rng.random() >= p.native:
        return partial(_through, steps)
    there, back, canvas = _views(side, rng)
    return partial(_through, [partial(_seen, there, canvas), *steps, partial(_seen, back, side)])


def processed(p: Degradation, rng: np.random.Generator) -> list[Step]:
    """The steps without the change of place."""
    steps: list[tuple[float, Callable[[np.random.Generator], Step]]] = [
        *((p.blur, _blur), (p.noise, _noise), (p.tone, _tone), (p.sharpen, _sharpen)),
        *((p.resize, _resize), (p.jpeg, _jpeg), (p.video, _video)),
    ]
    drawn = [draw(rng) for probability, draw in steps if rng.random() < probability]
    if rng.random() < p.video * p.again:
        drawn += [_resize(rng), _video(rng)]
    return drawn


def jpeg(images: Images, quality: int, subsampled: bool = True) -> Images:
    """As JPEG gives them back; its colours at half the resolution, or at the whole."""
    how = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if subsampled else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    out = np.empty_like(images)
    for i, image in enumerate(images):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, how]
        code = cv2.imencode(".jpg", image[..., ::-1], options)[1]
        out[i] = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))[..., ::-1]
    return out


def rescaled(images: Images, scale: float, down: int, up: int) -> Images:
    """Down to a part of the size and back, each by a kernel of OpenCV."""
    height, width = images.shape[1:3]
    small = (max(8, round(width * scale)), max(8, round(height * scale)))
    halves = (cv2.resize(image, small, interpolation=down) for image in images)
    return np.stack([np.asarray(cv2.resize(half, (width, height), interpolation=up), np.uint8) for half in halves])


def sharpened(images: Images, amount: float, sigma: float) -> Images:
    """Unsharp masking."""
    soft = (cv2.GaussianBlur(image, (0, 0), sigma) for image in images)
    both = zip(images, soft, strict=True)
    return np.stack([np.asarray(cv2.addWeighted(i, 1 + amount, s, -amount, 0), np.uint8) for i, s in both])


def noisy(images: Images, sigma: float, grain: int, seed: int) -> Images:
    """With normal noise of `sigma` levels, each frame its own; in colours, or grey, or of grains of 2 px."""
    count, height, width = images.shape[:3]
    rng, size = np.random.default_rng(seed), (count, -(-height // grain), -(-width // grain), 3)
    noise = rng.standard_normal(size, np.float32) * sigma
    if grain > 1:
        noise = noise.repeat(grain, 1).repeat(grain, 2)[:, :height, :width]
    return np.asarray((images + noise + 0.5).clip(0, 255), np.uint8)


def _through(steps: Sequence[Step], images: Images) -> Images:
    for step in steps:
        images = step(images)
    return images


def _views(side: int, rng: np.random.Generator) -> tuple[Floats, Floats, int]:
    """The similarity from the crop to the frame it was filmed on, that from there to a crop again, the frame's side."""
    scale = float(np.exp(rng.uniform(*np.log(NATIVE)))) / side
    canvas = max(64, round(side * scale * ROOM / 2) * 2)
    there = _similar(scale, rng.normal(0, TILT), side, canvas, rng.uniform(-0.5, 0.5, 2) * 16)
    nudge = _similar(
        1 + rng.uniform(-1, 1) * NUDGE[0], rng.normal(0, 1), side, side, rng.uniform(-1, 1, 2) * NUDGE[1] * side
    )
    back = cv2.invertAffineTransform(there)
    return there, (np.vstack([nudge, [0, 0, 1]]) @ np.vstack([back, [0, 0, 1]]))[:2], canvas


def _similar(scale: float, degrees: float, side: int, canvas: int, shift: Floats) -> Floats:
    """(2, 3): about the middle of a square, to the middle of another."""
    turn = scale * np.array([[np.cos(a := np.radians(degrees)), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.hstack([turn, ((canvas - 1) / 2 + shift - turn @ np.full(2, (side - 1) / 2))[:, None]])


def _seen(matrix: Floats, size: int, images: Images) -> Images:
    return np.stack([faces.warp(image, matrix, size) for image in images])


def _blur(rng: np.random.Generator) -> Step:
    """Out of focus, or moved."""
    if rng.random() < 0.7:
        sigma = float(rng.uniform(0.3, 1.4))
        return lambda images: np.stack([np.asarray(cv2.GaussianBlur(i, (0, 0), sigma), np.uint8) for i in images])
    length, angle = int(rng.integers(3, 7)), rng.uniform(0, np.pi)
    kernel = np.zeros((7, 7), np.float32)
    for step in np.linspace(-length / 2, length / 2, 15):
        kernel[round(3 + step * np.sin(angle)), round(3 + step * np.cos(angle))] += 1
    kernel /= kernel.sum()
    return lambda images: np.stack([np.asarray(cv2.filter2D(i, -1, kernel), np.uint8) for i in images])


def _noise(rng: np.random.Generator) -> Step:
    sigma, grain = float(rng.uniform(1, 8)), int(rng.choice([1, 1, 2]))
    return partial(noisy, sigma=sigma, grain=grain, seed=int(rng.integers(2**32)))


def _tone(rng: np.random.Generator) -> Step:
    gamma, gain, lift = np.exp(rng.uniform(-0.35, 0.35)), 1 + rng.uniform(-0.15, 0.15), rng.uniform(-20, 20)
    white, grey = 1 + rng.normal(0, 0.04, 3), rng.uniform(-0.3, 0.4)  # above 0: less colour
    levels = 255 * np.linspace(0, 1, 256)[:, None] ** gamma * gain * white + lift
    table = np.rint(levels).clip(0, 255).astype(np.uint8)[None]
    mix = (1 - grey) * np.eye(3) + grey * np.array([0.299, 0.587, 0.114])
    return lambda images: np.stack([np.asarray(cv2.transform(cv2.LUT(i, table), mix), np.uint8) for i in images])


def _sharpen(rng: np.random.Generator) -> Step:
    return partial(sharpened, amount=float(rng.uniform(0.2, 1.2)), sigma=float(rng.uniform(0.6, 1.8)))


def _resize(rng: np.random.Generator) -> Step:
    down, up = int(rng.choice(KERNELS)), int(rng.choice(KERNELS[1:]))
    return partial(rescaled, scale=float(rng.uniform(0.45, 1.0)), down=down, up=up)


def _jpeg(rng: np.random.Generator) -> Step:
    return partial(jpeg, quality=int(rng.integers(30, 100)), subsampled=bool(rng.random() < 0.8))


def _video(rng: np.random.Generator) -> Step:
    codec = "libx264" if rng.random() < H264 else str(rng.choice(OLDER))
    quality = int(rng.integers(16, 39) if codec == "libx264" else rng.integers(2, 13))
    return partial(
        _encoded, codec=codec, quality=quality, drift=rng.normal(0, DRIFT, 2), at=int(rng.integers(SHORTEST))
    )


def _encoded(images: Images, codec: str, quality: int, drift: Floats, at: int) -> Images:
    """A clip as the codec gives it back; of a single picture the frame `at` of a short one in which it drifts."""
    height, width = (side // 2 * 2 for side in images.shape[1:3])
    if len(images) >= SHORTEST:
        out = video.transcoded(images[:, :height, :width], codec, quality)
    else:
        steps = [np.array([[1, 0, x], [0, 1, y]]) for x, y in np.outer(np.arange(SHORTEST) - at, drift)]
        out = np.stack([_drifted(image[:height, :width], steps, codec, quality)[at] for image in images])
    rest = [(0, 0), (0, images.shape[1] - height), (0, images.shape[2] - width), (0, 0)]
    return np.pad(out, rest, mode="edge") if images.shape[1:3] != (height, width) else out


def _drifted(image: Images, steps: Sequence[Floats], codec: str, quality: int) -> Images:
    moved = [cv2.warpAffine(image, step, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE) for step in steps]
    return video.transcoded(np.stack([np.asarray(frame, np.uint8) for frame in moved]), codec, quality)
