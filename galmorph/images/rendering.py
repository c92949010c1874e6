# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
From a measured target to the pixels of its stamp.
"""

import zlib

import numpy as np
from scipy import ndimage

from galmorph.core import MorphFlag
from galmorph.images.resampling import resample
from galmorph.images.sky import clipped_sky, fill_from_nearest, in_sigmas

__all__ = ["matched_noise", "quality_flags", "render_stamp"]

_LOW_SNR = 10
_FEW_PIXELS = 9
_MOST_MASKED = 0.1  # share of a stamp that may be masked and still be whole


def matched_noise(plane, sky, shape, seed):
    """
    Noise with the correlation between neighbouring pixels that an image has.

    Drizzled images have correlated noise; white noise of the same standard
    deviation would look smoother than the sky around once pixels are joined.

    Parameters
    ----------
    plane : `~numpy.ndarray`
        Image of shape (ny, nx) in standard deviations of the sky.
    sky : `~numpy.ndarray` of bool
        The pixels of sky in it.
    shape : tuple of int
        Shape of the noise.
    seed : int
        The same seed gives the same noise.

    Returns
    -------
    noise : `~numpy.ndarray`
        Normal noise of standard deviation one, float32.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.rendering import matched_noise
    >>> white = np.random.default_rng(1).normal(size=(90, 90))
    >>> noise = matched_noise(white, white < 9, (300, 300), seed=2)
    >>> bool(abs(noise.std() - 1) < 0.02)
    True
    """
    noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
    clipped = np.where(sky, np.clip(plane, -3, 3), 0)
    pairs, total = 0, 0.0
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        total += np.sum(clipped[one] * clipped[other])
        pairs += np.sum(sky[one] & sky[other])
    correlation = min(total / max(pairs, 1), 0.9)
    if correlation < 0.1:
        return noise
    # white noise smoothed by a Gaussian s has the correlation exp(-1 / 4 s^2)
    sigma = np.sqrt(-0.25 / np.log(correlation))
    noise = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return noise / max(noise.std(), 1e-3)


def render_stamp(cutout, target, side, config):
    """
    Resample and stretch a target to its stamp.

    Parameters
    ----------
    cutout : `~galmorph.images.RawCutout`
    target : `~galmorph.images.measurement.Target`
        What was measured on the cutout.
    side : float
        Side of the stamp without margin, in pixels of the cutout.
    config : `~galmorph.images.Preprocessor`

    Returns
    -------
    stamp : `~numpy.ndarray`
        Array of shape (shape, shape, bands), float32.
    """
    shape = config.shape + config.margin
    side = side * shape / config.shape
    own, others = target.own, target.others
    if config.neighbours != "keep" and others.any():
        # the wings of a neighbour reach beyond its segment
        others = ndimage.binary_dilation(others, iterations=2) & ~own
    replaced = target.bad & ~own
    if config.neighbours != "keep":
        replaced |= others
    y, x = (target.y, target.x)
    inside = resample(own, x, y, side, shape) > 0.5
    # the same noise for an object whatever its unit, row or batch
    seed = zlib.crc32(np.packbits(target.segments != 0).tobytes())
    pad = _beyond(own.shape, x, y, side) if config.neighbours == "noise" else 0
    layers = []
    for number, plane in enumerate(_planes(cutout, target)):
        if pad or (config.neighbours == "noise" and replaced.any()):
            sky = ~target.bad & (target.segments == 0)
            shape_padded = tuple(n + 2 * pad for n in plane.shape)
            noise = matched_noise(plane, sky, shape_padded, seed + number)
            window = tuple(slice(pad, pad + n) for n in plane.shape)
            noise[window] = np.where(replaced, noise[window], plane)
            plane = noise
        else:
            plane = np.where(replaced, np.float32(0), plane)
        stamp = resample(plane, x + pad, y + pad, side, shape)
        layers.append(_stretched(stamp, inside, config))
    return np.stack(layers, axis=-1)


def _beyond(window, x, y, side):
    """Pixels by which the stamp reaches beyond the window, at its worst edge."""
    ny, nx = window
    # two more: the kernel is wider than a pixel of the stamp
    reach = side / 2 + 2 * max(1.0, side / 45)
    return max(0, int(np.ceil(max(reach - min(x, y), reach + x - nx, reach + y - ny))))


def _planes(cutout, target):
    if cutout.data.ndim == 2 or cutout.data.shape[2] == 1:
        yield target.plane
        return
    off = ~target.bad & (target.segments == 0)
    for band in np.moveaxis(cutout.data, -1, 0):
        sky, rms = clipped_sky(band[off] if off.sum() >= 32 else band[~target.bad])
        plane, _ = in_sigmas(np.where(target.bad, sky, band), sky, rms)
        yield fill_from_nearest(plane, target.bad) if target.bad.any() else plane


def _stretched(stamp, inside, config):
    if not inside.any():
        quarter = stamp.shape[0] // 4
        inside = np.zeros_like(inside)
        inside[quarter:-quarter, quarter:-quarter] = True
    # noise alone is not to be blown up to the brightness of a galaxy
    brightest = max(float(stamp[inside].max()), config.softening)
    if config.stretch == "asinh":
        stamp = np.arcsinh(stamp / np.float32(config.softening))
        brightest = np.arcsinh(brightest / config.softening)
    return stamp * np.float32(config.peak / brightest)


def quality_flags(target, side):
    """
    Judge how far the stamp of a target can be trusted.

    Parameters
    ----------
    target : `~galmorph.images.measurement.Target`
    side : float
        Side of the stamp without margin, in pixels of the cutout.

    Returns
    -------
    flags : int
        Bits of `~galmorph.core.MorphFlag`.
    """
    flags = 0
    ny, nx = target.plane.shape
    y, x = np.ogrid[:ny, :nx]
    near = (abs(y - target.y) <= side / 2) & (abs(x - target.x) <= side / 2)
    if not np.any(near & ~target.bad):
        return int(MorphFlag.NO_DATA)
    low = min(target.x, target.y) - side / 2
    high = max(target.x - nx, target.y - ny) + side / 2
    masked = np.count_nonzero(near & target.bad) / np.count_nonzero(near)
    if low < -0.5 or high > -0.5 or masked > _MOST_MASKED:
        flags |= MorphFlag.PARTIAL_STAMP
    if target.snr < _LOW_SNR:
        flags |= MorphFlag.LOW_SNR
    own = target.own
    if min(ny, nx) < _FEW_PIXELS or 0 < own.sum() < _FEW_PIXELS:
        flags |= MorphFlag.UNRESOLVED
    neighbours = near & target.others
    if target.label and neighbours.any():
        _, which = np.unique(target.segments[neighbours], return_inverse=True)
        fluxes = np.bincount(which.ravel(), target.plane[neighbours])
        if fluxes.max() > target.plane[own].sum(dtype=float):
            flags |= MorphFlag.NEIGHBOUR
    return int(flags)
