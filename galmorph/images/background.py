# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The background of an image of any size and its noise, on a mesh of boxes.

The values of a box depend on its own pixels alone, and any window of the maps can be
made from the mesh, so that images can be read part by part. The statistics are those
of photutils' ``Background2D``, which needs the whole image: pixels clipped at 3 sigma
about their median, the level by SExtractor's estimate of the mode, and the standard
deviation.
"""

from dataclasses import dataclass

import numpy as np
from photutils.utils import ShepardIDWInterpolator
from scipy import ndimage

__all__ = ["BoxStatistics", "Grid", "Mesh", "clipped_statistics"]

_N_SIGMA = 3.0
_ITERATIONS = 10
_FEWEST = 0.1  # of a box's pixels; with fewer it takes the values of boxes around
_NEIGHBOURS = 10  # boxes that such values are taken from


def clipped_statistics(values):
    """
    Mean, median, standard deviation and number of values within 3 sigma.

    Parameters
    ----------
    values : `~numpy.ndarray`
        Finite values, in one dimension.

    Returns
    -------
    mean, median, std : float
        Zero where there are no values.
    number : int

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.background import clipped_statistics
    >>> clipped_statistics(np.array([1.0, 3.0] * 20 + [1e6]))
    (2.0, 2.0, 1.0, 40)
    """
    if values.size == 0:
        return 0.0, 0.0, 0.0, 0
    values = np.sort(values)
    middle = float(values[values.size // 2])
    # about the median, so that squares keep their digits
    values = values.astype(np.float64) - middle
    first, last = 0, values.size
    # not a product of vectors, whose threads wait for each other on a busy machine
    total, squares = values.sum(), np.square(values).sum()
    for _ in range(_ITERATIONS + 1):
        n = last - first
        mean = total / n
        std = max(squares / n - mean**2, 0.0) ** 0.5
        median = 0.5 * (values[first + (n - 1) // 2] + values[first + n // 2])
        low = np.searchsorted(values, median - _N_SIGMA * std)
        high = np.searchsorted(values, median + _N_SIGMA * std, "right")
        low, high = max(low, first), min(high, last)
        if (low, high) == (first, last) or high <= low:
            break
        for tail in (values[first:low], values[high:last]):
            total -= tail.sum()
            squares -= np.square(tail).sum()
        first, last = low, high
    return float(mean) + middle, float(median) + middle, float(std), int(n)


@dataclass
class BoxStatistics:
    """
    What was measured in some boxes of a grid.

    Parameters
    ----------
    level, noise : `~numpy.ndarray`
        Background and standard deviation, shape (rows, columns of boxes).
    share : `~numpy.ndarray`
        Share of the box's pixels that they were measured on.
    mean, variance, number : `~numpy.ndarray`
        Of all usable pixels, before any were clipped.
    """

    level: np.ndarray
    noise: np.ndarray
    share: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    number: np.ndarray

    @classmethod
    def empty(cls, shape):
        """Statistics of boxes without a usable pixel."""
        return cls(*(np.zeros(shape) for _ in range(6)))

    def put(self, other, rows, columns):
        """Take the statistics of a rectangle of boxes."""
        for name, values in vars(other).items():
            getattr(self, name)[rows, columns] = values

    @property
    def spread(self):
        """Standard deviation of all usable pixels of all boxes."""
        n = self.number.sum()
        if n == 0:
            return 0.0
        mean = np.sum(self.number * self.mean) / n
        square = self.number * (self.variance + (self.mean - mean) ** 2)
        return float((square.sum() / n) ** 0.5)


class Grid:
    """
    The boxes of an image in which the background is measured.

    Parameters
    ----------
    shape : tuple of int
        Shape (ny, nx) of the image.
    box_size : int
        Side of a box; the nearest that divides the image evenly is used.

    Attributes
    ----------
    box : tuple of int
        Height and width of the boxes; those of the last row and column may be
        smaller.
    n_boxes : tuple of int
        Rows and columns of boxes.

    Examples
    --------
    >>> from galmorph.images.background import Grid
    >>> grid = Grid((300, 90), 128)
    >>> grid.box, grid.n_boxes
    ((150, 90), (2, 1))
    """

    def __init__(self, shape, box_size):
        self.shape = tuple(shape)
        # boxes that divide the image evenly leave no thin ones at its edges
        self.box = tuple(-(-n // max(1, round(n / box_size))) for n in shape)
        self.n_boxes = tuple(
            -(-n // side) for n, side in zip(shape, self.box, strict=True)
        )

    def pixels(self, row, column):
        """Rows and columns of the image that a box has, as slices."""
        return tuple(
            slice(i * side, min((i + 1) * side, n))
            for i, side, n in zip((row, column), self.box, self.shape, strict=True)
        )

    def sampled(self, statistics, n_pixels):
        """
        Choose boxes all over the image with about so many pixels together.

        Parameters
        ----------
        statistics : `BoxStatistics`
            Of all boxes; those with sky are chosen from.
        n_pixels : int

        Returns
        -------
        boxes : list of tuple of slice
            Their pixels.
        """
        boxes = np.argwhere(_enough(statistics.share))
        few = max(n_pixels // (self.box[0] * self.box[1]), 1)
        chosen = np.random.default_rng(0).permutation(len(boxes))[:few]
        return [self.pixels(*boxes[i].tolist()) for i in np.sort(chosen)]

    def measure(self, data, used, rows, columns):
        """
        Measure boxes.

        Parameters
        ----------
        data : `~numpy.ndarray`
            The image from the first pixel of the first box on.
        used : `~numpy.ndarray` of bool
            Pixels that are sky, as far as is known.
        rows, columns : slice
            Which boxes.

        Returns
        -------
        statistics : `BoxStatistics`
        """
        height, width = self.box
        shape = rows.stop - rows.start, columns.stop - columns.start
        statistics = BoxStatistics.empty(shape)
        for i in range(shape[0]):
            for j in range(shape[1]):
                box = np.s_[i * height : (i + 1) * height, j * width : (j + 1) * width]
                inside = self.pixels(rows.start + i, columns.start + j)
                box = tuple(
                    slice(b.start, b.start + s.stop - s.start)
                    for b, s in zip(box, inside, strict=True)
                )
                good = used[box]
                _measure_box(data[box], good, statistics, (i, j))
        return statistics


def _measure_box(data, good, statistics, where):
    values = data.ravel() if good.all() else data[good]
    if values.size == 0:
        return
    mean, median, std, n = clipped_statistics(values)
    level = median
    # SExtractor's mode, where the field is not too crowded for it
    if std > 0 and abs(mean - median) / std < 0.3:
        level = 2.5 * median - 1.5 * mean
    found = {
        "level": level,
        "noise": std,
        "share": n / data.size,
        "mean": np.mean(values, dtype=np.float64),
        "variance": np.var(values, dtype=np.float64),
        "number": values.size,
    }
    for name, value in found.items():
        getattr(statistics, name)[where] = value


class Mesh:
    """
    A map that varies slowly, of which any window can be made.

    Parameters
    ----------
    values : `~numpy.ndarray`
        Value of each box, shape (rows, columns of boxes), finite.
    box : tuple of int
        Height and width of a box.

    Notes
    -----
    Between the middles of boxes it is a cubic spline, clipped to the range of the
    values, as with photutils' ``BkgZoomInterpolator``.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.background import Mesh
    >>> mesh = Mesh(np.array([[1.0, 1.0], [3.0, 3.0]]), (10, 10))
    >>> mesh.window(np.s_[9:11, 0:1]).round(1).tolist()
    [[1.9], [2.1]]
    """

    def __init__(self, values, box):
        self.box, self._range = box, (float(values.min()), float(values.max()))
        self._first, self._shape = (0, 0), values.shape
        for axis in (0, 1):
            if values.shape[axis] > 1:
                values = ndimage.spline_filter1d(values, 3, axis, mode="reflect")
        self._spline = np.asarray(values, np.float64)

    @classmethod
    def of(cls, statistics, grid, *, filter_size):
        """
        Meshes of the background and its noise.

        Parameters
        ----------
        statistics : `BoxStatistics`
            Of all boxes of a grid.
        grid : `Grid`
        filter_size : int
            Side, in boxes, of the median filter over the mesh; odd.

        Returns
        -------
        level, noise : `Mesh`
            Zero where no box has a usable pixel.
        """
        enough = _enough(statistics.share)
        return tuple(
            cls(_filtered(_filled(values, enough), filter_size), grid.box)
            for values in (statistics.level, statistics.noise)
        )

    def part(self, box):
        """
        What is needed for windows within a box, which other processes are sent.

        Parameters
        ----------
        box : tuple of slice

        Returns
        -------
        mesh : `Mesh`
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        # three more on each side for the spline, and what is mirrored there
        ends = [
            (max(s.start // side - 5, 0), min(s.stop // side + 6, n))
            for s, side, n in zip(box, self.box, self._shape, strict=True)
        ]
        other._first = tuple(first for first, _ in ends)
        other._spline = self._spline[tuple(slice(*end) for end in ends)].copy()
        return other

    def window(self, box, dtype=np.float64):
        """
        The map in a window.

        Parameters
        ----------
        box : tuple of slice
            Rows and columns of the image.
        dtype : optional
            Type of the numbers.

        Returns
        -------
        map : `~numpy.ndarray`
        """
        shape = tuple(s.stop - s.start for s in box)
        low, high = self._range
        if low == high:
            return np.full(shape, low, dtype)
        (down, from_row), (across, from_column) = (
            _spline_weights(s.start, s.stop, side, n)
            for s, side, n in zip(box, self.box, self._shape, strict=True)
        )
        row, column = from_row - self._first[0], from_column - self._first[1]
        part = self._spline[
            row : row + down.shape[1], column : column + across.shape[1]
        ]
        values = (down @ part @ across.T).astype(dtype)
        return np.clip(values, low, high, out=values)


def _spline_weights(start, stop, side, n):
    """What each box counts for pixels of one axis, and the first of these boxes."""
    place = (np.arange(start, stop) + 0.5) / side - 0.5
    base = np.floor(place).astype(int)
    t = place - base
    taps = (
        (1 - t) ** 3 / 6,
        2 / 3 - t**2 + t**3 / 2,
        2 / 3 - (1 - t) ** 2 + (1 - t) ** 3 / 2,
        t**3 / 6,
    )
    boxes = base[:, None] + np.arange(-1, 3)
    # mirrored at the edges
    boxes = boxes % (2 * n)
    boxes = np.where(boxes >= n, 2 * n - 1 - boxes, boxes)
    if n == 1:
        return np.ones((stop - start, 1)), 0
    first, last = boxes.min(), boxes.max()
    weights = np.zeros((stop - start, last - first + 1))
    rows = np.arange(stop - start)
    for tap, box in zip(taps, boxes.T, strict=True):
        np.add.at(weights, (rows, box - first), tap)
    return weights, first


def _enough(share):
    """Boxes with enough sky to be measured."""
    enough = share > _FEWEST
    if not enough.any():
        # an image with little to go by goes by its best boxes
        enough = (share > 0) & (share >= 0.5 * share.max())
    return enough


def _filled(values, enough):
    """Boxes without enough pixels filled from those around."""
    if enough.all() or not enough.any():
        return values
    interpolate = ShepardIDWInterpolator(np.argwhere(enough), values[enough])
    filled = values.copy()
    filled[~enough] = interpolate(np.argwhere(~enough), n_neighbors=_NEIGHBOURS)
    return filled


def _filtered(values, size):
    if size == 1:
        return values
    padded = np.pad(values, size // 2, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    return np.nanmedian(around, axis=(2, 3))
