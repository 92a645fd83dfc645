"""hashes: of what is in a file, which is read once while it is the same file."""

import hashlib
import os
import sqlite3
import time
from pathlib import Path

import pytest

from deepfake.base import hashes
from deepfake.base.cache import store

OLD = time.time_ns() - 10**10  # ten seconds ago: a change would have changed the time


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The names of the files that are read from now on."""
    names: list[str] = []
    real = hashes._hash
    monkeypatch.setattr(hashes, "_hash", lambda path: names.append(path.name) or real(path))
    return names


def put(path: Path, text: str, time_ns: int = OLD) -> Path:
    """Write a file as of a time."""
    path.write_text(text)
    os.utime(path, ns=(time_ns, time_ns))
    return path


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_content_of_a_file_is_its_bytes(tmp_path):
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        put(tmp_path / name, text)
    assert hashes.contents([tmp_path / name for name in "abc"]) == [sha256("x"), sha256("x"), sha256("y")]
    assert hashes.content(tmp_path / "none") == hashes.content(tmp_path) == "missing"


def test_a_file_is_read_once(tmp_path, read):
    files = [put(tmp_path / name, name) for name in "abc"]
    for _ in range(2):
        assert hashes.contents(files) == [sha256(name) for name in "abc"]
    assert sorted(read) == ["a", "b", "c"]
    put(tmp_path / "d", "d")
    hashes.contents([*files, tmp_path / "d"])
    assert read[3:] == ["d"]


@pytest.mark.parametrize(
    "change",
    [
        lambda file: put(file, "longer"),
        lambda file: put(file, "b", OLD + 1),  # a nanosecond later
        lambda file: put(file, "b", OLD - 10**15),  # an older file in its place
        lambda file: put(file.with_name("new"), "b").replace(file),  # of the same size and time: another inode
    ],
)
def test_another_file_of_the_same_name_is_read_again(tmp_path, read, change):
    hashes.content(put(tmp_path / "a", "a"))
    change(tmp_path / "a")
    assert hashes.content(tmp_path / "a") == sha256((tmp_path / "a").read_text()) != sha256("a")
    assert read == ["a", "a"]


@pytest.mark.parametrize("age", [0, -(10**10)])  # this moment; or by a clock ahead of ours
def test_a_young_file_is_read_again_for_it_may_change_within_a_tick_of_the_clock(tmp_path, read, age):
    now = time.time_ns() - age
    for text in "ab":
        assert hashes.content(put(tmp_path / "a", text, now)) == sha256(text)
    assert read == ["a", "a"]


def test_a_file_that_is_written_while_it_is_read_is_not_remembered(tmp_path, monkeypatch):
    file = put(tmp_path / "a", "a")
    with monkeypatch.context() as patch:
        patch.setattr(hashes, "_hash", lambda path: put(path, "b", OLD + 1) and "of a half")
        hashes.content(file)
    assert hashes.content(file) == sha256("b")


def test_a_broken_memory_is_begun_anew(tmp_path, read):
    file = put(tmp_path / "a", "a")
    store().mkdir(exist_ok=True)
    (store() / "hashes.db").write_text("no database" * 100)
    assert [hashes.content(file) for _ in range(2)] == [sha256("a")] * 2
    assert read == ["a"]


def test_without_a_store_every_file_is_read(tmp_path, read, monkeypatch):
    monkeypatch.setenv("ITEM_CACHE", str(put(tmp_path / "a", "a") / "store"))
    assert [hashes.content(tmp_path / "a") for _ in range(2)] == [sha256("a")] * 2
    assert read == ["a", "a"]


def test_what_is_gone_is_forgotten(tmp_path):
    hashes.contents([put(tmp_path / name, name) for name in "ab"])
    (tmp_path / "a").unlink()
    hashes.forget()
    memory = sqlite3.connect(store() / "hashes.db")
    assert memory.execute("SELECT path FROM hashes").fetchall() == [(bytes(tmp_path / "b"),)]
    memory.close()


def test_what_is_found_out_of_a_text_is_kept_for_other_processes():
    asked = []
    for _ in range(2):
        hashes._facts.cache_clear()
        assert hashes.remembered("a text", lambda: asked.append(1) or ["a", 1]) == ["a", 1]
        hashes.keep()
    assert len(asked) == 1
    hashes.forget()
    hashes._facts.cache_clear()
    assert hashes.remembered("a text", lambda: "b") == "b"


def test_a_folder_is_told_by_the_names_and_contents_of_all_that_lies_in_it(tmp_path):
    root = tmp_path / "videos"
    (root / "real").mkdir(parents=True)
    (root / "real/a.mp4").write_text("a")
    told = [hashes.folder(root)]
    (root / "real/a.mp4").write_text("b")
    told.append(hashes.folder(root))
    (root / "real/a.mp4").rename(root / "real/b.mp4")
    told.append(hashes.folder(root))
    (root / "manifest.csv").write_text("path,label")
    told.append(hashes.folder(root))
    assert len(set(told)) == 4
    (tmp_path / "other").mkdir()
    (tmp_path / "other/c.mp4").write_text("c")
    (root / "linked").symlink_to(tmp_path / "other")
    (root / "real/loop").symlink_to(root)  # is entered no second time
    linked = hashes.folder(root)
    assert linked not in told
    (tmp_path / "other/c.mp4").write_text("d")
    assert hashes.folder(root) != linked
    assert hashes.folder(tmp_path / "none") == hashes.MISSING
