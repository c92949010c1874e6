# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What a worker does to find the sources of a tile: the steps of
`galmorph.images.finding` on windows of it.

What is found in a part does not depend on the window that is read for it: the window
grows until it holds all of a source and of the apertures that it is measured in.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from galmorph.core import ImageError
from galmorph.images.background import BoxStatistics, Grid
from galmorph.images.detection import (
    DetectionConfig,
    deblended,
    measure_sources,
)
from galmorph.images.finding import (
    Sample,
    Sky,
    View,
    find_segments,
    near_sources,
    pixels_of,
    reach,
)
from galmorph.scale.footprints import OpenTiles

__all__ = [
    "LARGEST",
    "BoxesTask",
    "Finder",
    "Found",
    "Measured",
    "SampleTask",
    "SourcesTask",
    "expanded",
]

LARGEST = 3072
"""Side in pixels of the largest window: a larger source is cut at its edge."""

MARGIN = 64
"""Pixels around a part that are read with it; few sources need more."""

_KRON_APERTURE = 6.0  # semimajor axes in which photutils measures the Kron radius
_KRON_FACTOR = 2.5  # Kron radii of the largest aperture


def expanded(box, margin, shape):
    """
    A box with a margin, within an image.

    Parameters
    ----------
    box : tuple of slice
    margin : int
    shape : tuple of int
        Of the image.

    Returns
    -------
    box : tuple of slice

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.scale.parts import expanded
    >>> expanded(np.s_[0:10, 20:30], 5, (100, 32))
    (slice(0, 15, None), slice(15, 32, None))
    """
    return tuple(
        slice(max(s.start - margin, 0), min(s.stop + margin, n))
        for s, n in zip(box, shape, strict=False)
    )


class Finder:
    """
    Do the tasks of a detection.

    Parameters
    ----------
    tiles : list of `~galmorph.scale.Tile`
    """

    def __init__(self, tiles):
        self._tiles = OpenTiles(tiles)

    def __call__(self, task):
        """
        Do a task.

        Parameters
        ----------
        task : `BoxesTask`, `SampleTask` or `SourcesTask`

        Returns
        -------
        result
            What its ``do`` gives.
        """
        return task.do(self._tiles[task.tile])

    def close(self):
        """Close the tiles."""
        self._tiles.close()


@dataclass
class _Task:
    tile: int

    def halves(self):
        """No parts: the reason why it failed would be lost."""
        return ()


@dataclass
class Measured:
    """
    What was measured in some boxes.

    Parameters
    ----------
    rows, columns : slice
        Which boxes.
    statistics : `~galmorph.images.background.BoxStatistics`
    sky : list of `~numpy.ndarray` of bool
        Sky in the boxes of samples.
    """

    rows: slice
    columns: slice
    statistics: BoxStatistics
    sky: list


@dataclass
class BoxesTask(_Task):
    """
    Measure the background in boxes.

    Parameters
    ----------
    tile : int
        Number of the tile.
    rows, columns : slice
        Which boxes.
    grid : `~galmorph.images.background.Grid`
    config : `~galmorph.images.DetectionConfig`
    sky : `~galmorph.images.finding.Sky` or None
        What is known of the sky, so that sources can be left out.
    samples : list of tuple of slice
        Boxes of which it is told where there is sky.
    """

    rows: slice
    columns: slice
    grid: Grid
    config: DetectionConfig
    sky: Sky | None = None
    samples: tuple = ()

    def do(self, tile):
        """Read and measure, which gives `Measured`."""
        first = self.grid.pixels(self.rows.start, self.columns.start)
        last = self.grid.pixels(self.rows.stop - 1, self.columns.stop - 1)
        core = tuple(slice(a.start, b.stop) for a, b in zip(first, last, strict=True))
        if self.sky is None:
            pixels = pixels_of(tile.pixels(core))
            used = ~pixels.bad
        else:
            # a source of which fewer pixels are seen would not be taken for one
            margin = self.config.n_pixels + 1 + round(self.config.smoothing_fwhm)
            view = _view(tile, expanded(core, margin, tile.shape), self.config)
            segments, _ = find_segments(view, self.sky, self.config)
            used = ~(view.pixels.bad | near_sources(segments, self.config))
            used = used[_within(core, view.box)]
            pixels = view.part(core).pixels
        statistics = self.grid.measure(pixels.data, used, self.rows, self.columns)
        sky = [used[_within(box, core)].copy() for box in self.samples]
        return Measured(self.rows, self.columns, statistics, sky)


@dataclass
class SampleTask(_Task):
    """
    Smooth the pixels of some boxes.

    Parameters
    ----------
    tile : int
        Number of the tile.
    boxes : list of tuple of slice
    config : `~galmorph.images.DetectionConfig`
    """

    boxes: list
    config: DetectionConfig

    def do(self, tile):
        """Read and smooth, which gives a list of samples."""
        views = [_view(tile, box, self.config) for box in self.boxes]
        return [Sample.of(view, view.box, ~view.pixels.bad) for view in views]


@dataclass
class Found:
    """
    Sources whose centroids are in a part.

    Parameters
    ----------
    measured : dict of `~numpy.ndarray`
        As `~galmorph.images.detection.measure_sources` returns it, in pixels of
        the tile; the labels are 1, 2, ...
    cut : `~numpy.ndarray` of bool
        Which of them are larger than the largest window.
    places, labels : `~numpy.ndarray` of int
        Their pixels in the flattened tile, and the label of each.
    """

    measured: dict
    cut: np.ndarray
    places: np.ndarray
    labels: np.ndarray


@dataclass
class SourcesTask(_Task):
    """
    Find and measure the sources whose centroids are in a part.

    Parameters
    ----------
    tile : int
        Number of the tile.
    core : tuple of slice
        Rows and columns of the part.
    config : `~galmorph.images.DetectionConfig`
    sky : `~galmorph.images.finding.Sky`
    """

    core: tuple
    config: DetectionConfig
    sky: Sky

    def do(self, tile):
        """Read, find and measure, which gives `Found`."""
        search = _Search(tile, self.core, self.config, self.sky)
        search.run()
        return search.found()


def _view(tile, box, config):
    """Smoothed pixels of a box of a tile."""
    wide = expanded(box, reach(config), tile.shape)
    pixels = pixels_of(tile.pixels(wide))
    return View.of(pixels, wide, config.smoothing_fwhm).part(box)


def _within(box, outer):
    """A box in pixels of another one that holds it."""
    return tuple(
        slice(s.start - o.start, s.stop - o.start)
        for s, o in zip(box, outer, strict=True)
    )


class _Search:
    """The search for the sources of a part."""

    def __init__(self, tile, core, config, sky):
        self._tile, self._core, self._config, self._sky = tile, core, config, sky
        self._shape = tile.shape[:2]
        self._kept, self._can_grow = [], True

    def run(self):
        """Look at the part, and at large sources in windows of their own."""
        window = expanded(self._core, MARGIN, self._shape)
        try:
            rest = self._look(window)
        except ImageError:  # the file may be damaged in the margin
            window, self._can_grow = self._core, False
            rest = self._look(window)
        while rest:
            seed, box = rest.pop()
            try:
                rest += self._look(self._at_most(box, seed), seed)
            except ImageError:
                self._can_grow = False
                self._look(window, seed)
                self._can_grow = True

    def _at_most(self, box, seed):
        """A box that is not larger than the largest window."""
        sides = []
        for s, middle, n in zip(box, seed, self._shape, strict=True):
            if s.stop - s.start > LARGEST:
                first = min(max(middle - LARGEST // 2, 0), max(n - LARGEST, 0))
                s = slice(first, min(first + LARGEST, n))
            sides.append(s)
        return tuple(sides)

    def _look(self, window, seed=None):
        """
        Keep the sources that are seen as a whole, and tell what needs a look again.

        With a seed - the row and column of a pixel - only at the sources that are
        connected with it. What is told is a list of seeds and boxes.
        """
        view = _view(self._tile, window, self._config)
        segments, residual = find_segments(view, self._sky, self._config)
        boxes = self._chosen(segments, window, seed)
        larger = {
            number: expanded(box, max(_longest(box), 2 * MARGIN), self._shape)
            for number, box in boxes.items()
            if any(self._beyond(window, box))
        }
        whole = [number for number in boxes if number not in larger]
        parts, parents = self._separated(segments, residual, whole)
        measured = self._measured(view, parts, len(parents) - 1)
        for number, box in self._apertures(measured, parents):
            if any(self._beyond(window, box)):
                box = _union(larger.get(number, boxes[number]), box)
                larger[number] = expanded(box, 2, self._shape)
        kept = ~np.isin(parents[measured["label"].astype(int)], list(larger))
        self._keep(measured, kept, parts, window)
        if seed is not None:
            # an aperture may shrink in a larger window, which must not shrink again
            larger = {number: _union(box, window) for number, box in larger.items()}
        return [
            (_first_pixel(segments, number, window), box)
            for number, box in larger.items()
        ]

    def _chosen(self, segments, window, seed):
        """Boxes in the tile of the segments that are looked at."""
        found = {
            number: tuple(
                slice(s.start + w.start, s.stop + w.start)
                for s, w in zip(box, window, strict=True)
            )
            for number, box in enumerate(ndimage.find_objects(segments), start=1)
        }
        if seed is not None:
            y, x = (p - s.start for p, s in zip(seed, window, strict=True))
            return {number: found[number] for number in [int(segments[y, x])]}
        return {
            number: box
            for number, box in found.items()
            if all(
                s.start < c.stop and s.stop > c.start
                for s, c in zip(box, self._core, strict=True)
            )
        }

    def _beyond(self, window, box):
        """Whether a box reaches the edges of a window beyond which one can look."""
        for w, b, n in zip(window, box, self._shape, strict=True):
            can_grow = self._can_grow and w.stop - w.start < LARGEST
            yield can_grow and b.start <= w.start and w.start > 0
            yield can_grow and b.stop >= w.stop and w.stop < n

    def _separated(self, segments, residual, numbers):
        """
        Segments cut into their sources, others with higher labels.

        Besides, the segment of each source.
        """
        chosen = np.zeros(segments.max(initial=0) + 1, bool)
        chosen[numbers] = True
        own = chosen[segments]
        parts = deblended(residual, np.where(own, segments, 0), self._config)
        _, parts[own] = np.unique(parts[own], return_inverse=True)
        parts[own] += 1
        last = parts.max(initial=0)
        parents = np.zeros(last + 1, int)
        parents[parts[own]] = segments[own]
        others = (segments > 0) & ~own
        parts[others] = segments[others] + last
        return parts, parents

    def _measured(self, view, parts, n_sources):
        """Measurements, in pixels of the tile, of what belongs to the part."""
        (y0, x0), kind = (s.start for s in view.box), view.pixels.data.dtype
        rows, columns = self._core

        def wanted(x, y):
            x, y = x + x0 + 0.5, y + y0 + 0.5
            inside = (x >= columns.start) & (x < columns.stop)
            return inside & (y >= rows.start) & (y < rows.stop)

        rms = view.pixels.error
        measured = measure_sources(
            view.pixels,
            self._sky.level.window(view.box, kind),
            self._sky.rms.window(view.box, kind) if rms is None else rms,
            parts,
            self._sky.scale,
            n_sources=n_sources,
            wanted=wanted,
        )
        for axis, first in (("x", x0), ("y", y0)):
            for name in (f"{axis}_centroid", f"bbox_{axis}min", f"bbox_{axis}max"):
                measured[name] = measured[name] + first
        return measured

    def _apertures(self, measured, parents):
        """The segment of each source, and the box of its largest aperture."""
        kron = _KRON_FACTOR * np.nan_to_num(measured["kron_radius"])
        radii = np.maximum(kron, _KRON_APERTURE) * measured["semimajor_axis"]
        # and as much beyond as tells a source from less
        radii = np.ceil(np.nan_to_num(radii)).astype(int) + 1 + self._config.n_pixels
        for label, x, y, radius in zip(
            measured["label"].astype(int),
            np.rint(measured["x_centroid"]).astype(int),
            np.rint(measured["y_centroid"]).astype(int),
            radii,
            strict=True,
        ):
            middle = slice(int(y), int(y) + 1), slice(int(x), int(x) + 1)
            yield int(parents[label]), expanded(middle, int(radius), self._shape)

    def _keep(self, measured, kept, parts, window):
        labels = measured["label"][kept].astype(int)
        number = np.zeros(parts.max(initial=0) + 1, int)
        number[labels] = np.arange(1, len(labels) + 1)
        rows, columns = np.nonzero(number[parts])
        labels = number[parts[rows, columns]]
        (y0, x0), (_, width) = (s.start for s in window), self._shape
        measured = {name: values[kept] for name, values in measured.items()}
        cut = np.zeros(kept.sum(), bool)
        for axis, side, n in zip("yx", window, self._shape, strict=True):
            if side.start > 0:
                cut |= measured[f"bbox_{axis}min"] <= side.start
            if side.stop < n:
                cut |= measured[f"bbox_{axis}max"] >= side.stop - 1
        places = (rows + y0).astype(np.int64) * width + columns + x0
        self._kept.append((measured, cut, places, labels))

    def found(self):
        """All sources of the part, numbered by their places."""
        measured = {
            name: np.concatenate([each[name] for each, *_ in self._kept])
            for name in self._kept[0][0]
        }
        order = np.lexsort((measured["x_centroid"], measured["y_centroid"]))
        first, labels = 0, []
        for each, _, _, own in self._kept:
            labels.append(own + first)
            first += len(each["label"])
        rank = np.zeros(first + 1, np.int32)
        rank[order + 1] = np.arange(1, first + 1)
        measured = {name: values[order] for name, values in measured.items()}
        measured["label"] = np.arange(1, first + 1)
        cut, places = (np.concatenate([part[i] for part in self._kept]) for i in (1, 2))
        return Found(measured, cut[order], places, rank[np.concatenate(labels)])


def _longest(box):
    return max(side.stop - side.start for side in box)


def _union(one, other):
    return tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop))
        for a, b in zip(one, other, strict=True)
    )


def _first_pixel(segments, number, window):
    """Row and column, in the tile, of a pixel of a segment."""
    row, column = np.unravel_index(np.argmax(segments == number), segments.shape)
    return int(row) + window[0].start, int(column) + window[1].start
