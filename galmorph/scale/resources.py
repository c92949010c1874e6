# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
How many processes work, and how much memory they may take.
"""

import os

import astropy.units as u

from galmorph.core import ConfigurationError

__all__ = ["MEMORY_OF_MAIN", "MEMORY_OF_WORKER", "bytes_of", "choose_workers"]

# measured: see the page on scale in the documentation
MEMORY_OF_MAIN = 1 << 30
"""Bytes that the process with the network takes."""

MEMORY_OF_WORKER = 700 << 20
"""Bytes that each further process takes at most, with the largest of windows."""

_WORTH_IT = 1000  # sources; processes take about a second to start


def choose_workers(n_workers, memory_limit, n_rows, in_memory):
    """
    Choose the number of processes that make stamps.

    Parameters
    ----------
    n_workers : int or None
        What the user wants; 0 for none but the main process.
    memory_limit : int or str or `~astropy.units.Quantity` or None
        Most memory of all processes together, in bytes or as ``'4 GiB'``.
    n_rows : int
        Number of sources.
    in_memory : bool
        Whether the images are in memory, so that they would have to be written
        to disk for others.

    Returns
    -------
    n_workers : int
        By default one for each processor that this process may use; none where
        the sources are few or the images in memory. Fewer where the memory
        is limited: it holds ``MEMORY_OF_MAIN + n_workers * MEMORY_OF_WORKER``.

    Raises
    ------
    ConfigurationError
        If a value is out of its range, or the limit too low for the main process.
    """
    wanted = n_workers
    if n_workers is None:
        wanted = 0 if in_memory or n_rows < _WORTH_IT else _processors()
    elif isinstance(n_workers, bool) or not (
        isinstance(n_workers, int) and n_workers >= 0
    ):
        raise ConfigurationError(
            f"n_workers: found {n_workers!r}; it must be a whole number, 0 or more"
        )
    if memory_limit is None:
        return wanted
    limit = bytes_of(memory_limit)
    least = MEMORY_OF_MAIN + MEMORY_OF_WORKER  # the work is done by one of them
    if limit < least:
        raise ConfigurationError(
            f"memory_limit: found {limit / 2**20:.0f} MiB; at least"
            f" {least / 2**20:.0f} MiB are needed"
        )
    return min(wanted, int((limit - MEMORY_OF_MAIN) // MEMORY_OF_WORKER))


def _processors():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def bytes_of(memory_limit):
    """
    Bytes that a text, a Quantity or a number means.

    Raises
    ------
    ConfigurationError
        If it is no amount of memory.

    Examples
    --------
    >>> from galmorph.scale.resources import bytes_of
    >>> bytes_of("2 GiB")
    2147483648.0
    """
    try:
        limit = u.Quantity(memory_limit)
        if limit.unit != u.one:
            limit = limit.to(u.byte)
        limit = float(limit.value)
    except (TypeError, ValueError, u.UnitConversionError):
        limit = -1.0
    if not 0 < limit < float("inf"):
        raise ConfigurationError(
            f"memory_limit: found {memory_limit!r}; give bytes, or a text such as"
            " '4 GiB'"
        )
    return limit
