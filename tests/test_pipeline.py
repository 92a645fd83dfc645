"""pipeline: dvc.yaml says what the commands say, imports run one way, and only what changed is made again."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepfake.base import code, plugins

ROOT = Path(__file__).parents[1]
FILES = ("dvc.yaml", "data/demo/dvc.yaml")
FOLDERS = ("deepfake/base", "deepfake/drawing")  # stand for the files in them
KINDS = {"In": "deps", "Out": "outs", "Metric": "metrics", "Plot": "plots"}  # of stages/command.py, as DVC calls them
PLUGINS = {  # kind: the key of params.yaml that chooses one
    "forgeries": "demo.method",
    "layouts": "extract.layout",
    "detectors": "detect.detector",
    "models.encoders": "train.encoder",
    "models.heads": "train.head",
}
NEVER_LOADED = {("calibrate", "detectors")}  # it takes the Params of detect, and detects nothing
VERBS = ("extract", "detect", "filter", "split", "augment", "train", "calibrate", "evaluate", "forge", "demo")
DOORS_ONLY = {"typer", "streamlit", "sqlalchemy", "dvc"}
LIGHT = {  # what a stage may not import: seconds, though nothing is to be done
    "extract": {"torch", "sklearn", "albumentations"},
    "detect": {"torch", "sklearn", "albumentations"},
    "filter": {"torch", "sklearn", "albumentations"},
    "split": {"torch", "sklearn", "albumentations"},
    "augment": {"torch"},
    "calibrate": {"torch", "albumentations"},
    "demo": {"torch"},
}


# ---- what a folder of the project says


@pytest.fixture
def house(tmp_path, monkeypatch) -> Iterator[Path]:
    """A copy of the project, to be spoilt."""
    folder = tmp_path / "house"
    for name in ("deepfake", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*FILES, "params.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    monkeypatch.setattr(code, "PACKAGE", folder / "deepfake")
    code.imported.cache_clear()
    yield folder
    code.imported.cache_clear()


def declared(root: Path) -> dict[str, dict[str, Any]]:
    """The stages of the files of DVC, by name."""
    files = [yaml.safe_load((root / file).read_text()) for file in FILES]
    return {name: stage for file in files for name, stage in file["stages"].items()}


def commands(root: Path) -> list[str]:
    """The names of the files of stages/ that are stages."""
    return sorted({file.stem for file in (root / "stages").glob("*.py")} - {"__init__", "command"})


def faults(root: Path) -> list[str]:
    """Where the stages of dvc.yaml differ from their commands, a line each."""
    stages = declared(root)
    found = differences("stages", set(stages), set(commands(root)))
    for name in set(stages) & set(commands(root)):
        source = ast.parse((root / f"stages/{name}.py").read_text())
        stage, paths = stages[name], signature(source)
        inputs = paths["deps"] | code_of(root, name) | ({"${extract.root}"} if name == "extract" else set())
        if stage["cmd"] != f"python -m stages.{name}":
            found.append(f"{name}: cmd: {stage['cmd']}")
        found += differences(f"{name}: deps", entries(stage, "deps"), inputs)
        found += differences(f"{name}: params", entries(stage, "params"), sections(source))
        for kind in ("outs", "metrics", "plots"):
            found += differences(f"{name}: {kind}", entries(stage, kind), paths[kind])
        for kind in ("metrics", "plots"):
            listed = stage.get(kind, [])
            found += [f"{name}: {kind}: {entry} is not cache: false" for entry in listed if not in_git(entry)]
    return found


def differences(where: str, said: set[str], right: set[str]) -> list[str]:
    return [f"{where}: no {one}" for one in sorted(right - said)] + [
        f"{where}: not {one}" for one in sorted(said - right)
    ]


def entries(stage: dict[str, Any], kind: str) -> set[str]:
    """The paths of a list, or the sections of params; each once."""
    names = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in stage.get(kind, [])]
    assert len(set(names)) == len(names)
    return set(names)


def in_git(entry: Any) -> bool:
    """Whether DVC leaves the file to git."""
    return isinstance(entry, dict) and next(iter(entry.values())) == {"cache": False}


def signature(source: ast.Module) -> dict[str, set[str]]:
    """The paths of a stage's command, by DVC's word for their kind."""
    [run] = [node for node in source.body if isinstance(node, ast.FunctionDef) and node.name == "run"]
    paths: dict[str, set[str]] = {kind: set() for kind in KINDS.values()}
    for argument, default in zip(run.args.args, run.args.defaults, strict=True):
        paths[KINDS[ast.unparse(argument.annotation)]].add(ast.literal_eval(default.args[0]))
    return paths


def sections(source: ast.Module) -> set[str]:
    """The sections of params.yaml that a stage loads."""
    return called(source, "params.load")


def called(source: ast.AST, function: str) -> set[str]:
    """The first arguments of the calls of a function, where they are constants."""
    calls = [node for node in ast.walk(source) if isinstance(node, ast.Call) and ast.unparse(node.func) == function]
    return {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}


def code_of(root: Path, name: str) -> set[str]:
    """The files that a stage is made of: itself, all that it imports, and the plugins that its params choose."""
    ours = code.closure(f"stages.{name}", "stages.command")
    loaded = {kind for module in ours for kind in called(tree(module), "plugins.load")}
    chosen = [kind for kind in loaded if (name, kind) not in NEVER_LOADED]
    every = {f"deepfake.{kind}.{one}" for kind in chosen for one in plugins_of(root, kind)}
    of_plugins = set(code.closure(*every)) - every - set(ours)  # whichever is chosen
    files = {code.file_of(module).relative_to(root).as_posix() for module in {*ours, *of_plugins}}
    files |= {f"deepfake/{kind.replace('.', '/')}/${{{PLUGINS[kind]}}}.py" for kind in chosen}
    return {next((folder for folder in FOLDERS if file.startswith(f"{folder}/")), file) for file in files}


def plugins_of(root: Path, kind: str) -> list[str]:
    folder = root.joinpath("deepfake", *kind.split("."))
    return [file.stem for file in folder.glob("*.py") if file.stem != "__init__"]


def tree(module: str) -> ast.Module:
    return ast.parse(code.file_of(module).read_text())


def wrong_params(root: Path) -> list[str]:
    """Where params.yaml differs from the Params of its sections, a line each."""
    given = yaml.safe_load((root / "params.yaml").read_text())
    found = differences("sections", set(given), set(commands(root)))
    for section in set(given) & set(commands(root)):
        model = getattr(import_module(f"deepfake.{section}"), f"{section.capitalize()}Params")
        found += differences(section, set(given[section]), set(model.model_fields))
        try:
            model.model_validate(given[section])
        except ValueError as error:
            found.append(f"{section}: {error}")
    return found


def wrong_choices(root: Path) -> list[str]:
    """Where a comment of params.yaml, `key: one # one | another`, lists other words than there are."""
    found, section = [], ""
    for line in (root / "params.yaml").read_text().splitlines():
        section = line.split(":")[0] if line and line[0].isalpha() else section
        if match := re.match(r"  (\w+): .*# (\w+(?: \| \w+)+)$", line):
            key, words = match[1], set(match[2].split(" | "))
            kinds = [kind for kind, chooses in PLUGINS.items() if chooses == f"{section}.{key}"]
            model = getattr(import_module(f"deepfake.{section}"), f"{section.capitalize()}Params")
            right = plugins_of(root, kinds[0]) if kinds else model.model_json_schema()["properties"][key]["enum"]
            found += differences(f"{section}.{key}", words, set(right))
    return found


def modules(root: Path) -> list[str]:
    """All modules of the package."""
    files = [file.relative_to(root).with_suffix("") for file in (root / "deepfake").rglob("*.py")]
    return sorted(".".join(file.parts).removesuffix(".__init__") for file in files)


def layer(module: str) -> int:
    """How high a module stands: 0 base, 1 nouns and plugins, 2 verbs, 3 predict, 4 app."""
    name = module.split(".")[1] if "." in module else ""
    return {"base": 0, "predict": 3, "app": 4}.get(name, 2 if name in VERBS else 1)


def upward(root: Path) -> list[str]:
    """The imports that run the wrong way, a line each."""
    found = []
    for module in modules(root):
        for name in sorted(code.imported(module)):
            if name.split(".")[0] in DOORS_ONLY and layer(module) < 4:
                found.append(f"{module} imports {name}")
            if name.split(".")[0] not in ("deepfake", "stages"):
                continue
            above = layer(name) > layer(module) or (layer(name) == layer(module) == 2)
            if name.startswith("stages") or above:
                found.append(f"{module} imports {name}")
    return found


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
    said = subprocess.run(call, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = [line.split() for line in said.splitlines()]
    assert [line[0] for line in lines] == names
    return [f"{name} imports {library}" for name, *found in lines for library in found if library in LIGHT[name]]


# ---- the project as it is


def test_dvc_yaml_says_what_the_commands_say():
    assert faults(ROOT) == []


def test_params_yaml_has_the_keys_of_the_params_and_values_that_they_allow():
    assert wrong_params(ROOT) == []


def test_the_choices_in_the_comments_are_those_there_are():
    assert wrong_choices(ROOT) == []


def test_imports_run_one_way():
    assert upward(ROOT) == []


def test_light_stages_import_no_heavy_library():
    assert heavy(ROOT, sorted(LIGHT)) == []


def test_a_package_is_a_docstring_alone_and_every_module_begins_with_its_name():
    for file in sorted((ROOT / "deepfake").rglob("*.py")) + sorted((ROOT / "stages").glob("*.py")):
        source = ast.parse(file.read_text())
        package = file.stem == "__init__"
        assert (ast.get_docstring(source) or "").startswith(f"{file.parent.name if package else file.stem}: "), file
        assert not package or len(source.body) == 1, file


def test_every_kind_of_plugin_is_chosen_by_params():
    doors = [f"stages.{name}" for name in commands(ROOT)]
    loaded = {kind for module in [*modules(ROOT), *doors] for kind in called(tree(module), "plugins.load")}
    assert loaded == set(PLUGINS)
    for kind, key in PLUGINS.items():
        section, name = key.split(".")
        assert yaml.safe_load((ROOT / "params.yaml").read_text())[section][name] in plugins.names(kind)


def test_the_plots_of_dvc_yaml_are_drawn_from_what_the_stages_write():
    drawn = [next(iter(plot.values()))["y"] for plot in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]]
    written = {path for stage in declared(ROOT).values() for path in entries(stage, "plots")}
    for file in (file for some in drawn for file in some):
        assert file in written or file.split("/")[0] in written


# ---- a project that is spoilt


def edit(root: Path, file: str, old: str, new: str) -> None:
    """Replace the first such text of a file, which has one; "" is its end."""
    text = (root / file).read_text() if (root / file).exists() else ""
    assert old in text
    (root / file).write_text(text.replace(old, new, 1) if old else f"{text}\n{new}\n")
    code.imported.cache_clear()


KEPT = "deepfake/videos.py\n    outs:\n      - data/kept.parquet"


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "dvc.yaml",
            "      - data/faces.parquet\n      - stages",
            "      - stages",
            ["filter: deps: no data/faces.parquet"],
        ),
        ("dvc.yaml", "      - deepfake/faces.py\n", "", ["detect: deps: no deepfake/faces.py"]),
        ("dvc.yaml", "      - ${extract.root}\n", "", ["extract: deps: no ${extract.root}"]),
        ("dvc.yaml", "- deepfake/filter.py", "- deepfake/filter.py\n      - setup.py", ["filter: deps: not setup.py"]),
        ("data/demo/dvc.yaml", "      - deepfake/drawing\n", "", ["demo: deps: no deepfake/drawing"]),
        (
            "dvc.yaml",
            "${detect.detector}",
            "dlib_hog",
            [
                "detect: deps: no deepfake/detectors/${detect.detector}.py",
                "detect: deps: not deepfake/detectors/dlib_hog.py",
            ],
        ),
        ("dvc.yaml", "    params: [split]\n", "", ["split: params: no split"]),
        ("dvc.yaml", "params: [split]", "params: [split, train]", ["split: params: not train"]),
        ("dvc.yaml", "filter, augment, train]", "train]", ["train: params: no augment", "train: params: no filter"]),
        ("dvc.yaml", "python -m stages.train", "python stages/train.py", ["train: cmd: python stages/train.py"]),
        (
            "dvc.yaml",
            KEPT,
            KEPT.replace("kept", "keep"),
            ["filter: outs: no data/kept.parquet", "filter: outs: not data/keep.parquet"],
        ),
        (
            "dvc.yaml",
            "reports/filter.json: {cache: false}",
            "reports/filter.json",
            ["filter: metrics: reports/filter.json is not cache: false"],
        ),
        (
            "dvc.yaml",
            "      - dvclive: {cache: false}",
            "      - dvclive",
            ["train: plots: dvclive is not cache: false"],
        ),
        (
            "dvc.yaml",
            "    metrics:\n      - reports/split.json: {cache: false}\n",
            "",
            ["split: metrics: no reports/split.json"],
        ),
        (
            "stages/filter.py",
            'Path("data/kept.parquet")',
            'Path("data/good.parquet")',
            ["filter: outs: no data/good.parquet", "filter: outs: not data/kept.parquet"],
        ),
        (
            "stages/filter.py",
            "faces: In =",
            "faces: Out =",
            ["filter: deps: not data/faces.parquet", "filter: outs: no data/faces.parquet"],
        ),
        ("stages/split.py", '"split", Split', '"deal", Split', ["split: params: no deal", "split: params: not split"]),
        ("stages/render.py", "", "def run() -> None: ...", ["stages: no render"]),
        (
            "deepfake/filter.py",
            "",
            "from deepfake import split",
            [
                "filter: deps: no deepfake/split.py",
                "train: deps: no deepfake/split.py",
                "train: deps: no deepfake/videos.py",
            ],
        ),
        (
            "deepfake/split.py",
            "",
            "def late():\n    from deepfake.models import pooling",
            ["split: deps: no deepfake/models/pooling.py"],
        ),
        ("deepfake/layouts/folders.py", "", "from deepfake import faces", ["extract: deps: no deepfake/faces.py"]),
    ],
)
def test_a_difference_between_dvc_yaml_and_a_command_is_found(house, file, old, new, said):
    edit(house, file, old, new)
    assert sorted(faults(house)) == said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "  min_side:",
            "  min_sides:",
            ["filter: no min_side", "filter: not min_sides", "filter: 2 validation errors"],
        ),
        ("  max_gap:", "  # max_gap:", ["detect: no max_gap", "detect: 1 validation error"]),
        ("  min_faces:", "  min_faces: 0 #", ["filter: 1 validation error"]),
        ("\nevaluate:", "\nevaluation:", ["sections: no evaluate", "sections: not evaluation"]),
    ],
)
def test_a_key_or_a_value_that_params_do_not_allow_is_found(house, old, new, said):
    edit(house, "params.yaml", old, new)
    assert [line[: len(start)] for line, start in zip(wrong_params(house), said, strict=True)] == said


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("params.yaml", "count | fps | stride", "count | fps", "extract.sampling: no stride"),
        ("params.yaml", "manifest | folders", "manifest | folders | none", "extract.layout: not none"),
        ("deepfake/detectors/none.py", "", '"""none: finds nothing."""', "detect.detector: no none"),
    ],
)
def test_a_choice_that_its_comment_does_not_name_is_found(house, file, old, new, said):
    edit(house, file, old, new)
    assert wrong_choices(house) == [said]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("base/disk.py", "from deepfake import video", "deepfake.base.disk imports deepfake.video"),
        ("base/tables.py", "from deepfake.split import SPLITS", "deepfake.base.tables imports deepfake.split"),
        ("faces.py", "from deepfake.detect import Search", "deepfake.faces imports deepfake.detect"),
        ("layouts/folders.py", "from deepfake import extract", "deepfake.layouts.folders imports deepfake.extract"),
        ("filter.py", "from deepfake.detect import DetectParams", "deepfake.filter imports deepfake.detect"),
        ("train.py", "def late():\n    from deepfake import predict", "deepfake.train imports deepfake.predict"),
        ("predict.py", "from deepfake.app import cli", "deepfake.predict imports deepfake.app.cli"),
        ("video.py", "import typer", "deepfake.video imports typer"),
        ("train.py", "from dvc.api import params_show", "deepfake.train imports dvc.api"),
        ("app/cli.py", "from stages.command import main", "deepfake.app.cli imports stages.command"),
    ],
)
def test_an_import_that_runs_the_wrong_way_is_found(house, file, text, said):
    edit(house, f"deepfake/{file}", "", text)
    assert upward(house) == [said]


@pytest.mark.parametrize(
    ("file", "text"),
    [("layouts/folders.py", "import cv2"), ("faces.py", "from deepfake import clips"), ("app/cli.py", "import dvc")],
)
def test_an_import_that_runs_the_right_way_is_none(house, file, text):
    edit(house, f"deepfake/{file}", "", text)
    assert upward(house) == []


def test_a_heavy_library_in_a_light_stage_is_found(house):
    (house / "sklearn.py").touch()  # stand for the true ones, which take their time
    (house / "torch.py").touch()
    edit(house, "deepfake/filter.py", "", "import sklearn")
    edit(house, "deepfake/augment.py", "", "import sklearn, torch")
    assert heavy(house, ["augment", "filter", "split"]) == ["augment imports torch", "filter imports sklearn"]
