# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a run tells while it goes on and when it ends.
"""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from galmorph.core import FLAGS

__all__ = ["ProgressLine", "Summary"]

_SECONDS_BETWEEN = 0.5
STAGES = ("detection", "reading", "preprocessing", "network", "writing")


@dataclass
class Summary:
    """
    What a run did.

    Parameters
    ----------
    path : `~pathlib.Path` or None
        The table, or the folder of shards, that was written.
    rows, classified : int
        Number of rows, and of those with fractions.
    resumed : int
        Number of rows that an earlier run had done.
    flags : dict
        Number of rows with each flag, by its name.
    failures : list of dict
        ``row`` and ``reason`` of rows that failed; the first thousand.
    bad_tiles : dict
        Reasons why tiles could not be used, by their names.
    bad_partitions : dict
        Reasons why partitions could not be done, by their names.
    n_workers : int
        Number of processes that made stamps, beside the main one.
    seconds : float
        How long the run took.
    stages : dict
        Processor time of each stage, in seconds.

    Examples
    --------
    >>> from galmorph.scale import Summary
    >>> print(Summary(None, rows=3, classified=2, flags={"low_snr": 1}))
    3 rows, 2 classified
    flags: low_snr 1
    """

    path: Path | None = None
    rows: int = 0
    classified: int = 0
    resumed: int = 0
    flags: dict = field(default_factory=dict)
    failures: list = field(default_factory=list)
    bad_tiles: dict = field(default_factory=dict)
    bad_partitions: dict = field(default_factory=dict)
    n_workers: int = 0
    seconds: float = 0.0
    stages: dict = field(default_factory=dict)

    def count(self, flags, classes):
        """
        Add rows.

        Parameters
        ----------
        flags : array_like of int
            Their ``morph_flags``.
        classes : array_like of str
            Their ``morph_class``.
        """
        flags = np.asarray(flags)
        self.rows += len(flags)
        self.classified += int(np.count_nonzero(np.asarray(classes) != ""))
        for flag in FLAGS:
            if number := int(np.count_nonzero(flags & flag.value)):
                self.flags[flag.name] = self.flags.get(flag.name, 0) + number

    def spend(self, stage, seconds):
        """
        Add processor time to a stage.

        Parameters
        ----------
        stage : str
        seconds : float
        """
        self.stages[stage] = self.stages.get(stage, 0.0) + seconds

    def add(self, other, partition):
        """
        Add what was done with a partition.

        Parameters
        ----------
        other : `Summary`
        partition : str
            Its name, since its failures have its own numbers of rows.
        """
        self.rows += other.rows
        self.classified += other.classified
        self.resumed += other.resumed
        for flag, number in other.flags.items():
            self.flags[flag] = self.flags.get(flag, 0) + number
        for stage, seconds in other.stages.items():
            self.spend(stage, seconds)
        self.failures += [{"partition": partition, **each} for each in other.failures]
        self.bad_tiles |= other.bad_tiles

    @property
    def rates(self):
        """Galaxies per second of processor time, by stage."""
        done = self.rows - self.resumed
        return {
            stage: done / seconds for stage, seconds in self.stages.items() if seconds
        }

    def __str__(self):
        lines = [f"{self.rows:,} rows, {self.classified:,} classified"]
        if self.resumed:
            lines[0] += f" ({self.resumed:,} by an earlier run)"
        if self.flags:
            counts = sorted(self.flags.items(), key=lambda item: -item[1])
            lines.append("flags: " + ", ".join(f"{n} {k:,}" for n, k in counts))
        for name, why in self.bad_tiles.items():
            lines.append(f"tile {name} was not used: {why}")
        for name, why in self.bad_partitions.items():
            lines.append(f"partition {name} was not done: {why}")
        done = self.rows - self.resumed
        if done and self.seconds:
            processes = f"{self.n_workers} processes" if self.n_workers else "1 process"
            processes = processes.replace("1 processes", "1 process")
            lines.append(
                f"{_duration(self.seconds)}, {done / self.seconds:,.0f} galaxies/s,"
                f" stamps by {processes}"
            )
        if self.rates:
            rates = (f"{n} {self.rates[n]:,.0f}" for n in STAGES if n in self.rates)
            lines.append("galaxies/s of processor time: " + ", ".join(rates))
        return "\n".join(lines)


class ProgressLine:
    """
    A line on standard error with the rate and the remaining time.

    Parameters
    ----------
    wanted : bool or callable
        Whether to show it; or a function that is called with the number of rows
        that are done and of all.
    total : int
        Number of rows.
    of : str, optional
        What is counted instead of rows.
    done : str, optional
        What is done with them.
    """

    def __init__(self, wanted, total, of="", done="classified"):
        self._verb = done
        self._wanted, self._total, self._of = wanted, total, of and f" {of}"
        self._done = self._counted = 0
        self._start, self._shown, self._width = None, 0.0, 0

    def advance(self, more, resumed=False):
        """
        Tell that more rows are done.

        Parameters
        ----------
        more : int
        resumed : bool, optional
            Whether an earlier run had done them, so that they say nothing of the
            rate.
        """
        self._done += more
        if callable(self._wanted):
            self._wanted(self._done, self._total)
        elif self._wanted:
            now = time.monotonic()
            if self._start is None:
                self._start = now
            if not resumed:
                self._counted += more
            if now - self._shown >= _SECONDS_BETWEEN:
                self._shown = now
                self._show(now - self._start)

    def _show(self, seconds):
        share = self._done / max(self._total, 1)
        line = f"{self._verb} {self._done:,} of {self._total:,}{self._of} ({share:.0%})"
        if self._counted and seconds > 0:
            rate = self._counted / seconds
            left = _duration((self._total - self._done) / rate)
            digits = ",.0f" if rate >= 10 else ".2g"
            line += f", {rate:{digits}}/s, {left} left"
        self._width = max(self._width, len(line))
        print(f"\r{line.ljust(self._width)}", end="", file=sys.stderr, flush=True)

    def __enter__(self):
        # the clock starts with the first rows that are waited for
        self._start = time.monotonic()
        return self

    def __exit__(self, kind, *rest):
        if self._wanted and not callable(self._wanted):
            self._show(time.monotonic() - self._start)
            print(file=sys.stderr)


def _duration(seconds):
    seconds = max(seconds, 0)
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h"
