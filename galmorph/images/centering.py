# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Centroids of targets: photutils' centre of mass, for many at once.
"""

import numpy as np

__all__ = ["centroid", "centroid_batch"]


def centroid(data, mask=None):
    """
    Flux-weighted centroid of one stamp.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Image of shape (ny, nx) with the sky subtracted. Pixels below zero do
        not count.
    mask : `~numpy.ndarray`, optional
        Pixels to leave out (True), of the same shape.

    Returns
    -------
    x, y : float
        The centroid in 0-based pixels; NaN where there is no positive flux.

    See Also
    --------
    photutils.centroids.centroid_com : does the same with one image.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images import centroid
    >>> data = np.zeros((5, 5))
    >>> data[1, 2:4] = 1
    >>> x, y = centroid(data)
    >>> round(float(x), 3), round(float(y), 3)
    (2.5, 1.0)
    """
    data = np.asarray(data, float)
    used = np.isfinite(data)
    if mask is not None:
        used &= ~np.asarray(mask, bool)
    rows, columns = np.nonzero(used)
    which = np.zeros(len(rows), int)
    x, y = centroids_of_pixels(data[used], rows, columns, which, 1)
    return float(x[0]), float(y[0])


def centroid_batch(stamps, masks=None):
    """
    Flux-weighted centroids of many stamps.

    Parameters
    ----------
    stamps : iterable of `~numpy.ndarray`
        Images of shape (ny, nx), of one size or of several.
    masks : iterable of `~numpy.ndarray`, optional
        Pixels to leave out (True), one for each stamp.

    Returns
    -------
    positions : `~numpy.ndarray`
        Array of shape (n, 2): x and y in 0-based pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images import centroid_batch
    >>> centroid_batch(np.eye(3)[:, None, :])[:, 0]
    array([0., 1., 2.])
    """
    stamps = list(stamps)
    masks = [None] * len(stamps) if masks is None else list(masks)
    positions = [centroid(s, m) for s, m in zip(stamps, masks, strict=True)]
    return np.array(positions, dtype=float).reshape(-1, 2)


def centroids_of_pixels(values, rows, columns, which, n):
    """
    Flux-weighted centroids of lists of pixels.

    Parameters
    ----------
    values : `~numpy.ndarray`
        The pixels of all objects. Those below zero do not count.
    rows, columns : `~numpy.ndarray` of int
        Where they are.
    which : `~numpy.ndarray` of int
        The object that each belongs to.
    n : int
        Number of objects.

    Returns
    -------
    x, y : `~numpy.ndarray`
        Centroids, shape (n,); NaN where there is no positive flux.
    """
    light = np.maximum(values, 0).astype(float)
    total = np.bincount(which, light, n)
    with np.errstate(invalid="ignore"):
        x = np.bincount(which, light * columns, n) / total
        y = np.bincount(which, light * rows, n) / total
    return x, y
