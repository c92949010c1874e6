# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The level and the noise of the sky, and pixels counted in units of the noise.
"""

import numpy as np
from scipy import ndimage

__all__ = ["clipped_sky", "fill_from_nearest", "in_sigmas"]

_QUARTILE_TO_SIGMA = 1.482602218505602
_CLIPPED = 1.0136  # standard deviation of normal noise over that of its inner 3 sigma
_MOST_SIGMAS = 1e12  # no instrument has that dynamic range, and sums stay finite


def clipped_sky(values, n_sigma=3.0, iterations=5):
    """
    Level and standard deviation of the sky by clipping about the median.

    The clipping uses 1.4826 times the distance from the lower quartile to the
    median, which equals the standard deviation of normal noise. What is left
    below the median gives the standard deviation: the sources are above it.

    Parameters
    ----------
    values : `~numpy.ndarray`
        Pixels, any shape; finite.
    n_sigma : float, optional
        Values further from the median than this many spreads are left out.
    iterations : int, optional
        At most so many rounds.

    Returns
    -------
    level, rms : float

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.sky import clipped_sky
    >>> noise = np.random.default_rng(1).normal(5, 2, 10_000)
    >>> noise[:100] = 1e6
    >>> [round(float(value)) for value in clipped_sky(noise)]
    [5, 2]
    """
    values = np.sort(values, axis=None)
    for _ in range(iterations):
        level = _ranked(values, 0.5)
        spread = _QUARTILE_TO_SIGMA * (level - _ranked(values, 0.25))
        bounds = np.array([level - n_sigma * spread, level + n_sigma * spread])
        # of the array's own type, or each search would convert all of it
        bounds = bounds.astype(values.dtype)
        first = np.searchsorted(values, bounds[0])
        last = np.searchsorted(values, bounds[1], side="right")
        if last - first == values.size:
            break
        values = values[first:last]
    below = values[: (values.size + 1) // 2] - level
    return level, _CLIPPED * float(np.sqrt(np.mean(np.square(below, dtype=float))))


def _ranked(values, share):
    """The quantile of sorted values, interpolated."""
    rank = share * (values.size - 1)
    low, high = float(values[int(rank)]), float(values[int(np.ceil(rank))])
    return low + (rank - int(rank)) * (high - low)


def in_sigmas(data, sky, rms):
    """
    Subtract the sky and count in standard deviations of it.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Pixels; finite.
    sky, rms : float
        Level and standard deviation of the sky. Where there is no noise, a
        thousandth of the brightest pixel serves.

    Returns
    -------
    plane : `~numpy.ndarray`
        Of the same shape, float32.
    scale : float
        What a value of one was before.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.sky import in_sigmas
    >>> in_sigmas(np.array([10.0, 14.0]), 10.0, 2.0)
    (array([0., 2.], dtype=float32), 2.0)
    """
    plane = data - sky
    scale = rms or 1e-3 * float(plane.max()) or 1.0
    plane = np.clip(plane / scale, -_MOST_SIGMAS, _MOST_SIGMAS)
    return plane.astype(np.float32), scale


def fill_from_nearest(plane, bad):
    """
    Fill bad pixels from the nearest good ones, slightly smoothed.

    Parameters
    ----------
    plane : `~numpy.ndarray`
        Image of shape (ny, nx).
    bad : `~numpy.ndarray` of bool
        Pixels to fill, of the same shape; not all of them.

    Returns
    -------
    filled : `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.sky import fill_from_nearest
    >>> float(fill_from_nearest(np.full((3, 3), 2.0), np.eye(3) > 0)[1, 1])
    2.0
    """
    nearest = ndimage.distance_transform_edt(
        bad, return_distances=False, return_indices=True
    )
    filled = plane[tuple(nearest)]
    return np.where(bad, ndimage.gaussian_filter(filled, 1), plane)
