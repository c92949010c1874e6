# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Galaxies, and the people who classify them, made by GalSim.

In: a seed and an instrument. Out: cutouts or stamps with the fractions of
votes that people would give (`simulate_galaxies`, `simulate_stamps`), or a
whole mosaic with its truth (`simulate_field`). Nothing here needs a network.
"""

from galmorph.simulation.fields import SimulatedField, simulate_field
from galmorph.simulation.galaxies import (
    SimulatedGalaxies,
    simulate_galaxies,
    simulate_stamps,
)
from galmorph.simulation.instruments import WFC3_F160W, Instrument
from galmorph.simulation.statistics import (
    REAL_CORRELATIONS,
    REAL_STATISTICS,
    compare_votes,
)
from galmorph.simulation.votes import draw_votes, fit_calibration, vote_fractions

__all__ = [
    "REAL_CORRELATIONS",
    "REAL_STATISTICS",
    "WFC3_F160W",
    "Instrument",
    "SimulatedField",
    "SimulatedGalaxies",
    "compare_votes",
    "draw_votes",
    "fit_calibration",
    "simulate_field",
    "simulate_galaxies",
    "simulate_stamps",
    "vote_fractions",
]
