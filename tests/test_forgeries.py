"""forgeries: every method gives a frame for a frame, changes the face, and the same for the same footage."""

import numpy as np
import pytest

from deepfake.base import plugins
from deepfake.footage import Footage
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
def test_a_fake_has_the_frames_of_its_target_and_another_face(people, method, resolution):
    target, source = people
    fakes = list(plugins.load("forgeries", method).forged(target, source, resolution))
    assert len(fakes) == 6
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
