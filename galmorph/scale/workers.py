# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Processes that make stamps, or find sources, beside the main one.

They are plain processes of the same Python that speak through pipes: nothing is
forked, since TensorFlow must not be, and the user's script is not imported again.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from galmorph.core.exceptions import reason
from galmorph.scale.stamping import Stamper, failed_task

__all__ = ["Workers", "stamps_of_tasks"]

_SERVE = (
    "import sys; sys.path[:] = {path!r};"
    " from galmorph.scale.workers import serve; serve()"
)
# one thread each: there are as many processes as processors
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
AHEAD = 2
"""Tasks for each worker that are under way or wait for the network."""


def stamps_of_tasks(tasks, tiles, preprocessor, bands, n_workers):
    """
    Make the stamps of tasks, in their order.

    No more than a few tasks for each worker are begun before the first is taken,
    so that the stamps in memory are few.

    Parameters
    ----------
    tasks : iterable of `~galmorph.scale.plan.Task`
    tiles : list of `~galmorph.scale.Tile`
    preprocessor : `~galmorph.images.Preprocessor`
    bands : int
        Number of bands that images have.
    n_workers : int
        Number of processes; 0 for this one.

    Yields
    ------
    stamped : `~galmorph.scale.stamping.Stamped`
    """
    failed = partial(failed_task, preprocessor=preprocessor, bands=bands)
    with Workers(Stamper(tiles, preprocessor, bands), failed, n_workers) as workers:
        yield from workers.do(tasks)


class Workers:
    """
    Processes that do tasks.

    Parameters
    ----------
    worker : object
        Called with a task it gives a result; its ``close`` is called at the end.
        Each process has its own copy.
    failed : callable
        Given a task and the reason why it could not be done, it gives what stands
        for its result.
    n_workers : int
        Number of processes; 0 for this one.

    Examples
    --------
    >>> from galmorph.scale.workers import Workers
    >>> with Workers(worker, failed, n_workers=2) as workers:  # doctest: +SKIP
    ...     results = list(workers.do(tasks))
    """

    def __init__(self, worker, failed, n_workers):
        self._worker, self._failed, self._n = worker, failed, n_workers
        self._pool = _Pool(worker, failed, n_workers) if n_workers else None

    def do(self, tasks):
        """
        Do tasks, in their order.

        A task that ends its process is done in parts, where it has a method
        ``halves`` that gives some.

        Parameters
        ----------
        tasks : iterable

        Yields
        ------
        result
            One for each task, or for each of its parts.
        """
        if self._pool is None:
            for task in tasks:
                try:
                    result = self._worker(task)
                except Exception as error:
                    result = self._failed(task, why=reason(error))
                yield result
            return
        waiting = deque()
        for task in tasks:
            waiting.append(self._pool.submit(task))
            if len(waiting) > AHEAD * self._n:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._worker.close()
        if self._pool is not None:
            self._pool.close()


class _Pool:
    """Threads that each speak with a process of their own."""

    def __init__(self, worker, failed, n_workers):
        self._worker, self._failed = worker, failed
        self._own = threading.local()
        self._processes, self._lock = [], threading.Lock()
        self._closed = False
        self._threads = ThreadPoolExecutor(n_workers)

    def submit(self, task):
        return self._threads.submit(self._do, task)

    def _do(self, task):
        """Results of a task; of parts of it where it ends its process."""
        for _ in range(2):
            try:
                return [self._ask(task)]
            except (EOFError, OSError, pickle.UnpicklingError):
                if self._closed:
                    raise
                code = self._forget()
        # one of the sources may be to blame: the others are saved
        if parts := task.halves():
            return [result for part in parts for result in self._do(part)]
        why = f"the process that measured it ended with code {code}"
        return [self._failed(task, why=why)]

    def _ask(self, task):
        process = getattr(self._own, "process", None)
        if process is None:
            process = self._own.process = self._start()
        pickle.dump(task, process.stdin, pickle.HIGHEST_PROTOCOL)
        process.stdin.flush()
        answer = pickle.load(process.stdout)
        if isinstance(answer, str):
            return self._failed(task, why=answer)
        return answer

    def _start(self):
        with self._lock:
            if self._closed:
                raise EOFError
            process = subprocess.Popen(
                [sys.executable, "-c", _SERVE.format(path=sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **dict.fromkeys(_THREADS, "1")},
            )
            self._processes.append(process)
        pickle.dump(self._worker, process.stdin, pickle.HIGHEST_PROTOCOL)
        process.stdin.flush()
        return process

    def _forget(self):
        """End what is left of a thread's process, and give its exit code."""
        process, self._own.process = self._own.process, None
        if process is None:
            return None
        process.kill()
        return _end(process)

    def close(self):
        with self._lock:
            self._closed = True
            processes = list(self._processes)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            if process.poll() is None:
                process.kill()
        self._threads.shutdown(wait=True)
        for process in processes:
            _end(process)


def _end(process):
    for pipe in (process.stdin, process.stdout):
        try:
            pipe.close()
        except OSError:  # what could not be written any more
            pass
    return process.wait()


def serve():
    """
    Be a worker: tasks come on standard input, results go to standard output.

    It ends when its input does, as when the process that started it was killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started it acts
    tasks, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints is no answer
    try:
        worker = pickle.load(tasks)
        while True:
            task = pickle.load(tasks)
            try:
                answer = worker(task)
            except MemoryError:
                raise  # a new process has more of it
            except Exception as error:
                answer = reason(error)
            pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
    except (EOFError, BrokenPipeError):
        os._exit(0)
