"""served: the real `deepfake serve` or `deepfake app` in a process, and what it and its workers take of memory."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import psutil

ROOT = Path(__file__).parents[1]
MAIN = "from deepfake.app.cli import main; main()"


class Served:
    """A service of its own folder for temporary files, killed with all its workers at the end."""

    def __init__(
        self, folder: Path, *arguments: str, command: str = "serve", detector: str = "builtin", **environment: str
    ) -> None:
        self.tmp, self.said = folder / "tmp", folder / "said.txt"
        self.tmp.mkdir(parents=True)
        own = {"TMPDIR": str(self.tmp), "TORCHINDUCTOR_CACHE_DIR": str(folder), "HOME": str(folder)}
        own |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        call = [sys.executable, "-c", MAIN, command, "--detector", detector, *arguments]
        with self.said.open("w") as file:
            self.process = psutil.Popen(
                call, cwd=folder, env=os.environ | own | environment, stdout=file, stderr=subprocess.STDOUT
            )

    @property
    def log(self) -> str:
        """All that it printed so far."""
        return self.said.read_text(encoding="utf-8", errors="replace")

    def started(self, pattern: str, seconds: float = 120) -> re.Match[str]:
        """What it prints when it is there."""
        return self.until(lambda: re.search(pattern, self.log), seconds)

    def listens(self) -> None:
        """Wait until it can be reached; then its port is known."""
        self.port = int(self.started(r"running on http://127\.0\.0\.1:(\d+)")[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def until(self, condition, seconds: float = 30):
        """What `condition` gives, as soon as that is something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended: {self.log}")
            if value := condition():
                return value
            time.sleep(0.05)
        raise AssertionError(f"it did not come in {seconds} s: {self.log}")

    def peaks(self) -> list[int]:
        """The most MB of memory that it, and each of its workers, ever had."""
        family = [self.process, *self.process.children(recursive=True)]
        status = [Path(f"/proc/{process.pid}/status").read_text() for process in family]
        return [int(re.search(r"VmHWM:\s+(\d+)", text)[1]) // 1024 for text in status]

    def raw(self, *pieces: bytes) -> socket.socket:
        """A connection over which these bytes were sent."""
        wire = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        for piece in pieces:
            wire.sendall(piece)
        return wire

    def stop(self) -> int:
        """End it as a terminal does; its exit code."""
        family = self.process.children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(20)
        finally:
            for process in [self.process, *family]:
                if process.is_running():
                    process.kill()
        return code


class Http(Served):
    """`deepfake serve`, asked over the network."""

    def __init__(self, folder: Path, *limits: str, detector: str = "builtin", **environment: str) -> None:
        given = [part for limit in limits for part in ("--limit", limit)]
        super().__init__(folder, "--port", "0", *given, detector=detector, **environment)
        self.listens()
        self.client = httpx.Client(base_url=self.url, timeout=120, trust_env=False)

    def post(self, path: Path, name: str | None = None, wait: float = 60, **query) -> httpx.Response:
        """The answer to a file as a form."""
        with path.open("rb") as file:
            form = {"file": (path.name if name is None else name, file)}
            return self.client.post("/videos", params={"wait": wait, **query}, files=form)

    def stop(self) -> int:
        """End it."""
        self.client.close()
        return super().stop()


def answer(wire: socket.socket) -> str:
    """All that comes until the other side closes."""
    received = b""
    with wire:
        while piece := wire.recv(65536):
            received += piece
    return received.decode()
