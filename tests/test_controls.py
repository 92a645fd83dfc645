"""controls: planted faults are found by name, and where there is none, none is found."""

import numpy as np
import pandas as pd
import pytest

from deepfake import controls, video
from deepfake.base import items
from deepfake.base.params import Params
from deepfake.controls import Control, ControlsParams
from deepfake.measures import background
from deepfake.split import leaks

LOOKS = np.random.default_rng(0).bytes(128).hex()  # of a video, as extract writes it
P = ControlsParams(seed=0, resamples=200)


def listed(**columns) -> pd.DataFrame:
    """A hundred videos of fifty people, a real and a fake of each, whose files tell nothing."""
    rng = np.random.default_rng(0)
    table = {"video_id": [f"v{i:03d}" for i in range(100)], "label": np.arange(100) % 2, "group": np.arange(100) // 2}
    table |= {"fps": rng.choice([24.0, 25.0, 30.0], 100), "bitrate": rng.normal(1000, 100, 100), "codec": "h264"}
    table |= {"source": np.where(np.arange(100) % 2, [f"v{i - 1:03d}" for i in range(100)], "")}
    table |= {"split": np.repeat(["train", "val", "test", "train"], 25), "dataset": "", "identities": "", "kept": 1}
    return pd.DataFrame(table | {"sha256": [f"{i}" for i in range(100)]} | columns)


def files(table: pd.DataFrame) -> dict[str, Control]:
    results = controls.metadata(table.drop(columns=["group", "split"]), table, P)
    return {control.name.removeprefix("metadata: "): control for control in results}


# ---- sides


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"identities": ["anna", "ben", "anna"]}, "anna"),  # an identity on both sides
        ({"identities": ["anna", "ben", "carl+anna"]}, "anna"),  # a fake that shares only its source identity
        ({"source": ["", "", "a"]}, "a"),  # a fake of a real of the other side
        ({"sha256": ["1", "2", "1"]}, "twin"),  # the same file under another name
        ({"fingerprint": [LOOKS, "", f"f{LOOKS[1:]}"]}, "copies: a in train and c in test"),  # encoded anew
    ],
)
def test_what_is_on_two_sides_is_found_by_name(columns, text):
    table = {"video_id": ["a", "b", "c"], "label": [0, 0, 1], "dataset": "", "identities": "", "source": "", "kept": 1}
    table |= {"sha256": ["1", "2", "3"], "split": ["train", "train", "test"]}
    assert controls.sides(leaks(pd.DataFrame(table))).fine
    control = controls.sides(leaks(pd.DataFrame(table | columns)))
    assert not control.fine
    assert text in control.finding


def test_faces_of_two_names_that_look_like_one_are_named_and_left_to_people():
    assert controls.faces(None).fine is None
    pairs = pd.DataFrame({"one": ["a"], "split": ["train"], "other": ["b"], "other_split": ["test"], "distance": [0.2]})
    assert controls.faces(pairs.head(0)).fine
    control = controls.faces(pairs)
    assert control.fine is None
    assert "a (train) and b (test)" in control.finding


# ---- fitted on the test


def test_a_calibrator_fitted_on_the_test_is_found_by_name():
    table = listed()
    fitted = table[table["split"] == "val"][["video_id"]]
    assert controls.fitted_on(fitted, table).fine
    wrong = controls.fitted_on(pd.concat([fitted, pd.DataFrame({"video_id": ["v060"]})]), table)
    assert not wrong.fine
    assert wrong.finding == "fitted on videos that are not of validation: v060 (test)"


def test_a_threshold_taken_from_the_test_is_found_by_name():
    scored = pd.DataFrame({"video_id": list("abc"), "score": [0.4, 0.5, np.nan], "verdict": ["real", "fake", None]})
    assert controls.threshold(scored).fine
    assert controls.threshold(scored.assign(verdict=["real", "inconclusive", None])).fine  # unlike the training data
    wrong = controls.threshold(scored.assign(verdict=["fake", "fake", None]))
    assert not wrong.fine
    assert wrong.finding == "verdicts of another threshold than 0.5: a"


# ---- shortcuts


def test_a_dataset_whose_files_tell_nothing_is_fine():
    results = files(listed())
    assert set(results) == {"fps", "bitrate", "codec"}
    assert all(control.fine for control in results.values())
    assert results["codec"].finding == "the same for all"


@pytest.mark.parametrize(
    ("name", "fake", "real"),
    [("fps", 25.0, [24.0, 30.0]), ("codec", "vp9", ["h264", "av1"]), ("bitrate", 300.0, [900.0])],
)
def test_a_dataset_whose_fakes_share_a_mark_is_found_by_its_name(name, fake, real):
    marks = [fake if label else real[i % len(real)] for i, label in enumerate(np.arange(100) % 2)]
    results = files(listed(**{name: marks}))
    assert results[name].fine is False
    assert results[name].finding.startswith("AUC 1.000")
    assert all(control.fine for other, control in results.items() if other != name)


@pytest.mark.parametrize("groups", [5, 6, 9])
@pytest.mark.parametrize("each", [2, 4])
def test_a_perfect_shortcut_is_one_of_however_few_people(groups, each):
    label = np.arange(groups * each) % 2
    table = pd.DataFrame({"label": label, "group": np.arange(groups * each) // each, "fps": 30.0 - 5 * label})
    control = controls.told("fps", table, ["fps"], P)
    assert control.fine is False
    assert control.finding.startswith("AUC 1.000")


def test_what_tells_a_little_of_few_people_is_left_open():
    label = np.arange(20) % 2
    fps = np.where(np.arange(20) % 10 < 4, 25.0, 30.0 - 5 * label)  # of three in five people it tells
    table = pd.DataFrame({"label": label, "group": np.arange(20) // 2, "fps": fps})
    control = controls.told("fps", table, ["fps"], P)
    assert control.fine is None
    assert control.finding.endswith("by itself: too few people to say")
    many = pd.concat([table.assign(group=table["group"] + 10 * i) for i in range(10)])
    assert controls.told("fps", many, ["fps"], P).fine is False


@pytest.mark.parametrize("column", ["fps", "codec"])
@pytest.mark.parametrize("label", [0, 1])
def test_what_is_known_of_one_class_alone_is_a_shortcut(column, label):
    table = listed()
    table[column] = table[column].astype(object).where(table["label"] == label, "" if column == "codec" else np.nan)
    control = files(table)[column]
    assert control.fine is False
    assert control.finding == f"known of 100% of the {('reals', 'fakes')[label]} and of no {('fake', 'real')[label]}"
    table[column] = table[column].where(table.index < 10, "" if column == "codec" else np.nan)  # of hardly any
    assert files(table)[column].fine is None


def test_too_few_people_leave_it_open():
    table = listed().iloc[:8]
    assert {control.fine for control in files(table).values()} == {None}


def test_fakes_that_are_told_by_their_background_are_found():
    rng = np.random.default_rng(0)
    table = listed()[["video_id", "label", "group"]].assign(noise=rng.normal(size=100), red=rng.normal(size=100))
    assert controls.background(table, P).fine
    assert controls.background(table.assign(red=table["red"] + 3 * table["label"]), P).fine is False


def test_the_background_is_what_no_face_covers(noise):
    image = np.zeros((96, 128, 3), np.uint8)
    image[:, :64] = noise.reshape(-1, 64, 3)[:96]
    left, right = [0.0, 0.0, 60.0, 96.0], [64.0, 0.0, 64.0, 96.0]
    assert background.numbers(image, [left, right]) is None
    plain, busy = background.numbers(image, [left]), background.numbers(image[:, ::-1].copy(), [left])
    assert plain["noise"] == plain["sharpness"] == plain["contrast"] == 0
    assert busy["noise"] > 20
    assert set(plain) == set(background.NUMBERS)
    changed = image.copy()
    changed[20:40, 20:40] = 255  # a change within a face changes nothing
    assert background.numbers(changed, [left]) == plain


def test_a_file_written_in_blocks_has_stronger_edges_there():
    rng = np.random.default_rng(0)
    smooth = np.repeat(rng.integers(90, 160, (96, 128, 1)), 3, 2).astype(np.uint8)
    blocked = np.kron(rng.integers(60, 190, (12, 16, 1)), np.ones((8, 8, 3))).astype(np.uint8)
    assert background.numbers(smooth, [])["blocks"] == pytest.approx(1, abs=0.1)
    assert background.numbers(blocked, [])["blocks"] > 5


def test_the_background_of_a_video_is_the_mean_of_some_frames(tmp_path, noise):
    with video.recording(tmp_path / "a.mkv") as record:
        for i, image in enumerate(noise):
            record(image, i / 25)
    kept = pd.DataFrame({"video_id": "a", "frame": range(12), "left": 0.0, "top": 0.0, "width": 10.0, "height": 10.0})
    [todo] = background.items(kept, tmp_path)
    assert list(todo.args["boxes"]) == ["0", "4", "7", "11"]
    [result] = items.make([todo], background.work, Params(), label="background")
    each = [background.numbers(noise[i], [[0.0, 0.0, 10.0, 10.0]])["red"] for i in (0, 4, 7, 11)]
    assert result.result["red"] == pytest.approx(np.mean(each), rel=0.01)


# ---- the filter


def faces(drop) -> pd.DataFrame:
    """Ten faces of each video, so many of them dropped."""
    table = listed()
    rows = [
        (v, "small" if i < drop(label) else "")
        for v, label in zip(table["video_id"], table["label"], strict=True)
        for i in range(10)
    ]
    return pd.DataFrame(rows, columns=["video_id", "reason"])


def test_a_filter_that_drops_fakes_only_is_found():
    fair = controls.dropped(faces(lambda label: 2), listed())
    assert [control.fine for control in fair] == [True, True]
    results = controls.dropped(faces(lambda label: 4 * label), listed())
    assert [(control.name, control.fine) for control in results] == [("filter", False), ("filter by pairs", False)]
    assert results[0].finding == "drops 40.0% of the fakes' faces, 0.0% of the reals'"
    assert results[1].finding.startswith("drops +40.0% [+40.0%, +40.0%] more")


def test_without_fakes_that_name_their_real_pairs_are_left_open():
    results = controls.dropped(faces(lambda label: 2), listed(source=""))
    assert [control.fine for control in results] == [True, None]


# ---- the detector


def figures(low: float | None, repeated: float | None = -0.05) -> dict:
    drops = {"shuffled": low, "reversed": low, "repeated": repeated}
    order = {name: {"drop": 0.1, "drop_low": own, "drop_high": 0.2} for name, own in drops.items()}
    return {"order": order, "video": {"auc": 0.8, "auc_low": 0.7, "auc_high": 0.9}}


def network(**settings) -> dict:
    """One that reads frames in order, but for the settings given."""
    usual = {"encoder": "cnn", "thumbnails": 1, "sequence": "frames", "motion": False, "head": "lstm", "frames": 4}
    return usual | settings


@pytest.mark.parametrize(
    ("lows", "fine", "sentence"),
    [
        ((0.05,), True, "shuffled, reversed frames cost more than noise"),
        ((0.05, 0.1), True, "shuffled, reversed frames cost more than noise; more than one frame matters"),
        ((-0.05,), False, "the order of the frames is ignored"),
        ((0.0, 0.1), False, "the order of the frames is ignored; more than one frame matters"),
        ((None,), None, "it cannot be told: the drop has no interval"),
        ((None, 0.1), None, "it cannot be told: the drop has no interval"),
    ],
)
def test_what_sees_the_order_of_the_frames_and_ignores_it_is_found(lows, fine, sentence):
    assert controls.order(figures(*lows), network()) == Control("order", fine, sentence)


@pytest.mark.parametrize(
    ("settings", "sees"),
    [
        ({}, True),
        ({"frames": 1}, False),
        ({"head": "mean"}, False),
        ({"head": "attention"}, False),
        ({"head": "mean", "motion": True}, True),
        ({"head": "mean", "encoder": "video"}, True),
        ({"head": "mean", "thumbnails": 2}, True),
        ({"head": "lstm", "sequence": "positions"}, False),  # the head reads places of one frame
    ],
)
def test_a_network_sees_order_by_what_it_is_made_of(settings, sees):
    assert controls.sees_order(network(**settings)) is sees
    blind = Control("order", True, "the network sees no order of the frames")
    assert (controls.order(figures(-0.05), network(**settings)) == blind) is not sees


def test_labels_that_were_shuffled_may_teach_nothing():
    assert controls.shuffled_labels(figures(0.1), {"shuffle_labels": False}).fine is None
    assert controls.shuffled_labels(figures(0.1), {"shuffle_labels": True}).fine is False
    chance = {"video": {"auc": 0.52, "auc_low": 0.4, "auc_high": 0.6}}
    assert controls.shuffled_labels(chance, {"shuffle_labels": True}).fine


@pytest.mark.parametrize(("low", "fine"), [(0.01, True), (-0.01, False), (None, None)])
def test_a_detector_has_to_add_to_the_best_shortcut(low, fine):
    best = {"name": "frame_difference", "auc": 0.7, "gain": 0.05, "gain_low": low, "gain_high": 0.1}
    control = controls.gain({"best_baseline": best})
    assert control.fine is fine
    assert fine is None or "frame difference, AUC 0.700" in control.finding


def test_what_is_wrong_is_said_by_name():
    results = [Control("a", True, "x"), Control("fps", False, "AUC 1.000 by itself"), Control("c", None, "y")]
    summary = controls.summary(results)
    assert summary["verdict"] == "1 of 3 controls find nothing wrong. Wrong: fps: AUC 1.000 by itself. Open: c."
    assert (summary["wrong"], summary["open"]) == (1, 1)
