# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Images that are put together from few exposures with larger pixels.

A detector that samples its point spread function too coarsely sees a point
differently wherever it falls in a pixel. Drizzling a few dithered exposures (Fruchter
& Hook 2002, PASP 114, 144) leaves something of it: the middle of what is bright and
small is jagged, by several per cent of its peak in CANDELS, far more than its noise.
"""

import math

import numpy as np
from scipy import ndimage

__all__ = ["drizzle", "smooth"]

_REACH = 6  # pixels to which the smooth kernel goes


def drizzle(image, step, pixfrac, exposures, random):
    """
    Sample an image by dithered exposures and drizzle them back onto its pixels.

    Parameters
    ----------
    image : `~numpy.ndarray`
        What falls on the detector, its pixels' own blurring included, without noise.
    step : float
        Side of the detector's pixels in those of the image.
    pixfrac : float
        Side of the drops in detector pixels.
    exposures : int
        How many there are, at random fractions of a pixel, all turned alike.
    random : `numpy.random.Generator`

    Returns
    -------
    drizzled : `~numpy.ndarray`
        Of the same shape, in the same unit. On average that of `smooth`.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation.resampling import drizzle
    >>> flat = drizzle(np.ones((20, 20)), 2.1, 0.8, 4, np.random.default_rng(1))
    >>> round(float(np.ptp(flat)), 6)
    0.0
    """
    height, width = image.shape
    angle = random.uniform(0, 2 * np.pi)
    cosine, sine = step * math.cos(angle), step * math.sin(angle)
    far = math.ceil(math.hypot(height, width) / 2 / step) + 1
    grid = np.arange(-far, far + 1)
    coefficients = ndimage.spline_filter(image, order=3, mode="nearest")
    light, weight = np.zeros(height * width), np.zeros(height * width)
    half = 0.5 * pixfrac * step
    for dx, dy in random.random((exposures, 2)):
        u, v = grid + dx, (grid + dy)[:, None]
        x = (u * cosine - v * sine + 0.5 * (width - 1)).ravel()
        y = (u * sine + v * cosine + 0.5 * (height - 1)).ravel()
        inside = (x > -half) & (x < width - 1 + half)
        inside &= (y > -half) & (y < height - 1 + half)
        x, y = x[inside], y[inside]
        seen = ndimage.map_coordinates(
            coefficients, (y, x), order=3, mode="nearest", prefilter=False
        )
        columns, across = _shares(x, half, width)
        rows, along = _shares(y, half, height)
        for row, part in zip(rows, along, strict=True):
            for column, other in zip(columns, across, strict=True):
                place, share = row * width + column, part * other
                light += np.bincount(place, share * seen, light.size)
                weight += np.bincount(place, share, weight.size)
    light, weight = light.reshape(image.shape), weight.reshape(image.shape)
    empty = weight < 1e-3
    if empty.any():  # which no drop fell on
        light[empty] = smooth(image, step, pixfrac)[empty]
        weight[empty] = 1
    return light / weight


def _shares(centres, half, length):
    """Pixels of an axis under each drop, and the lengths of it that lie in them."""
    first = np.floor(centres - half + 0.5).astype(int)
    pixels, lengths = [], []
    for offset in range(math.ceil(2 * half) + 1):
        pixel = first + offset
        low = np.maximum(centres - half, pixel - 0.5)
        part = np.minimum(centres + half, pixel + 0.5) - low
        outside = (pixel < 0) | (pixel >= length)
        lengths.append(np.where(outside, 0, np.maximum(part, 0)))
        pixels.append(np.clip(pixel, 0, length - 1))
    return pixels, lengths


def smooth(image, step, pixfrac):
    """
    What drizzling many exposures makes of an image.

    Parameters
    ----------
    image : `~numpy.ndarray`
    step, pixfrac : float
        As in `drizzle`.

    Returns
    -------
    smoothed : `~numpy.ndarray`
        The image convolved with a drop and with a pixel.
    """
    # the transform of both at the frequencies that the pixels carry
    k = np.fft.rfftfreq(4 * _REACH)
    kernel = np.fft.irfft(np.sinc(k * pixfrac * step) * np.sinc(k))
    kernel = np.roll(kernel, _REACH)[: 2 * _REACH + 1]
    kernel /= kernel.sum()
    for axis in (0, 1):
        image = ndimage.correlate1d(image, kernel, axis=axis, mode="nearest")
    return image
