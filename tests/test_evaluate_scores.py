"""evaluate_scores: a foreign detector goes through the same test, and into the same comparison."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from deepfake.app.cli import app
from deepfake.base import tables
from deepfake.dataset.videos import read
from deepfake.measures.baselines import BASELINES
from deepfake.measures.compare import compare
from deepfake.measures.extra import table

ROOT = Path(__file__).parents[1]
EVALUATE = {"seed": 0, "resamples": 100, "shuffles": 1, "prevalence": 0.1, "min_coverage": 0.5}
EXTRACT = {"root": "films", "layout": "manifest"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """What evaluate leaves of forty videos, the first of which has no score."""
    monkeypatch.chdir(tmp_path)
    usual = yaml.safe_load((ROOT / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"evaluate": EVALUATE, "extract": usual["extract"] | EXTRACT}))
    names = [f"{i:03d}.mp4" for i in range(40)]
    label, score = np.arange(40) % 2, np.random.default_rng(0).random(40)
    table = pd.DataFrame({"video_id": names, "label": label, "group": np.arange(40) // 4, "method": "", "dataset": ""})
    table = table.assign(score=score, verdict=np.where(score < 0.5, "real", "fake"), status="ok", member_0=score)
    table = table.assign(shuffled_0=score, reversed=score, repeated=score, **{f"baseline_{n}": 0.5 for n in BASELINES})
    table.loc[0, ["score", "verdict", "status"]] = [np.nan, None, "no_face"]
    tables.write(tmp_path / "reports/predictions.csv", table)
    numbers = {"width": 9, "height": 9, "fps": 25.0, "duration": 1.0, "bitrate": 9.0}
    tables.write(tmp_path / "data/videos.csv", pd.DataFrame({"video_id": names, "path": names} | numbers))
    kept = {"video_id": names, "track": 0, "width": np.arange(40.0), "sharpness": 1.0, "reason": ""}
    tables.write(tmp_path / "data/kept.parquet", pd.DataFrame(kept))
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    end = CliRunner().invoke(app, ["evaluate-scores", *arguments])
    return end.exit_code, end.output if end.exception is None else str(end.exception)


def test_the_scores_of_a_file_are_tested_on_the_same_videos(project):
    test = read(project / "reports/predictions.csv")
    other = pd.DataFrame(
        {"video_id": [*test["video_id"][:39], "elsewhere.mp4"], "score": [*(0.3 + 0.4 * test["label"][:39]), 0.5]}
    )
    tables.write(project / "scores.csv", other)
    code, output = run("scores.csv")
    assert code == 0, output
    assert output.splitlines()[-1] == "evaluate-scores: 39 of 40 test videos scored -> reports/foreign/metrics.json"
    figures = json.loads((project / "reports/foreign/metrics.json").read_text())
    assert figures["video"]["auc"] == 1
    assert figures["coverage"]["missing"]["no_score"] == 1  # the last one, which is as good as the others
    table = read(project / "reports/foreign/predictions.csv")
    assert not {"member_0", "shuffled_0", "reversed", "repeated"} & set(table)
    assert table["status"][0] == "ok"
    assert compare(test, table, 100, 0).videos == 38


def test_a_function_is_asked_about_each_video(project):
    (project / "mine.py").write_text(
        "def score(path):\n    return None if path.stem == '003' else int(path.stem) / 100\n"
    )
    code, output = run("mine:score", "--out", "other", "--threshold", "0.2")
    assert code == 0, output
    table = read(project / "other/predictions.csv")
    assert table["score"].isna().tolist() == [i == 3 for i in range(40)]
    assert table["verdict"].fillna("").tolist()[18:22] == ["real", "real", "fake", "fake"]
    figures = json.loads((project / "other/metrics.json").read_text())
    known = table[table["score"].notna()]
    assert figures["video"]["auc"] == pytest.approx(roc_auc_score(known["label"], known["score"]), abs=1e-6)


def test_the_gain_is_on_the_videos_that_both_scored(project):
    test = read(project / "reports/predictions.csv")
    faceless = test.index < 4  # in which ours finds no face, and so no baseline has numbers
    test.loc[faceless, ["score", "verdict", "status", *(f"baseline_{name}" for name in BASELINES)]] = None
    tables.write(project / "reports/predictions.csv", test.assign(status=test["status"].fillna("no_face")))
    tables.write(project / "scores.csv", test[["video_id"]].assign(score=0.3 + 0.4 * test["label"]))
    code, output = run("scores.csv")
    assert code == 0, output
    assert "above the best of these   0.500 " in output
    assert "] on the 36 videos that both scored\n" in output
    figures = json.loads((project / "reports/foreign/metrics.json").read_text())
    assert (figures["video"]["count"], figures["best_baseline"]["videos"]) == (40, 36)


def test_a_function_that_fails_on_a_video_costs_that_video_alone(project):
    (project / "fails.py").write_text(
        "def score(path):\n"
        "    if path.stem == '001':\n"
        "        raise OSError('no such codec')\n"
        "    return {'002': 'high', '003': None, '004': float('nan'), '005': [0.5, 0.6]}.get(path.stem, 0.5)\n"
    )
    code, output = run("fails:score")
    assert code == 0, output
    assert "evaluate-scores: 001.mp4 has no score: OSError: no such codec" in output
    table = read(project / "reports/foreign/predictions.csv").set_index("video_id")
    assert table["score"].isna().sum() == 5
    assert table["status"].tolist() == ["ok"] + ["no_score"] * 5 + ["ok"] * 34
    assert table["reason"]["002.mp4"] == "TypeError: 'high' is no number"
    assert table["reason"]["003.mp4"] == "it returned None"
    assert table["reason"]["004.mp4"] == "it returned NaN"
    assert table["reason"]["005.mp4"].startswith("TypeError: ")
    assert (table["reason"] == "").sum() == 35


def test_a_function_that_says_nothing_of_any_video_is_refused(project):
    (project / "broken.py").write_text("def score(path):\n    raise OSError('no model')\n")
    assert "broken:score gives no score: OSError: no model" in run("broken:score")[1]


def test_what_is_lost_is_called_by_its_name(project):
    (project / "scores.csv").write_text("video_id,score\n001.mp4,0.9\n002.mp4,0.1\n")
    assert "(lost: 38 no_score)" in run("scores.csv")[1]


@pytest.mark.parametrize("way", ["file", "function"])
def test_further_datasets_have_columns_of_their_own(project, way):
    """Twenty videos of another folder, of which four share a person with training."""
    names = [f"wild/{i:02d}.mp4" for i in range(20)]
    label = np.arange(20) % 2
    rows = pd.DataFrame({"video_id": names, "path": [name[5:] for name in names], "label": label, "dataset": "wild"})
    rows = rows.assign(group=np.arange(20) // 2, shared=["a person"] * 4 + [""] * 16, status="ok", score=0.5)
    tables.write(project / "reports/extra.csv", table(rows))
    sections = yaml.safe_load((project / "params.yaml").read_text())
    sections["evaluate"]["extra"] = [{"root": "found/wild", "layout": "folders"}]
    (project / "params.yaml").write_text(yaml.safe_dump(sections))
    known = read(project / "data/videos.csv").assign(label=np.arange(40) % 2, identities="", frames=9)
    tables.write(project / "data/videos.csv", known)
    splits = known[["video_id", "label"]].assign(group=np.arange(40) // 4, split="train")
    tables.write(project / "data/splits.csv", splits)
    kept = tables.read(project / "data/kept.parquet").assign(difference=1.0)
    tables.write(project / "data/kept.parquet", kept)
    if way == "file":
        ours = pd.DataFrame({"video_id": known["video_id"], "score": 0.4})
        theirs = pd.DataFrame({"video_id": names, "score": 0.2 + 0.6 * label})
        tables.write(project / "scores.csv", pd.concat([ours, theirs]))
        code, output = run("scores.csv")
    else:
        (project / "theirs.py").write_text(
            "def score(path):\n"
            "    wild = path.parts[:2] == ('found', 'wild')\n"
            "    return 0.2 + 0.6 * (int(path.stem) % 2) if wild else 0.4\n"
        )
        code, output = run("theirs:score")
    assert code == 0, output
    column = json.loads((project / "reports/foreign/metrics.json").read_text())["extra"]["wild"]
    assert (column["auc"], column["reals"], column["fakes"], column["left_out"]) == (1, 8, 8, 4)


def test_figures_of_too_few_scored_videos_are_refused(project):
    (project / "scores.csv").write_text("video_id,score\n001.mp4,0.9\n002.mp4,0.1\n")
    code, output = run("scores.csv")
    assert code
    assert "of the real test videos could be scored, evaluate.min_coverage is 50.0%" in output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("video_id,score\n001.mp4,2.5\n", "001.mp4: score 2.5"),
        ("video_id,score\nx.mp4,0.5\n", "no score is of a test video; they are of x.mp4"),
        ("video_id,p\n001.mp4,0.5\n", "scores.csv: no column score"),
        ("score\n0.5\n", "scores.csv: no column path"),
        ("video_id,score\n001.mp4,high\n", "scores.csv: not a table of scores"),
        ("video_id,score\n001.mp4,0.5\n001.mp4,0.6\n", "scores.csv: 001.mp4 has two scores"),
    ],
)
def test_what_are_no_scores_is_said(project, content, message):
    (project / "scores.csv").write_text(content)
    assert message in run("scores.csv")[1]


@pytest.mark.parametrize("name", ["nowhere.csv", "json:nothing", "no.such.module:score"])
def test_neither_a_file_nor_a_function_is_said(project, name):
    assert f"{name}: neither a file nor MODULE:FUNCTION" in run(name)[1]
