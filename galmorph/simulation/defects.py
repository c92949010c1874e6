# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Artifacts that make an object impossible to classify.
"""

import numpy as np

from galmorph.simulation.population import draw_galaxy
from galmorph.simulation.rendering import add_object, render

__all__ = ["DEFECTS", "add_blend", "add_defect"]


def _trail(image, instrument, x, y, rms, random):
    rows, columns = np.indices(image.shape)
    angle = random.uniform(0, np.pi)
    offset = (columns - x) * np.sin(angle) - (rows - y) * np.cos(angle)
    level, width = rms * random.uniform(20, 200), random.uniform(1, 3)
    return image + level * np.exp(-0.5 * (offset / width) ** 2)


def _hot_pixels(image, instrument, x, y, rms, random):
    hot = random.random(image.shape) < 0.03
    return image + hot * rms * random.exponential(60, image.shape)


def _edge(image, instrument, x, y, rms, random):
    rows, columns = np.indices(image.shape)
    angle = random.uniform(0, 2 * np.pi)
    offset = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    return np.where(offset > random.uniform(-2, 3), 0.0, image)


def _bright_star(image, instrument, x, y, rms, random):
    distance, phase = random.uniform(5, 14), random.uniform(0, 2 * np.pi)
    star = {"kind": "star", "magnitude": random.uniform(15.5, 19), "saturation": 0.0}
    x, y = x + distance * np.cos(phase), y + distance * np.sin(phase)
    return image + render(star, instrument, image.shape[0], x, y, random)


def _nothing(image, instrument, x, y, rms, random):
    return image


DEFECTS = {
    "trail": _trail,
    "hot_pixels": _hot_pixels,
    "edge": _edge,
    "bright_star": _bright_star,
    "blend": _nothing,
}
"""Kinds of artifacts: a satellite's trail, hot pixels, a chip's edge, glare.

Of a blend the other objects are light, not an artifact: `add_blend` adds them.
"""


def add_defect(image, defect, instrument, x, y, rms, random):
    """
    Add what makes an object impossible to classify.

    Parameters
    ----------
    image : `~numpy.ndarray`
        Image of shape (n, n), noise included.
    defect : str
        One of `DEFECTS`.
    instrument : `~galmorph.simulation.Instrument`
    x, y : float
        Position of the object in 0-based pixels.
    rms : float
        Standard deviation of the noise, which sets the strength.
    random : `numpy.random.Generator`

    Returns
    -------
    image : `~numpy.ndarray`
        A new array.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation import WFC3_F160W
    >>> from galmorph.simulation.defects import add_defect
    >>> random = np.random.default_rng(6)
    >>> image = np.ones((64, 64))
    >>> cut = add_defect(image, "edge", WFC3_F160W, 32, 32, 0.01, random)
    >>> bool((cut == 0).any())
    True
    """
    return DEFECTS[defect](image, instrument, x, y, rms, random)


def add_blend(image, truth, instrument, x, y, random):
    """
    Add bright objects that hide the one that is meant.

    Parameters
    ----------
    image : `~numpy.ndarray`
        Image without noise; changed in place.
    truth : dict
        Parameters of the object that is hidden.
    instrument : `~galmorph.simulation.Instrument`
    x, y : float
        Its position in 0-based pixels.
    random : `numpy.random.Generator`
    """
    reach = max(1.5 * truth["half_light_radius"], 2 * instrument.psf_fwhm)
    for _ in range(random.integers(2, 5)):
        other = draw_galaxy(random, "disk" if random.random() < 0.5 else "spheroid")
        other["magnitude"] = truth["magnitude"] + random.uniform(-2.0, 0.0)
        distance = random.uniform(0.4, 1.2) * reach / instrument.pixel_scale
        phase = random.uniform(0, 2 * np.pi)
        x2, y2 = x + distance * np.cos(phase), y + distance * np.sin(phase)
        add_object(image, other, instrument, x2, y2, random)
