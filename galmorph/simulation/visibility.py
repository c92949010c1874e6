# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
What can be seen of an object: measured on its image before noise is added.

Whatever lies below the noise of a resolution element does not count.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft

from galmorph.simulation.rendering import render

__all__ = ["Visible", "see"]

# The PSF makes the ellipses of a flat galaxy rounder in the middle. What seems to be
# structure for that reason, over the flatness: of Sersic profiles with indices from 1
# to 4 and half-light radii of 0.7 to 2.5 FWHM it leaves 0.03 or less.
_ROUNDED = 0.17


@dataclass(frozen=True)
class Visible:
    """
    What people can see of an object.

    Parameters
    ----------
    bulge : float
        Bulge-to-total ratio of the light; 0 for a star.
    size : float
        Logarithm of the circularised half-light radius in units of the PSF's
        FWHM.
    signal : float
        Logarithm of the signal-to-noise ratio of a resolution element, at the
        surface brightness that is the mean over the light.
    flatness : float
        One minus the axis ratio after the PSF.
    asymmetry : float
        Share of the light that has no counterpart on the opposite side, where
        it stands out of the noise.
    structure : float
        Share of the light that deviates from smooth ellipses, alike on both
        sides, where it stands out of the noise.
    blend : float
        Light of other objects over that of the object, within two half-light
        radii.
    artifact : float
        Strength of an artifact.
    saturation : float
        Part of the peak that is cut off.
    star : float
        1 for a star.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import WFC3_F160W
    >>> from galmorph.simulation.population import draw_galaxy
    >>> from galmorph.simulation.visibility import see
    >>> random = np.random.default_rng(1)
    >>> visible = see(draw_galaxy(random, "star"), WFC3_F160W, 0.004, random)
    >>> visible.star, visible.bulge
    (1.0, 0.0)
    """

    bulge: float
    size: float
    signal: float
    flatness: float
    asymmetry: float
    structure: float
    blend: float = 0.0
    artifact: float = 0.0
    saturation: float = 0.0
    star: float = 0.0

    def __array__(self, dtype=None, copy=None):
        return np.array(tuple(vars(self).values()), dtype=dtype)


def see(truth, instrument, rms, random, image=None, position=None, others=None):
    """
    Measure what can be seen of an object.

    Parameters
    ----------
    truth : dict
        Parameters, as ``galmorph.simulation.population.draw_galaxy`` gives them.
    instrument : `~galmorph.simulation.Instrument`
    rms : float
        Standard deviation of the noise per pixel, electrons per second.
    random : `numpy.random.Generator`
        For the structure, where no image is given.
    image : `~numpy.ndarray`, optional
        Square image of the object alone, without noise; drawn where it is not
        given.
    position : tuple of float, optional
        Position (x, y) of the object in 0-based pixels of the image.
    others : `~numpy.ndarray`, optional
        Image of all other objects, of the same shape.

    Returns
    -------
    visible : `Visible`
    """
    if image is None:
        side = 64
        reach = 8 * truth["half_light_radius"] / instrument.pixel_scale
        side = int(min(max(64, 8 * math.ceil(reach / 8)), 192))
        position = ((side - 1) / 2, (side - 1) / 2)
        image = render(truth, instrument, side, *position, random)
    fwhm = instrument.psf_fwhm
    radius, q = truth["half_light_radius"], truth["axis_ratio"]
    major, minor = math.hypot(radius, fwhm / 2), math.hypot(radius * q, fwhm / 2)
    noise = noise_of_element(instrument, rms)
    light = max(float(image.sum()), 1e-12)
    signal = float(np.square(image).sum()) / light / noise
    asymmetry = structure = blend = 0.0
    flatness = 1 - minor / major
    reach = 2.5 * major / instrument.pixel_scale
    if radius and signal > 1:
        reach *= 1 + 0.5 * max(truth["companion"], truth["third"], truth["tail"])
        part, x, y = _around(image, *position, reach + 4)
        angle = math.radians(truth["position_angle"])
        asymmetry = _asymmetry(part, x, y, noise) / light
        structure = _structure(part, x, y, angle, minor / major, noise) / light
    if others is not None:
        blend = _blend(image, others, *position, 2 * major / instrument.pixel_scale)
    return Visible(
        bulge=0.0 if truth["kind"] == "star" else truth["bulge_to_total"],
        size=math.log10(max(radius * math.sqrt(q), 5e-3) / fwhm),
        signal=math.log10(max(signal, 1e-3)),
        flatness=flatness,
        asymmetry=asymmetry,
        structure=max(structure - asymmetry - _ROUNDED * flatness, 0.0),
        blend=blend,
        artifact=truth["artifact"],
        saturation=truth["saturation"],
        star=float(truth["kind"] == "star"),
    )


def noise_of_element(instrument, rms):
    """
    Noise of the mean surface brightness of a resolution element.

    Parameters
    ----------
    instrument : `~galmorph.simulation.Instrument`
    rms : float
        Standard deviation of the noise per pixel.

    Returns
    -------
    noise : float
        In the unit of ``rms``.
    """
    # fewer pixels are averaged than correlate with each other: no gain from them
    pixels = math.pi * (instrument.psf_fwhm / 2 / instrument.pixel_scale) ** 2
    averaged = instrument.noise_correlation / math.sqrt(max(pixels, 1.0))
    return rms * min(averaged, 1.0)


def _around(image, x, y, reach):
    """The square within a reach of a position, and the position in it."""
    side = len(image)
    reach = min(
        int(reach), round(x), round(y), side - 1 - round(x), side - 1 - round(y)
    )
    x0, y0 = round(x) - reach, round(y) - reach
    part = image[y0 : y0 + 2 * reach + 1, x0 : x0 + 2 * reach + 1]
    return part, x - x0, y - y0


def _asymmetry(image, x, y, noise):
    """Light that has no counterpart opposite to it (Conselice 2003, ApJS 147, 1)."""
    n = fft.next_fast_len(len(image), real=True)
    spectrum = fft.rfft2(image, (n, n))
    # turning by 180 degrees is to conjugate the transform about the centre
    kx = np.exp(2j * np.pi * x * np.arange(n // 2 + 1) / n)
    ky = np.exp(2j * np.pi * y * fft.fftfreq(n))
    odd = (spectrum * ky.astype(np.complex64)[:, None] * kx.astype(np.complex64)).imag
    difference = np.abs(fft.irfft2(1j * odd, (n, n)))
    return float(np.maximum(difference - noise, 0).sum())


def _structure(image, x, y, angle, q, noise):
    """Light that deviates from the mean of the ellipse that it lies on."""
    side = np.arange(len(image), dtype=np.float32)
    dx, dy = side - np.float32(x), side[:, None] - np.float32(y)
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    across = (dy * cosine - dx * sine) / np.float32(q)
    radius = np.sqrt((dx * cosine + dy * sine) ** 2 + across * across).ravel()
    below = radius.astype(np.intp)
    inside = np.float32(len(image) / 2)
    count = np.maximum(np.bincount(below), 1)
    flux = np.bincount(below, image.ravel()) / count
    middle = np.bincount(below, radius) / count
    smooth = np.interp(radius, middle, flux)
    difference = np.abs(image.ravel() - smooth)[radius < inside]
    return float(np.maximum(difference - noise, 0).sum())


def _blend(image, others, x, y, reach):
    """Light of others over that of the object, close to it."""
    own, x0, y0 = _around(image, x, y, reach)
    theirs, *_ = _around(others, x, y, reach)
    side = np.arange(len(own))
    near = np.hypot(side - x0, side[:, None] - y0) < reach
    return float(theirs[near].sum() / max(own[near].sum(), 1e-12))
