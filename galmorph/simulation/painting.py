# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Structure that no analytic profile has: arms, rings, bars, clumps and tails.

Everything is painted on a fine grid, given by offsets from the galaxy's centre
in arcseconds: ``dx`` of shape (n,) and ``dy`` of shape (n, 1).
"""

import math

import numpy as np

from galmorph.simulation.population import STRUCTURE, THICKNESS

__all__ = [
    "SCALE_LENGTHS",
    "cosine_of_inclination",
    "draw_arms",
    "is_painted",
    "paint_disk",
    "paint_knots",
    "paint_tail",
]

SCALE_LENGTHS = 1.678
"""Half-light radius of an exponential disk in scale lengths."""

_FLATTEST = 0.1  # cosine of the inclination that the fine grid can still resolve


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
    return any(truth[name] for name in STRUCTURE)


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
    along, across = _plane(truth, dx, dy)
    radius = along**2
    radius += across**2
    np.sqrt(radius, out=radius)
    length = max(truth["half_light_radius"], 0.03) / SCALE_LENGTHS

    lengths = radius / length
    image = np.negative(lengths)
    np.exp(image, out=image)
    if truth["spiral"]:
        arms = truth.get("arms") or draw_arms(random)
        image *= _arms(arms, truth["spiral"], lengths, along, across)
    if truth["ring"]:
        place, width = random.uniform(1.2, 2.5), random.uniform(0.2, 0.4)
        image *= 1 + 4 * truth["ring"] * np.exp(-0.5 * ((lengths - place) / width) ** 2)
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
        share = 0.85 * truth["clumpiness"]
        image = (1 - share) * image + share * _clumps(truth, dx, dy, length, random)
    if truth["dust"]:
        image *= _lane(truth, along, across, length, random)
    return image / image.sum()


def _plane(truth, dx, dy):
    """Coordinates in the plane of a disk, along and across the line of nodes."""
    angle, q = math.radians(truth["position_angle"]), truth["axis_ratio"]
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    # what the disk's thickness adds is left to the transform, except with dust,
    # which lies in the middle of it
    flat = q if truth["dust"] else max(cosine_of_inclination(q), _FLATTEST)
    return dx * cosine + dy * sine, (dy * cosine - dx * sine) / np.float32(flat)


def cosine_of_inclination(axis_ratio):
    """
    Cosine of the inclination of a disk of the usual thickness.

    Parameters
    ----------
    axis_ratio : float
        Of the disk as it is seen.

    Returns
    -------
    cosine : float
        0 where the disk is seen from its edge.

    Examples
    --------
    >>> from galmorph.simulation.painting import cosine_of_inclination
    >>> cosine_of_inclination(0.2), cosine_of_inclination(1.0)
    (0.0, 1.0)
    """
    square = (axis_ratio**2 - THICKNESS**2) / (1 - THICKNESS**2)
    return math.sqrt(min(max(square, 0.0), 1.0))


def draw_arms(random):
    """
    Draw the course of spiral arms.

    Parameters
    ----------
    random : `numpy.random.Generator`

    Returns
    -------
    count : int
        Number of arms.
    pitch : float
        Pitch angle in radians, of either sign.
    start : float
        Phase in radians.
    """
    count = (2, 2, 2, 3, 4)[random.integers(5)]
    pitch = np.radians(random.uniform(10, 35)) * (-1 if random.random() < 0.5 else 1)
    return count, pitch, random.uniform(0, 2 * np.pi)


def _arms(arms, amplitude, radius, along, across):
    count, pitch, start = arms
    winding = np.maximum(radius, np.float32(0.1))
    np.log(winding, out=winding)
    winding *= np.float32(1 / np.tan(pitch))
    # in place, as large arrays cost time to make
    wave = np.arctan2(across, along)
    wave -= winding
    wave *= count
    wave += np.float32(start)
    np.cos(wave, out=wave)
    # narrower than a cosine, with a mean near zero, and only outside the centre
    wave *= 0.5
    wave += 0.5
    np.square(wave, out=wave)
    wave *= 2.6
    wave -= 1
    strength = radius - 0.4
    np.clip(strength, 0, 1, out=strength)
    strength *= 0.95 * amplitude
    wave *= strength
    wave += 1
    return wave


def paint_knots(truth, dx, dy, random):
    """
    Paint many small regions where stars form, along the arms if there are any.

    Parameters
    ----------
    truth : dict
        Parameters, as `~galmorph.simulation.domains.draw_target` gives them.
    dx, dy : `~numpy.ndarray`
        Offsets of the pixels from the centre, arcsec.
    random : `numpy.random.Generator`

    Returns
    -------
    image : `~numpy.ndarray`
        Array with a sum of one.
    """
    length = max(truth["half_light_radius"], 0.03) / SCALE_LENGTHS
    n = random.integers(15, 60)
    distance = random.gamma(3.0, 0.6, size=n)
    phase = random.uniform(0, 2 * np.pi, size=n)
    if truth.get("arms"):
        count, pitch, start = truth["arms"]
        arm = random.integers(count, size=n)
        phase = np.log(np.maximum(distance, 0.1)) / np.tan(pitch)
        phase += (2 * np.pi * arm - start) / count + random.normal(scale=0.15, size=n)
    x, y = _on_sky(truth, length * distance, phase)
    widths = length * random.uniform(0.03, 0.12, size=n)
    # a width of no less than a pixel keeps the light of a knot on the grid
    widths = np.maximum(widths, 0.6 * float(dx[1] - dx[0]))
    return _blobs(dx, dy, x, y, widths, random.lognormal(0, 1, size=n))


def _on_sky(truth, distance, phase):
    """Offsets on the sky of places in the plane of a disk."""
    angle = np.radians(truth["position_angle"])
    along = distance * np.cos(phase)
    across = distance * np.sin(phase) * truth["axis_ratio"]
    x = along * np.cos(angle) - across * np.sin(angle)
    return x, along * np.sin(angle) + across * np.cos(angle)


def _lane(truth, along, across, length, random):
    """Transmission of a lane of dust, a little off the middle and uneven."""
    # seen from its edge the lane is thin; else it is an arc on the near side
    tilt = 1 - truth["axis_ratio"]
    place = random.uniform(-0.35, 0.35) * length
    bend = random.uniform(0.0, 0.15) / length * along**2
    width = (0.25 + 0.25 * tilt) * length
    waves = 1 + 0.3 * np.sin(
        along / length * random.uniform(1, 3) + random.uniform(0, 6)
    )
    depth = 0.9 * truth["dust"] * waves * np.exp(-0.5 * (along / (2 * length)) ** 2)
    lane = np.exp(-0.5 * ((across - place - bend) / width) ** 2)
    return 1 - np.minimum(depth, 0.95) * lane


def _bar(along, across, length):
    ends = np.abs(along) / np.float32(1.6 * length)
    bar = np.exp(-ends * ends * ends - 0.5 * (across / np.float32(0.35 * length)) ** 2)
    return bar / max(bar.sum(), 1e-12)


def _clumps(truth, dx, dy, length, random):
    n = 2 + random.poisson(4)
    distance = length * random.gamma(2.0, 0.9, size=n)
    phase = random.uniform(0, 2 * np.pi, size=n)
    x, y = _on_sky(truth, distance, phase)
    widths = np.maximum(length * random.uniform(0.1, 0.4, size=n), 0.04)
    return _blobs(dx, dy, x, y, widths, random.exponential(size=n))


def paint_tail(radius, phase, dx, dy, random, reach=3.2):
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
    reach : float, optional
        How far the tail goes, in half-light radii.

    Returns
    -------
    image : `~numpy.ndarray`
        Array with a sum of one.
    """
    curve = random.uniform(-0.8, 0.8)
    steps = np.linspace(1.0, reach, round(9 * (reach - 1) / 2.2))
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
