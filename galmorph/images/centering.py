# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Centroids of targets, by photutils.
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
    photutils.centroids.centroid_com : does the work.

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
    from photutils.centroids import centroid_com

    used = np.asarray(data) > 0
    used &= np.isfinite(data)
    if mask is not None:
        used &= ~np.asarray(mask, bool)
    if not used.any():
        return np.nan, np.nan
    # its moments do not need the empty rim
    rows, columns = np.flatnonzero(used.any(1)), np.flatnonzero(used.any(0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    x, y = centroid_com(np.asarray(data, float)[box], mask=~used[box])
    return float(x) + columns[0], float(y) + rows[0]


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
