"""items: only what changed is made again, and it makes no difference to what comes out."""

import errno
import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deepfake.base import code, items, libraries
from deepfake.base.errors import UserError
from deepfake.base.items import Item
from deepfake.base.params import Params

# A package of two modules: the work on an item, and a formula that it leans on.
WORK = '''"""work: counts the letters of a file."""

import os
import time

from lab import formula


def work(item, folder, p):
    """The count, in a file and as the result."""
    if item.name == os.environ.get("SLEEP_AT"):
        (folder / "half.txt").write_text("half of it")
        time.sleep(60)
    text = item.inputs[0].read_text() if item.inputs[0].is_file() else ""
    count = formula.count(text) * p.factor + item.args.get("plus", 0)
    (folder / "count.txt").write_text(f"{count}\\n")
    return {"count": count, "pair": (1, 2)}
'''
FORMULA = '''"""formula: how letters are counted."""


def count(text):
    """How many there are."""
    return len(text)
'''
RUN = """
from pathlib import Path
from deepfake.base import code, items, params
code.PACKAGE = Path("lab").absolute()
from lab.work import work
class Factor(params.Params):
    factor: int
found = [items.Item(path.name, (path,)) for path in sorted(Path("in").iterdir())]
made = items.build(Path("out"), found, work, Factor(factor=1))
print(sum(one.reused for one in made), items.remade(made))
"""


class Factor(Params):
    """A setting that shapes the result."""

    factor: int


class Lab:
    """A folder with inputs, an out, and the code that makes it, which can be edited."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.code(work=WORK, formula=FORMULA, plugin="")
        for i in range(20):
            self.put(f"{i:02d}", "x" * i)

    def code(self, **modules: str) -> None:
        (self.root / "lab").mkdir(exist_ok=True)
        for name, text in modules.items():
            (self.root / "lab" / f"{name}.py").write_text(text)
        self.forget()

    @staticmethod
    def forget() -> None:
        """The next import reads the files as they are."""
        for name in [name for name in sys.modules if name.split(".")[0] == "lab"]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def put(self, name: str, text: str) -> None:
        (self.root / "in").mkdir(exist_ok=True)
        (self.root / "in" / name).write_text(text)

    def items(self, **args: int) -> list[Item]:
        return [Item(path.name, (path,), args) for path in sorted((self.root / "in").iterdir())]

    def build(self, out: str = "out", factor: int = 1, **args: int) -> int:
        """Run it; how many items were made anew."""
        work = importlib.import_module("lab.work").work
        results = items.build(self.root / out, self.items(**args), work, Factor(factor=factor), plugins=["lab.plugin"])
        return items.remade(results)

    def out(self, name: str = "out") -> dict[str, bytes]:
        files = [path for path in (self.root / name).rglob("*") if path.is_file()]
        return {path.relative_to(self.root / name).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Lab:
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "lab")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit within the same second would be missed
    monkeypatch.syspath_prepend(tmp_path)
    yield Lab(tmp_path)
    Lab.forget()


def test_one_more_video_is_the_only_one_made(lab, monkeypatch, tmp_path_factory):
    assert lab.build() == 20
    assert lab.build() == 0
    lab.put("new", "abc")
    assert lab.build() == 1
    monkeypatch.setenv("ITEM_CACHE", str(tmp_path_factory.mktemp("other")))
    assert lab.build("scratch") == 21
    assert lab.out() == lab.out("scratch")
    assert lab.out()["new/count.txt"] == b"3\n"


def test_a_removed_video_leaves_no_trace(lab):
    lab.build()
    (lab.root / "in" / "07").unlink()
    assert lab.build() == 0
    assert sorted(lab.out()) == [f"{i:02d}/count.txt" for i in range(20) if i != 7]


def test_a_replaced_video_is_made_again_though_its_name_is_the_same(lab):
    lab.build()
    lab.put("07", "another")
    lab.put("08", "x" * 8)  # written anew with the same content
    assert lab.build() == 1
    assert lab.out()["07/count.txt"] == b"7\n"


def test_a_renamed_video_is_not_made_again(lab):
    lab.build()
    (lab.root / "in" / "07").rename(lab.root / "in" / "seven")
    assert lab.build() == 0
    assert lab.out()["seven/count.txt"] == b"7\n"


def test_a_missing_video_has_a_result_until_it_is_there(lab):
    gone = [Item("gone", (lab.root / "in" / "gone",))]
    work = importlib.import_module("lab.work").work
    for reused in (False, True):
        (result,) = items.make(gone, work, Factor(factor=1), label="x")
        assert (result.result["count"], result.reused) == (0, reused)
    lab.put("gone", "four")
    (result,) = items.make(gone, work, Factor(factor=1), label="x")
    assert (result.result["count"], result.reused) == (4, False)


@pytest.mark.parametrize(
    ("edit", "count"),
    [
        ({"formula": FORMULA.replace("How many there are.", "The number of them.")}, 0),
        ({"formula": FORMULA.replace("    return", "    # every one\n    return")}, 0),
        ({"formula": FORMULA.replace("len(text)", "len(text) + 1")}, 20),
        ({"work": WORK.replace("* p.factor", "+ p.factor")}, 20),
        ({"plugin": "LEVEL = 3"}, 20),
        ({"other": "LEVEL = 3"}, 0),  # nobody imports it
    ],
)
def test_an_edited_formula_makes_everything_again_and_an_edited_comment_nothing(lab, edit, count):
    lab.build()
    lab.code(**edit)
    assert lab.build() == count


def test_an_edited_formula_shapes_the_result(lab):
    lab.build()
    lab.code(formula=FORMULA.replace("len(text)", "len(text) + 1"))
    lab.build()
    assert lab.out()["07/count.txt"] == b"8\n"


def test_params_and_arguments_shape_the_result(lab):
    assert [lab.build(), lab.build(factor=2), lab.build(factor=2, plus=1)] == [20, 20, 20]
    assert lab.out()["07/count.txt"] == b"15\n"
    assert [lab.build(factor=2), lab.build()] == [0, 0]  # what was made before is still there


def test_a_new_version_of_a_library_makes_everything_again(lab, monkeypatch):
    lab.build()
    monkeypatch.setattr(libraries, "versions", lambda modules: {"numpy": "99"})
    assert lab.build() == 20


def test_a_result_is_the_same_made_or_reused(lab):
    work = importlib.import_module("lab.work").work
    results = [
        [result.result for result in items.make(lab.items(), work, Factor(factor=1), label="x")] for _ in range(2)
    ]
    assert results[0] == results[1]
    assert results[0][7] == {"count": 7, "pair": [1, 2]}  # as JSON has it


def test_two_equal_videos_are_one_item(lab):
    lab.put("twin", "x" * 7)
    lab.build()
    assert len(list(Path(os.environ["ITEM_CACHE"]).rglob("result.json"))) == 20
    assert lab.out()["twin/count.txt"] == lab.out()["07/count.txt"]


def test_files_lie_where_they_are_placed(lab):
    work = importlib.import_module("lab.work").work
    items.build(lab.root / "out", lab.items(), work, Factor(factor=1), place=lambda name, file: f"{name}.txt")
    assert sorted(lab.out()) == [f"{i:02d}.txt" for i in range(20)]


def test_a_failing_item_leaves_the_out_as_it_was(lab):
    lab.build()
    lab.code(formula=FORMULA.replace("len(text)", "len(text) / (len(text) - 7)"))
    with pytest.raises(ZeroDivisionError):
        lab.build()
    assert lab.out()["08/count.txt"] == b"8\n"


def test_a_killed_run_goes_on_where_it_was(lab, tmp_path, monkeypatch):
    store = Path(os.environ["ITEM_CACHE"])
    path = os.pathsep.join([str(tmp_path), str(Path(code.__file__).parents[2])])
    environment = os.environ | {"PYTHONPATH": path, "SLEEP_AT": "17"}  # the third: the largest are made first
    command = [sys.executable, "-c", RUN]
    killed = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True)
    until(lambda: any("half.txt" in names for *_, names in os.walk(store)))  # rglob fails where a folder is renamed
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert len(list(store.glob("*/*/result.json"))) == 2
    assert not (tmp_path / "out").exists()
    del environment["SLEEP_AT"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert run.stdout == "2 18\n"
    assert lab.out() == {f"{i:02d}/count.txt": f"{i}\n".encode() for i in range(20)}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda entry: (entry / "result.json").write_text(""),  # as a power cut leaves it
        lambda entry: (entry / "result.json").write_text('{"result": {"cou'),
        lambda entry: (entry / "result.json").write_bytes(b"\xff\xfe"),
        lambda entry: (entry / "result.json").write_text('{"count": 7}'),  # of another form
        lambda entry: (entry / "result.json").write_text("[]"),
        lambda entry: (entry / "result.json").unlink(),
        lambda entry: (entry / "count.txt").unlink(),
        lambda entry: (entry / "count.txt").write_text(""),
    ],
)
def test_an_entry_that_is_not_whole_is_made_again(lab, spoil):
    lab.build()
    before = lab.out()
    for entry in sorted(items.store().glob("work/*"))[:3]:
        spoil(unlinked(entry))
    assert lab.build() == 3
    assert lab.out() == before
    assert lab.build() == 0


def unlinked(entry: Path) -> Path:
    """The entry, its files no longer shared with an out."""
    for file in entry.iterdir():
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)
    return entry


def test_two_runs_that_fill_the_same_entries_give_the_same(lab, tmp_path):
    work = importlib.import_module("lab.work").work
    (result,) = items.make(lab.items()[:1], work, Factor(factor=1), label="x")
    for whole in (True, False):  # the other one has been quicker; or what it left is broken
        if not whole:
            (result.entry / items.RESULT).write_text("")
        new = tmp_path / str(whole) / result.entry.name
        new.mkdir(parents=True)
        (new / items.RESULT).write_text('{"result": 1, "files": {}}')
        items._place(new, result.entry)
        assert (items._told(result.entry)["result"] == 1) is not whole
        assert new.exists() is whole


def test_two_processes_fill_one_store_at_once(lab, tmp_path):
    path = os.pathsep.join([str(tmp_path), str(Path(code.__file__).parents[2])])
    programs = [RUN.replace('Path("out")', f'Path("{name}")') for name in ("one", "two")]
    environment = os.environ | {"PYTHONPATH": path}
    runs = [subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment) for program in programs]
    assert [run.wait() for run in runs] == [0, 0]
    assert lab.out("one") == lab.out("two") == {f"{i:02d}/count.txt": f"{i}\n".encode() for i in range(20)}
    assert not list(items.store().glob(".new-*"))


def test_a_store_that_cannot_be_written_is_used_and_said_where_something_is_to_be_made(lab, read_only):
    lab.build()
    before = lab.out()
    with read_only(items.store()):
        assert lab.build() == 0
        assert lab.out() == before
        lab.put("new", "abc")
        with pytest.raises(UserError, match="Read-only file system") as error:
            lab.build()
    assert error.value.hint == "set ITEM_CACHE to a folder that can be written"


@pytest.fixture
def read_only(monkeypatch):
    """A store in which nothing is made or touched, whoever the tests run as: root may write everywhere."""

    @contextmanager
    def inside(folder: Path) -> Iterator[None]:
        def refusing(real):
            def call(path, *arguments, **options):
                if str(path).startswith(str(folder)):
                    raise OSError(errno.EROFS, "Read-only file system", str(path))
                return real(path, *arguments, **options)

            return call

        with monkeypatch.context() as patch:
            for name in ("mkdir", "utime"):
                patch.setattr(os, name, refusing(getattr(os, name)))
            yield

    return inside


def test_what_a_run_uses_is_never_removed(lab, monkeypatch):
    monkeypatch.setenv("ITEM_CACHE_GB", "0")
    monkeypatch.setattr(items, "_used", set())
    assert items.tidy() == []  # by one who used nothing
    lab.build(factor=2)
    shutil.rmtree(lab.root / "out")  # whose files would cost nothing
    monkeypatch.setattr(items, "_used", set())  # as of another run
    lab.build()
    assert len(items.tidy()) == 20
    assert [lab.build(), lab.build(factor=2)] == [0, 20]


def until(condition) -> None:
    """Wait for it, at most a minute."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("waited for a minute")


@pytest.mark.parametrize(
    ("environment", "where"),
    [
        ({"ITEM_CACHE": "/a/b"}, "/a/b"),
        ({"DVC_ROOT": "/r"}, "/r/.cache/items"),  # an experiment's copy shares the repository's store
        ({"ITEM_CACHE": "/a/b", "DVC_ROOT": "/r"}, "/a/b"),
        ({}, ".cache/items"),
    ],
)
def test_the_store_is_where_the_environment_says(monkeypatch, environment, where):
    monkeypatch.delenv("ITEM_CACHE")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert items.store() == Path(where).absolute()


def test_the_content_of_a_file_is_its_bytes(tmp_path):
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / name).write_text(text)
    assert items.content(tmp_path / "a") == items.content(tmp_path / "b") != items.content(tmp_path / "c")
    assert items.content(tmp_path / "none") == items.content(tmp_path) == "missing"


def test_the_content_of_a_file_that_cannot_be_read_is_why(tmp_path, monkeypatch):
    assert items.content(tmp_path / ("x" * 300)) == "unreadable: File name too long"
    os.mkfifo(tmp_path / "pipe")
    assert items.content(tmp_path / "pipe") == "missing"  # and nobody waits for it
    (tmp_path / "locked").touch()

    def denied(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", denied)
    assert items.content(tmp_path / "locked") == "unreadable: Permission denied"
