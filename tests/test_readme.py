"""README.md: its commands work. The long ones run on tiny data, and `make` only says what it would do."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deepfake.demo import DemoParams, draw

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
TINY = {
    "demo": {"identities": 16, "frames": 6, "size": 160},
    "extract": {"frames_per_video": 4},
    "detect": {"size": 64},
    "filter": {"min_sharpness": 0.0, "min_faces": 2},
    "augment": {"copies": 1},
    "train": {"epochs": 1, "side": 32, "frames": 2},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small copy of the project in a repository of its own, with a folder of real videos beside it."""
    folder = tmp_path_factory.mktemp("project")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.endswith("dvc.lock") and not name.startswith(("reports/", "dvclive/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    for section, values in TINY.items():
        params[section] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (folder / "my_real_videos").mkdir()
    draw(folder / "my_real_videos", DemoParams(identities=2, frames=6, size=256, resolution=0, seed=7))
    with (folder / ".gitignore").open("a") as file:
        file.write("my_real_videos\nforged\n")
    return folder


def run(project: Path, script: str, home: Path) -> str:
    """What a block prints; it fails where any of its commands does."""
    bin_folder = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": str(project)}
    environment |= {"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"), "ITEM_CACHE": str(home / "items")}
    done = subprocess.run(["bash", "-euc", script], cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_there_are_commands_to_try() -> None:
    assert len(BLOCKS) == 9
    assert BLOCKS[0].startswith("make repro")


@pytest.mark.slow
def test_every_command_block_runs_in_the_order_of_the_page(project: Path, tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n  name = a reader\n  email = reader@example.com\n")
    run(project, "git init --quiet && git add --all && git commit --quiet --message start", tmp_path)
    output = run(project, "dvc repro && git add --all && git commit --quiet --message repro", tmp_path)
    assert "Running stage 'evaluate'" in output
    outputs = [run(project, block.replace("make ", "make -n "), tmp_path) for block in BLOCKS]
    assert "dvc repro" in outputs[0]
    assert "auc" in outputs[1]
    assert "P(fake)" in outputs[1]
    assert "Running stage 'train'" in outputs[2]
    assert "Running stage 'augment'" not in outputs[2]
    assert "0.0002" in outputs[2]
    assert "time_distributed" in outputs[4]
    assert "Running stage 'train'" in outputs[4]
    assert "Running stage 'augment'" not in outputs[4]
    assert "forge: 2 reals, 2 fakes" in outputs[5]
    assert '"verdict"' in outputs[6]
    assert "throughput" in outputs[7]
    assert "ours / bare" in outputs[8]


TREE = README[README.index("```\ndvc.yaml") :].split("```")[1]


def said_of(file: Path) -> str:
    """What the first line of a module says that it is for."""
    first = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]
    return first.split(": ", 1)[-1].rstrip(".")


def test_the_tree_says_of_each_module_and_room_what_its_first_line_says():
    folder = ROOT / "deepfake"
    modules = {file.name: said_of(file) for file in folder.glob("*.py") if file.stem != "__init__"}
    rooms = {f"{file.parent.name}/": said_of(file) for file in folder.glob("*/__init__.py")}
    doors = {name: said_of(ROOT / "stages" / name) for name in ("command.py", "code.py")}
    lines = [
        line.split(maxsplit=1) for line in TREE.splitlines() if line.startswith("  ") and not line.startswith("  --")
    ]
    assert dict(lines) == modules | rooms | doors
    assert len(lines) == len(dict(lines))
