"""parallel: one function over many items: processes here, or a Dask cluster, with a progress bar.

JOBS, ENGINE and DASK_SCHEDULER come from the environment: they change the speed only, never the result.
"""

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

from deepfake.base.errors import UserError, unknown
from deepfake.base.progress import reported

Item = TypeVar("Item")
Result = TypeVar("Result")
ENGINES = ("dask", "local")
AHEAD = 1000  # items that are given out before the first of them is done
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of the libraries that ask for them

# joblib ends a worker that has grown by 300 MB, as a large video makes it grow, and starts another: nothing is lost
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor")


def jobs() -> int:
    """How many processes: JOBS, or one a core."""
    wanted = os.environ.get("JOBS", "")
    if wanted and not (wanted.isdecimal() and int(wanted) > 0):
        raise UserError(f"JOBS={wanted}: must be a number above 0", "unset it to use every core")
    return int(wanted) if wanted else _cores()


def run(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    label: str,
    frames: Callable[[Result], int] = lambda result: 0,
) -> list[Result]:
    """The function of each item, in the order of the items: see `each`."""
    return list(each(function, items, label, frames))


def each(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    label: str,
    frames: Callable[[Result], int] = lambda result: 0,
    most: int | None = None,
) -> Iterator[Result]:
    """The function of each item, in the order of the items, as soon as it and those before it are there.

    By `most` processes, or as many as JOBS says; the bar shows rate and time left on a terminal. The function lives in
    an importable module: one of `__main__` would be rebuilt for every task. `frames` says how many were looked at for a
    result: `deepfake progress` counts them.
    """
    engine = os.environ.get("ENGINE", "local")
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES, where="ENGINE")
    workers = min(most or jobs(), max(1, len(items)))
    with ExitStack() as stack:
        if engine == "dask":
            stack.enter_context(_dask(workers))
            results = _joined(function, items, -1)  # by all that the cluster has
        elif workers > 1 and _forks():
            results = stack.enter_context(_forked(function, items, workers))
        else:
            results = _joined(function, items, workers)
        step = stack.enter_context(reported(label, len(items)))
        for result in tqdm(results, label, len(items), unit="video", disable=None, smoothing=0.1):
            step(frames(result))
            yield result


def _cores() -> int:
    """The cores that this process may use, by its affinity and by the bound of its container."""
    from joblib import cpu_count

    return int(cpu_count())


def _forks() -> bool:
    """Whether workers are forked, at once and with all that is imported, and not begun anew: no thread is cut off."""
    return sys.platform == "linux" and threading.active_count() == 1 and "torch" not in sys.modules


def _joined(function: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """The results, by joblib: in this process, by others of this machine, or by a cluster."""
    from joblib import Parallel, delayed

    results: Iterator[Result] = Parallel(workers, batch_size=1, return_as="generator")(
        delayed(function)(i) for i in items
    )
    return results


@contextmanager
def _forked(function: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Iterator[Result]]:
    """The results, by forks of this process, which end with it."""
    others = set(multiprocessing.active_children())
    threads = max(1, _cores() // workers)
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _begin, (threads,))
    rest = iter(items)
    given = deque(pool.submit(function, item) for item in islice(rest, AHEAD))

    def results() -> Iterator[Result]:
        while given:
            try:
                yield given.popleft().result()
            except BrokenProcessPool:
                raise UserError(
                    "a worker process was ended from outside, as for want of memory", "set JOBS lower"
                ) from None
            given.extend(pool.submit(function, item) for item in islice(rest, 1))

    try:
        yield results()
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(threads: int) -> None:
    """A worker begins: Ctrl-C ends it without a word, and so does the end of the process that wants its results."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """End when the process does that began this one."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


@contextmanager
def _dask(workers: int) -> Iterator[None]:
    """joblib's calls go to the cluster at DASK_SCHEDULER, or to one of this machine made for the while."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise UserError("ENGINE=dask needs Dask", "pip install 'deepfake[dask]'") from None
    from joblib import parallel_config

    with ExitStack() as stack:
        address = os.environ.get("DASK_SCHEDULER") or stack.enter_context(
            LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers, threads_per_worker=1, dashboard_address=None
            )
        )
        stack.enter_context(Client(address))  # type: ignore[no-untyped-call]
        stack.enter_context(parallel_config(backend="dask"))
        yield
