# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Structure that no analytic profile has: arms, rings, bars, clumps and tails.

Everything is painted on a fine grid, given by offsets from the galaxy's centre
in arcseconds: ``dx`` of shape (n,) and ``dy`` of shape (n, 1).
"""

import numpy as np

__all__ = ["is_painted", "paint_disk", "paint_tail"]

_SCALE_LENGTHS = 1.678  # half-light radius of an exponential disk in scale lengths
_STRUCTURE = ("spiral", "ring", "bar", "clumpiness", "lopsidedness")


def is_painted(truth):
    """
    Whether a galaxy's disk has any structure.

    Parameters
    ----------
    truth : dict
        Parameters, as `~galmorph.simulation.population.draw_galaxy` gives them.

    Returns
    -------
    painted : bool
    """
    return any(truth[name] for name in _STRUCTURE)


def paint_disk(truth, dx, dy, random):
    """
    Paint an exponential disk with its structure.

    Parameters
    ----------
    truth : dict
        Parameters, as `~galmorph.simulation.population.draw_galaxy` gives them.
    dx, dy : `~numpy.ndarray`
        Offsets of the pixels from the centre, arcsec.
    random : `numpy.random.Generator`

    Returns
    -------
    image : `~numpy.ndarray`
        Array with a sum of one.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation.painting import paint_disk
    >>> from galmorph.simulation.population import draw_galaxy
    >>> random = np.random.default_rng(5)
    >>> offsets = np.linspace(-2, 2, 64)
    >>> disk = draw_galaxy(random, "disk")
    >>> image = paint_disk(disk, offsets, offsets[:, None], random)
    >>> round(float(image.sum()), 3)
    1.0
    """
    angle = np.radians(truth["position_angle"])
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = (dy * np.cos(angle) - dx * np.sin(angle)) / truth["axis_ratio"]
    radius = np.hypot(along, across)
    length = max(truth["half_light_radius"], 0.03) / _SCALE_LENGTHS

    image = np.exp(-radius / length)
    if truth["spiral"]:
        theta = np.arctan2(across, along)
        image *= _arms(truth["spiral"], radius / length, theta, random)
    if truth["ring"]:
        place, width = random.uniform(1.2, 2.5), random.uniform(0.2, 0.4)
        image *= 1 + 4 * truth["ring"] * np.exp(
            -0.5 * ((radius / length - place) / width) ** 2
        )
    if truth["lopsidedness"]:
        phase = random.uniform(0, 2 * np.pi)
        # the cosine of the angle from the bright side, times the radius
        towards = along * np.cos(phase) + across * np.sin(phase)
        slope = truth["lopsidedness"] / np.maximum(radius, 2 * length)
        image *= 1 + slope * towards
    image /= image.sum()
    if truth["bar"]:
        image += 0.4 * truth["bar"] * _bar(along, across, length)
    if truth["clumpiness"]:
        share = 0.8 * truth["clumpiness"]
        image = (1 - share) * image + share * _clumps(truth, dx, dy, length, random)
    return image / image.sum()


def _arms(amplitude, radius, theta, random):
    count = random.choice([2, 2, 2, 3, 4])
    pitch = np.radians(random.uniform(10, 35)) * random.choice([-1, 1])
    winding = np.log(np.maximum(radius, 0.1)) / np.tan(pitch)
    wave = np.cos(count * (theta - winding) + random.uniform(0, 2 * np.pi))
    # narrower than a cosine, with a mean near zero, and only outside the centre
    wave = 2.6 * (0.5 + 0.5 * wave) ** 2 - 1
    return 1 + 0.95 * amplitude * np.clip(radius - 0.4, 0, 1) * wave


def _bar(along, across, length):
    bar = np.exp(-((np.abs(along) / (1.6 * length)) ** 3))
    bar *= np.exp(-0.5 * (across / (0.35 * length)) ** 2)
    return bar / max(bar.sum(), 1e-12)


def _clumps(truth, dx, dy, length, random):
    n = 2 + random.poisson(4)
    angle = np.radians(truth["position_angle"])
    distance = length * random.gamma(2.0, 0.9, size=n)
    phase = random.uniform(0, 2 * np.pi, size=n)
    along = distance * np.cos(phase)
    across = distance * np.sin(phase) * truth["axis_ratio"]
    x = along * np.cos(angle) - across * np.sin(angle)
    y = along * np.sin(angle) + across * np.cos(angle)
    widths = np.maximum(length * random.uniform(0.1, 0.4, size=n), 0.04)
    return _blobs(dx, dy, x, y, widths, random.exponential(size=n))


def paint_tail(radius, phase, dx, dy, random):
    """
    Paint a curved tail of stars.

    Parameters
    ----------
    radius : float
        Half-light radius of the galaxy, arcsec.
    phase : float
        Direction of the companion in radians; the tail starts opposite to it.
    dx, dy : `~numpy.ndarray`
        Offsets of the pixels from the centre, arcsec.
    random : `numpy.random.Generator`

    Returns
    -------
    image : `~numpy.ndarray`
        Array with a sum of one.
    """
    curve = random.uniform(-0.8, 0.8)
    steps = np.linspace(1.0, 3.2, 9)
    turned = phase + np.pi + curve * steps
    x, y = radius * steps * np.cos(turned), radius * steps * np.sin(turned)
    widths = np.full(len(steps), max(0.3 * radius, 0.06))
    return _blobs(dx, dy, x, y, widths, 1 / steps)


def _blobs(dx, dy, x, y, widths, fluxes):
    """Sum of round Gaussians, with a sum of one."""
    in_x = np.exp(-0.5 * ((dx - x[:, None]) / widths[:, None]) ** 2)
    in_y = np.exp(-0.5 * ((dy - y) / widths) ** 2) * (fluxes / widths**2)
    image = in_y.astype(dx.dtype) @ in_x.astype(dx.dtype)
    return image / max(image.sum(), 1e-12)
