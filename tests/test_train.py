"""train: what can be learnt is learnt, the same from the same seed, and nothing is chosen on test."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.metrics import balanced_accuracy_score, log_loss

from deepfake import bundle, video
from deepfake.base import plugins, tables
from deepfake.base.errors import UserError
from deepfake.batches import Tracks
from deepfake.learner import clip_logits, factor, loss_of, video_scores
from deepfake.scores import bce, threshold_of
from deepfake.train import Trained, TrainParams, fit, shuffled
from stages.train import run

USUAL = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
P = TrainParams(
    **USUAL["train"]
    | {"encoder": "cnn", "head": "mean", "frames": 2, "side": 32, "epochs": 3, "draws": 2, "batch_size": 8}
    | {"flip": 0.0, "ema": 0.0, "learning_rate": 0.002, "decay_every": 15, "patience": 15}
)
BEFORE = {  # the sections of the stages before
    "extract": {"root": "videos", "layout": "manifest", "sampling": "count", "frames_per_video": 4, "fps": 1.0}
    | {"stride": 15, "max_side": None, "crf": 0},
    "detect": {"detector": "dlib_hog", "weights": None, "search_side": 480, "search_every": 8, "min_overlap": 0.2}
    | {"max_gap": 4, "size": 32, "margin": 0.3},
    "filter": {"min_sharpness": 0, "min_side": 1, "min_faces": 1},
    "augment": USUAL["augment"],
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
                "split": "val" if i % 6 > 3 else "train",
            }
        )
    return Tracks(pd.DataFrame(rows), files)


def fit_one(train: Tracks, val: Tracks, p: TrainParams, curves: Path, **options) -> Trained:
    (one,) = fit(train, val, p, curves, **options)
    return one


def halves(tracks: Tracks) -> tuple[Tracks, Tracks]:
    train, val = (tracks.where(tracks.table["split"] == name) for name in ("train", "val"))
    return train, val


# ---- learning


@pytest.mark.parametrize("balance", ["pairs", "weights", "none"])
def test_a_patch_that_marks_the_fakes_is_learnt_in_three_epochs(tracks, tmp_path, balance):
    one = fit_one(*halves(tracks), params(balance=balance), tmp_path / "curves")
    assert (one.validation["videos"], one.validation["auc"]) == (8, 1.0)
    assert 0 <= one.validation["epoch"] < 3
    assert 0 < one.threshold < 1
    assert not one.network.training
    new = bundle.Bundle(one.network, one.threshold, {"train": params().model_dump()}, {})
    for label, verdict in enumerate(("real", "fake")):  # faces it has never seen
        scores = [new.score([new.logits(faces(label, seed))]) for seed in range(100, 105)]
        assert {new.verdict(score) for score in scores} == {verdict}


@pytest.mark.parametrize("head", plugins.names("models.heads"))
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tracks, tmp_path, head):
    weights = []
    for number, seed in enumerate((0, 0, 1)):
        p = params(head=head, epochs=1, draws=1, seed=seed)
        torch.rand(number)  # whatever was drawn before
        one = fit_one(*halves(tracks), p, tmp_path / f"curves{number}")
        made = bundle.Bundle(one.network, one.threshold, {"train": p.model_dump()}, one.validation)
        made.save(tmp_path / f"bundle{number}")
        files = [tmp_path / f"bundle{number}" / name for name in (bundle.WEIGHTS, bundle.CARD)]
        weights.append([file.read_bytes() for file in files])
    assert weights[0] == weights[1]
    assert weights[0][0] != weights[2][0]


def test_the_weights_are_those_of_the_epoch_with_the_least_loss_on_validation(tracks, tmp_path):
    p = params(learning_rate=0.0005)  # so slow that the first epoch is the best
    one = fit_one(*halves(tracks), p, tmp_path / "curves")
    found = one.validation
    losses = pd.read_csv(tmp_path / "curves/plots/metrics/val/loss.tsv", sep="\t")["loss"]
    assert len(losses) == 3
    assert found["epoch"] == losses.argmin()
    assert found["loss"] == pytest.approx(losses.min(), rel=1e-4)
    val = halves(tracks)[1]
    labels, scores = video_scores(val.table, [clip_logits(one.network, val[i], p.frames) for i in range(8)], "max")
    assert bce(labels, scores) == pytest.approx(found["loss"], rel=1e-4)


def test_it_stops_when_validation_gets_no_better(tracks, tmp_path):
    fit(*halves(tracks), params(epochs=20, learning_rate=1e-12, patience=1, draws=1), tmp_path / "curves")
    assert len(pd.read_csv(tmp_path / "curves/plots/metrics/val/loss.tsv", sep="\t")) < 20


def test_labels_without_meaning_are_those_that_are_learnt_from(tracks, tmp_path):
    learning, val = halves(tracks)
    p = params(epochs=1, draws=1)
    one = fit_one(learning, val, params(epochs=1, draws=1, shuffle_labels=True), tmp_path / "one")
    other = fit_one(shuffled(learning, 0), shuffled(val, 1), p, tmp_path / "other")
    assert one.validation == other.validation
    for name, weight in one.network.state_dict().items():
        torch.testing.assert_close(weight, other.network.state_dict()[name], rtol=0, atol=0)


def test_the_log_level_of_lightning_is_as_before(tracks, tmp_path):
    before = logging.getLogger("lightning.pytorch").level
    fit(*halves(tracks), params(epochs=1, draws=1), tmp_path / "curves")
    assert logging.getLogger("lightning.pytorch").level == before


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
    ("settings", "factors"),  # at the beginning of epochs 0, 1, 2, 3, 4
    [
        ({"schedule": "constant"}, [1, 1, 1, 1, 1]),
        ({"schedule": "step", "decay_every": 2, "decay": 0.1}, [1, 1, 0.1, 0.1, 0.01]),
        ({"schedule": "cosine"}, [1, 0.8536, 0.5, 0.1464, 0]),
        ({"schedule": "cosine", "warmup": 2}, [0, 0.5, 1, 0.5, 0]),
        ({"schedule": "constant", "warmup": 4}, [0, 0.25, 0.5, 0.75, 1]),
    ],
)
def test_the_rate_follows_its_schedule(settings, factors):
    p = params(epochs=4, **settings)
    assert [factor(epoch, p) for epoch in range(5)] == pytest.approx(factors, abs=1e-4)


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
    one = fit_one(*halves(tracks), params(epochs=4, draws=4, **settings), tmp_path / "curves")
    assert one.validation["auc"] == 1.0


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
        rows.append({"video_id": f"v{i:02d}", "label": 0, "group": f"g{i}", "source": f"g{i}", "split": split})
    return Tracks(pd.DataFrame(rows), files)


def test_reals_alone_are_learnt_from_beside_their_blends(reals, tmp_path):
    p = params(side=64, epochs=6, draws=6, head="mean")
    one = fit_one(*halves(reals), p, tmp_path / "curves", self_blend=1.0)
    assert one.validation["videos"] == 16  # each of 8 reals, and its blend
    assert one.validation["auc"] > 0.8


@pytest.mark.parametrize(
    ("settings", "self_blend", "said"),
    [
        ({}, 0.0, "no fakes to learn from"),
        ({"balance": "weights"}, 1.0, "a blend stands beside its real"),
    ],
)
def test_reals_alone_without_their_blends_are_refused(reals, tmp_path, settings, self_blend, said):
    with pytest.raises(UserError, match=said):
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


@pytest.mark.parametrize(
    ("labels", "scores", "threshold"),
    [
        ([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9], 0.5),  # the middle of the gap
        ([1, 0, 1, 0], [0.9, 0.2, 0.3, 0.1], 0.25),
        ([0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.5, 0.7, 0.9], 0.25),  # no fake is missed, one real is accused
        ([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], 0.5),  # nothing tells: all are called fake
        ([0, 1], [0.9, 0.1], 0.1),  # worse than nothing
    ],
)
def test_the_threshold_lies_in_the_middle_of_the_best_gap(labels, scores, threshold):
    assert threshold_of(np.array(labels, float), np.array(scores)) == pytest.approx(threshold)


def test_no_other_threshold_has_a_better_balanced_accuracy():
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels = np.r_[0, 1, rng.integers(0, 2, 30)].astype(float)
        scores = (rng.random(32) + labels / 2).round(1) / 1.5
        said = balanced_accuracy_score(labels, scores >= threshold_of(labels, scores))
        assert said == pytest.approx(max(balanced_accuracy_score(labels, scores >= t) for t in scores))


def test_the_loss_of_validation_is_the_cross_entropy():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 50).astype(float), rng.random(50)
    assert bce(labels, scores) == pytest.approx(log_loss(labels, scores))
    assert bce(np.array([1.0]), np.array([0.0])) == pytest.approx(-np.log(1e-7))  # sure and wrong, yet finite


@pytest.mark.parametrize(("tracks", "score"), [("max", 0.9), ("mean", 0.5)])
def test_a_videos_score_is_that_of_its_tracks(tracks, score):
    logit = np.log(9)  # P = .9
    table = pd.DataFrame({"video_id": ["b", "a", "b"], "label": [1, 0, 1]})
    labels, scores = video_scores(table, [[logit - 1, logit + 1], [0.0], [-logit]], tracks)
    assert labels.tolist() == [0, 1]  # a, b
    assert scores == pytest.approx([0.5, score])


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
    assert capsys.readouterr().out.startswith("train: validation AUC 1.000 of epoch ")


def test_the_bundle_says_how_videos_were_prepared_for_it(clips, tmp_path):
    settings()
    run()
    card = json.loads((tmp_path / "models/detector/bundle.json").read_text())
    policy = {key: value for key, value in BEFORE["extract"].items() if key not in ("root", "layout")}
    assert card["params"] == BEFORE | {"extract": policy, "train": params(epochs=2).model_dump()}
    assert card["validation"]["videos"] == 4
    assert card["threshold"] == round(card["threshold"], 6)
    assert bundle.load(tmp_path / "models/detector").threshold == card["threshold"]


def test_several_seeds_make_an_ensemble(clips, tmp_path, capsys):
    settings(seeds=2)
    run()
    made = bundle.load(tmp_path / "models/detector")
    assert isinstance(made, bundle.Ensemble)
    assert [member.params["train"]["seed"] for member in made.members] == [0, 0]
    assert made.members[0].logits(faces(0, 5)) != made.members[1].logits(faces(0, 5))
    assert "train: validation AUC 1.000 of epoch" in capsys.readouterr().out


def test_the_curves_hold_a_row_for_each_epoch(clips, tmp_path):
    settings()
    run()
    for name in ("train/loss", "val/loss", "val/auc"):
        curve = pd.read_csv(tmp_path / f"dvclive/plots/metrics/{name}.tsv", sep="\t")
        assert len(curve) == 2
        assert name.split("/")[1] in curve


@pytest.mark.parametrize(
    ("columns", "said", "hint"),
    [
        ({"encoder": "cn"}, "no encoder 'cn'; there are: cnn", "did you mean 'cnn'?"),
        ({"head": "lstmm"}, "no head 'lstmm'; there are: attention, gru, lstm", "did you mean 'lstm'?"),
        ({"trainable": "last"}, "no choice 'last'; there are: all, head, norm_only, last_<n>_layers", "all"),
        ({"backbone": "resnet50"}, "train.backbone: cnn has none (got 'resnet50')", "backbone: null"),
        ({"frames": 4}, "train.frames: 4 is more than any track has (the longest has 3)", "lower it, or raise"),
    ],
)
def test_a_wrong_setting_is_said_before_any_work(clips, tmp_path, columns, said, hint):
    settings(**columns)
    with pytest.raises(UserError) as error:
        run()
    assert said in error.value.args[0]
    assert hint in error.value.hint
    assert not (tmp_path / "models").exists()
