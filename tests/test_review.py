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
    },
    "plots": [{"reports/roc.csv": {"x": "fpr", "y": "tpr"}}],
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
        (tmp_path / "reports/roc.csv").write_text(f"fpr,tpr\n0,0\n{1 - gap},1\n")
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
def test_the_steps_of_the_workflow_leave_a_comment_and_its_files(change, tmp_path_factory):
    def git(*call: str) -> str:
        who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        return subprocess.run(["git", *who, *call], cwd=change, capture_output=True, text=True, check=True).stdout

    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, change)
    (change / "reports/report.html").write_text("all of it")
    git("add", ".")
    git("commit", "--quiet", "--message", "better")
    base, head = git("rev-parse", "HEAD~1", "HEAD").split()
    place = tmp_path_factory.mktemp("host")
    checkout, programs = place / "checkout", place / "bin"
    programs.mkdir()
    (programs / "gh").write_text(f"#!/bin/sh\necho $@ > {place}/gh.txt\n")
    (programs / "gh").chmod(0o755)
    facts = {
        "github.event.pull_request.base.sha": base,
        "github.event.pull_request.head.sha": head,
        "github.event.pull_request.number": "7",
        "github.server_url": "https://example.org",
        "github.repository": "us/deepfake",
        "github.token": "token",
    }

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ *([\w.]+) *\}\}", lambda match: facts[match[1]], text)

    job = yaml.safe_load((ROOT / ".github/workflows/review.yml").read_text())["jobs"]["figures"]
    own = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(place / "summary.md")}
    own |= {"PYTHONPATH": str(ROOT)}
    for step in job["steps"]:
        action = step.get("uses", "").split("@")[0]
        if action == "actions/checkout":
            git("clone", "--quiet", ".", str(checkout))
            subprocess.run(["git", "checkout", "--quiet", filled(step["with"]["ref"])], cwd=checkout, check=True)
            (checkout / ".venv").mkdir()  # it is set up
            (checkout / ".venv/bin").symlink_to(Path(sys.executable).parent)
            (checkout / ".venv/ready").touch()
        elif action == "actions/upload-artifact":
            assert all((checkout / path).exists() for path in step["with"]["path"].split())
        elif "run" in step:
            environment = {name: filled(str(value)) for name, value in (job["env"] | step.get("env", {})).items()}
            call = ["bash", "-e", "-o", "pipefail", "-c", filled(step["run"])]
            subprocess.run(call, cwd=checkout, env=os.environ | own | environment, check=True)
    comment = (checkout / "review.md").read_text()
    assert comment.startswith(f"## Is it better than {base[:10]}?\n")
    assert "better by more than noise" in comment
    assert f"![](https://example.org/us/deepfake/raw/{head}/reports/plots/evaluate.png)" in comment
    assert (place / "summary.md").read_text() == comment
    assert (place / "gh.txt").read_text() == "pr comment 7 --edit-last --create-if-none --body-file review.md\n"


@pytest.mark.slow
def test_a_review_of_a_revision_without_figures_says_so_and_goes_on(change):
    subprocess.run(["git", "rm", "--quiet", "--cached", "reports/predictions.csv"], cwd=change, check=True)
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, "commit", "--quiet", "--message", "fewer"], cwd=change, check=True)
    text = review(change)
    assert "neither a file nor a revision with reports/predictions.csv" in text
    assert "video.auc" in text
