"""base: mistakes are said in full, params checked, plugins found by name, files written whole, tables kept exact."""

import json
import os
import pickle

import numpy as np
import pandas as pd
import pytest
from pydantic import Field, model_validator

from deepfake.base import disk, params, plugins, tables
from deepfake.base.errors import UserError, unknown
from deepfake.base.params import Params


class Sampling(Params):
    """A section to check."""

    frames_per_video: int = Field(gt=0)
    fps: float = Field(gt=0)
    max_side: int | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Sampling":
        if self.fps > self.frames_per_video:
            raise ValueError("more a second than in all")
        return self


# ---- errors


def test_a_mistake_says_what_to_do():
    assert str(UserError("no table a.csv")) == "no table a.csv"
    assert str(UserError("no table a.csv", "dvc repro")) == "no table a.csv\n  hint: dvc repro"


def test_a_mistake_made_in_another_process_keeps_its_hint():
    error = pickle.loads(pickle.dumps(UserError("no table a.csv", "dvc repro")))
    assert (str(error), error.hint) == ("no table a.csv\n  hint: dvc repro", "dvc repro")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yunett", "no detector 'yunett'; there are: dlib_hog, yunet\n  hint: did you mean 'yunet'?"),
        ("xyz", "no detector 'xyz'; there are: dlib_hog, yunet\n  hint: choose one of the detectors listed"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(name, message):
    assert str(unknown("detector", name, ["yunet", "dlib_hog"])) == message


def test_an_unknown_name_says_where_it_stands():
    assert str(unknown("engine", "x", [], where="ENGINE")).startswith("ENGINE: no engine 'x'; there are: none")


# ---- params


def load(tmp_path, text: str, section: str = "extract") -> Sampling:
    (tmp_path / "params.yaml").write_text(text)
    return params.load(section, Sampling, tmp_path / "params.yaml")


def test_a_section_is_read_and_its_defaults_filled_in(tmp_path):
    read = load(tmp_path, "extract: {frames_per_video: 16, fps: 1}\nsplit: {seed: 0}")
    assert read == Sampling(frames_per_video=16, fps=1.0, max_side=None)


def test_params_cannot_be_changed(tmp_path):
    with pytest.raises(ValueError, match="frozen"):
        Sampling(frames_per_video=1, fps=1).fps = 2


@pytest.mark.parametrize(
    ("section", "faults"),
    [
        (
            "{frames_per_video: 0, fps: 1}",
            ["extract.frames_per_video: Input should be greater than 0 (got 0)"],
        ),
        ("{frames_per_video: 16}", ["extract.fps: missing"]),
        (
            "{frames_per_video: many, fps: -1, max_sid: 9}",  # all faults at once
            [
                "extract.frames_per_video: Input should be a valid integer, unable to parse string as an integer"
                " (got 'many')",
                "extract.fps: Input should be greater than 0 (got -1)",
                "extract.max_sid: no such key",
            ],
        ),
        (
            "{frames_per_video: 1, fps: 2}",
            ["extract: more a second than in all (got {'frames_per_video': 1, 'fps': 2})"],
        ),
        ("", ["extract: Input should be a valid dictionary or instance of Sampling (got None)"]),
    ],
)
def test_every_fault_says_where_it_is_what_was_found_and_what_is_right(tmp_path, section, faults):
    with pytest.raises(UserError) as error:
        load(tmp_path, f"extract: {section}")
    assert error.value.args[0].splitlines() == [f"{tmp_path}/params.yaml: {fault}" for fault in faults]


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ("max_sid: 9, fpss: 1", "did you mean 'max_sid' -> 'max_side', 'fpss' -> 'fps'?"),
        ("colour: 9", "its keys are: frames_per_video, fps, max_side"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest_known(tmp_path, keys, hint):
    with pytest.raises(UserError) as error:
        load(tmp_path, f"extract: {{frames_per_video: 16, fps: 1, {keys}}}")
    assert error.value.hint == hint


def test_a_missing_section_is_answered_with_the_nearest_one(tmp_path):
    with pytest.raises(UserError, match="no section 'extract'; there are: extrakt, split") as error:
        load(tmp_path, "extrakt: {}\nsplit: {}")
    assert error.value.hint == "did you mean 'extrakt'?"


@pytest.mark.parametrize(
    ("text", "reason"), [("", "no section 'extract'"), ("[1, 2]", "no section"), ("a: [1", "not YAML: ")]
)
def test_a_file_that_holds_no_sections_is_a_mistake(tmp_path, text, reason):
    with pytest.raises(UserError, match=reason):
        load(tmp_path, text)


def test_a_missing_file_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"no params\.yaml in {tmp_path}"):
        params.load("extract", Sampling)


# ---- plugins


def test_a_plugin_is_a_file_and_its_name_is_the_files():
    assert plugins.names("layouts") == sorted(plugins.names("layouts"))
    assert {"folders", "manifest", "celebdf"} <= set(plugins.names("layouts"))
    assert plugins.load("layouts", "folders").__name__ == "deepfake.layouts.folders"
    assert "lstm" in plugins.names("models.heads")


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("detectors", "yunett", "no detector 'yunett'; there are: .*yunet"),
        ("models.heads", "ltsm", "no head 'ltsm'; there are: .*lstm"),
        ("layouts", "__init__", "no layout '__init__'"),
        ("layouts", "../video", "no layout '../video'"),
    ],
)
def test_an_unknown_plugin_is_answered_with_the_known_ones(kind, name, reason):
    with pytest.raises(UserError, match=reason):
        plugins.load(kind, name)


# ---- disk


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    for content in ("old", "new"):
        with disk.aside(target) as new:
            assert new.suffix == ".txt"  # writers choose the format by it
            new.write_text(content)
            assert not target.exists() or target.read_text() == "old"
        assert target.read_text() == content
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_takes_the_place_of_another(tmp_path):
    for name in ("old", "new"):
        with disk.aside(tmp_path / "out") as new:
            new.mkdir()
            (new / name).write_text(name)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("folder", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path, folder):
    target = tmp_path / "out"
    (target / "old").mkdir(parents=True) if folder else target.write_text("old")

    def half() -> None:
        with disk.aside(target) as new:
            new.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert (target / "old").is_dir() if folder else target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_linked_file_is_the_same_file(tmp_path):
    (tmp_path / "a").write_text("a")
    disk.link(tmp_path / "a", tmp_path / "deep" / "b")
    assert (tmp_path / "deep" / "b").samefile(tmp_path / "a")


def test_a_file_is_copied_where_it_cannot_be_linked(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_text("a")
    disk.link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "a"
    assert not (tmp_path / "b").samefile(tmp_path / "a")


# ---- tables


def test_texts_of_a_csv_file_stay_texts(tmp_path):
    texts = {"video_id": ["007", "NA", "null"], "identities": ["1", "", "None"]}
    table = pd.DataFrame(texts | {"label": [0, 1, 1], "fps": [25.0, np.nan, 30]})
    tables.write(tmp_path / "a.csv", table)
    read = tables.read(tmp_path / "a.csv", ("video_id", "identities"))
    assert read["video_id"].tolist() == ["007", "NA", "null"]
    assert read["identities"].tolist() == ["1", "", "None"]
    assert read["label"].tolist() == [0, 1, 1]
    assert read["fps"].isna().tolist() == [False, True, False]


def test_a_text_column_without_any_text_stays_empty(tmp_path):
    tables.write(tmp_path / "a.csv", pd.DataFrame({"video_id": ["a"], "source": [""], "split": [""]}))
    assert tables.read(tmp_path / "a.csv", ("source", "split"))[["source", "split"]].iloc[0].tolist() == ["", ""]


def test_a_parquet_file_keeps_lists_and_types(tmp_path):
    table = pd.DataFrame({"video_id": ["a", "b"], "positions": [[0, 2], [1]], "recovered": [True, False]})
    tables.write(tmp_path / "a.parquet", table)
    read = tables.read(tmp_path / "a.parquet")
    assert [list(positions) for positions in read["positions"]] == [[0, 2], [1]]
    assert read["recovered"].tolist() == [True, False]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_equal_tables_make_equal_bytes_and_floats_are_rounded(tmp_path, name):
    for noise in (0, 1e-12):
        (tmp_path / str(noise)).mkdir()
        tables.write(tmp_path / str(noise) / name, pd.DataFrame({"score": [1 / 3 + noise, 2.0], "label": [0, 1]}))
    assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1e-12" / name).read_bytes()
    assert tables.read(tmp_path / "0" / name)["score"].tolist() == [0.333333, 2.0]


def test_a_missing_table_says_how_to_make_it(tmp_path):
    with pytest.raises(UserError, match=r"no table .*a\.csv") as error:
        tables.read(tmp_path / "a.csv")
    assert error.value.hint == "run the stage that writes it: dvc repro"


def test_metrics_are_rounded_and_what_is_undefined_is_null(tmp_path):
    metrics = {"auc": np.float64(1 / 3), "n": np.int64(3), "none": float("nan"), "deep": {1: [np.inf, True, "a", None]}}
    tables.write_metrics(tmp_path / "a.json", metrics)
    written = json.loads((tmp_path / "a.json").read_text())
    assert written == {"auc": 0.333333, "n": 3, "none": None, "deep": {"1": [None, True, "a", None]}}
