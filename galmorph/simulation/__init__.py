# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Galaxies, and the people who classify them, made by GalSim.

In: a seed and an instrument. Out: cutouts or stamps with the fractions of
votes that people would give (`simulate_galaxies`, `simulate_stamps`), or a
whole mosaic with its truth (`simulate_field`). Nothing here needs a network.
"""

from galmorph.simulation.calibration import fit_calibration
from galmorph.simulation.cameras import INSTRUMENTS, get_instrument
from galmorph.simulation.display import DISPLAYS, Display, draw_display
from galmorph.simulation.domains import DOMAINS, Domain
from galmorph.simulation.fields import SimulatedField, simulate_field
from galmorph.simulation.galaxies import (
    SimulatedGalaxies,
    simulate_galaxies,
    simulate_stamps,
)
from galmorph.simulation.instruments import WFC3_F160W, Instrument, PSFImage
from galmorph.simulation.optics import Optics
from galmorph.simulation.redshifting import (
    draw_redshifted,
    redshifted,
    unstretched,
)
from galmorph.simulation.statistics import (
    REAL_ALONE,
    REAL_CORRELATIONS,
    REAL_LEVELS,
    REAL_MAJORITIES,
    REAL_STATISTICS,
    REAL_TICKED,
    compare_votes,
    draw_few_votes,
    energy_distance,
    restore_votes,
    vote_statistics,
)
from galmorph.simulation.visibility import Visible, see
from galmorph.simulation.votes import (
    Calibration,
    draw_ticks,
    draw_votes,
    vote_fractions,
)

__all__ = [
    "DISPLAYS",
    "DOMAINS",
    "INSTRUMENTS",
    "REAL_ALONE",
    "REAL_CORRELATIONS",
    "REAL_LEVELS",
    "REAL_MAJORITIES",
    "REAL_STATISTICS",
    "REAL_TICKED",
    "WFC3_F160W",
    "Calibration",
    "Display",
    "Domain",
    "Instrument",
    "Optics",
    "PSFImage",
    "SimulatedField",
    "SimulatedGalaxies",
    "Visible",
    "compare_votes",
    "draw_display",
    "draw_few_votes",
    "draw_redshifted",
    "draw_ticks",
    "draw_votes",
    "energy_distance",
    "fit_calibration",
    "get_instrument",
    "redshifted",
    "restore_votes",
    "see",
    "simulate_field",
    "simulate_galaxies",
    "simulate_stamps",
    "unstretched",
    "vote_fractions",
    "vote_statistics",
]
