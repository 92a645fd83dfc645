"""pool: a fixed number of worker processes, of which each call that takes too long ends one, and which come back."""

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pebble import ProcessFuture, ProcessPool

from deepfake.app.service.refusal import Refused

T = TypeVar("T")


class Pool:
    """Worker processes; every function may be called from any thread."""

    def __init__(self, workers: int) -> None:
        self._workers, self._lock, self._closed = workers, threading.Lock(), False
        self._pool = self._new()

    def call(self, function: Callable[..., T], arguments: Sequence[Any], seconds: float) -> "ProcessFuture[T]":
        """The function in a worker, as soon as one is free; ended after so many seconds of work.

        Raises Refused once it is closed.
        """
        with self._lock:
            if self._closed:
                raise Refused("cancelled", "the service ends")
            if not self._pool.active:  # its workers died while they had nothing to do
                self._pool.stop()  # type: ignore[no-untyped-call]
                self._pool = self._new()
            return self._pool.schedule(function, args=arguments, timeout=seconds)

    def close(self) -> None:
        """End all work."""
        with self._lock:
            self._closed = True
            self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()  # of threads that may be at `call` just now

    def _new(self) -> ProcessPool:
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks of threads that it does not have
        return ProcessPool(max_workers=self._workers, context=context)
