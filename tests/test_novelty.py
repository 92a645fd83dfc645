"""novelty: what is far from a training is told from what is near, at a price that is stated; its score stays."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy.spatial.distance import mahalanobis

from deepfake import bundle, inference, novelty
from deepfake.base.errors import UserError
from deepfake.calibrate import CalibrateParams, fit
from deepfake.extract import ExtractParams
from deepfake.inference import architecture
from deepfake.measures import scoring
from deepfake.models.network import Network
from deepfake.novelty import Gaussian
from deepfake.predict import predict
from deepfake.scores import Scoring, TrackScore

ROOT = Path(__file__).parents[1]
SECTIONS = yaml.safe_load((ROOT / "params.yaml").read_text())
POLICY = ExtractParams(**SECTIONS["extract"]).policy().model_dump()
RNG = np.random.default_rng(0)

pytestmark = pytest.mark.usefixtures("one_thread")


def draws(count: int, seed: int = 1) -> np.ndarray:
    """Features (count, 12) of three directions that vary much, and nine that vary little."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(7).normal(size=(12, 12)))[0]
    return ((rng.normal(size=(count, 12)) * [5, 4, 3, *[0.3] * 9]) @ turn + 2).astype(np.float32)


def test_a_distance_is_that_of_mahalanobis():
    known = Gaussian.fit(draws(400))
    assert known.axes.shape == (3, 12)
    axes, variances = known.axes.astype(float), known.variances.astype(float)
    covariance = axes.T @ np.diag(variances - known.rest) @ axes + np.eye(12) * float(known.rest[0])
    points = draws(5, seed=2)
    expected = [mahalanobis(x, known.mean, np.linalg.inv(covariance)) / np.sqrt(12) for x in points]
    np.testing.assert_allclose(known.distance(points), expected, rtol=1e-4)


def test_what_is_alike_is_near_one_and_what_is_not_is_further_in_any_direction():
    known = Gaussian.fit(draws(400))
    alike = known.distance(draws(200, seed=3))
    assert 0.8 < np.median(alike) < 1.2
    for direction in np.eye(12, dtype=np.float32):
        assert known.distance(draws(1, seed=3) + 20 * direction).item() > alike.max()


@pytest.mark.parametrize("features", [draws(7), np.ones((50, 12), np.float32)])
def test_of_too_few_or_of_one_and_the_same_nothing_is_known(features):
    assert Gaussian.fit(features) is None


def test_a_gaussian_is_read_as_it_was_written(tmp_path):
    known = Gaussian.fit(draws(50))
    known.save(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(
        Gaussian.load(tmp_path / "a.safetensors").distance(draws(9)), known.distance(draws(9))
    )


def test_a_look_is_the_spread_of_each_wave_in_each_channel():
    """A grey picture whose brightness is one wave of the cosine transform, by turns strong and weak."""
    wave = np.cos(np.pi * (2 * np.arange(8) + 1) * 3 / 16)  # the 4th of a row
    strength = np.tile([20.0, 60.0], 32).reshape(8, 8).repeat(8, 0).repeat(8, 1)
    grey = 128 + strength * np.tile(wave, (64, 8))
    face = np.repeat(np.round(grey).astype(np.uint8)[..., None], 3, 2)
    look = novelty.look(np.stack([face, face]), 64)
    assert look.shape == (195,)
    spread = (60 - 20) / 2 * 8 / np.sqrt(2)  # of an orthonormal wave: its amplitude, times 8 / sqrt(2)
    assert look[3] == pytest.approx(np.log1p(spread), abs=0.02)
    assert np.delete(look[:64], [0, 3]).max() < 0.7  # what rounding leaves
    assert look[64] == pytest.approx(128 / 8, abs=0.1)
    assert look[65:129].max() < 0.1  # no colour


@pytest.mark.parametrize("side", [64, 60, 112])
def test_blur_and_noise_change_a_look(heads, side):
    face = np.ascontiguousarray(heads[0][:2, 40:216, 40:216])
    soft = np.stack([cv2.GaussianBlur(frame, None, 3) for frame in face])
    noisy = np.clip(face + np.random.default_rng(0).normal(0, 12, face.shape), 0, 255).astype(np.uint8)
    plain, blurred, rough = (novelty.look(images, side)[:64].sum() for images in (face, soft, noisy))
    assert blurred < plain < rough


def validation(distances: np.ndarray, **columns) -> pd.DataFrame:
    """A video of one sequence for each distance, but for the columns given; half of them fake."""
    number = np.arange(len(distances))
    about = {"label": number % 2, "group": number.astype(str), "track": 0, "sequence": 0, "faces": 4, "member": 0}
    about |= {"logit": np.where(number % 2, 1.0, -1.0) + RNG.normal(size=len(distances)) * 0.1}
    return pd.DataFrame({"video_id": number.astype(str), "distance": distances} | about | columns)


def test_the_bound_costs_no_more_than_is_said():
    shares = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        facts = novelty.bound(validation(rng.gamma(9.0, size=39)), 0.1)
        shares.append((rng.gamma(9.0, size=500) > facts["bound"]).mean())
    assert facts["false_alarms"] == pytest.approx(0.1)
    assert np.mean(shares) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    ("videos", "alarms", "place", "cost"), [(38, 0.05, 37, 1 / 39), (19, 0.05, 18, 0.05), (9, 0.05, 8, 0.1)]
)
def test_with_few_videos_the_bound_is_the_furthest_of_them_and_the_cost_is_said(videos, alarms, place, cost):
    distances = np.linspace(1, 2, videos)
    facts = novelty.bound(validation(distances), alarms)
    assert facts["bound"] == pytest.approx(distances[place])
    assert facts["false_alarms"] == pytest.approx(cost)


@pytest.mark.parametrize("table", [validation(np.ones(9)).drop(columns="distance"), validation(np.full(9, np.nan))])
def test_a_validation_without_distances_gives_no_bound(table):
    assert novelty.bound(table, 0.05) is None
    p = CalibrateParams(tracks="mean", calibrator="none", abstain=0, min_groups=2, resamples=100, seed=0)
    assert fit(table, p)[1]["novelty"] is None


def test_no_check_is_wanted_and_none_is_made():
    assert novelty.bound(validation(np.ones(9)), 0.0) is None


@pytest.fixture(scope="module")
def knowing(tmp_path_factory, saved_detector, heads) -> Path:
    """An untrained ensemble of two, which knows how far two drawn heads are, and takes nothing further."""
    members = []
    for seed in range(2):
        torch.manual_seed(seed)
        members.append((Network(architecture(SECTIONS["train"])).eval(), SECTIONS["train"]))
    faces = [np.ascontiguousarray(head[:, 40:216, 40:216]) for head in heads]
    rng = np.random.default_rng(0)
    crops = np.stack([np.roll(face, rng.integers(-6, 7, 2), (1, 2)) for face in faces for _ in range(20)])
    rows, known = [], []
    for number in range(2):
        known.append(Gaussian.fit(np.stack([novelty.look(crop[:2], 64) for crop in crops])))
        rows.append(validation(np.full(20, 1.0), member=number))
    folder = tmp_path_factory.mktemp("models")
    trained = [bundle.Trained(n.state_dict(), s, 0, k) for (n, s), k in zip(members, known, strict=True)]
    bundle.save_networks(folder / "networks", trained, pd.concat(rows))
    params = {"extract": POLICY, "detect": SECTIONS["detect"], "filter": SECTIONS["filter"]}
    figures = {"auc": 1.0, "untrained": "", "novelty": {"bound": 1e9, "false_alarms": 0.05, "videos": 20}}
    bundle.save(folder / "detector", folder / "networks", params, Scoring(tracks="mean"), figures)
    return folder / "detector"


def bounded(folder: Path, bound: float) -> inference.Detector:
    """The detector, with another bound."""
    whole = inference.load(folder)
    return replace(whole, validation=whole.validation | {"novelty": whole.validation["novelty"] | {"bound": bound}})


def test_what_is_beyond_the_bound_is_scored_alike_and_said_to_be_unlike(knowing, odd):
    far = predict(odd("plain"), bounded(knowing, 1.0)).novelty
    inside, outside = (predict(odd("plain"), bounded(knowing, far * share)) for share in (1.01, 0.99))
    assert inside.score == outside.score
    assert inside.novelty == pytest.approx(1 / 1.01, rel=1e-4)
    assert (inside.verdict, inside.reason) != ("inconclusive", outside.reason)
    assert (outside.verdict, outside.wording) == ("inconclusive", "inconclusive")
    assert outside.reason.startswith("unlike the training data: 1.0 times as far")


def test_noise_is_further_than_a_face(knowing):
    whole = inference.load(knowing)
    noise = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    face, other = whole.track(np.full((8, 64, 64, 3), 127, np.uint8)), whole.track(noise)
    assert other.distance > 0
    assert other.distance != face.distance


def test_a_detector_weighs_tracks_as_calibrate_does(knowing):
    whole = bounded(knowing, 2.0)
    table = validation(np.array([1.0, 3.0, 5.0, 1.0]), video_id="v", track=[0, 0, 1, 1], member=[0, 1, 0, 1])
    table["faces"] = [10, 10, 30, 30]
    expected = novelty.of_videos(table)["v"]
    assert expected == pytest.approx((2.0 * 10 + 3.0 * 30) / 40)
    assert whole.novelty([TrackScore((0.0,), 10, 2.0), TrackScore((0.0,), 30, 3.0)]) == pytest.approx(expected / 2.0)
    assert whole.novelty([TrackScore((0.0,), 10, 2.0), TrackScore((0.0,), 30)]) is None


def test_an_abstention_leaves_the_score(knowing):
    tracks = [TrackScore((3.0,), 10, 2.0)]
    sure, unsure = (scoring.judged(bounded(knowing, bound), tracks) for bound in (3.0, 1.0))
    assert sure.score == unsure.score
    assert (sure.verdict, unsure.verdict) == ("fake", "inconclusive")


def test_a_test_knows_what_is_unlike(knowing):
    whole = inference.load(knowing)
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    orders = scoring.AS_FILMED | {"reversed": lambda places: places[::-1]}
    scores = scoring.scores(whole, [(0, images)], orders)
    assert scores["logit"][0].distance == pytest.approx(whole.track(images).distance)
    assert scores["reversed"][0].distance is None  # of no use: the faces are the same


def test_how_many_of_a_test_are_unlike_is_counted_by_label():
    table = pd.DataFrame({"label": [0, 0, 1, 1], "novelty": [0.5, 1.5, 2.0, np.nan]})
    assert novelty.counted(table) == {
        "real": {"videos": 2, "unlike": 1, "share": 0.5},
        "fake": {"videos": 1, "unlike": 1, "share": 1.0},
    }


def test_what_joins_or_halves_detectors_keeps_what_they_know(knowing, tmp_path, odd):
    bundle.halve(tmp_path / "half", knowing)
    whole, half = (predict(odd("plain"), inference.load(folder)).novelty for folder in (knowing, tmp_path / "half"))
    assert half == pytest.approx(whole, rel=0.02)
    bundle.join(tmp_path / "joined", [knowing, knowing])
    files = sorted(file.name for file in (tmp_path / "joined").glob("*.known.safetensors"))
    assert files == [f"member_{number}.known.safetensors" for number in range(4)]


def test_a_detector_of_the_format_before_is_read_and_knows_nothing(knowing, tmp_path, odd):
    old = tmp_path / "old"
    card = json.loads((knowing / "bundle.json").read_text())
    networks = json.loads((knowing / "networks.json").read_text())
    old.mkdir()
    for member in networks["members"]:
        del member["known"]
        (old / member["weights"]).write_bytes((knowing / member["weights"]).read_bytes())
    (old / "validation.csv").write_bytes((knowing / "validation.csv").read_bytes())
    (old / "networks.json").write_text(json.dumps(networks | {"format": 3}))
    del card["validation"]["novelty"]
    kept = ("networks.json", "validation.csv", *(member["weights"] for member in networks["members"]))
    (old / "bundle.json").write_text(
        json.dumps(card | {"format": 3, "files": {name: bundle._digest(old / name) for name in kept}})
    )
    prediction = predict(odd("plain"), inference.load(old))
    assert prediction.novelty is None
    assert prediction.score == predict(odd("plain"), inference.load(knowing)).score


def test_a_broken_file_of_what_is_known_is_said_to_be_broken(knowing, tmp_path):
    member = bundle.read_networks(knowing).members[0]
    (tmp_path / member.known).write_bytes(b"no tensors")
    with pytest.raises(UserError, match=r"a broken bundle: member_0\.known\.safetensors"):
        inference.known_of(tmp_path, member)
