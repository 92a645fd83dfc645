"""code: an edited comment changes nothing, an edited formula cannot be missed."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepfake.base import code


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A copy of this package, to be edited."""
    copy = tmp_path / "deepfake"
    shutil.copytree(code.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", copy)
    code.imported.cache_clear()
    yield copy
    code.imported.cache_clear()


def write(package: Path, **modules: str) -> None:
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text)
    code.imported.cache_clear()


def test_the_closure_holds_what_is_imported_directly_or_not(package):
    write(
        package,
        one="from deepfake import two\nimport numpy",
        two='def late():\n    """Lazily."""\n    import deepfake.three',
        three="from deepfake.base.errors import UserError",
        four="",
    )
    assert code.closure("deepfake.one") == ["deepfake.base.errors", "deepfake.one", "deepfake.three", "deepfake.two"]


def test_what_only_a_type_checker_reads_is_not_imported(package):
    guard = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\n    from deepfake import two\n"
    write(package, one=f"{guard}else:\n    pass\n", two="")
    assert code.closure("deepfake.one") == ["deepfake.one"]
    assert code.imported("deepfake.one") == {"typing"}


def test_modules_that_import_each_other_are_found_once(package):
    write(package, one="from deepfake import two", two="from deepfake import one")
    assert set(code.closure("deepfake.one")) >= {"deepfake.one", "deepfake.two"}


def test_the_real_closure_of_extract_is_what_it_needs():
    closure = code.closure("deepfake.extract")
    assert {"deepfake.extract", "deepfake.video", "deepfake.base.items", "deepfake.base.disk"} <= set(closure)
    assert not {"deepfake.detect", "deepfake.train", "deepfake.faces"} & set(closure)


AREA = '''"""area: of a circle."""

from math import pi


def area(radius):
    """In px."""
    return pi * radius**2
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""In px."""', '"""In pixels, for those who did not know."""'),
        ('    """In px."""\n', ""),
        ('"""area: of a circle."""', '"""area: how large a circle is."""'),
        ("    return", "    # the ancient Greeks knew\n    return"),
        ("radius**2", "(radius ** 2)"),
        ("\n\n\ndef", "\n\n\n\n\ndef"),
    ],
)
def test_words_about_the_code_do_not_change_its_meaning(package, old, new):
    write(package, area=AREA)
    before = code.meaning(["deepfake.area"])
    write(package, area=AREA.replace(old, new))
    assert code.meaning(["deepfake.area"]) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("**2", "**3"),
        ("pi *", "3.14 *"),
        ("radius", "r"),
        ("import pi", "import tau as pi"),
        ("def", "x = 1\ndef"),
    ],
)
def test_an_edited_formula_changes_the_meaning(package, old, new):
    write(package, area=AREA)
    before = code.meaning(["deepfake.area"])
    write(package, area=AREA.replace(old, new))
    assert code.meaning(["deepfake.area"]) != before


def test_an_edited_formula_is_noticed_by_those_who_import_it(package):
    before = {name: code.meaning(code.closure(f"deepfake.{name}")) for name in ("extract", "detect", "filter")}
    text = (package / "faces.py").read_text()
    write(package, faces=text.replace("SHARPNESS_SIDE = 128", "SHARPNESS_SIDE = 64"))
    after = {name: code.meaning(code.closure(f"deepfake.{name}")) for name in before}
    assert [name for name in before if before[name] != after[name]] == ["detect"]


def test_only_the_libraries_that_shape_a_result_are_named():
    versions = code.versions(["deepfake.faces", "deepfake.base.opencv", "deepfake.base.params"])
    assert versions == {"cv2": cv2.__version__, "dlib": versions["dlib"], "numpy": np.__version__}
