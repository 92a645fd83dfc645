"""evaluate: every figure is that of the tables as written; what cannot be said is None with its reason, never 0."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from deepfake import evaluate
from deepfake.base import tables
from deepfake.base.errors import UserError
from deepfake.dataset.videos import read
from deepfake.evaluate import Metrics, curves, metrics
from deepfake.measures.baselines import BASELINES
from deepfake.measures.coverage import as_chance, coverage, presentation_attack, too_few
from deepfake.measures.protocol import EvaluateParams, Extra, HeldOut

P = EvaluateParams(seed=0, resamples=100, shuffles=2, prevalence=0.1, min_coverage=0.5)
DISTURBED = ("shuffled_0", "shuffled_1", "reversed", "repeated")


def videos(labels: list[int], scores: list[float], **columns) -> pd.DataFrame:
    """Predictions, "fake" from .5 on, disturbed frames scored alike, but for the columns given."""
    usual = {
        "video_id": [f"v{i:03d}.mp4" for i in range(len(labels))],
        "label": labels,
        "group": [f"g{i // 2}" for i in range(len(labels))],
        "method": ["swap" if label else "" for label in labels],
        "dataset": "",
        "status": "ok",
        "score": scores,
        "verdict": ["fake" if score >= 0.5 else "real" for score in scores],
    }
    return pd.DataFrame(
        usual | dict.fromkeys(DISTURBED, scores) | {f"baseline_{name}": 0.5 for name in BASELINES} | columns
    )


def parts(predictions: pd.DataFrame, **columns) -> pd.DataFrame:
    """A track of one sequence of each scored video, scored as the video is, but for the columns given."""
    scored = predictions[predictions["score"].notna()][["video_id", "score", "verdict"]]
    moved = dict.fromkeys(("moved_shuffled", "moved_reversed", "moved_repeated"), 0.0)
    return scored.assign(**{"track": 0, "sequence": 0} | moved | columns).reset_index(drop=True)


def about(predictions: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"face_side": np.arange(len(predictions)) * 10.0}, predictions["video_id"])


def measured(predictions: pd.DataFrame, sequences: pd.DataFrame | None = None, p: EvaluateParams = P) -> Metrics:
    sequences = parts(predictions) if sequences is None else sequences
    return metrics(predictions, sequences, sequences, about(predictions), p)


def random(count: int = 60, seed: int = 0) -> pd.DataFrame:
    """Scores that tell a little, some of them equal."""
    rng = np.random.default_rng(seed)
    labels = np.r_[0, 1, rng.integers(0, 2, count - 2)]
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0.01, 0.99).round(2)
    return videos(
        labels.tolist(), scores.tolist(), **{f"baseline_{name}": rng.random(count).round(6) for name in BASELINES}
    )


PERFECT = videos([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9], group=list("abab"))


# ---- the whole


def test_videos_tracks_and_sequences_have_every_figure_with_its_interval():
    figures = measured(random())
    for level in ("video", "track", "sequence"):
        own = figures[level] | (figures["calibration"] if level == "video" else {})
        for name in ("auc", "ap", "eer", "mcc", "f1", "log_loss", "brier", "cllr", "precision_at_prevalence"):
            assert own[f"{name}_low"] <= own[name] <= own[f"{name}_high"], (level, name)
        assert {"ece", "min_cllr", "tpr_at_fpr_1", "tpr_at_fpr_5", "undefined", "confusion"} <= set(own)
    table = random()
    assert figures["video"]["auc"] == pytest.approx(reference.roc_auc_score(table["label"], table["score"]))
    assert figures["calibration"]["log_loss"] == pytest.approx(reference.log_loss(table["label"], table["score"]))
    assert figures["calibration"]["ece_by_chance"] > 0


def test_videos_tracks_and_sequences_are_counted_apart():
    second = parts(PERFECT, track=1, score=[0.2, 0.3, 0.1, 0.8], verdict=["real", "real", "real", "fake"])
    tracks = pd.concat([parts(PERFECT), second], ignore_index=True)
    sequences = pd.concat([tracks, second.assign(sequence=1)], ignore_index=True)
    figures = metrics(PERFECT, tracks, sequences, about(PERFECT), P)
    assert [figures[level]["count"] for level in ("video", "track", "sequence")] == [4, 8, 12]
    assert figures["video"]["auc"] == 1
    for level, table in {"track": tracks, "sequence": sequences}.items():
        label = table["video_id"].map(PERFECT.set_index("video_id")["label"])
        assert figures[level]["auc"] == pytest.approx(reference.roc_auc_score(label, table["score"]))
        assert figures[level]["confusion"]["fake_as_real"] == (1 if level == "track" else 2)


def test_the_counts_and_the_confusion_are_those_of_the_verdicts():
    figures = measured(videos([0, 0, 0, 1, 1], [0.1, 0.6, 0.2, 0.9, 0.8], group=list("aabbc")))["video"]
    assert (figures["count"], figures["reals"], figures["fakes"], figures["groups"]) == (5, 3, 2, 3)
    assert figures["confusion"] == {"real_as_real": 2, "real_as_fake": 1, "fake_as_real": 0, "fake_as_fake": 2}


@pytest.mark.parametrize("label", [0, 1])
def test_of_one_class_what_wants_both_is_none_and_says_why(label):
    figures = measured(videos([label] * 4, [0.1, 0.4, 0.6, 0.9]))
    assert figures["video"]["auc"] is figures["best_baseline"]["name"] is None
    assert figures["video"]["undefined"]["auc"] == f"no {('fake', 'real')[label]} was scored"
    assert figures["video"]["accuracy"] == 0.5
    assert figures["baselines"]["sharpness"]["auc"] is None
    assert figures["order"]["shuffled"]["drop"] is None


def test_of_no_video_nothing_can_be_said():
    table = videos([0, 1], [np.nan, np.nan], status="no_face", verdict=None)
    figures = measured(table)
    assert figures["video"]["undefined"]["auc"] == "nothing was scored"
    assert figures["video"]["count"] == figures["sequence"]["count"] == 0
    assert set(figures["video"]["confusion"].values()) == {0}
    assert figures["order"]["repeated"] == {
        "auc": None,
        **dict.fromkeys(("drop", "drop_low", "drop_high", "logit_change")),
    }
    assert figures["coverage"]["missing"] == {"no_face": 2, "decode_error": 0, "too_short": 0, "filtered": 0}
    assert figures["best_baseline"]["gain"] is None


def test_the_metrics_are_those_of_the_table_as_it_is_written(tmp_path):
    lost = videos([0, 1], [np.nan, np.nan], video_id=["007", "NA"], status=["no_face", "decode_error"], verdict=None)
    table = pd.concat([random(), lost], ignore_index=True)
    tables.write(tmp_path / "predictions.csv", table)
    again = read(tmp_path / "predictions.csv")
    assert again["video_id"].tolist() == table["video_id"].tolist()
    assert measured(again) == measured(table)
    for name, curve in curves(table).items():
        assert curves(again)[name].to_dict("list") == curve.to_dict("list")


def test_the_metrics_are_the_same_bytes_each_time(tmp_path):
    for name in ("a", "b"):
        tables.write_metrics(tmp_path / name, measured(random()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# ---- order


def test_the_order_of_the_frames_is_worth_what_disturbing_it_loses():
    table = PERFECT.assign(shuffled_0=[0.1, 0.6, 0.4, 0.9], shuffled_1=[0.1, 0.4, 0.6, 0.9], repeated=0.5)
    moved = {"moved_shuffled": [1.0, 2, 3, 4], "moved_reversed": 0.0, "moved_repeated": [0.0, 0, 0, 2]}
    figures = measured(table, parts(PERFECT, **moved))["order"]
    assert {name: (values["auc"], values["drop"], values["logit_change"]) for name, values in figures.items()} == {
        "shuffled": (0.875, 0.125, 2.5),  # the mean of two shuffles
        "reversed": (1.0, 0.0, 0.0),
        "repeated": (0.5, 0.5, 0.5),
    }


def test_a_detector_that_needs_the_order_loses_more_than_noise_and_another_nothing():
    rng = np.random.default_rng(0)
    table = random(200)
    table["score"] = np.clip(0.3 + 0.4 * table["label"] + rng.normal(0, 0.1, 200), 0, 1)
    table = table.assign(**{name: rng.random(200) for name in DISTURBED[:2]}, reversed=table["score"], repeated=0.5)
    figures = measured(table)["order"]
    for name in ("shuffled", "repeated"):
        assert figures[name]["drop_low"] > 0.2, name
        assert figures[name]["drop_low"] < figures[name]["drop"] < figures[name]["drop_high"]
    assert figures["reversed"]["drop_low"] == figures["reversed"]["drop_high"] == 0


# ---- baselines, members


def test_a_baseline_is_measured_on_the_videos_that_the_detector_scored():
    table = PERFECT.assign(baseline_metadata=[0.1, 0.9, 0.2, 0.8], baseline_sharpness=[0.9, 0.8, 0.2, 0.1])
    lost = videos([0], [np.nan], video_id=["lost.mp4"], verdict=None, baseline_metadata=[1.0])
    figures = measured(pd.concat([table, lost]))["baselines"]
    assert {name: baseline["auc"] for name, baseline in figures.items()} == dict.fromkeys(BASELINES, 0.5) | {
        "sharpness": 0.0
    }
    assert figures["metadata"]["auc_low"] < 0.5 < figures["metadata"]["auc_high"]


def test_the_detector_is_compared_with_the_best_baseline_on_the_same_people():
    table = random(200)
    rng = np.random.default_rng(1)
    strong = np.clip(0.3 + 0.4 * table["label"] + rng.normal(0, 0.1, 200), 0, 1)
    beaten = measured(table.assign(score=strong, baseline_frame_difference=table["score"]))["best_baseline"]
    assert beaten["name"] == "frame_difference"
    assert beaten["gain"] == pytest.approx(reference.roc_auc_score(table["label"], strong) - beaten["auc"])
    assert 0 < beaten["gain_low"] < beaten["gain"] < beaten["gain_high"]
    matched = measured(table.assign(score=strong, baseline_sharpness=strong))["best_baseline"]
    assert matched["name"] == "sharpness"
    assert matched["gain_low"] == matched["gain_high"] == 0
    shortcut = measured(table.assign(baseline_everything=strong))["best_baseline"]
    assert shortcut["gain_high"] < 0


def test_where_reals_alone_were_learnt_from_there_is_no_baseline():
    figures = measured(PERFECT.assign(**{f"baseline_{name}": np.nan for name in BASELINES}))
    assert {baseline["auc"] for baseline in figures["baselines"].values()} == {None}
    assert set(figures["best_baseline"].values()) == {None}


def test_the_members_of_an_ensemble_are_measured_beside_it():
    table = PERFECT.assign(member_0=[0.1, 0.6, 0.4, 0.9], member_1=PERFECT["score"])
    assert measured(table)["members"]["auc"] == {
        "member_0": 0.75,
        "member_1": 1.0,
        "mean": 0.875,
        "deviation": pytest.approx(np.std([0.75, 1.0], ddof=1)),
    }
    assert "members" not in measured(PERFECT)


def test_what_a_review_compares_is_few_and_nothing_is_lost():
    figures = measured(random(200))
    deciding, rest = evaluate.parted(figures)
    assert deciding | rest == figures
    assert {"video", "calibration", "coverage", "by_method", "worst_slice"} <= set(deciding)
    assert {"track", "sequence", "baselines"} <= set(rest)
    assert not set(deciding) & set(rest)


# ---- coverage


def test_videos_without_a_score_are_counted_by_reason():
    status = ["ok", "truncated", "no_face", "too_few_faces", "missing", "strange"]
    table = videos([0, 1, 0, 1, 1, 1], [0.1, 0.9, *[np.nan] * 4], status=status, verdict=["real", "fake", *[None] * 4])
    figures = coverage(table)
    assert (figures["expected"], figures["scored"], figures["ok"]) == (6, 2, pytest.approx(1 / 3))
    assert (figures["ok_real"], figures["ok_fake"]) == (0.5, 0.25)
    assert figures["missing"] == {"no_face": 1, "decode_error": 1, "too_short": 0, "filtered": 1, "strange": 1}
    assert coverage(PERFECT.iloc[:2])["ok_fake"] is None  # no fake was expected
    assert measured(table)["video"]["count"] == 2


def test_what_is_missing_counts_as_the_toss_of_a_coin():
    lost = videos([0, 1], [np.nan, np.nan], video_id=["x", "y"], verdict=None, status="no_face")
    figures = measured(pd.concat([PERFECT, lost], ignore_index=True))
    assert figures["video"]["auc"] == 1
    tossed = figures["coverage"]["as_chance"]
    assert tossed["auc"] == pytest.approx((4 + 5 / 2) / 9)  # of 9 pairs, five have a video without a score
    assert tossed["accuracy"] == pytest.approx((4 + 2 / 2) / 6)
    assert tossed["balanced_accuracy"] == pytest.approx((2 + 1 / 2) / 3)
    rng = np.random.default_rng(0)  # by many tosses
    both = random(100)
    both.loc[:29, ["score", "verdict"]] = [np.nan, None]
    tosses = [
        reference.roc_auc_score(both["label"], both["score"].fillna(pd.Series(rng.choice([-1, 2], 100))))
        for _ in range(4000)
    ]
    assert as_chance(both)["auc"] == pytest.approx(np.mean(tosses), abs=0.01)


@pytest.mark.parametrize("label", [0, 1])
def test_too_few_scored_of_either_class_fail_the_stage_and_say_why(label):
    table = random(40)
    table.loc[table["label"] == label, "score"] = np.nan
    table.loc[table["score"].isna(), "status"] = "no_face"
    figures = measured(table)
    with pytest.raises(
        UserError, match=f"0.0% of the {('real', 'fake')[label]} test videos .* is 50.0% .lost: .* no_face"
    ):
        too_few(figures, P.min_coverage)
    too_few(figures, 0.0)
    too_few(measured(random(40)), 1.0)


def test_too_few_scored_of_a_further_dataset_fail_the_stage_by_its_name():
    further = random(40)
    further.loc[further["label"] == 1, ["score", "status"]] = [np.nan, "no_face"]
    figures = measured(random(40)) | {"extra": {"celebdf": {"coverage": coverage(further)}}}
    with pytest.raises(UserError, match=r"0.0% of the fake celebdf videos .* is 50.0% .lost: .* no_face"):
        too_few(figures, P.min_coverage)


def test_the_words_of_the_standard_for_presentation_attacks():
    table = videos(
        [0, 0, 0, 0, 1, 1, 1, 1, 1],
        [0.1, 0.9, 0.2, np.nan, 0.9, 0.4, 0.3, 0.8, np.nan],
        method=["", "", "", "", "swap", "swap", "blend", "", "blend"],
    )
    table["verdict"] = np.where(table["score"].isna(), None, table["verdict"])
    assert presentation_attack(table) == {
        "apcer": {"blend": 1.0, "swap": 0.5, "unnamed": 0.0},
        "apcer_worst": 1.0,
        "bpcer": pytest.approx(1 / 3),
        "apnrr": pytest.approx(1 / 5),
        "bpnrr": 0.25,
    }


# ---- inconclusive


def unsure() -> pd.DataFrame:
    """Five reals and four fakes: one of each is inconclusive, and one real has no score."""
    table = videos([0] * 5 + [1] * 4, [0.1, 0.7, 0.3, 0.8, np.nan, 0.9, 0.2, 0.6, 0.4], group=list("ababaabab"))
    table["verdict"] = [*("real", "fake", "real", "inconclusive", None), *("fake", "real", "fake", "inconclusive")]
    return table


def test_all_figures_agree_on_who_was_called_what():
    figures, table = measured(unsure()), unsure()
    video = figures["video"]
    assert video["confusion"] == {"real_as_real": 2, "real_as_fake": 1, "fake_as_real": 1, "fake_as_fake": 2}
    assert video["inconclusive"] == {"reals": 1, "fakes": 1}
    assert video["false_positive_rate"] == figures["presentation_attack"]["bpcer"] == pytest.approx(1 / 3)
    assert video["false_negative_rate"] == pytest.approx(1 / 3)
    assert figures["presentation_attack"]["apcer"] == {"swap": pytest.approx(1 / 3)}
    assert (figures["presentation_attack"]["bpnrr"], figures["presentation_attack"]["apnrr"]) == (2 / 5, 1 / 4)
    drawn = curves(table)["confusion"].value_counts().to_dict()
    assert drawn == {
        **{("real", "real"): 2, ("real", "fake"): 1, ("real", "inconclusive"): 1},
        **{("fake", "real"): 1, ("fake", "fake"): 2, ("fake", "inconclusive"): 1},
    }
    scored = table[table["score"].notna()]
    assert video["auc"] == pytest.approx(reference.roc_auc_score(scored["label"], scored["score"]))  # all are ranked
    tossed = figures["coverage"]["as_chance"]
    assert tossed["accuracy"] == pytest.approx((4 + 3 / 2) / 9)
    assert figures["by_method"]["swap"]["abstained"] == 3
    assert "inconclusive              1 real, 1 fake" in evaluate.spoken(figures)


def test_a_further_dataset_that_is_all_unlike_the_training_has_no_error_rate():
    table = random().assign(verdict="inconclusive", dataset="wild", shared="")
    own = evaluate.further(table, P.model_copy(update={"extra": (Extra(root="wild", layout="folders"),)}))["extra"]
    assert own["wild"]["auc"] == measured(random())["video"]["auc"]
    assert own["wild"]["false_positive_rate"] is own["wild"]["balanced_accuracy"] is None
    assert own["wild"]["inconclusive"] == {"reals": own["wild"]["reals"], "fakes": own["wild"]["fakes"]}


# ---- held out


def test_what_training_has_seen_stands_apart_from_what_it_has_not():
    rng = np.random.default_rng(0)
    table = random(200)
    table["method"] = np.where(table["label"] == 1, np.where(np.arange(200) % 3, "swap", "new"), "")
    easy = np.clip(0.2 + 0.6 * table["label"] + rng.normal(0, 0.1, 200), 0, 1)
    table["score"] = np.where(table["method"] == "new", rng.random(200), easy)
    figures = measured(table, p=P.model_copy(update={"held_out": HeldOut(methods=("new",))}))
    reals, new = (table["label"] == 0), table["method"] == "new"
    assert (figures["seen"]["fakes"], figures["held_out"]["fakes"]) == ((~reals & ~new).sum(), new.sum())
    assert figures["seen"]["reals"] == figures["held_out"]["reals"] == reals.sum()
    both = table[reals | new]
    assert figures["held_out"]["auc"] == pytest.approx(reference.roc_auc_score(both["label"], both["score"]))
    assert figures["held_out"]["auc_high"] < figures["seen"]["auc_low"]
    assert figures["seen"]["best_baseline"]["auc"] is not None


def test_a_held_out_dataset_brings_its_own_reals():
    table = random(100).assign(dataset=["a", "a", "b", "b"] * 25)
    figures = measured(table, p=P.model_copy(update={"held_out": HeldOut(datasets=("b",))}))
    own = table[table["dataset"] == "b"]
    assert (figures["held_out"]["reals"], figures["held_out"]["fakes"]) == tuple(
        own["label"].value_counts().sort_index()
    )
    assert figures["held_out"]["auc"] == pytest.approx(reference.roc_auc_score(own["label"], own["score"]))
    assert figures["seen"]["reals"] + figures["held_out"]["reals"] == (table["label"] == 0).sum()


def test_where_nothing_is_held_out_there_is_one_column():
    assert not {"seen", "held_out"} & set(measured(random()))


# ---- curves


def test_the_curves_are_those_of_scikit_learn():
    table = random()
    tables = curves(pd.concat([table, videos([1], [np.nan], video_id=["lost"], verdict=None)]))
    false, true, _ = reference.roc_curve(table["label"], table["score"])
    assert tables["roc"].to_numpy() == pytest.approx(np.stack([false, true], 1))
    precision, recall, _ = reference.precision_recall_curve(table["label"], table["score"])
    assert sorted(tables["pr"].to_numpy().tolist()) == sorted(np.stack([recall, precision], 1).tolist())
    assert tables["pr"]["recall"].is_monotonic_increasing
    assert reference.auc(tables["roc"]["false_positive_rate"], tables["roc"]["true_positive_rate"]) == pytest.approx(
        reference.roc_auc_score(table["label"], table["score"])
    )


def test_the_plotted_tables_have_a_row_for_each_scored_video():
    tables = curves(pd.concat([PERFECT, videos([1], [np.nan], video_id=["lost"])]))
    assert tables["confusion"].to_dict("list") == {
        "actual": ["real", "real", "fake", "fake"],
        "predicted": ["real", "real", "fake", "fake"],
    }
    assert tables["scores"]["score"].tolist() == [0.1, 0.4, 0.6, 0.9]
    assert tables["scores"]["kind"].tolist() == ["real", "real", "swap", "swap"]
    assert tables["reliability"]["videos"].tolist() == [4]
    assert tables["tippett"]["reals"].tolist() == [1, 0.5, 0, 0]


def test_one_class_has_no_curve():
    tables = curves(PERFECT.iloc[:2])
    assert (len(tables["roc"]), len(tables["pr"]), len(tables["confusion"])) == (0, 0, 2)
    for name in ("roc", "pr"):
        assert tables[name].columns.tolist() == curves(PERFECT)[name].columns.tolist()


# ---- in words


def test_the_figures_that_decide_are_said_with_their_intervals():
    figures = measured(random())
    lines = evaluate.spoken(figures)
    assert lines[0].startswith(
        f"detector                  AUC {figures['video']['auc']:.3f} [{figures['video']['auc_low']:.3f}, "
    )
    assert any(line.startswith("above the best of these   ") for line in lines)
    assert any("repeated frames" in line and "drop 0.000 [0.000, 0.000]" in line for line in lines)
    assert "undefined" in evaluate.spoken(measured(PERFECT.iloc[:2]))[0]
