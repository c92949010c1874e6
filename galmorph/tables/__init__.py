# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Catalogues and results as astropy tables.

In: a catalogue (whose positions `pixel_positions` finds), vote fractions with
their errors and quality bits. Out: `~astropy.table.QTable` with units,
descriptions and provenance, on disk as ECSV, FITS, VOTable or Parquet.
"""

from galmorph.tables.io import read_table, write_table
from galmorph.tables.positions import Positions, find_positions, pixel_positions
from galmorph.tables.results import (
    CLASSES,
    annotate_table,
    dominant_class,
    result_table,
    without_clashes,
)
from galmorph.tables.streaming import LongTable, write_chunks

__all__ = [
    "CLASSES",
    "LongTable",
    "Positions",
    "annotate_table",
    "dominant_class",
    "find_positions",
    "pixel_positions",
    "read_table",
    "result_table",
    "without_clashes",
    "write_chunks",
    "write_table",
]
