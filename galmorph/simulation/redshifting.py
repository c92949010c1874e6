# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Images of galaxies nearby, as a camera would see the galaxies far away.

After FERENGI (Barden, Jahnke & Haeussler 2008, ApJS 175, 105), but simpler: size,
sharpness, brightness and noise become those of the other camera, while colours
and the evolution of galaxies are left alone. There is no K-correction, and the
new size and signal-to-noise ratio are chosen rather than computed from a redshift.
"""

import math

import numpy as np
from astropy import units as u
from astropy.nddata import NDData
from scipy import fft, ndimage

from galmorph.core import ConfigurationError, ImageError
from galmorph.images import as_nddata
from galmorph.simulation.domains import DOMAINS, draw_camera, noise_for
from galmorph.simulation.galaxies import check_instrument
from galmorph.simulation.scenes import add_noise, resample

__all__ = ["draw_redshifted", "redshifted", "unstretched"]

_EDGE = 6  # pixels at each side of an image that show its sky
_LEAST = 64  # side of the new images
_NEIGHBOURS = ("keep", "remove")


def unstretched(image, levels=50.0):
    """
    Undo the asinh stretch of a picture, as far as it can be undone.

    Assumed is that brightness is ``levels`` times the inverse hyperbolic sine of
    the flux, as in the colour composites of SDSS (Lupton et al. 2004, PASP 116,
    133). What was cut off stays so, and a luminance is not quite a stretched flux:
    bright cores come out too flat.

    Parameters
    ----------
    image : array_like
        Picture with values from 0 to 255.
    levels : float, optional
        Levels of brightness in which the flux grows from linear to 1.2 times the
        softening. 50 makes of the luminances of SDSS profiles that are about
        right.

    Returns
    -------
    flux : `~numpy.ndarray`
        Of arbitrary unit, float32.

    Examples
    --------
    >>> from galmorph.simulation import unstretched
    >>> unstretched([0, 50, 200]).round(2)
    array([ 0.  ,  1.18, 27.29], dtype=float32)
    """
    return np.sinh(np.asarray(image, np.float32) / np.float32(levels))


def _sky(image):
    """Level and noise of the edges of an image, where few sources are."""
    inner = slice(_EDGE, -_EDGE)
    sides = (image[:_EDGE], image[-_EDGE:], image[inner, :_EDGE], image[inner, -_EDGE:])
    values = np.concatenate([side.ravel() for side in sides])
    for _ in range(5):
        sky, rms = float(np.median(values)), float(values.std())
        values = values[np.abs(values - sky) <= 2.5 * rms]
    return sky, rms


def _grown(mask, pixels):
    """A mask and what is so many pixels around it."""
    return ndimage.maximum_filter(mask, 2 * pixels + 1)


class _Source:
    """The galaxy in the middle of an image, and all else, without the sky."""

    def __init__(self, image, neighbours):
        sky, rms = _sky(image)
        # quantisation hides the noise of some pictures
        rms = max(rms, 1e-4 * float(np.ptp(image)))
        flux = image - np.float32(sky)
        smooth = ndimage.gaussian_filter(flux, 1.2)
        labels, n = ndimage.label(smooth > 2.0 * max(_sky(smooth)[1], 0.25 * rms))
        middle = (len(image) - 1) / 2
        rows, columns = np.indices(image.shape, np.float32) - np.float32(middle)
        distance = np.where(labels > 0, np.hypot(rows, columns), np.inf)
        nearest = np.unravel_index(np.argmin(distance), image.shape)
        if not n or distance[nearest] > len(image) / 8:
            raise ImageError("image: there is no source in the middle")
        own = labels == labels[nearest]
        others = (labels > 0) & ~own
        # what is faint beyond the threshold belongs to the galaxy too
        own = _grown(own, 4)
        if neighbours == "remove":
            kept = own & ~_grown(others, 2)
        else:
            kept = _grown(own | others, 2)
        # a soft edge leaves no step; the noise around is left behind
        soft = np.clip(ndimage.gaussian_filter(kept.astype(np.float32), 1.5), 0, 1)
        self.flux = flux * soft
        positive = np.where(own, np.maximum(flux, 0), 0)
        total = float(positive.sum())
        self.x = float((positive * columns).sum() / total + middle)
        self.y = float((positive * rows).sum() / total + middle)
        radius = np.hypot(rows + middle - self.y, columns + middle - self.x)[own]
        order = np.argsort(radius)
        growth = np.cumsum(positive[own][order])
        half = int(np.searchsorted(growth, total / 2))
        self.radius = max(float(radius[order][half]), 0.5)
        self.total = float(flux[own].sum())
        self.snr = 0.5 * self.total / (rms * math.sqrt(math.pi) * self.radius)
        if not self.total > 0:
            raise ImageError("image: the source in the middle has no flux")


def redshifted(
    image,
    *,
    half_light_radius,
    snr,
    instrument=None,
    random,
    magnitude=22.0,
    levels=None,
    psf_fwhm=3.3,
    neighbours="keep",
):
    """
    Make of a galaxy nearby the image that another camera would have of it far away.

    Sky and noise are taken off; the image is shrunk, blurred by what the new
    point spread function lacks, brought to the new brightness and put into
    the new noise. Nothing is sharpened: where the old image is less sharp than
    the new camera, the new image is so too.

    Parameters
    ----------
    image : array_like
        Square image with the galaxy in the middle, linear in flux, or, with
        ``levels``, a picture from 0 to 255.
    half_light_radius : float
        Of the galaxy in the new image, the PSF included, pixels. Images are never
        enlarged: it is at most that in ``image``.
    snr : float
        Signal-to-noise ratio within the half-light radius. It is at most half of
        that of ``image``, whose noise would show.
    instrument : `Instrument` or str, optional
        The new camera; `WFC3_F160W` where it is not given.
    random : `numpy.random.Generator`
    magnitude : float, optional
        AB magnitude in the new camera, which sets how much of the noise is that of
        the galaxy's own photons.
    levels : float, optional
        As of `unstretched`; where it is not given, the image is linear.
    psf_fwhm : float, optional
        Full width at half maximum of the PSF of ``image``, pixels.
    neighbours : {'keep', 'remove'}, optional
        What becomes of other sources.

    Returns
    -------
    redshifted : `~astropy.nddata.NDData`
        In electrons per second, with the noise as uncertainty.

    Raises
    ------
    ConfigurationError
        If an argument is out of its range.
    ImageError
        If there is no galaxy in the middle.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import redshifted
    >>> y, x = np.mgrid[:128, :128] - 63.5
    >>> random = np.random.default_rng(1)
    >>> galaxy = 500 * np.exp(-np.hypot(x, 2 * y) / 12) + random.normal(size=(128, 128))
    >>> far = redshifted(galaxy, half_light_radius=5, snr=40, random=random)
    >>> far.data.shape, far.unit
    ((64, 64), Unit("electron / s"))
    """
    camera = check_instrument(instrument)
    _check(half_light_radius, snr, psf_fwhm, neighbours)
    source = _source(image, levels, neighbours)
    return _far(source, camera, half_light_radius, snr, magnitude, psf_fwhm, random)


def _far(source, camera, half_light_radius, snr, magnitude, psf_fwhm, random):
    """The galaxy far away, with the noise of the camera."""
    ratio = min(half_light_radius / source.radius, 1.0)
    truth = {
        "magnitude": magnitude,
        "half_light_radius": half_light_radius * camera.pixel_scale,
        "snr": min(snr, 0.5 * source.snr),
    }
    drawn = _seen_by(source, camera.before_drizzling(), ratio, psf_fwhm)
    drawn *= 10 ** (-0.4 * (magnitude - camera.zero_point)) / source.total
    rms = noise_for(truth, camera)
    drawn = resample(drawn, camera, rms, random)
    made = add_noise(drawn, camera, rms, random)
    return as_nddata(
        NDData(made, unit=u.electron / u.s),
        uncertainty=np.full(made.shape, rms, np.float32),
        pixel_scale=camera.pixel_scale,
    )


def draw_redshifted(image, random, *, instrument="random", levels=None, psf_fwhm=3.3):
    """
    Make of a galaxy nearby one far away, as chance will have it.

    Parameters
    ----------
    image : array_like
        As of `redshifted`.
    random : `numpy.random.Generator`
        For the camera, the size, the signal-to-noise ratio and the noise.
    instrument : `Instrument` or str, optional
        A camera, its name, or one of ``DOMAINS`` to draw a camera from.
    levels : float, optional
        As of `unstretched`. The stretch that is undone is drawn about it.
    psf_fwhm : float, optional
        As of `redshifted`.

    Returns
    -------
    redshifted : `~astropy.nddata.NDData`

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import draw_redshifted
    >>> y, x = np.mgrid[:128, :128] - 63.5
    >>> random = np.random.default_rng(1)
    >>> galaxy = 500 * np.exp(-np.hypot(x, 2 * y) / 12) + random.normal(size=(128, 128))
    >>> draw_redshifted(galaxy, random).unit
    Unit("electron / s")
    """
    domain = instrument if isinstance(instrument, str) else ""
    if domain in DOMAINS:
        camera = draw_camera(random, domain)
    else:
        camera, domain = check_instrument(instrument), "random"
    if levels is not None:
        levels = levels * random.uniform(0.8, 1.3)
    neighbours = "keep" if random.random() < 0.8 else "remove"
    source = _source(image, levels, neighbours)
    fwhm = camera.psf_fwhm / camera.pixel_scale
    # so small that the old image is about as sharp as the new camera
    largest = source.radius * min(1.0, 1.3 * fwhm / psf_fwhm)
    smallest = min(max(3.0, 0.8 * fwhm), largest)
    radius = smallest * (largest / smallest) ** random.random()
    signal = random.triangular(*DOMAINS[domain].signal)
    snr = max(10**signal * math.hypot(1, 2 * radius / fwhm), random.uniform(8, 15))
    # surface brightness over that of the sky, as for simulated galaxies
    share = 0.003 * 1000 ** random.random()
    flux = 2 * math.pi * radius**2 * share * camera.sky_rms(1.0) ** 2
    magnitude = camera.zero_point - 2.5 * math.log10(flux)
    return _far(source, camera, radius, snr, magnitude, psf_fwhm, random)


def _check(half_light_radius, snr, psf_fwhm, neighbours):
    given = {"half_light_radius": half_light_radius, "snr": snr, "psf_fwhm": psf_fwhm}
    for name, value in given.items():
        if not value > 0:
            raise ConfigurationError(f"{name}: found {value!r}; it must be positive")
    if neighbours not in _NEIGHBOURS:
        raise ConfigurationError(
            f"neighbours: found {neighbours!r}; choose one of {_NEIGHBOURS}"
        )


def _source(image, levels, neighbours):
    image = np.asarray(image, np.float32)
    if image.ndim != 2 or image.shape[0] != image.shape[1] or len(image) < 32:
        raise ImageError(
            f"image: found the shape {image.shape}; a square of 32 pixels or more is"
            " needed"
        )
    if not np.isfinite(image).all():
        raise ImageError("image: there are pixels that are not finite")
    if levels is not None:
        image = unstretched(image, levels)
    return _Source(image, neighbours)


def _seen_by(source, camera, ratio, psf_fwhm):
    """The galaxy on the pixels and with the sharpness of a camera."""
    every = 2 if camera.undersampled else 1
    side = max(_LEAST, math.ceil(len(source.flux) * ratio))
    n = 2 * fft.next_fast_len((every * (side + 16) + 1) // 2, real=True)
    before = (n - every * side) // 2
    middle = before + every * (side - 1) / 2
    # the transform of the old pixels at the frequencies of the new ones
    fx, fy = np.arange(n // 2 + 1) / n, np.fft.fftfreq(n)
    gx, gy = fx * ratio * every, fy * ratio * every
    in_x, in_y = np.abs(gx) <= 0.5, np.abs(gy) <= 0.5
    gx, gy = gx[in_x], gy[in_y, None]
    old = np.arange(len(source.flux))
    to_x = np.exp(-2j * np.pi * (old - source.x)[:, None] * gx).astype(np.complex64)
    to_y = np.exp(-2j * np.pi * gy * (old - source.y)).astype(np.complex64)
    passed = to_y @ (source.flux @ to_x)
    # what the old PSF, taken as a Gaussian, lacks of the new one; nothing is sharpened
    width = 2 * (math.pi * psf_fwhm / 2.3548) ** 2
    blurred = np.exp(-width * (gx**2 + gy**2))
    wanted = camera.psf_transform(n, camera.pixel_scale / every)[np.ix_(in_y, in_x)]
    passed *= wanted / np.maximum(blurred, np.maximum(np.abs(wanted), 1e-9))
    passed *= np.exp(-2j * np.pi * middle * fx[in_x])
    passed *= np.exp(-2j * np.pi * middle * fy[in_y, None])
    spectrum = np.zeros((n, len(fx)), np.complex64)
    spectrum[np.ix_(in_y, in_x)] = passed
    image = fft.irfft2(spectrum, (n, n))
    part = slice(before, before + every * side, every)
    return (every**2 * image[part, part]).astype(np.float32)
