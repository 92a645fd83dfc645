"""demo: drawn heads are found, move as solid heads do, differ, and are the same in every run."""

from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from deepfake import video
from deepfake.demo import FPS, DemoParams, render
from deepfake.detectors import dlib_hog
from deepfake.drawing.heads import Head
from deepfake.drawing.poses import Pose, picture
from deepfake.swap import Finder
from stages import demo

P = DemoParams(identities=4, frames=6, size=256, resolution=0, seed=0)
STILL = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "jaw": 0.0, "pout": 0.0, "lids": 1.0, "brow": 0.0, "light": 1.0}
STILL |= dict.fromkeys(("head", "body", "camera", "gaze"), (0.0, 0.0))


def make(out: Path, p: DemoParams) -> None:
    """The stage, with these params."""
    (out.parent / "params.yaml").write_text(yaml.safe_dump({"demo": p.model_dump()}))
    with chdir(out.parent):
        demo.run(out)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBS", "1")
        out = tmp_path_factory.mktemp("demo") / "videos"
        make(out, P)
    return out


def shot(identity: int, **pose) -> video.Images:
    """One person of 256 px, at rest but for the pose given."""
    rng = np.random.default_rng(identity)
    return picture(Head(rng, 256), Pose(**(STILL | pose)), rng)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.*"))}


def test_the_same_seed_gives_the_same_bytes(videos, tmp_path, monkeypatch):
    monkeypatch.setenv("JOBS", "2")
    make(tmp_path / "again", P)
    assert contents(tmp_path / "again") == contents(videos)


def test_an_older_demo_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBS", "1")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "old.txt").touch()
    make(tmp_path / "demo", P.model_copy(update={"identities": 2, "frames": 2}))
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["fake", "manifest.csv", "real", "report.csv"]


def test_each_person_is_once_the_target_and_once_the_source(videos):
    table = pd.read_csv(videos / "manifest.csv", keep_default_na=False)
    swaps = sorted(tuple(both.split("+")) for both in table[table["label"] == "fake"]["identities"])
    assert table["label"].value_counts().to_dict() == {"real": 4, "fake": 4}
    assert len({target for target, _ in swaps}) == len({source for _, source in swaps}) == 4
    assert swaps == sorted((source, target) for target, source in swaps)  # two by two


def test_frames_are_as_many_and_as_large_as_asked_for(videos):
    infos = [video.probe(file) for file in sorted(videos.rglob("*.mp4"))]
    assert {(i.width, i.height, i.fps, len(i.packet_times)) for i in infos} == {(256, 256, FPS, 6)}


def test_hog_finds_one_face_on_every_head():
    p, detector = DemoParams(identities=64, frames=1, size=256, resolution=0, seed=0), dlib_hog.build(None)
    counts = [len(detector.detect(image)) for identity in range(12) for image in render(identity, p)]
    assert counts == [1] * 12


def test_people_differ():
    first, second = (next(render(identity, P)).astype(float) for identity in (0, 1))
    assert np.abs(first - second).mean() > 20


def test_the_nose_moves_further_than_the_eyes_when_the_head_turns():
    before, after = (np.stack([Finder()(shot(identity, yaw=yaw)) for identity in range(1, 4)]) for yaw in (0.0, 0.2))
    moved = (after - before)[..., 0].mean(0)
    assert moved[30] > moved[36:48].mean() + 2 > 2  # px; the tip of the nose lies before the eyes


def test_a_head_that_is_moved_lies_where_it_should():
    before, after = Finder()(shot(1)), Finder()(shot(1, head=(0.2, 0.0)))
    assert (after - before).mean(0) == pytest.approx([0.2 * 0.305 * 256, 0.0], abs=1.0)


def test_the_jaw_opens_the_mouth():
    gaps = [(points[66] - points[62])[1] for points in (Finder()(shot(1, jaw=jaw)) for jaw in (0.0, 1.0))]
    assert gaps[1] > gaps[0] + 4  # px
