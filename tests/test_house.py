"""house: imports run one way, light stages import nothing heavy, every module says what it is for."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
VERBS = ("extract", "detect", "filter", "split", "augment", "train", "calibrate", "evaluate", "forge", "demo", "export")
DOORS_ONLY = ("typer", "streamlit", "fastapi", "starlette", "uvicorn", "pebble", "sqlalchemy", "alembic", "dvc")
HEAVY = {"torch", "sklearn", "albumentations"}
LIGHT = {  # what a stage may not import: seconds, though nothing is to be done
    "extract": HEAVY,
    "detect": HEAVY,
    "filter": HEAVY,
    "split": HEAVY,
    "augment": {"torch"},
    "calibrate": {"torch", "albumentations"},
    "describe": HEAVY,
    "demo": {"torch"},
}


@pytest.fixture
def graph() -> Iterator[grimp.ImportGraph]:
    """Who imports whom; each test may add to its own."""
    return grimp.build_graph("deepfake", "stages", include_external_packages=True, cache_dir=None)


def upward(graph: grimp.ImportGraph) -> list[str]:
    """The imports that run the wrong way, a line each."""
    above = {"app", "further", "library", "perturbed", "predict", *VERBS}
    nouns = {module.split(".")[1] for module in graph.find_children("deepfake")} - above - {"base"}
    floors = (
        "stages",
        "deepfake.app",
        grimp.Layer("deepfake.library", "deepfake.perturbed", independent=True),
        "deepfake.further",
        "deepfake.predict",
        grimp.Layer(*(f"deepfake.{verb}" for verb in VERBS), independent=True),
        grimp.Layer(*(f"deepfake.{noun}" for noun in nouns), independent=False),
        "deepfake.base",
    )
    wrong = graph.find_illegal_dependencies_for_layers(floors)
    chains = {(route.heads, route.tails) for package in wrong for route in package.routes}
    lines = [f"{head} imports {tail}" for heads, tails in chains for head in heads for tail in tails]
    for library in set(DOORS_ONLY) & graph.modules:
        users = graph.find_modules_that_directly_import(library)
        lines += [f"{user} imports {library}" for user in users if not user.startswith(("stages.", "deepfake.app."))]
    return sorted(lines)


def heavy(root: Path, names: list[str]) -> list[str]:
    """The libraries that a stage imports though it may not, a line each; each stage in a fresh Python."""
    script = """
import os, sys
from importlib import import_module
import cv2, pandas, typer  # once for all: they are allowed
for name in sys.argv[1:]:
    if not os.fork():
        import_module(f"stages.{name}")
        print(name, *sorted({"torch", "sklearn", "albumentations"} & set(sys.modules)), flush=True)
        os._exit(0)
    os.wait()
"""
    call = [sys.executable, "-c", script, *names]
    output = subprocess.run(call, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = [line.split() for line in output.splitlines()]
    assert [line[0] for line in lines] == names
    return [f"{name} imports {library}" for name, *imported in lines for library in sorted(LIGHT[name] & set(imported))]


def test_imports_run_one_way(graph):
    assert upward(graph) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("deepfake.base.disk", "deepfake.video"),
        ("deepfake.faces", "deepfake.detect"),
        ("deepfake.layouts.folders", "deepfake.extract"),
        ("deepfake.filter", "deepfake.detect"),
        ("deepfake.train", "deepfake.predict"),
        ("deepfake.predict", "deepfake.app.cli"),
        ("deepfake.app.cli", "stages.command"),
        ("deepfake.video", "typer"),
        ("deepfake.train", "dvc"),
    ],
)
def test_an_import_that_runs_the_wrong_way_is_found(graph, module, imported):
    graph.add_import(importer=module, imported=imported)
    assert upward(graph) == [f"{module} imports {imported}"]


@pytest.mark.parametrize(
    ("module", "imported"),
    [("deepfake.layouts.folders", "cv2"), ("deepfake.faces", "deepfake.clips"), ("deepfake.app.cli", "dvc")],
)
def test_an_import_that_runs_the_right_way_is_none(graph, module, imported):
    graph.add_import(importer=module, imported=imported)
    assert upward(graph) == []


def test_what_was_said_of_a_video_is_read_without_anything_heavy():
    script = "import sys, deepfake.prediction; print(*{'numpy', 'pandas', 'cv2', 'av', 'torch'} & set(sys.modules))"
    call = [sys.executable, "-c", script]
    assert subprocess.run(call, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout == "\n"


def test_light_stages_import_no_heavy_library():
    assert heavy(ROOT, sorted(LIGHT)) == []


def test_the_stage_that_always_runs_computes_with_nothing():
    script = "import sys, stages.code; print(*{'numpy', 'pandas', 'cv2', 'joblib', 'av', 'torch'} & set(sys.modules))"
    call = [sys.executable, "-c", script]
    assert subprocess.run(call, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout == "\n"


def test_a_heavy_library_in_a_light_stage_is_found(house):
    for name in ("sklearn", "torch"):
        (house / f"{name}.py").touch()  # stand for the true ones, which take their time
    for name, text in (("filter", "import sklearn"), ("augment", "import sklearn, torch")):
        file = house / f"deepfake/{name}.py"
        file.write_text(f"{file.read_text()}\n{text}\n")
    assert heavy(house, ["augment", "filter", "split"]) == ["augment imports torch", "filter imports sklearn"]


def test_a_package_is_a_docstring_alone_and_every_module_begins_with_its_name():
    for file in sorted((ROOT / "deepfake").rglob("*.py")) + sorted((ROOT / "stages").glob("*.py")):
        source = ast.parse(file.read_text())
        package = file.stem == "__init__"
        assert (ast.get_docstring(source) or "").startswith(f"{file.parent.name if package else file.stem}: "), file
        offers = file == ROOT / "deepfake/__init__.py"  # names for programs, imported when they are asked for
        assert not package or offers or len(source.body) == 1, file
