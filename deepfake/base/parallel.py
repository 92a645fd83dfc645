"""parallel: one function over many items: processes here, or a Dask cluster, with a progress bar.

JOBS, ENGINE and DASK_SCHEDULER come from the environment: they change the speed only, never the result.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from tqdm import tqdm

from deepfake.base.errors import UserError, unknown
from deepfake.base.progress import reported

Item = TypeVar("Item")
Result = TypeVar("Result")
ENGINES = ("dask", "local")

# joblib ends a worker that has grown by 300 MB, as a large video makes it grow, and starts another: nothing is lost
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor")


def jobs() -> int:
    """How many processes: JOBS, or one a core."""
    from joblib import cpu_count  # half a second: not where nothing is to be done

    wanted = os.environ.get("JOBS", "")
    if wanted and not (wanted.isdecimal() and int(wanted) > 0):
        raise UserError(f"JOBS={wanted}: must be a number above 0", "unset it to use every core")
    return int(wanted) if wanted else int(cpu_count())


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
    from joblib import Parallel, delayed

    engine = os.environ.get("ENGINE", "local")
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES, where="ENGINE")
    with ExitStack() as stack:
        workers = min(most or jobs(), max(1, len(items)))
        if engine == "dask":
            stack.enter_context(_dask(workers))
            workers = -1  # all that the cluster has
        results = Parallel(n_jobs=workers, batch_size=1, return_as="generator")(delayed(function)(i) for i in items)
        step = stack.enter_context(reported(label, len(items)))
        for result in tqdm(results, label, len(items), unit="video", disable=None, smoothing=0.1):
            step(frames(result))
            yield result


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
