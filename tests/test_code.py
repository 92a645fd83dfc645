"""code: an edited comment changes nothing, an edited formula cannot be missed."""

import ast
import shutil
from pathlib import Path

import pytest

from deepfake.base import code, libraries

SHAPING = {  # how it computes; in which memory; how it is rounded
    *("deepfake.base.opencv", "deepfake.base.memory", "deepfake.base.tables"),
}


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A copy of this package, to be edited."""
    copy = tmp_path / "deepfake"
    shutil.copytree(code.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", copy)
    return copy


def write(package: Path, **modules: str) -> None:
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text)


def test_the_closure_holds_what_is_imported_directly_or_not(package):
    write(
        package,
        one="from deepfake import two\nimport numpy",
        two='def late():\n    """Lazily."""\n    import deepfake.three',
        three="from deepfake.base import errors, tables",
        four="",
    )
    assert code.closure("deepfake.one") == ["deepfake.base.tables", "deepfake.one", "deepfake.three", "deepfake.two"]


def test_what_only_a_type_checker_reads_is_not_imported(package):
    guard = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\n    from deepfake import two\n"
    write(package, one=f"{guard}else:\n    import json\n", two="")
    assert code.closure("deepfake.one") == ["deepfake.one"]
    assert code.imported("deepfake.one") == {"typing", "json"}


def test_modules_that_import_each_other_are_found_once(package):
    write(package, one="from deepfake import two", two="from deepfake import one")
    assert code.closure("deepfake.one") == ["deepfake.one", "deepfake.two"]


def test_the_real_closure_of_extract_is_what_it_needs():
    closure = set(code.closure("deepfake.extract"))
    assert {"deepfake.extract", "deepfake.video"} <= closure
    assert not {"deepfake.detect", "deepfake.train", "deepfake.faces", *code.NEUTRAL} & closure


def test_what_is_neutral_can_shape_no_result():
    """It computes with no library, uses nothing that shapes one, and every module of base is judged."""
    for module in code.NEUTRAL:
        outside = [name for name in code.imported(module) if not code.is_ours(name)]
        inside = {name for name in code.imported(module) if code.is_ours(name)}
        lazily = {"av"} if module == "deepfake.base.libraries" else set()  # asked for its version
        assert inside <= set(code.NEUTRAL), module
        assert set(libraries.versions(set(outside) - lazily)) == set(), module
    base = {f"deepfake.base.{file.stem}" for file in (code.PACKAGE / "base").glob("*.py") if file.stem != "__init__"}
    assert base == set(code.NEUTRAL) | SHAPING


def test_a_kind_of_plugin_is_found_where_it_is_loaded(package):
    write(package, one='from deepfake.base import plugins\nplugins.load("layouts", "x").scan(plugins.names("models"))')
    assert code.kinds("deepfake.one") == {"layouts"}


def test_a_model_file_that_the_code_names_is_told_by_its_content(package, monkeypatch, tmp_path):
    models = tmp_path / "site/face_recognition_models/models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    for name in ("a.dat", "b.dat"):
        (models / name).write_text("nodes")
    monkeypatch.syspath_prepend(tmp_path / "site")
    write(package, one='MODEL = {5: "a.dat"}', two="b = 1")
    before = code.models(["deepfake.one", "deepfake.two"])
    assert list(before) == ["a.dat"]
    (models / "a.dat").write_text("leaves and nodes")
    assert code.models(["deepfake.one"]) != before


def test_every_model_file_that_is_asked_for_is_named():
    """A name that is put together would not be found: those who ask give one as it stands in some module."""
    assert set(code.shape("deepfake.swap")["models"]) >= {"shape_predictor_68_face_landmarks.dat"}
    assert set(code.shape("deepfake.detectors.dlib_hog")["models"]) >= {"shape_predictor_5_face_landmarks.dat"}
    assert "mmod_human_face_detector.dat" in code.shape("deepfake.detectors.dlib_cnn")["models"]
    assert code.shape("deepfake.extract")["models"] == {}


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
    before = code.meaning("deepfake.area")
    write(package, area=AREA.replace(old, new))
    assert code.meaning("deepfake.area") == before


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
    before = code.meaning("deepfake.area")
    write(package, area=AREA.replace(old, new))
    assert code.meaning("deepfake.area") != before


def test_an_edited_formula_is_noticed_by_those_who_import_it(package):
    before = {name: code.shape(f"deepfake.{name}") for name in ("extract", "detect", "filter")}
    text = (package / "faces.py").read_text()
    write(package, faces=text.replace("SHARPNESS_SIDE = 128", "SHARPNESS_SIDE = 64"))
    assert [name for name in before if before[name] != code.shape(f"deepfake.{name}")] == ["detect"]


def test_the_meaning_is_the_same_in_newer_versions_of_python(package):
    """3.12 gave functions and classes `type_params`, 3.13 fills what is left out: empty, it counts for nothing."""
    write(package, area=AREA)
    before = code.meaning("deepfake.area")
    tree = ast.parse(AREA)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node._fields = (*node._fields, "type_params")
            node.type_params = []
    assert code._plain(tree) == code._plain(ast.parse(AREA))
    write(package, area=AREA.replace("area(radius)", "area(radius, *, exact=None)"))
    assert code.meaning("deepfake.area") != before
