# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The level and the noise of the sky, and pixels counted in units of the noise.
"""

import numpy as np
from scipy import ndimage

__all__ = [
    "clipped_sky",
    "counts",
    "fill_from_nearest",
    "in_sigmas",
    "nearest_good",
    "noise_unit",
    "value_steps",
]

_QUARTILE_TO_SIGMA = 1.482602218505602
_CLIPPED = 1.0136  # standard deviation of normal noise over that of its inner 3 sigma
_EVERY = 7  # pixel that tells whether values repeat
_MOST_SIGMAS = 1e12  # no instrument has that dynamic range, and sums stay finite


def clipped_sky(data, used, n_sigma=3.0, iterations=5):
    """
    Level and standard deviation of the sky by clipping about the median.

    The clipping uses 1.4826 times the distance from the lower quartile to the
    median, which equals the standard deviation of normal noise. What is left
    below the median gives the standard deviation: the sources are above it.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Images, shape (n, ny, nx); finite where they are used.
    used : `~numpy.ndarray` of bool
        Pixels to use, of the same shape.
    n_sigma : float, optional
        Values further from the median than this many spreads are left out.
    iterations : int, optional
        At most so many rounds.

    Returns
    -------
    level, rms : `~numpy.ndarray`
        One for each image; zero where no pixel is used.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.sky import clipped_sky
    >>> noise = np.random.default_rng(1).normal(5, 2, (1, 100, 100))
    >>> noise[:, 0] = 1e6
    >>> [round(float(value[0])) for value in clipped_sky(noise, noise > -1)]
    [5, 2]
    """
    # what is not used goes to the end, and the others become one list each
    last = counts(used)
    values = data.reshape(len(data), -1).copy()
    if last.sum() < values.size:
        np.copyto(values, np.inf, where=~used.reshape(values.shape))
    values.sort(axis=1)
    row = np.arange(len(values))
    first = np.zeros(len(values), int)
    empty = last == 0
    last[empty] = 1
    values[empty] = 0

    def ranked(share):
        """The quantile of sorted values, interpolated."""
        rank = first + share * (last - first - 1)
        below = rank.astype(int)
        low = values[row, below].astype(float)
        high = values[row, np.ceil(rank).astype(int)].astype(float)
        return low + (rank - below) * (high - low)

    for _ in range(iterations):
        level = ranked(0.5)
        spread = _QUARTILE_TO_SIGMA * (level - ranked(0.25))
        # of the images' own type, or all of them would be converted
        low = (level - n_sigma * spread).astype(values.dtype)
        high = (level + n_sigma * spread).astype(values.dtype)
        size = last - first
        inner = [v[a:b] for v, a, b in zip(values, first, last, strict=True)]
        bounds = list(zip(inner, low, high, strict=True))
        last = first + [v.searchsorted(most, "right") for v, _, most in bounds]
        first = first + [v.searchsorted(least) for v, least, _ in bounds]
        if np.array_equal(last - first, size):
            break
    rms = np.empty(len(values))
    for i, (a, b) in enumerate(
        zip(first, first + (last - first + 1) // 2, strict=True)
    ):
        below = (values[i, a:b] - values.dtype.type(level[i])).astype(float)
        # not as a product of vectors, which differs by rounding with their place
        rms[i] = np.sqrt(np.square(below, out=below).mean())
    return level, _CLIPPED * rms


def counts(used):
    """
    Number of pixels of each image that are used.

    Parameters
    ----------
    used : `~numpy.ndarray` of bool
        Shape (n, ny, nx).

    Returns
    -------
    counts : `~numpy.ndarray` of int
    """
    # much faster than along two axes at once
    return np.array([np.count_nonzero(image) for image in used], int)


def value_steps(data, used):
    """
    The steps between the values of images that have few, as those of 8 bits.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Images, shape (n, ny, nx).
    used : `~numpy.ndarray` of bool
        Pixels that can be used.

    Returns
    -------
    steps : `~numpy.ndarray`
        One for each image; 0 where nearly every pixel has a value of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.sky import value_steps
    >>> noise = np.random.default_rng(0).normal(0, 3, (2, 50, 50))
    >>> noise[1] = noise[1].round()
    >>> value_steps(noise, noise > -99)
    array([0., 1.])
    """
    steps = np.zeros(len(data))
    # a look at a few pixels is enough for most images
    few = np.sort(data.reshape(len(data), -1)[:, ::_EVERY], axis=1)
    repeated = np.count_nonzero(few[:, 1:] == few[:, :-1], axis=1) > few.shape[1] // 2
    for i in np.flatnonzero(repeated):
        values = np.unique(data[i][used[i]])
        if values.size > 1 and 8 * values.size < np.count_nonzero(used[i]):
            steps[i] = np.diff(values).min()
    return steps


def noise_unit(data, used, sky, rms):
    """
    What one is to mean in images that are counted in sigmas.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Images, shape (n, ny, nx).
    used : `~numpy.ndarray` of bool
        Pixels that can be used.
    sky, rms : `~numpy.ndarray`
        Level and standard deviation of each sky.

    Returns
    -------
    unit : `~numpy.ndarray`
        The standard deviation or, where there is no noise, a thousandth of the
        brightest pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.sky import noise_unit
    >>> image = np.array([[[10.0, 14.0]]])
    >>> noise_unit(image, image > 0, np.array([10.0]), np.array([0.0]))
    array([0.004])
    """
    unit = np.array(rms, float)
    for i in np.flatnonzero(unit == 0):
        above = np.max(data[i], where=used[i], initial=sky[i]) - sky[i]
        unit[i] = 1e-3 * float(above) or 1.0
    return unit


def in_sigmas(data, used, sky, unit):
    """
    Subtract the sky and count in standard deviations of it.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Images, shape (n, ny, nx); finite.
    used : `~numpy.ndarray` of bool
        Other pixels become zero.
    sky, unit : `~numpy.ndarray`
        Level of each sky and what one is to mean.

    Returns
    -------
    planes : `~numpy.ndarray`
        Of the same shape, float32.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.sky import in_sigmas
    >>> image = np.array([[[10.0, 14.0]]])
    >>> in_sigmas(image, image > 0, np.array([10.0]), np.array([2.0]))
    array([[[0., 2.]]], dtype=float32)
    """
    planes = data - sky.astype(data.dtype)[:, None, None]
    planes /= unit.astype(data.dtype)[:, None, None]
    np.clip(planes, -_MOST_SIGMAS, _MOST_SIGMAS, out=planes)
    planes *= used
    return planes.astype(np.float32, copy=False)


def nearest_good(bad):
    """
    Where the nearest good pixel of each pixel is.

    Parameters
    ----------
    bad : `~numpy.ndarray` of bool
        Bad pixels of images, shape (n, ny, nx).

    Returns
    -------
    nearest : `~numpy.ndarray` of int
        Place in the flattened image, shape (n, ny, nx). Where all are bad each
        pixel is its own nearest.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.sky import nearest_good
    >>> nearest_good(np.array([[[False, True]]]))
    array([[[0, 0]]])
    """
    nearest = np.empty(bad.shape, np.intp)
    for i, image in enumerate(bad):
        if image.all():
            nearest[i] = np.arange(image.size).reshape(image.shape)
            continue
        y, x = ndimage.distance_transform_edt(
            image, return_distances=False, return_indices=True
        )
        nearest[i] = y * image.shape[1] + x
    return nearest


def fill_from_nearest(planes, bad, nearest):
    """
    Fill bad pixels from the nearest good ones, slightly smoothed.

    Parameters
    ----------
    planes : `~numpy.ndarray`
        Images of shape (n, ny, nx).
    bad : `~numpy.ndarray` of bool
        Pixels to fill, of the same shape.
    nearest : `~numpy.ndarray` of int
        What `nearest_good` returned.

    Returns
    -------
    filled : `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.sky import fill_from_nearest, nearest_good
    >>> bad = np.eye(3)[None] > 0
    >>> filled = fill_from_nearest(np.full((1, 3, 3), 2.0), bad, nearest_good(bad))
    >>> float(filled[0, 1, 1])
    2.0
    """
    flat = planes.reshape(len(planes), -1)
    filled = np.take_along_axis(flat, nearest.reshape(flat.shape), axis=1)
    smooth = ndimage.gaussian_filter(filled.reshape(planes.shape), (0, 1, 1))
    return np.where(bad, smooth, planes)
