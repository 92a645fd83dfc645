"""encoders: each gives the features it says, of faces of any size, and sees pixels as its weights want them."""

import pytest
import torch
from small import ENCODERS, SIDE, WHOLE, architecture, everything, logits, network, same
from torch import Tensor, nn

from deepfake.base import plugins
from deepfake.models.encoders.video import Video
from deepfake.models.network import Network, side_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("encoder", sorted(set(ENCODERS) - WHOLE))
@pytest.mark.parametrize("side", [32, 47, 64])
def test_an_encoder_gives_as_many_features_as_it_says_for_faces_of_any_size(encoder, side):
    built = plugins.load("models.encoders", encoder).build(architecture(encoder=encoder, side=side))
    assert built(torch.rand(3, 3, side, side)).shape == (3, built.features)


@pytest.mark.parametrize("encoder", sorted(set(ENCODERS) - WHOLE))
def test_an_encoder_built_for_positions_gives_its_map_row_by_row_and_has_no_weight_beside(encoder):
    a = architecture(encoder=encoder, side=96, sequence="positions")
    built = plugins.load("models.encoders", encoder).build(a).eval()
    seen = []
    built.full.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    out = built(torch.rand(2, 3, 96, 96))
    maps = seen[0]
    assert maps.shape[2] * maps.shape[3] == out.shape[1] > 1
    assert out.shape[2] == maps.shape[1] == built.features
    assert (out[:, maps.shape[3] + 1] == maps[:, :, 1, 1]).all()  # the second of the second row
    out.sum().backward()
    assert [name for name, p in built.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("backbone", ["mc3_18", "r2plus1d_18", "mvit_v2_s"])
def test_a_video_network_gives_as_many_features_as_it_says_for_clips_of_any_length_and_size(backbone):
    a = architecture(encoder="video", backbone=backbone, frames=3, side=40)
    built = plugins.load("models.encoders", "video").build(a).eval()
    with torch.inference_mode():
        assert built(torch.rand(2, 5, 3, 40, 40), everything(2, 5)).shape == (2, 1, built.features)


def test_a_video_network_sees_the_true_frames_alone_evenly_and_in_order():
    class First(nn.Module):
        def forward(self, clips: Tensor) -> Tensor:
            return clips[:, 0, :, 0, 0]  # (B, 3, pictures, H, W) -> (B, pictures)

    encoder = Video(First(), 4, 4, (0, 0, 0), (1, 1, 1))
    clips = torch.arange(8.0).view(1, 8, 1, 1, 1).expand(3, 8, 3, 2, 2)
    mask = torch.arange(8) < torch.tensor([[8], [3], [1]])
    assert encoder(clips, mask).squeeze(1).tolist() == [[1, 3, 5, 7], [0, 1, 1, 2], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("encoder", "backbone", "side"),
    [
        ("meso4", None, 256),
        ("small_cnn", None, 64),
        ("squeezenet", None, 224),
        ("timm", "legacy_xception", 299),
        ("timm", "resnet50.tv_in1k", 224),
        ("timm", "vit_base_patch14_dinov2", 518),
        ("video", "r2plus1d_18", 112),
        ("video", "mvit_v2_s", 224),
    ],
)
def test_faces_have_the_size_of_params_or_that_of_the_publication(encoder, backbone, side):
    assert side_of(architecture(encoder=encoder, backbone=backbone, side=None)) == side
    assert side_of(architecture(encoder=encoder, backbone=backbone, side=100)) == 100


def test_weights_of_caffe_see_blue_first_and_bytes_less_their_mean():
    net = network(encoder="squeezenet", backbone="caffe")
    seen = []
    net.encoder.blocks.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    logits(net, torch.tensor([1.0, 0.5, 0.0]).view(1, 1, 3, 1, 1).expand(1, 1, 3, SIDE, SIDE))  # RGB
    torch.testing.assert_close(
        seen[0][0, :, 0, 0], torch.tensor([0 - 103.939, 127.5 - 116.779, 255 - 123.68]), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize(
    ("settings", "mean", "std"),
    [
        ({"encoder": "cnn"}, [0.5] * 3, [0.25] * 3),
        ({"encoder": "timm", "backbone": "resnet10t"}, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ({"encoder": "timm", "backbone": "test_vit"}, [0.5] * 3, [0.5] * 3),
        ({"encoder": "cnn", "pixels": "unit"}, [0] * 3, [1] * 3),
        ({"encoder": "cnn", "pixels": "signed"}, [0.5] * 3, [0.5] * 3),
        ({"encoder": "timm", "backbone": "resnet10t", "pixels": "unit"}, [0] * 3, [1] * 3),
        ({"encoder": "video"}, [0.43216, 0.394666, 0.37645], [0.22803, 0.22145, 0.216989]),
    ],
)
def test_the_scaling_of_pixels_is_a_part_of_the_network_and_of_its_weights(settings, mean, std):
    state = Network(architecture(**settings)).state_dict()
    same(state["mean"].flatten(), torch.tensor(mean).float())
    same(state["std"].flatten(), torch.tensor(std).float())


@pytest.mark.parametrize(
    ("pixels", "black", "bright"),
    [("encoder", -2, 1), ("unit", 0, 0.75), ("signed", -1, 0.5)],  # encoder: (0.75 - 0.5) / 0.25
)
def test_an_encoder_sees_pixels_of_the_range_that_is_asked_for(pixels, black, bright):
    net, seen = network(pixels=pixels), []
    net.encoder.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    for value in (0.0, 0.75):
        logits(net, torch.full((1, 1, 3, SIDE, SIDE), value))
    assert (seen[0] == black).all()
    assert (seen[1] == bright).all()
