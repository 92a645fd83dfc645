"""What tests share: drawn faces, small videos of every odd kind, a store of each test's own, finished projects."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import films
import numpy as np
import pytest
import yaml

from deepfake.base import code
from deepfake.demo import DemoParams, render
from deepfake.video import Images

ROOT = Path(__file__).parents[1]
CLIPS = ROOT.parent / "shared" / "clips"  # real and broken clips; tests do without them
TINY = {  # a project of 8 people that is trained in seconds
    "demo": {"identities": 8, "frames": 4, "size": 160},
    "extract": {"frames_per_video": 4},
    "detect": {"size": 64},
    "filter": {"min_sharpness": 0, "min_faces": 2},
    "split": {"train": 0.5, "val": 0.25, "test": 0.25},
    "augment": {"copies": 1},
    "train": {"encoder": "small_cnn", "hidden": 16, "side": 32, "epochs": 1, "frames": 2},
    "evaluate": {"resamples": 100},
}


@pytest.fixture(autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has an empty store, one process and no engine, whatever the shell says."""
    monkeypatch.setenv("ITEM_CACHE", str(tmp_path_factory.mktemp("store")))
    monkeypatch.setenv("JOBS", "1")
    for name in ("ENGINE", "DASK_SCHEDULER", "DVC_ROOT", "DEEPFAKE_DB_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread for PyTorch: small nets are slower with more, above all beside other work."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def deepfake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., tuple[int, str, str]]:
    """The command, in an empty folder: its exit code, and what it says and complains of."""
    from deepfake.app import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["deepfake", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0), *capsys.readouterr()

    return call


@pytest.fixture(scope="session")
def saved_detector() -> Callable[..., Path]:
    """A function that writes a detector of networks: see `_saved_detector`."""
    return _saved_detector


@pytest.fixture(scope="session")
def untrained(saved_detector: Callable[..., Path]) -> Callable[[Path, int], Path]:
    """A function that writes an untrained detector, by a seed, for videos prepared as params.yaml says."""
    import torch

    from deepfake.extract import ExtractParams
    from deepfake.inference import architecture
    from deepfake.models.network import Network

    def written(folder: Path, seed: int) -> Path:
        sections = yaml.safe_load((ROOT / "params.yaml").read_text())
        sections["extract"] = ExtractParams(**sections["extract"]).policy().model_dump()
        torch.manual_seed(seed)
        network = Network(architecture(sections["train"]))
        params = {name: sections[name] for name in ("extract", "detect", "filter")}
        return saved_detector(folder, [(network, sections["train"])], params)

    return written


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory, untrained: Callable[[Path, int], Path]) -> Path:
    """An untrained one."""
    return untrained(tmp_path_factory.mktemp("models") / "detector", 0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    programs = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    if (chromium := next(programs, None)) is None:
        pytest.skip("no chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []  # root has none
        running = started.chromium.launch(executable_path=chromium, args=options)
        yield running
        running.close()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's code and settings, to be spoilt; what asks for the code is told of this one."""
    folder = tmp_path / "house"
    for name in ("deepfake", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "data/demo/dvc.yaml", "robustness/dvc.yaml", "params.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    monkeypatch.setattr(code, "PACKAGE", folder / "deepfake")
    return folder


@pytest.fixture(scope="session")
def dvc() -> Callable[..., str]:
    """A function that calls `dvc` in a folder; the stages find this Python, and the code of the folder."""
    return _dvc


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project in git after its first `dvc repro`, and what that said in said.txt: to be copied, not changed."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    listed = ("deepfake", "stages", "data/demo/dvc.yaml", "robustness/dvc.yaml", "data/weights/README.md")
    for name in (*listed, "dvc.yaml", "params.yaml", ".dvc/config", ".dvcignore", ".gitignore"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy = partial(shutil.copytree, ignore=shutil.ignore_patterns("__pycache__"))
        (copy if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    for section, values in TINY.items():
        settings[section] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    _git(folder, "init", "--quiet")
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "--message", "code")
    (folder.parent / "said.txt").write_text(_dvc(folder, "repro"))
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "--message", "repro")
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished project."""
    return Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))


@pytest.fixture
def untouched_rng() -> Iterator[None]:
    """Fails a test that draws from numpy's global generator, or seeds it."""
    before = np.random.get_state()[1].copy(), np.random.get_state()[2]  # noqa: NPY002
    yield
    after = np.random.get_state()  # noqa: NPY002
    assert (before[0] == after[1]).all(), "numpy's global generator was seeded"
    assert before[1] == after[2], "numpy's global generator was drawn from"


@pytest.fixture
def clips() -> Path:
    """The folder of real, odd and broken clips, where there is one."""
    if not CLIPS.is_dir():
        pytest.skip(f"no {CLIPS}")
    return CLIPS


@pytest.fixture(scope="session")
def heads() -> list[Images]:
    """Two people who talk: (12, 256, 256, 3) uint8 RGB each, a face of some 120 px in every frame."""
    p = DemoParams(identities=2, frames=12, size=256, resolution=0, seed=0)
    return [np.stack(list(render(identity, p))) for identity in range(2)]


@pytest.fixture(scope="session")
def noise() -> Images:
    """(12, 48, 64, 3) uint8 RGB without any order: what a lossy codec cannot hold."""
    return np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def film() -> Callable[..., Path]:
    """A function that writes images as a video, with any codec, pixel format and clock."""
    return films.film


@pytest.fixture(scope="session")
def turned() -> Callable[[Path, Path, int], Path]:
    """A function that copies an MP4 video, and says in the copy by how many degrees clockwise it is to be turned."""
    return films.turned


@pytest.fixture(scope="session")
def remuxed() -> Callable[..., Path]:
    """A function that copies the packets of a video into another container, as they are."""
    return films.remuxed


@pytest.fixture(scope="session")
def odd(heads: list[Images], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that makes the video of a kind, each once: all that real collections hold, and what is no video."""
    folder = tmp_path_factory.mktemp("odd")

    def make(kind: str) -> Path:
        return path if (path := folder / f"{kind}.mp4").exists() else films.odd(kind, path, heads[0])

    return make


def _saved_detector(
    folder: Path,
    members: list[tuple[Any, ...]],
    params: dict[str, dict[str, Any]],
    *,
    validation: Any = None,
    **scoring: Any,
) -> Path:
    """Networks and their settings, and what they know of their faces, as a detector; it is sure that it learnt."""
    import pandas as pd

    from deepfake import bundle
    from deepfake.scores import Scoring

    if validation is None:
        about = {"label": [0, 1], "group": ["a", "b"], "track": 0, "sequence": 0, "faces": 4}
        rows = pd.DataFrame({"video_id": ["a", "b"], **about, "logit": [-1.0, 1.0]})
        validation = pd.concat([rows.assign(member=number) for number in range(len(members))])
    with TemporaryDirectory() as scratch:
        networks = Path(scratch, "networks")
        trained = [bundle.Trained(n.state_dict(), s, 0, *known) for n, s, *known in members]
        bundle.save_networks(networks, trained, validation)
        sections = {"detect": {"weights": None}} | params
        bundle.save(folder, networks, sections, Scoring(**({"tracks": "max"} | scoring)), {"auc": 1.0, "untrained": ""})
    return folder


def _dvc(folder: Path, *arguments: str, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": "", "DVC_SITE_CACHE_DIR": str(folder.parent / "site"), "ITEM_CACHE": ""}
    call = [sys.executable, "-m", "dvc", *arguments]
    end = subprocess.run(call, cwd=folder, env=os.environ | own | environment, capture_output=True, text=True)
    assert end.returncode == 0, end.stdout + end.stderr
    return end.stdout


def _git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)
