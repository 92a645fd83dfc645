"""clips: sequences cover a track, arrays hold its frames, padding is marked."""

from itertools import chain

import numpy as np
import pytest

from deepfake import clips, video


@pytest.mark.parametrize(
    ("count", "frames", "sequences"),
    [
        (7, 3, [[0, 3, 6], [1, 4], [2, 5]]),
        (4, 4, [[0, 1, 2, 3]]),
        (3, 8, [[0, 1, 2]]),
        (5, 4, [[0, 2, 4], [1, 3]]),
        (3, 1, [[0], [1], [2]]),
        (0, 4, []),
    ],
)
def test_sequences_are_interleaved(count, frames, sequences):
    assert clips.interleaved(count, frames) == sequences


@pytest.mark.parametrize("frames", [1, 2, 7, 16])
def test_every_frame_is_in_one_sequence_and_sequences_are_about_as_long(frames):
    for count in range(1, 40):
        sequences = clips.interleaved(count, frames)
        assert sorted(chain(*sequences)) == list(range(count))
        assert max(map(len, sequences)) <= frames
        assert max(map(len, sequences)) - min(map(len, sequences)) <= 1


@pytest.mark.parametrize(("count", "frames"), [(1, 1), (3, 3), (3, 8), (0, 2)])
def test_all_frames_are_drawn_of_a_short_track(count, frames):
    assert clips.drawn(count, frames, "spread", np.random.default_rng(0)) == list(range(count))


@pytest.mark.parametrize(("count", "frames"), [(9, 3), (10, 3), (16, 15), (100, 7), (2, 1)])
def test_a_frame_is_drawn_from_each_stretch(count, frames):
    rng = np.random.default_rng(0)
    draws = np.array([clips.drawn(count, frames, "spread", rng) for _ in range(2000)])
    assert draws.shape == (2000, frames)
    assert (np.diff(draws, axis=1) > 0).all()
    stretch = draws * frames // count
    assert (stretch == np.arange(frames)).all()
    assert set(draws.ravel()) == set(range(count))  # each frame has its chance


def test_draws_depend_on_the_generator_alone():
    first, again, other = (clips.drawn(50, 5, "spread", np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_what_is_padded_is_marked():
    sequences = [np.full((length, 2, 2, 3), length, np.uint8) for length in (3, 1)]
    batch, mask = clips.padded(sequences, frames=4)
    assert (batch.shape, batch.dtype, mask.dtype) == ((2, 4, 2, 2, 3), np.uint8, bool)
    assert mask.tolist() == [[True, True, True, False], [True, False, False, False]]
    assert batch[:, :, 0, 0, 0].tolist() == [[3, 3, 3, 0], [1, 0, 0, 0]]


def test_a_smaller_image_is_the_mean_of_the_larger():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    means = images.reshape(2, 4, 2, 4, 2, 3).mean((2, 4))
    np.testing.assert_allclose(clips.resized(images, 4), means, atol=0.5)


@pytest.mark.parametrize("side", [4, 8, 12])
def test_images_are_resized_to_the_side(side):
    images = np.full((3, 8, 8, 3), 200, np.uint8)
    assert (clips.resized(images, side) == np.full((3, side, side, 3), 200)).all()


def test_arrays_hold_the_chosen_frames_and_are_made_once(tmp_path, noise):
    files = []
    for name, images in (("a", noise[:5, :, :48]), ("b", noise[5:9, :, :48])):
        files.append(tmp_path / f"{name}.mkv")
        with video.recording(files[-1]) as record:
            for i, image in enumerate(images):
                record(image, i / 25)
    first = clips.arrays(files, [[0, 3], [1]], side=48)
    np.testing.assert_array_equal(np.load(first[0], mmap_mode="r"), noise[[0, 3], :, :48])
    np.testing.assert_array_equal(np.load(first[1]), noise[[6], :, :48])
    times = [path.stat().st_mtime_ns for path in first]
    again = clips.arrays(files, [[0, 3], [1]], side=48)
    assert [path.stat().st_mtime_ns for path in again] == times
    assert clips.arrays(files, [[0, 3], [2]], side=48)[1] != first[1]
    assert np.load(clips.arrays(files[:1], [[0]], side=24)[0]).shape == (1, 24, 24, 3)


@pytest.mark.parametrize(
    ("count", "frames", "sequences"),
    [
        (1, 3, [[0]]),
        (3, 3, [[0, 1, 2]]),
        (7, 3, [[0, 1, 2], [3, 4, 5], [4, 5, 6]]),  # the last reaches back
        (8, 4, [[0, 1, 2, 3], [4, 5, 6, 7]]),
    ],
)
def test_contiguous_sequences_follow_frame_on_frame(count, frames, sequences):
    assert clips.sequences(count, frames, "contiguous") == sequences
    assert clips.sequences(count, frames, "spread") == clips.interleaved(count, frames)


def test_a_contiguous_draw_is_one_stretch_from_anywhere():
    rng = np.random.default_rng(0)
    draws = {tuple(clips.drawn(6, 4, "contiguous", rng)) for _ in range(100)}
    assert draws == {(0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5)}
    assert clips.drawn(3, 4, "contiguous", rng) == [0, 1, 2]
