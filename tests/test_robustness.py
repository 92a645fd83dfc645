"""robustness: a cell is the test under one perturbation; what it loses is beside the same videos as they are."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from deepfake.base import tables
from deepfake.pages import charts
from deepfake.robustness import RobustnessParams, cells, metrics

P = RobustnessParams(kinds=(), levels=(1, 2, 3, 4, 5), seed=0, resamples=200)


def table() -> pd.DataFrame:
    """Sixty videos of twenty people as they are, slightly and badly blurred; some are not scored any more."""
    rng = np.random.default_rng(0)
    label = np.arange(60) % 2
    parts = []
    for kind, level, gap in (("clean", 0, 0.6), ("blur", 1, 0.5), ("blur", 5, 0.0)):
        score = np.clip(rng.normal(0.5 + gap * (label - 0.5), 0.15), 0, 1).round(6)
        rows = {"video_id": [f"v{i}" for i in range(60)], "label": label, "group": np.arange(60) // 3, "score": score}
        parts.append(
            pd.DataFrame(rows | {"verdict": np.where(score < 0.5, "real", "fake"), "kind": kind, "level": level})
        )
    parts[2].loc[:5, ["score", "verdict"]] = [np.nan, None]
    return pd.concat(parts, ignore_index=True)


def at(figures: pd.DataFrame, kind: str, level: int) -> "pd.Series[float]":
    return figures.set_index(["kind", "level"]).loc[(kind, level)]


def test_a_cell_has_its_figures_beside_what_it_loses():
    whole = table()
    figures = cells(whole, P)
    worst = at(figures, "blur", 5)
    rows = whole[(whole["kind"] == "blur") & (whole["level"] == 5)].dropna(subset="score")
    assert worst["auc"] == pytest.approx(roc_auc_score(rows["label"], rows["score"]))
    assert worst["coverage"] == 0.9
    assert worst["auc_low"] < worst["auc"] < worst["auc_high"]
    assert worst["false_positive_rate_low"] < worst["false_positive_rate"] < worst["false_positive_rate_high"]
    clean = whole[whole["kind"] == "clean"].iloc[6:]  # those that were scored both ways
    assert worst["drop"] == pytest.approx(roc_auc_score(clean["label"], clean["score"]) - worst["auc"])
    assert worst["drop_low"] > 0.2
    assert at(figures, "clean", 0)["drop"] == 0


def test_a_cell_says_of_how_many_nothing_is_said():
    whole = table()
    mild = (whole["kind"] == "blur") & (whole["level"] == 1)
    whole.loc[whole.index[mild][:15], "verdict"] = "inconclusive"
    figures = cells(whole, P)
    assert at(figures, "blur", 1)["inconclusive"] == 0.25
    assert at(figures, "blur", 5)["inconclusive"] == 0
    alarms = whole[mild & (whole["label"] == 0) & (whole["verdict"] != "inconclusive")]["verdict"] == "fake"
    assert at(figures, "blur", 1)["false_positive_rate"] == pytest.approx(alarms.mean())


def test_the_metrics_are_few_and_name_the_worst():
    figures = cells(table(), P)
    summary = metrics(figures)
    mild, bad = (at(figures, "blur", level) for level in (1, 5))
    assert summary["mean_drop"] == pytest.approx((mild["drop"] + bad["drop"]) / 2)
    assert summary["worst"] == {"name": "blur, level 5", **{key: bad[key] for key in ("auc", "auc_low", "auc_high")}}
    assert summary["most_false_alarms"]["name"] == "blur, level 5"
    assert summary["least_covered"] == {"name": "blur, level 5", "coverage": 0.9}
    assert summary["by_kind"]["blur"]["auc"] == pytest.approx((mild["auc"] + bad["auc"]) / 2)
    assert summary["cells"] == {"all": 2, "scored_enough": 2}
    assert summary["clean"]["auc"] == at(figures, "clean", 0)["auc"]


def test_what_nobody_scores_is_undefined_and_covered_by_nothing():
    whole = table()
    whole.loc[whole["level"] == 5, "score"] = np.nan
    figures = cells(whole, P)
    lost = at(figures, "blur", 5)
    assert np.isnan([lost["auc"], lost["drop"]]).all()
    assert lost["coverage"] == 0
    summary = metrics(figures)
    assert (summary["worst"]["name"], summary["least_covered"]["coverage"]) == ("blur, level 1", 0)
    whole.loc[whole["kind"] != "clean", "score"] = np.nan
    assert metrics(cells(whole, P))["worst"] == {"name": None, "auc": None, "auc_low": None, "auc_high": None}


def test_a_cell_in_which_hardly_anything_is_scored_is_not_the_worst_but_counted():
    whole = table()
    lost = (whole["level"] == 5) & ~whole["video_id"].isin(["v0", "v1"])
    whole.loc[lost, "score"] = np.nan
    whole.loc[(whole["level"] == 5) & ~lost, "score"] = [0.9, 0.1]
    summary = metrics(cells(whole, P))
    assert summary["worst"]["name"] == summary["most_false_alarms"]["name"] == "blur, level 1"
    assert (summary["cells"]["scored_enough"], summary["least_covered"]["name"]) == (1, "blur, level 5")
    assert summary["mean_drop"] == at(cells(whole, P), "blur", 1)["drop"]


def test_only_what_is_asked_for_is_tried():
    assert len(P.cells()) == 53
    few = P.model_copy(update={"kinds": ("messenger", "blur"), "levels": (1, 4)})
    assert few.cells() == [("blur", 1), ("blur", 4), ("messenger", 1)]
    with pytest.raises(ValidationError, match=r"no perturbation 'blurr'; there are: again, blocks"):
        RobustnessParams(kinds=("blurr",), levels=(1,), seed=0, resamples=100)


def test_the_heat_map_is_drawn(tmp_path):
    charts.robustness(tmp_path / "map.png", cells(table(), P))
    assert (tmp_path / "map.png").stat().st_size > 5_000


# ---- the stage


def test_each_video_goes_through_the_whole_chain_once(tmp_path, monkeypatch, heads, saved_detector, capsys):
    """Slight changes leave a video nearly what it was; what is made is not made again."""
    import torch

    from deepfake import predict, video
    from deepfake.inference import Detector, Member, architecture
    from deepfake.models.network import Network
    from deepfake.scores import Scoring

    monkeypatch.chdir(tmp_path)
    usual = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    usual["robustness"] |= {"kinds": ["contrast", "resize"], "levels": [1], "resamples": 100}
    Path("params.yaml").write_text(yaml.safe_dump(usual))
    settings = usual["train"] | {"encoder": "cnn", "head": "mean", "frames": 2, "side": 32}
    torch.manual_seed(0)
    network = Network(architecture(settings)).eval()
    policy = {
        name: value
        for name, value in usual["extract"].items()
        if name in import_module("deepfake.extract").Policy.model_fields
    }
    prepared = {
        "extract": policy,
        "detect": usual["detect"] | {"size": 64},
        "filter": usual["filter"] | {"min_faces": 1},
    }
    saved_detector(tmp_path / "models/calibrated", [(network, settings)], prepared)
    (tmp_path / "data/frames").mkdir(parents=True)
    for name, images in (("a", heads[0][:2]), ("b", heads[1][:2])):
        with video.recording(tmp_path / f"data/frames/{name}.mkv") as record:
            for i, image in enumerate(images):
                record(image, i / 5)
    whole = Detector((Member(network, settings),), Scoring(tracks="evidence"), prepared, {"auc": 1.0, "untrained": ""})
    known = [predict.predict(tmp_path / f"data/frames/{name}.mkv", whole).score for name in "ab"]
    rows = {
        "video_id": ["a", "b", "lost"],
        "label": [0, 1, 1],
        "group": ["x", "y", "z"],
        "status": ["ok", "ok", "no_video"],
    }
    test = pd.DataFrame(rows | {"score": [*known, np.nan], "verdict": ["real", "fake", None]})
    tables.write(tmp_path / "reports/predictions.csv", test)

    stage = import_module("stages.robustness")
    import_module("deepfake.perturbed").loaded.cache_clear()
    stage.run()
    summary = json.loads(Path("reports/robustness.json").read_text())["robustness"]
    assert set(summary["by_kind"]) == {"contrast", "resize"}
    assert summary["mean_drop"] is None or -1 <= summary["mean_drop"] <= 1
    listed = tables.read(Path("reports/plots/robustness.csv"))
    assert listed["kind"].tolist() == ["clean", "contrast", "resize"]
    scores = tables.read(Path("reports/robustness.csv"))
    assert len(scores) == 9
    assert scores[scores["video_id"] == "lost"]["score"].isna().all()
    assert scores[scores["video_id"] != "lost"]["score"].notna().all()
    assert summary["by_kind"]["contrast"]["coverage"] == pytest.approx(2 / 3, abs=1e-6)
    first = Path("reports/robustness.csv").read_bytes()
    capsys.readouterr()
    stage.run()
    assert "2 perturbations of 2 videos, 0 made anew" in capsys.readouterr().out
    assert Path("reports/robustness.csv").read_bytes() == first
