"""weights: from a file or a library, safely; and which of them learn."""

import os
import pickle
import socket
from itertools import product
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file
from small import ENCODERS, architecture, everything, learn, network, noise
from torch import nn

from deepfake.base.errors import UserError
from deepfake.models import weights
from deepfake.models.network import Network

WITHOUT_NORM = {"squeezenet"}
SHARED = Path(__file__).parents[1].parent / "shared" / "weights"  # real files; tests do without them

pytestmark = pytest.mark.usefixtures("one_thread")


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
    settings = {"encoder": "timm", "backbone": "test_vit", "pretrained": str(tmp_path / "vit.pth")}
    assert (Network(architecture(**settings)).encoder.net.pos_embed == given.pos_embed).all()
    assert Network(architecture(**settings, side=64)).encoder.net.pos_embed.shape[1] > given.pos_embed.shape[1]


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


def nobody(*_: Any, **__: Any) -> None:
    """A network in which no name is known."""
    raise socket.gaierror(-2, "Name or service not known")


@pytest.mark.parametrize(
    ("encoder", "backbone"),
    [("timm", "test_resnet"), ("timm", "legacy_xception"), ("squeezenet", None), ("video", "mc3_18")],
)
def test_a_download_without_a_network_is_one_line(encoder, backbone, monkeypatch, tmp_path):
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"the weights of .* could not be downloaded") as raised:
        Network(architecture(encoder=encoder, backbone=backbone, pretrained=True, side=64))
    assert len(raised.value.args[0].splitlines()) == 1


def test_weights_of_the_hub_come_from_its_cache_without_a_network(monkeypatch, tmp_path):
    given = network(encoder="timm", backbone="test_vit").encoder.net
    cache = tmp_path / "models--timm--test_vit.r160_in1k"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs/main").write_text("0" * 40)
    (cache / "snapshots" / ("0" * 40)).mkdir(parents=True)
    whole = timm.create_model("test_vit", num_classes=1000, img_size=32).state_dict() | given.state_dict()
    save_file(
        {name: value.contiguous() for name, value in whole.items()},
        cache / "snapshots" / ("0" * 40) / "model.safetensors",
    )
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    loaded = Network(architecture(encoder="timm", backbone="test_vit", pretrained=True)).encoder.net
    assert (loaded.pos_embed == given.pos_embed).all()
    assert huggingface_hub.constants.HF_HUB_OFFLINE is False  # the switch is the user's


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no {SHARED}")
def test_the_real_files_are_read_or_refused():
    file = str(SHARED / "squeezenet1_1_imagenet_features.safetensors")
    net = Network(architecture(encoder="squeezenet", backbone="caffe", pretrained=file))
    assert net.encoder.blocks[0].bias.any()  # zeros before
    with pytest.raises(UserError, match="cannot be read: truncated, or no file of weights"):
        weights.read(SHARED / "BAD_resnet50-19c8e357_truncated.pth")


def test_weights_under_other_names_fit_where_their_order_does(tmp_path):
    """As PyTorch-Image-Models' older EfficientNets come: the same tensors, one after the other, by other names."""
    source = network(encoder="timm", backbone="tf_efficientnet_lite0").encoder
    state = {f"_old.{i}": value + i for i, value in enumerate(source.net.state_dict().values())}
    torch.save(state | {"_fc.weight": torch.zeros(10, 1280)}, tmp_path / "old.pth")
    loaded = network(encoder="timm", backbone="tf_efficientnet_lite0", pretrained=str(tmp_path / "old.pth")).encoder
    learnt = {name for name, _ in loaded.net.named_parameters()}  # the statistics have seen a batch since
    for i, (name, value) in enumerate(loaded.net.state_dict().items()):
        assert name not in learnt or torch.equal(value, state[f"_old.{i}"])


def test_weights_under_other_names_and_of_other_shapes_are_refused(tmp_path):
    torch.save({f"_old.{i}": torch.zeros(3, 3) for i in range(400)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="missing"):
        network(encoder="timm", backbone="tf_efficientnet_lite0", pretrained=str(tmp_path / "other.pth"))
