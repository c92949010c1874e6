# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Noiseless images of simulated objects.

Smooth spheroids and stars are drawn by GalSim. Disks, whose spiral arms, bars
and clumps no analytic profile has, are painted on a fine grid and convolved
with GalSim's point spread function.
"""

import numpy as np
from scipy.signal import fftconvolve

from galmorph.core import import_optional

__all__ = ["add_defect", "render"]

_OVERSAMPLING = 2
_SCALE_LENGTHS = 1.678  # half-light radius of an exponential disk in scale lengths


def render(truth, instrument, shape, x, y, random):
    """
    Draw one object without noise.

    Parameters
    ----------
    truth : dict
        Parameters, as `~galmorph.simulation.population.draw_galaxy` gives them.
    instrument : `Instrument`
    shape : int
        Side of the image in pixels.
    x, y : float
        Position of the object in 0-based pixels.
    random : `numpy.random.Generator`
        For the places of arms and clumps.

    Returns
    -------
    image : `~numpy.ndarray`
        Array of shape (shape, shape) in electrons per second.
    """
    flux = 10 ** (-0.4 * (truth["magnitude"] - instrument.zero_point))
    if truth["kind"] == "star":
        return flux * _smooth(None, instrument, shape, x, y)
    image = flux * _galaxy(truth, instrument, shape, x, y, random)
    if truth["companion"]:
        image += flux * _companion(truth, instrument, shape, x, y, random)
    return image


def _galaxy(truth, instrument, shape, x, y, random):
    bulge = truth["bulge_to_total"]
    image = np.zeros((shape, shape))
    if bulge > 0:
        radius = truth["half_light_radius"]
        axis_ratio = truth["axis_ratio"]
        if bulge < 1:
            # a bulge is smaller and rounder than the disk around it
            radius, axis_ratio = 0.4 * radius, max(axis_ratio, 0.6)
        profile = _sersic(truth["sersic_n"], radius, axis_ratio, truth)
        image += bulge * _smooth(profile, instrument, shape, x, y)
    if bulge < 1:
        image += (1 - bulge) * _disk(truth, instrument, shape, x, y, random)
    return image


def _sersic(n, radius, axis_ratio, truth):
    galsim = import_optional("galsim", "sim")
    # GalSim keeps a table for each index: few indices keep it quick
    parameters = galsim.GSParams(
        folding_threshold=2e-2, maxk_threshold=5e-3, kvalue_accuracy=1e-4
    )
    profile = galsim.Sersic(
        n=round(4 * n) / 4,
        half_light_radius=max(radius, 0.01),
        trunc=8 * max(radius, 0.01),
        flux=1,
        gsparams=parameters,
    )
    angle = truth["position_angle"] * galsim.degrees
    return profile.shear(q=axis_ratio, beta=angle)


def _smooth(profile, instrument, shape, x, y):
    """Draw a GalSim profile, or a point, seen through the instrument."""
    galsim = import_optional("galsim", "sim")
    psf = instrument.psf()
    seen = psf if profile is None else galsim.Convolve(profile, psf)
    middle = (shape - 1) / 2
    image = seen.drawImage(
        nx=shape,
        ny=shape,
        scale=instrument.pixel_scale,
        offset=(x - middle, y - middle),
        method="no_pixel",
    )
    return image.array.astype(float)


def _fine_grid(shape, x, y, scale):
    """Positions of fine pixels about (x, y) in arcseconds."""
    fine = (np.arange(shape * _OVERSAMPLING) + 0.5) / _OVERSAMPLING - 0.5
    return (fine - x) * scale, ((fine - y) * scale)[:, None]


def _disk(truth, instrument, shape, x, y, random):
    dx, dy = _fine_grid(shape, x, y, instrument.pixel_scale)
    angle = np.radians(truth["position_angle"])
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = (dy * np.cos(angle) - dx * np.sin(angle)) / truth["axis_ratio"]
    radius = np.hypot(along, across)
    theta = np.arctan2(across, along)
    length = max(truth["half_light_radius"], 0.02) / _SCALE_LENGTHS

    image = np.exp(-radius / length)
    image *= _arms(truth["spiral"], radius / length, theta, random)
    lopsided = truth["lopsidedness"] * np.clip(radius / length / 2, 0, 1)
    image *= 1 + lopsided * np.cos(theta - random.uniform(0, 2 * np.pi))
    image /= image.sum()
    if truth["bar"]:
        bar = np.exp(-((np.abs(along) / (1.6 * length)) ** 3))
        bar = bar * np.exp(-0.5 * (across / (0.35 * length)) ** 2)
        image += 0.4 * truth["bar"] * bar / max(bar.sum(), 1e-12)
    if truth["clumpiness"]:
        share = 0.8 * truth["clumpiness"]
        image = (1 - share) * image + share * _clumps(truth, dx, dy, length, random)
    image = fftconvolve(image, instrument.psf_kernel(_OVERSAMPLING), mode="same")
    image = np.clip(image, 0, None) / max(image.sum(), 1e-12)
    folded = image.reshape(shape, _OVERSAMPLING, shape, _OVERSAMPLING)
    return folded.sum(axis=(1, 3))


def _arms(amplitude, radius, theta, random):
    if not amplitude:
        return 1.0
    count = random.choice([2, 2, 2, 3, 4])
    pitch = np.radians(random.uniform(10, 35)) * random.choice([-1, 1])
    winding = np.log(np.maximum(radius, 0.1)) / np.tan(pitch)
    wave = np.cos(count * (theta - winding) + random.uniform(0, 2 * np.pi))
    # sharper than a cosine, and only outside of the centre
    wave = np.sign(wave) * np.abs(wave) ** 0.7
    return 1 + 0.95 * amplitude * np.clip(radius - 0.4, 0, 1) * wave


def _clumps(truth, dx, dy, length, random):
    image = np.zeros(np.broadcast_shapes(dx.shape, dy.shape))
    angle = np.radians(truth["position_angle"])
    for _ in range(2 + random.poisson(4)):
        distance = length * random.gamma(2.0, 0.9)
        phase = random.uniform(0, 2 * np.pi)
        along = distance * np.cos(phase)
        across = distance * np.sin(phase) * truth["axis_ratio"]
        x = along * np.cos(angle) - across * np.sin(angle)
        y = along * np.sin(angle) + across * np.cos(angle)
        width = max(length * random.uniform(0.1, 0.4), 0.03)
        clump = np.exp(-0.5 * ((dx - x) / width) ** 2)
        clump = clump * np.exp(-0.5 * ((dy - y) / width) ** 2)
        image += random.exponential() * clump / max(clump.sum(), 1e-12)
    return image / max(image.sum(), 1e-12)


def _companion(truth, instrument, shape, x, y, random):
    """A second galaxy and a tail of stars between and beyond the two."""
    scale = instrument.pixel_scale
    radius = truth["half_light_radius"]
    distance = random.uniform(0.8, 2.5) * max(radius, 0.2) / scale
    phase = random.uniform(0, 2 * np.pi)
    second = dict(
        truth,
        half_light_radius=radius * random.uniform(0.5, 1.0),
        position_angle=random.uniform(0, 180),
        axis_ratio=random.uniform(0.4, 1.0),
        companion=0.0,
    )
    x2, y2 = x + distance * np.cos(phase), y + distance * np.sin(phase)
    image = truth["companion"] * _galaxy(second, instrument, shape, x2, y2, random)
    tail = random.uniform(0, 0.25)
    curve = random.uniform(-0.8, 0.8)
    dx, dy = _fine_grid(shape, x, y, scale)
    knots = np.zeros((dy.shape[0], dx.shape[0]))
    width = max(0.3 * radius, 0.06)
    for step in np.linspace(1.2, 3.0, 7):
        turned = phase + np.pi + curve * step
        kx, ky = radius * step * np.cos(turned), radius * step * np.sin(turned)
        knots += np.exp(-0.5 * ((dx - kx) / width) ** 2) * np.exp(
            -0.5 * ((dy - ky) / width) ** 2
        )
    folded = knots.reshape(shape, _OVERSAMPLING, shape, _OVERSAMPLING).sum(axis=(1, 3))
    return image + tail * folded / max(folded.sum(), 1e-12)


def add_defect(image, defect, instrument, x, y, rms, random):
    """
    Add what makes an object impossible to classify.

    Parameters
    ----------
    image : `~numpy.ndarray`
        Noiseless image of shape (n, n).
    defect : str
        ``'trail'``, ``'hot_pixels'``, ``'edge'`` or ``'bright_star'``; others
        change nothing.
    instrument : `Instrument`
    x, y : float
        Position of the object in 0-based pixels.
    rms : float
        Standard deviation of the noise, which sets the strength.
    random : `numpy.random.Generator`

    Returns
    -------
    image : `~numpy.ndarray`
        A new array.
    """
    side = image.shape[0]
    rows, columns = np.mgrid[:side, :side]
    if defect == "trail":
        angle = random.uniform(0, np.pi)
        offset = (columns - x) * np.sin(angle) - (rows - y) * np.cos(angle)
        level = rms * random.uniform(20, 200)
        width = random.uniform(1, 3)
        return image + level * np.exp(-0.5 * (offset / width) ** 2)
    if defect == "hot_pixels":
        hot = random.random(image.shape) < 0.03
        return image + hot * rms * random.exponential(60, image.shape)
    if defect == "edge":
        angle = random.uniform(0, 2 * np.pi)
        offset = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
        return np.where(offset > random.uniform(-1, 2), 0.0, image)
    if defect == "bright_star":
        distance, phase = random.uniform(5, 14), random.uniform(0, 2 * np.pi)
        star_x, star_y = x + distance * np.cos(phase), y + distance * np.sin(phase)
        star = _smooth(None, instrument, side, star_x, star_y)
        return image + max(image.sum(), rms) * random.uniform(10, 100) * star
    return image
