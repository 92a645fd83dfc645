"""degrade: one draw for all that is given to it, in the shape it came in, whatever the size."""

import numpy as np
import pytest

from deepfake import video
from deepfake.pseudo import degrade
from deepfake.pseudo.degrade import Degradation, drawn

pytestmark = pytest.mark.usefixtures("untouched_rng")

STEPS = [name for name in Degradation.model_fields if name not in ("before", "again")]


@pytest.fixture(scope="module")
def face(heads) -> video.Images:
    return np.ascontiguousarray(heads[0][:4, 60:189, 60:189])  # 129 px: odd


@pytest.mark.parametrize("frames", [1, 2, 4])
@pytest.mark.parametrize("step", STEPS)
def test_each_step_keeps_the_shape_and_changes_the_picture(face, step, frames):
    changed = 0
    for seed in range(4):
        out = drawn(Degradation(**{step: 1.0}), 129, np.random.default_rng(seed))(face[:frames])
        assert (out.shape, out.dtype) == ((frames, 129, 129, 3), np.uint8)
        changed += bool((out != face[:frames]).any())
        assert np.abs(out.astype(int) - face[:frames]).mean() < 60
    assert changed >= 3


@pytest.mark.parametrize("step", STEPS)
def test_what_was_drawn_is_the_same_for_everything(face, step):
    for seed in range(3):
        change = drawn(Degradation(**{step: 1.0}), 129, np.random.default_rng(seed))
        np.testing.assert_array_equal(change(face), change(face.copy()))


def test_nothing_is_done_where_nothing_is_asked(face):
    assert drawn(Degradation(), 129, np.random.default_rng(0))(face) is face


def test_a_crop_comes_back_to_its_place(face):
    """Filmed elsewhere, at another size and turned, the face lies where it lay, but for the nudge."""
    for seed in range(5):
        out = drawn(Degradation(native=1.0), 129, np.random.default_rng(seed))(face)
        assert np.abs(out.astype(int) - face)[:, 20:-20, 20:-20].mean() < 25


@pytest.mark.parametrize("side", [64, 160, 224])
def test_a_crop_is_filmed_at_the_same_sizes_however_large_it_is_stored(side):
    low, high = degrade.NATIVE
    filmed = [
        np.linalg.det(degrade._views(side, np.random.default_rng(seed))[0][:, :2]) ** 0.5 * side for seed in range(99)
    ]
    assert low <= min(filmed) < low * 1.1
    assert high / 1.1 < max(filmed) <= high


@pytest.mark.parametrize(
    ("codec", "fine", "coarse"), [("libx264", 16, 38), ("mpeg1video", 2, 20), ("mpeg2video", 2, 20), ("mpeg4", 2, 20)]
)
def test_a_codec_loses_more_at_a_coarser_quality_and_repeats_itself(face, codec, fine, coarse):
    clip = face[:, :128, :128]
    errors = [np.abs(video.transcoded(clip, codec, q).astype(int) - clip).mean() for q in (fine, coarse)]
    assert 0 < errors[0] < errors[1]
    np.testing.assert_array_equal(video.transcoded(clip, codec, coarse), video.transcoded(clip, codec, coarse))


def test_jpeg_keeps_the_colors():
    red = np.full((1, 32, 32, 3), (200, 30, 40), np.uint8)
    np.testing.assert_allclose(degrade.jpeg(red, 95).astype(int), red, atol=3)


def test_noise_is_that_of_a_seed_and_differs_from_frame_to_frame(face):
    first, again = (degrade.noisy(face, 5, 1, 3).astype(int) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    noise = first - face
    assert (noise[0] != noise[1]).any()
    assert 3 < noise.std() < 6
