"""hosts: two machines with a shared folder, one of which dies midway, leave the bytes that one process leaves."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest
import yaml
from films import film

ROOT = Path(__file__).parents[1]
VIDEOS, FRAMES = 12, 60  # of 640 x 360 px: some tenths of a second of work each
FIRST, SECOND, FRONT = "10.213.0.2", "10.213.0.3", "10.213.0.1"  # of networks that only these hosts see
DEADLINE = 120  # s
OUTS = ("data/videos.csv", "data/frames")

pytestmark = pytest.mark.slow
distributed = pytest.importorskip("distributed")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Host:
    """A machine of a name: a network namespace, and the processes that run in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.processes: list[subprocess.Popen[bytes]] = []
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")

    def start(self, *command: str, folder: Path, **variables: str) -> subprocess.Popen[bytes]:
        """Run a Python module in it."""
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | variables
        call = ["ip", "netns", "exec", self.name, sys.executable, "-m", *command]
        with (folder / f"{self.name}.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(call, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
            )
        return self.processes[-1]

    def die(self) -> None:
        """At once, all that runs in it, its network too."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with suppress(subprocess.CalledProcessError):
            ip("netns", "del", self.name)


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    """A front and two workers on a bridge of their own; skipped where no network namespaces can be made."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("needs root and iproute2, to make hosts of network namespaces")
    with ExitStack() as stack:
        machines = []
        for name in ("front", "first", "second"):
            try:
                machines.append(Host(f"df{os.getpid()}{name}"))
            except subprocess.CalledProcessError as error:
                pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
            stack.callback(machines[-1].die)
        front, *workers = machines
        ip("-n", front.name, "link", "add", "bridge", "type", "bridge")
        ip("-n", front.name, "addr", "add", f"{FRONT}/24", "dev", "bridge")
        ip("-n", front.name, "link", "set", "bridge", "up")
        for number, (worker, address) in enumerate(zip(workers, (FIRST, SECOND), strict=True)):
            peer = f"port{number}"
            ip("link", "add", peer, "netns", front.name, "type", "veth", "peer", "name", "eth", "netns", worker.name)
            ip("-n", front.name, "link", "set", peer, "master", "bridge", "up")
            ip("-n", worker.name, "addr", "add", f"{address}/24", "dev", "eth")
            ip("-n", worker.name, "link", "set", "eth", "up")
        yield machines


def wait(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    """Until something is so, while a process runs."""
    end = time.monotonic() + DEADLINE
    while not reached():
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < end
        time.sleep(0.02)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the outs of a project."""
    files = [file for out in OUTS for file in ([folder / out, *(folder / out).rglob("*")]) if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_a_host_that_dies_costs_only_what_it_had_in_hand(tmp_path, hosts):
    front, first, second = hosts
    project, alone, store = tmp_path / "project", tmp_path / "alone", tmp_path / "store"
    y, x = np.indices((360, 640))
    for folder in (project, alone):
        folder.mkdir()
    for number in range(VIDEOS):
        path = tmp_path / f"videos/{'fake' if number % 2 else 'real'}/{number:02d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        waves = [np.sin((x + 9 * shift) / (20 + number)) * np.sin((y - 5 * shift) / 30) for shift in range(FRAMES)]
        film(path, np.stack([np.uint8(127 + 120 * wave)[..., None].repeat(3, 2) for wave in waves]))
    sections = yaml.safe_load((ROOT / "params.yaml").read_text())
    sections["extract"] |= {"root": str(tmp_path / "videos"), "layout": "folders", "frames_per_video": 4}
    for folder in (project, alone):
        (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "ITEM_CACHE": str(tmp_path / "store of one"), "JOBS": "1"}
    subprocess.run([sys.executable, "-m", "stages.extract"], cwd=alone, env=environment, check=True)

    def done() -> int:
        return len(list(store.glob("extract/*/result.json")))

    scheduler = front.start(
        *("distributed.cli.dask_scheduler", "--host", FRONT, "--port", "8786", "--no-dashboard", "--no-show"),
        folder=project,
    )
    shared = {"ITEM_CACHE": str(store)}

    def work(host: Host) -> subprocess.Popen[bytes]:
        return host.start(
            *("distributed.cli.dask_worker", f"tcp://{FRONT}:8786", "--nthreads", "1", "--no-nanny", "--no-dashboard"),
            *("--local-directory", str(tmp_path / host.name)),
            folder=project,
            **shared,
        )

    work(first)  # alone, so that it has surely done something
    run = front.start("stages.extract", folder=project, ENGINE="dask", DASK_SCHEDULER=f"tcp://{FRONT}:8786", **shared)
    wait(run, lambda: done() >= 2)
    work(second)
    wait(run, lambda: done() >= 4)
    first.die()
    assert done() < VIDEOS
    assert run.wait(DEADLINE) == 0, (project / f"{front.name}.log").read_text()
    assert scheduler.poll() is None
    assert done() == VIDEOS
    assert contents(project) == contents(alone)
