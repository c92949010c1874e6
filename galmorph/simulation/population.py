# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Which galaxies there are: the parameters of one simulated object.
"""

import numpy as np

__all__ = ["KINDS", "draw_galaxy", "draw_neighbour"]

KINDS = {
    "spheroid": 0.17,
    "disk": 0.47,
    "irregular": 0.14,
    "merger": 0.08,
    "compact": 0.05,
    "star": 0.05,
    "unclassifiable": 0.04,
}
"""Kinds of objects and their shares; the votes decide what each looks like."""

_BRIGHT, _FAINT = 18.0, 25.0
# slope of the counts of galaxies per magnitude, about that of Windhorst et al.
# 2011 (ApJS 193, 27) in F160W between 20 and 25
_COUNT_SLOPE = 0.26
_THICKNESS = 0.2


def _magnitude(random, bright=_BRIGHT, faint=_FAINT, slope=_COUNT_SLOPE):
    """One magnitude from counts that rise as 10^(slope x magnitude)."""
    low, high = 10 ** (slope * bright), 10 ** (slope * faint)
    return np.log10(random.uniform(low, high)) / slope


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
    return float(np.clip(radius, 0.05, 2.5))


def draw_galaxy(random, kind=None):
    """
    Draw the parameters of one object.

    Parameters
    ----------
    random : `numpy.random.Generator`
    kind : str, optional
        One of `KINDS`; drawn by their shares where it is not given.

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
    shares = np.array(list(KINDS.values()))
    drawn = list(KINDS)[random.choice(len(KINDS), p=shares / shares.sum())]
    kind = drawn if kind is None else kind
    truth = {
        "kind": kind,
        "magnitude": float(_magnitude(random)),
        "bulge_to_total": 0.0,
        "sersic_n": 4.0,
        "axis_ratio": 1.0,
        "position_angle": float(random.uniform(0, 180)),
        "spiral": 0.0,
        "ring": 0.0,
        "bar": 0.0,
        "clumpiness": 0.0,
        "lopsidedness": 0.0,
        "companion": 0.0,
        "artifact": 0.0,
        "saturation": 0.0,
        "defect": "",
    }
    late = kind not in ("spheroid", "compact")
    truth["half_light_radius"] = _half_light_radius(random, truth["magnitude"], late)
    _SHAPES[kind](truth, random)
    return truth


def draw_neighbour(random):
    """
    Draw the parameters of an object that only stands beside the target.

    Parameters
    ----------
    random : `numpy.random.Generator`

    Returns
    -------
    truth : dict
        As of `draw_galaxy`; galaxies go two magnitudes deeper.
    """
    truth = draw_galaxy(random, "disk" if random.random() < 0.8 else "spheroid")
    truth["magnitude"] = float(_magnitude(random, faint=27.0))
    truth["half_light_radius"] = _half_light_radius(random, truth["magnitude"], True)
    # only the shape of its light matters beside a target
    for name in ("spiral", "ring", "bar", "clumpiness", "lopsidedness"):
        truth[name] = 0.0
    return truth


def _spheroid(truth, random):
    truth["bulge_to_total"] = 1.0
    truth["sersic_n"] = float(random.uniform(2.5, 6.0))
    truth["axis_ratio"] = float(np.clip(random.normal(0.78, 0.15), 0.4, 1.0))


def _inclined(random):
    cosine = random.uniform()
    return float(np.sqrt(_THICKNESS**2 + (1 - _THICKNESS**2) * cosine**2))


def _disk(truth, random):
    truth["bulge_to_total"] = float(random.beta(0.8, 1.8))
    truth["sersic_n"] = float(random.uniform(1.5, 4.5))
    truth["axis_ratio"] = _inclined(random)
    truth["spiral"] = _sometimes(random, 0.5, 2, 2)
    truth["ring"] = _sometimes(random, 0.1, 2, 2)
    truth["bar"] = _sometimes(random, 0.25, 2, 3)
    truth["clumpiness"] = _sometimes(random, 0.6, 1.2, 4)
    truth["lopsidedness"] = _sometimes(random, 0.6, 1.2, 5)


def _sometimes(random, share, a, b):
    """A beta-distributed amplitude in a share of the galaxies, else 0."""
    amplitude = random.beta(a, b)
    return float(amplitude) if random.random() < share else 0.0


def _irregular(truth, random):
    truth["axis_ratio"] = _inclined(random)
    truth["bulge_to_total"] = float(random.choice([0, 1], p=[0.7, 0.3]) * 0.3)
    truth["sersic_n"] = 2.0
    truth["clumpiness"] = float(random.uniform(0.3, 0.95))
    truth["lopsidedness"] = float(random.uniform(0.2, 1.0))


def _merger(truth, random):
    (_disk if random.random() < 0.7 else _spheroid)(truth, random)
    truth["companion"] = float(random.uniform(0.25, 1.0))
    truth["lopsidedness"] = float(random.uniform(0.2, 0.8))


def _compact(truth, random):
    _spheroid(truth, random)
    truth["half_light_radius"] = float(random.uniform(0.04, 0.13))


def _star(truth, random):
    truth["magnitude"] = float(_magnitude(random, bright=15.5, faint=25.0, slope=0.08))
    truth["half_light_radius"] = 0.0
    if truth["magnitude"] < 19 and random.random() < 0.4:
        truth["saturation"] = float(random.uniform(0.3, 0.95))


def _unclassifiable(truth, random):
    _disk(truth, random)
    if random.random() < 0.2:
        truth["magnitude"] = float(random.uniform(25.2, 26.5))
    else:
        truth["defect"] = str(
            random.choice(["trail", "hot_pixels", "edge", "bright_star"])
        )
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
