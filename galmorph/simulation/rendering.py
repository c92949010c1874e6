# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Noiseless images of simulated objects.

An image is made in Fourier space: the transforms of GalSim's smooth profiles
and of structure that is painted on a fine grid (no analytic profile has spiral
arms or clumps) are added, multiplied by the transform of GalSim's point spread
function, and transformed back once.
"""

from functools import lru_cache

import numpy as np
from scipy import fft

from galmorph.core import import_optional
from galmorph.simulation.painting import is_painted, paint_disk, paint_tail

__all__ = ["add_object", "object_side", "render"]

_OVERSAMPLING = 2
_PADDING = 24  # pixels around the image that keep light from wrapping into it
_STAR_PADDING = 64
_BULGE_SIZE = 0.4  # half-light radius of a bulge over that of the disk around it


def object_side(truth, instrument):
    """
    Side of an image that holds nearly all the light of an object.

    Parameters
    ----------
    truth : dict
        Parameters, as `~galmorph.simulation.population.draw_galaxy` gives them.
    instrument : `~galmorph.simulation.Instrument`

    Returns
    -------
    side : int
        Pixels, a multiple of 8 from 64 to 256.
    """
    reach = 5 * truth["half_light_radius"] / instrument.pixel_scale
    reach *= 1 + 0.5 * truth["companion"]
    if truth["kind"] == "star":
        # the spikes of a bright star reach far
        reach = 12 * max(0.0, 21.0 - truth["magnitude"])
    return int(np.clip(8 * np.ceil((reach + 14) / 4), 64, 256))


def render(truth, instrument, side, x, y, random):
    """
    Draw one object without noise.

    Parameters
    ----------
    truth : dict
        Parameters, as `~galmorph.simulation.population.draw_galaxy` gives them.
    instrument : `~galmorph.simulation.Instrument`
    side : int
        Side of the image in pixels.
    x, y : float
        Position of the object in 0-based pixels.
    random : `numpy.random.Generator`
        For the places of arms and clumps.

    Returns
    -------
    image : `~numpy.ndarray`
        Array of shape (side, side) in electrons per second, float32.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import WFC3_F160W
    >>> from galmorph.simulation.population import draw_galaxy
    >>> from galmorph.simulation.rendering import render
    >>> random = np.random.default_rng(4)
    >>> galaxy = draw_galaxy(random, "spheroid")
    >>> render(galaxy, WFC3_F160W, 64, 31.5, 31.5, random).shape
    (64, 64)
    """
    star = truth["kind"] == "star"
    padding = _STAR_PADDING if star else _PADDING
    n = 2 * fft.next_fast_len((side + padding + 1) // 2, real=True)
    before = (n - side) // 2
    x, y = x + before, y + before
    scale = instrument.pixel_scale
    if star:
        spectrum = _shift(n, x, y)
    else:
        spectrum = _galaxy(truth, n, scale, x, y, random)
        if truth["companion"]:
            spectrum += _companion(truth, n, scale, x, y, random)
    spectrum *= _psf_spectrum(instrument, n)
    image = fft.irfft2(spectrum.astype(np.complex64), (n, n))
    image = image[before : before + side, before : before + side]
    flux = 10 ** (-0.4 * (truth["magnitude"] - instrument.zero_point))
    image = flux * image
    if truth["saturation"]:
        image = np.minimum(image, (1 - truth["saturation"]) * image.max())
    return image


def add_object(image, truth, instrument, x, y, random):
    """
    Add an object to an image that may be larger or smaller than its light.

    Parameters
    ----------
    image : `~numpy.ndarray`
        Array of any two-dimensional shape; changed in place.
    truth : dict
        Parameters, as `~galmorph.simulation.population.draw_galaxy` gives them.
    instrument : `~galmorph.simulation.Instrument`
    x, y : float
        Position of the object in 0-based pixels of ``image``.
    random : `numpy.random.Generator`

    Returns
    -------
    window : tuple of slice
        The part of ``image`` that was changed.
    drawn : `~numpy.ndarray`
        What was added there.
    """
    side = object_side(truth, instrument)
    x0, y0 = round(x) - side // 2, round(y) - side // 2
    drawn = render(truth, instrument, side, x - x0, y - y0, random)
    ny, nx = image.shape
    rows = slice(max(y0, 0), max(min(y0 + side, ny), 0))
    columns = slice(max(x0, 0), max(min(x0 + side, nx), 0))
    drawn = drawn[rows.start - y0 : rows.stop - y0, columns.start - x0 :]
    drawn = drawn[:, : columns.stop - columns.start]
    image[rows, columns] += drawn
    return (rows, columns), drawn


def _galaxy(truth, n, scale, x, y, random):
    """Transform of a galaxy of unit flux at (x, y), before the PSF."""
    bulge, q = truth["bulge_to_total"], truth["axis_ratio"]
    radius, angle = truth["half_light_radius"], truth["position_angle"]
    smooth = np.zeros((n, n // 2 + 1), np.complex128)
    painted = 0.0
    if bulge > 0:
        # a bulge is smaller and rounder than the disk around it
        inside = bulge < 1
        bulge_radius = _BULGE_SIZE * radius if inside else radius
        bulge_q = max(q, 0.6) if inside else q
        smooth += bulge * _sersic(
            truth["sersic_n"], bulge_radius, bulge_q, angle, n, scale
        )
    if bulge < 1:
        if is_painted(truth):
            grid = _fine_grid(n, x, y, scale)
            painted = (1 - bulge) * _transform(paint_disk(truth, *grid, random), n)
        else:
            smooth += (1 - bulge) * _sersic(1.0, radius, q, angle, n, scale)
    return smooth * _shift(n, x, y) + painted


def _companion(truth, n, scale, x, y, random):
    """Transform of a second galaxy, and of a tail of stars that it drew out."""
    radius = truth["half_light_radius"]
    distance = random.uniform(0.8, 2.5) * max(radius, 0.2) / scale
    phase = random.uniform(0, 2 * np.pi)
    second = dict(
        truth,
        half_light_radius=radius * random.uniform(0.5, 1.0),
        position_angle=random.uniform(0, 180),
        axis_ratio=random.uniform(0.4, 1.0),
    )
    x2, y2 = x + distance * np.cos(phase), y + distance * np.sin(phase)
    spectrum = truth["companion"] * _galaxy(second, n, scale, x2, y2, random)
    tail = paint_tail(radius, phase, *_fine_grid(n, x, y, scale), random)
    return spectrum + random.uniform(0, 0.3) * _transform(tail, n)


def _sersic(index, radius, axis_ratio, angle, n, scale):
    """Transform of a Sersic profile at the origin; radius along the major axis."""
    galsim = import_optional("galsim", "sim")
    # the area, thus the circularised radius, is what a shear leaves as it is
    radius = max(radius, 0.01) * np.sqrt(axis_ratio)
    if index == 1:
        profile = galsim.Exponential(half_light_radius=radius)
    else:
        profile = galsim.Sersic(
            # GalSim keeps a table for each index: few indices keep it quick
            n=round(4 * index) / 4,
            half_light_radius=radius,
            trunc=8 * radius,
            gsparams=_quick(),
        )
    profile = profile.shear(q=axis_ratio, beta=angle * galsim.degrees)
    return _transform_of(profile, n, scale)


@lru_cache(maxsize=1)
def _quick():
    galsim = import_optional("galsim", "sim")
    return galsim.GSParams(kvalue_accuracy=1e-4)


def _transform_of(profile, n, scale):
    """Transform of a GalSim profile in the layout of `numpy.fft.rfft2`."""
    galsim = import_optional("galsim", "sim")
    half = n // 2
    bounds = galsim.BoundsI(0, half, -half, half - 1)
    image = galsim.ImageCD(bounds, scale=2 * np.pi / (n * scale))
    profile.drawKImage(image=image, recenter=False)
    return np.roll(image.array, half, axis=0)


@lru_cache(maxsize=32)
def _psf_spectrum(instrument, n):
    return _transform_of(instrument.psf(), n, instrument.pixel_scale)


def _shift(n, x, y):
    """Transform of a point of unit flux at (x, y)."""
    kx = np.exp(-2j * np.pi * x * np.arange(n // 2 + 1) / n)
    ky = np.exp(-2j * np.pi * y * np.fft.fftfreq(n))
    return ky[:, None] * kx


def _fine_grid(n, x, y, scale):
    """Positions of fine pixels about (x, y) in arcseconds, float32."""
    fine = np.arange(n * _OVERSAMPLING) / _OVERSAMPLING
    dx, dy = ((fine - x) * scale), ((fine - y) * scale)
    return dx.astype(np.float32), dy.astype(np.float32)[:, None]


def _transform(fine, n):
    """Transform of a finely painted image, as far as the pixels can carry it."""
    spectrum = fft.rfft2(fine)[:, : n // 2 + 1]
    return np.concatenate([spectrum[: n // 2], spectrum[-(n // 2) :]])
