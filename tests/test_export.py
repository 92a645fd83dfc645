"""export: a network and its ONNX file say the same of clips of any number and length; int8 says nearly so."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from small import ENCODERS, HEADS, architecture, network
from torch import nn

from deepfake import export, inference, sessions
from deepfake.base.errors import UserError
from deepfake.inference import Member
from deepfake.models import unpacked
from deepfake.models.recurrent import Recurrent

USUAL = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())["train"]
PREPARED = {"extract": {"frames_per_video": 4}, "detect": {"size": 64, "weights": None}, "filter": {"min_side": 30}}
MORE = [  # beside each encoder with each head
    {"encoder": "timm", "backbone": "test_vit"},
    {"encoder": "video", "backbone": "mvit_v2_s"},
    {"encoder": "squeezenet", "backbone": "caffe"},
    {"thumbnails": 2},
    {"encoder": "video", "thumbnails": 2},
    {"motion": True, "head": "gru", "bidirectional": False},
    {"sequence": "positions", "head": "lstm", "encoder": "small_cnn"},
    {"fusion": "gate", "dense": [8], "dense_norm": True},
    {"fusion": "concat", "head": "attention", "pixels": "signed"},
]

pytestmark = pytest.mark.usefixtures("one_thread")
needs_onnx = pytest.mark.usefixtures("onnx")


@pytest.fixture
def onnx() -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")


def member(**changed) -> Member:
    """A small network with the settings that it is made of."""
    a = architecture(**changed)
    return Member(network(**changed), USUAL | a.model_dump(mode="json"))


# ---- recurrent heads without packed sequences


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("both", [False, True])
def test_states_of_padded_sequences_are_those_of_packed_ones(kind, both, monkeypatch):
    torch.manual_seed(0)
    head = Recurrent(kind, 7, architecture(bidirectional=both, layers=3)).eval()
    features, mask = torch.randn(4, 6, 7), torch.arange(6) < torch.tensor([[6], [3], [1], [5]])
    features[1, 3:] = 100  # what lies in the padding is not read
    with torch.inference_mode():
        packed = head(features, mask)
        monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
        torch.testing.assert_close(head(features, mask), packed, rtol=0, atol=1e-6)
        assert unpacked.states(head.rnn, features, mask).shape == (4, 6, head.features)


@pytest.mark.parametrize(
    "settings", [{}, {"motion": True}, {"sequence": "positions", "encoder": "small_cnn"}, {"thumbnails": 2}]
)
def test_a_network_that_encodes_the_padding_says_what_it_says_without(settings, monkeypatch):
    net, clips = network(**settings), export.examples(architecture(**settings))
    with torch.inference_mode():
        expected = [net(*given) for given in clips]
        monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
        for given, logits in zip(clips, expected, strict=True):
            torch.testing.assert_close(net(*given), logits, rtol=0, atol=1e-6)


# ---- ONNX


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [*({"encoder": e, "head": h} for e, h in product(ENCODERS, HEADS)), *MORE],
    ids=lambda settings: str(settings),
)
def test_every_encoder_with_every_head_says_the_same_in_onnx(settings, tmp_path):
    single = member(**settings)
    assert export.write(tmp_path / "net.onnx", single) < export.PARITY
    session = sessions.Session(tmp_path / "net.onnx")
    for clips, frames in ((1, 2), (5, 3), (2, 9)):  # other shapes than the export's own check
        given = export.example(clips, frames, 32)
        torch.testing.assert_close(session(*given), single.network(*given).detach(), rtol=0, atol=export.PARITY)


@pytest.fixture(scope="module")
def both(tmp_path_factory, saved_detector) -> tuple[Path, Path]:
    """A detector of two members, and its export with int8."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("both")
    members = [
        (part.network, part.settings) for part in (member(encoder="small_cnn", head="lstm", hidden=64), member())
    ]
    saved_detector(folder / "detector", members, PREPARED, slope=2.0)
    differences = export.export(folder / "detector", folder / "exported", int8=True)
    assert {backend: len(far) for backend, far in differences.items()} == {"onnx": 2, "int8": 2}
    assert max(differences["onnx"]) < export.PARITY
    assert 0 < max(differences["int8"]) < 0.05
    return folder / "detector", folder / "exported"


def track(faces: int) -> np.ndarray:
    return np.random.default_rng(faces).integers(0, 256, (faces, 40, 40, 3), dtype=np.uint8)


def test_an_exported_detector_is_a_detector_and_its_tracks_have_the_same_scores(both):
    plain, exported = both
    names = ["member_0.onnx", "member_0.int8.onnx", "member_1.onnx", "member_1.int8.onnx"]
    assert {file.name for file in exported.iterdir()} == {file.name for file in plain.iterdir()} | set(names)
    torch_one, onnx_one, int8_one = inference.load(plain), *(sessions.load(exported, kind) for kind in sessions.KINDS)
    assert onnx_one.scoring == torch_one.scoring
    for faces in (1, 6, 11):
        expected = torch_one.track(track(faces)).logits
        assert onnx_one.track(track(faces)).logits == pytest.approx(expected, abs=1e-5)
        assert inference.load(exported).track(track(faces)).logits == pytest.approx(expected, abs=1e-6)
        assert int8_one.track(track(faces)).logits == pytest.approx(expected, abs=0.05)
    assert int8_one.track(track(6)).logits != onnx_one.track(track(6)).logits


def test_a_file_tells_nothing_of_the_machine_that_made_it(both):
    for file in both[1].glob("*.onnx"):
        assert str(Path(__file__).parents[1]).encode() not in file.read_bytes()
        assert b"site-packages" not in file.read_bytes()


def test_eight_bits_take_less_room(both):
    sizes = {file.name: file.stat().st_size for file in both[1].glob("member_0*")}
    assert sizes["member_0.int8.onnx"] < 0.4 * sizes["member_0.onnx"]


@pytest.mark.parametrize("coarse", [0.0, 1.0])
def test_what_eight_bits_cost_is_said_where_it_is_much(both, tmp_path, deepfake, monkeypatch, coarse):
    monkeypatch.setattr(export, "COARSE", coarse)
    code, said, complained = deepfake("export", both[0], "--out", tmp_path / "out", "--onnx", "--int8")
    assert code == 0
    assert re.search(r"2 networks, furthest from PyTorch's logits: onnx \de-\d+, int8 0\.0\d+ -> ", said)
    assert ("P(fake) was not calibrated for it" in complained) == (coarse == 0)


@needs_onnx
def test_a_detector_that_was_not_exported_says_how(tmp_path, saved_detector):
    single = member()
    folder = saved_detector(tmp_path / "detector", [(single.network, single.settings)], PREPARED)
    with pytest.raises(UserError, match=r"no network for the backend int8: member_0\.int8\.onnx is missing") as error:
        sessions.load(folder, "int8")
    assert error.value.hint == f"export it: deepfake export {folder} --out NEW_FOLDER --onnx --int8"


@needs_onnx
def test_a_file_that_is_no_network_is_said_to_be_none(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no network")
    with pytest.raises(UserError, match="ONNX Runtime cannot load it"):
        sessions.Session(tmp_path / "net.onnx")


@needs_onnx
@pytest.mark.slow
def test_what_pytorch_cannot_export_says_which_part_and_writes_nothing(tmp_path, saved_detector):
    class Odd(nn.Module):
        def forward(self, features, mask):
            return features.mean(1) if features.sum() > 0 else features.sum(1)  # what data decide

    single = member()
    single.network.head = Odd()
    with pytest.raises(UserError, match=r"encoder cnn with head mean: PyTorch cannot export it: ."):
        export.write(tmp_path / "net.onnx", single)


@needs_onnx
@pytest.mark.slow
def test_an_export_that_says_something_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "apart", lambda *_: 2e-4)
    with pytest.raises(UserError, match=r"logits of the export are 0\.0002 off"):
        export.write(tmp_path / "net.onnx", member(encoder="small_cnn"))


@pytest.mark.parametrize("missing", ["onnxruntime", "onnxscript"])
def test_a_missing_library_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch, missing):
    def absent(name: str):
        if name == missing:
            raise ModuleNotFoundError(name=missing)

    monkeypatch.setattr(sessions, "import_module", absent)
    with pytest.raises(UserError, match=f"ONNX needs {missing}, which is not installed") as error:
        export.write(tmp_path / "net.onnx", member(encoder="small_cnn"))
    assert error.value.hint == "pip install 'deepfake[onnx]'"


def test_a_detector_is_not_exported_onto_itself(tmp_path):
    with pytest.raises(UserError, match="is the detector itself"):
        export.export(tmp_path, tmp_path)
