# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Tables of what is true of simulated objects.
"""

import numpy as np
from astropy import units as u
from astropy.table import QTable

from galmorph.core import CANDELS

__all__ = ["as_truth_table", "random_of", "seen_columns"]

_UNITS = {
    "magnitude": u.mag,
    "half_light_radius": u.arcsec,
    "position_angle": u.deg,
    "sky_rms": u.electron / u.s,
    "pixel_scale": u.arcsec / u.pix,
    "psf_fwhm": u.arcsec,
}
_DESCRIPTIONS = {
    "index": "Number of the galaxy within its seed",
    "kind": "Kind of object",
    "magnitude": "AB magnitude",
    "half_light_radius": "Half-light radius along the major axis",
    "bulge_to_total": "Fraction of the light in the bulge",
    "sersic_n": "Sersic index of the bulge",
    "axis_ratio": "Axis ratio of the light",
    "position_angle": "Position angle of the major axis, from x to y",
    "spiral": "Amplitude of spiral arms",
    "ring": "Strength of the ring",
    "bar": "Strength of the bar",
    "clumpiness": "Strength of clumps",
    "lopsidedness": "Amplitude of lopsidedness",
    "dust": "Strength of a lane of dust",
    "companion": "Flux of a merging companion over that of the galaxy",
    "third": "Flux of a third merging galaxy over that of the galaxy",
    "tail": "Strength of a tidal tail",
    "knots": "Share of a disk's light in small knots of young stars",
    "snr": "Signal-to-noise ratio within the half-light radius",
    "artifact": "Strength of an artifact",
    "saturation": "Part of a star's peak that is cut off",
    "defect": "Kind of artifact",
    "depth": "Kind of survey",
    "camera": "Name of the camera",
    "pixel_scale": "Size of a pixel",
    "psf_fwhm": "Full width at half maximum of the PSF",
    "sky_rms": "Standard deviation of the noise per pixel",
    "display": "How the image was saved to be looked at; empty for linear pixels",
    "seen_size": "Logarithm of the half-light radius over the PSF's FWHM",
    "seen_signal": "Logarithm of the signal-to-noise ratio of a resolution element",
    "seen_asymmetry": "Share of the light that is asymmetric above the noise",
    "seen_structure": "Share of the light in other structure above the noise",
    "seen_blend": "Light of other objects over that of the object, close to it",
}
# of objects that have no such parameter
_ABSENT = {"snr": float("nan")}


def random_of(seed, index):
    """The random numbers of one object."""
    # by its own number, so that a galaxy is the same in every chunk
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))


def as_truth_table(rows):
    """Vote fractions and truths of many objects as a table."""
    names = ["index", *CANDELS.outputs, *list(_DESCRIPTIONS)[1:]]
    table = QTable()
    known = set().union(*rows)
    for name in names:
        if rows and name not in known:
            continue
        values = [row.get(name, _ABSENT.get(name, 0.0)) for row in rows]
        if name in CANDELS.outputs:
            column = np.array(values, dtype=np.float32)
        elif name in ("kind", "defect", "depth", "camera", "display"):
            column = np.array(values, dtype="U24")
        else:
            column = np.array(values, dtype=int if name == "index" else float)
        table[name] = column * _UNITS[name] if name in _UNITS else column
        described = _DESCRIPTIONS.get(name)
        table[name].info.description = described or CANDELS.describe(name)
    return table


def seen_columns(visible):
    """What can be seen, as columns of the table of truths."""
    names = ("size", "signal", "asymmetry", "structure", "blend")
    return {f"seen_{name}": getattr(visible, name) for name in names}
