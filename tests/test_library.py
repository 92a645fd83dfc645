"""library: what programs import is light until it is used, typed, and the same in a wheel, outside the repository."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import torch
import yaml

import deepfake
from deepfake import Detector, Prediction, inference, predict, video
from deepfake.app import cli
from deepfake.base.errors import UserError
from deepfake.extract import Policy
from deepfake.inference import architecture
from deepfake.models.network import Network

ROOT = Path(__file__).parents[1]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
HEAVY = {"torch", "pandas", "cv2", "numpy", "av", "sklearn", "onnxruntime"}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, saved_detector, heads) -> Path:
    """A folder with an untrained detector, models/detector, and a video, clip.mp4."""
    home = tmp_path_factory.mktemp("home")
    sections = yaml.safe_load((ROOT / "params.yaml").read_text())
    sections["extract"] = {name: sections["extract"][name] for name in Policy.model_fields}
    torch.manual_seed(0)
    network = Network(architecture(sections["train"]))
    params = {name: sections[name] for name in ("extract", "detect", "filter")}
    saved_detector(home / "models/detector", [(network, sections["train"])], params)
    video.encode(home / "clip.mp4", heads[0], 25.0)
    return home


def imported(script: str) -> set[str]:
    """Which of HEAVY a script has imported at its end, in a Python of its own."""
    ended = f"import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n{script}"
    done = subprocess.run([sys.executable, "-c", ended], cwd=ROOT, capture_output=True, text=True, check=True)
    return HEAVY & set(done.stderr.split())


@pytest.mark.parametrize(
    "script",
    [
        "import deepfake; deepfake.__all__",
        "sys.argv = ['deepfake', '--help']; from deepfake.app.cli import main; main()",
        "sys.argv = ['deepfake', 'predict', '--help']; from deepfake.app.cli import main; main()",
        # the shell is named, not looked for: there may be none
        "import os; os.environ['_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION'] = '1'; "
        "sys.argv = ['deepfake', '--show-completion', 'bash']; from deepfake.app.cli import main; main()",
    ],
)
def test_asking_what_there_is_imports_nothing_heavy(script):
    assert imported(script) == set()


def test_what_is_asked_for_is_imported():
    assert imported("from deepfake import Detector") >= {"torch", "pandas"}


def test_every_name_that_is_offered_is_there_and_no_other():
    assert sorted(deepfake.HOMES) == deepfake.__all__
    for name in deepfake.__all__:
        assert getattr(deepfake, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'detector_of'"):
        _ = deepfake.detector_of


def test_a_program_gets_what_the_command_says(folder):
    detector = Detector.load(folder / "models/detector")
    prediction = detector.predict(str(folder / "clip.mp4"))
    assert isinstance(prediction, Prediction)
    assert prediction == predict.predict(folder / "clip.mp4", inference.load(folder / "models/detector"))
    assert prediction.score is not None
    assert detector.predict("none.mp4").status == "missing"
    assert len(detector.predict(folder / "clip.mp4", window=0.2).timeline) == 2  # of 12 frames at 25 a second
    assert detector.predict(folder / "clip.mp4", window=0).timeline == ()


def test_what_is_no_detector_and_what_is_no_backend_are_said_to_be_none(folder):
    with pytest.raises(UserError, match="no trained detector"):
        Detector.load(folder / "none")
    with pytest.raises(UserError, match="no backend 'onxn'; there are: int8, onnx, torch") as error:
        Detector.load(folder / "models/detector", backend="onxn")
    assert error.value.hint == "did you mean 'onnx'?"


def test_the_example_of_the_readme_runs(folder, monkeypatch, capsys):
    assert len(EXAMPLES) == 1
    monkeypatch.chdir(folder)
    exec(EXAMPLES[0], {})
    assert "P(fake)" in capsys.readouterr().out


# ---- an export


def command(monkeypatch, capsys, *arguments: object) -> tuple[int, str, str]:
    """The command deepfake: its exit code, and what it says and complains of."""
    monkeypatch.setattr(sys, "argv", ["deepfake", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code or 0, *capsys.readouterr()


@pytest.mark.slow
def test_an_exported_detector_says_of_a_video_what_pytorch_says(folder, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(folder)
    code, output, _ = command(monkeypatch, capsys, "export", "models/detector", "--out", tmp_path / "new", "--onnx")
    assert (code, output.splitlines()[-1].split(",")[0]) == (0, "export: 1 networks")
    lines = {}
    for backend in ("torch", "onnx"):
        options = ("predict", "clip.mp4", "--json", "--detector", tmp_path / "new", "--backend", backend)
        code, lines[backend], _ = command(monkeypatch, capsys, *options)
        assert code == 0
    scores = {backend: json.loads(line)["score"] for backend, line in lines.items()}
    assert scores["onnx"] == pytest.approx(scores["torch"], abs=1e-5)


def test_an_export_asks_for_a_format(folder, tmp_path, monkeypatch, capsys):
    code, _, complaint = command(monkeypatch, capsys, "export", folder / "models/detector", "--out", tmp_path / "new")
    assert code == 2
    assert complaint == "error: deepfake export: into which format?\n  hint: --onnx\n"


# ---- a wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of what is in the repository."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source / name)
    for name in ("deepfake", "stages", "recipes", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation", "--offline", "--quiet"]
    subprocess.run([*build, "--python", sys.executable, "--out-dir", out, source], check=True)
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_a_wheel_holds_the_package_whole_its_types_and_nothing_else(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [path for path in (ROOT / "deepfake").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert held == {path.relative_to(ROOT).as_posix() for path in files}
    assert "deepfake/py.typed" in held


@pytest.mark.slow
def test_a_wheel_works_outside_the_repository(wheel, folder, tmp_path):
    here = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", here], check=True)
    site = next(here.glob("lib/python*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))  # a plain line: its own .pth files are not read
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*install, "--python", here / "bin/python", wheel], check=True)
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def call(*command: object, code: int = 0) -> str:
        done = subprocess.run(list(map(str, command)), cwd=folder, env=clean, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    where = call(here / "bin/python", "-c", "import deepfake; print(deepfake.__file__)")
    assert where.startswith(str(here))
    assert "predict" in call(here / "bin/deepfake", "--help")
    assert "face 0: P(fake)" in call(here / "bin/deepfake", "predict", "clip.mp4")
    assert "P(fake)" in call(here / "bin/python", "-c", EXAMPLES[0])
    assert "run the command in the folder of the pipeline" in call(here / "bin/deepfake", "recipe", "--list", code=2)
