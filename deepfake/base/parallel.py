"""parallel: one function over many items: processes here, or a Dask cluster, with a progress bar.

JOBS, ENGINE and DASK_SCHEDULER come from the environment: they change the speed only, never the result.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from joblib import Parallel, cpu_count, delayed, parallel_config
from tqdm import tqdm

from deepfake.base.errors import UserError, unknown

Item = TypeVar("Item")
Result = TypeVar("Result")
ENGINES = ("dask", "local")


def jobs() -> int:
    """How many processes: JOBS, or one a core."""
    said = os.environ.get("JOBS", "")
    if said and not (said.isdecimal() and int(said) > 0):
        raise UserError(f"JOBS={said}: must be a number above 0", "unset it to use every core")
    return int(said) if said else int(cpu_count())


def run(function: Callable[[Item], Result], items: Sequence[Item], label: str) -> list[Result]:
    """The function of each item, in the order of the items; the bar shows rate and time left on a terminal.

    The function lives in an importable module: one of `__main__` would be rebuilt for every task.
    """
    engine = os.environ.get("ENGINE", "local")
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES, where="ENGINE")
    with ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=len(items), desc=label, unit="video", disable=None, smoothing=0.1))
        workers = min(jobs(), max(1, len(items)))
        if engine == "dask":
            stack.enter_context(_dask(workers))
            workers = -1  # all that the cluster has
        return list(_Watched(bar, n_jobs=workers, batch_size=1)(delayed(function)(item) for item in items))


class _Watched(Parallel):  # type: ignore[misc]
    """joblib's Parallel, moving a bar: the hook that every backend calls."""

    def __init__(self, bar: Any, **options: Any) -> None:
        super().__init__(**options)
        self.bar = bar

    def print_progress(self) -> None:
        self.bar.update(self.n_completed_tasks - self.bar.n)


@contextmanager
def _dask(workers: int) -> Iterator[None]:
    """joblib's calls go to the cluster at DASK_SCHEDULER, or to one of this machine made for the while."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise UserError("ENGINE=dask needs Dask", "pip install 'deepfake[dask]'") from None
    with ExitStack() as stack:
        address = os.environ.get("DASK_SCHEDULER") or stack.enter_context(
            LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers, threads_per_worker=1, dashboard_address=None
            )
        )
        stack.enter_context(Client(address))  # type: ignore[no-untyped-call]
        stack.enter_context(parallel_config(backend="dask"))
        yield
