"""code: what shapes the results of a module: it and all of ours that it imports, but for words, libraries, models."""

import ast
import hashlib
import json
import sys
from collections.abc import Collection
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deepfake.base import hashes, libraries

PACKAGE = Path(__file__).parents[1]
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
MODELS = "face_recognition_models"  # the package whose files are the models of dlib
# What shapes no result, and why: an edit makes nothing again.
NEUTRAL = {
    "deepfake.base.cache": "how long a result is kept",
    "deepfake.base.code": "what a result is told by",
    "deepfake.base.disk": "how a file comes to its place whole",
    "deepfake.base.errors": "what is said when there is no result",
    "deepfake.base.hashes": "what a file is told by",
    "deepfake.base.items": "whether a result is made or reused; its form has a number of its own",
    "deepfake.base.libraries": "what a library is told by",
    "deepfake.base.parallel": "where and when it is made; results come in the order of the items",
    "deepfake.base.params": "how settings are read; what they are counts itself",
    "deepfake.base.progress": "how far a run is",
    "deepfake.base.plugins": "how a module is found; what it says counts itself",
}


def shape(*modules: str, unused: Collection[str] = ()) -> dict[str, Any]:
    """What shapes the results of the modules, as JSON; equal on machines with equal code and libraries.

    `unused` are packages and modules of ours that they import, and that the settings leave without a use.
    """
    reached = closure(*modules, unused=unused)
    outside = {name for module in reached for name in imported(module) if not is_ours(name)}
    return {
        "code": {module: meaning(module) for module in reached},
        "libraries": libraries.versions(name for name in outside if name.split(".")[0] not in sys.stdlib_module_names),
        "models": models(reached),
    }


def closure(*modules: str, unused: Collection[str] = ()) -> list[str]:
    """The modules and all of ours that they import, directly or not, lazily or not; sorted.

    Without those that are neutral, and those that are unused, alone or as a package.
    """
    reached: set[str] = set()
    todo = list(modules)
    while todo:
        if (module := todo.pop()) not in reached | set(NEUTRAL):
            reached.add(module)
            ours = [name for name in imported(module) if is_ours(name)]
            todo += [name for name in ours if name not in unused and name.rpartition(".")[0] not in unused]
    return sorted(reached)


def meaning(module: str) -> str:
    """A hash of the module's syntax tree without docstrings: an edited comment changes nothing."""
    return _meaning(_text(module))


def models(modules: list[str]) -> dict[str, str]:
    """The hashes of the files of MODELS that the modules name."""
    spec = find_spec(MODELS)
    folder = Path(spec.origin or "").parent / "models" if spec else Path(MODELS)
    named = {name for module in modules for name in _strings(_text(module))}
    files = sorted(path for path in folder.glob("*") if path.name in named)
    return {path.name: digest for path, digest in zip(files, hashes.contents(files), strict=True)}


def imported(module: str) -> set[str]:
    """The modules that the module's file names in its imports, but for those for type checkers alone."""
    names: set[str] = set()
    for node in _nodes(_text(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name for name in inner if is_ours(name)} or {node.module}
    return names


def kinds(module: str) -> set[str]:
    """The kinds of plugins that the module loads: plugins.load("detectors", ...)."""
    return _kinds(_text(module))


def is_ours(module: str) -> bool:
    """Whether the name is a module of this package."""
    return module.split(".")[0] == PACKAGE.name and file_of(module).is_file()


def file_of(module: str) -> Path:
    """The file of one of our modules."""
    base = PACKAGE.parent.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _text(module: str) -> str:
    return file_of(module).read_text(encoding="utf-8")


@cache
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def _meaning(text: str) -> str:
    return hashlib.sha256(json.dumps(_plain(_tree(text))).encode()).hexdigest()


@cache
def _nodes(text: str) -> list[ast.AST]:
    """All nodes, but for those under `if TYPE_CHECKING`."""
    nodes: list[ast.AST] = []
    todo: list[ast.AST] = [_tree(text)]
    while todo:
        node = todo.pop()
        nodes.append(node)
        guarded = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        todo += node.orelse if isinstance(node, ast.If) and guarded else ast.iter_child_nodes(node)
    return nodes


@cache
def _strings(text: str) -> set[str]:
    return {n.value for n in _nodes(text) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


@cache
def _kinds(text: str) -> set[str]:
    calls = [n for n in _nodes(text) if isinstance(n, ast.Call) and n.args and isinstance(n.func, ast.Attribute)]
    loads = [call.args[0] for call in calls if ast.unparse(call.func) == "plugins.load"]
    return {str(kind.value) for kind in loads if isinstance(kind, ast.Constant)}


def _plain(node: Any) -> Any:
    """The tree as JSON, alike in every version of Python: newer ones have more fields, which are empty."""
    if isinstance(node, ast.AST):
        fields = {name: value for name, value in ast.iter_fields(node) if value is not None and value != []}
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            fields["body"] = node.body[1:]
        return [type(node).__name__, {name: _plain(value) for name, value in sorted(fields.items())}]
    return [_plain(part) for part in node] if isinstance(node, list) else repr(node)
