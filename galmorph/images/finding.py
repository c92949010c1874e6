# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The steps of the detection, each for any window of an image.

What they find in a window does not depend on the window, if it reaches far enough
beyond what is looked at (`reach`), so that large images can be read part by part.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy.stats import gaussian_fwhm_to_sigma
from scipy import ndimage

from galmorph.images.background import Mesh, clipped_statistics
from galmorph.images.segmentation import spread

__all__ = [
    "Pixels",
    "Sample",
    "Sky",
    "View",
    "find_segments",
    "near_sources",
    "noise_of",
    "pixels_of",
    "power_of_two",
    "reach",
    "smooth",
]

_TRUNCATE = 4.0  # standard deviations, as scipy's filters do
_TOUCHING = np.ones((3, 3), bool)


@dataclass
class Pixels:
    """
    Pixels of an image, or of a window of one.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Mean of the bands, shape (ny, nx); zero at bad pixels.
    error : `~numpy.ndarray` or None
        Standard deviation of each pixel; zero at bad ones.
    bad : `~numpy.ndarray` of bool
        Pixels that cannot be used.
    """

    data: np.ndarray
    error: np.ndarray | None
    bad: np.ndarray


def pixels_of(image):
    """
    Take what the detection needs of an image.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`
        As `~galmorph.images.as_nddata` returns it.

    Returns
    -------
    pixels : `Pixels`

    Examples
    --------
    >>> from galmorph.images import as_nddata
    >>> from galmorph.images.finding import pixels_of
    >>> pixels_of(as_nddata([[1.0, float("nan")]])).data
    array([[1., 0.]])
    """
    data, bad = image.data, image.mask
    error = None if image.uncertainty is None else image.uncertainty.array
    if data.ndim == 3:
        n_bands = data.shape[-1]
        if error is not None and error.ndim == 3:
            scale = power_of_two(np.nanmax(np.where(np.isfinite(error), error, 0)))
            square = np.sum(np.square(error / scale, dtype=np.float64), axis=-1)
            error = np.sqrt(square) * (scale / n_bands)
        data = data.mean(axis=-1)
    good = np.isfinite(data)
    good &= ~bad
    if error is not None:
        good &= np.isfinite(error)
        good &= error > 0
        error = error.astype(data.dtype, copy=False)
    if good.all():
        return Pixels(data, error, ~good)
    if error is not None:
        error = np.where(good, error, 0)
    return Pixels(np.where(good, data, 0), error, ~good)


def power_of_two(value):
    """
    The power of two that is next below a value, 1 for zero.

    Squares of 1e-20 are below the range of float32, and powers of two are exact.

    Parameters
    ----------
    value : float

    Returns
    -------
    power : float

    Examples
    --------
    >>> from galmorph.images.finding import power_of_two
    >>> power_of_two(5.0), power_of_two(0.3), power_of_two(0.0)
    (4.0, 0.25, 1.0)
    """
    return float(2.0 ** np.floor(np.log2(value))) if value > 0 else 1.0


def smooth(data, bad, fwhm):
    """
    Smooth with a Gaussian, leaving bad pixels and the outside out.

    Parameters
    ----------
    data : `~numpy.ndarray`
        Shape (ny, nx); zero at bad pixels.
    bad : `~numpy.ndarray` of bool
    fwhm : float
        In pixels; 0 does not smooth.

    Returns
    -------
    smooth : `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.images.finding import smooth
    >>> bad = np.eye(9, dtype=bool)
    >>> np.ptp(smooth(np.where(bad, 0.0, 5.0), bad, 3.0)).round(9)
    np.float64(0.0)
    """
    if fwhm == 0:
        return data
    options = {
        "sigma": fwhm * gaussian_fwhm_to_sigma,
        "mode": "constant",
        "truncate": _TRUNCATE,
    }
    total = ndimage.gaussian_filter(data, **options)
    if bad.any():
        weight = ndimage.gaussian_filter((~bad).astype(data.dtype), **options)
        total /= np.maximum(weight, np.finfo(data.dtype).tiny, out=weight)
        return total
    for axis, n in enumerate(data.shape):
        weight = ndimage.gaussian_filter1d(np.ones(n, data.dtype), **options)
        total /= np.expand_dims(weight, 1 - axis)
    return total


def noise_of(pixels, fwhm):
    """
    The error map as it is blended by smoothing.

    Smoothing carries the noise of shallow parts of a mosaic into deep ones beside
    them.

    Parameters
    ----------
    pixels : `Pixels`
    fwhm : float
        In pixels.

    Returns
    -------
    noise : `~numpy.ndarray` or None
        `None` where there is no error map.
    """
    error = pixels.error
    if error is None or fwhm == 0:
        return error
    high = error.max(initial=0)
    if high == error.min(initial=high):
        return error
    scale = error.dtype.type(power_of_two(high))
    noise = np.sqrt(smooth(np.square(error / scale), pixels.bad, fwhm))
    noise *= scale
    return noise


def reach(config):
    """
    How many pixels around a window have a say in what is found in it.

    Parameters
    ----------
    config : `~galmorph.images.DetectionConfig`

    Returns
    -------
    reach : int
        Without the sources that it cuts.
    """
    sigma = config.smoothing_fwhm * gaussian_fwhm_to_sigma
    return int(_TRUNCATE * sigma + 0.5)


@dataclass
class View:
    """
    Pixels with what smoothing makes of them.

    Parameters
    ----------
    pixels : `Pixels`
    smoothed : `~numpy.ndarray`
        The smoothed image.
    noise : `~numpy.ndarray` or None
        What `noise_of` gives.
    box : tuple of slice
        Which rows and columns of the image these are.
    """

    pixels: Pixels
    smoothed: np.ndarray
    noise: np.ndarray | None
    box: tuple

    @classmethod
    def of(cls, pixels, box, fwhm):
        """Smooth pixels."""
        smoothed = smooth(pixels.data, pixels.bad, fwhm)
        return cls(pixels, smoothed, noise_of(pixels, fwhm), box)

    def part(self, box):
        """A smaller window."""
        inner = tuple(
            slice(s.start - own.start, s.stop - own.start)
            for s, own in zip(box, self.box, strict=True)
        )

        def cut(array):
            return None if array is None else array[inner]

        pixels = self.pixels
        pixels = Pixels(cut(pixels.data), cut(pixels.error), cut(pixels.bad))
        return replace(
            self,
            pixels=pixels,
            smoothed=cut(self.smoothed),
            noise=cut(self.noise),
            box=box,
        )


@dataclass
class Sample:
    """
    One of the boxes on which the noise of the smoothed image is measured.

    Parameters
    ----------
    smoothed, noise
        As in `View`.
    sky : `~numpy.ndarray` of bool
        Pixels that are sky, as far as is known.
    box : tuple of slice
        Which rows and columns of the image these are.
    """

    smoothed: np.ndarray
    noise: np.ndarray | None
    sky: np.ndarray
    box: tuple

    @classmethod
    def of(cls, view, box, sky):
        """The sample of a box in a view, with the sky of the whole view."""
        part = view.part(box)
        y, x = (s.start - own.start for s, own in zip(box, view.box, strict=True))
        ny, nx = part.smoothed.shape
        noise = None if part.noise is None else part.noise.copy()
        sky = sky[y : y + ny, x : x + nx].copy()
        return cls(part.smoothed.copy(), noise, sky, box)


@dataclass
class Sky:
    """
    What is known of the sky of an image.

    Parameters
    ----------
    level, rms : `~galmorph.images.background.Mesh`
        Background, and standard deviation of its pixels.
    factor : float
        Noise of the smoothed image in units of a pixel's noise.
    scale : float
        A power of two of the order of the pixels' values.
    """

    level: Mesh
    rms: Mesh
    factor: float
    scale: float

    @classmethod
    def of(cls, statistics, samples, grid, config):
        """
        Know the sky from boxes and samples.

        Parameters
        ----------
        statistics : `~galmorph.images.background.BoxStatistics`
            Of all boxes of the grid.
        samples : list of `Sample`
        grid : `~galmorph.images.background.Grid`
        config : `~galmorph.images.DetectionConfig`

        Returns
        -------
        sky : `Sky`
        """
        level, rms = Mesh.of(statistics, grid, filter_size=config.filter_size)
        ratios = []
        for sample in samples:
            noise = rms.window(sample.box) if sample.noise is None else sample.noise
            usable = sample.sky & (noise > 0)
            residual = sample.smoothed - level.window(sample.box)
            ratios.append(residual[usable] / noise[usable])
        ratio = np.concatenate(ratios) if ratios else np.zeros(0)
        *_, std, number = clipped_statistics(ratio)
        # a stamp that a galaxy fills has no sky: smoothing never adds noise
        factor = min(1.0, std) if number else 1.0
        return cls(level, rms, factor, power_of_two(statistics.spread))

    def part(self, box):
        """What is needed for windows within a box."""
        return replace(self, level=self.level.part(box), rms=self.rms.part(box))


def find_segments(view, sky, config):
    """
    Find connected pixels above the threshold.

    Parameters
    ----------
    view : `View`
    sky : `Sky`
    config : `~galmorph.images.DetectionConfig`

    Returns
    -------
    segments : `~numpy.ndarray` of int32
        Labels from 1 up; 0 is sky. Pixels that touch at their corners are
        connected.
    residual : `~numpy.ndarray`
        The smoothed image without its background.
    """
    pixels, kind = view.pixels, view.pixels.data.dtype
    residual = view.smoothed - sky.level.window(view.box, kind)
    noise = sky.rms.window(view.box, kind) if view.noise is None else view.noise
    above = residual > noise * kind.type(config.n_sigma * sky.factor)
    above &= ~pixels.bad
    places = np.flatnonzero(above)
    # differences below the rounding of the numbers are no signal
    rounding = 4 * np.finfo(np.float32).eps * np.abs(pixels.data.ravel()[places])
    above.ravel()[places[residual.ravel()[places] <= rounding]] = False
    segments, number = ndimage.label(above, _TOUCHING)
    found = segments.ravel()[places]
    large = np.bincount(found, minlength=number + 1) >= config.n_pixels
    large[0] = False
    # without gaps
    label = np.where(large, np.cumsum(large), 0).astype(np.int32)
    segments.ravel()[places] = label[found]
    return segments, residual


def near_sources(segments, config):
    """
    Pixels of sources and of their wings, which lie beyond the threshold.

    Parameters
    ----------
    segments : `~numpy.ndarray` of int
    config : `~galmorph.images.DetectionConfig`

    Returns
    -------
    near : `~numpy.ndarray` of bool
    """
    near = segments > 0
    for _ in range(1 + round(config.smoothing_fwhm)):
        near = spread(near, (0, 1), 1)
    return near
