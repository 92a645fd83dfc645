"""code: what shapes the results of a module: it and all of ours that it imports, but for words, libraries, models."""

import ast
import hashlib
import json
import re
import sys
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from deepfake.base import hashes, libraries

PACKAGE = Path(__file__).parents[1]
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
MODELS = "face_recognition_models"  # the package whose files are the models of dlib; some lie beside our modules
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

_OWN = Path(__file__).read_text(encoding="utf-8")  # another version of it finds out other things


class Facts(NamedTuple):
    """What a module's text says, as JSON; it takes some milliseconds to find out, and is remembered."""

    meaning: str  # a hash of its syntax tree without docstrings
    imports: list[tuple[str, list[str]]]  # modules, each with the names that are taken from it
    strings: list[str]  # that may be names of files
    kinds: list[str]  # of the plugins that it loads


def shape(*modules: str, unused: Collection[str] = ()) -> dict[str, Any]:
    """What shapes the results of the modules, as JSON; equal on machines with equal code and libraries.

    `unused` are packages and modules of ours that they import, and that the settings leave without a use.
    """
    reached = closure(*modules, unused=unused)
    outside = {name for module in reached for name in imported(module) if not is_ours(name)}
    told = {
        "code": {module: meaning(module) for module in reached},
        "libraries": libraries.versions(name for name in outside if name.split(".")[0] not in sys.stdlib_module_names),
        "models": models(reached),
    }
    hashes.keep()
    return told


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
    return _facts(module).meaning


def models(modules: list[str]) -> dict[str, str]:
    """The hashes of the files of MODELS, and of those beside the modules, that the modules name."""
    spec = find_spec(MODELS)
    folders = {Path(spec.origin or "").parent / "models"} if spec else set()
    folders |= {file_of(module).parent for module in modules}
    named = {name for module in modules for name in _facts(module).strings}
    files = sorted(path for folder in folders for path in folder.glob("*.*") if path.name in named)
    return {path.name: digest for path, digest in zip(files, hashes.contents(files), strict=True)}


def imported(module: str) -> set[str]:
    """The modules that the module's file names in its imports, but for those for type checkers alone."""
    names: set[str] = set()
    for source, taken in _facts(module).imports:
        names |= {name for name in (f"{source}.{part}" for part in taken) if is_ours(name)} or {source}
    return names


def kinds(module: str) -> set[str]:
    """The kinds of plugins that the module loads: plugins.load("detectors", ...)."""
    return set(_facts(module).kinds)


def is_ours(module: str) -> bool:
    """Whether the name is a module of this package."""
    return module.split(".")[0] == PACKAGE.name and file_of(module).is_file()


def file_of(module: str) -> Path:
    """The file of one of our modules."""
    base = PACKAGE.parent.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _facts(module: str) -> Facts:
    text = file_of(module).read_text(encoding="utf-8")
    return Facts(*hashes.remembered(_OWN + text, lambda: list(_looked_up(text))))


def _looked_up(text: str) -> Facts:
    tree = ast.parse(text)
    nodes = _nodes(tree)
    imports: list[tuple[str, list[str]]] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            imports += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports.append((node.module, [alias.name for alias in node.names]))
    strings = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value}
    calls = [n for n in nodes if isinstance(n, ast.Call) and n.args and isinstance(n.func, ast.Attribute)]
    loads = [call.args[0] for call in calls if ast.unparse(call.func) == "plugins.load"]
    kinds = {str(kind.value) for kind in loads if isinstance(kind, ast.Constant)}
    meaning = hashlib.sha256(json.dumps(_plain(tree)).encode()).hexdigest()
    return Facts(meaning, imports, sorted(s for s in strings if re.fullmatch(r"[\w-]+\.\w+", s)), sorted(kinds))


def _nodes(tree: ast.Module) -> list[ast.AST]:
    """All nodes, but for those under `if TYPE_CHECKING`."""
    nodes: list[ast.AST] = []
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        nodes.append(node)
        guarded = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        todo += node.orelse if isinstance(node, ast.If) and guarded else ast.iter_child_nodes(node)
    return nodes


def _plain(node: Any) -> Any:
    """The tree as JSON, alike in every version of Python: newer ones have more fields, which are empty."""
    if isinstance(node, ast.AST):
        fields = {name: value for name, value in ast.iter_fields(node) if value is not None and value != []}
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            fields["body"] = node.body[1:]
        return [type(node).__name__, {name: _plain(value) for name, value in sorted(fields.items())}]
    return [_plain(part) for part in node] if isinstance(node, list) else repr(node)
