"""models: every encoder with every head reads a clip alone: no neighbour, no padding, and every weight learns."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from deepfake.base import plugins
from deepfake.models.network import MEAN, STD, Network, to_clips
from deepfake.models.pooling import average

ENCODERS, HEADS = plugins.names("models.encoders"), plugins.names("models.heads")
BLIND = {"mean"}  # heads that do not see the order of the frames
SIDE = 32  # px

pytestmark = pytest.mark.usefixtures("one_thread")

every_network = pytest.mark.parametrize(("encoder", "head"), list(product(ENCODERS, HEADS)))


def network(encoder: str, head: str) -> Network:
    """Untrained, but for statistics of batch norm that are not those of its beginning."""
    torch.manual_seed(0)
    net = Network(encoder, head)
    with torch.no_grad():
        net(noise(4, 3), everything(4, 3))
    return net.eval()


def noise(clips: int, frames: int, seed: int = 1) -> Tensor:
    """(clips, frames, 3, SIDE, SIDE) in [0, 1], no two clips of the same brightness."""
    generator = torch.Generator().manual_seed(seed)
    shades = torch.linspace(0.3, 1, clips).view(-1, 1, 1, 1, 1)
    return torch.rand(clips, frames, 3, SIDE, SIDE, generator=generator) * shades


def everything(clips: int, frames: int) -> Tensor:
    """The mask of clips without padding."""
    return torch.ones(clips, frames, dtype=torch.bool)


def logits(net: Network, clips: Tensor, mask: Tensor | None = None) -> Tensor:
    with torch.inference_mode():
        return net(clips, everything(*clips.shape[:2]) if mask is None else mask)


def same(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("side", [32, 47, 64])
def test_an_encoder_gives_as_many_features_as_it_says_for_faces_of_any_size(encoder, side):
    built = plugins.load("models.encoders", encoder).build()
    assert built(torch.rand(3, 3, side, side)).shape == (3, built.features)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("frames", [1, 5])
def test_a_head_gives_as_many_features_as_it_says_for_clips_of_any_length(head, frames):
    built = plugins.load("models.heads", head).build(7)
    assert built(torch.rand(2, frames, 7), everything(2, frames)).shape == (2, built.features)


@every_network
def test_a_clip_gets_one_finite_logit(encoder, head):
    out = logits(network(encoder, head), noise(3, 4))
    assert out.shape == (3,)
    assert out.isfinite().all()


@every_network
def test_clips_that_differ_get_logits_that_differ(encoder, head):
    out = logits(network(encoder, head), noise(3, 4))
    assert len(set(out.tolist())) == 3


@every_network
def test_a_clips_logit_does_not_depend_on_what_else_is_in_the_batch(encoder, head):
    net, clips = network(encoder, head), noise(3, 4)
    together = logits(net, clips)
    same(together, torch.cat([logits(net, clips[i : i + 1]) for i in range(3)]))
    same(together.flip(0), logits(net, clips.flip(0)))


@every_network
@pytest.mark.parametrize("rest", [0.0, 1.0])
def test_padding_does_not_change_a_logit_whatever_it_holds(encoder, head, rest):
    net, long, short = network(encoder, head), noise(1, 6), noise(1, 3, seed=2)
    padding = torch.full_like(short, rest)
    mask = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])
    both = logits(net, torch.cat([long, torch.cat([short, padding], 1)]), mask)
    same(both, torch.cat([logits(net, long), logits(net, short)]))


@every_network
def test_padding_does_not_change_what_is_learnt_either(encoder, head):
    mask = torch.tensor([[True, True, True], [True, False, False]])
    learnt = []
    for rest in (0.0, 1.0):
        net, clips = network(encoder, head).train(), noise(2, 3)
        clips[~mask] = rest
        torch.manual_seed(0)  # of dropout
        net(clips, mask).sum().backward()
        learnt.append([*(p.grad for p in net.parameters()), *(b.float() for b in net.buffers())])
    for one, other in zip(*learnt, strict=True):
        same(one, other)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("head", sorted(set(HEADS) - BLIND))
def test_a_temporal_head_sees_the_order_of_the_frames(encoder, head):
    net, clips = network(encoder, head).double(), noise(2, 4).double()  # untrained, a head hardly looks at the order
    assert (logits(net, clips) - logits(net, clips[:, [2, 0, 3, 1]])).abs().min() > 1e-9


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("head", sorted(BLIND))
def test_a_blind_head_does_not_see_the_order_of_the_frames(encoder, head):
    net, clips = network(encoder, head).double(), noise(2, 4).double()
    assert (logits(net, clips) - logits(net, clips[:, [2, 0, 3, 1]])).abs().max() < 1e-13


@every_network
def test_a_gradient_reaches_every_parameter(encoder, head):
    net = network(encoder, head).train()
    nn.functional.binary_cross_entropy_with_logits(
        net(noise(4, 3), everything(4, 3)), torch.tensor([0.0, 1, 0, 1])
    ).backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@every_network
def test_eight_clips_of_four_patterns_are_learnt_by_heart(encoder, head):
    red, green, lying, standing = torch.zeros(4, 3, SIDE, SIDE)
    red[0], green[1] = 0.8, 0.8
    lying[:, ::4], standing[:, :, ::4] = 1, 1
    clips = torch.stack([red, red, lying, lying, green, green, standing, standing])[:, None].repeat(1, 3, 1, 1, 1)
    clips = (clips + 0.1 * torch.rand(clips.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    labels, mask = torch.tensor([0.0] * 4 + [1.0] * 4), everything(8, 3)
    torch.manual_seed(0)
    net, loss = Network(encoder, head), nn.BCEWithLogitsLoss()
    adam = torch.optim.Adam(net.parameters(), lr=0.002)
    for _ in range(40):
        adam.zero_grad()
        loss(net(clips, mask), labels).backward()
        adam.step()
    assert loss(logits(net.eval(), clips), labels) < 0.02


def test_bytes_become_channels_between_zero_and_one():
    faces = torch.zeros(1, 2, 4, 5, 3, dtype=torch.uint8)  # (B, T, H, W, 3)
    faces[0, 1, 2, 3] = torch.tensor([0, 51, 255])
    clips = to_clips(faces)
    assert (clips.shape, clips.dtype) == ((1, 2, 3, 4, 5), torch.float32)
    same(clips[0, 1, :, 2, 3], torch.tensor([0.0, 0.2, 1.0]))
    assert clips.sum() == clips[0, 1, :, 2, 3].sum()


def test_the_scaling_of_pixels_is_a_part_of_the_network_and_of_its_weights():
    net = Network("cnn", "mean")
    assert net.state_dict()["mean"].flatten().tolist() == [MEAN] * 3
    assert net.state_dict()["std"].flatten().tolist() == [STD] * 3
    seen = []
    net.encoder.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    logits(net.eval(), torch.full((1, 1, 3, SIDE, SIDE), 0.75))
    assert (seen[0] == 1).all()  # (0.75 - 0.5) / 0.25


def test_the_average_is_that_of_the_frames_of_the_mask():
    features = torch.tensor([[[1.0, 10.0], [3.0, 20.0], [100.0, 100.0]]])  # (1, 3, 2)
    assert average(features, torch.tensor([[True, True, False]])).tolist() == [[2.0, 15.0]]
    same(average(features, everything(1, 3)), features.mean(1))
