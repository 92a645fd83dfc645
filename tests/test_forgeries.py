"""forgeries: every method gives a frame for a frame, changes the face, and the same for the same footage."""

import numpy as np
import pytest

from deepfake.base import plugins
from deepfake.footage import Footage, changes
from deepfake.forgeries import faceswap, stutter
from deepfake.swap import Finder
from deepfake.video import Images

METHODS = plugins.names("forgeries")


def footage(images: Images) -> Footage:
    find = Finder()
    return Footage(lambda: iter(images), np.stack([find(image) for image in images]))


@pytest.fixture(scope="module")
def people(heads) -> tuple[Footage, Footage]:
    """Six frames of one, four of another."""
    return footage(heads[0][:6]), footage(heads[1][:4])


@pytest.mark.parametrize("resolution", [0, 48])
@pytest.mark.parametrize("method", METHODS)
def test_a_fake_has_the_frames_of_its_target_and_another_face_or_another_order(people, method, resolution):
    target, source = people
    fakes = list(plugins.load("forgeries", method).forged(target, source, resolution))
    assert len(fakes) == 6
    if reordered(target, fakes):
        assert not all((fake == view.image).all() for view, fake in zip(target, fakes, strict=True))
        return
    changes = []
    for view, fake in zip(target, fakes, strict=True):
        assert (fake.shape, fake.dtype) == (view.image.shape, np.uint8)
        left, top = view.shape.min(0).astype(int)
        right, bottom = view.shape.max(0).astype(int)
        changed = np.abs(fake.astype(int) - view.image).mean(2)
        changes.append((changed[top:bottom, left:right].mean(), changed[-8:].mean()))
    face, edge = np.mean(changes, 0)
    assert face > 0.5  # levels
    assert face > 2 * edge


def reordered(target: Footage, fakes: list[Images]) -> bool:
    """Whether every frame is one of the target's own."""
    own = {view.image.tobytes() for view in target}
    return all(fake.tobytes() in own for fake in fakes)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_footage_gives_the_same_fake(people, method):
    first, again = (list(plugins.load("forgeries", method).forged(*people, 0)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_a_frame_without_a_face_does_not_stop_it(people, method):
    target, source = people
    gone = target.shapes.copy()
    gone[:3] = np.nan
    lost = source.shapes.copy()
    lost[1] = np.nan
    fakes = list(
        plugins.load("forgeries", method).forged(Footage(target.frames, gone), Footage(source.frames, lost), 0)
    )
    assert len(fakes) == 6


@pytest.mark.parametrize("method", METHODS)
def test_a_video_without_any_face_comes_back_as_it_is(people, method):
    target, source = people
    none = Footage(target.frames, np.full_like(target.shapes, np.nan))
    for view, fake in zip(none, plugins.load("forgeries", method).forged(none, source, 0), strict=True):
        np.testing.assert_array_equal(view.image, fake)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_says_how_many_people_it_shows(method):
    assert plugins.load("forgeries", method).PEOPLE in (1, 2)


def test_footage_goes_on_from_its_start(people):
    _, source = people
    first, fifth = _nth(source, 0, 4)
    np.testing.assert_array_equal(first, fifth)


def _nth(source: Footage, *wanted: int) -> list[Images]:
    return [view.image for i, view in zip(range(max(wanted) + 1), source.endless(), strict=False) if i in wanted]


def frames_shown(target: Footage, fakes: list[Images]) -> list[int]:
    number = {view.image.tobytes(): i for i, view in enumerate(target)}
    return [number[fake.tobytes()] for fake in fakes]


def test_stutter_steps_back_and_forth_through_frames_of_the_target(heads):
    target = footage(heads[0])
    shown = frames_shown(target, list(stutter.forged(target, target, 0)))
    steps = np.diff(shown)
    assert set(steps) == {-1, 1}
    assert 0.3 < (steps[1:] != steps[:-1]).mean() < 0.7  # turns


@pytest.mark.parametrize("seed", range(5))
def test_stutter_changes_as_much_from_frame_to_frame_as_the_true_order(seed):
    """Though one half of the video moves three times as much as the other."""
    rng = np.random.default_rng(seed)
    moves = np.concatenate([rng.uniform(3, 4, 8), rng.uniform(9, 12, 8)])
    walk = stutter.walk(moves, rng)
    changes = moves[np.minimum(walk[1:], walk[:-1])]
    assert changes.mean() == pytest.approx(moves.mean(), rel=0.1)


def test_stutter_takes_long_videos_part_by_part_and_leaves_what_is_too_short(heads):
    shape = footage(heads[0][:1]).shapes
    numbered = [np.full((8, 8, 3), i, np.uint8) for i in range(70)]
    long = Footage(lambda: iter(numbered), shape.repeat(70, 0))
    shown = [int(fake[0, 0, 0]) for fake in stutter.forged(long, long, 0)]
    assert [i // stutter.WINDOW for i in shown] == [i // stutter.WINDOW for i in range(70)]
    assert stutter.walk(np.ones(1), np.random.default_rng(0)) == [0, 1]


def test_changes_are_those_of_the_face_wherever_it_lies(people):
    """Moved as a whole it does not change; without a face, or with a single one, nothing is compared."""
    view = next(iter(people[0]))
    moved = [np.roll(view.image, shift, (0, 1)) for shift in ((0, 0), (3, -5))]
    still = Footage(lambda: iter(moved), np.stack([view.shape, view.shape + np.array([-5, 3])]))
    assert changes(still).tolist() == [0.0]
    assert changes(people[0]).shape == (5,)
    assert changes([view]).shape == (0,)
    assert changes([view._replace(shape=np.full((68, 2), np.nan))]).shape == (0,)


def test_a_lively_source_does_not_tell_a_swap_by_its_frame_difference(heads):
    """The source moves three times as fast as the target."""
    target, source = footage(heads[0]), footage(heads[1][::3])
    fakes = list(faceswap.forged(target, source, 0))
    swapped = Footage(lambda: iter(fakes), target.shapes)
    assert changes(swapped).mean() == pytest.approx(changes(target).mean(), rel=0.15)
