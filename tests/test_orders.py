"""orders: each shows as many of the same frames, and what is drawn is drawn alike for whoever looks."""

import pytest

from deepfake.measures.orders import as_filmed, backwards, disturbances, frozen, shuffled

FRAMES = [3, 7, 11, 15, 19]


def test_the_frames_come_as_filmed_backwards_or_frozen():
    assert as_filmed(FRAMES) == FRAMES
    assert backwards(FRAMES) == [19, 15, 11, 7, 3]
    assert frozen(FRAMES) == [11] * 5
    assert frozen([4, 8]) == [8, 8]


def test_a_shuffle_keeps_the_frames_and_is_drawn_anew_for_other_seeds_and_sequences():
    assert sorted(shuffled(0)(FRAMES)) == FRAMES
    assert shuffled(0)(FRAMES) == shuffled(0)(FRAMES)  # whatever was drawn before
    assert len({tuple(shuffled(seed)(FRAMES)) for seed in range(8)}) > 4
    places = {tuple(FRAMES.index(i) for i in shuffled(0)(FRAMES)), tuple(i for i in shuffled(0)(range(5)))}
    assert len(places) == 2


@pytest.mark.parametrize("order", disturbances(0, 2).values())
@pytest.mark.parametrize("frames", [[5], [0, 1], FRAMES])
def test_every_disturbance_shows_as_many_of_the_frames(order, frames):
    assert len(order(frames)) == len(frames)
    assert set(order(frames)) <= set(frames)


def test_disturbances_are_named():
    assert list(disturbances(0, 3)) == ["shuffled_0", "shuffled_1", "shuffled_2", "reversed", "repeated"]
