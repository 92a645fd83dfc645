"""What tests share: drawn faces, small videos of every odd kind, a store of each test's own, finished projects."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import pytest
import yaml
from av.stream import Disposition

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
TURNS = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}  # degrees clockwise: a display matrix, by rows


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


@pytest.fixture(scope="session")
def saved_detector() -> Callable[..., Path]:
    """A function that writes a detector of networks: see `_saved_detector`."""
    return _saved_detector


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
    return _film


@pytest.fixture(scope="session")
def turned() -> Callable[[Path, Path, int], Path]:
    """A function that copies an MP4 video, and says in the copy by how many degrees clockwise it is to be turned."""
    return _turned


@pytest.fixture(scope="session")
def remuxed() -> Callable[..., Path]:
    """A function that copies the packets of a video into another container, as they are."""
    return _remuxed


@pytest.fixture(scope="session")
def odd(heads: list[Images], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that makes the video of a kind, each once: all that real collections hold, and what is no video."""
    folder = tmp_path_factory.mktemp("odd")

    def make(kind: str) -> Path:
        return path if (path := folder / f"{kind}.mp4").exists() else _odd(kind, path, heads[0])

    return make


def _saved_detector(
    folder: Path,
    members: list[tuple[Any, dict[str, Any]]],
    params: dict[str, dict[str, Any]],
    *,
    validation: Any = None,
    **scoring: Any,
) -> Path:
    """Networks and their settings as a detector in a folder; it is sure that it learnt something."""
    import pandas as pd

    from deepfake import bundle
    from deepfake.scores import Scoring

    if validation is None:
        about = {"label": [0, 1], "group": ["a", "b"], "track": 0, "sequence": 0, "faces": 4}
        one = pd.DataFrame({"video_id": ["a", "b"], **about, "logit": [-1.0, 1.0]})
        validation = pd.concat([one.assign(member=number) for number in range(len(members))])
    with TemporaryDirectory() as scratch:
        networks = Path(scratch, "networks")
        bundle.save_networks(networks, [bundle.Trained(n.state_dict(), s, 0) for n, s in members], validation)
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


def _film(
    path: Path,
    images: Images,
    *,
    times: list[float] | None = None,  # s; 25 frames a second without
    form: str = "yuv420p",
    codec: str = "libx264",
    container: dict[str, str] | None = None,
    **options: str,
) -> Path:
    with av.open(path, "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=25, options={"crf": "18", "threads": "1"} | options)
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], form
        stream.codec_context.time_base = Fraction(1, 1000)
        for i, image in enumerate(images):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(format=form)
            picture.pts, picture.time_base = round(1000 * (times[i] if times else i / 25)), Fraction(1, 1000)
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return path


def _turned(path: Path, target: Path, degrees: int) -> Path:
    """The track header of an MP4 file ends in its display matrix and its size: 9 and 2 numbers of 4 bytes."""
    content = bytearray(path.read_bytes())
    size, start = int.from_bytes(content[(at := content.index(b"tkhd")) - 4 : at]), at - 4
    a, b, c, d = (int(number * 2**16).to_bytes(4, signed=True) for number in TURNS[degrees])
    zero, one = bytes(4), (2**30).to_bytes(4)
    content[start + size - 44 : start + size - 8] = b"".join((a, b, zero, c, d, zero, zero, zero, one))
    target.write_bytes(content)
    return target


def _remuxed(path: Path, target: Path) -> Path:
    with av.open(path) as file, av.open(target, "w") as copy:
        stream = copy.add_stream_from_template(file.streams.video[0])
        for packet in file.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    return target


def _odd(kind: str, path: Path, head: Images) -> Path:
    match kind:
        case "plain":
            return _film(path, head)
        case "variable rate":
            return _film(path, head, times=[0.01 * i**2 for i in range(len(head))])
        case "10 bit":
            return _film(path, head, form="yuv420p10le")
        case "odd sides":
            return _film(path, head[:, :-1, :-3], codec="mpeg4", qscale="2")
        case "grey":
            return _film(path, head, codec="ffv1", form="gray", container={"strict": "-2"})
        case "one frame":
            return _film(path, head[:1])
        case "tiny":
            return _film(path, head[:, ::8, ::8])
        case "black":
            return _film(path, np.zeros_like(head))
        case "sideways":  # but for its display matrix
            return _turned(_film(path, np.rot90(head, axes=(1, 2))), path, 90)
        case "leaves":  # the face, to the left, out of the picture from the 5th frame on
            shown = [np.roll(image, -40 * i, 1) if i < 4 else np.zeros_like(image) for i, image in enumerate(head)]
            return _film(path, np.stack(shown))
        case "4K":
            big = np.repeat(np.repeat(head, 8, 1), 8, 2)
            return _film(path, np.pad(big, ((0, 0), (56, 56), (896, 896), (0, 0))), preset="ultrafast")
        case "cover":
            return _with_cover(path, head)
        case "truncated":
            return _cut(_film(path, head, container={"movflags": "faststart"}, g="1"))
        case "no index":  # it comes last, and is cut off
            return _cut(_film(path, head))
        case "holes":
            return _with_holes(path, head)
        case "sound":
            return _sound(path)
    content = {"empty": b"", "text": b"not a video\n", "random": np.random.default_rng(0).bytes(4096)}
    path.write_bytes(content[kind])
    return path


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    return path


def _with_cover(path: Path, images: Images) -> Path:
    """A white picture of 32 px comes first, as the cover of the video."""
    with av.open(path, "w") as file:
        cover, stream = file.add_stream("mjpeg", rate=1), file.add_stream("libx264", rate=25)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 32, 32, "yuvj420p", Disposition.attached_pic
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "yuv420p"
        white = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 255, np.uint8), format="rgb24")
        file.mux([*cover.encode(white.reformat(format="yuvj420p")), *cover.encode()])
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())
    return path


def _with_holes(path: Path, images: Images) -> Path:
    """Motion JPEG, each frame a file of its own; the bytes of frames 2, 3, 7, 8 and 9 are lost."""
    with av.open(_film(path, images, codec="mjpeg", form="yuvj420p", qscale="2")) as file:
        places = [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for i in (2, 3, 7, 8, 9):
        start, size = places[i]
        content[start : start + size] = bytes(size)
    path.write_bytes(content)
    return path


def _sound(path: Path) -> Path:
    with av.open(path, "w") as file:
        stream = file.add_stream("aac", rate=44100, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        file.mux([*stream.encode(silence), *stream.encode()])
    return path
