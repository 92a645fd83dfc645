"""progress: a run tells how far it is while it lives, and no longer."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from deepfake.app.progress import clock, line
from deepfake.base import items, parallel, progress
from deepfake.base.params import Params

STATE = progress.State("detect", "videos", 0, 12, 40, 192, 100.0, 104.0, "here", 1)
SLOW = """
import sys, time
from deepfake.base.progress import reported
with reported("extract", 5) as step:
    step(7)
    print("ready", flush=True)
    time.sleep(60)
"""


class None_(Params):
    """No settings."""


def work(item: items.Item, folder, p) -> dict[str, int]:
    [state] = progress.running()
    (folder / "seen.json").write_text(json.dumps([state.label, state.done, state.total]))
    return {"frames": 3}


def test_a_run_in_another_process_is_seen_until_it_dies():
    with subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "ready\n"
        [state] = progress.running()
        assert (state.label, state.total, state.pid, state.unit) == ("extract", 5, other.pid, "videos")
        other.kill()
        other.wait()
    assert progress.running() == []
    assert list(progress.store().rglob("*.json")) == []  # what the dead one left is gone


def test_what_is_done_is_counted_and_told_once_a_second(monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    with progress.reported("detect", 4, start=1) as step:
        step(10)
        assert progress.running()[0].done == 1  # within the second
        now += 2
        step(5)
        [state] = progress.running()
        assert (state.done, state.frames, state.rate, state.left) == (3, 15, 1.0, 1.0)
    assert progress.running() == []


def test_items_tell_of_themselves_and_count_their_frames(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(items.code, "shape", lambda *modules: {})  # of a test there is none
    (tmp_path / "a").touch()
    results = items.make(
        [items.Item(name, (tmp_path / "a",), {"n": name}) for name in "xy"], work, None_(), label="try"
    )
    seen = [json.loads((result.entry / "seen.json").read_text()) for result in results]
    assert seen == [["try", 0, 2], ["try", 1, 2]]
    parallel.run(len, ["ab", "c"], "count", frames=lambda n: steps.append(n) or n)
    assert steps == [2, 1]


def test_a_store_that_cannot_be_written_stops_nothing(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ITEM_CACHE", str(tmp_path / "file/store"))
    with progress.reported("detect", 1) as step:
        step()
    assert progress.running() == []


def test_a_run_on_another_machine_lives_while_it_is_heard_of():
    folder = progress.store() / ".progress"
    folder.mkdir(parents=True)
    for name, told in (("far", time.time()), ("lost", time.time() - 2 * progress.LOST)):
        state = replace(STATE, label=name, told=told, host="far.example", pid=os.getpid())
        (folder / f"{name}.json").write_text(json.dumps(progress.asdict(state)))
    (folder / "torn.json").write_text('{"label": "de')
    assert [state.label for state in progress.running()] == ["far"]


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (STATE, "detect     30%  12 of 40 videos, 192 frames, 3.0 videos/s, 0:09 left"),
        (replace(STATE, done=0, frames=0), "detect      0%  0 of 40 videos"),
        (
            replace(STATE, total=7200, start=11, unit="batches", frames=0),
            "detect      0%  12 of 7200 batches, 0.2 batches/s, 7:59:12 left",
        ),
    ],
)
def test_a_line_says_how_fast_and_how_long(state, text):
    assert line(state) == text


def test_a_clock_shows_hours_where_there_are_some():
    assert [clock(9.4), clock(61), clock(3723)] == ["0:09", "1:01", "1:02:03"]


def test_the_command_says_what_runs(deepfake):
    assert deepfake("progress") == (0, "nothing runs here\n", "")
    with progress.reported("train", 8, "batches"):
        assert deepfake("progress") == (0, "train       0%  0 of 8 batches\n", "")
        code, output, _ = deepfake("progress", "--json")
        assert json.loads(output)["unit"] == "batches"
        assert code == 0
