"""heads: features of a clip's frames to one, however many they are, whatever the padding holds."""

import pytest
import torch
from small import HEADS, architecture, everything, same

from deepfake.base import plugins
from deepfake.models.fusion import Fusion
from deepfake.models.heads.transformer import places
from deepfake.models.motion import Motion
from deepfake.models.pooling import average
from deepfake.models.thumbnails import thumbnails

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("frames", [1, 5])
def test_a_head_gives_as_many_features_as_it_says_for_clips_of_any_length(head, frames):
    built = plugins.load("models.heads", head).build(7, architecture())
    assert built(torch.rand(2, frames, 7), everything(2, frames)).shape == (2, built.features)


@pytest.mark.parametrize("head", HEADS)
def test_a_head_sees_no_feature_of_the_padding(head):
    torch.manual_seed(0)
    built, features = plugins.load("models.heads", head).build(7, architecture()).eval(), torch.rand(2, 6, 7)
    mask = torch.arange(6) < torch.tensor([[6], [3]])
    features[1, 3:] = 100
    with torch.inference_mode():
        same(built(features, mask)[1:], built(features[1:, :3], everything(1, 3)))


def test_the_average_is_that_of_the_frames_of_the_mask():
    features = torch.tensor([[[1.0, 10.0], [3.0, 20.0], [100.0, 100.0]]])  # (1, 3, 2)
    assert average(features, torch.tensor([[True, True, False]])).tolist() == [[2.0, 15.0]]
    same(average(features, everything(1, 3)), features.mean(1))


def test_motion_is_the_difference_from_the_frame_before_and_zero_where_there_is_none_and_in_padding():
    features = torch.tensor([[[1.0, 5.0], [4.0, 3.0], [9.0, 9.0]], [[2.0, 0.0], [7.0, 7.0], [7.0, 7.0]]])  # (2, 3, 2)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    motion = Motion(2)
    out = motion.eval()(features, mask)  # its deviations are 1 yet
    assert (out[..., :2] == features).all()
    torch.testing.assert_close(
        out[..., 2:], torch.tensor([[[0.0, 0], [3, -2], [5, 6]], [[0, 0], [0, 0], [0, 0]]]), rtol=0, atol=1e-3
    )
    out = motion.train()(features, mask)  # of two differences, each is a deviation off
    torch.testing.assert_close(
        out[..., 2:], torch.tensor([[[0.0, 0], [-1, -1], [1, 1]], [[0, 0], [0, 0], [0, 0]]]), rtol=0, atol=1e-3
    )
    assert motion(features[1:], mask[1:])[..., 2:].tolist() == [[[0, 0]] * 3]  # none to learn deviations from


def test_motion_that_is_small_beside_what_clips_differ_in_is_as_large_to_a_head():
    """Steps of a thousandth of it; else no head learns from them: AUC .51 against .99 on frames of a wrong order."""
    torch.manual_seed(0)
    features = torch.randn(64, 1, 5) + 0.001 * torch.randn(64, 8, 5).cumsum(1)
    moved = Motion(5)(features, everything(64, 8))[:, 1:, 5:]
    assert moved.std().item() == pytest.approx(1, abs=0.1)


def test_a_fusion_puts_the_frames_average_beside_the_state_or_mixes_them():
    features, state = torch.rand(2, 3, 5), torch.rand(2, 4)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    beside, mixed = Fusion(5, 4, "concat"), Fusion(5, 4, "gate")
    out = beside(features, state, mask)
    assert out.shape == (2, beside.features)
    same(out[:, 4:], state)
    same(out[1, :4], beside.spatial(features[1, 0]))
    assert (out[:, :4] >= 0).all()
    out, spatial = mixed(features, state, mask), mixed.spatial(average(features, mask))
    assert out.shape == (2, mixed.features)
    assert (out >= torch.minimum(state, spatial)).all()
    assert (out <= torch.maximum(state, spatial)).all()


def test_the_places_of_frames_are_sines_and_cosines_of_growing_wavelengths():
    waves = places(3, 4)
    same(waves[:, 0], torch.arange(3).sin())
    same(waves[:, 1], torch.arange(3).cos())
    same(waves[:, 2], (torch.arange(3) / 100).sin())  # 10,000 ** (2 / 4)


def test_four_frames_lie_in_one_picture_row_by_row_and_the_last_fills_what_is_left():
    frames = torch.arange(1.0, 6).view(1, 5, 1, 1, 1).expand(2, 5, 3, 4, 4)
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    pictures, kept = thumbnails(frames, mask, 2)
    assert pictures.shape == (2, 2, 3, 4, 4)
    assert kept.tolist() == [[True, True], [True, False]]
    first = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert pictures[0, 0, 2].tolist() == first
    assert (pictures[0, 1] == 5).all()
    assert pictures[1, 0, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2]]


def test_a_frame_of_a_thumbnail_is_averaged_down():
    frame = torch.tensor([[0.0, 2, 1, 1], [4, 6, 1, 1], [0, 0, 8, 0], [0, 0, 0, 0]])
    pictures, _ = thumbnails(frame.expand(1, 4, 3, 4, 4), everything(1, 4), 2)
    assert pictures[0, 0, 1].tolist() == [[3, 1, 3, 1], [0, 2, 0, 2]] * 2
