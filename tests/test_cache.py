"""cache: what is used stays, what was not used for longest goes, and nobody loses what he works with."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepfake.base import cache, disk
from deepfake.base.cache import DAY, GB, store
from deepfake.base.errors import UserError

HOLDER = "from deepfake.base import cache; cache.hold(); print(flush=True); input()"


def put(name: str, size: int, days: float, kind: str = "extract") -> Path:
    """An entry of so many bytes, unused for so many days."""
    folder = store() / kind / name
    folder.mkdir(parents=True)
    (folder / "frames.mkv").write_bytes(bytes(size))
    used = time.time() - days * DAY
    for path in (folder / "frames.mkv", folder):
        os.utime(path, (used, used))
    return folder


def names(entries: list[cache.Entry]) -> list[str]:
    return [entry.path.name for entry in entries]


def test_entries_are_told_by_kind_size_and_last_use():
    put("a", 10, days=1)
    put("b", 20, days=3, kind="detect")
    put("c", 30, days=2, kind="7f")  # as the store was laid out before
    (store() / ".new-x/d").mkdir(parents=True)
    entries = cache.entries()
    assert [(e.kind, e.path.name, e.size, e.own) for e in entries] == [
        ("detect", "b", 20, 20),
        ("old", "c", 30, 30),
        ("extract", "a", 10, 10),
    ]
    assert entries[0].used == pytest.approx(time.time() - 3 * DAY, abs=60)


def test_what_another_run_removes_meanwhile_is_passed_over(monkeypatch):
    put("a", 10, days=1)
    (store() / "extract/file").touch()  # no entry
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda folder: [(here, dirs, [*f, "gone"]) for here, dirs, f in walk(folder)])
    assert [(entry.path.name, entry.size) for entry in cache.entries()] == [("a", 10)]
    assert sum(stat.st_size for stat in disk.files(store() / "extract")) == 10


def test_what_an_out_shares_costs_nothing():
    folder = put("a", 10, days=1)
    disk.link(folder / "frames.mkv", store().parent / "out.mkv")
    (entry,) = cache.entries()
    assert (entry.size, entry.own) == (10, 0)
    assert cache.surplus([entry], gigabytes=0) == []
    (store().parent / "out.mkv").unlink()
    assert names(cache.surplus(cache.entries(), gigabytes=0)) == ["a"]


@pytest.mark.parametrize(
    ("bounds", "gone"),
    [
        ({}, ""),
        ({"days": 2.5}, "a"),
        ({"days": 0.5}, "abc"),
        ({"gigabytes": 60 / GB}, ""),
        ({"gigabytes": 59 / GB}, "a"),
        ({"gigabytes": 31 / GB}, "ab"),
        ({"gigabytes": 0}, "abc"),
        ({"gigabytes": 0, "spared": ["a", "c"]}, "b"),
        ({"days": 2.5, "gigabytes": 59 / GB}, "a"),  # what is too old counts first
        ({"days": 2.5, "gigabytes": 30 / GB}, "ab"),
    ],
)
def test_the_least_recently_used_go_until_the_rest_fits(bounds, gone):
    for size, days, name in ((10, 3, "a"), (20, 2, "b"), (30, 1, "c")):
        put(name, size, days)
    spared = [store() / "extract" / name for name in bounds.pop("spared", ())]
    assert names(cache.surplus(cache.entries(), **bounds, spared=spared)) == list(gone)


def test_the_bound_comes_from_the_environment(monkeypatch):
    for number, name in enumerate("abc"):
        put(name, 1000, days=3 - number)
    monkeypatch.setenv("ITEM_CACHE_GB", "0.0000015")
    assert names(cache.tidy({store() / "extract/a"})) == ["b", "c"]
    assert names(cache.entries()) == ["a"]


@pytest.mark.parametrize("given", ["-1", "many", "1e3", "1.2.3", "."])
def test_a_bound_that_is_no_number_is_a_mistake(monkeypatch, given):
    monkeypatch.setenv("ITEM_CACHE_GB", given)
    with pytest.raises(UserError, match=f"ITEM_CACHE_GB={given}: must be a number of GB"):
        cache.limit()


def test_nothing_is_removed_while_another_process_uses_the_store(monkeypatch):
    put("a", 1000, days=3)
    monkeypatch.setenv("ITEM_CACHE_GB", "0")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLDER], text=True, **pipes) as other:
        other.stdout.readline()
        assert cache.tidy(()) == []
        other.communicate("\n")
    assert names(cache.tidy(())) == ["a"]


def test_a_killed_process_holds_nothing(monkeypatch):
    put("a", 1000, days=3)
    monkeypatch.setenv("ITEM_CACHE_GB", "0")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLDER], text=True, **pipes) as other:
        other.stdout.readline()
        other.kill()
    assert names(cache.tidy(())) == ["a"]


@pytest.mark.parametrize("tidy", [lambda: cache.tidy(()), lambda: disk.aside(store() / "out").__enter__()])
def test_what_a_killed_run_left_goes_when_it_is_old(tidy):
    old, young = store() / ".new-old", store() / ".new-young"
    for folder in (old, young):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep/half.mkv").write_text("half")
    for path in (old / "deep/half.mkv", old / "deep", old, young, young / "deep"):
        os.utime(path, (0, 0))  # but for the file of the young one, which is still written
    tidy()
    assert not old.exists()
    assert young.exists()


def test_a_store_that_cannot_be_made_has_nothing_to_remove(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ITEM_CACHE", str(tmp_path / "file/store"))
    assert cache.entries() == cache.tidy(()) == []


def test_pruning_a_store_in_use_is_a_mistake(monkeypatch):
    put("a", 1000, days=3)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLDER], text=True, **pipes) as other:
        other.stdout.readline()
        with pytest.raises(UserError, match="is in use"):
            cache.prune(days=0, gigabytes=None)
        other.communicate("\n")
    assert names(cache.prune(days=0, gigabytes=None)) == ["a"]


def test_the_table_says_how_much_there_is_of_each_kind():
    put("a", 2_000_000, days=1)
    put("b", 1_000_000, days=5)
    put("c", 500_000, days=2, kind="detect")
    rows = [line.split() for line in cache.table(cache.entries()).splitlines()[1:-1]]
    assert rows == [
        ["detect", "1", "0.001", "0.001", "2", "to", "2"],
        ["extract", "2", "0.003", "0.003", "1", "to", "5"],
        ["all", "3", "0.004", "0.004", "1", "to", "5"],
    ]
    assert cache.table([]).splitlines()[1].split() == ["all", "0", "0.000", "0.000"]
