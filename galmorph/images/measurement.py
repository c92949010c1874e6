# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What the preprocessing measures on a cutout: sky, segments, centre and size.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from galmorph.core import MorphFlag
from galmorph.images.centering import centroid
from galmorph.images.petrosian import petrosian_radius

__all__ = [
    "Target",
    "clipped_sky",
    "deblend_target",
    "fill_from_nearest",
    "in_sigmas",
    "measure_target",
    "segment",
]

_FWHM_TO_SIGMA = 1 / np.sqrt(8 * np.log(2))
_QUARTILE_TO_SIGMA = 1.482602218505602
_CLIPPED = 1.0136  # standard deviation of normal noise over that of its inner 3 sigma
_N_PIXELS = 5
_WIDEST_GAP = 6  # pixels; a wider gap of bad pixels may hide anything
_MOST_SIGMAS = 1e12  # no instrument has that dynamic range, and sums stay finite


@dataclass
class Target:
    """
    What was measured of one object, in the pixels of its cutout.

    Parameters
    ----------
    plane : `~numpy.ndarray`
        Mean of the bands with the sky subtracted, in standard deviations of
        the sky, float32 of shape (ny, nx). Bad pixels within the target and
        in narrow gaps are interpolated, others are zero.
    bad : `~numpy.ndarray` of bool
        Pixels that could not be used, shape (ny, nx).
    segments : `~numpy.ndarray` of int
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
    bad: np.ndarray
    segments: np.ndarray
    label: int
    x: float
    y: float
    radius: float
    snr: float
    sky: float
    rms: float
    flags: int

    @property
    def own(self):
        """Pixels of the target, bool of shape (ny, nx)."""
        return (self.segments == self.label) & (self.segments != 0)

    @property
    def others(self):
        """Pixels of other objects, bool of shape (ny, nx)."""
        return (self.segments != self.label) & (self.segments != 0)


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
    >>> from galmorph.images.measurement import clipped_sky
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
    >>> from galmorph.images.measurement import in_sigmas
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
    >>> from galmorph.images.measurement import fill_from_nearest
    >>> fill_from_nearest(np.full((3, 3), 2.0), np.eye(3) > 0)[1, 1]
    np.float64(2.0)
    """
    nearest = ndimage.distance_transform_edt(
        bad, return_distances=False, return_indices=True
    )
    filled = plane[tuple(nearest)]
    return np.where(bad, ndimage.gaussian_filter(filled, 1), plane)


def segment(plane, mask, noise, n_sigma, fwhm):
    """
    Segments above a threshold in a smoothed cutout, by photutils.

    Parameters
    ----------
    plane : `~numpy.ndarray`
        Image of shape (ny, nx) with the sky subtracted; finite everywhere.
    mask : `~numpy.ndarray`
        Pixels not to be used (True).
    noise : float or `~numpy.ndarray`
        Standard deviation of the pixels before smoothing.
    n_sigma : float
        Threshold in units of ``noise``.
    fwhm : float
        Full width at half maximum of the Gaussian kernel, in pixels.

    Returns
    -------
    segments : `~numpy.ndarray` of int
        Labels from 1 up; 0 is sky.
    """
    from galmorph.images._photutils import find_segments

    smooth = ndimage.gaussian_filter(plane, fwhm * _FWHM_TO_SIGMA, mode="nearest")
    return find_segments(smooth, n_sigma * noise, _N_PIXELS, mask=mask)


def deblend_target(plane, segments, label, config):
    """
    Separate what touches the target, by photutils' deblending.

    Parameters
    ----------
    plane : `~numpy.ndarray`
        Image of shape (ny, nx) in standard deviations of the sky.
    segments : `~numpy.ndarray` of int
        Segmentation, 0 for sky.
    label : int
        Label of the target.
    config : `~galmorph.images.Preprocessor`
        Gives ``smoothing_fwhm``, ``deblend_contrast`` and ``n_sigma``.

    Returns
    -------
    segments : `~numpy.ndarray` of int
        The segmentation with the target's segment cut into its parts; the
        same array where it has one peak only.
    """
    from galmorph.images._photutils import deblend_segments

    box = ndimage.find_objects(segments, max_label=label)[label - 1]
    own = segments[box] == label
    smooth = ndimage.gaussian_filter(plane, config.smoothing_fwhm * _FWHM_TO_SIGMA)[box]
    # most objects have one peak, and deblending takes far longer than this look
    peak = (smooth == ndimage.maximum_filter(smooth, 7)) & own
    if np.sum(peak & (smooth > 2 * config.n_sigma)) < 2:
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
    bad = cutout.mask | ~np.isfinite(data)
    if bad.all():
        return None
    if bad.any():
        data = np.where(bad, 0, data)
    gaps = _narrow_gaps(bad)
    sky, rms, segments = _sky_and_segments(data, bad, gaps, cutout, config)
    plane, scale = in_sigmas(np.where(bad, sky, data), sky, rms)
    filled = fill_from_nearest(plane, bad) if bad.any() else plane
    plane = np.where(gaps, filled, plane)
    flags = cutout.flags

    label = _label_at(cutout, segments)
    if label and bad.any():
        # a saturated core is a hole in the segment
        holes = ndimage.binary_fill_holes(segments == label) & bad
        segments = np.where(holes, label, segments)
        plane = np.where(holes, filled, plane)
    if label and cutout.segmentation is None and config.deblend_contrast:
        segments = deblend_target(plane, segments, label, config)
        label = _label_at(cutout, segments)
    if label == 0:
        flags |= MorphFlag.NO_SOURCE
        x, y = cutout.x, cutout.y
        return Target(plane, bad, segments, 0, x, y, np.nan, 0.0, sky, rms, int(flags))

    own = segments == label
    plane = np.where(own, filled, plane)
    if np.any(own & bad):
        flags |= MorphFlag.MASKED_PIXELS
    x, y = centroid(plane, ~own)
    limit = max(config.recenter_limit, 0.25 * np.sqrt(own.sum() / np.pi))
    if not np.hypot(x - cutout.x, y - cutout.y) <= limit:
        flags |= MorphFlag.RECENTER_LIMIT
        x, y = cutout.x, cutout.y
    radius = petrosian_radius(plane, x, y, mask=(bad | (segments != 0)) & ~own)
    snr = _signal_to_noise(plane, own & ~bad, _noise(cutout, scale))
    return Target(plane, bad, segments, label, x, y, radius, snr, sky, rms, int(flags))


def _narrow_gaps(bad):
    """Bad pixels that have good ones close on opposite sides, as a bad column."""
    if not bad.any():
        return bad
    closed = ndimage.binary_closing(~bad, iterations=_WIDEST_GAP // 2)
    return bad & closed


def _sky_and_segments(data, bad, gaps, cutout, config):
    good = ~bad
    sky, rms = clipped_sky(data[good])
    for _ in range(2):
        segments = cutout.segmentation
        if segments is None:
            plane, scale = in_sigmas(np.where(bad, sky, data), sky, rms)
            if gaps.any():
                plane = np.where(gaps, fill_from_nearest(plane, bad), plane)
            segments = segment(
                plane,
                bad & ~gaps,
                _noise(cutout, scale),
                config.n_sigma,
                config.smoothing_fwhm,
            )
        near = ndimage.uniform_filter((segments != 0).astype(np.float32), 7)
        off = good & (near < 1e-3)
        # with little sky in the cutout its faintest part has to serve
        if off.sum() < max(32, 0.02 * good.sum()):
            break
        sky, rms = clipped_sky(data[off])
    return sky, rms, segments


def _noise(cutout, scale):
    """Standard deviation of each pixel in units of ``scale``."""
    if cutout.rms is None:
        return 1.0
    noise = cutout.rms / scale
    usable = np.isfinite(noise) & (noise > 0)
    return noise if usable.all() else np.where(usable, noise, 1.0)


def _signal_to_noise(plane, pixels, noise):
    if not pixels.any():
        return 0.0
    variance = np.square(np.broadcast_to(noise, plane.shape)[pixels], dtype=float)
    return float(plane[pixels].sum(dtype=float) / np.sqrt(variance.sum()))


def _label_at(cutout, segments, reach=3):
    if cutout.label:
        return cutout.label if np.any(segments == cutout.label) else 0
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
