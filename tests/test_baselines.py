"""baselines: a few numbers fitted on train alone, and what they give away."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from deepfake.measures import baselines
from deepfake.measures.baselines import BASELINES, METADATA


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


def over_all(features: pd.DataFrame) -> float | None:
    return baselines.auc_over_all(features, "metadata")


def test_the_baselines_look_at_the_good_faces_of_the_usable_videos():
    listed, kept, dealt = prepared(4)
    kept["sharpness"], kept["difference"] = [1.0, 3, 50, 8, 4, 4, 7, 7], [np.nan, 2.0, 3, 3, np.nan, np.nan, 1, 1]
    kept["reason"] = ["", "", "blurred", "", "", "", "small", "blurred"]
    features = baselines.features(listed, kept, dealt)
    assert features.index.tolist() == dealt["video_id"].tolist()[:3]  # the last one has no good face
    assert features["sharpness"].tolist() == [2, 8, 4]
    assert features["difference"].tolist() == [2, 3, 0]  # of a single face there is none
    assert features["label"].tolist() == dealt["label"].tolist()[:3]
    assert features["bitrate"].tolist() == listed["bitrate"].tolist()[:3]


def test_the_baselines_are_fitted_on_train_alone():
    features = baselines.features(*prepared())
    before = baselines.scores(features)
    test = features["split"] != "train"
    changed = features.assign(label=features["label"].where(~test, 1 - features["label"]))
    pd.testing.assert_frame_equal(baselines.scores(changed), before)
    changed.loc[test, [*METADATA, "sharpness", "difference"]] += 1000
    pd.testing.assert_frame_equal(baselines.scores(changed)[~test], before[~test])
    other = features.assign(label=features["label"].where(test, 1 - features["label"]))
    pd.testing.assert_frame_equal(baselines.scores(other), 1 - before, atol=1e-4)


@pytest.mark.parametrize("number", ["bitrate", "frames", "difference", "sharpness"])
def test_a_baseline_finds_what_gives_the_fakes_away(number):
    features = baselines.features(*prepared())
    features[number] += 100 * features["label"]
    scores, test = baselines.scores(features), features["split"] == "test"
    aucs = {column: reference.roc_auc_score(features["label"][test], scores[column][test]) for column in scores}
    assert {name for name, auc in aucs.items() if auc == 1.0} == {
        n for n, numbers in BASELINES.items() if number in numbers
    }
    assert all(auc < 0.75 for auc in aucs.values() if auc < 1)
    assert scores.stack().between(0, 1).all()


def test_two_numbers_that_tell_nothing_alone_tell_all_together():
    features = baselines.features(*prepared(400))
    features["difference"] = np.random.default_rng(0).normal(0, 5, 400)
    features["sharpness"] = features["difference"] + 3 * features["label"]
    scores, test = baselines.scores(features), features["split"] == "test"
    aucs = {column: reference.roc_auc_score(features["label"][test], scores[column][test]) for column in scores}
    assert max(aucs["frame_difference"], aucs["sharpness"]) < 0.75
    assert min(aucs["difference_and_sharpness"], aucs["everything"]) > 0.99


@pytest.mark.parametrize("seed", range(3))
def test_metadata_without_meaning_tell_nothing(seed):
    assert over_all(baselines.features(*prepared(400, seed))) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", METADATA)
def test_a_single_number_of_the_file_that_tells_is_a_leak(name):
    listed, kept, dealt = prepared()
    listed[name] += 100 * dealt["label"]
    assert over_all(baselines.features(listed, kept, dealt)) > 0.95


def test_what_tells_the_group_is_no_leak():
    features = baselines.features(*prepared(400))
    features["group"] = [f"{label}{i % 5}" for i, label in enumerate(features["label"])]
    names = sorted(set(features["group"]))  # ten
    marks = pd.DataFrame(np.random.default_rng(0).normal(size=(10, len(METADATA))), names, list(METADATA))
    features[list(METADATA)] = marks.loc[features["group"]].to_numpy()
    alone = features.assign(group=features.index)  # now the people of the test were seen in training
    assert over_all(alone) > 0.95
    assert over_all(features) < 0.75


@pytest.mark.parametrize(("groups", "known"), [(4, False), (5, True)])
def test_with_less_than_five_groups_in_a_class_a_leak_is_not_measured(groups, known):
    features = baselines.features(*prepared())
    features["group"] = [f"{label}{i % groups}" for i, label in enumerate(features["label"])]
    assert (over_all(features) is not None) == known


def test_reals_alone_teach_a_baseline_nothing():
    numbers = dict.fromkeys({name for names in BASELINES.values() for name in names}, 1.0)
    features = pd.DataFrame([{"label": 0, "group": f"g{i}", "split": "train"} | numbers for i in range(12)])
    assert baselines.scores(features).isna().all(axis=None)
    assert over_all(features) is None
