"""drawings: what is drawn is told from what was filmed, by weights that saw photographs, and said as a reason."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file
from small import architecture, network

from deepfake import bundle, drawings, inference
from deepfake.base.errors import UserError
from deepfake.calibrate import CalibrateParams, fit
from deepfake.drawings import Drawings
from deepfake.measures.scoring import judged
from deepfake.predict import doubt
from deepfake.pseudo import drawing
from deepfake.pseudo.blend import Forging
from deepfake.pseudo.degrade import Degradation
from deepfake.scores import Scoring, TrackScore

pytestmark = pytest.mark.usefixtures("one_thread")

BACKBONE = "mobilenetv3_small_050"


def photographs(count: int, seed: int, side: int = 96) -> list[np.ndarray]:
    """Tracks of two frames: a few soft spots of light under grain, as sensors leave it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    tracks = []
    for _ in range(count):
        image = np.full((side, side, 3), 128.0)
        for cx, cy, width in rng.uniform(0.1, 0.9, (6, 3)):
            image += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (width / 4) ** 2)[..., None] * rng.uniform(-90, 90, 3)
        tracks.append((image + rng.normal(0, 14, (2, side, side, 3))).clip(0, 255).astype(np.uint8))
    return tracks


@pytest.mark.parametrize("way", drawing.WAYS)
def test_each_way_of_drawing_takes_what_is_fine(way):
    (images,) = photographs(1, seed=0)
    for seed in range(3):
        drawn = way(images[0], np.random.default_rng(seed))
        assert drawn.shape == images[0].shape
        assert drawn.dtype == np.uint8
        assert fine(drawn) < 0.8 * fine(images[0])


def fine(image: np.ndarray) -> float:
    """The mean step from a pixel to the next."""
    return float(np.abs(np.diff(image.astype(float), axis=0)).mean())


def test_all_frames_are_drawn_alike_and_the_same_draw_draws_the_same():
    (images,) = photographs(1, seed=0)
    still = np.stack([images[0]] * 2)
    for seed in range(8):
        first, second = drawing.drawn(still, np.random.default_rng(seed))
        assert np.array_equal(first, second)
        assert np.array_equal(first, drawing.drawn(still, np.random.default_rng(seed))[0])
        assert not np.array_equal(first, images[0])


def test_a_real_and_its_drawing_are_degraded_alike():
    still = np.full((2, 64, 64, 3), 90, np.uint8)  # of which every drawing is the same picture, or another colour
    pairs = drawings.examples((still, (0, 0)), Degradation(noise=1.0))
    assert pairs.shape == (drawings.COPIES, 2, 2, 64, 64, 3)
    grain = pairs.astype(float).std((-3, -2)).mean(-1)  # of each: COPIES, 2, T
    assert (grain > 0.5).all()
    np.testing.assert_allclose(grain[:, 0], grain[:, 1], rtol=0.2)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "photographs.pth"
    torch.save(timm.create_model(BACKBONE, num_classes=0).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def fitted(weights) -> Drawings:
    a = architecture(encoder="timm", backbone=BACKBONE, pretrained=str(weights), side=96)
    return Drawings.fit(photographs(40, seed=1), a, Forging(), seed=0)


def test_drawings_of_what_it_never_saw_are_told(fitted):
    reals = photographs(20, seed=2)
    drawn = [drawing.drawn(images, np.random.default_rng(number)) for number, images in enumerate(reals)]
    odds = [[fitted.odds(images) for images in tracks] for tracks in (reals, drawn)]
    assert np.mean(np.array(odds[0])[:, None] < np.array(odds[1])[None]) > 0.9  # AUC


def test_it_is_the_same_from_a_file_and_half_the_size(fitted, tmp_path):
    fitted.save(tmp_path / "a.safetensors")
    again = Drawings.load(tmp_path / "a.safetensors")
    for images in photographs(3, seed=3):
        assert again.odds(images) == fitted.odds(images)
    count = sum(value.numel() for value in fitted.layers.state_dict().values())
    assert (tmp_path / "a.safetensors").stat().st_size < 2 * count + 50_000


def test_the_layers_are_those_of_the_weights_as_they_were(fitted, weights):
    before = torch.load(weights, weights_only=True)
    for name, value in fitted.layers.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=1e-3, rtol=1e-3)
    assert set(fitted.layers.state_dict()) < set(before)  # those after the layer that is looked at are let go


def test_without_weights_of_photographs_there_is_nothing_to_tell_them_by():
    with pytest.raises(UserError, match="weights from photographs"):
        Drawings.fit(photographs(3, seed=0), architecture(), Forging(), seed=0)


@pytest.mark.parametrize(
    ("about", "fault"),
    [
        ({"backbone": BACKBONE, "side": "100000"}, "no size of a face"),
        ({"backbone": "vgg11", "side": "96"}, "layer of stride|missing or too many"),
        ({"backbone": "no_such", "side": "96"}, "no_such"),
        ({}, "backbone|side"),
    ],
)
def test_a_file_of_another_network_is_refused(tmp_path, about, fault):
    save_file({name: torch.zeros(1) for name in drawings.LINE}, tmp_path / "a.safetensors", about)
    with pytest.raises((UserError, *inference.FAULTS), match=fault):
        Drawings.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_of_a_track_some_faces_are_looked_at_spread_over_it(count):
    faces = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    chosen = drawings.some(faces)[:, 0, 0, 0].tolist()
    assert chosen == sorted(set(chosen))
    assert (chosen[0], chosen[-1], len(chosen)) == (0, count - 1, min(count, drawings.FRAMES))


# ---- in a detector


@pytest.fixture(scope="module")
def knowing(fitted, tmp_path_factory) -> Path:
    """An untrained detector that tells drawings, and takes the odds of 2 for too many."""
    folder = tmp_path_factory.mktemp("models")
    usual = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())["train"]
    a = architecture()
    trained = bundle.Trained(network().state_dict(), usual | a.model_dump(mode="json"), 0, None, fitted)
    rows = pd.DataFrame({"video_id": ["a", "f"], "label": [0, 1], "group": ["a", "f"], "track": 0, "sequence": 0})
    bundle.save_networks(folder / "networks", [trained], rows.assign(logit=[-1.0, 1.0], faces=4, member=0))
    params = {"extract": {}, "detect": {"weights": None}, "filter": {}}
    figures = {"auc": 1.0, "untrained": "", "drawn": {"bound": 2.0}}
    bundle.save(folder / "detector", folder / "networks", params, Scoring(tracks="mean"), figures)
    return folder / "detector"


def test_a_detector_brings_along_what_tells_drawings(fitted, knowing, tmp_path):
    (images,) = photographs(1, seed=5)
    expected = pytest.approx(fitted.odds(images), rel=1e-4)
    detector = inference.load(knowing)
    assert detector.track(images).drawn == expected
    assert detector.track(images, lambda places: places[::-1]).drawn is None  # of no use: the faces are the same
    bundle.halve(tmp_path / "small", knowing)
    assert inference.load(tmp_path / "small").track(images).drawn == expected
    table = bundle.join(tmp_path / "networks", [knowing, knowing])
    assert len(table) == 4
    bundle.save(
        tmp_path / "both",
        tmp_path / "networks",
        bundle.read(knowing).params,
        Scoring(tracks="mean"),
        {"auc": 1.0, "untrained": ""},
    )
    both = inference.load(tmp_path / "both")
    assert [member.drawn(images) for member in both.members] == [expected, expected]


def test_a_video_that_looks_drawn_gets_no_verdict_and_the_reason(knowing):
    detector = inference.load(knowing)
    filmed, painted = ([TrackScore((3.0,), 10, None, odds)] for odds in (1.0, 4.0))
    assert detector.novelty(filmed) == pytest.approx(0.5)
    assert detector.novelty(painted) == pytest.approx(2.0)
    sure, unsure = judged(detector, filmed), judged(detector, painted)
    assert sure.score == unsure.score
    assert (sure.verdict, unsure.verdict) == ("fake", "inconclusive")
    assert "drawn or rendered" in doubt(unsure, detector)
    assert not doubt(sure, detector)


def test_the_further_of_both_counts(knowing):
    detector = inference.load(knowing)
    detector = replace(detector, validation=detector.validation | {"novelty": {"bound": 1.0}})
    for distance, odds in ((3.0, 1.0), (0.5, 6.0)):
        tracks = [TrackScore((0.0,), 10, distance, odds)]
        assert detector.novelty(tracks) == pytest.approx(3.0)
        assert judged(detector, tracks).drawn == (odds > 2)
    assert detector.novelty([TrackScore((0.0,), 10, 0.5, 1.0), TrackScore((0.0,), 10)]) is None


def test_both_bounds_share_the_false_alarms():
    number = np.arange(200)
    rng = np.random.default_rng(0)
    about = {"label": number % 2, "group": number.astype(str), "track": 0, "sequence": 0, "faces": 4, "member": 0}
    about |= {"video_id": number.astype(str), "logit": rng.normal(size=200) + number % 2}
    odds = {"distance": rng.gamma(9.0, size=200), "drawn": rng.gamma(2.0, size=200)}
    p = CalibrateParams(tracks="mean", calibrator="none", abstain=0, min_groups=2, resamples=100, seed=0)
    known = fit(pd.DataFrame(about | odds), p)[1]
    beyond = (odds["distance"] > known["novelty"]["bound"]) | (odds["drawn"] > known["drawn"]["bound"])
    assert known["novelty"]["false_alarms"] + known["drawn"]["false_alarms"] == pytest.approx(0.05, abs=0.01)
    assert beyond.mean() <= 0.05
    assert "drawn" not in fit(pd.DataFrame(about | {"distance": odds["distance"]}), p)[1]


def test_a_file_that_is_another_is_said_to_be_broken(knowing, tmp_path):
    for name, content in (("cut", b"12345"), ("other", (knowing / "member_0.safetensors").read_bytes())):
        folder = tmp_path / name
        folder.mkdir()
        for file in knowing.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / "member_0.drawings.safetensors").write_bytes(content)
        card = json.loads((folder / bundle.CARD).read_text())
        card["files"]["member_0.drawings.safetensors"] = bundle._digest(folder / "member_0.drawings.safetensors")
        (folder / bundle.CARD).write_text(json.dumps(card))
        with pytest.raises(UserError, match=r"a broken bundle: member_0\.drawings\.safetensors"):
            inference.load(folder)
