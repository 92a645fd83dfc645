"""doctor: says what works, what does not, and what mends it; the exit code says whether anything is broken."""

import json
import sys
from collections.abc import Callable
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from deepfake import bundle, scope
from deepfake.app import cli, doctor
from deepfake.base import cache, plugins


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch) -> None:
    """In an empty folder, with empty caches."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CACHE_HOME", "HF_HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("DEVICE", raising=False)


def of(topic: Callable) -> dict[str, doctor.Check]:
    """The checks of a topic by name."""
    return {check.name: check for check in topic()}


def call(monkeypatch, capsys, *options: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["deepfake", "doctor", *options])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code or 0, capsys.readouterr().out


def test_the_whole_is_json_and_every_check_has_its_place(monkeypatch, capsys):
    code, output = call(monkeypatch, capsys, "--json")
    read = json.loads(output)
    assert (code, read["healthy"]) == (0, True)
    assert {check["state"] for check in read["checks"]} <= set(doctor.MARKS)
    assert {check["topic"] for check in read["checks"]} >= {"installed", "video", "detectors", "devices", "caches"}


def test_what_is_broken_is_marked_with_what_mends_it_and_ends_in_an_exit_code_of_1(monkeypatch, capsys):
    checks = [doctor.Check("a", "x", "ok", "1.0"), doctor.Check("a", "long", "broken", "missing", "pip install long")]
    monkeypatch.setattr(doctor, "TOPICS", (lambda: iter(checks),))
    code, output = call(monkeypatch, capsys)
    assert code == 1
    assert output.splitlines() == ["a:", "  ok  x     1.0", "  !!  long  missing", "            -> pip install long"]


# ---- installed


@pytest.fixture
def declared(monkeypatch) -> None:
    """A package that needs three libraries, of which one is too old and one is missing; and has two extras."""
    lines = [
        "good>=1",
        "old>=2,<3",
        "gone",
        "more; extra == 'full'",
        "good; extra == 'whole'",
        "never; os_name == 'no'",
    ]
    versions = {"deepfake": "9", "good": "1.5", "old": "1.9"}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    about = Message()
    about["Provides-Extra"], about["Provides-Extra"] = "full", "whole"
    monkeypatch.setattr(metadata, "requires", lambda _: lines)
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "metadata", lambda _: about)


@pytest.mark.usefixtures("declared")
def test_libraries_are_compared_with_what_is_declared_and_extras_may_be_absent():
    checks = of(doctor.installed)
    assert {name: check.state for name, check in checks.items() if name != "python"} == {
        "deepfake": "ok",
        "good": "ok",
        "old": "broken",
        "gone": "broken",
        "[full]": "absent",
        "[whole]": "ok",
    }
    assert checks["old"].mend == "pip install 'old<3,>=2'"
    assert checks["gone"].mend == "pip install 'gone'"
    assert (checks["[full]"].detail, checks["[full]"].mend) == ("without more", "pip install 'deepfake[full]'")


def test_a_package_that_is_not_installed_is_said_to_be_none(monkeypatch):
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert of(doctor.installed)["deepfake"].state == "broken"


def test_several_wheels_of_opencv_are_broken(monkeypatch):
    assert of(doctor.opencv) == {}
    monkeypatch.setattr(metadata, "version", lambda _: "4")
    assert of(doctor.opencv)["cv2"].state == "broken"


# ---- video, detectors, devices


def test_codecs_are_those_of_ffmpeg(monkeypatch):
    assert {check.state for check in of(doctor.codecs).values()} == {"ok"}
    monkeypatch.setattr(doctor, "ENCODERS", ("libx264", "no_such_encoder"))
    monkeypatch.setattr(doctor, "DECODERS", ("h264", "no_such_decoder"))
    checks = of(doctor.codecs)
    assert (checks["writes"].state, checks["writes"].detail) == ("broken", "libx264; not no_such_encoder")
    assert (checks["reads"].state, checks["reads"].detail) == ("absent", "h264; not no_such_decoder")


def test_every_detector_is_built_and_one_without_its_file_says_so():
    checks = of(doctor.detectors)
    assert list(checks) == plugins.names("detectors")
    assert {check.state for check in checks.values()} == {"ok", "absent"}
    assert checks["dlib_hog"].state == "ok"
    for check in checks.values():
        assert check.state == "ok" or check.mend
    assert "needs its model file" in checks["yunet"].detail
    assert "detect.weights" in checks["yunet"].mend


def test_a_detector_that_is_chosen_and_cannot_be_built_is_broken():
    Path("params.yaml").write_text(yaml.safe_dump({"detect": {"detector": "yunet", "weights": "none.onnx"}}))
    assert of(doctor.detectors)["yunet"].state == "broken"


def test_a_detector_that_does_not_run_is_broken(monkeypatch):
    def load(kind: str, name: str) -> object:
        raise ImportError("libcuda.so: cannot open shared object file\nmore")

    monkeypatch.setattr(plugins, "load", load)
    check = of(doctor.detectors)["dlib_hog"]
    assert (check.state, check.detail) == ("broken", "libcuda.so: cannot open shared object file")


def test_the_device_to_use_computes_or_is_broken(monkeypatch):
    assert of(doctor.devices)["used"].state == "ok"
    monkeypatch.setenv("DEVICE", "abacus")
    check = of(doctor.devices)["used"]
    assert (check.state, check.mend) == ("broken", "unset DEVICE")


# ---- caches, models


def test_caches_have_their_sizes_and_one_above_its_bound_says_what_prunes_it(tmp_path, monkeypatch):
    folder = cache.store() / "extract" / "a"
    folder.mkdir(parents=True)
    (folder / "frames").write_bytes(bytes(2_000_000))
    (tmp_path / "none/torch").mkdir(parents=True)
    (tmp_path / "none/torch/weights").write_bytes(bytes(3_000_000))
    (tmp_path / "none/torch/again").hardlink_to(tmp_path / "none/torch/weights")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none/torch"))
    checks = of(doctor.caches)
    assert checks["videos"].detail.startswith("1 results, 2.0 MB, 2.0 MB of its own")
    assert checks["torch"].detail.startswith("3.0 MB")
    assert {check.state for check in checks.values()} == {"ok"}
    monkeypatch.setenv("ITEM_CACHE_GB", "0.001")
    assert of(doctor.caches)["videos"].mend == "deepfake cache --prune"


def test_a_trained_detector_is_there_or_absent_or_broken():
    assert [check.state for check in doctor.trained()] == ["absent", "ok"]
    Path("models/detector").mkdir(parents=True)
    assert [check.state for check in doctor.trained()] == ["broken", "ok"]


def test_a_detector_says_on_what_it_was_tested(tmp_path):
    file = Path(__file__).parents[1] / "reports/metrics.json"
    metrics = json.loads(file.read_text())
    bundle.describe(Path("models/detector"), bundle.BUILTIN, scope.read(file))
    detail = of(doctor.trained)["models/detector"].detail
    assert f"test, all test videos: AUC {metrics['video']['auc']:.3f} on " in detail
    assert f"methods: {', '.join(metrics['by_method'])}" in detail
    unknown = bundle.read(bundle.BUILTIN).model_copy(update={"scope": None})
    assert doctor.rank(unknown).endswith("; does not say on what it was tested")


def test_the_shipped_detector_may_be_broken(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "BUILTIN", tmp_path)
    check = of(doctor.trained)["builtin"]
    assert (check.state, check.mend) == ("broken", "pip install --force-reinstall deepfake")
