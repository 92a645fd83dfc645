"""review: what a pull request does to the figures is said by a script that pulls and trains nothing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from deepfake.base import tables

ROOT = Path(__file__).parents[1]
DVC = {
    "stages": {
        "evaluate": {"cmd": "true", "params": ["train"], "metrics": [{"reports/metrics.json": {"cache": False}}]}
    }
}


def test_the_workflow_runs_what_there_is():
    flow = yaml.safe_load((ROOT / ".github/workflows/review.yml").read_text())
    commands = "\n".join(step.get("run", "") for step in flow["jobs"]["figures"]["steps"])
    assert re.search(r"^make .*\breview BASE=", commands, re.MULTILINE)
    assert re.search(r"^review: .*\n\t@\.ci/review \$\(BASE\)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert os.access(ROOT / ".ci/review", os.X_OK)
    assert "dvc pull" not in commands
    assert flow["permissions"] == {"contents": "read", "pull-requests": "write"}
    for name in re.findall(
        r"reports/plots/\w+\.png|reports/report\.html", (ROOT / ".github/workflows/review.yml").read_text()
    ):
        assert name in (ROOT / "dvc.yaml").read_text()


@pytest.fixture
def change(tmp_path) -> Path:
    """A repository whose branch main has figures, and a folder with better ones, of another learning rate."""

    def write(gap: float, rate: float) -> None:
        label = np.tile([0, 1], 40)
        score = np.clip(np.random.default_rng(0).normal(0.5 + gap * (label - 0.5), 0.2), 0.01, 0.99)
        table = {"video_id": [f"v{i}" for i in range(80)], "label": label, "group": np.arange(80) // 4, "score": score}
        verdict = np.where(score < 0.5, "real", "fake")
        tables.write(tmp_path / "reports/predictions.csv", pd.DataFrame(table | {"verdict": verdict}))
        tables.write_metrics(tmp_path / "reports/metrics.json", {"video": {"auc": gap}})
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"train": {"learning_rate": rate}}))

    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/review", tmp_path / ".ci/review")
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(DVC))
    write(0.1, 0.1)
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for call in (["init", "--quiet", "-b", "main"], ["add", "."], [*who, "commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *call], cwd=tmp_path, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=tmp_path, check=True)
    write(0.7, 0.2)
    return tmp_path


def review(folder: Path, *arguments: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    call = [str(folder / ".ci/review"), *arguments]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_a_review_says_what_changed_and_whether_it_is_larger_than_noise(change):
    text = review(change)
    assert "## Is it better than main?" in text
    assert "better by more than noise" in text
    assert re.search(r"\| params\.yaml *\| train\.learning_rate *\| 0\.1 *\| 0\.2", text)
    assert re.search(r"\| reports/metrics\.json *\| video\.auc *\| 0\.1 *\| 0\.7", text)


@pytest.mark.slow
def test_a_review_of_a_revision_without_figures_says_so_and_goes_on(change):
    subprocess.run(["git", "rm", "--quiet", "--cached", "reports/predictions.csv"], cwd=change, check=True)
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, "commit", "--quiet", "--message", "fewer"], cwd=change, check=True)
    text = review(change)
    assert "neither a file nor a revision with reports/predictions.csv" in text
    assert "video.auc" in text
