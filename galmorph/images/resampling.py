# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Resampling that keeps the surface brightness.
"""

import numpy as np

__all__ = ["resample", "resample_many", "resampling_weights"]


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
    for step in range(taps.shape[2]):
        place = np.clip(first[0] + step, 0, n_pixels - 1)
        weights[rows, place] += taps[0, :, step]
    return weights


def _taps(n_pixels, center, side, shape):
    """
    First pixel below the kernel of each new pixel, and the weights from there.

    Weights of pixels beyond the axis are zero.
    """
    scale = (side / shape)[:, None]
    width = np.maximum(1.0, scale)
    where = center[:, None] + (np.arange(shape) - (shape - 1) / 2) * scale
    first = np.floor(where - width).astype(int) + 1
    place = first[:, :, None] + np.arange(int(np.ceil(2 * width.max())))
    weights = np.clip(
        1 - np.abs(place - where[:, :, None]) / width[:, :, None], 0, None
    )
    weights /= weights.sum(axis=2, keepdims=True)
    weights[(place < 0) | (place >= n_pixels)] = 0
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
    _, ny, nx = planes.shape
    stamps = np.empty((len(planes), shape, shape), np.float32)
    # together, what has kernels of about the same width
    taps = np.ceil(2 * np.maximum(1.0, side / shape)).astype(int)
    for number in np.unique(taps):
        these = np.flatnonzero(taps == number)
        rows = _along_rows(planes, these, *_taps(ny, y[these], side[these], shape))
        columns = np.ascontiguousarray(rows.transpose(0, 2, 1))
        every = np.arange(len(these))
        columns = _along_rows(columns, every, *_taps(nx, x[these], side[these], shape))
        stamps[these] = columns.transpose(0, 2, 1)
    return stamps


def _along_rows(planes, which, first, weights):
    """
    Weighted sums of rows.

    Few rows are below a kernel, so that matrix products would be mostly zeros;
    besides, these sums do not depend on how many images there are, or threads.
    """
    out = np.zeros((*first.shape, planes.shape[2]), np.float32)
    for step in range(weights.shape[2]):
        place = np.clip(first + step, 0, planes.shape[1] - 1)
        rows = planes[which[:, None], place]
        rows *= weights[:, :, step, None]
        out += rows
    return out
