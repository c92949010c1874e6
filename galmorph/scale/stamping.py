# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a worker does: read the patches of a task and make the stamps of its sources.
"""

import time
from dataclasses import dataclass

import numpy as np

from galmorph.core.exceptions import reason
from galmorph.images import NOT_CLASSIFIED
from galmorph.images.cutouts import failed_cutout, plain_rms
from galmorph.images.stamps import MEASURED
from galmorph.scale.footprints import OpenTiles

__all__ = ["Stamped", "Stamper", "failed_task"]


@dataclass
class Stamped:
    """
    Stamps of the sources of a task.

    Parameters
    ----------
    rows : `~numpy.ndarray` of int
        Rows of the catalogue.
    data : `~numpy.ndarray`
        Stamps of those that can be classified, in this order.
    usable : `~numpy.ndarray` of bool
        Which these are.
    flags : `~numpy.ndarray` of int
        Bits of `~galmorph.core.MorphFlag`.
    values : dict of `~numpy.ndarray`
        Measurements by their names.
    failures : dict
        Row -> reason.
    seconds : dict
        Processor time by stage.
    """

    rows: np.ndarray
    data: np.ndarray
    usable: np.ndarray
    flags: np.ndarray
    values: dict
    failures: dict
    seconds: dict


class Stamper:
    """
    Make stamps of the sources of tasks.

    Parameters
    ----------
    tiles : list of `~galmorph.scale.Tile`
    preprocessor : `~galmorph.images.Preprocessor`
    bands : int
        Number of bands that images have.
    """

    def __init__(self, tiles, preprocessor, bands):
        self._preprocessor, self._bands = preprocessor, bands
        self._tiles = OpenTiles(tiles)

    def __call__(self, task):
        """
        Make the stamps of a task.

        Parameters
        ----------
        task : `~galmorph.scale.plan.Task`

        Returns
        -------
        stamped : `Stamped`
        """
        clock = _Clock()
        failures = {}
        start = time.process_time()
        cutouts = self._cutouts(task, clock, failures)
        stamps = self._preprocessor(cutouts)
        clock.seconds["preprocessing"] = (
            time.process_time() - start - clock.seconds["reading"]
        )
        rows = task.rows
        failures |= stamps.failures
        usable = (stamps.flags & NOT_CLASSIFIED) == 0
        return Stamped(
            rows=rows,
            data=stamps.data[usable],
            usable=usable,
            flags=stamps.flags,
            values={
                name: np.asarray(getattr(column, "value", column))
                for name, column in stamps.measurements.items()
            },
            failures={
                int(rows[i]): " ".join(why.split()) for i, why in failures.items()
            },
            seconds=clock.seconds,
        )

    def _cutouts(self, task, clock, failures):
        """Cutouts of all sources; what cannot be read is a failed one."""
        done = 0
        for patch in task.patches:
            windows = None
            try:
                windows = _PatchWindows(self._tiles[task.tile], patch.box, clock)
            except Exception as error:
                whole = reason(error)
            labels = patch.labels
            labels = np.zeros(len(patch.x), int) if labels is None else labels
            for x, y, label in zip(patch.x, patch.y, labels, strict=True):
                try:
                    if windows is None:
                        raise _Unreadable(whole)
                    (cutout,) = self._preprocessor.cutouts(
                        windows, [x], [y], labels=[label]
                    )
                except Exception as error:
                    why = str(error) if windows is None else reason(error)
                    failures[done] = why
                    cutout = failed_cutout(self._bands)
                done += 1
                yield cutout

    def close(self):
        """Close the tiles."""
        self._tiles.close()


class _Unreadable(Exception):
    """A tile that cannot be opened."""


class _Clock:
    """Processor time of reading."""

    def __init__(self):
        self.seconds = {"reading": 0.0}

    def __enter__(self):
        self._start = time.process_time()

    def __exit__(self, *exception):
        self.seconds["reading"] += time.process_time() - self._start


class _PatchWindows:
    """
    Windows of a tile, of which a patch is in memory.

    It stands for the whole tile (see `~galmorph.images.cutouts.Windows`), so that
    results do not depend on the patch: a window that reaches beyond it is read.
    """

    def __init__(self, tile, box, clock):
        self._tile, self._clock, self._patch = tile, clock, None
        self.shape = tile.shape
        scale = tile.pixel_scale
        self.pixel_scale = np.nan if scale is None else float(scale.value)
        if box is not None:
            # a patch that cannot be read as a whole may have good windows
            try:
                self._patch = self._read(box)
            except Exception:
                return
            self._box = box

    def window(self, box):
        """Pixels of a window, see `~galmorph.images.cutouts.Windows`."""
        if self._patch is not None and all(
            whole.start <= part.start and part.stop <= whole.stop
            for whole, part in zip(self._box, box, strict=True)
        ):
            part = tuple(
                slice(part.start - whole.start, part.stop - whole.start)
                for whole, part in zip(self._box, box, strict=True)
            )
            return tuple(
                None if array is None else array[part] for array in self._patch
            )
        return self._read(box)

    def _read(self, box):
        with self._clock:
            image = self._tile.pixels(box)
            rms = image.uncertainty
            rms = None if rms is None else plain_rms(rms.array)
            return image.data, image.mask, rms, self._tile.segments(box)


def failed_task(task, preprocessor, bands, why):
    """
    What stands for the stamps of a task that could not be done.

    Parameters
    ----------
    task : `~galmorph.scale.plan.Task`
    preprocessor : `~galmorph.images.Preprocessor`
    bands : int
    why : str

    Returns
    -------
    stamped : `Stamped`
    """
    rows = task.rows
    flags = np.full(len(rows), failed_cutout(bands).flags, np.int32)
    side = preprocessor.shape + preprocessor.margin
    return Stamped(
        rows=rows,
        data=np.zeros((0, side, side, bands), np.float32),
        usable=np.zeros(len(rows), bool),
        flags=flags,
        values={name: np.full(len(rows), np.nan) for name in MEASURED},
        failures={int(row): why for row in rows},
        seconds={},
    )
