# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What the preprocessing measures on a cutout: sky, segments, centre and size.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from galmorph.core import MorphFlag
from galmorph.images._photutils import deblend_segments, find_segments
from galmorph.images.centering import centroid
from galmorph.images.petrosian import petrosian_radius

__all__ = ["Target", "clipped_sky", "deblend_target", "measure_target", "segment"]

_FWHM_TO_SIGMA = 1 / np.sqrt(8 * np.log(2))
_MAD_TO_SIGMA = 1.482602218505602
_N_PIXELS = 5


@dataclass
class Target:
    """
    What was measured of one object, in the pixels of its cutout.

    Parameters
    ----------
    plane : `~numpy.ndarray`
        Mean of the bands with the sky subtracted, shape (ny, nx).
    segments : `~numpy.ndarray`
        Segmentation, 0 for sky.
    label : int
        The target's label; 0 where no segment was found.
    x, y : float
        Its centre.
    radius : float
        Petrosian radius; NaN where it was not reached.
    snr : float
        Signal-to-noise ratio.
    sky, rms : float
        Level and standard deviation of the sky, as seen in the mean of bands.
    flags : int
        Bits of `~galmorph.core.MorphFlag`.
    """

    plane: np.ndarray
    segments: np.ndarray
    label: int
    x: float
    y: float
    radius: float
    snr: float
    sky: float
    rms: float
    flags: int


def clipped_sky(values, n_sigma=3.0, iterations=5):
    """
    Level and standard deviation of the sky by clipping about the median.

    The spread is 1.4826 times the median absolute deviation, which equals the
    standard deviation of normal noise.

    Parameters
    ----------
    values : `~numpy.ndarray`
        Pixels, any shape.
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
    >>> from galmorph.images.measurement import clipped_sky
    >>> noise = np.random.default_rng(1).normal(5, 2, 10_000)
    >>> noise[:100] = 1e6
    >>> [round(float(value)) for value in clipped_sky(noise)]
    [5, 2]
    """
    values = np.sort(np.asarray(values, float), axis=None)
    for _ in range(iterations):
        level = (values[(values.size - 1) // 2] + values[values.size // 2]) / 2
        spread = _MAD_TO_SIGMA * np.median(np.abs(values - level))
        first = np.searchsorted(values, level - n_sigma * spread)
        last = np.searchsorted(values, level + n_sigma * spread, side="right")
        if last - first == values.size:
            break
        values = values[first:last]
    return float(level), float(spread)


def segment(plane, mask, rms, n_sigma, fwhm):
    """
    Segments above a threshold in a smoothed cutout, by photutils.

    Parameters
    ----------
    plane : `~numpy.ndarray`
        Image of shape (ny, nx) with the sky subtracted; finite everywhere.
    mask : `~numpy.ndarray`
        Pixels not to be used (True).
    rms : float or `~numpy.ndarray`
        Standard deviation of the pixels before smoothing.
    n_sigma : float
        Threshold in units of ``rms``.
    fwhm : float
        Full width at half maximum of the Gaussian kernel, in pixels.

    Returns
    -------
    segments : `~numpy.ndarray` of int
        Labels from 1 up; 0 is sky.
    """
    smooth = ndimage.gaussian_filter(plane, fwhm * _FWHM_TO_SIGMA, mode="nearest")
    return find_segments(smooth, n_sigma * rms, _N_PIXELS, mask=mask)


def deblend_target(plane, segments, label, rms, config):
    """
    Separate what touches the target, by photutils' deblending.

    Parameters
    ----------
    plane : `~numpy.ndarray`
        Image of shape (ny, nx) with the sky subtracted; finite everywhere.
    segments : `~numpy.ndarray` of int
        Segmentation, 0 for sky.
    label : int
        Label of the target.
    rms : float
        Standard deviation of the sky.
    config : `~galmorph.images.Preprocessor`
        Gives ``smoothing_fwhm``, ``deblend_contrast`` and ``n_sigma``.

    Returns
    -------
    segments : `~numpy.ndarray` of int
        The segmentation with the target's segment cut into its parts; the
        same array where it has one peak only.
    """
    box = ndimage.find_objects(segments, max_label=label)[label - 1]
    own = segments[box] == label
    smooth = ndimage.gaussian_filter(plane, config.smoothing_fwhm * _FWHM_TO_SIGMA)[box]
    # most objects have one peak, and deblending takes far longer than this look
    peak = (smooth == ndimage.maximum_filter(smooth, 7)) & own
    if np.sum(peak & (smooth > 2 * config.n_sigma * rms)) < 2:
        return segments
    parts = deblend_segments(
        smooth,
        own.astype(np.int32),
        _N_PIXELS,
        n_levels=16,
        contrast=config.deblend_contrast,
    )
    segments = segments.copy()
    segments[box][own] = parts[own] + segments.max()
    return segments


def measure_target(cutout, config):
    """
    Find and measure the object at the position of a cutout.

    Parameters
    ----------
    cutout : `~galmorph.images.RawCutout`
    config : `~galmorph.images.Preprocessor`
        Gives the settings of the segmentation and ``recenter_limit``.

    Returns
    -------
    target : `Target` or None
        `None` where no pixel can be used.
    """
    data = cutout.data if cutout.data.ndim == 2 else cutout.data.mean(axis=-1)
    good = ~cutout.mask & np.isfinite(data)
    if not good.any():
        return None
    plane, sky, rms, segments = _sky_and_segments(data, good, cutout, config)
    flags = cutout.flags

    label = _label_at(cutout, segments)
    if label and cutout.segmentation is None and config.deblend_contrast:
        segments = deblend_target(plane, segments, label, rms, config)
        label = _label_at(cutout, segments)
    if label == 0:
        flags |= MorphFlag.NO_SOURCE
        return Target(
            plane, segments, 0, cutout.x, cutout.y, np.nan, 0.0, sky, rms, int(flags)
        )

    own = segments == label
    if np.any(ndimage.binary_fill_holes(own) & ~good):
        flags |= MorphFlag.MASKED_PIXELS
    x, y = centroid(plane, ~(own & good))
    limit = max(config.recenter_limit, 0.25 * np.sqrt(own.sum() / np.pi))
    if not np.hypot(x - cutout.x, y - cutout.y) <= limit:
        flags |= MorphFlag.RECENTER_LIMIT
        x, y = cutout.x, cutout.y

    noise = cutout.rms[own & good] if cutout.rms is not None else rms
    noise = np.sqrt(np.sum(np.square(noise) * np.ones(np.sum(own & good))))
    snr = float(plane[own & good].sum() / noise) if noise > 0 else np.inf
    radius = petrosian_radius(plane, x, y, mask=~good | ((segments != 0) & ~own))
    return Target(plane, segments, label, x, y, radius, snr, sky, rms, int(flags))


def _sky_and_segments(data, good, cutout, config):
    sky, rms = clipped_sky(data[good])
    for _ in range(2):
        plane = np.where(good, data - sky, 0.0)
        segments = cutout.segmentation
        if segments is None:
            noise = rms if cutout.rms is None else _filled(cutout.rms, rms)
            segments = segment(
                plane, ~good, noise, config.n_sigma, config.smoothing_fwhm
            )
        off = good & (
            ndimage.uniform_filter((segments != 0).astype(np.float32), 7) == 0
        )
        # with little sky in the cutout its faintest part has to serve
        if off.sum() < max(32, 0.02 * good.sum()):
            break
        sky, rms = clipped_sky(data[off])
    plane = np.where(good, data - sky, 0.0)
    return plane, sky, rms, segments


def _filled(rms, substitute):
    usable = np.isfinite(rms) & (rms > 0)
    return rms if usable.all() else np.where(usable, rms, substitute)


def _label_at(cutout, segments, reach=3):
    if cutout.label:
        return cutout.label
    iy, ix = int(round(cutout.y)), int(round(cutout.x))
    if segments[iy, ix]:
        return int(segments[iy, ix])
    y0, x0 = max(iy - reach, 0), max(ix - reach, 0)
    near = segments[y0 : iy + reach + 1, x0 : ix + reach + 1]
    rows, columns = np.nonzero(near)
    if rows.size == 0:
        return 0
    nearest = np.argmin(np.hypot(rows + y0 - cutout.y, columns + x0 - cutout.x))
    return int(near[rows[nearest], columns[nearest]])
