"""compare: two revisions differ where they do, and what is noise is called noise."""

import subprocess

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from deepfake.app.cli import app
from deepfake.base import tables
from deepfake.base.errors import UserError
from deepfake.measures.compare import FIGURES, compare, predictions


def scored(seed: int, gap: float, people: int = 40, **columns) -> pd.DataFrame:
    """Two reals and two fakes of each, P(fake) of the fakes higher by the gap."""
    label = np.tile([0, 1], 2 * people)
    score = np.clip(np.random.default_rng(seed).normal(0.5 + gap * (label - 0.5), 0.2), 0.01, 0.99)
    table = {"video_id": [f"{i:03d}" for i in range(4 * people)], "label": label, "score": score}
    table |= {
        "group": np.repeat([f"g{i}" for i in range(people)], 4),
        "verdict": np.where(score >= 0.5, "fake", "real"),
    }
    return pd.DataFrame(table | columns)


def test_a_test_is_no_better_than_itself():
    comparison = compare(scored(0, 0.2), scored(0, 0.2), 200, 0)
    assert comparison.verdict.endswith("on 160 videos of 40 groups of people: not larger than noise")
    assert [(gap.value, gap.low, gap.high) for gap in comparison.differences.values()] == [(0, 0, 0)] * len(FIGURES)
    assert comparison.p == 1


def test_a_better_detector_is_better_and_the_other_way_round_worse():
    first, second = scored(0, 0.1), scored(1, 0.6)
    comparison, turned = compare(first, second, 200, 0), compare(second, first, 200, 0)
    assert comparison.verdict.endswith(": better by more than noise")
    assert turned.verdict.endswith(": worse by more than noise")
    gap = roc_auc_score(second["label"], second["score"]) - roc_auc_score(first["label"], first["score"])
    assert comparison.differences["auc"].value == pytest.approx(gap)
    assert comparison.p < 0.001
    assert comparison.differences["log_loss"].high < 0  # less is better


def test_noise_is_called_noise_nineteen_times_of_twenty():
    called = [compare(scored(2 * i, 0.2, 12), scored(2 * i + 1, 0.2, 12), 100, 0).verdict for i in range(60)]
    assert sum(not verdict.endswith("not larger than noise") for verdict in called) <= 8


def test_only_videos_that_both_scored_are_compared():
    first, second = scored(0, 0.2), scored(1, 0.2)
    second.loc[:2, ["score", "verdict"]] = [np.nan, None]
    comparison = compare(first, second.iloc[:-5].sample(frac=1, random_state=0), 100, 0)
    assert (comparison.videos, comparison.left_out) == (152, 8)
    assert "8 videos that only one of the two scored are left out" in comparison.lines()
    assert comparison.values["auc"][0] == pytest.approx(roc_auc_score(first["label"][3:-5], first["score"][3:-5]))


def test_who_is_inconclusive_is_compared_by_score_and_not_by_verdict():
    first = scored(0, 0.2)
    second = first.assign(verdict=first["verdict"].mask(first.index < 20, "inconclusive"))
    values, answered = compare(first, second, 100, 0).values, first[20:]
    assert values["auc"][0] == values["auc"][1]
    right = answered["verdict"].eq("fake") == answered["label"].eq(1)
    assert values["balanced_accuracy"][1] == pytest.approx(right.groupby(answered["label"]).mean().mean())


def test_tests_of_other_videos_are_refused():
    table = scored(0, 0.2)
    with pytest.raises(UserError, match="no video in common"):
        compare(table, table.assign(video_id=table["video_id"] + "x"), 100, 0)
    with pytest.raises(UserError, match="000: 160 videos have another label"):
        compare(table, table.assign(label=1 - table["label"]), 100, 0)


def test_too_few_people_or_one_class_are_said_to_be_so():
    few = compare(scored(0, 0.2, 1), scored(1, 0.2, 1), 100, 0)
    assert few.verdict.endswith("too few people to tell whether that is noise")
    reals = scored(0, 0.2).query("label == 0")
    assert compare(reals, reals, 100, 0).verdict.startswith("the AUC is undefined on 80 videos")


# ---- revisions and files


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Two commits, with a worse and a better table of predictions; the worse one in the folder."""
    monkeypatch.chdir(tmp_path)
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", "init", "--quiet"], check=True)
    for tag, gap in (("before", 0.1), ("after", 0.6)):
        tables.write(tmp_path / "reports/predictions.csv", scored(0, gap))
        subprocess.run(["git", "add", "."], check=True)
        subprocess.run(["git", *who, "commit", "--quiet", "--message", tag], check=True)
        subprocess.run(["git", "tag", tag], check=True)
    tables.write(tmp_path / "reports/predictions.csv", scored(0, 0.1))
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    end = CliRunner().invoke(app, ["compare", *arguments])
    return end.exit_code, end.output if end.exception is None else str(end.exception)


def test_two_revisions_are_compared_and_a_revision_with_the_folder(repository):
    code, output = run("before", "after")
    assert code == 0
    assert output.splitlines()[-1].endswith("better by more than noise")
    assert run("after")[1].splitlines()[-1].endswith("worse by more than noise")
    assert run("before")[1].splitlines()[-1].endswith("not larger than noise")


def test_an_experiment_is_named_as_dvc_names_it(repository):
    commit = subprocess.run(["git", "rev-parse", "after"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["git", "update-ref", "refs/exps/ab/cdef/brave-name", commit], check=True)
    assert run("before", "brave-name") == run("before", "after")
    with pytest.raises(UserError, match="rave-name: neither a file nor a revision"):
        predictions("rave-name")


def test_files_are_compared_as_well(repository):
    tables.write(repository / "other.csv", scored(0, 0.6))
    assert run("before", "other.csv")[1].splitlines()[-1].endswith("better by more than noise")


def test_the_tables_of_before_that_have_a_row_for_each_sequence_are_read(repository):
    table = scored(0, 0.6)
    tables.write(repository / "old.csv", pd.concat([table, table.assign(sequence=1)]))
    assert predictions("old.csv")["video_id"].tolist() == table["video_id"].tolist()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("score", ["high", "0.5"], "000: score high is not P(fake), from 0 to 1"),
        ("score", [0.5, np.inf], "001: score inf is not P(fake), from 0 to 1"),
        ("score", [0.5, 1.5], "001: score 1.5 is not P(fake), from 0 to 1"),
        ("score", [-2.0, 0.5], "000: score -2.0 is not P(fake), from 0 to 1"),
        ("label", ["real", "fake"], "000: label real is neither 0, real, nor 1, fake"),
        ("label", [1, 2], "001: label 2 is neither 0, real, nor 1, fake"),
        ("verdict", ["FAKE", "real"], "000: verdict FAKE is none of fake, real and inconclusive"),
    ],
)
def test_what_is_no_score_label_or_verdict_is_said_with_its_video(repository, column, values, message):
    tables.write(repository / "odd.csv", scored(0, 0.2, 1).assign(**{column: values * 2}))
    with pytest.raises(UserError) as error:
        predictions("odd.csv")
    assert str(error.value).startswith(f"odd.csv: {message}")


def test_all_faults_of_a_table_are_said_at_once(repository):
    table = scored(0, 0.2, 1).assign(score=2.0, label=3)
    tables.write(repository / "odd.csv", table)
    with pytest.raises(UserError, match=r"odd.csv: 000: score 2.*\nodd.csv: 000: label 3"):
        predictions("odd.csv")


def test_a_video_of_two_scores_is_refused_and_one_without_a_score_is_not(repository):
    table = scored(0, 0.2)
    tables.write(repository / "odd.csv", pd.concat([table, table.head(1).assign(score=0.123)]))
    with pytest.raises(UserError, match=r"odd\.csv: 000 has two rows that differ"):
        predictions("odd.csv")
    table.loc[0, ["score", "verdict"]] = [np.nan, None]
    tables.write(repository / "odd.csv", table)
    assert predictions("odd.csv")["score"].isna().sum() == 1


def test_what_is_no_test_is_said_to_be_none(repository):
    with pytest.raises(UserError, match=r"nowhere: neither a file nor a revision with reports/predictions\.csv"):
        predictions("nowhere")
    (repository / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"notes\.csv: no column video_id, label, group, score, verdict"):
        predictions("notes.csv")
    (repository / "broken.csv").write_text('a\n1,2,3\n"')
    with pytest.raises(UserError, match=r"broken\.csv: not a table"):
        predictions("broken.csv")
