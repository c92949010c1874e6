# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The Petrosian radius, which sets the size of a stamp.
"""

import numpy as np

__all__ = ["petrosian_radii", "petrosian_radius"]

_STEP = 0.5  # pixels between the radii at which the light is summed
_TRIAL = 0.25  # pixels between the radii that are tried
_LEAST_REACH = 24  # pixels around the centre that are looked at first


def petrosian_radius(data, x, y, mask=None, eta=0.2):
    """
    Circular Petrosian radius about a position.

    It is the smallest radius at which the mean surface brightness in the
    annulus between 0.8 and 1.25 of the radius falls to ``eta`` times the mean
    surface brightness within it (Petrosian 1976, ApJ 209, L1; annulus of the
    SDSS, Blanton et al. 2001, AJ 121, 2358). The pixels' own size makes it too
    large: by 2 % at ten pixels, by 10 % at three.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Image of shape (ny, nx) with the sky subtracted.
    x, y : float
        The centre, in 0-based pixels.
    mask : `~numpy.ndarray`, optional
        Pixels to leave out (True), of the same shape.
    eta : float, optional
        The ratio of surface brightnesses.

    Returns
    -------
    radius : float
        The radius in pixels; NaN where the ratio is not reached within the
        image.

    Examples
    --------
    The profile exp(-r / h) has its Petrosian radius at 3.55 h:

    >>> import numpy as np
    >>> from galmorph.images.petrosian import petrosian_radius
    >>> y, x = np.mgrid[:121, :121] - 60.0
    >>> round(petrosian_radius(np.exp(-np.hypot(x, y) / 8), 60, 60) / 8, 1)
    3.6
    """
    used = np.ones(data.shape, bool) if mask is None else ~np.asarray(mask, bool)
    x, y = np.array([x], float), np.array([y], float)
    return float(petrosian_radii(np.asarray(data)[None], x, y, used[None], eta)[0])


def petrosian_radii(data, x, y, used, eta=0.2, rows=None, guess=None):
    """
    Circular Petrosian radii of many images, as `petrosian_radius` defines it.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Images of shape (n, ny, nx) with the sky subtracted.
    x, y : `~numpy.ndarray`
        The centres, in 0-based pixels.
    used : `~numpy.ndarray` of bool
        Pixels to use, of the same shape as the images.
    eta : float, optional
        The ratio of surface brightnesses.
    rows : `~numpy.ndarray` of int, optional
        The images to measure; all of them where it is not given.
    guess : `~numpy.ndarray`, optional
        About how large the radii are, for speed alone.

    Returns
    -------
    radii : `~numpy.ndarray`
        In pixels; NaN where the ratio is not reached within the image, and for
        images that were not asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.petrosian import petrosian_radii
    >>> y, x = np.mgrid[:121, :121] - 60.0
    >>> image = np.exp(-np.hypot(x, y) / 8)[None]
    >>> middle = np.array([60.0])
    >>> petrosian_radii(image, middle, middle, image > 0).round(1)
    array([28.6])
    """
    n, ny, nx = data.shape
    # beyond this radius the image holds only corners
    limit = np.minimum(np.maximum(x, nx - 1 - x), np.maximum(y, ny - 1 - y))
    limit = np.maximum(limit, 2.0)
    radii = np.full(n, np.nan)
    rows = np.arange(n) if rows is None else rows
    # light further out does not matter where the ratio is reached further in
    reach = np.full(n, _LEAST_REACH)
    if guess is not None:
        steps = np.ceil(np.log2(np.maximum(1.25 * guess / _LEAST_REACH, 1)))
        reach = _LEAST_REACH << np.nan_to_num(steps).astype(int)
    reach = np.minimum(reach, max(nx, ny))
    while rows.size:
        for size in np.unique(reach[rows]):
            these = rows[reach[rows] == size]
            end = limit[these]
            if size < max(nx, ny):
                end = np.minimum(end, size - 1.0)
            radii[these] = _radii_within(
                data, x, y, used, eta, these, int(size), end, limit[these]
            )
            limit[these[~np.isnan(radii[these])]] = 0
            limit[these[end >= limit[these]]] = 0
        rows = rows[limit[rows] > 0]
        reach[rows] = np.minimum(2 * reach[rows], max(nx, ny))
    return radii


def _radii_within(data, x, y, used, eta, rows, reach, end, limit):
    """Radii, as far as the light within ``end`` of the centre tells them."""
    _, ny, nx = data.shape
    top, height = _window(y[rows], reach, ny)
    left, width = _window(x[rows], reach, nx)
    boxes = [
        np.s_[i, a : a + height, b : b + width]
        for i, a, b in zip(rows, top, left, strict=True)
    ]
    dy = (top - y[rows])[:, None] + np.arange(height)
    dx = (left - x[rows])[:, None] + np.arange(width)
    radius = np.sqrt((dy * dy)[:, :, None] + (dx * dx)[:, None, :])
    # half of a pixel's light counts as far out as one step beyond it
    good = radius <= np.minimum(end + _STEP, limit)[:, None, None]
    good &= [used[box] for box in boxes]
    # a pixel's flux is spread over its own width, so that small radii are smooth
    n_bins = int(end.max() / _STEP) + 3
    total = len(rows) * n_bins
    bins = (radius * (1 / _STEP)).astype(np.intp)
    bins += (np.arange(len(rows)) * n_bins)[:, None, None]
    np.copyto(bins, total, where=~good)
    light = np.array([data[box] for box in boxes]).ravel()
    flux, area = (
        np.bincount(bins.ravel(), weights, total + 1)[:-1].reshape(-1, n_bins)
        for weights in (light, None)
    )
    trial = np.arange(1.0, end.max() / 1.25, _TRIAL)
    if trial.size == 0:
        return np.full(len(rows), np.nan)

    inner, outer, within = zip(
        *(
            _enclosed(counts, (0.8 * trial, 1.25 * trial, trial))
            for counts in (flux, area)
        ),
        strict=True,
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        local = (outer[0] - inner[0]) / (outer[1] - inner[1])
        ratio = local / (within[0] / within[1])
        below = np.isfinite(ratio) & (within[0] > 0) & (ratio < eta)
        below &= trial < (end / 1.25)[:, None]
        i = below.argmax(axis=1)
        row = np.arange(len(rows))
        before, after = ratio[row, i - 1], ratio[row, i]
        share = (before - eta) / (before - after)
    share[(i == 0) | ~np.isfinite(before)] = 1.0
    found = trial[i] - (1 - share) * _TRIAL
    return np.where(below[row, i], found, np.nan)


def _enclosed(counts, radii):
    """Sums within radii of what was counted in steps; an array for each of them."""
    edges = np.zeros((len(counts), counts.shape[1] + 1))
    edges[:, 1:] = 0.5 * counts
    edges[:, 2:] += 0.5 * counts[:, :-1]
    np.cumsum(edges, axis=1, out=edges)
    steps = np.diff(edges, axis=1)
    for r in radii:
        place = r / _STEP
        below = place.astype(int)
        yield edges[:, below] + (place - below) * steps[:, below]


def _window(center, reach, n_pixels):
    """First pixels, and the length, of windows that hold what is within reach."""
    length = min(2 * reach + 1, n_pixels)
    first = np.clip(np.rint(center).astype(int) - reach, 0, n_pixels - length)
    return first, length
