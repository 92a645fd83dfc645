"""blend: pseudo-fakes made of real faces alone, each beside its real, which went through the same degradations.

What others' methods leave is a seam, a mismatch of colour, sharpness or grain, a face drawn too small, a mouth that is
not of its face, a picture that was never filmed but drawn anew. Each kind makes one of these, by no method in use.

Source: self-blended images, Shiohara and Yamasaki, CVPR 2022; two people of like shape, Li et al., "Face X-ray", CVPR
2020; faces drawn too small, Li and Lyu, "Exposing DeepFake videos by detecting face warping artifacts", CVPRW 2019.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from deepfake.base.opencv import cv2
from deepfake.base.params import Params
from deepfake.faces import Floats, similarity
from deepfake.pseudo import masks
from deepfake.pseudo.alter import JITTER, bent, denoised, mismatched, moved, recoloured, small, spoken, upsampled
from deepfake.pseudo.degrade import Degradation, drawn, sharpened
from deepfake.video import Images

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
    source = upsampled(sample.images, rng)
    if rng.random() < 0.5:
        source = denoised(source, rng)
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
