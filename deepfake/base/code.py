"""code: what a module is made of: the files it imports from this package, and what they say but for comments."""

import ast
import hashlib
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
OUTSIDE = ("pydantic", "yaml", "typer", "tqdm", "joblib", "distributed")  # they shape no pixel and no number


def closure(*modules: str) -> list[str]:
    """The modules and all of ours that they import, directly or not, lazily or not; sorted."""
    found: set[str] = set()
    todo = list(modules)
    while todo:
        if (module := todo.pop()) not in found:
            found.add(module)
            todo += [name for name in imported(module) if name.split(".")[0] == PACKAGE.name]
    return sorted(found)


def versions(modules: list[str]) -> dict[str, str]:
    """The version of each library that the modules import, where it shapes a result."""
    names = {name.split(".")[0] for module in modules for name in imported(module)}
    names -= {PACKAGE.name, *OUTSIDE, *sys.stdlib_module_names}
    return {name: str(getattr(__import__(name), "__version__", None) or version(name)) for name in sorted(names)}


def meaning(modules: list[str]) -> str:
    """A hash of the modules' syntax trees without docstrings: an edited comment changes nothing."""
    digest = hashlib.sha256()
    for module in modules:
        tree = _tree(module)
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        digest.update(f"{module}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()


@cache
def imported(module: str) -> frozenset[str]:
    """The modules that the module's file names in its imports, but for those for type checkers alone."""
    names: set[str] = set()
    for node in _runtime(_tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name for name in inner if is_ours(name)} or {node.module}
    return frozenset(names)


def is_ours(module: str) -> bool:
    """Whether the name is a module of this package."""
    return module.split(".")[0] == PACKAGE.name and file_of(module).is_file()


def file_of(module: str) -> Path:
    """The file of one of our modules."""
    base = PACKAGE.parent.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _tree(module: str) -> ast.Module:
    return ast.parse(file_of(module).read_text(encoding="utf-8"))


def _runtime(tree: ast.AST) -> list[ast.AST]:
    """All nodes, but for what stands under `if TYPE_CHECKING`."""
    nodes: list[ast.AST] = []
    todo = [tree]
    while todo:
        node = todo.pop()
        nodes.append(node)
        guarded = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        todo += [] if guarded else list(ast.iter_child_nodes(node))
    return nodes
