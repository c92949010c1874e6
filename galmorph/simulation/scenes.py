# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
One galaxy with all that stands around it, in a survey or in any camera.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from galmorph.simulation.defects import add_blend, add_defect
from galmorph.simulation.domains import (
    draw_camera,
    draw_neighbours,
    draw_target,
    noise_for,
)
from galmorph.simulation.instruments import Instrument
from galmorph.simulation.population import draw_galaxy, draw_neighbour
from galmorph.simulation.rendering import add_object, object_side, render
from galmorph.simulation.resampling import drizzle, smooth
from galmorph.simulation.truths import seen_columns
from galmorph.simulation.visibility import see
from galmorph.simulation.votes import vote_fractions

__all__ = ["Scene", "add_noise", "draw_depth", "make_scene", "resample"]

# galaxies brighter than H = 27 per square arcsecond, about those of the XDF, and
# by how much fewer they are in the logarithm for each magnitude brighter
_NEIGHBOURS, _SLOPE = 0.06, 0.26
_FEW = 40  # exposures; of more one sees nothing in the image


@dataclass
class Scene:
    """
    An image of a galaxy, and what is true of it.

    Parameters
    ----------
    image : `~numpy.ndarray`
        Electrons per second, float32.
    instrument : `~galmorph.simulation.Instrument`
    truth : dict
        Parameters, vote fractions and what can be seen.
    """

    image: np.ndarray
    instrument: Instrument
    truth: dict


def draw_depth(random, instrument):
    """
    Draw a kind of survey and the noise of a pixel in it.

    Parameters
    ----------
    random : `numpy.random.Generator`
    instrument : `~galmorph.simulation.Instrument`

    Returns
    -------
    depth : str
    rms : float
        Electrons per second.
    """
    names, times, shares = zip(*instrument.depths, strict=True)
    which = random.choice(len(names), p=shares)
    return names[which], instrument.sky_rms(times[which] * random.lognormal(0, 0.4))


def add_noise(image, instrument, rms, random):
    """
    Noise of the sky and of the photons of the objects themselves.

    Parameters
    ----------
    image : `~numpy.ndarray`
        Without noise, electrons per second.
    instrument : `~galmorph.simulation.Instrument`
    rms : float
        Standard deviation of empty pixels, electrons per second.
    random : `numpy.random.Generator`

    Returns
    -------
    image : `~numpy.ndarray`
        A new array, float32.
    """
    # resampling averages the photons of an object as it does those of the sky
    time = instrument.exposure_time(rms) * instrument.noise_correlation**2
    local = np.maximum(image, 0, dtype=np.float32)
    local /= np.float32(time)
    local += np.float32(rms**2)
    np.sqrt(local, out=local)
    noisy = instrument.noise(image.shape, local, random)
    noisy += image
    return noisy


def resample(image, instrument, rms, random):
    """
    What drizzling makes of the light on the detector.

    Parameters
    ----------
    image : `~numpy.ndarray`
        Without noise, with the PSF of `Instrument.before_drizzling`.
    instrument : `~galmorph.simulation.Instrument`
    rms : float
        Standard deviation of empty pixels in the image, which tells how many
        exposures there are, unless the instrument has none of a known time.
    random : `numpy.random.Generator`

    Returns
    -------
    image : `~numpy.ndarray`
        A new array, or the given one where the instrument's are not drizzled.
    """
    if not instrument.pixfrac:
        return image
    how = instrument.detector_step, instrument.pixfrac
    if instrument.exposure:
        exposures = round(instrument.exposure_time(rms) / instrument.exposure)
    else:
        exposures = random.integers(2, 9)
    if exposures > _FEW:
        return smooth(image, *how)
    return drizzle(image, *how, max(exposures, 2), random)


def make_scene(random, instrument, kinds=None):
    """
    Draw a galaxy, all around it, and the votes for it.

    Parameters
    ----------
    random : `numpy.random.Generator`
    instrument : `~galmorph.simulation.Instrument` or str
        A camera, or one of `~galmorph.simulation.domains.DOMAINS` to draw one.
    kinds : dict, optional
        Shares of the kinds of objects, in place of
        `~galmorph.simulation.population.KINDS`.

    Returns
    -------
    scene : `Scene`
    """
    kind = None
    if kinds is not None:
        shares = np.cumsum(list(kinds.values()))
        kind = int(np.searchsorted(shares, random.random() * shares[-1], side="right"))
        kind = tuple(kinds)[kind]
    domain = instrument if isinstance(instrument, str) else ""
    if domain:
        instrument = draw_camera(random, domain)
        truth = draw_target(random, instrument, kind, domain)
        depth, rms = domain, noise_for(truth, instrument)
        around = partial(draw_neighbours, domain=domain)
    else:
        truth = draw_galaxy(random, kind, instrument.magnitudes)
        depth, rms = draw_depth(random, instrument)
        around = _field_neighbours
    side = object_side(truth, instrument)
    x, y = (side - 1) / 2 + random.normal(scale=0.7, size=2)

    detector = instrument.before_drizzling()
    own = render(truth, detector, side, x, y, random)
    others = np.zeros_like(own)
    for neighbour, x2, y2 in around(random, truth, instrument, side, x, y):
        add_object(others, neighbour, detector, x2, y2, random)
    strength = rms
    if domain:
        # what spoils a bright galaxy is as bright
        strength = max(rms, float(np.square(own).sum()) / max(float(own.sum()), 1e-12))
    elif truth["defect"] == "blend":
        add_blend(others, truth, detector, x, y, random)
    image = resample(own + others, instrument, rms, random)
    if instrument.pixfrac:
        # people see what many exposures would show
        how = instrument.detector_step, instrument.pixfrac
        own, others = smooth(own, *how), smooth(others, *how)
    image = add_noise(image, instrument, rms, random)
    if truth["defect"] and not (domain and truth["defect"] == "bright_star"):
        image = add_defect(image, truth["defect"], instrument, x, y, strength, random)
    visible = see(truth, instrument, rms, random, own, (x, y), others)
    fractions = vote_fractions(truth, instrument, rms, random, visible=visible)
    told = {
        "depth": depth,
        "sky_rms": rms,
        "camera": instrument.name,
        "pixel_scale": instrument.pixel_scale,
        "psf_fwhm": instrument.psf_fwhm,
    }
    truth = fractions | truth | told | seen_columns(visible)
    return Scene(image.astype(np.float32), instrument, truth)


def _field_neighbours(random, truth, instrument, side, x, y):
    """Neighbours as dense and bright as in a survey, drawn one by one."""
    scale = instrument.pixel_scale
    clear = max(0.8 * truth["half_light_radius"], 0.4) / scale
    density = _NEIGHBOURS * 10 ** (_SLOPE * (instrument.magnitudes[1] - 25))
    for _ in range(random.poisson(density * (side * scale) ** 2)):
        neighbour = draw_neighbour(random, instrument.magnitudes)
        x2, y2 = random.uniform(0, side, size=2)
        if math.hypot(x2 - x, y2 - y) > clear + neighbour["half_light_radius"] / scale:
            yield neighbour, x2, y2
