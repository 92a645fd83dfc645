"""slices: each part of the test has its own figures, and the worst one is named."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from deepfake.measures.slices import properties, slices


def predictions(count: int = 120, **columns) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    label = np.arange(count) % 2
    score = np.clip(rng.normal(0.4 + 0.2 * label, 0.2), 0, 1).round(3)
    usual = {"video_id": [f"v{i}" for i in range(count)], "label": label, "group": [f"g{i // 4}" for i in range(count)]}
    usual |= {"method": np.where(label, np.where(np.arange(count) % 4 == 1, "swap", "blend"), ""), "dataset": ""}
    return pd.DataFrame(usual | {"score": score, "verdict": np.where(score < 0.5, "real", "fake")} | columns)


def cut(table: pd.DataFrame, **columns) -> dict:
    return slices(table, pd.DataFrame(columns, index=table["video_id"]), resamples=200, seed=0)


# ---- what videos are like


def test_a_video_is_like_its_file_and_its_good_faces():
    sizes = {
        "width": [100, 200],
        "height": [50, 50],
        "fps": [10.0, 10.0],
        "duration": [2.0, 0.0],
        "bitrate": [5000.0, 9.0],
    }
    videos = pd.DataFrame(
        {"video_id": ["a", "b"], "method": ["", "swap"], "codec": ["h264", "vp9"], "about_sex": ["f", None]} | sizes
    )
    faces = {"video_id": ["a"] * 4, "track": [0, 0, 1, 2], "width": [10.0, 30, 20, 99], "sharpness": [1.0, 2, 3, 99]}
    table = properties(videos, pd.DataFrame(faces | {"reason": ["", "", "", "small"]}))
    assert table.loc["a", ["face_side", "sharpness", "faces", "duration"]].tolist() == [20, 2, 2, 2.0]
    assert table.loc["a", "bits_per_pixel"] == 5000 * 2 / (100 * 50 * 20)
    assert table.loc["b", ["face_side", "sharpness", "faces", "bits_per_pixel"]].isna().all()
    assert table.loc["b", ["method", "codec"]].tolist() == ["swap", "vp9"]
    assert set(table) == {"face_side", "sharpness", "faces", "duration", "bits_per_pixel", "method", "codec"}


def test_a_further_column_of_the_manifest_is_a_property_unless_it_names_each_video():
    videos = pd.DataFrame(
        {"video_id": [f"v{i}" for i in range(50)], "width": 1, "height": 1, "fps": 1.0, "duration": 1.0}
    )
    videos = videos.assign(
        bitrate=1.0, about_skin=["light", "dark"] * 25, about_comment=[f"take {i}" for i in range(50)], about_camera="x"
    )
    kept = pd.DataFrame({"video_id": ["v0"], "track": 0, "width": 1.0, "sharpness": 1.0, "reason": ""})
    table = properties(videos, kept)
    assert "skin" in table
    assert not {"comment", "camera"} & set(table)


# ---- figures


def test_fakes_of_one_method_stand_against_all_reals():
    table = predictions()
    slices = cut(table)["by_method"]
    for name in ("swap", "blend"):
        own = table[(table["label"] == 0) | (table["method"] == name)]
        assert slices[name]["auc"] == pytest.approx(roc_auc_score(own["label"], own["score"]))
        assert slices[name]["auc_low"] < slices[name]["auc"] < slices[name]["auc_high"]
        assert (slices[name]["reals"], slices[name]["fakes"], slices[name]["groups"]) == (60, 30, 30)
    assert set(slices) == {"swap", "blend"}


def test_a_number_is_divided_into_thirds_of_the_test():
    table = predictions()
    side = np.random.default_rng(1).permutation(120.0 + np.arange(120))
    slices = cut(table, face_side=side)["by_face_side"]
    assert list(slices) == ["low", "middle", "high"]
    assert [(part["from"], part["to"]) for part in slices.values()] == [(120, 159), (160, 199), (200, 239)]
    low = table[side < 160]
    assert slices["low"]["auc"] == pytest.approx(roc_auc_score(low["label"], low["score"]))
    assert sum(part["reals"] + part["fakes"] for part in slices.values()) == 120


def test_a_number_of_few_values_is_divided_where_it_can_be():
    figures = cut(predictions(), faces=[1.0] * 100 + [2.0] * 20, duration=[3.0] * 120)
    assert {name: (part["from"], part["to"]) for name, part in figures["by_faces"].items()} == {
        "low": (1, 1),
        "high": (2, 2),
    }
    assert "by_duration" not in figures


@pytest.mark.parametrize("short", [0.3, 0.7])
def test_a_number_that_most_videos_share_divides_the_test_all_the_same(short):
    table = predictions()
    duration = np.where(np.arange(120) < 120 * short, 2.0, 10.0)
    figures = cut(table, duration=duration)["by_duration"]
    assert {name: (part["from"], part["to"]) for name, part in figures.items()} == {"low": (2, 2), "high": (10, 10)}
    assert figures["low"]["reals"] + figures["low"]["fakes"] == 120 * short
    three = cut(table, faces=[1.0] * 10 + [2.0] * 20 + [3.0] * 90)["by_faces"]
    assert {name: (part["from"], part["to"]) for name, part in three.items()} == {"low": (1, 2), "high": (3, 3)}


def test_a_number_of_the_manifest_is_divided_into_thirds_and_many_words_are_named():
    count = 120
    videos = pd.DataFrame({"video_id": [f"v{i}" for i in range(count)]}).assign(
        **dict.fromkeys(("width", "height", "fps", "duration", "bitrate"), 1.0),
        about_age=np.random.default_rng(0).permutation(np.arange(count) / 2),
        about_skin=np.arange(count) % 6,
        about_comment=[f"take {i}" for i in range(count)],
    )
    kept = pd.DataFrame({"video_id": ["v0"], "track": 0, "width": 1.0, "sharpness": 1.0, "reason": ""})
    figures = slices(predictions(count), properties(videos, kept), resamples=200, seed=0)
    assert [(part["from"], part["to"]) for part in figures["by_age"].values()] == [(0, 19.5), (20, 39.5), (40, 59.5)]
    assert list(figures["by_skin"]) == list("012345")
    assert figures["undivided"] == ["comment"]
    assert "by_comment" not in figures


def test_what_could_not_be_scored_is_counted_as_an_abstention():
    table = predictions()
    table.loc[:9, ["score", "verdict"]] = [np.nan, None]
    slices = cut(table, compression=["c23"] * 60 + ["c40"] * 60)["by_compression"]
    assert (slices["c23"]["abstained"], slices["c40"]["abstained"]) == (10, 0)
    assert slices["c23"]["reals"] + slices["c23"]["fakes"] == 50


def test_who_is_inconclusive_abstains_and_is_no_error_of_a_slice():
    table = predictions()
    table.loc[:9, "verdict"] = "inconclusive"
    table.loc[10, ["score", "verdict"]] = [np.nan, None]
    slices = cut(table, compression=["c23"] * 60 + ["c40"] * 60)["by_compression"]
    answered = table[11:60]
    assert (slices["c23"]["abstained"], slices["c23"]["reals"] + slices["c23"]["fakes"]) == (11, 59)
    real = answered["label"] == 0
    assert slices["c23"]["false_positive_rate"] == pytest.approx(answered["verdict"][real].eq("fake").mean())
    assert slices["c23"]["false_negative_rate"] == pytest.approx(answered["verdict"][~real].eq("real").mean())
    scored = table[:60].dropna(subset="score")
    assert slices["c23"]["auc"] == pytest.approx(roc_auc_score(scored["label"], scored["score"]))


def test_the_error_rates_of_a_slice_are_those_of_its_verdicts():
    table = predictions()
    slices = cut(table, sex=["f", "m"] * 60)["by_sex"]  # f are the reals, m the fakes
    assert slices["f"]["auc"] is slices["f"]["false_negative_rate"] is None
    assert slices["f"]["false_positive_rate"] == pytest.approx((table["verdict"][::2] == "fake").mean())
    assert slices["m"]["false_negative_rate_low"] < slices["m"]["false_negative_rate"]


def test_the_worst_slice_is_named():
    table = predictions()
    bad = table["video_id"].isin([f"v{i}" for i in range(40, 80)])
    table["score"] = np.where(bad, 1 - table["label"], table["label"]).astype(float)
    figures = cut(table, skin=np.where(bad, "dark", "light"))
    assert figures["worst_slice"]["name"] == "skin: dark"
    assert figures["worst_slice"]["auc"] == 0
    assert cut(predictions(4, group="one"))["worst_slice"] == dict.fromkeys(("name", "auc", "auc_low", "auc_high"))


def test_a_column_of_the_manifest_never_hides_one_of_ours():
    figures = cut(predictions(), score=["high", "low"] * 60)  # a column of that name in a manifest
    assert "by_score" not in figures
