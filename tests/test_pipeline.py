"""pipeline: dvc.yaml says what the commands say, params.yaml what their Params say."""

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepfake.base import code, plugins
from stages.code import CHOSEN_BY

ROOT = Path(__file__).parents[1]
FILES = ("dvc.yaml", "data/demo/dvc.yaml", "robustness/dvc.yaml")
KINDS = {"In": "deps", "Out": "outs", "Metric": "metrics", "Plot": "plots"}  # of stages/command.py, as DVC calls them


# ---- what a folder of the project says


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
    lines = differences("stages", set(stages), set(commands(root)))
    for name in set(stages) & set(commands(root)):
        source = ast.parse((root / f"stages/{name}.py").read_text())
        stage, paths = stages[name], signature(source)
        own = {f"data/code/{name}.json"} if name != "code" else set()
        inputs = paths["deps"] | own | ({"${extract.root}"} if name == "extract" else set())
        if stage["cmd"] != f"python -m stages.{name}":
            lines.append(f"{name}: cmd: {stage['cmd']}")
        if stage.get("always_changed", False) is not (name == "code"):
            lines.append(f"{name}: always_changed")
        lines += differences(f"{name}: deps", entries(stage, "deps"), inputs)
        lines += differences(f"{name}: params", entries(stage, "params"), sections(source))
        for kind in ("outs", "metrics", "plots"):
            lines += differences(f"{name}: {kind}", entries(stage, kind), paths[kind])
        for kind in ("metrics", "plots"):
            listed = stage.get(kind, [])
            lines += [f"{name}: {kind}: {entry} is not cache: false" for entry in listed if not in_git(entry)]
    return lines


def differences(where: str, given: set[str], right: set[str]) -> list[str]:
    return [f"{where}: no {name}" for name in sorted(right - given)] + [
        f"{where}: not {name}" for name in sorted(given - right)
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
    """What a stage loads of params.yaml: sections, and single keys, params.load("augment", AugmentParams).seed."""
    calls = [node for node in ast.walk(source) if isinstance(node, ast.Call)]
    methods = {id(call.func) for call in calls}
    reads = [node for node in ast.walk(source) if isinstance(node, ast.Attribute) and id(node) not in methods]
    key = {id(read.value): f".{read.attr}" for read in reads}
    loads = [call for call in calls if ast.unparse(call.func) == "params.load"]
    return {call.args[0].value + key.get(id(call), "") for call in loads}


def wrong_params(root: Path) -> list[str]:
    """Where params.yaml differs from the Params of its sections, a line each."""
    given = yaml.safe_load((root / "params.yaml").read_text())
    stages = set(commands(root)) - {"code", "describe", "extra"}  # the last reads a key of evaluate, the others none
    lines = differences("sections", set(given), stages)
    for section in set(given) & stages:
        model = params_of(section)
        lines += differences(section, set(given[section]), set(model.model_fields))
        try:
            model.model_validate(given[section])
        except ValueError as error:
            lines.append(f"{section}: {error}")
    return lines


def params_of(section: str) -> Any:
    """Its Params."""
    return getattr(import_module(f"deepfake.{section}"), f"{section.capitalize()}Params")


def wrong_choices(root: Path) -> list[str]:
    """Where a comment of params.yaml, `key: one # one | another`, lists other words than there are."""
    lines, section = [], ""
    for line in (root / "params.yaml").read_text().splitlines():
        section = line.split(":")[0] if line and line[0].isalpha() else section
        if match := re.match(r"  (\w+): .*# (\w+(?: \| \w+)+)$", line):
            key, words = match[1], set(match[2].split(" | "))
            kinds = [kind for kind, chooses in CHOSEN_BY.items() if chooses == f"{section}.{key}"]
            plugged = plugins_of(root, kinds[0]) if kinds else []
            right = plugged or params_of(section).model_json_schema()["properties"][key]["enum"]
            lines += differences(f"{section}.{key}", words, set(right))
    return lines


def plugins_of(root: Path, kind: str) -> list[str]:
    folder = root.joinpath("deepfake", *kind.split("."))
    return [file.stem for file in folder.glob("*.py") if file.stem != "__init__"]


# ---- the project as it is


def test_dvc_yaml_says_what_the_commands_say():
    assert faults(ROOT) == []


def test_params_yaml_has_the_keys_of_the_params_and_values_that_they_allow():
    assert wrong_params(ROOT) == []


def test_the_choices_in_the_comments_are_those_there_are():
    assert wrong_choices(ROOT) == []


def test_every_kind_of_plugin_that_params_choose_is_one():
    modules = [f"stages.{name}" for name in commands(ROOT)]
    loaded = {kind for module in code.closure(*modules) for kind in code.kinds(module)}
    assert set(CHOSEN_BY) <= loaded
    for kind, key in CHOSEN_BY.items():
        section, name = key.split(".")
        chosen = yaml.safe_load((ROOT / "params.yaml").read_text())[section][name]
        assert set(chosen if isinstance(chosen, list) else [chosen]) <= set(plugins.names(kind))


def test_the_plots_of_dvc_yaml_are_drawn_from_what_the_stages_write():
    drawn = [next(iter(plot.values()))["y"] for plot in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]]
    written = {path for stage in declared(ROOT).values() for path in entries(stage, "plots")}
    for file in (file for files in drawn for file in files):
        assert file in written or file.split("/")[0] in written


# ---- a project that is spoilt


def edit(root: Path, file: str, old: str, new: str) -> None:
    """Replace the first such text of a file, which has one; "" is its end."""
    text = (root / file).read_text() if (root / file).exists() else ""
    assert old in text
    (root / file).write_text(text.replace(old, new, 1) if old else f"{text}\n{new}\n")


KEPT = "data/code/filter.json\n    outs:\n      - data/kept.parquet"


@pytest.mark.parametrize(
    ("file", "old", "new", "lines"),
    [
        (
            "dvc.yaml",
            "      - data/faces.parquet\n      - data/code",
            "      - data/code",
            ["filter: deps: no data/faces.parquet"],
        ),
        ("dvc.yaml", "      - data/code/detect.json\n", "", ["detect: deps: no data/code/detect.json"]),
        ("dvc.yaml", "      - ${extract.root}\n", "", ["extract: deps: no ${extract.root}"]),
        ("dvc.yaml", "- data/code/filter.json", "- data/code/filter.json\n      - x.py", ["filter: deps: not x.py"]),
        ("dvc.yaml", "    always_changed: true", "    always_changed: false", ["code: always_changed"]),
        (
            "dvc.yaml",
            "    params: [split, evaluate.held_out]\n",
            "    always_changed: true\n    params: [split, evaluate.held_out]\n",
            ["split: always_changed"],
        ),
        ("dvc.yaml", "[split, evaluate.held_out]", "[split]", ["split: params: no evaluate.held_out"]),
        ("dvc.yaml", "params: [split, ", "params: [split, train, ", ["split: params: not train"]),
        (
            "dvc.yaml",
            "params: [split, ",
            "params: [split.seed, ",
            ["split: params: no split", "split: params: not split.seed"],
        ),
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
            "    metrics:\n      - reports/split.json: {cache: false}\n",
            "",
            ["split: metrics: no reports/split.json"],
        ),
        (
            "data/demo/dvc.yaml",
            "- data/demo/videos",
            "- data/demo/clips",
            ["demo: outs: no data/demo/videos", "demo: outs: not data/demo/clips"],
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
        (
            "stages/split.py",
            '"split", SplitParams)',
            '"split", SplitParams).seed',
            ["split: params: no split.seed", "split: params: not split"],
        ),
        ("stages/render.py", "", "def run() -> None: ...", ["stages: no render"]),
    ],
)
def test_a_difference_between_dvc_yaml_and_a_command_is_found(house, file, old, new, lines):
    edit(house, file, old, new)
    assert sorted(faults(house)) == lines


@pytest.mark.parametrize(
    ("old", "new", "lines"),
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
def test_a_key_or_a_value_that_params_do_not_allow_is_found(house, old, new, lines):
    edit(house, "params.yaml", old, new)
    assert [line[: len(start)] for line, start in zip(wrong_params(house), lines, strict=True)] == lines


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        ("params.yaml", "count | fps | stride", "count | fps", "extract.sampling: no stride"),
        ("params.yaml", "manifest | folders", "manifest | folders | none", "extract.layout: not none"),
        ("deepfake/detectors/none.py", "", '"""none: finds nothing."""', "detect.detector: no none"),
    ],
)
def test_a_choice_that_its_comment_does_not_name_is_found(house, file, old, new, line):
    edit(house, file, old, new)
    assert wrong_choices(house) == [line]
