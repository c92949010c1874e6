# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Survey scale: mosaics and catalogues of any size, in bounded memory.

In: tiles - FITS files, on disk or on a server, with noise, weight and mask
(`find_tiles`, `open_tile`) - and a catalogue. Out: the catalogue with morphologies
(`annotate`; on many machines `annotate_partitions`), written as it comes, and a
`Summary`.
"""

from galmorph.scale.annotating import annotate
from galmorph.scale.detection import DetectedPart, detect_parts
from galmorph.scale.distributed import FrameAnnotator, annotate_partitions
from galmorph.scale.summary import Summary
from galmorph.scale.tiles import OpenTile, Tile, find_tiles, open_tile

__all__ = [
    "DetectedPart",
    "FrameAnnotator",
    "OpenTile",
    "Summary",
    "Tile",
    "annotate",
    "annotate_partitions",
    "detect_parts",
    "find_tiles",
    "open_tile",
]
