"""blend: pseudo-fakes made of real faces alone, each beside its real, which went through the same degradations.

What others' methods leave is a seam, a mismatch of colour, sharpness or grain, a face drawn too small, a mouth that is
not of its face, a picture that was never filmed but drawn anew. Each kind makes one of these, by no method in use.

Source: self-blended images, Shiohara and Yamasaki, CVPR 2022; two people of like shape, Li et al., "Face X-ray", CVPR
2020; faces drawn too small, Li and Lyu, "Exposing DeepFake videos by detecting face warping artifacts", CVPRW 2019.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from deepfake.base.opencv import cv2
from deepfake.base.params import Params
from deepfake.faces import Floats, similarity
from deepfake.pseudo import masks
from deepfake.pseudo.degrade import KERNELS, Degradation, drawn, jpeg, noisy, rescaled, sharpened
from deepfake.video import Images

SHIFT = (0.03, 0.015)  # x, y, in parts of the side
SHRINK = 0.95  # the smallest scale of a source; the largest is 1 / SHRINK
JITTER = 0.002  # parts of the side, standard deviation: forged frame by frame, a face trembles
BENT = 0.012  # parts of the side, standard deviation of how far a drawn face is pulled about
SPAN = (28, 112)  # px that small generators draw a face in, of crops of 160
WHOLE = 0.5  # how often all of a crop is drawn anew, not the face alone


class Forging(Params):
    """How often each kind is made, each beside the others: weights."""

    itself: float = Field(default=1, ge=0)  # self-blended: a seam and a mismatch
    people: float = Field(default=0, ge=0)  # another's face of like shape; itself where none is known
    mouth: float = Field(default=0, ge=0)  # the lower face: another's, moved, or small
    pasted: float = Field(default=0, ge=0)  # a face drawn too small
    drawn: float = Field(default=0, ge=0)  # the face or all as an autoencoder of the stage redraw draws it
    smooth: float = Field(default=0, ge=0)  # the face or all too smooth: generators' kernels, denoised and sharpened
    landmarks: bool = False  # masks from 68 landmarks; else, and where none are found, from an ellipse
    degradation: Degradation = Field(default_factory=Degradation)

    def weights(self) -> dict[str, float]:
        """Of each kind."""
        return {name: float(getattr(self, name)) for name in KINDS}


@dataclass(frozen=True)
class Sample:
    """A real clip, with what a fake can be made of."""

    images: Images  # (T, S, S, 3) uint8 RGB
    shapes: Floats | None = None  # (T, 68, 2) px
    redrawn: tuple[Images, ...] = ()  # the images as generators draw them
    margin: float = 0.15  # of the crop
    mate: "Sample | None" = None  # of another person of like shape

    @property
    def side(self) -> int:
        """px."""
        return int(self.images.shape[1])

    def degraded(self, step: Callable[[Images], Images]) -> "Sample":
        """With other pictures of the same faces; what was drawn stays as clean as it was drawn."""
        return replace(self, images=step(self.images))

    def frames(self, wanted: list[int]) -> "Sample":
        """Some of its frames."""
        shapes = None if self.shapes is None else self.shapes[wanted]
        redrawn = tuple(images[wanted] for images in self.redrawn)
        return replace(self, images=self.images[wanted], shapes=shapes, redrawn=redrawn)


def pair(sample: Sample, rng: np.random.Generator, p: Forging) -> tuple[Images, Images]:
    """A real clip and a fake of it, both through the same degradation: twice the shape of the sample's images."""
    sample = replace(sample, images=np.ascontiguousarray(sample.images))
    d = p.degradation
    if rng.random() < d.before:
        sample = sample.degraded(drawn(d.model_copy(update={"native": 0.0, "again": 0.0}), sample.side, rng))
    real, fake = forged(sample, rng, p)
    uploaded = drawn(d, sample.side, rng)
    return uploaded(real), uploaded(fake)


def forged(sample: Sample, rng: np.random.Generator, p: Forging) -> tuple[Images, Images]:
    """The real as it is left beside its fake, and the fake, of a kind drawn by the weights."""
    able = {name: weight for name, weight in p.weights().items() if name != "drawn" or sample.redrawn}
    if not p.landmarks:
        sample = replace(sample, shapes=None)
    total = sum(able.values()) or 1.0
    name = (
        str(rng.choice(list(able), p=[weight / total for weight in able.values()])) if any(able.values()) else "itself"
    )
    return KINDS[name](sample, rng)


def itself(sample: Sample, rng: np.random.Generator) -> tuple[Images, Images]:
    """One of two copies is altered, by the toss of a coin; the source is moved and laid over the target."""
    altered = mismatched(sample.images, rng)
    source, target = (altered, sample.images) if rng.random() < 0.5 else (sample.images, altered)
    return target, _laid(moved(source, rng), target, _mask(sample, masks.REGIONS, rng))


def people(sample: Sample, rng: np.random.Generator) -> tuple[Images, Images]:
    """Another's face on this one's landmarks, in its colours."""
    other = _aligned(sample, rng)
    if other is None:
        return itself(sample, rng)
    mask = _mask(sample, masks.REGIONS[:4], rng)
    mask = mask / np.float32(max(float(mask.max()), 1e-6)) * np.float32(rng.uniform(0.75, 1))  # else it shows through
    other = recoloured(other, sample.images, mask > 0.2) if rng.random() < 0.8 else other
    return sample.images, _laid(mismatched(other, rng) if rng.random() < 0.5 else other, sample.images, mask)


def mouth(sample: Sample, rng: np.random.Generator) -> tuple[Images, Images]:
    """A lower face that was moved, drawn anew, or another's, and small as often as not."""
    source, coin = sample.images, rng.random()
    if coin < 0.3 and sample.redrawn:
        source = _redrawn(sample, rng)
    elif coin < 0.5 and (other := _aligned(sample, rng)) is not None:
        source = recoloured(other, sample.images, np.ones(other.shape[:3], bool))
    if rng.random() < 0.6:
        source = spoken(source, sample.shapes, sample.margin, rng)
    source = small(source, rng) if rng.random() < 0.6 else mismatched(source, rng)
    return sample.images, _laid(source, sample.images, _mask(sample, (*masks.LOWER, "below"), rng))


def pasted(sample: Sample, rng: np.random.Generator) -> tuple[Images, Images]:
    """A face drawn small, and moved into place a little wrong."""
    source = small(moved(sample.images, rng), rng)
    return sample.images, _laid(source, sample.images, _mask(sample, masks.REGIONS, rng))


def redrawn(sample: Sample, rng: np.random.Generator) -> tuple[Images, Images]:
    """As an autoencoder draws it: all of it, or the face."""
    source = _redrawn(sample, rng)
    if rng.random() < 0.5:  # some of what was there is left, as generators that see the frame leave it
        part = rng.uniform(0.5, 1)
        both = zip(source, sample.images, strict=True)
        source = np.stack([np.asarray(cv2.addWeighted(s, part, i, 1 - part, 0), np.uint8) for s, i in both])
    return _anew(sample, bent(source, rng) if rng.random() < 0.5 else source, rng)


def smooth(sample: Sample, rng: np.random.Generator) -> tuple[Images, Images]:
    """Drawn by kernels that generators have, denoised, or sharpened beyond what was there."""
    source = _upsampled(sample.images, rng)
    if rng.random() < 0.5:
        source = _denoised(source, rng)
    if rng.random() < 0.5:
        source = sharpened(source, float(rng.uniform(0.3, 1.5)), float(rng.uniform(0.6, 2)))
    return _anew(sample, bent(source, rng) if rng.random() < 0.5 else source, rng)


KINDS: dict[str, Callable[[Sample, np.random.Generator], tuple[Images, Images]]] = {
    "itself": itself,
    "people": people,
    "mouth": mouth,
    "pasted": pasted,
    "drawn": redrawn,
    "smooth": smooth,
}


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
    return jpeg(images, int(rng.integers(25, 80))) if way == 4 else _denoised(images, rng)


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


def _redrawn(sample: Sample, rng: np.random.Generator) -> Images:
    """By one of the generators; its colours are off, which would tell it at a glance."""
    source = np.ascontiguousarray(sample.redrawn[rng.integers(len(sample.redrawn))])
    return recoloured(source, sample.images, np.ones(source.shape[:3], bool))


def _anew(sample: Sample, source: Images, rng: np.random.Generator) -> tuple[Images, Images]:
    if rng.random() < WHOLE:
        return sample.images, source
    return sample.images, _laid(source, sample.images, _mask(sample, (*masks.REGIONS, *masks.LOWER), rng))


def _mask(sample: Sample, regions: tuple[str, ...], rng: np.random.Generator) -> masks.Masks:
    return masks.drawn(sample.shapes, len(sample.images), sample.side, regions, sample.margin, rng)


def _laid(source: Images, target: Images, weight: masks.Masks) -> Images:
    frames = zip(source, target, weight, strict=True)
    return np.stack([np.asarray(cv2.blendLinear(s, t, w, 1 - w), np.uint8) for s, t, w in frames])


def _aligned(sample: Sample, rng: np.random.Generator) -> Images | None:
    """The mate's face on the sample's landmarks, frame by frame; None without a mate or landmarks."""
    mate = sample.mate
    if mate is None or mate.shapes is None or sample.shapes is None:
        return None
    at, side, out = int(rng.integers(len(mate.images))), sample.side, []
    for shape in sample.shapes:
        turn = similarity(mate.shapes[at], shape + rng.normal(0, JITTER * side, 2))
        if turn is None:
            return None
        out.append(cv2.warpAffine(mate.images[at], turn, (side, side), borderMode=cv2.BORDER_REFLECT_101))
    return np.asarray(out, np.uint8)


def _remapped(images: Images, moves: Any) -> Images:
    y, x = np.indices(images.shape[1:3], np.float32)
    maps = (x + moves[..., 0], y + moves[..., 1])
    sampled = (cv2.remap(i, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101) for i in images)
    return np.stack([np.asarray(image, np.uint8) for image in sampled])


def _denoised(images: Images, rng: np.random.Generator) -> Images:
    """By an edge-keeping or a median filter: what is finer than edges goes."""
    if rng.random() < 0.7:
        reach, levels = int(rng.integers(5, 10)), float(rng.uniform(12, 40))
        return np.stack([np.asarray(cv2.bilateralFilter(i, reach, levels, reach / 2), np.uint8) for i in images])
    side = int(rng.choice([3, 5]))
    return np.stack([np.asarray(cv2.medianBlur(image, side), np.uint8) for image in images])


def _upsampled(images: Images, rng: np.random.Generator) -> Images:
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
