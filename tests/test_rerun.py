"""rerun: which stages another code, library or model makes stale, and which settings make items anew.

What DVC does with it: tests/test_repro.py.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from deepfake import augment, detect, extract
from deepfake.base import libraries
from deepfake.base.params import Params
from stages import code

ROOT = Path(__file__).parents[1]
SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
EVERY = code.names()
BUNDLED = ["calibrate"]  # the stage that writes how videos are prepared beside the weights
BLENDS = {"augment": {**SETTINGS["augment"], "self_blend": 0.5}}
FACES = ("demo", "detect", "extra", "robustness")  # who looks at faces
LANDMARKS = ("augment", "train")  # who looks at their landmarks, where blends are made of them


def stale(change: Callable[[], object], **settings: Any) -> list[str]:
    """The stages whose file differs after a change, with some sections of the settings set otherwise."""
    settings = SETTINGS | settings
    before = {name: code.made_of(name, settings) for name in EVERY}
    change()
    return [name for name in EVERY if code.made_of(name, settings) != before[name]]


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        ("base/errors.py", "class", "# of the one who calls\nclass", []),  # comments
        ("video.py", "import av", "import av  # FFmpeg's", []),
        ("video.py", '"""video: ', '"""video: how to ', []),  # docstrings
        ("base/errors.py", "\\n  hint: ", "\\n  mind: ", []),  # what is said when there is no result
        ("base/parallel.py", "batch_size=1", "batch_size=2", []),
        ("base/items.py", "FORM = 2", "FORM = 3", []),
        ("faces.py", "SHARPNESS_SIDE = 128", "SHARPNESS_SIDE = 64", sorted([*FACES, *BUNDLED])),
        ("filter.py", '"blurred"', '"unsharp"', sorted(["extra", "filter", "robustness", *BUNDLED])),
        ("split.py", "SPLITS = (", "PARTS = SPLITS = (", ["controls", "split"]),
        ("models/heads/lstm.py", "build(", "built(", ["evaluate", "extra", "robustness", "train"]),
        ("models/heads/gru.py", "build(", "built(", []),  # plugins that no setting chooses
        ("detectors/yunet.py", "build(", "built(", []),
        ("layouts/folders.py", "scan(", "scanned(", []),
        ("layouts/manifest.py", "scan(", "scanned(", ["extract"]),
        ("base/tables.py", "DIGITS = 6", "DIGITS = 5", EVERY),
    ],
)
def test_an_edit_makes_those_stale_that_it_touches(house, file, old, new, stages):
    assert stale(lambda: edited(house / "deepfake" / file, old, new)) == stages


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("faces.py", "SHARPNESS_SIDE = 128", "SHARPNESS_SIDE = 64"),
        ("pseudo/shapes.py", "import", "import math\nimport"),
        ("pseudo/degrade.py", "import", "import math\nimport"),
    ],
)
def test_how_blends_are_made_counts_where_they_are_made(house, file, old, new):
    with_blends = stale(lambda: edited(house / "deepfake" / file, old, new), **BLENDS)
    assert set(LANDMARKS) <= set(with_blends)
    assert not set(LANDMARKS) & set(stale(lambda: edited(house / "deepfake" / file, new, old)))


def test_how_faces_are_compared_counts_where_they_are_compared(house):
    file, old, new = house / "deepfake/likeness.py", "SIDE, MARGIN = 150", "SIDE, MARGIN = 151"
    assert "controls" not in stale(lambda: edited(file, old, new))
    assert "controls" in stale(lambda: edited(file, new, old), controls={"faces": True})


@pytest.mark.parametrize(
    ("package", "stages"),
    [
        ("numpy", EVERY),
        ("dlib-bin", sorted([*FACES, *BUNDLED])),
        ("albucore", ["augment", "train"]),  # which reads the settings of both
        ("torch", ["evaluate", "extra", "redraw", "robustness", "train"]),
        ("scikit-learn", None),
        ("tqdm", []),
        ("pydantic", []),
    ],
)
def test_an_upgrade_makes_those_stale_that_compute_with_it(monkeypatch, package, stages):
    def upgrade() -> None:
        real = libraries.version
        monkeypatch.setattr(libraries, "version", lambda name: "99" if name == package else real(name))

    names = stale(upgrade)
    assert names == stages if stages is not None else {"evaluate", "train"} <= set(names) < set(EVERY)


def test_a_model_file_counts_where_it_is_chosen_and_a_stray_one_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = Path("data/weights")
    weights.mkdir(parents=True)
    chosen = {key: dict(SETTINGS[key]) for key in SETTINGS}
    chosen["detect"] |= {"detector": "yunet", "weights": "data/weights/yunet.onnx"}
    chosen["train"] |= {"pretrained": "data/weights/xception.pth"}
    told = [{name: code.made_of(name, chosen) for name in EVERY}]
    for file in ("stray.onnx", "yunet.onnx", "xception.pth"):
        (weights / file).write_text(file)
        told.append({name: code.made_of(name, chosen) for name in EVERY})
    differ = [[name for name in EVERY if before[name] != after[name]] for before, after in pairwise(told)]
    assert differ == [[], sorted(["detect", *BUNDLED]), ["train"]]
    assert told[0]["detect"]["models"]["data/weights/yunet.onnx"] == "missing"  # which the stage says


def test_downloaded_weights_are_told_by_their_revision(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name, commit in (("timm--resnet50.a1_in1k", "c0ffee"), ("timm--resnet50d.ra2_in1k", "bad"), ("o--x", "bad")):
        refs = tmp_path / f"models--{name}/refs"
        refs.mkdir(parents=True)
        (refs / "main").write_text(commit)
    chosen = SETTINGS | {"train": SETTINGS["train"] | {"encoder": "timm", "backbone": "resnet50", "pretrained": True}}
    assert code.made_of("train", chosen)["models"]["timm/resnet50.a1_in1k"] == "c0ffee"
    assert "bad" not in code.made_of("train", chosen)["models"].values()
    assert "c0ffee" not in code.made_of("evaluate", chosen)["models"].values()


def test_a_wrong_choice_is_left_to_the_stage_to_say():
    wrong = SETTINGS | {"train": SETTINGS["train"] | {"head": "lstmm"}, "detect": None}
    differ = [name for name in EVERY if code.made_of(name, wrong) != code.made_of(name, SETTINGS)]
    assert differ == sorted(["detect", "evaluate", "extra", "robustness", "train", *BUNDLED])


def test_the_report_is_made_anew_where_robustness_was_measured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in code.ROBUSTNESS:
        file.parent.mkdir(parents=True, exist_ok=True)
        assert stale(lambda file=file: file.write_text("cells")) == ["report"]


def test_the_files_are_small_and_equal_when_made_again(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for name in ("one", "two"):
        code.run(tmp_path / name)
    files = [{file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]
    assert sorted(files[0]) == [f"{name}.json" for name in EVERY]
    assert max(map(len, files[0].values())) < 8000
    assert not any(str(ROOT).encode() in content for content in files[0].values())  # no place of this machine


# ---- settings


def params(section: str, **values: Any) -> Params:
    """The params that shape an item of a stage, as in params.yaml but for the values given."""
    settings = SETTINGS[section] | values
    if section == "extract":
        return extract.ExtractParams(**settings).policy()
    if section == "augment":
        return augment.AugmentParams(**settings).alteration()
    return detect.DetectParams(**settings)


@pytest.mark.parametrize(
    ("section", "mode", "idle"),
    [
        ("extract", {"sampling": "count"}, {"fps": 9.0, "stride": 9, "root": "elsewhere", "layout": "folders"}),
        ("extract", {"sampling": "fps"}, {"frames_per_video": 9, "stride": 9}),
        ("extract", {"sampling": "stride"}, {"frames_per_video": 9, "fps": 9.0}),
        ("detect", {}, {"weights": "another/place/of/the/same.onnx"}),
        ("augment", {"probability": 0.0}, {"rotation": 9, "shift": 0.9, "scale": 0.9, "quality": 9}),
        ("augment", {"probability": 0.0}, {"brightness": 0.9, "contrast": 0.9, "blur": 9, "noise": 0.9}),
        ("augment", {}, {"copies": 9, "self_blend": 0.9}),
    ],
)
def test_a_setting_without_a_use_makes_no_item_anew(section, mode, idle):
    for key, value in idle.items():
        assert params(section, **mode, **{key: value}).live() == params(section, **mode).live(), key


@pytest.mark.parametrize(
    ("section", "mode", "live"),
    [
        ("extract", {"sampling": "count"}, {"frames_per_video": 9, "sampling": "fps", "max_side": 99, "crf": 9}),
        ("extract", {"sampling": "fps"}, {"fps": 9.0}),
        ("extract", {"sampling": "stride"}, {"stride": 9}),
        ("detect", {}, {key: 99 for key in ("search_side", "search_every", "max_gap", "size")}),
        ("detect", {}, {"min_overlap": 0.9, "margin": 0.9, "detector": "yunet"}),
        ("augment", {}, {"rotation": 9, "noise": 0.9, "quality": 9, "probability": 0.9, "flip": 0.9, "seed": 9}),
        ("augment", {"probability": 0.0}, {"flip": 0.9, "seed": 9}),
    ],
)
def test_a_setting_with_a_use_makes_every_item_anew(section, mode, live):
    for key, value in live.items():
        assert params(section, **mode | {key: value}).live() != params(section, **mode).live(), key


def test_what_is_idle_shapes_nothing():
    """The result is the same, whatever the settings say that a key leaves out."""
    times = [i / 25 for i in range(50)]
    for sampling in ("count", "fps", "stride"):
        usual = params("extract", sampling=sampling)
        other = usual.model_copy(update={name: 7 for name in usual.idle()})
        assert extract.pick(times, other) == extract.pick(times, usual)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    usual = params("augment", probability=0.0)
    other = usual.model_copy(update={name: 1 for name in usual.idle()})
    for seed in range(4):
        assert (augment.altered(images, other, seed) == augment.altered(images, usual, seed)).all()
