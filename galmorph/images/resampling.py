# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Resampling that keeps the surface brightness.
"""

import numpy as np

__all__ = ["resample", "resampling_weights"]


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
    scale = side / shape
    width = max(1.0, scale)
    where = center + (np.arange(shape) - (shape - 1) / 2) * scale
    reach = int(np.ceil(width)) + 1
    grid = np.arange(-reach, n_pixels + reach)
    weights = np.clip(1 - np.abs(grid - where[:, None]) / width, 0, None)
    # rows wholly outside of the padded axis have no weight at all
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
    return (weights / total)[:, reach : reach + n_pixels].astype(np.float32)


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
    rows = resampling_weights(data.shape[0], y, side, shape)
    columns = resampling_weights(data.shape[1], x, side, shape)
    if data.ndim == 2:
        return rows @ data @ columns.T
    return np.stack(
        [rows @ data[..., band] @ columns.T for band in range(data.shape[2])], axis=-1
    )
