"""parallel: many items at once give what one after the other gives."""

import math
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from deepfake.base import parallel, plugins
from deepfake.base.errors import UserError

ROOT = Path(__file__).parents[1]
NUMBERS = list(range(30))
ROOTS = [math.sqrt(number) for number in NUMBERS]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_results_come_in_the_order_of_the_items(monkeypatch, jobs):
    monkeypatch.setenv("JOBS", jobs)
    assert parallel.run(math.sqrt, NUMBERS, "roots") == ROOTS


def test_nothing_to_do_is_done_at_once():
    assert parallel.run(math.sqrt, [], "roots") == []


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5", " "])
def test_jobs_must_be_a_number_above_0(monkeypatch, jobs):
    monkeypatch.setenv("JOBS", jobs)
    with pytest.raises(UserError, match=f"JOBS={jobs}: must be a number above 0"):
        parallel.run(math.sqrt, NUMBERS, "roots")


def test_jobs_are_as_many_as_the_cores_unless_said(monkeypatch):
    monkeypatch.setenv("JOBS", "3")
    assert parallel.jobs() == 3
    monkeypatch.delenv("JOBS")
    assert parallel.jobs() >= 1


def test_an_unknown_engine_is_answered_with_the_known_ones(monkeypatch):
    monkeypatch.setenv("ENGINE", "dsk")
    with pytest.raises(UserError, match="ENGINE: no engine 'dsk'; there are: dask, local") as error:
        parallel.run(math.sqrt, NUMBERS, "roots")
    assert error.value.hint == "did you mean 'dask'?"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_mistake_in_a_worker_is_told_as_one_here(monkeypatch, jobs):
    monkeypatch.setenv("JOBS", jobs)
    with pytest.raises(UserError, match="no detector 'yunett'") as error:
        parallel.run(partial(plugins.load, "detectors"), ["yunett"] * 4, "detectors")
    assert error.value.hint == "did you mean 'yunet'?"


@pytest.fixture
def sleeper(tmp_path):
    """A program whose two workers sleep, and they."""
    script = "import time; from deepfake.base import parallel; parallel.run(time.sleep, [60] * 4, 'sleep')"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JOBS": "2", "ITEM_CACHE": str(tmp_path)}
    with psutil.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as running:
        end = time.monotonic() + 60
        while len(workers := running.children()) < 2:
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(1)
        yield running, workers
        with suppress(psutil.NoSuchProcess):
            running.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_worker_outlives_who_wants_its_results(sleeper, how):
    running, workers = sleeper
    running.send_signal(how)
    assert psutil.wait_procs([running, *workers], timeout=30)[1] == []


def test_a_worker_that_was_killed_is_told_and_ends_the_run(sleeper):
    running, workers = sleeper
    workers[0].kill()
    _, complaint = running.communicate(timeout=30)
    assert "UserError: a worker process was ended from outside, as for want of memory" in complaint
    assert psutil.wait_procs(workers, timeout=30)[1] == []


@pytest.fixture(params=["forked", "anew"])
def two(request, monkeypatch):
    """Two processes, begun in either way."""
    monkeypatch.setenv("JOBS", "2")
    monkeypatch.setattr(parallel, "_forks", lambda: request.param == "forked")


def test_processes_give_what_one_gives(two):
    assert parallel.run(math.sqrt, NUMBERS, "roots") == ROOTS


def test_a_mistake_ends_what_is_under_way(two):
    began = time.monotonic()
    with pytest.raises(UserError, match="no detector 'yunett'"):
        parallel.run(_sleep_or_fail, [0, 60, 60], "detectors")
    assert time.monotonic() - began < 30


def _sleep_or_fail(seconds: float) -> None:
    time.sleep(seconds)
    plugins.load("detectors", "yunett")


def test_more_items_than_are_given_out_at_once(two, monkeypatch):
    monkeypatch.setattr(parallel, "AHEAD", 3)
    assert parallel.run(math.sqrt, NUMBERS, "roots") == ROOTS


def test_without_dask_its_engine_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("ENGINE", "dask")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match="ENGINE=dask needs Dask") as error:
        parallel.run(math.sqrt, NUMBERS, "roots")
    assert "deepfake[dask]" in error.value.hint


@pytest.mark.slow
def test_a_cluster_gives_the_same_results(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setenv("ENGINE", "dask")
    monkeypatch.setenv("JOBS", "2")
    assert parallel.run(math.sqrt, NUMBERS, "roots") == ROOTS  # a cluster of this machine, for the while
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.setenv("DASK_SCHEDULER", cluster.scheduler_address)
        assert parallel.run(math.sqrt, NUMBERS, "roots") == ROOTS
