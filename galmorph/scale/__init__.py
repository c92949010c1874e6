# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Survey scale: mosaics and catalogues of any size, in bounded memory.

In: tiles - FITS files, on disk or on a server, with noise, weight and mask
(`find_tiles`, `open_tile`). Out: windows of them as NDData.
"""

from galmorph.scale.tiles import OpenTile, Tile, find_tiles, open_tile

__all__ = ["OpenTile", "Tile", "find_tiles", "open_tile"]
