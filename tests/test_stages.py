"""stages: every one is a command with help, and a user's mistake is one message with a hint and exit code 2."""

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepfake.base import cache
from stages import command
from stages.code import names

ROOT = Path(__file__).parents[1]
STAGES = names()
READING = [name for name in STAGES if name != "describe"]  # params.yaml: no setting shapes what describe writes
SECTION = {"extra": "evaluate"}  # of params.yaml, where it is not called as the stage
FIRST = {  # the table that a stage asks for first
    "detect": "data/videos.csv",
    "filter": "data/faces.parquet",
    "split": "data/videos.csv",
    "augment": "data/splits.csv",
    "train": "data/clips.parquet",
    "evaluate": "data/splits.csv",
}

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def stage(tmp_path, monkeypatch, capsys) -> Call:
    """`python -m stages.<name>` in an empty folder: its exit code, and what it says and complains of."""
    monkeypatch.chdir(tmp_path)

    def call(name: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        monkeypatch.delitem(sys.modules, f"stages.{name}", raising=False)
        with pytest.raises(SystemExit) as end:
            runpy.run_module(f"stages.{name}", run_name="__main__")
        return end.value.code or 0, *capsys.readouterr()

    return call


def settings(section: str = "", **values: Any) -> None:
    """Write the project's params.yaml, but for the values given of a section."""
    sections = yaml.safe_load((ROOT / "params.yaml").read_text())
    sections.get(section, {}).update(values)
    Path("params.yaml").write_text(yaml.safe_dump(sections))


def mistake(end: tuple[int, str, str], error: str, hint: str) -> None:
    """One error and one hint, nothing else; exit code 2."""
    code, output, complaint = end
    assert (code, output) == (2, "")
    first, second = complaint.splitlines()
    assert first.startswith(f"error: {error}")
    assert second.startswith(f"  hint: {hint}")


@pytest.mark.parametrize("name", [*STAGES, "code"])
def test_a_stage_has_help_that_says_what_changes_its_speed(stage, name):
    code, output, complaint = stage(name, "--help")
    assert (code, complaint) == (0, "")
    assert "JOBS=n" in output
    assert "[default: " in output  # each path may be another one


def test_a_stage_is_a_module_that_runs():
    call = [sys.executable, "-m", "stages.filter", "--faces", "none.parquet"]
    end = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (end.returncode, end.stdout) == (2, "")
    assert end.stderr == "error: no table none.parquet\n  hint: run the stage that writes it: dvc repro\n"


@pytest.mark.parametrize("name", FIRST)
def test_a_missing_table_says_how_to_make_it(stage, name):
    settings()
    mistake(stage(name), f"no table {FIRST[name]}", "run the stage that writes it: dvc repro")


@pytest.mark.parametrize("name", READING)
def test_a_misspelt_key_is_answered_with_the_right_one(stage, name):
    settings()
    section = SECTION.get(name, name)
    key = next(iter(yaml.safe_load(Path("params.yaml").read_text())[section]))
    settings(section, **{f"{key}x": 1})
    mistake(stage(name), f"params.yaml: {section}.{key}x: no such key", f"did you mean '{key}x' -> '{key}'?")


@pytest.mark.parametrize("name", [*READING, "code"])
def test_without_params_a_stage_says_where_to_run_it(stage, tmp_path, name):
    mistake(stage(name), f"no params.yaml in {tmp_path}", "run the command in the folder of the pipeline")


def test_without_metrics_the_detector_says_nothing_of_its_test(stage):
    mistake(stage("describe"), "no metrics reports/metrics.json", "run the stage that writes them: dvc repro evaluate")


@pytest.mark.parametrize(
    ("name", "values", "error", "hint"),
    [
        ("extract", {"root": "vidoes"}, "params.yaml: extract.root: no folder vidoes", "set it to the folder"),
        ("extract", {"root": ".", "layout": "folder"}, "no layout 'folder'; there are: ", "did you mean 'folders'?"),
        ("extract", {"root": "."}, "no manifest.csv", "write one"),
        ("extract", {"root": ".", "layout": "folders"}, "no videos under .", "their names end in"),
        (
            "extract",
            {"frames_per_video": 0},
            "params.yaml: extract.frames_per_video: Input should be greater than 0 (got 0)",
            "",
        ),
        ("detect", {"detector": "dlib_hogg"}, "no detector 'dlib_hogg'; there are: ", "did you mean 'dlib_hog'?"),
        (
            "detect",
            {"detector": "yunet"},
            "detect.weights: the detector yunet needs its model file",
            "get face_detection_yunet",
        ),
        (
            "detect",
            {"detector": "yunet", "weights": "x.onnx"},
            "detect.weights: no file x.onnx",
            "get face_detection_yunet",
        ),
        ("split", {"train": 0.8}, "params.yaml: split: train, val and test must add up to 1 (got ", "its keys are: "),
        ("augment", {"seed": -1}, "params.yaml: augment.seed: Input should be greater than or equal to 0 (got -1)", ""),
        ("train", {"seed": -1}, "params.yaml: train.seed: Input should be greater than or equal to 0 (got -1)", ""),
        ("train", {"encoder": "cn"}, "no encoder 'cn'; there are: ", "did you mean 'cnn'?"),
        ("train", {"head": "lstmm"}, "no head 'lstmm'; there are: ", "did you mean 'lstm'?"),
        (
            "train",
            {"balance": "pair"},
            "params.yaml: train.balance: Input should be 'pairs', 'weights' or 'none' (got 'pair')",
            "",
        ),
    ],
)
def test_a_wrong_setting_is_answered_with_what_is_right(stage, name, values, error, hint):
    settings(name, **values)
    mistake(stage(name), error, hint)


@pytest.mark.parametrize(
    ("variable", "value", "error", "hint"),
    [
        ("JOBS", "many", "JOBS=many: must be a number above 0", "unset it to use every core"),
        ("JOBS", "0", "JOBS=0: must be a number above 0", "unset it to use every core"),
        ("ENGINE", "dusk", "ENGINE: no engine 'dusk'; there are: dask, local", "did you mean 'dask'?"),
    ],
)
def test_a_wrong_word_in_the_environment_is_a_mistake_too(stage, tmp_path, monkeypatch, variable, value, error, hint):
    settings("extract", root="videos", layout="folders")
    (tmp_path / "videos/real").mkdir(parents=True)
    (tmp_path / "videos/real/a.mp4").touch()
    monkeypatch.setenv(variable, value)
    mistake(stage("extract"), error, hint)


def test_all_videos_being_broken_is_a_mistake(stage, tmp_path):
    settings("extract", root="videos", layout="folders")
    (tmp_path / "videos/real").mkdir(parents=True)
    (tmp_path / "videos/real/a.mp4").touch()
    code, output, complaint = stage("extract")
    assert (code, output) == (2, "")
    assert complaint.startswith("error: videos: none of the 1 videos can be decoded: the file is empty")


def test_a_bug_is_no_mistake_and_shows_its_traceback(monkeypatch):
    def run() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(ZeroDivisionError):
        command.main(run)


def test_a_stage_ends_in_one_line(capsys):
    command.done("extract", "3 videos, 1 made anew, 0 broken", Path("data/frames"))
    assert capsys.readouterr().out == "extract: 3 videos, 1 made anew, 0 broken -> data/frames\n"


def test_a_stage_that_leaves_the_store_above_its_bound_says_what_went(capsys, monkeypatch):
    gone = [cache.Entry("extract", Path("a"), 0.0, size=3, own=1_500_000_000)] * 2
    monkeypatch.setattr(command.items, "tidy", lambda: gone)
    command.done("extract", "3 videos", Path("data/frames"))
    captured = capsys.readouterr()
    assert captured.out == "extract: 3 videos -> data/frames\n"
    assert captured.err == "store: 2 results, 3.0 GB, were unused longest and went\n"
