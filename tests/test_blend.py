"""blend: a fake differs from its real by what its kind says, and alike in all frames; the same for the same seed."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from deepfake.clips import resized
from deepfake.pseudo import alter, masks
from deepfake.pseudo.blend import KINDS, Forging, Sample, forged, pair
from deepfake.pseudo.degrade import Degradation
from deepfake.swap import Finder
from deepfake.video import Images

pytestmark = pytest.mark.usefixtures("untouched_rng")

SEEDS = range(40)
HARD = Degradation(
    before=0.5, native=1, blur=0.5, noise=0.5, tone=0.5, sharpen=0.5, resize=0.5, jpeg=0.5, video=0.5, again=0.5
)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def only(kind: str, degradation: Degradation | None = None) -> Forging:
    weights = dict.fromkeys(KINDS, 0.0) | {kind: 1.0}
    return Forging(**weights, landmarks=True, degradation=degradation or Degradation())


def crop(images: Images, size: int) -> Images:
    return resized(images[:2, 40:216, 40:216], size)


@pytest.fixture(scope="module")
def sample(heads) -> Sample:
    """Two frames of a face that fills the picture, with all that a fake can be made of."""
    find = Finder()
    both = [
        Sample(crop(head, 96), (np.stack([find(i) for i in head[:2]]) - 40) * 96 / 176, margin=0.3) for head in heads
    ]
    drawn = 255 - both[0].images  # no generator: told from the real at a glance
    return replace(both[0], redrawn=(drawn,), mate=both[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_has_the_shape_of_its_clip_and_differs(sample, kind):
    differs = []
    for seed in range(8):
        real, fake = pair(sample, rng(seed), only(kind, HARD))
        assert (real.shape, real.dtype, fake.shape, fake.dtype) == ((2, 96, 96, 3), np.uint8, (2, 96, 96, 3), np.uint8)
        differs.append((real != fake).any())
    assert np.mean(differs) > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_and_another_others(sample, kind):
    first, again, other = (pair(sample, rng(seed), only(kind, HARD)) for seed in (1, 1, 2))
    assert [images.tobytes() for images in first] == [images.tobytes() for images in again]
    assert first[1].tobytes() != other[1].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fake_needs_neither_landmarks_nor_a_mate_nor_a_generator(sample, kind):
    real, fake = pair(Sample(sample.images), rng(0), only(kind))
    assert real.shape == fake.shape == sample.images.shape


def test_the_input_is_left_as_it_was(sample):
    mirrored = sample.images.copy()[:, :, ::-1]  # as batches flips them: a view that OpenCV does not take
    mirrored.flags.writeable = False  # as a memory map is
    for seed in range(8):
        pair(replace(sample, images=mirrored), rng(seed), only("itself", HARD))
    np.testing.assert_array_equal(mirrored, sample.images[:, :, ::-1])


def test_importing_it_is_quick():
    code = "import sys, deepfake.pseudo.blend; print(sorted({'albumentations', 'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_kind_is_drawn_by_its_weight(sample, monkeypatch):
    drawn: list[str] = []
    for name in KINDS:
        monkeypatch.setitem(KINDS, name, lambda s, r, name=name: (drawn.append(name), s.images, s.images)[1:])
    for seed in range(400):
        forged(sample, rng(seed), Forging(itself=1, people=0, mouth=0, pasted=0, drawn=3, smooth=0))
    assert set(drawn) == {"itself", "drawn"}
    assert 0.68 < drawn.count("drawn") / 400 < 0.82


def test_what_a_generator_drew_is_left_out_where_there_is_none(sample):
    real, fake = forged(replace(sample, redrawn=()), rng(0), Forging(itself=1, drawn=1e9))
    assert np.abs(fake.astype(int) - real).mean() < 40  # no negative


# ---- what tells nothing


def test_real_and_fake_go_through_the_same_degradation(sample, monkeypatch):
    """Where nothing is forged, nothing differs: not the noise, the codec, nor the place."""
    for kind in KINDS:
        monkeypatch.setitem(KINDS, kind, lambda s, r: (s.images, s.images.copy()))
    changed = 0
    for seed in range(12):
        real, fake = pair(sample, rng(seed), only("itself", HARD))
        np.testing.assert_array_equal(real, fake)
        changed += bool((real != sample.images).any())
    assert changed == 12


@pytest.mark.parametrize("kind", ["drawn", "smooth"])
def test_all_of_a_crop_is_drawn_anew_as_often_as_the_face_alone(sample, kind):
    whole = []
    for seed in SEEDS:
        real, fake = forged(sample, rng(seed), only(kind))
        corner = np.s_[:, :4, :4]
        whole.append((real[corner] != fake[corner]).any())
    assert 0.25 < np.mean(whole) < 0.75


@pytest.mark.parametrize("kind", ["itself", "people", "mouth", "pasted"])
def test_a_seam_lies_within_the_crop(sample, kind):
    for seed in SEEDS:
        real, fake = forged(sample, rng(seed), only(kind))
        np.testing.assert_array_equal(real[:, [0, -1]], fake[:, [0, -1]])
        np.testing.assert_array_equal(real[:, :, [0, -1]], fake[:, :, [0, -1]])


def test_a_mouth_changes_the_lower_face_alone(sample):
    brows = int(sample.shapes[0][17:27, 1].max()) - 2
    for seed in SEEDS:
        real, fake = forged(sample, rng(seed), only("mouth"))
        assert np.abs(fake[:, :brows].astype(int) - real[:, :brows]).mean() < 1


def test_another_face_is_that_of_the_mate(sample):
    nearer = []
    for seed in SEEDS:
        _, fake = forged(sample, rng(seed), only("people"))
        alone = forged(replace(sample, mate=None), rng(seed), only("people"))[1]
        nearer.append((fake != alone).any())
    assert np.mean(nearer) == 1


# ---- the clip


@pytest.mark.parametrize("kind", ["pasted", "smooth", "drawn"])
def test_all_frames_get_the_same_draw(sample, monkeypatch, kind):
    monkeypatch.setattr(alter, "JITTER", 0.0)
    monkeypatch.setattr(masks, "TREMBLE", 0.0)
    still = replace(
        sample,
        images=sample.images[:1].repeat(4, 0),
        shapes=sample.shapes[:1].repeat(4, 0),
        redrawn=(sample.redrawn[0][:1].repeat(4, 0),),
    )
    for seed in range(10):
        _, fake = forged(still, rng(seed), only(kind))
        assert (fake == fake[0]).all()
