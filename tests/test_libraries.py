"""libraries: every one that shapes a result is told by its version, and no other."""

import re
from importlib.metadata import PackageNotFoundError, requires, version

import av
import cv2
import pytest

from deepfake.base import code, libraries

MODULES = [
    ".".join(file.relative_to(code.PACKAGE.parent).with_suffix("").parts)
    for file in sorted(code.PACKAGE.rglob("*.py"))
    if file.stem != "__init__"
]
OUTSIDE = {name.partition(".")[0] for module in MODULES for name in code.imported(module)} - {"deepfake"}


def test_the_versions_are_those_of_what_is_installed():
    told = libraries.versions(["cv2", "numpy.linalg", "pydantic", "tqdm.auto"])
    assert told == {"numpy": version("numpy"), "opencv-python-headless": version("opencv-python-headless")}
    assert told["opencv-python-headless"].startswith(cv2.__version__)


def test_what_computes_behind_a_library_counts():
    assert {"albucore", "simsimd", "stringzilla", "scipy"} <= set(libraries.versions(["albumentations"]))
    assert libraries.versions(["av"]) == {"av": av.__version__, "ffmpeg": av.ffmpeg_version_info}


def test_how_a_library_is_built_does_not_count(monkeypatch):
    monkeypatch.setattr(libraries, "version", lambda package: "2.8.0+cu128")
    assert libraries.versions(["torch"]) == {"torch": "2.8.0"}


def test_two_providers_of_one_module_are_both_told(monkeypatch):
    there = {"opencv-python": "4.11", "opencv-python-headless": "4.14", "numpy": "2"}

    def installed(package: str) -> str:
        if package not in there:
            raise PackageNotFoundError(package)
        return there[package]

    monkeypatch.setattr(libraries, "version", installed)
    assert libraries.versions(["cv2"]) == there


@pytest.mark.parametrize("name", sorted(OUTSIDE - set(__import__("sys").stdlib_module_names)))
def test_every_library_that_we_import_has_a_version_or_is_neutral(name):
    assert bool(libraries.versions([name])) is (name not in libraries.NEUTRAL)


def test_every_neutral_library_is_one_that_we_import():
    assert set(libraries.NEUTRAL) <= OUTSIDE


@pytest.mark.parametrize("name", sorted(libraries.BEHIND))
def test_what_is_behind_a_library_is_what_it_requires(name):
    """Itself, or what it requires does."""
    behind = {package(other) for other in libraries.BEHIND[name]}
    needed, todo = set(), [package(name)]
    while todo:
        lines = requires(todo.pop()) or []
        names = {re.split(r"[^\w-]", line)[0].lower().replace("_", "-") for line in lines} & behind
        todo += names - needed
        needed |= names
    assert needed == behind


def package(name: str) -> str:
    """What provides it here."""
    return libraries.PROVIDERS.get(name, (name,))[-1]
