"""perturb: what happens to videos on their way: colours, noise, blocks, sizes, lost frames, codecs and messengers.

Whole frames are perturbed, before any face is looked for. Source of the first seven and their levels: Jiang et al.,
"DeeperForensics-1.0", CVPR 2020.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import numpy as np

from deepfake import video
from deepfake.base.opencv import cv2
from deepfake.video import Images

LEVELS: dict[str, tuple[float, ...]] = {  # from the mildest to the strongest
    "saturation": (0.4, 0.3, 0.2, 0.1, 0.0),  # of the chroma that is left
    "contrast": (0.85, 0.725, 0.6, 0.475, 0.35),  # of the brightness that is left
    "blocks": (16, 32, 48, 64, 80),  # grey ones of 8 px, on 256 px of the shorter side
    "noise": (0.001, 0.002, 0.005, 0.01, 0.05),  # variance in YCbCr, of the range
    "blur": (7, 9, 13, 17, 21),  # px, a Gaussian of sigma a sixth of it
    "pixelation": (2, 3, 4, 5, 6),  # times smaller and back
    "h264": (30, 32, 35, 38, 40),  # CRF
    "resize": (0.8, 0.65, 0.5, 0.4, 0.3),  # of the sides, and left so
    "frame_drop": (0.1, 0.2, 0.3, 0.4, 0.5),  # of the frames
    "again": (2, 3, 4, 5, 6),  # times encoded, at CRF 28
    # three messengers' kinds of compression, mild to strong: longer side in px; CRF goes with it
    "messenger": (848, 640, 480),
}
MESSENGER = {848: 26, 640: 29, 480: 32}  # px: CRF
AGAIN = 28  # CRF of each of several encodings
BLOCK = 8  # px
GREY = 185  # of a block


def cells() -> list[tuple[str, int]]:
    """Every kind and level, levels from 1."""
    return [(kind, level) for kind, amounts in LEVELS.items() for level in range(1, len(amounts) + 1)]


def perturbed(path: Path, kind: str, level: int) -> Iterator[tuple[Images, float]]:
    """The frames of a video, (H, W, 3) uint8 RGB, and their times in s, after one perturbation."""
    amount = LEVELS[kind][level - 1]
    seed = crc32(f"{kind} {level} {path.name}".encode())  # one draw for all videos would be one lucky or unlucky one
    if kind == "frame_drop":
        yield from _dropped(path, amount, seed)
    elif kind in CODECS:
        yield from _encoded(path, CODECS[kind](amount))
    else:
        for frame in video.read(path):
            yield PICTURES[kind](frame.rgb(), amount, np.random.default_rng([seed, frame.index])), frame.time


def saturation(image: Images, amount: float, rng: np.random.Generator) -> Images:
    """Chroma nearer to grey."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float64)
    luma[..., 1:] = 128 + amount * (luma[..., 1:] - 128)
    return np.asarray(cv2.cvtColor(_levels(luma), cv2.COLOR_YCrCb2RGB), np.uint8)


def contrast(image: Images, amount: float, rng: np.random.Generator) -> Images:
    """Darker in proportion, as the source does it."""
    return _levels(image * amount)


def blocks(image: Images, amount: float, rng: np.random.Generator) -> Images:
    """Grey squares at random places."""
    out, (height, width) = image.copy(), image.shape[:2]
    size = max(1, round(BLOCK * min(height, width) / 256))
    for y, x in zip(rng.integers(0, height, int(amount)), rng.integers(0, width, int(amount)), strict=True):
        out[y : y + size, x : x + size] = GREY
    return out


def noise(image: Images, amount: float, rng: np.random.Generator) -> Images:
    """Normal noise of the brightness and of the colours."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb) + 255 * np.sqrt(amount) * rng.standard_normal(image.shape)
    return np.asarray(cv2.cvtColor(_levels(luma), cv2.COLOR_YCrCb2RGB), np.uint8)


def blur(image: Images, amount: float, rng: np.random.Generator) -> Images:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(image, (int(amount), int(amount)), amount / 6), np.uint8)


def pixelation(image: Images, amount: float, rng: np.random.Generator) -> Images:
    """Smaller, and back in squares."""
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(1, round(width / amount)), max(1, round(height / amount))), interpolation=cv2.INTER_CUBIC
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def resize(image: Images, amount: float, rng: np.random.Generator) -> Images:
    """Smaller, and left so; both sides even."""
    height, width = (max(2, round(side * amount / 2) * 2) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


PICTURES: dict[str, Callable[[Images, float, np.random.Generator], Images]] = {
    **{"saturation": saturation, "contrast": contrast, "blocks": blocks, "noise": noise},
    **{"blur": blur, "pixelation": pixelation, "resize": resize},
}
CODECS: dict[str, Callable[[float], list[tuple[int, int]]]] = {  # encodings: longest side in px, CRF; 0 leaves the size
    "h264": lambda amount: [(0, int(amount))],
    "again": lambda amount: [(0, AGAIN)] * int(amount),
    "messenger": lambda amount: [(int(amount), MESSENGER[int(amount)])],
}


def _levels(values: Any) -> Images:
    return np.asarray(np.clip(np.round(values), 0, 255), np.uint8)


def _dropped(path: Path, share: float, seed: int) -> Iterator[tuple[Images, float]]:
    """Without some frames at random, but never without the first one."""
    rng = np.random.default_rng(seed)
    for frame in video.read(path):
        if rng.random() >= share or frame.index == 0:
            yield frame.rgb(), frame.time


def _encoded(path: Path, encodings: list[tuple[int, int]]) -> Iterator[tuple[Images, float]]:
    """Through H.264 once or more, at the times that it had."""
    times = [frame.time for frame in video.read(path)]
    with TemporaryDirectory() as folder:
        source = path
        for number, (side, crf) in enumerate(encodings):
            target = Path(folder, f"{number}.mp4")
            video.encode(target, (_fitted(frame.rgb(), side) for frame in video.read(source)), 25.0, crf=crf)
            source = target
        for frame, time in zip(video.read(source), times, strict=True):
            yield frame.rgb(), time


def _fitted(image: Images, side: int) -> Images:
    """The longer side at most that, 0 for any; both sides even, as the codec wants them."""
    scale = min(1.0, side / max(image.shape[:2])) if side else 1.0
    height, width = (max(2, int(length * scale) // 2 * 2) for length in image.shape[:2])
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
