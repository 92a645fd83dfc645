"""train: what can be learnt is learnt, the same from the same seed, and nothing is chosen on test."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.metrics import log_loss

from deepfake import bundle, video
from deepfake.base import plugins, tables
from deepfake.base.errors import UserError
from deepfake.extract import ExtractParams
from deepfake.inference import load, logits_of
from deepfake.learning.batches import Tracks
from deepfake.learning.learner import loss_of, refresh_norms, schedule, validated, video_scores
from deepfake.models.network import Network
from deepfake.train import Learnt, TrainParams, fit, shuffled
from stages.calibrate import run as calibrate
from stages.train import run

USUAL = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
P = TrainParams(
    **USUAL["train"]
    | {"encoder": "cnn", "head": "mean", "frames": 2, "side": 32, "epochs": 3, "draws": 2, "batch_size": 8}
    | {"flip": 0.0, "ema": 0.0, "learning_rate": 0.002, "decay_every": 15, "patience": 15}
    | {"sampling": "spread", "motion": False}
)
BEFORE = {  # the other sections that a detector is made of
    "extract": {"root": "videos", "layout": "manifest", "sampling": "count", "frames_per_video": 4, "fps": 1.0}
    | {"stride": 15, "max_side": None, "crf": 0},
    "detect": {"detector": "dlib_hog", "weights": None, "search_side": 480, "search_every": 8, "min_overlap": 0.2}
    | {"max_gap": 2.0, "size": 32, "margin": 0.3},
    "filter": {"min_sharpness": 0, "min_side": 1, "min_score": 0.0, "min_share": 0.0, "min_faces": 1},
    "augment": USUAL["augment"],
    "calibrate": USUAL["calibrate"],
}

pytestmark = pytest.mark.usefixtures("one_thread")


def params(**columns) -> TrainParams:
    """A small network for three epochs, but for the settings given."""
    return P.model_copy(update=columns)


def faces(label: int, seed: int) -> video.Images:
    """(3, 32, 32, 3) of dim noise; a fake has a bright patch."""
    images = np.random.default_rng(seed).integers(0, 120, (3, 32, 32, 3), dtype=np.uint8)
    images[:, 8:20, 8:20] += np.uint8(label * 120)
    return images


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch) -> None:
    """In a folder of its own: DVCLive looks for a repository around it."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tracks(tmp_path) -> Tracks:
    """Of 12 reals and 12 fakes, in groups of two; every third group is for validation."""
    rows, files = [], []
    for i in range(24):
        files.append(tmp_path / f"{i}.npy")
        np.save(files[-1], faces(i % 2, i))
        rows.append(
            {
                "video_id": f"v{i:02d}",
                "label": i % 2,
                "group": f"g{i // 2}",
                "source": f"g{i // 2}",
                "copy": 0,
                "track": 0,
                "split": "val" if i % 6 > 3 else "train",
            }
        )
    return Tracks(pd.DataFrame(rows), files)


def fit_one(train: Tracks, val: Tracks, p: TrainParams, curves: Path, **options) -> Learnt:
    (learnt,) = fit(train, val, p, curves, **options)
    return learnt


def halves(tracks: Tracks) -> tuple[Tracks, Tracks]:
    train, val = (tracks.where(tracks.table["split"] == name) for name in ("train", "val"))
    return train, val


# ---- learning


@pytest.mark.parametrize("balance", ["pairs", "weights", "none"])
def test_a_patch_that_marks_the_fakes_is_learnt_in_three_epochs(tracks, tmp_path, balance):
    learnt = fit_one(*halves(tracks), params(balance=balance), tmp_path / "curves")
    assert learnt.known is not None
    assert learnt.validation["distance"].between(0, np.inf, inclusive="neither").all()
    assert (learnt.validation["video_id"].nunique(), auc_of(learnt)) == (8, 1.0)
    assert 0 <= learnt.epoch < 3
    assert not learnt.network.training
    for label in (0, 1):  # faces it has never seen
        logits = [logits_of(learnt.network, faces(label, seed), [[0, 1]], 2, 32)[0] for seed in range(100, 105)]
        assert {logit > 0 for logit in logits} == {bool(label)}


@pytest.mark.parametrize("head", plugins.names("models.heads"))
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tracks, tmp_path, head):
    weights = []
    for number, seed in enumerate((0, 0, 1)):
        p = params(head=head, epochs=1, draws=1, seed=seed)
        torch.rand(number)  # whatever was drawn before
        learnt = fit_one(*halves(tracks), p, tmp_path / f"curves{number}")
        trained = bundle.Trained(learnt.network.state_dict(), p.model_dump(), learnt.epoch)
        bundle.save_networks(tmp_path / f"networks{number}", [trained], learnt.validation.assign(member=0))
        weights.append([file.read_bytes() for file in sorted((tmp_path / f"networks{number}").iterdir())])
    assert len(weights[0]) == 3
    assert weights[0] == weights[1]
    assert weights[0][0] != weights[2][0]


def auc_of(learnt: Learnt) -> float:
    return float(validated(*scores_of(learnt))["auc"])


def scores_of(learnt: Learnt) -> tuple[np.ndarray, np.ndarray]:
    """Labels and P(fake) of the videos of validation."""
    clips = learnt.validation.groupby("video_id").agg({"label": "first", "logit": list}).reset_index()
    return video_scores(clips, clips["logit"].tolist())


def curve(folder: Path, name: str) -> "pd.Series[float]":
    return pd.read_csv(folder / f"plots/metrics/{name}.tsv", sep="\t")[name.split("/")[1]]


@pytest.mark.parametrize("ema", [0.0, 0.5, 0.98])
@pytest.mark.parametrize("settings", [{}, {"precision": "bf16-mixed"}, {"trainable": "norm_only"}])
def test_what_is_validated_is_what_is_kept(tracks, tmp_path, ema, settings):
    p = params(ema=ema, learning_rate=0.003, **settings)
    learnt = fit_one(*halves(tracks), p, tmp_path / "curves")
    losses = curve(tmp_path / "curves", "val/loss")
    assert len(losses) == 3
    assert losses.max() - losses.min() > 1e-3  # else any epoch would do
    assert learnt.epoch == losses.argmin()
    assert validated(*scores_of(learnt))["loss"] == pytest.approx(losses.min(), rel=1e-4)
    again = [logits_of(learnt.network, faces(i % 2, i), [[0, 2], [1]], 2, 32) for i in (4, 5)]
    assert again[0] == pytest.approx(learnt.validation["logit"].tolist()[:2], abs=1e-5)
    assert again[1] == pytest.approx(learnt.validation["logit"].tolist()[2:4], abs=1e-5)


@pytest.mark.parametrize(("best", "worst"), [("auc", min), ("accuracy", min), ("loss", max)])
def test_the_epoch_is_the_best_by_what_was_asked_for(tracks, tmp_path, best, worst):
    learnt = fit_one(*halves(tracks), params(best=best, learning_rate=0.0005, epochs=4), tmp_path / "curves")
    values = curve(tmp_path / "curves", f"val/{best}")
    assert values[learnt.epoch] == {min: max, max: min}[worst](values)


def test_the_statistics_of_batch_norm_are_those_of_the_weights_that_are_validated():
    torch.manual_seed(0)
    network = Network(params())
    batch = torch.randint(0, 255, (8, 2, 32, 32, 3), dtype=torch.uint8), torch.ones(8, 2, dtype=torch.bool)
    seen: list[torch.Tensor] = []
    norm = next(module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d))
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    dropout = torch.get_rng_state()
    refresh_norms(network, [(*batch, torch.zeros(8))] * 3)
    assert not any(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), dropout)  # else a validation would change what is learnt after it
    torch.testing.assert_close(norm.running_mean, seen[0].mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, seen[0].var((0, 2, 3)))
    assert norm.momentum == 0.1
    for weight in network.encoder.parameters():
        weight.requires_grad_(False)
    before = norm.running_mean.clone()
    refresh_norms(network, [(batch[0] // 2, batch[1], torch.zeros(8))])
    assert torch.equal(norm.running_mean, before)  # what is frozen stays as it is


def test_it_stops_when_validation_gets_no_better(tracks, tmp_path):
    fit(*halves(tracks), params(epochs=20, learning_rate=1e-12, patience=1, draws=1), tmp_path / "curves")
    assert len(pd.read_csv(tmp_path / "curves/plots/metrics/val/loss.tsv", sep="\t")) < 20


def test_labels_without_meaning_are_those_that_are_learnt_from(tracks, tmp_path):
    learning, val = halves(tracks)
    p = params(epochs=1, draws=1)
    learnt = fit_one(learning, val, params(epochs=1, draws=1, shuffle_labels=True), tmp_path / "one")
    other = fit_one(shuffled(learning, 0), shuffled(val, 1), p, tmp_path / "other")
    pd.testing.assert_frame_equal(learnt.validation, other.validation)
    for name, weight in learnt.network.state_dict().items():
        torch.testing.assert_close(weight, other.network.state_dict()[name], rtol=0, atol=0)


def test_the_log_level_of_lightning_is_as_before(tracks, tmp_path):
    before = logging.getLogger("lightning.pytorch").level
    fit(*halves(tracks), params(epochs=1, draws=1), tmp_path / "curves")
    assert logging.getLogger("lightning.pytorch").level == before


def test_what_is_idle_shapes_no_training():
    p = params(head="mean", schedule="constant", loss="cross_entropy")
    assert p.idle() == {"gamma", "decay_every", "decay", "bidirectional", "layers", "hidden", "dropout"}
    other = params(
        head="mean", schedule="constant", gamma=9.0, decay_every=1, decay=0.1, layers=1, hidden=8, dropout=0.9
    )
    logits, labels = torch.tensor([-2.0, 3.0]), torch.tensor([0.0, 0.0])
    assert loss_of(logits, labels, p, 1.0) == loss_of(logits, labels, other, 1.0)
    states, rates = [], []
    for chosen in (p, other):
        torch.manual_seed(0)
        states.append(Network(chosen).state_dict())
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        rate = schedule(optimizer, chosen, steps=1)
        for _ in range(3):
            optimizer.step()
            rate.step()
        rates.append(rate.get_last_lr())
    assert rates[0] == rates[1]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert params(head="gru").idle() == {"gamma"}
    assert p.live() == other.live()


# ---- losses, rates, blends


def test_the_losses_are_those_of_torch_and_of_the_paper():
    logits, labels = torch.tensor([-2.0, 0.5, 3.0, -0.1]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    torch.testing.assert_close(loss_of(logits, labels, params(), 1.0), plain)
    right = torch.where(labels == 1, logits.sigmoid(), 1 - logits.sigmoid())
    focal = (-((1 - right) ** 2) * right.log()).mean()
    torch.testing.assert_close(loss_of(logits, labels, params(loss="focal", gamma=2.0), 1.0), focal)
    torch.testing.assert_close(loss_of(logits, labels, params(loss="focal", gamma=0.0), 1.0), plain)
    soft = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels * 0.8 + 0.1)
    torch.testing.assert_close(loss_of(logits, labels, params(smoothing=0.2), 1.0), soft)
    heavy = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=torch.tensor(3.0))
    torch.testing.assert_close(loss_of(logits, labels, params(), 3.0), heavy)


@pytest.mark.parametrize(
    ("settings", "factors"),  # of each step: two in an epoch
    [
        ({"schedule": "constant"}, [1, 1, 1, 1, 1, 1, 1, 1]),
        ({"schedule": "step", "decay_every": 2, "decay": 0.1}, [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1]),
        ({"schedule": "cosine"}, [1, 0.9619, 0.8536, 0.6913, 0.5, 0.3087, 0.1464, 0.0381]),
        ({"schedule": "cosine", "warmup": 2}, [0.25, 0.5, 0.75, 1, 1, 0.8536, 0.5, 0.1464]),
        ({"schedule": "constant", "warmup": 3}, [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1, 1]),
    ],
)
def test_the_rate_follows_its_schedule(settings, factors):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rates, seen = schedule(optimizer, params(epochs=4, **settings), steps=2), []
    for _ in factors:
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        rates.step()
    assert seen == pytest.approx(factors, abs=1e-4)


def test_a_plateau_with_a_warm_up_is_refused():
    with pytest.raises(ValueError, match="plateau has no warm-up"):
        TrainParams.model_validate(params().model_dump() | {"schedule": "plateau", "warmup": 1})


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "sgd", "learning_rate": 0.05},
        {"optimizer": "adamw", "schedule": "cosine", "warmup": 1},
        {"loss": "focal", "smoothing": 0.1, "clip": 1.0},
        {"accumulate": 2, "schedule": "plateau", "learning_rate": 0.005},
        {"precision": "bf16-mixed"},
        {"head": "gru", "hidden": 16, "fusion": "gate", "ema": 0.5},
    ],
)
def test_every_way_of_learning_learns(tracks, tmp_path, settings):
    learnt = fit_one(*halves(tracks), params(epochs=4, draws=4, **settings), tmp_path / "curves")
    assert auc_of(learnt) == 1.0


def noisy(label: int, seed: int) -> video.Images:
    """(3, 64, 64, 3) of a smooth picture with fine noise: what a blend leaves a trace in."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 200, (8, 8, 3)).astype(np.uint8)
    fine = rng.integers(-20, 20, (3, 64, 64, 3))
    return (coarse.repeat(8, 0).repeat(8, 1) + fine).clip(0, 255).astype(np.uint8)


@pytest.fixture
def reals(tmp_path) -> Tracks:
    """Of 24 reals; a third of them for validation."""
    rows, files = [], []
    for i in range(24):
        files.append(tmp_path / f"real{i}.npy")
        np.save(files[-1], noisy(0, i))
        split = "val" if i % 3 == 2 else "train"
        rows.append(
            {
                "video_id": f"v{i:02d}",
                "label": 0,
                "group": f"g{i}",
                "source": f"g{i}",
                "copy": 0,
                "track": 0,
                "split": split,
            }
        )
    return Tracks(pd.DataFrame(rows), files)


def test_reals_alone_are_learnt_from_beside_their_blends(reals, tmp_path):
    p = params(side=64, epochs=10, draws=6, head="mean")
    learnt = fit_one(*halves(reals), p, tmp_path / "curves", self_blend=1.0)
    assert learnt.validation["video_id"].nunique() == 16  # each of 8 reals, and its blend
    assert auc_of(learnt) > 0.8


@pytest.mark.parametrize(
    ("settings", "self_blend", "reason"),
    [
        ({}, 0.0, "no fakes to learn from"),
        ({"balance": "weights"}, 1.0, "a blend stands beside its real"),
    ],
)
def test_reals_alone_without_their_blends_are_refused(reals, tmp_path, settings, self_blend, reason):
    with pytest.raises(UserError, match=reason):
        fit(*halves(reals), params(**settings), tmp_path / "curves", self_blend)


def test_a_split_without_a_class_is_named(tracks, tmp_path):
    learning, val = halves(tracks)
    with pytest.raises(UserError, match="val has no fake video"):
        fit(learning, val.where(val.table["label"] == 0), params(), tmp_path / "curves")


# ---- labels, scores, threshold


def test_shuffled_labels_are_dealt_by_video():
    table = pd.DataFrame({"video_id": np.repeat([f"v{i:02d}" for i in range(40)], 3), "label": np.repeat([0, 1], 60)})
    dealt = shuffled(Tracks(table, []), seed=0).table
    by_video = dealt.groupby("video_id")["label"]
    assert (by_video.nunique() == 1).all()
    assert by_video.first().sum() == 20  # as many of each class as before
    assert (dealt["video_id"] == table["video_id"]).all()
    moved = int((dealt["label"] != table["label"]).sum()) // 3
    assert 10 <= moved <= 30
    assert (shuffled(Tracks(table, []), seed=0).table["label"] == dealt["label"]).all()
    assert (shuffled(Tracks(table, []), seed=1).table["label"] != dealt["label"]).any()


def test_the_loss_of_validation_is_the_cross_entropy():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 50).astype(float), rng.random(50)
    assert validated(labels, scores)["loss"] == pytest.approx(log_loss(labels, scores))


def test_a_training_that_diverges_is_said_to():
    with pytest.raises(UserError, match="the training diverged") as error:
        validated(np.array([0.0, 1.0]), np.array([np.nan, 0.5]))
    assert "learning_rate" in error.value.hint


def test_a_video_of_validation_is_the_mean_of_all_its_sequences():
    table = pd.DataFrame({"video_id": ["b", "a", "b"], "label": [1, 0, 1]})
    labels, scores = video_scores(table, [[1.0, 2.0], [0.0], [-3.0]])
    assert labels.tolist() == [0, 1]  # a, b
    assert scores == pytest.approx([0.5, 0.5])


# ---- the stage


@pytest.fixture
def clips(tmp_path) -> pd.DataFrame:
    """What augment leaves: 8 videos for train, each with an altered copy, 4 for val; those of test have no files."""
    rows = []
    for i in range(16):
        split = "train" if i < 8 else "val" if i < 12 else "test"
        common = {
            "video_id": f"v{i:02d}.mp4",
            "label": i % 2,
            "group": f"g{i // 2}",
            "source": f"g{i // 2}",
            "split": split,
            "track": 0,
        }
        for copy, file in enumerate([f"faces/v{i:02d}.mp4/0.mkv", f"clips/v{i:02d}.mp4/0_1.mkv"][: 1 + (i < 8)]):
            rows.append(common | {"positions": [0, 1, 2], "copy": copy, "file": file})
            if split != "test":
                path = tmp_path / "data" / file
                path.parent.mkdir(parents=True, exist_ok=True)
                with video.recording(path) as record:
                    for j, image in enumerate(faces(i % 2, 2 * i + copy)):
                        record(image, j / 25)
    table = pd.DataFrame(rows)
    tables.write(tmp_path / "data/clips.parquet", table)
    return table


def settings(**columns) -> None:
    sections = BEFORE | {"train": params(epochs=2, **columns).model_dump()}
    Path("params.yaml").write_text(yaml.safe_dump(sections))


def test_no_test_clip_is_ever_read(clips, tmp_path, capsys):
    settings()
    run()  # a file of test would be missed: there is none
    assert not any((tmp_path / "data" / file).exists() for file in clips["file"][clips["split"] == "test"])
    assert capsys.readouterr().out.startswith("train: 1 network, of epoch ")


def test_a_training_that_was_done_is_not_done_again(clips, tmp_path, capsys):
    settings()
    run()
    folder = tmp_path / "models/networks"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    curves = (tmp_path / "dvclive/plots/metrics/val/loss.tsv").read_text()
    shutil.rmtree(folder)
    shutil.rmtree(tmp_path / "dvclive")  # as DVC does
    run()
    assert "this very training was done before" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert (tmp_path / "dvclive/plots/metrics/val/loss.tsv").read_text() == curves


def test_several_seeds_make_an_ensemble(clips, tmp_path, capsys):
    settings(seeds=2)
    run()
    assert "train: 2 networks, of epoch" in capsys.readouterr().out
    calibrate()
    detector = load(tmp_path / "models/calibrated")
    assert len(detector.members) == 2
    assert detector.members[0].logits(faces(0, 5)) != detector.members[1].logits(faces(0, 5))
    assert capsys.readouterr().out.startswith("calibrate: validation AUC 1.000, loss ")


def test_the_detector_says_how_videos_were_prepared_for_it(clips, tmp_path, capsys):
    settings()
    run()
    calibrate()
    assert "validation has 2 groups of people in one class, fewer than 10" in capsys.readouterr().err
    card = json.loads((tmp_path / "models/calibrated/bundle.json").read_text())
    policy = ExtractParams(**BEFORE["extract"]).policy().model_dump(mode="json")
    assert card["params"] == {"extract": policy, "detect": BEFORE["detect"], "filter": BEFORE["filter"]}
    assert card["validation"]["videos"] == 4
    detector = load(tmp_path / "models/calibrated")
    assert detector.members[0].settings == params(epochs=2).model_dump(mode="json")
    for label, verdict in enumerate(("real", "fake")):
        assert detector.verdict(detector.score([detector.track(faces(label, 200))])) == verdict


def test_the_curves_hold_a_row_for_each_epoch(clips, tmp_path):
    settings()
    run()
    for name in ("train/loss", "val/loss", "val/auc"):
        curve = pd.read_csv(tmp_path / f"dvclive/plots/metrics/{name}.tsv", sep="\t")
        assert len(curve) == 2
        assert name.split("/")[1] in curve


@pytest.mark.parametrize(
    ("columns", "reason", "hint"),
    [
        ({"encoder": "cn"}, "no encoder 'cn'; there are: cnn", "did you mean 'cnn'?"),
        ({"head": "lstmm"}, "no head 'lstmm'; there are: attention, gru, lstm", "did you mean 'lstm'?"),
        ({"trainable": "last"}, "no choice 'last'; there are: all, head, norm_only, last_<n>_layers", "all"),
        ({"backbone": "resnet50"}, "train.backbone: cnn has none (got 'resnet50')", "backbone: null"),
        ({"frames": 4}, "train.frames: 4 is more than any track has (the longest has 3)", "lower it, or raise"),
    ],
)
def test_a_wrong_setting_is_said_before_any_work(clips, tmp_path, columns, reason, hint):
    settings(**columns)
    with pytest.raises(UserError) as error:
        run()
    assert reason in error.value.args[0]
    assert hint in error.value.hint
    assert not (tmp_path / "models").exists()
