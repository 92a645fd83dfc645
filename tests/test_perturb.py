"""perturb: each kind does what it says, the stronger the level the more, the same each time."""

import numpy as np
import pytest

from deepfake import perturb, video
from deepfake.base.opencv import cv2
from deepfake.perturb import LEVELS, cells, perturbed

RNG = np.random.default_rng(0)


@pytest.fixture
def film(tmp_path, heads):
    """Eight frames of somebody who talks, 96 px."""
    images = np.stack([cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA) for image in heads[0][:8]])
    with video.recording(tmp_path / "film.mkv") as record:
        for i, image in enumerate(images):
            record(image, i / 10)
    return tmp_path / "film.mkv", images


def seen(path, kind: str, level: int) -> tuple[np.ndarray, list[float]]:
    frames, times = zip(*perturbed(path, kind, level), strict=True)
    return np.stack(frames), list(times)


def test_there_are_seven_kinds_of_five_levels_and_more():
    assert len([kind for kind in list(LEVELS)[:7] if len(LEVELS[kind]) == 5]) == 7
    assert len(cells()) == 10 * 5 + 3
    assert set(perturb.PICTURES) | set(perturb.CODECS) | {"frame_drop"} == set(LEVELS)


@pytest.mark.parametrize(
    "kind", [kind for kind in LEVELS if kind not in ("resize", "frame_drop", "messenger", "again")]
)
def test_a_stronger_level_changes_more(film, kind):
    path, images = film
    mild, strong = (np.abs(seen(path, kind, level)[0].astype(float) - images).mean() for level in (1, 5))
    assert 0 < mild < strong


@pytest.mark.parametrize("kind", LEVELS)
def test_a_perturbation_is_the_same_each_time(film, kind):
    path, _ = film
    (first, times), (second, again) = seen(path, kind, 2), seen(path, kind, 2)
    np.testing.assert_array_equal(first, second)
    assert times == again
    assert first.dtype == np.uint8


@pytest.mark.parametrize("kind", [kind for kind in LEVELS if kind != "frame_drop"])
def test_every_frame_keeps_its_time(film, kind):
    path, _ = film
    assert seen(path, kind, 1)[1] == pytest.approx([i / 10 for i in range(8)], abs=2e-3)


def test_without_saturation_all_is_grey(film):
    path, _ = film
    frames = seen(path, "saturation", 5)[0].astype(int)
    assert np.abs(frames[..., 0] - frames[..., 2]).max() <= 2


def test_contrast_is_brightness_in_proportion():
    image = np.full((4, 4, 3), 100, np.uint8)
    assert (perturb.contrast(image, 0.6, RNG) == 60).all()


def test_blocks_are_as_many_and_as_large_as_the_frame_asks_for():
    image = np.zeros((512, 1024, 3), np.uint8)
    changed = (perturb.blocks(image, 16, np.random.default_rng(0)) > 0).all(-1)
    assert changed.sum() <= 16 * 16**2  # 16 px on 512
    assert changed.sum() > 8 * 16**2
    assert (perturb.blocks(image, 16, np.random.default_rng(0))[changed] == perturb.GREY).all()


def test_noise_has_the_variance_that_it_says():
    grey = np.full((200, 200, 3), 128, np.uint8)
    luma = cv2.cvtColor(perturb.noise(grey, 0.005, np.random.default_rng(0)), cv2.COLOR_RGB2YCrCb)[..., 0]
    assert luma.std() == pytest.approx(255 * np.sqrt(0.005), rel=0.05)


def test_pixels_become_squares():
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    squares = perturb.pixelation(image, 6, RNG)
    np.testing.assert_array_equal(squares, np.repeat(np.repeat(squares[::6, ::6], 6, 0), 6, 1))


@pytest.mark.parametrize(("kind", "level", "side"), [("resize", 3, 48), ("messenger", 1, 96), ("h264", 1, 96)])
def test_a_frame_is_as_large_as_the_kind_leaves_it(film, kind, level, side):
    assert seen(film[0], kind, level)[0].shape[1:] == (side, side, 3)


def test_a_messenger_makes_a_large_frame_small():
    assert perturb._fitted(np.zeros((721, 1281, 3), np.uint8), 640).shape == (360, 640, 3)
    assert perturb._fitted(np.zeros((721, 1281, 3), np.uint8), 0).shape == (720, 1280, 3)


def test_dropped_frames_are_a_share_and_never_the_first(film):
    path, images = film
    frames, times = seen(path, "frame_drop", 5)
    assert 1 <= len(frames) < 8
    np.testing.assert_array_equal(frames[0], images[0])
    assert times == sorted(times)


def test_encoding_again_and_again_costs_more(film):
    path, images = film
    once, often = (np.abs(seen(path, "again", level)[0].astype(float) - images).mean() for level in (1, 5))
    assert often > once
