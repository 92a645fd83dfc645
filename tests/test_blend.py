"""blend: a fake differs from its real by the face alone, and alike in all frames; the same for the same seed."""

import subprocess
import sys

import numpy as np
import pytest

from deepfake import blend
from deepfake.blend import JITTER, blended, mask, pair
from deepfake.clips import resized
from deepfake.video import Images

pytestmark = pytest.mark.usefixtures("untouched_rng")

SEEDS = range(200)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def corners(images: Images) -> Images:
    """What lies beyond the reach of any mask: 1/16 of the side at each corner."""
    at = images.shape[1] // 16
    ends = np.r_[:at, -at:0]
    return images[:, ends][:, :, ends]


@pytest.fixture(scope="module")
def face(heads) -> Images:
    """(3, 112, 112, 3): a face that fills the picture, as a crop shows it."""
    return resized(heads[0][:3, 56:200, 56:200], 112)


@pytest.mark.parametrize("side", [32, 33, 64, 112, 224, 256])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_blend_has_the_shape_of_its_clip(face, side, frames):
    clip = resized(face[:frames], side)
    for seed in range(4):  # both sides of the coin, sharpened and not
        for images in (blended(clip, rng(seed)), *pair(clip, rng(seed))):
            assert (images.shape, images.dtype) == ((frames, side, side, 3), np.uint8)


def test_the_same_seed_gives_the_same_bytes_and_another_others(face):
    one, again, other = (pair(face, rng(seed)) for seed in (1, 1, 2))
    assert [images.tobytes() for images in one] == [images.tobytes() for images in again]
    assert one[1].tobytes() != other[1].tobytes()


def test_the_input_is_left_as_it_was(face):
    mirrored = face.copy()[:, :, ::-1]  # as batches flips them: a view that OpenCV does not take
    mirrored.flags.writeable = False  # as a memory map is
    for seed in range(8):
        pair(mirrored, rng(seed))
    np.testing.assert_array_equal(mirrored, face[:, :, ::-1])


def test_importing_it_is_quick():
    code = "import sys, deepfake.blend; print(sorted({'albumentations', 'torch', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


# ---- the mask


def test_a_mask_is_a_share_is_none_at_the_border_and_covers_a_part_of_the_face():
    areas = []
    for seed in SEEDS:
        drawn = mask(64, rng(seed))
        assert (drawn.shape, drawn.dtype) == ((64, 64), np.float32)
        assert 0 <= drawn.min() <= drawn.max() <= 1
        assert drawn.max() in blend.STRENGTHS
        assert not np.concatenate([drawn[[0, -1]], drawn[:, [0, -1]].T]).any()
        areas.append((drawn > 0.1).mean())
    assert 0.1 < min(areas) < 0.2  # a band below the brows, say
    assert 0.4 < max(areas) < 0.6  # brow to chin


def test_a_mask_is_the_same_at_any_size():
    small, large = (mask(side, rng(3)) for side in (64, 256))
    np.testing.assert_allclose(small, large.reshape(64, 4, 64, 4).mean((1, 3)), atol=1e-5)


def test_every_region_and_strength_is_drawn():
    assert {float(mask(64, rng(seed)).max()) for seed in SEEDS} == set(blend.STRENGTHS)
    assert sum(region[4] for region in blend.REGIONS.values()) == pytest.approx(1)


# ---- the difference


def test_the_corners_are_those_of_the_clip_where_the_source_is_the_altered_one(face):
    kept = [(corners(blended(face, rng(seed))) == corners(face)).all() for seed in SEEDS]
    assert 0.4 < np.mean(kept) < 0.6  # a coin


def test_a_pair_differs_by_the_face_alone(face, monkeypatch):
    monkeypatch.setattr(blend, "JPEG", 0.0)
    means = []
    for seed in SEEDS:
        real, fake = pair(face, rng(seed))
        np.testing.assert_array_equal(corners(real), corners(fake))
        np.testing.assert_array_equal(fake, blended(face, rng(seed)))
        means.append(np.abs(real.astype(int) - fake).mean())
    assert min(means) > 0.1  # levels: every seed changes something
    assert 1 < np.median(means) < 5
    assert max(means) < 20


def test_a_pair_is_the_same_jpeg(face, monkeypatch):
    monkeypatch.setattr(blend, "JPEG", 1.0)
    monkeypatch.setattr(blend, "mask", lambda side, rng: np.zeros((side, side), np.float32))
    for seed in range(8):
        real, fake = pair(face, rng(seed))
        np.testing.assert_array_equal(real, fake)
        assert (real != blended(face, rng(seed))).any()


def test_jpeg_keeps_the_colors():
    red = np.full((1, 32, 32, 3), (200, 30, 40), np.uint8)
    np.testing.assert_allclose(blend._compressed(red, 95).astype(int), red, atol=3)


# ---- the clip


def test_all_frames_get_the_same_draw(face, monkeypatch):
    monkeypatch.setattr(blend, "JITTER", 0.0)
    for seed in range(20):
        real, fake = pair(np.repeat(face[:1], 4, 0), rng(seed))
        assert (real == real[0]).all()
        assert (fake == fake[0]).all()


def test_the_frames_of_a_still_tremble_by_a_part_of_a_pixel():
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None], (6, 256, 256, 3))  # a level a pixel to the right
    trembles = []
    for seed in range(20):
        fake = blended(ramp, rng(seed)).astype(int)
        trembles.append(np.abs(fake - fake[0])[:, 64:192, 64:192].max())
        np.testing.assert_array_equal(corners(fake), corners(fake[:1].repeat(6, 0)))
    assert 1 <= max(trembles) <= 8 * JITTER * 256 + 1  # 4 standard deviations to each side, and rounding
