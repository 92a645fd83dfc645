"""models: every encoder with every head reads a clip alone: no neighbour, no padding, and every weight learns."""

import os
import pickle
import socket
from itertools import product
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from deepfake.base import plugins
from deepfake.base.errors import UserError
from deepfake.models import weights
from deepfake.models.encoders.video import Video
from deepfake.models.fusion import Fusion
from deepfake.models.heads.transformer import places
from deepfake.models.motion import with_motion
from deepfake.models.network import Architecture, Network, side_of, to_clips
from deepfake.models.pooling import average
from deepfake.models.thumbnails import thumbnails

ENCODERS, HEADS = plugins.names("models.encoders"), plugins.names("models.heads")
BLIND = {"mean", "attention"}  # heads that do not see the order of the frames
WHOLE = {"video"}  # encoders that see it themselves
BACKBONES = {"timm": "test_resnet", "video": "mc3_18"}  # the smallest of their libraries
WITHOUT_NORM = {"squeezenet"}
SIDE = 32  # px
SHARED = Path(__file__).parents[1].parent / "shared" / "weights"  # real files; tests do without them

pytestmark = pytest.mark.usefixtures("one_thread")

EVERY = [
    *({"encoder": encoder, "head": head} for encoder, head in product(sorted(set(ENCODERS) - WHOLE), HEADS)),
    *({"encoder": encoder, "head": "mean"} for encoder in sorted(WHOLE)),
    {"encoder": "timm", "backbone": "test_vit", "head": "mean"},
    {"encoder": "cnn", "head": "lstm", "thumbnails": 2, "fusion": "concat"},
    {"encoder": "small_cnn", "head": "gru", "bidirectional": False, "layers": 1, "fusion": "gate"},
    *({"encoder": "small_cnn", "head": head, "motion": True} for head in HEADS),
    {"encoder": "cnn", "head": "attention", "thumbnails": 2, "fusion": "gate", "motion": True},
]
every_network = pytest.mark.parametrize("made", EVERY, ids=lambda made: "-".join(str(value) for value in made.values()))


def architecture(**changed: Any) -> Architecture:
    """A small network, but for what is changed."""
    small = {
        "encoder": "cnn",
        "backbone": BACKBONES.get(changed.get("encoder", "cnn")),
        "pretrained": False,
        "thumbnails": 1,
        "motion": False,
        "head": "mean",
        "layers": 2,
        "hidden": 16,
        "bidirectional": True,
        "dropout": 0.3,
        "fusion": "none",
        "frames": 4,
        "side": SIDE,
    }
    return Architecture.model_validate(small | changed)


def network(**changed: Any) -> Network:
    """Untrained, but that no weight is zero and no statistic of batch norm that of its beginning."""
    torch.manual_seed(0)
    net = Network(architecture(**changed))
    with torch.no_grad():
        for weight in net.parameters():
            if not weight.any():  # the last batch norm of a residual block: nothing before it would learn
                weight.normal_(std=0.1)
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


def learn(net: Network) -> None:
    """One backward pass."""
    labels = torch.tensor([0.0, 1, 0, 1])
    nn.functional.binary_cross_entropy_with_logits(net(noise(4, 5), everything(4, 5)), labels).backward()


@pytest.mark.parametrize("encoder", sorted(set(ENCODERS) - WHOLE))
@pytest.mark.parametrize("side", [32, 47, 64])
def test_an_encoder_gives_as_many_features_as_it_says_for_faces_of_any_size(encoder, side):
    built = plugins.load("models.encoders", encoder).build(architecture(encoder=encoder, side=side))
    assert built(torch.rand(3, 3, side, side)).shape == (3, built.features)


@pytest.mark.parametrize("backbone", ["mc3_18", "r2plus1d_18", "mvit_v2_s"])
def test_a_video_network_gives_as_many_features_as_it_says_for_clips_of_any_length_and_size(backbone):
    a = architecture(encoder="video", backbone=backbone, frames=3, side=40)
    built = plugins.load("models.encoders", "video").build(a).eval()
    with torch.inference_mode():
        assert built(torch.rand(2, 5, 3, 40, 40), everything(2, 5)).shape == (2, 1, built.features)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("frames", [1, 5])
def test_a_head_gives_as_many_features_as_it_says_for_clips_of_any_length(head, frames):
    built = plugins.load("models.heads", head).build(7, architecture())
    assert built(torch.rand(2, frames, 7), everything(2, frames)).shape == (2, built.features)


@every_network
def test_clips_that_differ_get_finite_logits_that_differ(made):
    out = logits(network(**made), noise(3, 4))
    assert out.shape == (3,)
    assert out.isfinite().all()
    assert len(set(out.tolist())) == 3


@every_network
def test_a_clips_logit_does_not_depend_on_what_else_is_in_the_batch(made):
    net, clips = network(**made), noise(3, 4)
    together = logits(net, clips)
    same(together, torch.cat([logits(net, clips[i : i + 1]) for i in range(3)]))
    same(together.flip(0), logits(net, clips.flip(0)))


@every_network
def test_padding_does_not_change_a_logit_whatever_it_holds(made):
    net, long, short = network(**made), noise(1, 6), noise(1, 3, seed=2)
    mask = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])
    alone = torch.cat([logits(net, long), logits(net, short)])
    for rest in (0.0, 1.0):
        same(logits(net, torch.cat([long, torch.cat([short, torch.full_like(short, rest)], 1)]), mask), alone)


@pytest.mark.parametrize("head", HEADS)
def test_a_head_sees_no_feature_of_the_padding(head):
    torch.manual_seed(0)
    built, features = plugins.load("models.heads", head).build(7, architecture()).eval(), torch.rand(2, 6, 7)
    mask = torch.arange(6) < torch.tensor([[6], [3]])
    features[1, 3:] = 100
    with torch.inference_mode():
        same(built(features, mask)[1:], built(features[1:, :3], everything(1, 3)))


@every_network
def test_padding_does_not_change_what_is_learnt_either(made):
    mask = torch.tensor([[True, True, True], [True, False, False]])
    learnt = []
    for rest in (0.0, 1.0):
        net, clips = network(**made).train(), noise(2, 3)
        clips[~mask] = rest
        torch.manual_seed(0)  # of dropout
        net(clips, mask).sum().backward()
        learnt.append([*(p.grad for p in net.parameters()), *(b.float() for b in net.buffers())])
    for one, other in zip(*learnt, strict=True):
        same(one, other)


def order_matters(**made: Any) -> float:
    """By how much a logit changes with the order of the frames, at least and at most."""
    net, clips = network(**made).double(), noise(2, 4).double()  # untrained, a head hardly looks at the order
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


@every_network
def test_a_gradient_reaches_every_parameter(made):
    net = network(**made).train()
    learn(net)
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize(
    ("encoder", "trainable"),
    [
        *product(ENCODERS, ["all", "head", "last_2_layers"]),
        *((encoder, "norm_only") for encoder in ENCODERS if encoder not in WITHOUT_NORM),
    ],
)
def test_a_gradient_reaches_what_is_to_learn_and_nothing_else(encoder, trainable):
    net = network(encoder=encoder)
    weights.freeze(net.encoder, trainable)
    learn(net.train())
    learnt = {name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert learnt == {name for name, p in net.named_parameters() if p.requires_grad}
    of_encoder = [name for name in learnt if name.startswith("encoder.")]
    total = len(list(net.encoder.parameters()))
    assert len(of_encoder) in {"all": [total], "head": [0], "last_2_layers": [2, 3, 4]}.get(trainable, range(1, total))


def test_only_scales_and_shifts_of_normalisation_learn_or_only_the_last_layers():
    net = network(encoder="cnn").encoder
    weights.freeze(net, "last_2_layers")
    assert {name for name, p in net.named_parameters() if p.requires_grad} == {
        *("full.2.weight", "full.3.weight", "full.3.bias")
    }
    weights.freeze(net, "norm_only")
    norms = {id(p) for m in net.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for p in m.parameters()}
    assert {id(p) for p in net.parameters() if p.requires_grad} == norms
    vit = network(encoder="timm", backbone="test_vit").encoder
    weights.freeze(vit, "norm_only")
    assert {name for name, p in vit.named_parameters() if p.requires_grad} == {
        name for name, _ in vit.named_parameters() if "norm" in name
    }


@pytest.mark.parametrize("encoder", ["cnn", "meso4"])  # meso4 has dropout
def test_what_is_frozen_does_not_change_in_training(encoder):
    net = network(encoder=encoder)
    weights.freeze(net.encoder, "head")
    before = {name: value.clone() for name, value in net.encoder.state_dict().items()}
    clips, mask = noise(2, 3), everything(2, 3)
    assert (net.train()(clips, mask) == net(clips, mask)).all()
    assert all((value == before[name]).all() for name, value in net.encoder.state_dict().items())


@pytest.mark.parametrize("trainable", ["none", "last_0_layers", "last_layers", "Head"])
def test_a_wrong_choice_of_what_learns_lists_the_right_ones(trainable):
    with pytest.raises(UserError, match="there are: all, head, norm_only, last_<n>_layers"):
        weights.freeze(network().encoder, trainable)


def test_normalisation_that_is_not_there_cannot_learn():
    with pytest.raises(UserError, match="norm_only: the encoder has no normalisation"):
        weights.freeze(network(encoder="squeezenet").encoder, "norm_only")


@pytest.mark.parametrize(
    "made",
    [
        *({"encoder": encoder} for encoder in ENCODERS),
        *({"head": head} for head in HEADS),
        {"encoder": "timm", "backbone": "test_vit"},
        {"head": "lstm", "thumbnails": 2},
        {"head": "lstm", "fusion": "concat"},
        {"head": "lstm", "fusion": "gate"},
    ],
    ids=lambda made: "-".join(str(value) for value in made.values()),
)
def test_eight_clips_of_four_patterns_are_learnt_by_heart(made):
    red, green, lying, standing = torch.zeros(4, 3, SIDE, SIDE)
    red[0], green[1] = 0.8, 0.8
    lying[:, ::4], standing[:, :, ::4] = 1, 1
    clips = torch.stack([red, red, lying, lying, green, green, standing, standing])[:, None].repeat(1, 3, 1, 1, 1)
    clips = (clips + 0.1 * torch.rand(clips.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    labels, mask = torch.tensor([0.0] * 4 + [1.0] * 4), everything(8, 3)
    torch.manual_seed(0)
    net, loss = Network(architecture(**made)), nn.BCEWithLogitsLoss()
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
    ("made", "count"),
    [
        ({"encoder": "meso4"}, 27_977),
        ({"encoder": "timm", "backbone": "legacy_xception", "side": 64}, 20_806_952 + 2_049),
        ({"encoder": "timm", "backbone": "resnet50"}, 23_508_032 + 2_049),
        ({"encoder": "squeezenet"}, 722_496 + 513),
        ({"encoder": "video", "backbone": "mc3_18"}, 11_695_440 - 400 * 513 + 513),
    ],
)
def test_a_network_has_as_many_weights_as_published(made, count):
    assert sum(p.numel() for p in Network(architecture(**made)).parameters()) == count


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


@pytest.mark.parametrize(
    ("made", "message"),
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
        ({"thumbnails": 3}, r"train.side: thumbnails: a multiple of 3 \(got 32\)"),
        ({"pretrained": True}, "train.pretrained: no weights of cnn are published"),
        ({"encoder": "squeezenet", "backbone": "caffe", "pretrained": True}, "no weights of Caffe are downloaded"),
    ],
    ids=lambda value: "-".join(str(v) for v in value.values()) if isinstance(value, dict) else "",
)
def test_a_wrong_name_or_size_is_said_in_one_line(made, message):
    with pytest.raises(UserError, match=message) as raised:
        Network(architecture(**made))
    assert len(raised.value.args[0].splitlines()) == 1
    assert len(raised.value.args[0]) < 250


@pytest.mark.parametrize("form", ["weights.safetensors", "weights.pth", "wrapped.pt", "old.bin"])
def test_weights_come_from_a_file_and_what_else_it_holds_is_left_out(form, tmp_path):
    given = network(encoder="cnn").encoder
    state = {name: value.contiguous() for name, value in given.state_dict().items()}
    file = tmp_path / form
    if form == "weights.safetensors":
        save_file(state | {"classifier.weight": torch.zeros(1000, 512)}, file)
    elif form == "wrapped.pt":
        torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}, file)
    elif form == "old.bin":  # of before batch norm counted its batches
        torch.save({"model": {name: value for name, value in state.items() if "num_batches" not in name}}, file)
    else:
        torch.save(state, file)
    loaded = Network(architecture(pretrained=str(file))).encoder.eval()
    frames = noise(1, 3)[0]
    assert (loaded(frames) == given(frames)).all()


def test_the_positions_of_a_vit_are_fitted_to_faces_of_another_size(tmp_path):
    given = network(encoder="timm", backbone="test_vit", side=32).encoder.net
    torch.save(given.state_dict(), tmp_path / "vit.pth")
    made = {"encoder": "timm", "backbone": "test_vit", "pretrained": str(tmp_path / "vit.pth")}
    assert (Network(architecture(**made)).encoder.net.pos_embed == given.pos_embed).all()
    assert Network(architecture(**made, side=64)).encoder.net.pos_embed.shape[1] > given.pos_embed.shape[1]


class Code:
    """What an unsafe file runs when it is read as a pickle."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


def broken(kind: str, folder: Path) -> Path:
    """A file of weights that is none."""
    state = {name: value.contiguous() for name, value in network().encoder.state_dict().items()}
    file = folder / f"{kind.replace(' ', '_')}{'.safetensors' if 'safetensors' in kind else '.pth'}"
    match kind:
        case "cut":
            torch.save(state, file)
        case "cut old":
            torch.save(state, file, _use_new_zipfile_serialization=False)
        case "cut safetensors":
            save_file(state, file)
        case "code":
            torch.save({"state_dict": Code(folder / "trace")}, file)
        case "code of Python 2" | "code of Python 3":
            file.write_bytes(pickle.dumps(Code(folder / "trace"), protocol=int(kind[-1]) * 2 - 2))
        case "numbers":
            torch.save({"epoch": 3}, file)
        case "one tensor":
            torch.save(torch.zeros(3), file)
        case "other network":
            torch.save(network(encoder="meso4").encoder.state_dict(), file)
        case "other shape":
            torch.save(state | {"full.2.weight": torch.zeros(512, 128)}, file)
        case "text" | "text safetensors":
            file.write_text("version https://git-lfs.github.com/spec/v1\n")
        case "empty":
            file.touch()
    if kind.startswith("cut"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return file


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no file "),
        *(
            (kind, "cannot be read: truncated, or no file of weights")
            for kind in ("cut", "cut old", "cut safetensors", "empty")
        ),
        *((kind, "cannot be read: truncated, or no file of weights") for kind in ("text", "text safetensors")),
        *((kind, "holds code, which is not run") for kind in ("code", "code of Python 2")),
        ("code of Python 3", "cannot be read: truncated, or no file of weights"),
        *((kind, "holds more than weights, or none") for kind in ("numbers", "one tensor")),
        ("other network", r"of 36 weights \d+ missing, \d+ of another shape \(first: blocks.0.1.weight"),
        ("other shape", r"of 36 weights 0 missing, 1 of another shape \(first: full.2.weight\)"),
    ],
)
def test_a_file_that_gives_no_weights_is_one_line_and_a_hint(kind, message, tmp_path):
    file = broken(kind, tmp_path)
    with pytest.raises(UserError, match=message) as raised:
        Network(architecture(pretrained=str(file)))
    assert raised.value.args[0].startswith("params.yaml: train.pretrained: ")
    assert len(raised.value.args[0].splitlines()) == 1
    assert raised.value.hint
    assert not (tmp_path / "trace").exists()  # nothing was run


def test_a_file_of_another_kind_is_no_file_of_weights(tmp_path):
    with pytest.raises(UserError, match=r"h5' is no file of weights\n.*\.safetensors, \.pth, \.pt, \.bin"):
        Network(architecture(pretrained=str(tmp_path / "weights.h5")))


@pytest.mark.parametrize(
    ("encoder", "backbone"),
    [("timm", "test_resnet"), ("timm", "legacy_xception"), ("squeezenet", None), ("video", "mc3_18")],
)
def test_a_download_without_a_network_is_one_line(encoder, backbone, monkeypatch, tmp_path):
    def nobody(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"the weights of .* could not be downloaded") as raised:
        Network(architecture(encoder=encoder, backbone=backbone, pretrained=True, side=64))
    assert len(raised.value.args[0].splitlines()) == 1


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no {SHARED}")
def test_the_real_files_are_read_or_refused():
    file = str(SHARED / "squeezenet1_1_imagenet_features.safetensors")
    net = Network(architecture(encoder="squeezenet", backbone="caffe", pretrained=file))
    assert net.encoder.net[0].bias.any()  # zeros before
    with pytest.raises(UserError, match="cannot be read: truncated, or no file of weights"):
        weights.read(SHARED / "BAD_resnet50-19c8e357_truncated.pth")


def test_weights_of_caffe_see_blue_first_and_bytes_less_their_mean():
    net = network(encoder="squeezenet", backbone="caffe")
    seen = []
    net.encoder.net.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    logits(net, torch.tensor([1.0, 0.5, 0.0]).view(1, 1, 3, 1, 1).expand(1, 1, 3, SIDE, SIDE))  # RGB
    torch.testing.assert_close(
        seen[0][0, :, 0, 0], torch.tensor([0 - 103.939, 127.5 - 116.779, 255 - 123.68]), rtol=0, atol=1e-3
    )


def test_a_video_network_sees_the_true_frames_alone_evenly_and_in_order():
    class First(nn.Module):
        def forward(self, clips: Tensor) -> Tensor:
            return clips[:, 0, :, 0, 0]  # (B, 3, pictures, H, W) -> (B, pictures)

    encoder = Video(First(), 4, 4, (0, 0, 0), (1, 1, 1))
    clips = torch.arange(8.0).view(1, 8, 1, 1, 1).expand(3, 8, 3, 2, 2)
    mask = torch.arange(8) < torch.tensor([[8], [3], [1]])
    assert encoder(clips, mask).squeeze(1).tolist() == [[1, 3, 5, 7], [0, 1, 1, 2], [0, 0, 0, 0]]


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
    found = places(3, 4)
    same(found[:, 0], torch.arange(3).sin())
    same(found[:, 1], torch.arange(3).cos())
    same(found[:, 2], (torch.arange(3) / 100).sin())  # 10,000 ** (2 / 4)


def test_bytes_become_channels_between_zero_and_one():
    faces = torch.zeros(1, 2, 4, 5, 3, dtype=torch.uint8)  # (B, T, H, W, 3)
    faces[0, 1, 2, 3] = torch.tensor([0, 51, 255])
    clips = to_clips(faces)
    assert (clips.shape, clips.dtype) == ((1, 2, 3, 4, 5), torch.float32)
    same(clips[0, 1, :, 2, 3], torch.tensor([0.0, 0.2, 1.0]))
    assert clips.sum() == clips[0, 1, :, 2, 3].sum()


def test_motion_is_the_difference_from_the_frame_before_and_zero_where_there_is_none_and_in_padding():
    features = torch.tensor([[[1.0, 5.0], [4.0, 3.0], [9.0, 9.0]], [[2.0, 0.0], [7.0, 7.0], [7.0, 7.0]]])  # (2, 3, 2)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    out = with_motion(features, mask)
    assert (out[..., :2] == features).all()
    assert out[..., 2:].tolist() == [[[0, 0], [3, -2], [5, 6]], [[0, 0], [0, 0], [0, 0]]]


@pytest.mark.parametrize(
    ("made", "mean", "std"),
    [
        ({"encoder": "cnn"}, [0.5] * 3, [0.25] * 3),
        ({"encoder": "timm", "backbone": "resnet10t"}, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ({"encoder": "timm", "backbone": "test_vit"}, [0.5] * 3, [0.5] * 3),
        ({"encoder": "video"}, [0.43216, 0.394666, 0.37645], [0.22803, 0.22145, 0.216989]),
    ],
)
def test_the_scaling_of_pixels_is_a_part_of_the_network_and_of_its_weights(made, mean, std):
    state = Network(architecture(**made)).state_dict()
    same(state["mean"].flatten(), torch.tensor(mean))
    same(state["std"].flatten(), torch.tensor(std))


def test_an_encoder_sees_pixels_that_are_scaled():
    net, seen = network(), []
    net.encoder.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    logits(net, torch.full((1, 1, 3, SIDE, SIDE), 0.75))
    assert (seen[0] == 1).all()  # (0.75 - 0.5) / 0.25


def test_the_average_is_that_of_the_frames_of_the_mask():
    features = torch.tensor([[[1.0, 10.0], [3.0, 20.0], [100.0, 100.0]]])  # (1, 3, 2)
    assert average(features, torch.tensor([[True, True, False]])).tolist() == [[2.0, 15.0]]
    same(average(features, everything(1, 3)), features.mean(1))
