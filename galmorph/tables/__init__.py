# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Catalogues and results as astropy tables.

In: a catalogue (whose positions `pixel_positions` finds), vote fractions with
their errors and quality bits. Out: `~astropy.table.QTable` with units,
descriptions and provenance, on disk as ECSV, FITS, VOTable or Parquet.
"""

from galmorph.tables.io import read_table, write_table
from galmorph.tables.positions import pixel_positions
from galmorph.tables.results import (
    CLASSES,
    annotate_table,
    dominant_class,
    result_table,
)
from galmorph.tables.streaming import LongTable, write_chunks

__all__ = [
    "CLASSES",
    "LongTable",
    "annotate_table",
    "dominant_class",
    "pixel_positions",
    "read_table",
    "result_table",
    "write_chunks",
    "write_table",
]
