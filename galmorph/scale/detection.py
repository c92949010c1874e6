# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Sources of mosaics and tiles of any size, found part by part in bounded memory.
"""

import contextlib
import tempfile
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Column, QTable

from galmorph.core import ConfigurationError
from galmorph.images import DetectionConfig
from galmorph.images.background import BoxStatistics, Grid
from galmorph.images.detection import NOISE_SAMPLE, as_catalog
from galmorph.images.finding import Sky
from galmorph.scale.footprints import Footprints, on_disk
from galmorph.scale.parts import (
    LARGEST,
    MARGIN,
    BoxesTask,
    Finder,
    SampleTask,
    SourcesTask,
    expanded,
)
from galmorph.scale.resources import choose_workers
from galmorph.scale.seams import Seams
from galmorph.scale.summary import ProgressLine
from galmorph.scale.tiles import find_tiles
from galmorph.scale.workers import Workers

__all__ = ["PART_SIZE", "DetectedPart", "detect_parts"]

PART_SIZE = 1024
"""Side in pixels of the parts, without margin."""

_PASSES = 3  # over all pixels: the background twice, then the sources
_PIXELS_PER_SOURCE = 10_000  # about, to choose the number of processes
_SAMPLES_OF_TASK = 8


@dataclass
class DetectedPart:
    """
    The sources of a part of a tile.

    Parameters
    ----------
    catalog : `~astropy.table.QTable`
        The columns of `~galmorph.images.detect_sources`, in pixels of the tile,
        and with several tiles ``tile``. The labels are unique in the tile.
    tile : str
        Name of the tile.
    box : tuple of slice
        Rows and columns of the part: the sources have their centroids there.
    places, labels : `~numpy.ndarray` of int
        Pixels of the sources, which may lie beyond the part, in the flattened
        tile, and the label of each.
    shape : tuple of int
        Shape of the tile.
    reason : str
        Why the part could not be searched; empty where it was.
    """

    catalog: QTable
    tile: str
    box: tuple
    places: np.ndarray
    labels: np.ndarray
    shape: tuple
    reason: str = ""

    def segmentation(self, box=None):
        """
        Segmentation map of this part's sources in a window of the tile.

        Parameters
        ----------
        box : tuple of slice, optional
            Rows and columns; by default those of the part.

        Returns
        -------
        segmentation : `~numpy.ndarray` of int32
            Labels of the catalogue; 0 is sky or a source of another part.
        """
        rows, columns = self.box if box is None else box
        row, column = np.divmod(self.places, self.shape[1])
        inside = (row >= rows.start) & (row < rows.stop)
        inside &= (column >= columns.start) & (column < columns.stop)
        size = rows.stop - rows.start, columns.stop - columns.start
        segmentation = np.zeros(size, np.int32)
        row, column = row[inside] - rows.start, column[inside] - columns.start
        segmentation[row, column] = self.labels[inside]
        return segmentation


def detect_parts(
    tiles,
    config=None,
    *,
    part_size=PART_SIZE,
    n_workers=None,
    memory_limit=None,
    progress=False,
):
    """
    Find and measure the sources of images of any size, part by part.

    The catalogue is that of `~galmorph.images.detect_sources` for the whole image, up
    to rounding: background, noise and threshold do not depend on the parts, and each
    source is looked at in a window that holds all of it. A source belongs to the part
    in which its centroid lies. Where tiles overlap on the sky, it belongs to
    the tile in which it lies furthest from the edge.

    Parameters
    ----------
    tiles : path-like, str, image, `Tile`, table or list
        The mosaic or its tiles, see `find_tiles`.
    config : `~galmorph.images.DetectionConfig`, optional
        Parameters.
    part_size : int, optional
        About the side of the parts in pixels; they consist of whole boxes of the
        background. The results do not depend on it, the memory does.
    n_workers : int, optional
        Number of processes, 0 for this one alone; by default one for each processor,
        none for small images or images in memory.
    memory_limit : int, str or `~astropy.units.Quantity`, optional
        Most memory of all processes together, such as ``'4 GiB'``.
    progress : bool or callable, optional
        Whether to show progress on standard error; or a function of the number of
        steps done and of all.

    Yields
    ------
    part : `DetectedPart`
        In the order of the tiles and, in a tile, row by row. One that cannot be
        searched has a ``reason`` and no sources, and does not end the others; of a
        tile that cannot be read there is one such part.

    Raises
    ------
    ImageError
        If no tile can be read.
    ConfigurationError
        If a setting is out of its range.

    Notes
    -----
    A source larger than 3,072 pixels is cut at the edges of a window of that size,
    and may be found once in each part that it lies in; ``touches_edge`` tells.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.scale import detect_parts
    >>> image = np.random.default_rng(1).normal(size=(400, 300))
    >>> y, x = np.indices(image.shape)
    >>> for x0, y0 in [(60, 210), (220, 90)]:
    ...     image += 50 * np.exp(-np.hypot(x - x0, y - y0) / 4)
    >>> for part in detect_parts(image, part_size=200):
    ...     rows, columns = part.box
    ...     print(rows.start, columns.start, len(part.catalog))
    0 0 0
    0 150 1
    134 0 1
    134 150 0
    268 0 0
    268 150 0
    """
    config = DetectionConfig() if config is None else config
    largest = LARGEST - 2 * MARGIN
    if isinstance(part_size, bool) or not 1 <= part_size <= largest:
        raise ConfigurationError(
            f"part_size: found {part_size!r}; it must be 1 to {largest}"
        )
    if config.box_size > largest:
        raise ConfigurationError(
            f"box_size: found {config.box_size!r}; parts have room for {largest}"
        )
    tiles = find_tiles(tiles)
    footprints = Footprints(tiles, None)
    n_pixels = sum(
        footprint.shape[0] * footprint.shape[1]
        for footprint in map(footprints.__getitem__, range(len(tiles)))
        if footprint is not None
    )
    n_workers = choose_workers(
        n_workers,
        memory_limit,
        n_pixels // _PIXELS_PER_SOURCE,
        any(tile.in_memory for tile in tiles),
    )
    return _parts(tiles, footprints, config, part_size, n_workers, progress)


def _parts(tiles, footprints, config, part_size, n_workers, progress):
    searches = []
    for number, tile in enumerate(tiles):
        if footprints[number] is not None:
            search = _TileSearch(number, footprints[number], config, part_size)
            searches.append((tile, search))
        else:
            searches.append((tile, None))
    total = sum(_PASSES * len(s.boxes) for _, s in searches if s is not None)
    seams = Seams(footprints)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="galmorph-"))
        stored = on_disk(tiles, folder, n_workers > 0)
        line = ProgressLine(progress, total, of="steps", done="done")
        stack.enter_context(line)
        workers = Workers(Finder(stored), _Failed, n_workers)
        stack.enter_context(workers)
        for tile, search in searches:
            if search is None:
                yield _bad_tile(tile.name, footprints.reasons[tile.name])
            else:
                yield from search.parts(workers, seams, len(tiles) > 1, line.advance)


@dataclass
class _Failed:
    """What stands for the result of a task that could not be done."""

    task: object
    why: str


def _bad_tile(name, why):
    nothing = np.zeros(0, np.int64)
    return DetectedPart(
        QTable(), name, np.s_[0:0, 0:0], nothing, nothing, (0, 0), reason=why
    )


class _TileSearch:
    """The search for the sources of a tile."""

    def __init__(self, number, footprint, config, part_size):
        self._number, self._footprint, self._config = number, footprint, config
        self._shape = footprint.shape[:2]
        self._grid = Grid(self._shape, config.box_size)
        self.boxes = list(self._rectangles(part_size))

    def _rectangles(self, part_size):
        """Rows and columns of boxes of each part."""
        (height, width), (n_rows, n_columns) = self._grid.box, self._grid.n_boxes
        down, across = (max(round(part_size / side), 1) for side in (height, width))
        if self._footprint.in_strips and n_columns > across:
            # whole rows cost no more to read, and take as much memory
            down = max(round(down * across / n_columns), 1)
            across = n_columns
        for row in range(0, n_rows, down):
            for column in range(0, n_columns, across):
                rows = slice(row, min(row + down, n_rows))
                yield rows, slice(column, min(column + across, n_columns))

    def _core(self, rows, columns):
        first = self._grid.pixels(rows.start, columns.start)
        last = self._grid.pixels(rows.stop - 1, columns.stop - 1)
        return tuple(slice(a.start, b.stop) for a, b in zip(first, last, strict=True))

    def parts(self, workers, seams, several, advance):
        """Search, which gives `DetectedPart` objects."""
        name = self._footprint.name
        sky, why = self._sky(workers, advance)
        if why:
            yield _bad_tile(name, why)
            return
        last = 0
        cores = [self._core(*box) for box in self.boxes]
        results = workers.do(
            SourcesTask(
                self._number,
                core,
                self._config,
                sky.part(expanded(core, LARGEST, self._shape)),
            )
            for core in cores
        )
        for core, found in zip(cores, results, strict=True):
            advance(1)
            if isinstance(found, _Failed):
                part = replace(_bad_tile(name, found.why), box=core)
                yield replace(part, shape=self._shape)
                continue
            part = self._part(core, found, seams, several, last)
            last += len(part.catalog)
            yield part

    def _part(self, core, found, seams, several, last):
        footprint = self._footprint
        catalog = as_catalog(
            found.measured, self._shape, unit=footprint.unit, wcs=footprint.wcs
        )
        catalog["touches_edge"] |= found.cut
        kept = seams.choose(self._number, catalog)
        number = np.zeros(len(kept) + 1, np.int32)
        number[1:][kept] = np.arange(last + 1, last + 1 + np.count_nonzero(kept))
        labels = number[found.labels]
        catalog = catalog[kept]
        catalog["label"][:] = number[1:][kept]
        if several:
            names = np.full(len(catalog), footprint.name)
            catalog["tile"] = Column(names, description="Name of the tile")
        catalog.meta["galmorph"] = {"detection": self._config.to_dict()}
        own = labels > 0
        return DetectedPart(
            catalog, footprint.name, core, found.places[own], labels[own], self._shape
        )

    def _sky(self, workers, advance):
        """What is known of the sky of the tile, or the reason why nothing is."""
        first, why, _ = self._statistics(workers, advance, None, ())
        if why:
            return None, why
        boxes = self._grid.sampled(first, NOISE_SAMPLE)
        step = _SAMPLES_OF_TASK
        tasks = [
            SampleTask(self._number, boxes[i : i + step], self._config)
            for i in range(0, len(boxes), step)
        ]
        samples = []
        for some in workers.do(tasks):
            samples += [] if isinstance(some, _Failed) else some
        sky = Sky.of(first, samples, self._grid, self._config)
        boxes = [sample.box for sample in samples]
        second, _, found = self._statistics(workers, advance, sky, boxes)
        if not second.number.any():
            return sky, ""
        samples = [
            replace(sample, sky=found[_key(sample.box)])
            for sample in samples
            if _key(sample.box) in found
        ]
        return Sky.of(second, samples, self._grid, self._config), ""

    def _statistics(self, workers, advance, sky, samples):
        """Statistics of all boxes; a reason where none was read; sky in samples."""
        statistics = BoxStatistics.empty(self._grid.n_boxes)
        found, reasons = {}, []
        own = [self._samples_in(samples, *box) for box in self.boxes]
        tasks = (
            self._boxes_task(*box, sky, some)
            for box, some in zip(self.boxes, own, strict=True)
        )
        for some, result in zip(own, workers.do(tasks), strict=True):
            advance(1)
            if isinstance(result, _Failed):
                reasons.append(result.why)
                continue
            statistics.put(result.statistics, result.rows, result.columns)
            found |= zip(map(_key, some), result.sky, strict=True)
        why = reasons[0] if len(reasons) == len(self.boxes) else ""
        return statistics, why, found

    def _samples_in(self, samples, rows, columns):
        core = self._core(rows, columns)
        return [
            box
            for box in samples
            if all(c.start <= s.start < c.stop for s, c in zip(box, core, strict=True))
        ]

    def _boxes_task(self, rows, columns, sky, samples):
        if sky is not None:
            core = self._core(rows, columns)
            sky = sky.part(expanded(core, 2 * MARGIN, self._shape))
        return BoxesTask(
            self._number, rows, columns, self._grid, self._config, sky, samples
        )


def _key(box):
    return box[0].start, box[1].start
