# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Noiseless images of simulated objects.

An image is made in Fourier space: the transforms of GalSim's smooth profiles
and of structure that is painted on a fine grid (no analytic profile has spiral
arms or clumps) are added, multiplied by the transform of GalSim's point spread
function, and transformed back once.
"""

import math
from functools import lru_cache

import numpy as np
from scipy import fft

from galmorph.core import import_optional
from galmorph.simulation.painting import (
    SCALE_LENGTHS,
    cosine_of_inclination,
    is_painted,
    paint_disk,
    paint_knots,
    paint_tail,
)
from galmorph.simulation.population import THICKNESS
from galmorph.simulation.stars import saturate

__all__ = ["add_object", "draw_object", "object_side", "overlap", "render"]

_PADDING = 24  # pixels around the image that keep light from wrapping into it
_STAR_PADDING = 64
_BULGE_SIZE = 0.4  # half-light radius of a small bulge over that of the disk
_STEP, _FARTHEST = 0.01, 20.0  # of tables of transforms, in the root of k r
_TAIL = 0.35  # most that a tail has of the galaxy's light
# scale height of a disk over its scale length: with it the second moments of the
# light, sech^2 high and exponential along, have the axis ratio THICKNESS
_HEIGHT = THICKNESS * math.sqrt(3) / (math.pi / math.sqrt(12))


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
        Pixels, a multiple of 8 from 64 to 256; to 768 where the object says its
        ``reach``.
    """
    if "reach" in truth:
        return int(np.clip(8 * math.ceil(truth["reach"] / 4), 64, 768))
    reach = 5 * truth["half_light_radius"] / instrument.pixel_scale
    reach *= 1 + 0.5 * max(truth["companion"], truth["third"], truth["tail"])
    # the wings and spikes of the PSF of what is bright reach far
    bright = max(0.0, 21.0 - truth["magnitude"])
    reach = max(reach, 12 * bright) if truth["kind"] == "star" else reach + 6 * bright
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
    scale, every = instrument.pixel_scale, 1
    if instrument.undersampled:
        # where the pixels do not carry all of the PSF, some of finer ones are kept
        side, x, y, scale, every = 2 * side, 2 * x, 2 * y, scale / 2, 2
    n = 2 * fft.next_fast_len((side + padding + 1) // 2, real=True)
    before = (n - side) // 2
    x, y = x + before, y + before
    if star:
        spectrum = _stars(truth, n, scale, x, y, random)
    else:
        spectrum, phase = _galaxy(truth, n, scale, x, y, random), None
        for flux in (truth["companion"], truth["third"]):
            if flux:
                other, phase = _companion(truth, flux, n, scale, x, y, random)
                spectrum = spectrum + other
        if truth["tail"]:
            phase = random.uniform(0, 2 * np.pi) if phase is None else phase
            spectrum = spectrum + _tail(truth, phase, n, scale, x, y, random)
    spectrum = spectrum * _psf_spectrum(instrument, n, scale)
    spectrum = spectrum.astype(np.complex64, copy=False)
    image = fft.irfft2(spectrum, (n, n), overwrite_x=True)
    image = image[before : before + side : every, before : before + side : every]
    flux = 10 ** (-0.4 * (truth["magnitude"] - instrument.zero_point))
    image = every**2 * flux * image
    if truth["saturation"]:
        image = saturate(image, truth)
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
    drawn, x0, y0 = draw_object(truth, instrument, x, y, random)
    window, part = overlap(image.shape, len(drawn), x0, y0)
    image[window] += drawn[part]
    return window, drawn[part]


def draw_object(truth, instrument, x, y, random):
    """
    Draw an object on a square of its own.

    Parameters
    ----------
    truth : dict
        Parameters, as `~galmorph.simulation.population.draw_galaxy` gives them.
    instrument : `~galmorph.simulation.Instrument`
    x, y : float
        Position of the object in 0-based pixels of a larger image.
    random : `numpy.random.Generator`

    Returns
    -------
    drawn : `~numpy.ndarray`
        Square array.
    x0, y0 : int
        Pixel of the larger image where the square begins.
    """
    side = object_side(truth, instrument)
    x0, y0 = round(x) - side // 2, round(y) - side // 2
    return render(truth, instrument, side, x - x0, y - y0, random), x0, y0


def overlap(shape, side, x0, y0):
    """
    Where a square and a larger image have pixels in common.

    Parameters
    ----------
    shape : tuple of int
        Shape of the image.
    side : int
        Side of the square.
    x0, y0 : int
        Pixel of the image where the square begins; may lie outside.

    Returns
    -------
    window, part : tuple of slice
        The common pixels in the image, and in the square.
    """
    window, part = [], []
    for start, length in zip((y0, x0), shape, strict=True):
        low = min(max(start, 0), length)
        high = max(min(start + side, length), low)
        window.append(slice(low, high))
        part.append(slice(low - start, high - start))
    return tuple(window), tuple(part)


def _galaxy(truth, n, scale, x, y, random):
    """Transform of a galaxy of unit flux at (x, y), before the PSF."""
    bulge, q = truth["bulge_to_total"], truth["axis_ratio"]
    radius, angle = truth["half_light_radius"], truth["position_angle"]
    smooth, painted = 0.0, 0.0
    if bulge > 0:
        # a bulge is smaller and rounder than the disk around it, unless it is most
        # of the galaxy
        whole = max(2 * bulge - 1, 0.0)
        bulge_radius = (_BULGE_SIZE + (1 - _BULGE_SIZE) * whole) * radius
        bulge_q = q + (1 - whole) * (max(q, 0.6) - q)
        smooth = bulge * _sersic(
            truth["sersic_n"], bulge_radius, bulge_q, angle, n, scale
        )
    if bulge < 1:
        heights, lengths = _disk_transform(radius, q, angle, n, scale)
        knots = truth.get("knots", 0.0) * (1 - bulge)
        rest = 1 - bulge - knots
        grid = _fine_grid(n, x, y, scale, _fineness(truth, scale))
        if is_painted(truth):
            painted = rest * _transform(paint_disk(truth, *grid, random), n)
            if not truth["dust"]:
                painted *= heights
        else:
            smooth = smooth + rest * heights * lengths
        if knots:
            # young stars lie in the plane, which is thinner than the disk
            knots = knots * _transform(paint_knots(truth, *grid, random), n)
            painted = painted + knots
    if np.ndim(smooth):
        painted = painted + smooth * _shift(n, x, y)
    return painted


def _fineness(truth, scale):
    """Fine pixels across a pixel: more where the disk is small or thin."""
    length = truth["half_light_radius"] / SCALE_LENGTHS
    narrow = length * truth["axis_ratio"]
    return 1 if length > 2.5 * scale and narrow > scale else 2


def _stars(truth, n, scale, x, y, random):
    """Transform of a star, or of two."""
    spectrum = _shift(n, x, y)
    if truth.get("companion"):
        distance, phase = truth["separation"] / scale, random.uniform(0, 2 * np.pi)
        x, y = x + distance * np.cos(phase), y + distance * np.sin(phase)
        spectrum = spectrum + truth["companion"] * _shift(n, x, y)
    return spectrum


def _companion(truth, flux, n, scale, x, y, random):
    """Transform of another galaxy, and of the tail of stars that it drew out."""
    radius = truth["half_light_radius"]
    distance = random.uniform(0.8, 2.5) * max(radius, 0.2) / scale
    if "separation" in truth:
        distance *= truth["separation"] / 1.65
    phase = random.uniform(0, 2 * np.pi)
    second = dict(
        truth,
        half_light_radius=radius * random.uniform(0.5, 1.0),
        position_angle=random.uniform(0, 180),
        axis_ratio=random.uniform(0.4, 1.0),
        dust=0.0,
    )
    x2, y2 = x + distance * np.cos(phase), y + distance * np.sin(phase)
    return flux * _galaxy(second, n, scale, x2, y2, random), phase


def _tail(truth, phase, n, scale, x, y, random):
    """Transform of a tail that starts opposite to the phase of the companion."""
    grid = _fine_grid(n, x, y, scale, 1)
    far = truth.get("tail_reach", 3.2)
    tail = paint_tail(truth["half_light_radius"], phase, *grid, random, far)
    return _TAIL * truth["tail"] * _transform(tail, n)


def _disk_transform(radius, axis_ratio, angle, n, scale):
    """
    Transform of an inclined exponential disk, as two factors.

    The first is that of the sech^2 profile of the height above the plane, the
    second that of the thin disk (van der Kruit & Searle 1981, A&A 95, 105).
    """
    kx, ky = _wave_numbers(n)
    angle, cosine = math.radians(angle), cosine_of_inclination(axis_ratio)
    length = max(radius, 0.01) / SCALE_LENGTHS / scale
    along = (kx * math.cos(angle) + ky * math.sin(angle)) * np.float32(length)
    across = (ky * math.cos(angle) - kx * math.sin(angle)) * np.float32(length)
    # in place, as large arrays cost time to make
    along *= along
    along += 1
    thin = np.square(across * np.float32(cosine))
    thin += along
    sine = math.sqrt(1 - cosine**2)
    height = np.abs(across, out=across)
    height *= np.float32(0.5 * np.pi * _HEIGHT * sine)
    np.clip(height, np.float32(1e-3), np.float32(40), out=height)
    # x / sinh(x)
    fading = np.negative(height)
    np.exp(fading, out=fading)
    heights = height
    heights *= 2
    heights *= fading
    np.square(fading, out=fading)
    heights /= np.subtract(1, fading, out=fading)
    thin *= np.sqrt(thin)
    return heights, np.divide(1, thin, out=thin)


def _sersic(index, radius, axis_ratio, angle, n, scale):
    """Transform of a Sersic profile at the origin; radius along the major axis."""
    kx, ky = _wave_numbers(n)
    angle, radius = math.radians(angle), max(radius, 0.01) / scale
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    along = (kx * cosine + ky * sine) * np.float32(radius)
    across = (ky * cosine - kx * sine) * np.float32(radius * axis_ratio)
    # few indices, so that few tables are made
    table = _sersic_table(round(4 * index) / 4)
    place = np.square(along, out=along)
    place += np.square(across, out=across)
    np.sqrt(np.sqrt(place, out=place), out=place)
    place *= np.float32(1 / _STEP)
    np.minimum(place, np.float32(len(table) - 1.01), out=place)
    below = place.astype(np.int32)
    low = table[below]
    between = place - below
    below += 1
    between *= table[below] - low
    between += low
    return between


@lru_cache(maxsize=32)
def _sersic_table(index):
    """Transform of a round Sersic profile at `_STEP` apart in the root of k r."""
    galsim = import_optional("galsim", "sim")
    profile = galsim.Sersic(n=index, half_light_radius=1, trunc=8)
    places = (np.arange(round(_FARTHEST / _STEP)) * _STEP) ** 2
    values = [profile.kValue(float(k), 0.0).real for k in places]
    return np.array(values, dtype=np.float32)


@lru_cache(maxsize=64)
def _psf_spectrum(instrument, n, scale):
    return instrument.psf_transform(n, scale)


@lru_cache(maxsize=64)
def _wave_numbers(n):
    """Wave numbers of the two axes in radians per pixel."""
    kx = 2 * np.pi * np.arange(n // 2 + 1) / n
    ky = 2 * np.pi * np.fft.fftfreq(n)
    return kx.astype(np.float32), ky.astype(np.float32)[:, None]


def _shift(n, x, y):
    """Transform of a point of unit flux at (x, y)."""
    kx = np.exp(-2j * np.pi * x * np.arange(n // 2 + 1) / n)
    ky = np.exp(-2j * np.pi * y * np.fft.fftfreq(n))
    return ky.astype(np.complex64)[:, None] * kx.astype(np.complex64)


def _fine_grid(n, x, y, scale, fine):
    """Positions of fine pixels about (x, y) in arcseconds, float32."""
    places = np.arange(n * fine) / fine
    dx, dy = ((places - x) * scale), ((places - y) * scale)
    return dx.astype(np.float32), dy.astype(np.float32)[:, None]


def _transform(fine, n):
    """Transform of a finely painted image, as far as the pixels can carry it."""
    spectrum = fft.rfft2(fine)[:, : n // 2 + 1]
    if len(fine) == n:
        return spectrum
    return np.concatenate([spectrum[: n // 2], spectrum[-(n // 2) :]])
