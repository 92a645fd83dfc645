"""bounds: what a process of ours may take of the memory, whatever the file that it reads asks for; on Linux alone."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROC = Path("/proc/self")
STACK, THREADS = 2**23, 2  # bytes of a thread's stack, and threads a core
RESET = "5"  # what makes the system forget a peak. Source: proc(5), clear_refs


def memory(more: int) -> None:
    """Of this process: so many bytes beside what it has now; what asks for more gets an error.

    Stacks of threads count in full, though little of them is used: there is room for those of FFmpeg beside.
    """
    if PROC.is_dir():
        most = _said("VmData") + more + THREADS * STACK * (os.cpu_count() or 1)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


@contextmanager
def files(most: int) -> Iterator[None]:
    """No file grows above so many bytes within the block: what would write more gets EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def forget_peak() -> int:
    """Bytes that the process has now; `peak` is of what comes."""
    if not PROC.is_dir():
        return 0
    (PROC / "clear_refs").write_text(RESET)
    return _said("VmRSS")


def peak() -> int:
    """The most bytes that it had since then."""
    return _said("VmHWM") if PROC.is_dir() else 0


def _said(name: str) -> int:
    line = next(line for line in (PROC / "status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
