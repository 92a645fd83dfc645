"""evaluate: every figure is that of scikit-learn or of a pencil; what cannot be said is None, never 0."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from sklearn import metrics as reference

from deepfake.base import tables
from deepfake.evaluate import (
    BASELINES,
    METADATA,
    EvaluateParams,
    baseline_features,
    baseline_scores,
    coverage,
    curves,
    equal_error_rate,
    interval,
    metadata_auc,
    metrics,
    of_videos,
)
from deepfake.videos import read

P = EvaluateParams(seed=0, resamples=2000)


def videos(labels: list[int], scores: list[float], **columns) -> pd.DataFrame:
    """Predictions: a video of one sequence each, "fake" from .5 on, but for the columns given."""
    usual = {
        "video_id": [f"v{i:03d}.mp4" for i in range(len(labels))],
        "label": labels,
        "group": [f"g{i // 2}" for i in range(len(labels))],
        "status": "ok",
        "track": 0,
        "sequence": 0,
        "logit": scores,
        "score": scores,
        "shuffled": scores,
        "verdict": ["fake" if score >= 0.5 else "real" for score in scores],
    }
    return pd.DataFrame(usual | dict.fromkeys(BASELINES, 0.5) | columns)


def random(count: int = 60, seed: int = 0) -> pd.DataFrame:
    """Scores that tell a little, some of them equal."""
    rng = np.random.default_rng(seed)
    labels = np.r_[0, 1, rng.integers(0, 2, count - 2)]
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1).round(2)
    return videos(labels.tolist(), scores.tolist(), **{name: rng.random(count).round(6) for name in BASELINES})


PERFECT = videos([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9])


# ---- metrics of videos


@pytest.mark.parametrize("seed", range(5))
def test_the_metrics_are_those_of_scikit_learn(seed):
    table = random(seed=seed)
    label, score, said = table["label"], table["score"], table["verdict"] == "fake"
    found = of_videos(table)
    (tn, fp), (fn, tp) = reference.confusion_matrix(label, said)
    assert found == {
        "count": 60,
        "auc": pytest.approx(reference.roc_auc_score(label, score)),
        "ap": pytest.approx(reference.average_precision_score(label, score)),
        "eer": pytest.approx(eer_of_roc(label, score), abs=1e-6),
        "accuracy": pytest.approx(reference.accuracy_score(label, said)),
        "balanced_accuracy": pytest.approx(reference.balanced_accuracy_score(label, said)),
        "precision": pytest.approx(reference.precision_score(label, said)),
        "recall": pytest.approx(reference.recall_score(label, said)),
        "f1": pytest.approx(reference.f1_score(label, said)),
        "false_positive_rate": pytest.approx(fp / (fp + tn)),
        "false_negative_rate": pytest.approx(fn / (fn + tp)),
        "confusion": {"real_as_real": tn, "real_as_fake": fp, "fake_as_real": fn, "fake_as_fake": tp},
    }


def eer_of_roc(label, score) -> float:
    """Where the ROC curve, drawn with straight lines, meets the falling diagonal."""
    false, true, _ = reference.roc_curve(label, score)
    length = np.r_[0, np.cumsum(np.hypot(np.diff(false), np.diff(true)))]  # along the curve: it has upright pieces
    meets = brentq(lambda at: np.interp(at, length, false) - 1 + np.interp(at, length, true), 0, length[-1])
    return float(np.interp(meets, length, false))


def test_the_metrics_by_pencil():
    found = of_videos(videos([0, 0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.4, 0.9]))
    assert found == {
        "count": 6,
        "auc": pytest.approx(7 / 8),  # of 8 pairs of a real and a fake, one is the wrong way round
        "ap": pytest.approx((1 + 2 / 3) / 2),  # precision at each fake, best first
        "eer": pytest.approx(0.25),
        "accuracy": pytest.approx(4 / 6),
        "balanced_accuracy": pytest.approx((3 / 4 + 1 / 2) / 2),
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "false_positive_rate": 0.25,
        "false_negative_rate": 0.5,
        "confusion": {"real_as_real": 3, "real_as_fake": 1, "fake_as_real": 1, "fake_as_fake": 1},
    }


@pytest.mark.parametrize(
    ("labels", "scores", "rate"),
    [
        ([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9], 0.0),
        ([1, 1, 0, 0], [0.1, 0.4, 0.6, 0.9], 1.0),  # each one wrong
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], 0.5),  # nothing tells
        ([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], 0.5),
        ([0] * 4 + [1] * 4, [0.1, 0.2, 0.3, 0.7, 0.5, 0.8, 0.9, 1.0], 0.25),
        ([0, 0, 0, 1], [0.1, 0.2, 0.8, 0.5], 1 / 3),
        ([0, 1, 1], [0.5, 0.5, 0.9], 1 / 3),  # between (0, 1/2) and (1, 1)
    ],
)
def test_the_equal_error_rate_of_few_scores(labels, scores, rate):
    assert equal_error_rate(np.array(labels), np.array(scores)) == pytest.approx(rate)


def test_the_decisions_are_those_of_the_frozen_threshold():
    found = of_videos(videos([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9], verdict=["fake"] * 4))
    assert (found["auc"], found["accuracy"], found["false_positive_rate"]) == (1.0, 0.5, 1.0)


def test_one_threshold_too_high_accuses_nobody():
    found = of_videos(videos([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]))
    assert (found["auc"], found["recall"], found["f1"], found["precision"]) == (1.0, 0.0, 0.0, None)


ROC = {"auc", "ap", "eer", "balanced_accuracy"}  # want both classes


@pytest.mark.parametrize(
    ("label", "undefined"),
    [
        (0, ROC | {"recall", "false_negative_rate", "precision", "f1"}),  # rightly, none is called fake
        (1, ROC | {"false_positive_rate"}),
    ],
)
def test_what_one_class_leaves_undefined_is_none_and_not_0(label, undefined):
    found = of_videos(videos([label] * 3, [0.9 * label, 0.8 * label, 0.7 * label]))
    assert {name for name, figure in found.items() if figure is None} == undefined
    assert (found["count"], found["accuracy"]) == (3, 1.0)


def test_of_no_video_nothing_can_be_said():
    table = videos([0, 1], [np.nan, np.nan], status="no_face", verdict=None)
    found = metrics(table, P)
    assert {name for name, figure in found["video"].items() if figure is not None} == {"count", "confusion"}
    assert found["video"]["count"] == found["sequence"]["count"] == 0
    assert set(found["video"]["confusion"].values()) == {0}
    assert found["order"] == {"auc_shuffled": None, "drop": None}
    assert found["baselines"] == {name: {"auc": None} for name in BASELINES}
    assert found["coverage"]["missing"] == {"no_face": 2}


# ---- the whole table


def test_videos_are_counted_once_and_sequences_each():
    table = pd.concat([PERFECT, PERFECT.iloc[[0, 2]].assign(sequence=1, logit=[0.95, 0.05])])
    found = metrics(table, P)
    assert found["video"] == of_videos(PERFECT) | {"auc_interval": interval(PERFECT, P)}
    assert found["sequence"]["count"] == 6
    assert found["sequence"]["auc"] == pytest.approx(reference.roc_auc_score(table["label"], table["logit"]))
    assert found["sequence"]["ap"] == pytest.approx(reference.average_precision_score(table["label"], table["logit"]))


def test_the_order_of_the_frames_is_worth_what_shuffling_loses():
    found = metrics(PERFECT.assign(shuffled=[0.1, 0.6, 0.4, 0.9]), P)
    assert found["order"] == {"auc_shuffled": 0.75, "drop": 0.25}


def test_a_baseline_is_measured_on_the_videos_that_the_detector_scored():
    table = PERFECT.assign(metadata=[0.1, 0.9, 0.2, 0.8], sharpness=[0.9, 0.8, 0.2, 0.1])
    lost = videos([0], [np.nan], video_id=["lost.mp4"], verdict=None, metadata=[1.0])
    found = metrics(pd.concat([table, lost]), P)
    assert found["baselines"] == {"metadata": {"auc": 0.5}, "frame_difference": {"auc": 0.5}, "sharpness": {"auc": 0.0}}


def test_videos_without_a_score_are_counted_by_reason():
    status = ["ok", "truncated", "no_face", "no_face", "decode_error"]
    table = videos([0, 1, 0, 1, 1], [0.1, 0.9, *[np.nan] * 3], status=status)
    assert coverage(table) == {
        "expected": 5,
        "scored": 2,
        "scored_real": 0.5,
        "scored_fake": pytest.approx(1 / 3),
        "missing": {"decode_error": 1, "no_face": 2},
    }
    assert coverage(PERFECT.iloc[:2])["scored_fake"] is None  # no fake was expected
    assert metrics(table, P)["video"]["count"] == 2


def test_the_metrics_are_those_of_the_table_as_it_is_written(tmp_path):
    lost = videos([0, 1], [np.nan, np.nan], video_id=["007", "NA"], status=["no_face", "decode_error"], verdict=None)
    table = pd.concat([random(), lost], ignore_index=True)
    tables.write(tmp_path / "predictions.csv", table)
    again = read(tmp_path / "predictions.csv")
    assert again["video_id"].tolist() == table["video_id"].tolist()
    assert metrics(again, P) == metrics(table, P)
    for name, curve in curves(table).items():
        assert curves(again)[name].to_dict("list") == curve.to_dict("list")


# ---- baselines


def prepared(count: int = 80, seed: int = 0, **columns) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """videos, kept and splits: noise that tells nothing of the label, each video a group, but for the columns given."""
    rng = np.random.default_rng(seed)
    names = [f"v{i:03d}.mp4" for i in range(count)]
    listed = pd.DataFrame({"video_id": names} | {name: rng.normal(100, 10, count) for name in METADATA})
    sizes = {"difference": rng.normal(5, 1, 2 * count), "sharpness": rng.normal(50, 9, 2 * count), "reason": ""}
    kept = pd.DataFrame({"video_id": np.repeat(names, 2)} | sizes)
    dealt = pd.DataFrame({"video_id": names, "label": rng.permutation(np.arange(count) % 2), "group": names})
    dealt["split"] = np.where(np.arange(count) % 4 < 2, "train", "test")
    return listed.assign(**columns), kept, dealt


def test_the_baselines_look_at_the_good_faces_of_the_usable_videos():
    listed, kept, dealt = prepared(4)
    kept["sharpness"], kept["difference"] = [1.0, 3, 50, 8, 4, 4, 7, 7], [np.nan, 2.0, 3, 3, np.nan, np.nan, 1, 1]
    kept["reason"] = ["", "", "blurred", "", "", "", "small", "blurred"]
    features = baseline_features(listed, kept, dealt)
    assert features.index.tolist() == dealt["video_id"].tolist()[:3]  # the last one has no good face
    assert features["sharpness"].tolist() == [2, 8, 4]
    assert features["difference"].tolist() == [2, 3, 0]  # of a single face there is none
    assert features["label"].tolist() == dealt["label"].tolist()[:3]
    assert features["bitrate"].tolist() == listed["bitrate"].tolist()[:3]


def test_the_baselines_are_fitted_on_train_alone():
    features = baseline_features(*prepared())
    before = baseline_scores(features)
    test = features["split"] != "train"
    changed = features.assign(label=features["label"].where(~test, 1 - features["label"]))
    pd.testing.assert_frame_equal(baseline_scores(changed), before)
    changed.loc[test, [*METADATA, "sharpness", "difference"]] += 1000
    pd.testing.assert_frame_equal(baseline_scores(changed)[~test], before[~test])
    other = features.assign(label=features["label"].where(test, 1 - features["label"]))
    pd.testing.assert_frame_equal(baseline_scores(other), 1 - before, atol=1e-4)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_finds_what_gives_the_fakes_away(name):
    features = baseline_features(*prepared())
    features[BASELINES[name][0]] += 100 * features["label"]
    scores, test = baseline_scores(features), features["split"] == "test"
    found = {column: reference.roc_auc_score(features["label"][test], scores[column][test]) for column in scores}
    assert found.pop(name) == 1.0
    assert max(found.values()) < 0.75
    assert scores[name].between(0, 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_metadata_without_meaning_tell_nothing(seed):
    assert metadata_auc(baseline_features(*prepared(400, seed))) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", METADATA)
def test_a_single_number_of_the_file_that_tells_is_a_leak(name):
    listed, kept, dealt = prepared()
    listed[name] += 100 * dealt["label"]
    assert metadata_auc(baseline_features(listed, kept, dealt)) > 0.95


def test_what_tells_the_group_is_no_leak():
    features = baseline_features(*prepared(400))
    features["group"] = [f"{label}{i % 5}" for i, label in enumerate(features["label"])]
    names = sorted(set(features["group"]))  # ten
    marks = pd.DataFrame(np.random.default_rng(0).normal(size=(10, len(METADATA))), names, list(METADATA))
    features[list(METADATA)] = marks.loc[features["group"]].to_numpy()
    alone = features.assign(group=features.index)  # now the people of the test were seen in training
    assert metadata_auc(alone) > 0.95
    assert metadata_auc(features) < 0.75


@pytest.mark.parametrize(("groups", "known"), [(4, False), (5, True)])
def test_with_less_than_five_groups_in_a_class_a_leak_is_not_measured(groups, known):
    features = baseline_features(*prepared())
    features["group"] = [f"{label}{i % groups}" for i, label in enumerate(features["label"])]
    assert (metadata_auc(features) is not None) == known


# ---- curves


def test_the_curves_are_those_of_scikit_learn():
    table = random()
    found = curves(pd.concat([table, table.assign(sequence=1), videos([1], [np.nan], video_id=["lost"], verdict=None)]))
    false, true, _ = reference.roc_curve(table["label"], table["score"])
    assert found["roc"].to_numpy() == pytest.approx(np.stack([false, true], 1))
    precision, recall, _ = reference.precision_recall_curve(table["label"], table["score"])
    assert sorted(found["pr"].to_numpy().tolist()) == sorted(np.stack([recall, precision], 1).tolist())
    assert found["pr"]["recall"].is_monotonic_increasing
    assert reference.auc(found["roc"]["false_positive_rate"], found["roc"]["true_positive_rate"]) == pytest.approx(
        of_videos(table)["auc"]
    )


def test_the_plotted_tables_have_a_row_for_each_scored_video():
    found = curves(pd.concat([PERFECT, PERFECT.assign(sequence=1), videos([1], [np.nan], video_id=["lost"])]))
    assert found["confusion"].to_dict("list") == {
        "actual": ["real", "real", "fake", "fake"],
        "predicted": ["real", "real", "fake", "fake"],
    }
    assert found["scores"]["score"].tolist() == [0.1, 0.4, 0.6, 0.9]
    assert found["scores"]["label"].tolist() == ["real", "real", "fake", "fake"]


def test_one_class_has_no_curve():
    found = curves(PERFECT.iloc[:2])
    assert (len(found["roc"]), len(found["pr"]), len(found["confusion"])) == (0, 0, 2)
    for name in ("roc", "pr"):
        assert found[name].columns.tolist() == curves(PERFECT)[name].columns.tolist()


# ---- intervals, ensembles


def people(count: int, gap: float, each: int = 1, seed: int = 0) -> pd.DataFrame:
    """For each person, `each` reals and fakes with normal scores, the fakes higher by `gap`."""
    rng = np.random.default_rng(seed)
    label = np.tile([0, 1], count * each)
    score = rng.normal(size=2 * count * each) + gap * label
    return pd.DataFrame({"label": label, "score": score, "group": np.repeat(np.arange(count), 2 * each)})


def test_an_interval_is_that_of_a_bootstrap_by_weights():
    table = people(12, 1.0, each=2).assign(score=lambda t: t["score"].round(1))  # with ties
    rng, aucs = np.random.default_rng(0), []
    for times in rng.multinomial(12, np.full(12, 1 / 12), P.resamples):
        weights = times[table["group"]]
        aucs.append(reference.roc_auc_score(table["label"], table["score"], sample_weight=weights))
    low, high = np.percentile(aucs, (2.5, 97.5))
    assert interval(table, P) == pytest.approx({"low": low, "high": high})


def test_an_interval_holds_the_truth_nineteen_times_of_twenty():
    truth = 0.7602  # of normal scores that are 1 apart: Phi(1 / sqrt(2))
    inside = [interval(people(60, 1.0, seed=seed), P) for seed in range(100)]
    assert 88 <= sum(i["low"] <= truth <= i["high"] for i in inside) <= 99


def test_videos_of_one_person_stand_and_fall_together():
    many = people(10, 1.0)
    copied = pd.concat([many] * 5)  # five times the videos, not the people
    assert interval(copied, P) == pytest.approx(interval(many, P))


def test_one_person_has_no_interval():
    assert interval(people(1, 1.0, each=5), P) is None


def test_the_members_of_an_ensemble_are_measured_beside_it():
    table = PERFECT.assign(member_0=[0.1, 0.6, 0.4, 0.9], member_1=PERFECT["score"])
    assert metrics(table, P)["members"]["auc"] == {
        "member_0": 0.75,
        "member_1": 1.0,
        "mean": 0.875,
        "deviation": pytest.approx(np.std([0.75, 1.0], ddof=1)),
    }
    assert "members" not in metrics(PERFECT, P)


def test_reals_alone_teach_a_baseline_nothing():
    numbers = dict.fromkeys({name for names in BASELINES.values() for name in names}, 1.0)
    features = pd.DataFrame([{"label": 0, "group": f"g{i}", "split": "train"} | numbers for i in range(12)])
    assert baseline_scores(features).isna().all(axis=None)
    assert metadata_auc(features) is None
    unknown = PERFECT.assign(**dict.fromkeys(BASELINES, np.nan))
    assert metrics(unknown, P)["baselines"] == {name: {"auc": None} for name in BASELINES}
