# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Resampling that keeps the surface brightness.
"""

import numpy as np

__all__ = ["Squares", "resample", "resample_many", "resampling_weights"]


def resampling_weights(n_pixels, center, side, shape):
    """
    Weights that resample one axis with an anti-aliased triangle kernel.

    The kernel is linear interpolation where the new pixels are smaller than
    the old ones, and is widened to the size of the new pixels where they are
    larger, so that nothing is skipped.

    Parameters
    ----------
    n_pixels : int
        Length of the axis.
    center : float
        Position, in 0-based pixels, that becomes the middle of the new axis.
    side : float
        Length, in old pixels, that the new axis covers.
    shape : int
        Number of new pixels.

    Returns
    -------
    weights : `~numpy.ndarray`
        Array of shape (shape, n_pixels), float32. Each row sums to one where
        it lies inside of the axis, and to less where the kernel reaches
        beyond it.

    Examples
    --------
    >>> from galmorph.images.resampling import resampling_weights
    >>> resampling_weights(4, 1.5, 4, 2).sum(axis=1)
    array([0.875, 0.875], dtype=float32)
    """
    first, taps = _taps(n_pixels, np.array([center]), np.array([side]), shape)
    weights = np.zeros((shape, n_pixels), np.float32)
    rows = np.arange(shape)
    for step, tap in enumerate(taps[:, 0]):
        place = np.clip(first[0] + step, 0, n_pixels - 1)
        weights[rows, place] += tap
    return weights


def _taps(n_pixels, center, side, shape):
    """
    First pixel below the kernel of each new pixel, and the weights from there.

    The weights have the shape (steps from the first pixel, squares, new pixels);
    those of pixels beyond the axis are zero.
    """
    scale = (side / shape)[:, None]
    width = np.maximum(1.0, scale)
    where = center[:, None] + (np.arange(shape) - (shape - 1) / 2) * scale
    first = np.floor(where - width).astype(int) + 1
    weights = np.empty((int(np.ceil(2 * width.max())), *where.shape))
    for step, weight in enumerate(weights):
        np.abs(first + step - where, out=weight)
        weight /= width
        np.subtract(1, weight, out=weight)
        np.maximum(weight, 0, out=weight)
    weights /= sum(weights)
    for step, weight in enumerate(weights):
        beyond = (first + step < 0) | (first + step >= n_pixels)
        weight[beyond] = 0
    return first, weights.astype(np.float32)


def resample(data, x, y, side, shape):
    """
    Resample a square around a position, keeping the surface brightness.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Image of shape (ny, nx) or (ny, nx, bands).
    x, y : float
        Position, in 0-based pixels, that becomes the middle of the stamp.
    side : float
        Side of the square, in pixels of the image.
    shape : int
        Side of the stamp, in its own pixels.

    Returns
    -------
    stamp : `~numpy.ndarray`
        Array of shape (shape, shape[, bands]), float32. What lies beyond the
        image counts as zero.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.resampling import resample
    >>> stamp = resample(np.full((40, 40), 3.0), 19.5, 19.5, 20, 45)
    >>> stamp.shape, bool(np.allclose(stamp, 3))
    ((45, 45), True)
    """
    data = np.asarray(data, dtype=np.float32)
    planes = data[None] if data.ndim == 2 else np.moveaxis(data, -1, 0)
    places = (np.full(len(planes), value, float) for value in (x, y, side))
    stamps = resample_many(planes, *places, shape)
    return stamps[0] if data.ndim == 2 else np.moveaxis(stamps, 0, -1)


def resample_many(planes, x, y, side, shape):
    """
    Resample squares of many images of one shape, as `resample` does with one.

    Parameters
    ----------
    planes : `~numpy.ndarray`
        Images of shape (n, ny, nx), float32.
    x, y, side : `~numpy.ndarray`
        Position and side of each square, in pixels of the images.
    shape : int
        Side of the stamps, in their own pixels.

    Returns
    -------
    stamps : `~numpy.ndarray`
        Array of shape (n, shape, shape), float32.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.resampling import resample_many
    >>> planes, places = np.ones((2, 40, 40), np.float32), np.full(2, 19.5)
    >>> resample_many(planes, places, places, np.array([20.0, 30.0]), 45).shape
    (2, 45, 45)
    """
    return Squares(planes.shape[1:], x, y, side, shape).of(planes)


class Squares:
    """
    Squares in images of one shape, to be resampled from any planes of these.

    Parameters
    ----------
    window : tuple of int
        Shape (ny, nx) of the images.
    x, y, side, shape
        As for `resample_many`.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.resampling import Squares
    >>> squares = Squares((40, 40), np.array([19.5]), np.array([19.5]), np.ones(1), 8)
    >>> squares.of(np.ones((1, 40, 40), np.float32)).sum()
    np.float32(64.0)
    """

    def __init__(self, window, x, y, side, shape):
        self._n, self._shape = len(x), shape
        self._groups = []
        # together, what has kernels of about the same width
        number = np.ceil(2 * np.maximum(1.0, side / shape)).astype(int)
        for each in np.unique(number):
            these = np.flatnonzero(number == each)
            axes = [
                _Axis(n_pixels, center[these], side[these], shape)
                for n_pixels, center in zip(window, (y, x), strict=True)
            ]
            self._groups.append((these, *axes))

    def of(self, planes):
        """Stamps of shape (n, shape, shape) of float32 planes (n, ny, nx)."""
        stamps = np.empty((self._n, self._shape, self._shape), np.float32)
        for these, rows, columns in self._groups:
            # no more than the kernels see
            boxes = zip(these, rows.start, columns.start, strict=True)
            seen = np.stack(
                [
                    planes[i, a : a + rows.length, b : b + columns.length]
                    for i, a, b in boxes
                ]
            )
            found = columns.sums(rows.sums(seen).transpose(0, 2, 1))
            stamps[these] = found.transpose(0, 2, 1)
        return stamps


class _Axis:
    """Where kernels lie on an axis, from the first pixel that any of a square sees."""

    def __init__(self, n_pixels, center, side, shape):
        first, weights = _taps(n_pixels, center, side, shape)
        place = first + np.arange(len(weights))[:, None, None]
        np.clip(place, 0, n_pixels - 1, out=place)
        low, high = place[0, :, 0], place[-1, :, -1]
        self.length = int((high - low).max(initial=0)) + 1
        self.start = np.minimum(low, n_pixels - self.length)
        # of the stack as one list of rows
        place += (self.length * np.arange(len(center)) - self.start)[:, None]
        self._places, self._weights = place, weights[..., None]

    def sums(self, planes):
        """
        Weighted sums of rows.

        Few rows are below a kernel, so that matrix products would be mostly zeros;
        besides, these sums do not depend on how many images there are, or threads.
        """
        rows = planes.reshape(-1, planes.shape[2])
        total = None
        for place, weights in zip(self._places, self._weights, strict=True):
            part = np.take(rows, place, axis=0)
            part *= weights
            if total is None:
                total = part
            else:
                total += part
        return total
