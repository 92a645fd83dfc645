"""masks: a share of the source that is none at the border, covers what its region says, and trembles over time."""

import numpy as np
import pytest

from deepfake.faces import Floats
from deepfake.pseudo import masks

ALL = (*masks.REGIONS, *masks.LOWER)


@pytest.fixture(scope="module")
def shape() -> Floats:
    """68 landmarks of an upright face in a crop of 160 px: a jaw, brows, a nose, eyes and a mouth."""
    angle = np.linspace(np.pi, 0, 17)
    jaw = np.c_[80 + 48 * np.cos(angle), 80 + 55 * np.sin(angle)]
    brows = np.c_[np.r_[np.linspace(42, 70, 5), np.linspace(90, 118, 5)], np.full(10, 58)]
    nose = np.c_[np.r_[np.full(4, 80), np.linspace(70, 90, 5)], np.r_[np.linspace(68, 92, 4), np.full(5, 98)]]
    ring = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    eyes = np.concatenate([np.c_[x + 8 * np.cos(ring), 70 + 4 * np.sin(ring)] for x in (60, 100)])
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    mouth = np.c_[80 + 16 * np.cos(turn), 116 + 7 * np.sin(turn)]
    return np.concatenate([jaw, brows, nose, eyes, mouth])


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("region", ALL)
def test_a_mask_is_a_share_and_none_at_the_border(shape, region, known):
    for seed in range(10):
        shapes = shape[None].repeat(2, 0) if known else None
        drawn = masks.drawn(shapes, 2, 160, (region,), 0.3, np.random.default_rng(seed))
        assert (drawn.shape, drawn.dtype) == ((2, 160, 160), np.float32)
        assert 0 <= drawn.min() < drawn.max() <= 1
        assert not np.concatenate([drawn[:, [0, -1]], drawn[:, :, [0, -1]].transpose(0, 2, 1)], 1).any()


@pytest.mark.parametrize("region", ALL)
def test_a_mask_lies_where_its_region_does(shape, region):
    """Landmarks and the ellipse that stands for them agree on the part of the face."""
    middles = []
    for shapes in (shape[None], None):
        drawn = np.mean(
            [masks.drawn(shapes, 1, 160, (region,), 0.3, np.random.default_rng(s))[0] for s in range(20)], 0
        )
        middles.append((np.indices(drawn.shape) * drawn).sum((1, 2)) / drawn.sum())
    tolerance = 30 if region == "parts" else 16
    np.testing.assert_allclose(*middles, atol=tolerance)


def test_every_strength_is_drawn(shape):
    drawn = {
        round(float(masks.drawn(shape[None], 1, 160, ("face",), 0.3, np.random.default_rng(s)).max()), 2)
        for s in range(60)
    }
    assert drawn == {round(strength, 2) for strength in masks.STRENGTHS}


def test_landmarks_tremble_from_frame_to_frame(shape):
    drawn = masks.drawn(shape[None].repeat(3, 0), 3, 160, ("face",), 0.3, np.random.default_rng(0))
    assert (drawn[0] != drawn[1]).any()
    assert np.abs(drawn[0] - drawn[1]).mean() < 0.05
