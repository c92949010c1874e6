# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Which galaxies there are: the parameters of one simulated object.
"""

import math

import numpy as np

__all__ = ["EARLY", "KINDS", "STRUCTURE", "THICKNESS", "draw_galaxy", "draw_neighbour"]

KINDS = {
    "spheroid": 0.112,
    "disk": 0.524,
    "irregular": 0.153,
    "merger": 0.088,
    "compact": 0.033,
    "star": 0.055,
    "unclassifiable": 0.035,
}
"""Kinds of objects and their shares; the votes decide what each looks like."""

EARLY = ("spheroid", "compact")
"""The kinds that are early types."""

STRUCTURE = ("spiral", "ring", "bar", "clumpiness", "lopsidedness", "dust")
"""Amplitudes of the structure in a disk."""

THICKNESS = 0.2
"""
Axis ratio of a disk seen from its edge, as of spirals in the Hubble Ultra Deep
Field (Elmegreen & Elmegreen 2006, ApJ 650, 644).
"""

# slope of the counts of galaxies per magnitude, about that of Windhorst et al.
# 2011 (ApJS 193, 27) in F160W between 20 and 25
_COUNT_SLOPE = 0.26
# early types are spread more evenly, as massive galaxies are more often quiescent
# (Muzzin et al. 2013, ApJ 777, 18): with this slope they are 8 % of the galaxies of
# H = 25, as many as over all magnitudes (16 %) at 23 and a third at 20.5
_EARLY_SLOPE = 0.09
_STAR_SLOPE = 0.08  # so are stars of the halo and the disk
_LARGEST = 6.0  # arcsec


def _magnitude(random, bright, faint, slope=_COUNT_SLOPE):
    """One magnitude from counts that rise as 10^(slope x magnitude)."""
    low, high = 10 ** (slope * bright), 10 ** (slope * faint)
    return math.log10(random.uniform(low, high)) / slope


def _half_light_radius(random, magnitude, late):
    """
    Half-light radius in arcsec.

    Medians and scatter follow the sizes of van der Wel et al. 2014 (ApJ 788,
    28) at redshifts 0.5 to 2: late types are about twice as large as early
    ones, fainter galaxies are smaller, with 0.2 dex of scatter.
    """
    median, slope = (0.42, -0.10) if late else (0.22, -0.12)
    scatter = random.normal(scale=0.2)
    radius = median * 10 ** (slope * (magnitude - 22.0) + scatter)
    return min(max(radius, 0.05), _LARGEST)


def draw_galaxy(random, kind=None, magnitudes=(18.0, 25.0)):
    """
    Draw the parameters of one object.

    Parameters
    ----------
    random : `numpy.random.Generator`
    kind : str, optional
        One of `KINDS`; drawn by their shares where it is not given.
    magnitudes : tuple of float, optional
        Brightest and faintest magnitude; stars go 2.5 magnitudes brighter.

    Returns
    -------
    truth : dict
        Kind, magnitude (AB), half-light radius (arcsec), bulge fraction,
        Sersic index of the bulge, axis ratio, position angle (degrees) and
        the amplitudes of structure, each between 0 and about 1.

    Examples
    --------
    >>> import numpy as np
    >>> from galmorph.simulation.population import draw_galaxy
    >>> draw_galaxy(np.random.default_rng(0), "star")["half_light_radius"]
    0.0
    """
    drawn = _KINDS[int(np.searchsorted(_SHARES, random.random(), side="right"))]
    kind = drawn if kind is None else kind
    bright, faint = magnitudes
    if kind == "star":
        magnitude = _magnitude(random, bright - 2.5, faint, _STAR_SLOPE)
    else:
        slope = _EARLY_SLOPE if kind in EARLY else _COUNT_SLOPE
        magnitude = _magnitude(random, bright, faint, slope)
    truth = {
        "kind": kind,
        "magnitude": magnitude,
        "bulge_to_total": 0.0,
        "sersic_n": 4.0,
        "axis_ratio": 1.0,
        "position_angle": float(random.uniform(0, 180)),
        "spiral": 0.0,
        "ring": 0.0,
        "bar": 0.0,
        "clumpiness": 0.0,
        "lopsidedness": 0.0,
        "dust": 0.0,
        "companion": 0.0,
        "third": 0.0,
        "tail": 0.0,
        "artifact": 0.0,
        "saturation": 0.0,
        "defect": "",
    }
    late = kind not in EARLY
    truth["half_light_radius"] = _half_light_radius(random, truth["magnitude"], late)
    _SHAPES[kind](truth, random)
    if kind == "unclassifiable" and not truth["defect"]:
        truth["magnitude"] = faint + random.uniform(0.2, 1.5)
    return truth


def draw_neighbour(random, magnitudes=(18.0, 25.0)):
    """
    Draw the parameters of an object that only stands beside the target.

    Parameters
    ----------
    random : `numpy.random.Generator`
    magnitudes : tuple of float, optional
        As of `draw_galaxy`; neighbours go two magnitudes deeper.

    Returns
    -------
    truth : dict
        As of `draw_galaxy`.
    """
    bright, faint = magnitudes
    kind = "disk" if random.random() < 0.8 else "spheroid"
    truth = draw_galaxy(random, kind, (bright, faint + 2))
    # only the shape of its light matters beside a target
    truth.update(dict.fromkeys(STRUCTURE, 0.0))
    if truth["bulge_to_total"] < 0.3:
        truth["bulge_to_total"] = 0.0
    return truth


def _spheroid(truth, random):
    # many early types have a disk as well (Emsellem et al. 2011, MNRAS 414, 888)
    truth["bulge_to_total"] = 1.0 - 0.5 * _sometimes(random, 0.6, 1.0, 1.2)
    # most early types have indices of 2.5 to 6 (van der Wel et al. 2012, ApJS 203, 24),
    # some compact ones at redshifts near 2 lower ones (van der Wel et al. 2011, ApJ
    # 730, 38)
    truth["sersic_n"] = min(max(3.2 * 10 ** random.normal(scale=0.2), 1.3), 6.0)
    truth["axis_ratio"] = min(max(random.normal(0.78, 0.15), 0.4), 1.0)


def _inclined(random):
    """Axis ratio of a disk of `THICKNESS` that is seen from any side."""
    cosine = random.uniform()
    return math.sqrt(THICKNESS**2 + (1 - THICKNESS**2) * cosine**2)


def _sometimes(random, share, a, b):
    """A beta-distributed amplitude in a share of the galaxies, else 0."""
    return random.beta(a, b) if random.random() < share else 0.0


def _disk(truth, random):
    truth["bulge_to_total"] = 0.75 * random.beta(0.8, 1.5)
    truth["sersic_n"] = random.uniform(1.5, 4.5)
    truth["axis_ratio"] = _inclined(random)
    truth["spiral"] = _sometimes(random, 0.5, 2, 2)
    truth["ring"] = _sometimes(random, 0.1, 2, 2)
    truth["bar"] = _sometimes(random, 0.25, 2, 3)
    truth["clumpiness"] = _sometimes(random, 0.6, 1.2, 4)
    truth["lopsidedness"] = _sometimes(random, 0.6, 1.2, 5)
    # a lane of dust shows where the disk is seen from its edge
    truth["dust"] = _sometimes(random, 0.6 if truth["axis_ratio"] < 0.4 else 0.1, 2, 2)


def _irregular(truth, random):
    truth["axis_ratio"] = _inclined(random)
    truth["bulge_to_total"] = 0.3 if random.random() < 0.3 else 0.0
    truth["sersic_n"] = 2.0
    # towards 1 a system of clumps with little of a disk beneath them
    truth["clumpiness"] = random.uniform(0.3, 1.0)
    truth["lopsidedness"] = random.uniform(0.2, 1.0)
    truth["dust"] = _sometimes(random, 0.15, 2, 3)
    truth["tail"] = _sometimes(random, 0.2, 2, 3)


def _merger(truth, random):
    (_disk if random.random() < 0.7 else _spheroid)(truth, random)
    truth["companion"] = random.uniform(0.25, 1.0)
    truth["lopsidedness"] = random.uniform(0.2, 0.8)
    truth["tail"] = _sometimes(random, 0.7, 2, 3)
    if random.random() < 0.2:
        truth["third"] = random.uniform(0.15, 0.8)


def _compact(truth, random):
    _spheroid(truth, random)
    truth["half_light_radius"] = random.uniform(0.04, 0.13)


def _star(truth, random):
    truth["half_light_radius"] = 0.0
    if truth["magnitude"] < 19 and random.random() < 0.4:
        truth["saturation"] = random.uniform(0.3, 0.95)


def _unclassifiable(truth, random):
    _disk(truth, random)
    if random.random() > 0.2:  # the others are too faint
        truth["defect"] = _DEFECTS[random.integers(len(_DEFECTS))]
        truth["artifact"] = 1.0


_SHAPES = {
    "spheroid": _spheroid,
    "disk": _disk,
    "irregular": _irregular,
    "merger": _merger,
    "compact": _compact,
    "star": _star,
    "unclassifiable": _unclassifiable,
}

_KINDS = tuple(KINDS)
_SHARES = np.cumsum(list(KINDS.values())) / sum(KINDS.values())
_DEFECTS = ("trail", "hot_pixels", "edge", "bright_star", "blend")
