"""models: every encoder with every head reads a clip alone: no neighbour, no padding, and every weight learns."""

from itertools import product
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from small import ENCODERS, HEADS, SIDE, WHOLE, architecture, everything, learn, logits, network, noise, same
from torch import nn

from deepfake.base.errors import UserError
from deepfake.models.network import Network, to_clips

BLIND = {"mean", "attention"}  # heads that do not see the order of the frames

pytestmark = pytest.mark.usefixtures("one_thread")

EVERY = [
    *({"encoder": encoder, "head": head} for encoder, head in product(sorted(set(ENCODERS) - WHOLE), HEADS)),
    *({"encoder": encoder, "head": "mean"} for encoder in sorted(WHOLE)),
    {"encoder": "timm", "backbone": "test_vit", "head": "mean"},
    {"encoder": "cnn", "head": "lstm", "thumbnails": 2, "fusion": "concat"},
    {"encoder": "small_cnn", "head": "gru", "bidirectional": False, "layers": 1, "fusion": "gate"},
    *({"encoder": "small_cnn", "head": head, "motion": True} for head in ("lstm", "mean", "transformer")),
    {"encoder": "cnn", "head": "attention", "thumbnails": 2, "fusion": "gate", "motion": True},
    *(
        {"encoder": encoder, "head": "lstm", "sequence": "positions"}
        for encoder in ("small_cnn", "dilated_cnn", "meso4")
    ),
    {"encoder": "small_cnn", "head": "lstm", "dense": [24, 12], "dense_norm": True, "dense_dropout": 0.5},
]
every_network = pytest.mark.parametrize(
    "settings", EVERY, ids=lambda settings: "-".join(str(value) for value in settings.values())
)


@every_network
def test_clips_that_differ_get_finite_logits_that_differ(settings):
    out = logits(network(**settings), noise(3, 4))
    assert out.shape == (3,)
    assert out.isfinite().all()
    assert len(set(out.tolist())) == 3


@every_network
def test_a_clips_logit_does_not_depend_on_what_else_is_in_the_batch(settings):
    net, clips = network(**settings), noise(3, 4)
    together = logits(net, clips)
    same(together, torch.cat([logits(net, clips[i : i + 1]) for i in range(3)]))
    same(together.flip(0), logits(net, clips.flip(0)))


@every_network
def test_padding_does_not_change_a_logit_whatever_it_holds(settings):
    net, long, short = network(**settings), noise(1, 6), noise(1, 3, seed=2)
    mask = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])
    alone = torch.cat([logits(net, long), logits(net, short)])
    for rest in (0.0, 1.0):
        same(logits(net, torch.cat([long, torch.cat([short, torch.full_like(short, rest)], 1)]), mask), alone)


@every_network
def test_padding_does_not_change_what_is_learnt_either(settings):
    mask = torch.tensor([[True, True, True], [True, False, False]])
    learnt = []
    for rest in (0.0, 1.0):
        net, clips = network(**settings).train(), noise(2, 3)
        clips[~mask] = rest
        torch.manual_seed(0)  # of dropout
        net(clips, mask).sum().backward()
        learnt.append([*(p.grad for p in net.parameters()), *(b.float() for b in net.buffers())])
    for first, second in zip(*learnt, strict=True):
        same(first, second)


@every_network
def test_a_gradient_reaches_every_parameter(settings):
    net = network(**settings).train()
    learn(net)
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def order_matters(**settings: Any) -> float:
    """By how much a logit changes with the order of the frames, at least and at most."""
    net, clips = network(**settings).double(), noise(2, 4).double()  # untrained, a head hardly looks at the order
    changes = (logits(net, clips) - logits(net, clips[:, [2, 0, 3, 1]])).abs()
    return changes.min().item(), changes.max().item()


@pytest.mark.parametrize("encoder", sorted(set(ENCODERS) - WHOLE))
@pytest.mark.parametrize("head", HEADS)
def test_a_temporal_head_sees_the_order_of_the_frames_and_a_blind_one_does_not(encoder, head):
    least, most = order_matters(encoder=encoder, head=head)
    assert most < 1e-12 if head in BLIND else least > 1e-9


@pytest.mark.parametrize("head", HEADS)
def test_any_head_sees_the_order_of_the_frames_where_it_is_given_their_motion(head):
    assert order_matters(encoder="small_cnn", head=head, motion=True)[0] > 1e-9


@pytest.mark.parametrize("encoder", sorted(WHOLE))
def test_an_encoder_of_whole_clips_sees_the_order_of_the_frames(encoder):
    assert order_matters(encoder=encoder)[0] > 1e-9


def test_a_head_of_positions_sees_their_order_and_not_that_of_the_frames():
    settings = {"encoder": "small_cnn", "head": "lstm", "sequence": "positions"}
    assert order_matters(**settings)[1] < 1e-12
    net, clips = network(**settings).double(), noise(2, 4).double()
    net.encoder.full.register_forward_hook(lambda _, __, out: out[:, torch.randperm(out.shape[1])])
    torch.manual_seed(0)
    assert (logits(net, clips) - logits(net, clips)).abs().min() > 1e-9


def test_a_resnet50_is_read_as_49_steps_of_2048_features():
    net = Network(architecture(encoder="timm", backbone="resnet50", head="lstm", sequence="positions", side=224)).eval()
    seen = []
    net.head.register_forward_hook(lambda _, given, __: seen.append(given))
    clips = torch.rand(1, 2, 3, 224, 224)
    logits(net, clips)
    [(steps, mask)] = seen
    assert steps.shape == (2, 49, 2048)
    assert mask.all()
    with torch.inference_mode():
        whole = net.encoder.net.forward_features((clips[0] - net.mean) / net.std)  # (2, 2048, 7, 7)
    same(steps[:, 8], whole[:, :, 1, 1])


@pytest.mark.parametrize("settings", [{"motion": True}, {"fusion": "concat"}])
def test_positions_are_read_of_each_frame_alone(settings):
    with pytest.raises(
        ValidationError, match="positions reads each frame alone: set motion to false and fusion to none"
    ):
        architecture(sequence="positions", **settings)


@pytest.mark.parametrize(
    ("settings", "layers"),
    [
        ({"dense": [], "dense_dropout": 0.5}, [0.5, (16, 1)]),
        ({"dense": [12]}, [(16, 12), 0.0, (12, 1)]),
        (
            {"dense": [24, 12], "dense_norm": True, "dense_dropout": 0.5},
            ["norm", (16, 24), 0.5, (24, 12), 0.5, (12, 1)],
        ),
    ],
)
def test_full_layers_lie_between_the_head_and_the_logit(settings, layers):
    net = Network(architecture(head="lstm", bidirectional=False, **settings))
    kinds = {
        nn.Linear: lambda layer: (layer.in_features, layer.out_features),
        nn.Dropout: lambda layer: layer.p,
        nn.BatchNorm1d: lambda _: "norm",
    }
    assert [kinds[type(layer)](layer) for layer in [*net.dense, net.logit] if type(layer) in kinds] == layers


@pytest.mark.parametrize(
    "settings",
    [
        *({"encoder": encoder} for encoder in ENCODERS),
        *({"head": head} for head in HEADS),
        {"encoder": "timm", "backbone": "test_vit"},
        {"head": "lstm", "thumbnails": 2},
        {"head": "lstm", "fusion": "concat"},
        {"head": "lstm", "fusion": "gate"},
        {"head": "lstm", "motion": True},
        {"encoder": "small_cnn", "head": "lstm", "sequence": "positions"},
        {"head": "lstm", "dense": [24, 12], "dense_norm": True, "dense_dropout": 0.5},
    ],
    ids=lambda settings: "-".join(str(value) for value in settings.values()),
)
def test_eight_clips_of_four_patterns_are_learnt_by_heart(settings):
    red, green, lying, standing = torch.zeros(4, 3, SIDE, SIDE)
    red[0], green[1] = 0.8, 0.8
    lying[:, ::4], standing[:, :, ::4] = 1, 1
    clips = torch.stack([red, red, lying, lying, green, green, standing, standing])[:, None].repeat(1, 3, 1, 1, 1)
    clips = (clips + 0.1 * torch.rand(clips.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    labels, mask = torch.tensor([0.0] * 4 + [1.0] * 4), everything(8, 3)
    torch.manual_seed(0)
    net, loss = Network(architecture(**settings)), nn.BCEWithLogitsLoss()
    adam = torch.optim.Adam(net.parameters(), lr=0.002)
    for _ in range(12):
        for _ in range(10):
            adam.zero_grad()
            loss(net.train()(clips, mask), labels).backward()
            adam.step()
        if loss(logits(net.eval(), clips), labels) < 0.02:
            return
    pytest.fail(f"a loss of {loss(logits(net, clips), labels):.3f} after 120 steps")


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"encoder": "meso4"}, 27_977),
        ({"encoder": "timm", "backbone": "legacy_xception", "side": 64}, 20_806_952 + 2_049),
        ({"encoder": "timm", "backbone": "resnet50"}, 23_508_032 + 2_049),
        ({"encoder": "squeezenet"}, 722_496 + 513),
        ({"encoder": "video", "backbone": "mc3_18"}, 11_695_440 - 400 * 513 + 513),
    ],
)
def test_a_network_has_as_many_weights_as_published(settings, count):
    assert sum(p.numel() for p in Network(architecture(**settings)).parameters()) == count


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "cn"}, "no encoder 'cn'; there are: cnn, "),
        ({"head": "lstn"}, "no head 'lstn'; there are: .*\n.*did you mean 'lstm'"),
        ({"backbone": "resnet50"}, r"train.backbone: cnn has none \(got 'resnet50'\)"),
        ({"encoder": "squeezenet", "backbone": "keras"}, "train.backbone: no backbone 'keras'; there are: caffe"),
        ({"encoder": "timm", "backbone": None}, "train.backbone: no backbone 'null'; there are: .*resnet50"),
        ({"encoder": "timm", "backbone": "resnet5"}, "no backbone 'resnet5'; there are: .*\n.*did you mean 'resnet50'"),
        ({"encoder": "timm", "backbone": "xception"}, "no backbone 'xception'; there are: legacy_xception"),
        ({"encoder": "timm", "backbone": "resnet50.tv"}, "no backbone 'resnet50.tv'; there are: .*resnet50.tv_in1k"),
        ({"encoder": "timm", "backbone": "zzqq"}, "there are: .*resnet50"),
        ({"encoder": "timm", "backbone": "test_vit", "side": 40}, r"train.side: test_vit: a multiple of 16 \(got 40\)"),
        ({"encoder": "timm", "backbone": "inception_v3"}, "train.side: inception_v3 does not take 32 px: "),
        ({"encoder": "timm", "backbone": "vit_tiny_patch16_224", "side": 50}, r"a multiple of 16 \(got 50\)"),
        ({"encoder": "video", "backbone": None}, "no backbone 'null'; there are: mc3_18, mvit_v2_s, r2plus1d_18"),
        ({"encoder": "video", "backbone": "mvit"}, "no backbone 'mvit'; there are: mc3_18, mvit_v2_s, r2plus1d_18"),
        ({"head": "transformer", "hidden": 10}, "train.hidden: transformer has 4 heads"),
        ({"encoder": "video", "motion": True}, "train.motion: video sees clips whole, not frame by frame"),
        ({"encoder": "video", "sequence": "positions"}, "train.sequence: video sees clips whole, not frame by frame"),
        (
            {"encoder": "timm", "backbone": "test_vit", "sequence": "positions"},
            "test_vit gives no map of positions at 32",
        ),
        (
            {"encoder": "timm", "backbone": "resnet50", "sequence": "positions"},
            "resnet50 gives no map of positions at 32",
        ),
        ({"encoder": "cnn", "sequence": "positions"}, "train.sequence: cnn gives no map of positions at 32 px"),
        ({"thumbnails": 3}, r"train.side: thumbnails: a multiple of 3 \(got 32\)"),
        ({"pretrained": True}, "train.pretrained: no weights of cnn are published"),
        ({"encoder": "squeezenet", "backbone": "caffe", "pretrained": True}, "no weights of Caffe are downloaded"),
    ],
    ids=lambda value: "-".join(str(v) for v in value.values()) if isinstance(value, dict) else "",
)
def test_a_wrong_name_or_size_is_said_in_one_line(settings, message):
    with pytest.raises(UserError, match=message) as raised:
        Network(architecture(**settings))
    assert len(raised.value.args[0].splitlines()) == 1
    assert len(raised.value.args[0]) < 250


def test_bytes_become_channels_between_zero_and_one():
    faces = torch.zeros(1, 2, 4, 5, 3, dtype=torch.uint8)  # (B, T, H, W, 3)
    faces[0, 1, 2, 3] = torch.tensor([0, 51, 255])
    clips = to_clips(faces)
    assert (clips.shape, clips.dtype) == ((1, 2, 3, 4, 5), torch.float32)
    same(clips[0, 1, :, 2, 3], torch.tensor([0.0, 0.2, 1.0]))
    assert clips.sum() == clips[0, 1, :, 2, 3].sum()
