"""detectors: every one of the folder finds the same faces, and says them in the same way."""

import subprocess
import sys
from pathlib import Path

import dlib
import numpy as np
import pytest
import yaml

from deepfake import video
from deepfake.base import plugins
from deepfake.base.errors import UserError
from deepfake.detect import DetectParams, tracks
from deepfake.detectors import dlib_hog
from deepfake.faces import Detector, Face, crop, overlap

NAMES = [name for name in plugins.names("detectors") if name != "whole_frame"]  # those that find faces
USUAL = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())["detect"]
OWN = Path(__file__).parents[1] / "data/weights"  # got by the user ...
SHARED = Path(__file__).parents[2] / "shared/weights"  # ... or lying beside the project
FILES = {
    "yunet": ("face_detection_yunet_2023mar.onnx", "yunet_n_320_320.onnx"),
    "retinaface": ("mobilenet0.25_Final.pth", "retinaface_mobilenet0.25_Final.pth"),
}
MODELS = {
    name: next((path for path in (OWN / own, SHARED / shared) if path.is_file()), OWN / own)
    for name, (own, shared) in FILES.items()
}


@pytest.fixture(params=NAMES, scope="module")
def detector(request) -> Detector:
    model = MODELS.get(request.param)
    if model and not model.is_file():
        pytest.skip(f"no {model.name} in data/weights")
    return plugins.load("detectors", request.param).build(str(model) if model else None)


def test_a_detector_conforms(detector, heads):
    two = np.hstack([heads[0][0], heads[1][0]])
    faces = detector.detect(two)
    assert all(isinstance(face, Face) for face in faces)
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)
    assert detector.window > 0
    shares = overlap(np.array([[65.0, 65, 205, 205], [320, 80, 430, 200]]), np.stack([face.box for face in faces]))
    assert (shares.max(1) > 0.4).all()  # one on each of the two heads
    assert len(faces) == 2
    for face in faces:
        assert face.landmarks.shape == detector.template.shape
        assert np.isfinite(face.landmarks).all()
        inside = (face.landmarks > face.box[:2] - 0.2 * face.side) & (face.landmarks < face.box[2:] + 0.2 * face.side)
        assert inside.all()
        cut, aligned = crop(two, face, detector.template, 112, 0.3)
        assert (cut.shape, aligned) == ((112, 112, 3), True)


@pytest.mark.parametrize("size", [(300, 300), (40, 40), (40, 400)])
def test_where_there_is_no_face_none_is_found(detector, size):
    assert detector.detect(np.zeros((*size, 3), np.uint8)) == []


def test_a_detector_does_not_change_the_image(detector, heads):
    image = heads[0][0].copy()
    first, again = detector.detect(image), detector.detect(image)
    np.testing.assert_array_equal(image, heads[0][0])
    assert [face.box.tolist() for face in first] == [face.box.tolist() for face in again]


@pytest.mark.parametrize("size", [(40, 60), (61, 40), (200, 200)])
def test_a_whole_frame_is_one_face_and_its_crop_shows_all_of_it(size, tmp_path):
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([rows, columns, 0 * rows], 2).astype(np.uint8)
    p = DetectParams(**USUAL | {"detector": "whole_frame", "size": max(size), "margin": 0.0})
    with video.recording(tmp_path / "frames.mkv") as record:
        for i in range(10):
            record(image, i / 5)
    (tmp_path / "faces").mkdir()
    faces = tracks(tmp_path / "frames.mkv", tmp_path / "faces", p)
    assert [(face["track"], face["frame"], face["aligned"], face["recovered"]) for face in faces] == [
        (0, i, False, False) for i in range(10)
    ]
    top, left = ((max(size) - side) // 2 for side in size)
    for shown in video.images(tmp_path / "faces/0.mkv"):
        np.testing.assert_allclose(shown[top : top + size[0], left : left + size[1]].astype(int), image, atol=1)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_detector_without_its_model_file_says_where_to_get_it(name, tmp_path):
    build = plugins.load("detectors", name).build
    (tmp_path / "text.onnx").write_text("not a model")
    for weights, reason in (
        (None, "needs its model file"),
        (str(tmp_path / "none.onnx"), "no file .*none.onnx"),
        (str(tmp_path / "text.onnx"), "text.onnx: (OpenCV cannot load it|truncated, or no file of weights)"),
    ):
        with pytest.raises(UserError, match=f"detect.weights: .*{reason}") as error:
            build(weights)
        assert "data/weights" in error.value.hint


@pytest.mark.parametrize("kind", ["code", "another network", "a list", "truncated"])
def test_a_file_that_is_not_retinafaces_is_refused_in_one_line(tmp_path, kind):
    import torch

    path = tmp_path / "weights.pth"
    state = {"body.stage1.0.0.weight": torch.zeros(8, 3, 3, 3), "body.stage1.1.0.weight": torch.zeros(9, 1, 3, 3)}
    torch.save({"code": Path, "another network": state, "a list": [1, 2], "truncated": state}[kind], path)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"detect.weights: .*weights.pth: (truncated|not this network)") as error:
        plugins.load("detectors", "retinaface").build(str(path))
    assert "\n" not in error.value.args[0]


def test_retinaface_is_the_published_network():
    """Anchors, folded normalisations and layers against the plain ones of PyTorch."""
    model = MODELS["retinaface"]
    if not model.is_file():
        pytest.skip(f"no {model.name}")
    import torch
    from torch import nn

    module = plugins.load("detectors", "retinaface")
    ours = module.build(str(model))
    state = torch.load(model, map_location="cpu", weights_only=True)
    x = torch.rand(1, 64, 10, 12, generator=torch.Generator().manual_seed(0))
    for name, key, stride in (("body.stage2.0.0", "body.stage2.0", 2), ("fpn.merge1", "fpn.merge1", 1)):
        weight = state[f"{key}.0.weight"]
        conv = nn.Conv2d(64, len(weight), 3, stride, 1, groups=64 // weight.shape[1], bias=False)
        norm = nn.BatchNorm2d(len(weight)).eval()
        conv.load_state_dict({"weight": weight})
        norm.load_state_dict({part: state[f"{key}.1.{part}"] for part in norm.state_dict()})
        with torch.inference_mode():
            expected = torch.relu(norm(conv(x)))
            torch.testing.assert_close(ours.layer(name, x), expected, rtol=1e-4, atol=1e-4)
    middles, sides = module._anchors(2, 3, 1)  # 2 rows and 3 columns of 16 px, 32 and 64 px large
    assert middles[:4].tolist() == [[8, 8], [8, 8], [24, 8], [24, 8]]
    assert middles[-1].tolist() == [40, 24]
    assert sides.ravel().tolist() == [32, 64] * 6


def test_the_model_of_dlib_hog_is_that_of_dlib():
    """Where another dlib brings another one: write its state to the file, and say that the figures are others."""
    assert dlib_hog.DlibHog().hog.__getstate__() == dlib.get_frontal_face_detector().__getstate__()


def test_pytorch_is_imported_by_retinaface_alone():
    script = "import sys; from deepfake.base import plugins\n"
    script += "for name in plugins.names('detectors'): plugins.load('detectors', name)\n"
    script += "plugins.load('detectors', 'dlib_hog').build(None); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
