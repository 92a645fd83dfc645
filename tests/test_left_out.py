"""left_out: each method is held out in its turn, by a command that says what it does."""

import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from deepfake.app.cli import app
from deepfake.base import tables

ROOT = Path(__file__).parents[1]


@pytest.fixture
def splits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"video_id": list("abcd"), "method": ["", "Face2Face", "Deep fakes", ""], "dataset": "x"})
    tables.write(tmp_path / "data/splits.csv", table)
    return tmp_path


def test_each_method_is_held_out_by_a_command_of_its_own(splits):
    lines = CliRunner().invoke(app, ["recipe", "--leave-one-out", "method"]).output.splitlines()
    assert [shlex.split(line) for line in lines] == [
        ["dvc", "exp", "run", "--queue", "--name", f"without-{word}", "-S", f'evaluate.held_out.methods=["{name}"]']
        for word, name in (("Deep-fakes", "Deep fakes"), ("Face2Face", "Face2Face"))
    ]


def test_a_recipe_is_queued_with_its_settings(splits):
    shutil.copytree(ROOT / "recipes", splits / "recipes")
    settings = CliRunner().invoke(app, ["recipe", "xception", "--demo"]).output.strip()
    lines = CliRunner().invoke(app, ["recipe", "xception", "--demo", "--leave-one-out", "method"]).output.splitlines()
    assert [shlex.split(line)[6:-2] for line in lines] == [shlex.split(settings)] * 2


def test_a_single_dataset_cannot_be_held_out(splits):
    end = CliRunner().invoke(app, ["recipe", "--leave-one-out", "dataset"])
    assert "the videos name one dataset alone, x" in str(end.exception)
