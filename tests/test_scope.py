"""scope: what a card says of a test is what its metrics say; what is no figure is refused."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deepfake import scope
from deepfake.base.errors import UserError

METRICS = Path(__file__).parents[1] / "reports/metrics.json"


def figures(auc: float | None = 0.8, **changed: Any) -> dict[str, Any]:
    """What metrics.json says of some videos, but for what is given."""
    values = {"auc": auc, "eer": 0.25, "false_positive_rate": 0.1, "false_negative_rate": 0.3}
    ends = {"_low": -0.1, "_high": 0.1}
    intervals = {
        f"{name}{end}": None if value is None else round(value + by, 6)
        for name, value in values.items()
        for end, by in ends.items()
    }
    counts = {"reals": 20, "fakes": 30, "groups": 10, "inconclusive": {"reals": 1, "fakes": 4}}
    baseline = {"best_baseline": {"name": "metadata", "auc": 0.6, "auc_low": 0.5, "auc_high": 0.7}}
    return {**counts, **values, **intervals, **baseline, **changed}


def metrics(**more: Any) -> dict[str, Any]:
    """The metrics of a test without held-out parts and further datasets, but for those given."""
    video = figures()
    best = video.pop("best_baseline")
    return {"video": video, "best_baseline": best, "coverage": {"expected": 53, "scored": 50}, "by_method": {}} | more


def test_it_says_what_the_metrics_of_the_project_say():
    read = scope.read(METRICS)
    told = json.loads(METRICS.read_text())
    assert read.source == sha256(METRICS.read_bytes()).hexdigest()
    video = told["video"]
    for name in ("auc", "eer", "false_positive_rate", "false_negative_rate"):
        figure = getattr(read.video, name)
        assert [figure.value, figure.low, figure.high] == [video[f"{name}{end}"] for end in ("", "_low", "_high")]
    assert (read.video.reals, read.video.fakes, read.video.groups) == (video["reals"], video["fakes"], video["groups"])
    assert read.video.inconclusive.model_dump() == video["inconclusive"]
    assert read.video.unscored == told["coverage"]["expected"] - told["coverage"]["scored"]
    assert read.video.best_baseline.auc.value == told["best_baseline"]["auc"]
    assert {name: (own.fakes, own.auc.value, own.auc.low) for name, own in read.by_method.items()} == {
        name: (own["fakes"], own["auc"], own["auc_low"]) for name, own in told["by_method"].items()
    }
    assert (read.worst_slice and read.worst_slice.name) == told["worst_slice"]["name"]


def test_what_was_held_out_and_further_datasets_stand_apart_from_what_training_has_seen():
    covered = {"coverage": {"expected": 60, "scored": 50}, "left_out": 7}
    whole = scope.of(
        metrics(seen=figures(0.9), held_out=figures(0.6), extra={"celeb": figures(0.7) | covered}), "abc", "some test"
    )
    assert {name: column.auc.value for name, column in whole.columns.items()} == {
        "seen in training": 0.9,
        "held out of training": 0.6,
        "celeb": 0.7,
    }
    assert (whole.extra["celeb"].unscored, whole.held_out.unscored) == (10, None)
    assert whole.video.abstained == 0.1
    assert list(scope.spoken(whole))[1] == "held out of training: AUC 0.600 on 20 real and 30 fake"
    plain = scope.of(metrics(), "abc")
    assert list(plain.columns) == ["all test videos"]
    assert (plain.methods, plain.worst_slice) == ("not named", None)


def test_what_is_undefined_stays_so():
    column = scope.of(metrics(video=figures(None, reals=0, fakes=0)), "abc").video
    assert (column.auc.model_dump(), column.abstained) == ({"value": None, "low": None, "high": None}, None)


def test_it_comes_back_from_json_as_it_was():
    whole = scope.of(
        metrics(extra={"celeb": figures(1.0, auc_high=1.0) | {"coverage": {"expected": 50, "scored": 50}}}), "abc"
    )
    assert scope.Scope.model_validate_json(whole.model_dump_json()) == whole
    assert scope.Scope.model_validate(json.loads(whole.model_dump_json())) == whole


def test_figures_are_rounded_as_they_are_written():
    assert scope.Figure.of({"auc": 0.12345678, "auc_low": 0.1, "auc_high": 0.2}, "auc").value == 0.123457


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.1, None), (None, 0.1), (0.3, 0.2), (-0.1, 0.2), (0.1, 1.1), ("0.1", 0.2), (float("nan"), 0.2)],
)
def test_what_is_no_interval_is_refused(low, high):
    with pytest.raises(ValidationError):
        scope.Figure(value=0.2, low=low, high=high)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"video": 3}', json.dumps(metrics(video=figures(2.0)))])
def test_what_is_no_metrics_file_is_said_to_be_none(tmp_path, text):
    with pytest.raises(UserError, match=r"no metrics none\.json"):
        scope.read(Path("none.json"))
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json: no metrics of a test"):
        scope.read(tmp_path / "metrics.json")
